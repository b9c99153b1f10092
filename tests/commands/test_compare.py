"""refgen compare: real processes in run folders: done, crashed, stopped, gone on; and what is refused."""

import json
import os
import signal
import time
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from refgen import backend, models, runs
from refgen.cli import main
from refgen.commands import compare, members
from refgen.commands.members import Member, Stopped, run_all
from refgen.training_defaults import STEPS


def call(*args, status=0):
    result = CliRunner().invoke(main, ["compare", *map(str, args)])
    assert result.exit_code == status, (result.output, result.stderr, result.exception)
    return result


FEW = ["--data", "ring", "--steps", 30, "--batch", 16, "--n", 60, "--seeds", 1]
FEW += ["--set", "ddpm.T=10", "--set", "ddpm.hidden=8"]


def test_a_crashed_member_does_not_take_the_other_along_and_is_made_up_for(tmp_path):
    alien = tmp_path / "ncsn-seed0" / "metrics.csv"
    alien.parent.mkdir()
    alien.write_text("of another origin")
    args = ["ddpm", "ncsn", *FEW, "--out", tmp_path, "--set", "ncsn.T=5", "--set", "ncsn.per_level=2"]
    result = call(*args, status=1)
    lines = result.stdout.partition("wrote ")[0].splitlines()
    assert max(map(len, lines)) <= 100
    said = f"{alien} is not of a run, and would be overwritten; name another folder"
    assert "failed: ncsn, seed 0: " + said in " ".join(result.stdout.split())
    last = result.stderr.partition("  samples of ddpm")[0].splitlines()[-1]
    assert last.startswith("compare 2 runs  76/76") and last.endswith("1 of 2 failed")
    assert result.stderr.count("76/76") == 1
    found = json.loads((tmp_path / "compare.json").read_text())
    assert [row["model"] for row in found["models"]] == ["ddpm", "ncsn"] and found["modes"] == 8
    good, bad = (row["runs"][0] for row in found["models"])
    assert good["status"] == "done" and good["nfe"] == 10 and found["models"][0]["nll_kind"] == "bound"
    assert bad["status"] == "failed" and bad["error"] == said
    assert runs.load(tmp_path / "ddpm-seed0").state.step == 30
    assert (tmp_path / "compare.png").stat().st_size > 1000

    alien.unlink()
    before = (tmp_path / "ddpm-seed0" / "evaluation.json").stat().st_mtime_ns
    again = json.loads(call(*args, "--json").stdout)
    assert [row["runs"][0]["status"] for row in again["models"]] == ["done", "done"]
    assert again == json.loads((tmp_path / "compare.json").read_text())
    assert again["models"][0] == found["models"][0]
    assert (tmp_path / "ddpm-seed0" / "evaluation.json").stat().st_mtime_ns == before  # not done again

    other = call("ddpm", *FEW, "--out", tmp_path, "--set", "ddpm.layers=2", status=2)
    assert f"{tmp_path / 'ddpm-seed0'} is a run with layers 3, not 2; name another --out" in other.stderr
    other = call("ddpm", *FEW, "--out", tmp_path, "--data", "moons", status=2)
    assert "is a run with data 'ring', not 'moons'" in other.stderr


def long_member(folder, seed, steps=10**6):
    own = folder / f"ddpm-seed{seed}"
    args = ("--data", "ring", "--steps", str(steps), "--batch", "16", "--hidden", "8", "--t", "10")
    return Member("ddpm", seed, own, (*args, "--seed", str(seed), "--out", str(own)), steps, 50)


def test_ctrl_c_stops_the_processes_and_a_killed_one_is_shown(tmp_path, monkeypatch):
    started, real = [], members._Process

    def process(*given):
        started.append(real(*given))
        return started[-1]

    monkeypatch.setattr(members, "_Process", process)
    both, began = [long_member(tmp_path, seed) for seed in (0, 1)], time.monotonic()
    failed_at = []

    def show(ended, at_work):
        assert time.monotonic() - began < 30
        if at_work == ["ddpm-seed0", "ddpm-seed1"] and all(member.step() for member in both):
            os.kill(started[1].process.pid, signal.SIGKILL)
        if ended:
            failed_at.append((ended, at_work))
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Stopped):
        run_all(both, 2, show)
    assert signal.getsignal(signal.SIGINT) is before and failed_at == [(["ddpm-seed1"], ["ddpm-seed0"])]
    assert all(at.process.poll() is not None for at in started) and len(started) == 2
    state = runs.load(both[0].folder).state
    assert 100 <= both[0].step() <= state.step  # saved where it was stopped, after the last row
    assert f"stopped at step {state.step} of" in both[0].log.read_text()
    assert both[0].next_command()[-1] == "--resume" and both[1].next_command()[-1] == "--resume"
    assert started[1].finish().startswith("ended by SIGKILL; it last said: train ddpm")


def test_what_is_done_next_is_done_on_the_device_of_the_member(tmp_path, monkeypatch):
    args = ("--data", "ring", "--device", "gpu", "--seed", "0", "--out", str(tmp_path / "a"))
    member = Member("ddpm", 0, tmp_path / "a", args, 5, 50, "gpu")
    assert member.next_command() == ["train", "ddpm", *args]
    member.folder.mkdir()
    (member.folder / "config.json").write_text("{}")
    done = SimpleNamespace(state=SimpleNamespace(step=5))
    monkeypatch.setattr(runs, "load", lambda folder: done)
    command = member.next_command()
    assert command[0] == "evaluate" and command[command.index("--device") + 1] == "gpu"


def test_an_evaluation_of_other_points_is_none(tmp_path):
    member = long_member(tmp_path, 0, steps=30)
    assert member.report() is None and member.step() == 0
    member.folder.mkdir()
    report = {"step": 30, "seed": 0, "n": 50}
    for found, fits in [
        (report, True),
        ({**report, "n": 51}, False),
        ({**report, "step": 29}, False),
        ([], False),
    ]:
        member.evaluation.write_text(json.dumps(found))
        assert (member.report() is not None) == fits
    member.evaluation.write_text("{")
    assert member.report() is None


def test_a_broken_folder_fails_alone(tmp_path):
    member = long_member(tmp_path, 0)
    member.folder.mkdir()
    (member.folder / "config.json").write_text("{}")
    failed = run_all([member], 1)
    assert list(failed) == ["ddpm-seed0"] and "config.json is not a run's config" in failed["ddpm-seed0"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["ddm"], "no model 'ddm'; did you mean ddpm"),
        (["ddpm", "--set", "ebm.objective=nce"], "--set ebm.objective=nce: 'ebm' is not compared"),
        (["ddpm", "--set", "ddpm.hiden=4"], "ddpm has no option 'hiden' to set; did you mean hidden?"),
        (["ddpm", "--set", "ddpm.steps=4"], "ddpm has no option 'steps' to set; it has T, schedule,"),
        (["ddpm", "--set", "ddpm.target=nothing"], "Invalid value for '--target': 'nothing' is not one of"),
        (["ddpm", "--set", "ddpm.features=3"], "ddpm: features is 3; it must be an even number"),
        (["ddpm", "--set", "ddpm.T"], "--set is 'ddpm.T'; it must be MODEL.OPTION=VALUE"),
        (["score_net", "--set", "score_net.reduced=1"], "reduced is '1'; it must be true or false"),
        (["conditional_ddpm", "--data", "gaussian"], "conditional_ddpm: gaussian has no classes; there are"),
        (["ddpm", "--data", "rng"], 'no data set "rng"; did you mean ring?'),
    ],
)
def test_what_makes_no_sense_is_one_line_before_any_process(tmp_path, monkeypatch, args, says):
    monkeypatch.setattr(compare, "run_all", lambda *given: pytest.fail("a process was started"))
    result = call("--data", "ring", "--out", tmp_path / "out", *args, status=2)
    assert says in result.stderr and result.stderr.count("\n") == 1 and not (tmp_path / "out").exists()


def test_all_that_train_on_the_data_with_their_options(tmp_path, monkeypatch):
    given, real = [], models.named

    def named(name, **options):
        if name == "ncsn":
            raise ValueError("dim is 2; it must be 3")
        return real(name, **options)

    def stopped(members, jobs, show):
        given.extend(members)
        raise Stopped

    monkeypatch.setattr(models, "named", named)
    monkeypatch.setattr(compare, "run_all", stopped)
    monkeypatch.setattr(backend, "device", lambda name: where.append(name))
    where = []
    args = ["--set", "score_net.reduced=false", "--set", "ebm.objective=nce", "--seeds", 2, "--data", "ring"]
    args += ["--device", "gpu"]
    result = call(*args, "--out", tmp_path / "out", status=130)
    assert (
        "without ncsn: dim is 2; it must be 3" in result.stderr
        and "to go on, the same again" in result.stderr
    )
    left_out = {"ncsn", "conditional_ddpm"}
    assert "without conditional_ddpm: told no label it is like a ddpm; name it" in result.stderr
    assert [member.seed for member in given] == sorted(member.seed for member in given)
    assert {member.model for member in given} == set(models.NAMES) - left_out
    of = {member.model: member.args for member in given}
    assert "--no-reduced" in of["score_net"] and "--no-reduced" not in of["ddpm"]
    assert of["ebm"][of["ebm"].index("--objective") + 1] == "nce"
    usual = {name: getattr(models.model_class(name), "usual", {}).get("steps", STEPS) for name in of}
    assert {member.model: member.steps for member in given} == usual and usual["spline"] < STEPS
    assert where == ["gpu"] and all(args[args.index("--device") + 1] == "gpu" for args in of.values())
    assert not any("--steps" in args or "--batch" in args for args in of.values())
    assert len({member.folder for member in given}) == len(given) == 2 * (len(models.NAMES) - 2)
