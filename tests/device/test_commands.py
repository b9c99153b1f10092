"""--device gpu on the commands that compute, with the double in the GPU's place; and without any."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from refgen import backend, distributions, models, runs
from refgen.cli import main
from tests.device import DOUBLE, counting, double, exact

TRAIN = ["train", "ddpm", "--data", "moons", "--hidden", "16", "--layers", "2", "--t", "20", "--cool", "0"]


def call(*arguments, status=0):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(backend, "_gpu", lambda: DOUBLE)


@pytest.fixture
def no_gpu(monkeypatch):
    def missing():
        raise ValueError("device is 'gpu', but there is none")

    monkeypatch.setattr(backend, "_gpu", missing)


@exact
def test_train_sample_evaluate_on_the_device_give_the_hosts_numbers(gpu, tmp_path):
    found = {}
    for device in ("cpu", "gpu"):
        folder, calls = tmp_path / device, double.COUNT["calls"]
        call(*TRAIN, "--out", folder, "--steps", 30, "--device", device)
        call("sample", folder, "--n", 50, "--out", folder / "x.npy", "--device", device)
        report = call("evaluate", folder, "--n", 60, "--json", "--device", device)
        assert (double.COUNT["calls"] > calls) == (device == "gpu")
        found[device] = np.load(folder / "x.npy"), json.loads(report.stdout), runs.load(folder)
    (x, report, run), (on_gpu, report_gpu, run_gpu) = found["cpu"], found["gpu"]
    assert np.array_equal(x, on_gpu)
    assert np.array_equal(run.params, run_gpu.params)
    assert report.pop("seconds") > 0 and report_gpu.pop("seconds") > 0  # of the clock
    assert report == report_gpu
    assert run.config["device"] == {"name": "cpu"} and run_gpu.config["device"] == {"name": "gpu"}
    assert (tmp_path / "cpu/metrics.csv").read_text().count("\n") == 2


@exact
def test_a_run_resumes_on_its_device_and_on_another_with_a_warning(gpu, tmp_path):
    straight, folder = tmp_path / "straight", tmp_path / "run"
    call(*TRAIN, "--out", straight, "--steps", 12)
    call(*TRAIN, "--out", folder, "--steps", 5, "--device", "gpu")
    calls = double.COUNT["calls"]
    result = call("train", "ddpm", "--out", folder, "--resume", "--steps", 8)
    assert "warning" not in result.output and double.COUNT["calls"] > calls
    result = call("train", "ddpm", "--out", folder, "--resume", "--steps", 12, "--device", "cpu")
    assert "was begun under device name gpu, not cpu" in result.output
    assert np.array_equal(runs.load(straight).params, runs.load(folder).params)


def test_a_run_without_a_row_due_moves_nothing_but_random_numbers(gpu, tmp_path):
    model = models.named("ddpm", hidden=16, layers=2, T=20)
    law = distributions.named("ring").standardised()[0]
    for name, steps in [("short", 2), ("long", 40)]:
        with counting() as count:
            for _ in runs.train(tmp_path / name, model, law, steps=steps, every=steps, device=DOUBLE):
                pass
        if name == "short":
            first = count.transfers
    assert 0 < count.transfers <= first  # as the first run, which also filled the caches


@pytest.mark.parametrize("command", ["train", "sample", "evaluate", "verify"])
def test_no_gpu_is_one_line_and_status_2_and_leaves_nothing(no_gpu, tmp_path, command):
    folder = tmp_path / "run"
    if command in ("sample", "evaluate"):
        call(*TRAIN, "--out", folder, "--steps", 2)
    arguments = {
        "train": [*TRAIN, "--out", folder, "--steps", 2],
        "sample": ["sample", folder, "--out", tmp_path / "x.csv"],
        "evaluate": ["evaluate", folder],
        "verify": ["verify", "GAU-4"],
    }[command]
    result = call(*arguments, "--device", "gpu", status=2)
    assert result.stderr.strip() == "refgen: error: device is 'gpu', but there is none"
    assert result.stdout == ""
    assert folder.exists() == (command in ("sample", "evaluate")) and not (tmp_path / "x.csv").exists()


def test_another_device_is_refused_by_name():
    assert "'tpu' is not one of 'cpu', 'gpu'" in call("verify", "--device", "tpu", status=2).stderr
