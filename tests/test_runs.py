"""Runs: what a folder holds, resuming to the bit after a real Ctrl-C, and everything that may be broken."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from refgen import checkpoints, runs
from refgen.distributions import Empirical
from refgen.distributions import named as distribution
from refgen.models import named

MODEL = named("ddpm", T=20, schedule="cosine", hidden=16, features=8)
DATA, SHIFT, SCALE = distribution("moons").standardised()
OPTIONS = {"steps": 130, "batch": 32, "every": 20, "save_every": 50, "data_name": "moons"}


def train(folder, stop=None, model=MODEL, data=DATA, **options):
    options = {**OPTIONS, "shift": SHIFT, "scale": SCALE, **options}
    states = runs.train(folder, model, data, **options)
    for state in states:
        if stop and state.step >= stop:
            break
    states.close()
    return folder


def rows(folder):
    """Steps and losses of metrics.csv; the seconds differ."""
    header, *lines = (folder / "metrics.csv").read_text().splitlines()
    assert header == "step,loss,seconds"
    return [line.split(",")[:2] for line in lines]


def same_state(a, b):
    first, second = (checkpoints.load(folder / "checkpoint.npz") for folder in (a, b))
    return first.keys() == second.keys() and all(np.array_equal(first[k], second[k]) for k in first)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole") / "run")


def test_a_run_holds_its_files_and_reads_back(whole):
    assert sorted(os.listdir(whole)) == ["checkpoint.npz", "config.json", "figures", "metrics.csv"]
    assert [step for step, _ in rows(whole)] == ["20", "40", "60", "80", "100", "120", "130"]
    run = runs.load(whole)
    assert run.model == MODEL
    assert run.state.step == 130
    assert run.params is run.state.ema
    assert run.config["data"]["name"] == "moons"
    assert run.config["training"]["steps"] == 130
    assert {"refgen", "numpy", "autograd", "python"} <= run.config["versions"].keys()
    x = DATA.sample(runs.Stream(0), 5).astype(np.float32)
    assert run.to_data(x).dtype == np.float32
    np.testing.assert_allclose(run.to_data(x), x * SCALE + SHIFT, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stop", [20, 60, 100])
def test_a_run_that_is_left_and_resumed_is_the_run_that_was_not(whole, tmp_path, stop):
    folder = train(tmp_path / "run", stop=stop)
    assert runs.load(folder).state.step == stop
    train(folder, resume=True)
    assert same_state(folder, whole)
    assert rows(folder) == rows(whole)


def test_a_run_that_was_killed_goes_on_from_its_checkpoint_without_a_row_twice(whole, tmp_path):
    folder = train(tmp_path / "run", stop=100)
    with open(folder / "metrics.csv", "a") as file:
        file.write("120,0.5,1.0\n13")  # rows past the checkpoint, the last cut short
    train(folder, resume=True)
    assert same_state(folder, whole)
    assert rows(folder) == rows(whole)


def test_more_steps_go_on_where_the_run_ended(whole, tmp_path):
    folder = train(tmp_path / "run", steps=70)
    train(folder, resume=True)
    assert np.array_equal(runs.load(folder).state.params, runs.load(whole).state.params)
    assert runs.load(folder).config["training"]["steps"] == 130


SCRIPT = """
import sys
from refgen import runs
from refgen.distributions import named as distribution
from refgen.models import named
law, shift, scale = distribution("moons").standardised()
model = named("ddpm", T=20, schedule="cosine", hidden=64, features=8)
try:
    for state in runs.train(sys.argv[1], model, law, steps=1500, batch=256, every=50, data_name="moons",
                            shift=shift, scale=scale, resume=sys.argv[2] == "resume"):
        print("step", state.step, flush=True)
except runs.Interrupted as stopped:
    print("interrupted:", stopped, flush=True)
    sys.exit(130)
"""


def start_process(folder, how):
    command = [sys.executable, "-c", SCRIPT, str(folder), how]
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def test_ctrl_c_in_a_real_process_leaves_a_run_that_resumes_to_the_same_bits(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    interrupted, undisturbed = start_process(broken, "new"), None
    for line in interrupted.stdout:
        if line == "step 300\n":
            break
    time.sleep(0.02)  # somewhere inside a step
    interrupted.send_signal(signal.SIGINT)
    text = interrupted.communicate(timeout=60)[0]
    assert interrupted.returncode == 130, text
    assert f"of 1500; resume to go on: {broken}" in text
    step = runs.load(broken).state.step
    assert 300 <= step < 1500
    for folder, how in [(broken, "resume"), (whole, "new")]:
        undisturbed = start_process(folder, how)
        assert undisturbed.communicate(timeout=60)[1] is None
        assert undisturbed.returncode == 0
    assert same_state(broken, whole)
    assert rows(broken) == rows(whole)


def test_a_folder_with_a_run_is_not_begun_anew(whole):
    before = (whole / "checkpoint.npz").read_bytes()
    with pytest.raises(ValueError, match="already holds a run; resume it"):
        train(whole)
    assert (whole / "checkpoint.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 64}, "was begun with batch 32, not 64"),
        ({"lr": 0.5}, "was begun with lr 0.002, not 0.5"),
        ({"steps": 100}, "steps is 100; .* is already at step 130"),
        ({"seed": 1}, "was begun with seed 0, not 1"),
        ({"data_name": "ring"}, "was begun with data 'moons', not 'ring'"),
        ({"shift": 0.0}, "was begun with shift"),
        ({"cool": 0.1}, "was begun with cool 0.0, not 0.1"),
        ({"model": named("ddpm", T=20, schedule="cosine", hidden=32, features=8)}, "with hidden 16, not 32"),
        ({"data": np.zeros((5, 2))}, "the data have changed since .* was begun: SHA-256 None"),
    ],
)
def test_a_resume_with_another_option_is_refused_and_changes_nothing(whole, change, message):
    before = [(whole / name).read_bytes() for name in ("config.json", "metrics.csv", "checkpoint.npz")]
    with pytest.raises(ValueError, match=message):
        train(whole, resume=True, **change)
    assert before == [
        (whole / name).read_bytes() for name in ("config.json", "metrics.csv", "checkpoint.npz")
    ]


def test_a_changed_file_of_points_is_noticed(tmp_path):
    points = DATA.sample(runs.Stream(0), 50)
    folder = train(tmp_path / "run", data=points, steps=3)
    train(folder, data=points.copy(), steps=5, resume=True)
    train(folder, data=points, steps=6, resume=True, data_name="the same points, moved")
    points[7] += 1
    with pytest.raises(ValueError, match=r"the data have changed since .* was begun: SHA-256"):
        train(folder, data=points, steps=7, resume=True)


def test_the_law_of_points_and_a_hash_from_outside_are_kept_too(tmp_path):
    law = Empirical(DATA.sample(runs.Stream(0), 50))
    for how, sha256 in [("law", runs.points_hash(law.points)), ("outside", "abc")]:
        options = {} if how == "law" else {"data_sha256": sha256}
        folder = train(tmp_path / how, data=law, steps=1, **options)
        assert runs.read_config(folder)["data"]["sha256"] == sha256


def test_other_versions_warn_and_go_on(tmp_path):
    folder = train(tmp_path / "run", steps=3)
    config = json.loads((folder / "config.json").read_text())
    config["versions"]["numpy"] = "1.0"
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.warns(UserWarning, match=r"versions numpy 1\.0, not"):
        train(folder, steps=5, resume=True)
    assert runs.load(folder).state.step == 5


def test_what_is_no_run_is_one_clear_line(tmp_path):
    for call in (runs.load, runs.read_config, lambda folder: train(folder, resume=True)):
        with pytest.raises(ValueError, match=r"nothing is not a run: no config\.json"):
            call(tmp_path / "nothing")
    folder = train(tmp_path / "run", steps=2)
    checkpoint, config = (folder / "checkpoint.npz").read_bytes(), (folder / "config.json").read_text()

    def refused(message):
        with pytest.raises(ValueError, match=message) as caught:
            runs.load(folder)
        assert "\n" not in str(caught.value)

    (folder / "checkpoint.npz").write_bytes(checkpoint[: len(checkpoint) // 2])
    refused(r"checkpoint\.npz is not a whole checkpoint")
    np.savez(folder / "checkpoint.npz", weights=np.zeros(3))
    refused(r"checkpoint\.npz: not a training state: it has no 'adam'")
    (folder / "checkpoint.npz").unlink()
    refused(r"there is no .*checkpoint\.npz")
    (folder / "checkpoint.npz").write_bytes(checkpoint)
    for text, message in [
        (config[:40], r"config\.json cannot be read"),
        ("[1]", "is not a run's config"),
        ('{"model": "ddpm"}', "is not a run's config: it must have model, options, data, training"),
        (config.replace('"ddpm"', '"dppm"'), "no model 'dppm'; did you mean ddpm"),
        (config.replace('"hidden": 16', '"hidden": 24'), r"holds parameters \(\d+,\); the model .* has"),
        (config.replace('"hidden": 16', '"hiden": 16'), "model ddpm has no option 'hiden'"),
        (config.replace('"hidden": 16', '"hidden": "x"'), "is not a run's config"),
    ]:
        (folder / "config.json").write_text(text)
        refused(message)


def test_a_full_disk_while_training_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    folder = train(tmp_path / "run", steps=40)
    before = (folder / "checkpoint.npz").read_bytes()

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    states = runs.train(folder, MODEL, DATA, **{**OPTIONS, "shift": SHIFT, "scale": SCALE, "resume": True})
    monkeypatch.setattr(checkpoints.np, "savez", full)
    with pytest.raises(OSError, match=r"cannot write .*checkpoint\.npz: No space left on device; what stood"):
        list(states)
    assert (folder / "checkpoint.npz").read_bytes() == before
    monkeypatch.undo()
    assert runs.load(folder).state.step == 40


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot make .*file/run: Not a directory"):
        train(tmp_path / "file" / "run")


@pytest.mark.parametrize("option", ["steps", "every", "save_every", "batch"])
def test_an_option_out_of_range_is_named_before_a_folder_is_made(tmp_path, option):
    with pytest.raises(ValueError, match=f"{option} is 0"):
        train(tmp_path / "run", **{option: 0})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["metrics.csv", "checkpoint.npz"])
def test_a_file_of_another_origin_is_not_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=f"{name} is not of a run, and would be overwritten"):
        train(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == "mine"


def test_a_first_step_that_fails_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever NumPy says of points of the wrong dimension
        train(tmp_path / "run", data=np.zeros((5, 3)))
    with pytest.raises(FloatingPointError), np.errstate(all="ignore"):
        train(tmp_path / "run", data=np.full((5, 2), 3e38))
    assert not (tmp_path / "run").exists()


def test_the_thrown_away_step_leaves_no_trace(whole):
    """The first row is that of a training without it."""
    from refgen import training

    state = training.start(MODEL, runs.Stream(0, "train"), 2e-3)
    losses = [s.loss for s in training.fit(MODEL, DATA, state, 20, 32)]
    assert float(rows(whole)[0][1]) == pytest.approx(np.mean(losses), rel=1e-12)


@pytest.mark.parametrize("missing", ["config.json", "checkpoint.npz"])
def test_a_full_disk_at_the_start_leaves_nothing(tmp_path, monkeypatch, missing):
    whole_file = checkpoints.replace_file

    def full(path, write):
        if path.name == missing:
            raise OSError(28, "No space left on device")
        whole_file(path, write)

    monkeypatch.setattr(checkpoints, "replace_file", full)
    with pytest.raises(OSError, match="No space left"):
        train(tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.undo()
    train(tmp_path / "run", steps=2)


@pytest.mark.parametrize(
    ("part", "key", "value", "says"),
    [
        ("data", "name", None, "data.name is None; it must be text"),
        ("data", "shift", "x", "data.shift is 'x'; it must be numbers"),
        ("data", "scale", [1.0, "2"], r"data.scale is \[1.0, '2'\]; it must be numbers"),
        ("data", "scale", [1.0], "shift and scale are not 2 numbers"),
        ("training", "steps", 1.5, "training.steps is 1.5; it must be a whole number"),
        ("training", "lr", "fast", "training.lr is 'fast'; it must be a number"),
        ("options", None, [], r"options is \[\]; it must be a table"),
        ("data", None, {}, "data.name is None"),
        ("training", None, {}, "training.steps is None"),
        ("model", None, 3, "model is 3; it must be text"),
        ("versions", None, [], r"versions is \[\]; it must be a table"),
    ],
)
def test_a_config_with_a_part_of_another_kind(whole, tmp_path, part, key, value, says):
    for name in ("config.json", "checkpoint.npz", "metrics.csv"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    config = json.loads((whole / "config.json").read_text())
    if key:
        config[part][key] = value
    else:
        config[part] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=says) as caught:
        runs.load(tmp_path)
    assert "\n" not in str(caught.value)
