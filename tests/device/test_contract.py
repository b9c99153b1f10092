"""The double against CuPy itself, where that is installed; it needs no GPU.

A cupy.ndarray is laid over memory of the host: views, dispatch, signatures and refusals are then CuPy's own,
and only what wants the device fails, which is counted apart. With a GPU nothing fails so.
`pytest -rP tests/device/test_contract.py` prints the counts.
"""

from __future__ import annotations

import json
import sys
import types
from collections import Counter
from typing import Any

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.core import make_vjp

from refgen.autodiff import register
from tests.device import double
from tests.device.contract_calls import CALLS, KERNELS
from tests.device.snapshot import FILE, snapshot

cupy = pytest.importorskip("cupy")

DEVICE = "reached the device"
# Where the two must differ: CuPy answers with garbage, in silence, and the double speaks up.
ON_PURPOSE = {"view ndarray"}
SEEN: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def _cupy_without_a_driver():
    """CuPy's dispatch imports cupyx.scipy.special, which wants a driver; NumPy's error texts print arrays."""
    name, shown = "cupyx.scipy.special", cupy.ndarray.__repr__
    absent = name not in sys.modules and not cupy.cuda.is_available()
    if absent:
        sys.modules[name] = types.ModuleType(name)
        import cupyx.scipy

        cupyx.scipy.special = sys.modules[name]
    cupy.ndarray.__repr__ = lambda self: "<cupy array over the host's memory>"
    register(cupy.ndarray, cupy)
    yield
    cupy.ndarray.__repr__ = shown
    if absent:
        del sys.modules[name]
    print(dict(SEEN))


def on_cupy(shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    if cupy.cuda.is_available():
        return cupy.zeros(shape, dtype)
    buffer = np.zeros(max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize), np.uint8)
    memory = cupy.cuda.UnownedMemory(buffer.ctypes.data, buffer.size, buffer, device_id=0)
    return cupy.ndarray(shape, dtype, memptr=cupy.cuda.MemoryPointer(memory, 0))


def on_double(shape: tuple[int, ...], dtype: Any = np.float32) -> Any:
    return double.DeviceArray(np.zeros(shape, dtype))


def outcome(call: Any, array: Any, xp: Any) -> str:
    """What came of it, in words: the kind, shape and dtype of the result, or the type of the exception."""
    try:
        result = call(array, xp)
    except Exception as error:
        name = type(error).__name__
        return DEVICE if name in ("CUDARuntimeError", "CUDADriverError", "ImportError", "OSError") else name
    if isinstance(result, tuple | list) and result:
        result = result[-1]
    if isinstance(result, cupy.ndarray | double.DeviceArray):
        return f"array {result.shape} {result.dtype}"
    return f"{type(result).__name__} {result}"


@pytest.mark.parametrize("name", CALLS)
def test_the_double_does_as_cupy_does(name):
    ours, theirs = outcome(CALLS[name], on_double, double.xp), outcome(CALLS[name], on_cupy, cupy)
    kind = "at the device" if theirs == DEVICE else "differ on purpose" if name in ON_PURPOSE else "agree"
    SEEN[kind] += 1
    if (
        theirs == DEVICE
    ):  # there CuPy asks for the device before it looks at an operand, so a refusal is unseen
        assert name not in KERNELS or not ours.endswith("Error"), ours
    elif name in ON_PURPOSE:
        assert ours != theirs
    else:
        assert ours == theirs


def test_the_snapshot_is_that_of_this_cupy():
    kept, now = json.loads(FILE.read_text()), snapshot()
    assert kept == now, "re-make it: python -m tests.device.snapshot"


@pytest.mark.parametrize("name", ["exp", "sum", "reshape", "linalg.inv"])
def test_a_changed_snapshot_would_be_noticed(name):
    kept = json.loads(FILE.read_text())
    kept["functions"][name] += ", more="
    assert kept != snapshot()


def test_rules_of_autograd_run_on_a_real_cupy_array():
    _, value = make_vjp(lambda x: anp.reshape(x, (2, 6))[:, ::2], on_cupy((3, 4)))
    assert type(value) is cupy.ndarray and value.shape == (2, 3)
