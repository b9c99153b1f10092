"""The command line, as a user meets it: help, good input, and bad input that gets one clear line."""

import dataclasses
import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import refgen
from refgen import models
from refgen.cli import main
from refgen.commands.data import OF_DATA
from refgen.commands.runs import HELP

ROOT = Path(__file__).parents[1]
COMMANDS = [
    "verify", "equations", "misprints", "train", "sample", "evaluate", "compare", "plot", "animate",
    "reproduce", "demo", "models", "datasets", "samplers", "doctor",
]  # fmt: skip

# As users start it: the installed script, and cli.py in a clone.
STARTS = [[str(Path(sys.executable).parent / "refgen")], [sys.executable, str(ROOT / "cli.py")]]


def call(*args: object, status: int = 0):
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == status, (result.output, result.stderr, result.exception)
    return result


def complaint(*args: object) -> str:
    """What bad input is answered with: exit status 2, one line on stderr, nothing on stdout."""
    result = call(*args, status=2)
    assert result.stderr.startswith("refgen: error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stdout == ""
    return result.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run, too short to be good, that the commands about runs work on."""
    folder = tmp_path_factory.mktemp("runs") / "ring"
    call("train", "ddpm", "--data", "ring", "--out", folder, "--steps", 200, "--batch", 64, "--t", 50)
    return folder


# ---- help and lists
@pytest.mark.parametrize("command", [[], *[[c] for c in COMMANDS], ["train", "ddpm"]])
def test_help_helps(command):
    result = call(*command, "--help")
    assert result.stdout.startswith("Usage: ")
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_help_that_is_no_terminal_s_uses_100_columns():
    done = subprocess.run(
        [sys.executable, "-c", "from refgen.cli import main; main(['train', 'ddpm', '--help'])"],
        capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "60"},
    )  # fmt: skip
    assert 90 < max(map(len, done.stdout.splitlines())) <= 100


def test_help_imports_nothing_heavy():
    code = "import sys; from refgen.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    code += (
        "print([m for m in ('numpy', 'scipy', 'autograd', 'matplotlib', 'hypothesis') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version():
    assert call("--version").stdout == f"refgen, version {refgen.__version__}\n"


@pytest.mark.parametrize(
    ("command", "name"), [("models", "ddpm"), ("datasets", "moons"), ("samplers", "ancestral")]
)
def test_listings(command, name):
    assert any(line.startswith(name) for line in call(command).stdout.splitlines())
    assert name in [row["name"] for row in json.loads(call(command, "--json").stdout)]


@pytest.mark.parametrize("start", STARTS, ids=["refgen", "cli.py"])
def test_real_process(start, tmp_path):
    done = subprocess.run([*start, "equations", "post-5"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "POST-5/mean" in done.stdout
    done = subprocess.run([*start, "sample", "nowhere"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == "refgen: error: nowhere is not a run: no config.json\n"


@pytest.mark.parametrize("start", STARTS, ids=["refgen", "cli.py"])
def test_ctrl_c_says_how_to_resume_and_that_resumes_to_the_same_bits(start, tmp_path):
    def train(folder, *more):
        command = [*start, "train", "ddpm", "--out", folder, *more]
        return subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )

    options = ("--data", "ring", "--t", "20", "--steps", "3000", "--batch", "32", "--hidden", "32")
    process = train("broken", *options)
    for line in process.stderr:
        if line.startswith("train ddpm  ") and int(line.split()[2].split("/")[0]) >= 300:
            break
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130 and stdout == "", (stdout, stderr)
    *_, stopped, how = stderr.splitlines()
    assert re.fullmatch(r"stopped at step \d+ of 3000; resume to go on: broken", stopped)
    assert how.endswith(" train ddpm --out broken --resume")
    for folder, more in [("broken", ["--resume"]), ("whole", options)]:
        process = train(folder, *more)
        assert process.communicate(timeout=60)[0].startswith(f"{folder}: trained, 3000 steps")
    states = [np.load(tmp_path / folder / "checkpoint.npz") for folder in ("broken", "whole")]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[1].files)


def test_every_hyper_parameter_says_what_it_is():
    for name in models.NAMES:
        text = call("train", name, "--help").stdout
        for field in dataclasses.fields(models.model_class(name)):
            if field.name not in OF_DATA:
                assert HELP[field.name][:25] in text
    text = call("train", "ddpm", "--help").stdout
    assert "linear|cosine" in text and "--t INTEGER RANGE" in text and "Noise levels" in text


# ---- equations and misprints
def test_verify_one_row():
    out = call("verify", "POST-5", "--examples", 20).stdout
    assert "pass  POST-5/mean" in out
    assert "wrong forms" in out


def test_verify_json():
    report = json.loads(call("verify", "GAU-4", "GAU-7", "--examples", 20, "--json").stdout)
    assert set(report) == {"cards", "summary"}
    assert set(report["summary"]) == {
        "cards", "passed", "failed", "misprints", "rejected", "seconds", "device",
    }  # fmt: skip
    for card in report["cards"]:
        assert set(card) == {
            "id", "title", "evidence", "worst_error", "tolerance", "status", "formula", "seconds", "kind",
            "rejects", "device",
        }  # fmt: skip
        assert card["worst_error"] <= card["tolerance"]
        for reject in card["rejects"]:
            assert set(reject) == {"id", "kind", "rejected", "error", "counterexample"}
            assert set(reject["counterexample"]) >= {"inputs", "printed", "correct"}


@pytest.fixture
def yours(tmp_path) -> Path:
    path = tmp_path / "yours_for_cli.py"
    path.write_text(
        "from refgen.formulas.posterior import posterior_mean as right\n"
        "import numpy as np\n"
        "def wrong(x_t, x_0, alpha_t, alpha_bar_s):\n"
        "    return np.sqrt(alpha_t) * x_t + np.sqrt(alpha_bar_s) * x_0\n"
        "def raises(x_t, x_0, alpha_t, alpha_bar_s):\n    return x_t.nothing\n"
    )
    return path


def test_ones_own_function(yours):
    assert "pass" in call("verify", "--formula", f"POST-5/mean={yours}:right").stdout
    out = call("verify", "--formula", f"POST-5/mean={yours}:wrong", status=1).stdout
    assert "FAIL" in out
    assert "yours" in out and "correct" in out
    out = call("verify", "--formula", f"POST-5/mean={yours}:raises", status=1).stdout
    assert "raised AttributeError" in out and "line 6" in out


def test_ones_own_cards():
    out = call("verify", ROOT / "docs/examples/my_cards.py").stdout
    assert "MINE-1" in out and "1 wrong form: 1 rejected" in out


def test_a_card_that_fails_gives_status_1(tmp_path):
    text = (
        (ROOT / "docs/examples/my_cards.py")
        .read_text()
        .replace("std**2 + noise**2\n    return", "std**2\n    return")
    )
    path = tmp_path / "failing_cards.py"
    path.write_text(text.replace("MINE-1", "MINE-2"))
    out = call("verify", path, status=1).stdout
    assert "FAIL  MINE-2" in out


def test_equations_finds_and_shows():
    assert "POST-5/mean" in call("equations").stdout
    whole = call("equations", "POST-5/mean").stdout
    assert "posterior_mean(x_t, x_0, alpha_t, alpha_bar_s)" in whole
    assert "Ho et al. 2020, eq. 7" in whole
    assert "refgen/formulas/posterior.py" in whole
    assert "POST-5/mean" in call("equations", "Ho", "7").stdout
    assert json.loads(call("equations", "POST-5", "--json").stdout)[0]["sources"]


def test_misprints_tell_their_story():
    assert "ERR-18" in call("misprints").stdout
    story = call("misprints", "ERR-22").stdout
    for part in ("printed", "correct", "why", "SJTU tutorial, slide 22", "smallest"):
        assert part in story
    assert json.loads(call("misprints", "ERR-22", "--json").stdout)[0]["rejected"] is True


@pytest.mark.parametrize("words", [["misprints", "ERR-52"], ["equations", "NCSN-8"]])
def test_what_an_experiment_shows_leads_to_it(words):
    assert call(*words).stdout.splitlines()[-1].endswith("reproduce noising")
    assert "reproduce" not in call("equations", "POST-5").stdout


# ---- runs
def test_sample_evaluate_plot_animate(run, tmp_path):
    for suffix in ("csv", "npy", "npz", "png"):
        call("sample", run, "--n", 50, "--out", tmp_path / f"s.{suffix}", "--seed", 3)
    table = np.loadtxt(tmp_path / "s.csv", delimiter=",", skiprows=1)
    assert table.shape == (50, 2) and np.all(np.isfinite(table))
    assert np.allclose(table, np.load(tmp_path / "s.npy"), rtol=1e-6)
    assert np.array_equal(np.load(tmp_path / "s.npz")["x"], np.load(tmp_path / "s.npy"))
    call("sample", run, "--n", 20, "--out", tmp_path / "u.npy", "--seed", 3, "--exact", "--steps", 10)
    report = json.loads(call("evaluate", run, "--n", 200, "--json").stdout)
    assert report["samples"]["times_floor"] > 0 and report["control"]["bound"] == 1.5
    assert len(report["modes"]["z"]) == 8
    assert "bound minus entropy" in call("evaluate", run, "--n", 100, "--no-control").stdout
    shown = call("plot", run, "overview", "score", "loss", "forward", "--out", tmp_path / "pictures").stdout
    assert len(shown.split()) == 4 and all(Path(p).stat().st_size > 1000 for p in shown.split())
    call("animate", run, "--out", tmp_path / "a.gif")
    assert (tmp_path / "a.gif").read_bytes()[:6] == b"GIF89a"


def test_resume_keeps_the_options_and_refuses_others(run, tmp_path):
    folder = tmp_path / "r"
    call("train", "ddpm", "--data", "moons", "--out", folder, "--steps", 100, "--batch", 32, "--t", 20)
    call("train", "ddpm", "--out", folder, "--resume", "--steps", 200)
    rows = (folder / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["100", "200"]
    whole = tmp_path / "whole"
    call("train", "ddpm", "--data", "moons", "--out", whole, "--steps", 200, "--batch", 32, "--t", 20)
    for name in ("params", "ema"):
        parts = [np.load(f / "checkpoint.npz")[name] for f in (folder, whole)]
        assert np.array_equal(*parts)
    assert "batch" in complaint("train", "ddpm", "--out", folder, "--resume", "--batch", 64)
    assert "hidden" in complaint("train", "ddpm", "--out", folder, "--resume", "--hidden", 64)
    assert "already holds a run" in complaint("train", "ddpm", "--data", "moons", "--out", folder)


def test_a_file_of_points_is_data(tmp_path):
    points = np.random.default_rng(0).normal([5.0, -3.0], [2.0, 0.1], (300, 2))
    np.savetxt(tmp_path / "p.csv", points, delimiter=",", header="a,b", comments="")
    folder = tmp_path / "run"
    call(
        "train",
        "ddpm",
        "--data",
        tmp_path / "p.csv",
        "--out",
        folder,
        "--steps",
        300,
        "--batch",
        64,
        "--t",
        30,
    )
    call("sample", folder, "--n", 500, "--out", tmp_path / "s.npy")
    samples = np.load(tmp_path / "s.npy")
    assert np.allclose(samples.mean(0), [5, -3], atol=1.0) and samples[:, 1].std() < 0.3
    call("evaluate", folder, "--n", 100)
    call("plot", folder)


# ---- bad input
def test_a_picture_of_three_dimensions_is_refused_before_sampling(tmp_path):
    np.save(tmp_path / "p.npy", np.random.default_rng(0).normal(size=(50, 3)))
    folder = tmp_path / "run"
    call("train", "ddpm", "--data", tmp_path / "p.npy", "--out", folder, "--steps", 2, "--t", 5)
    assert "dimension 3, and a picture needs 2" in complaint("sample", folder, "--out", tmp_path / "x.png")
    call("plot", folder, "loss")


def test_a_loss_that_diverges_is_one_line(tmp_path):
    args = ("train", "ddpm", "--data", "ring", "--out", tmp_path / "r", "--t", 20, "--batch", 16, "--lr", 10)
    args += ("--layers", 16)
    text = complaint(*args, "--steps", 50)
    assert "training diverged: the loss is " in text and "at step" in text
    assert "in a new folder, with --lr below 10" in text


def test_a_config_that_is_hardly_one(tmp_path):
    (tmp_path / "config.json").write_text('{"model":"ddpm","options":{"T":50},"data":{},"training":{}}')
    for args in [("sample",), ("evaluate",), ("plot",), ("animate",), ("train", "ddpm", "--resume", "--out")]:
        assert "config.json is not a run's config: data.name is None" in complaint(*args, tmp_path)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["vreify"], "did you mean verify?"),
        (["train", "dpm", "--data", "moons"], "did you mean ddpm"),
        (["train", "ddpm"], "--data NAME|FILE is missing"),
        (["train", "ddpm", "--data", "mons"], "did you mean moons?"),
        (["train", "ddpm", "--data", "missing.csv"], "missing.csv: no such file"),
        (["train", "ddpm", "--data", "moons", "--steps", "-3"], "-3 is not in the range"),
        (["train", "ddpm", "--data", "moons", "--steps", "many"], "'many' is not a valid integer"),
        (["train", "ddpm", "--data", "moons", "--lr", "0"], "--lr"),
        (["train", "ddpm", "--data", "moons", "--t", "0"], "0 is not in the range 1<=x<=100000"),
        (["train", "ddpm", "--data", "moons", "--batch", "100001"], "is not in the range"),
        (["train", "ddpm", "--data", "moons", "--schedule", "linaer"], "linear"),
        (["train", "ddpm", "--data", "moons", "--target", "noise"], "'noise' is not one of 'eps', 'x_0'"),
        (["train", "ddpm", "--data", "moons", "--hidden", "0"], "hidden"),
        (["train", "ddpm", "--data", "moons", "--wdith", "3"], "No such option"),
        (["train", "ddpm", "--resume"], "--data"),
        (["train", "ddpm", "--resume", "--out", "nowhere"], "nowhere is not a run"),
        (["sample", "nowhere"], "nowhere is not a run: no config.json"),
        (["evaluate", "nowhere"], "not a run"),
        (["plot", "nowhere"], "not a run"),
        (["animate", "nowhere"], "not a run"),
        (["verify", "POTS-5"], "no card 'POTS-5'; did you mean"),
        (["verify", "missing.py"], "missing.py: no such file"),
        (["verify", "--examples", "0"], "0 is not in the range"),
        (["verify", "--formula", "POST-5/mean"], "ID=module:function"),
        (["verify", "--formula", "POST-5/mean=nothing"], "module:function"),
        (["verify", "--formula", "POST-5=m:f"], "POST-5/mean"),
        (["verify", "--formula", "POST-55=m:f"], "no card"),
        (["verify", "--formula", "POST-5/mean=refgen.formulas.posterior:nix"], "has no function 'nix'"),
        (["misprints", "ERR-999"], "no misprint 'ERR-999'"),
        (["equations", "xyzzy"], "no card matches"),
        (["--seed"], "No such option"),
    ],
)
def test_bad_input_is_one_line(args, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in complaint(*args)
    assert list(tmp_path.iterdir()) == [], "something was left behind"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--n", 0], "0 is not in the range"),
        (["--n", 10**12], "is not in the range"),
        (["--out", "x.txt"], "must end in .csv"),
        (["--steps", 51], "50"),
        (["--seed", -1], "-1"),
    ],
)
def test_bad_options_of_sample(run, args, says):
    assert says in complaint("sample", run, *args)


def test_unknown_picture(run):
    assert "did you mean overview" in complaint("plot", run, "overveiw")
    assert "must end in .gif" in complaint("animate", run, "--out", "a.png")


def broken(run: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "broken"
    folder.mkdir()
    for name in ("config.json", "checkpoint.npz", "metrics.csv"):
        (folder / name).write_bytes((run / name).read_bytes())
    return folder


@pytest.mark.parametrize("keep", [0, 10, 1000, -100])
def test_a_checkpoint_cut_short(run, tmp_path, keep):
    folder = broken(run, tmp_path)
    whole = (folder / "checkpoint.npz").read_bytes()
    (folder / "checkpoint.npz").write_bytes(whole[:keep])
    assert "checkpoint.npz" in complaint("sample", folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model": 3}'])
def test_a_config_that_is_none(run, tmp_path, text):
    folder = broken(run, tmp_path)
    (folder / "config.json").write_text(text)
    assert "config" in complaint("sample", folder)


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in complaint(
        "train", "ddpm", "--data", "moons", "--out", tmp_path / "file" / "run", "--steps", 1
    )
    assert "not a run" in complaint("sample", tmp_path / "file")


def no_space(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk(run, tmp_path, monkeypatch):
    folder = broken(run, tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("refgen.checkpoints.os.fsync", no_space)
    for args in [
        ("sample", folder, "--n", 10, "--out", folder / "s.csv"),
        ("plot", folder, "samples", "--out", folder),
        ("train", "ddpm", "--out", folder, "--resume", "--steps", 300),
        ("train", "ddpm", "--data", "ring", "--out", tmp_path / "new"),
    ]:
        last = call(*args, status=2).stderr.splitlines()[-1]
        assert last.startswith("refgen: error: cannot write ") and "No space left on device" in last
    figures = folder / "figures"
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path != figures} == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o555)
    assert "ermission" in complaint("train", "ddpm", "--data", "moons", "--out", tmp_path / "r", "--steps", 1)
    tmp_path.chmod(0o755)
