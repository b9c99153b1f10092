"""What a bug report says: true of this machine, and clear where there is no GPU."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from refgen import backend, machine
from refgen.backend import CPU, Device


def test_the_report_is_plain_and_says_what_is_here():
    report = machine.report()
    assert json.loads(json.dumps(report)) == report
    assert report["packages"]["numpy"] == np.__version__
    for name in ("autograd", "scipy", "matplotlib", "click", "hypothesis", "threadpoolctl"):
        assert report["packages"][name][0].isdigit()
    assert report["system"]["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")


def test_blas_threads_are_those_in_force_not_those_asked_for():
    with threadpool_limits(1, user_api="blas"):
        assert machine.blas()["threads"] == "1"
    with threadpool_limits(2, user_api="blas"):
        report = machine.report()
    assert report["blas"]["threads"] == "2"
    assert any("OPENBLAS_NUM_THREADS=1" in line for line in machine.report_lines(report))


def test_settings_that_matter_are_shown(monkeypatch):
    monkeypatch.setenv("REFGEN_THREADS", "3")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    text = "\n".join(machine.report_lines(machine.report()))
    assert "REFGEN_THREADS" in text and "OPENBLAS_CORETYPE" in text
    assert machine.blas()["refgen's threads"] == "3"
    assert "refgen" in text and max(map(len, text.splitlines())) < 200


def test_a_clone_that_was_not_installed(monkeypatch):
    def missing(name):
        raise machine.PackageNotFoundError(name)

    here = machine.report()["packages"]
    monkeypatch.setattr(machine, "requires", missing)
    assert machine.report()["packages"] == here


def test_no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    backend._gpu.cache_clear()
    found = machine.gpu()
    assert found["device"] == "none" and "pip install 'refgen[gpu]'" in found["why"]


class _Runtime:
    def __init__(self, count: int):
        self.count = count

    def getDeviceCount(self) -> int:
        return self.count

    def getDeviceProperties(self, k: int) -> dict:
        return {"name": b"Some GPU", "totalGlobalMem": 80 * 2**30}

    def driverGetVersion(self) -> int:
        return 12080

    def runtimeGetVersion(self) -> int:
        return 12060


@pytest.mark.parametrize("count", [0, 2])
def test_cupy_with_and_without_a_gpu(monkeypatch, count):
    class ndarray:
        pass

    cupy = SimpleNamespace(
        __version__="14.2.0", cuda=SimpleNamespace(runtime=_Runtime(count)), ndarray=ndarray
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    backend._gpu.cache_clear()
    found = machine.gpu()
    backend._gpu.cache_clear()
    assert found["cupy"] == "14.2.0"
    if count:
        assert found["device"] == "Some GPU, 80 GiB; Some GPU, 80 GiB"
        assert found["CUDA driver"] == "12.8" and found["CUDA runtime"] == "12.6"
        assert machine.device_name(Device("gpu", cupy)) == "gpu Some GPU"
    else:
        assert found["device"] == "none" and "finds no GPU: no device" in found["why"]


def test_the_host_is_called_cpu():
    assert machine.device_name(CPU) == "cpu"


def test_a_setting_that_the_other_commands_refuse_is_noted(monkeypatch):
    monkeypatch.setenv("REFGEN_THREADS", "abc")
    assert "REFGEN_THREADS is 'abc'; it must be an integer >= 1" in machine.report()["notes"]
