"""A run finds its data from any folder, and notices when they are no longer the same."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from refgen.cli import main
from refgen.commands import data

SMALL = ("--steps", 3, "--batch", 8, "--t", 5, "--hidden", 8)


def call(*args, status=0):
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == status, (result.output, result.stderr, result.exception)
    return result


def complaint(*args):
    result = call(*args, status=2)
    assert result.stderr.startswith("refgen: error: ") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def write(path, seed=0):
    path.parent.mkdir(exist_ok=True)
    points = np.random.default_rng(seed).normal([5.0, -3.0], [2.0, 0.1], (40, 2))
    np.savetxt(path, points, delimiter=",")
    return path


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A run on here/p.csv, trained in the folder here, which holds it."""
    write(tmp_path / "here" / "p.csv")
    monkeypatch.chdir(tmp_path / "here")
    call("train", "ddpm", "--data", "p.csv", "--out", tmp_path / "run", *SMALL)
    return tmp_path / "run"


def test_a_run_knows_its_file_from_every_folder(trained, tmp_path, monkeypatch):
    config = json.loads((trained / "config.json").read_text())["data"]
    assert config["name"] == str(tmp_path / "here" / "p.csv")
    write(tmp_path / "there" / "p.csv", seed=1)  # other points under the same relative path
    first = json.loads(call("evaluate", trained, "--n", 50, "--json").stdout)
    monkeypatch.chdir(tmp_path / "there")
    again = json.loads(call("evaluate", trained, "--n", 50, "--json").stdout)
    assert again == first | {"seconds": again["seconds"]}  # of the clock


USES = [
    ("evaluate", "--n", 50), ("plot",), ("plot", "samples", "loss"), ("animate",), ("sample", "--exact"),
]  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_an_edited_file_is_noticed(trained, tmp_path, use):
    write(tmp_path / "here" / "p.csv", seed=1)
    text = complaint(use[0], trained, *use[1:])
    assert f"the data in {tmp_path / 'here' / 'p.csv'} have changed since the run was trained: " in text
    text = complaint("train", "ddpm", "--out", trained, "--resume", "--steps", 5)
    assert "have changed since the run was trained: " in text


def test_a_reordered_or_rounded_file_is_another_file(trained, tmp_path):
    path = tmp_path / "here" / "p.csv"
    path.write_text("\n".join(reversed(path.read_text().splitlines())))
    assert "SHA-256" in complaint("evaluate", trained, "--n", 50)


@pytest.mark.parametrize("use", USES)
def test_a_file_that_is_gone_is_missed_where_it_is_needed(trained, tmp_path, use):
    (tmp_path / "here" / "p.csv").unlink()
    text = complaint(use[0], trained, *use[1:])
    assert f"{trained} was trained on are needed: {tmp_path / 'here' / 'p.csv'}: no such file" in text


def test_samples_and_the_loss_need_no_data(trained, tmp_path):
    before = call("sample", trained, "--n", 5, "--out", tmp_path / "a.npy")
    (tmp_path / "here" / "p.csv").unlink()
    call("sample", trained, "--n", 5, "--out", tmp_path / "b.npy")
    assert before and np.array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    assert call("plot", trained, "loss").stdout.endswith("loss.png\n")


def test_samples_with_a_variance_from_data_need_them(trained, tmp_path):
    path, folder = tmp_path / "here" / "p.csv", tmp_path / "optimal"
    call("train", "ddpm", "--data", path, "--out", folder, "--variance", "optimal", *SMALL)
    call("sample", folder, "--n", 5)
    path.unlink()
    assert "are needed" in complaint("sample", folder, "--n", 5)


def test_a_moved_file_is_told_by_resuming(trained, tmp_path):
    moved = tmp_path / "moved.csv"
    (tmp_path / "here" / "p.csv").rename(moved)
    call("train", "ddpm", "--out", trained, "--resume", "--data", moved)
    call("evaluate", trained, "--n", 50)
    assert "SHA-256" in complaint(
        "train", "ddpm", "--out", trained, "--resume", "--data", write(tmp_path / "q.csv", 2)
    )


def test_a_named_data_set_of_another_shape_is_noticed():
    moons = data.data_of("moons")
    assert moons.name == "moons" and moons.sha256 is None
    config = {"data": {"name": "moons", "shift": moons.shift.tolist(), "scale": moons.scale.tolist()}}
    data.check_unchanged(moons, config)
    config["data"]["scale"][1] *= 1.001
    with pytest.raises(ValueError, match=r"the data in moons have changed .* their scale was"):
        data.check_unchanged(moons, config)
