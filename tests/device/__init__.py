"""What the device tests share: the devices under test, the count of transfers, and equality with the host.

DOUBLE is the stand-in for CuPy that every machine has; DEVICES adds CuPy itself where there is a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from refgen import backend
from refgen.autodiff import register
from refgen.backend import Device, to_host
from tests.device import double
from tests.device.rounding import ROUNDING

__all__ = ["DEVICES", "DOUBLE", "IDS", "ROUNDING", "RTOL", "counting", "exact", "same"]

RTOL = 1e-4  # on a real GPU: its sums run in another order, and its exp and tanh round otherwise
FLOOR = {"float32": 1e-4, "float64": 1e-10}  # what rounding may leave there of numbers that cancel

register(double.DeviceArray, double.xp)
DOUBLE = Device("gpu", double.xp)
DEVICES, IDS = [DOUBLE], ["double"]
try:
    DEVICES.append(backend.device("gpu"))
    IDS.append("gpu")
except ValueError:  # no CuPy, or no GPU
    pass

# Of a test that asks the double for every bit of what a command or a run of training has made.
exact = pytest.mark.skipif(ROUNDING, reason="the double rounds otherwise")


class Count:
    """transfers: arrays moved between the double and the host, but for the blocks of random streams."""

    def __init__(self) -> None:
        self.transfers = self.blocks = 0


@contextmanager
def counting() -> Iterator[Count]:
    """Count what the code inside moves to and from the double (nothing can be counted on a real GPU).

    The count stands when the block has ended.
    """
    count, moved, before = Count(), backend._moved, _transfers()

    def counted(block: np.ndarray, device: Device) -> Any:
        count.blocks += device is DOUBLE
        return moved(block, device)

    backend._moved = counted
    try:
        yield count
    finally:
        backend._moved = moved
        count.transfers = _transfers() - before - count.blocks


def _transfers() -> int:
    return double.COUNT["to_host"] + double.COUNT["to_device"]


def same(host: Any, device: Any, rtol: float = RTOL, scale: float = 1.0) -> None:
    """Assert that the device gave what the host gave: shape, dtype, and every bit on the double, or within
    rtol of the largest number on a real GPU. Lists, tuples and dicts are compared entry by entry.

    A result that came home does not say where from: where there is a GPU, it may be off as the GPU's are.
    scale: the size of numbers that may cancel in the result, of which a GPU leaves FLOOR.
    """
    if isinstance(host, dict):
        assert host.keys() == device.keys()
        host, device = list(host.values()), [device[key] for key in host]
    if isinstance(host, list | tuple):
        assert len(host) == len(device), (len(host), len(device))
        for one, other in zip(host, device, strict=True):
            same(one, other, rtol, scale)
        return
    one, other = np.asarray(to_host(host)), np.asarray(to_host(device))
    assert (one.shape, one.dtype) == (other.shape, other.dtype), (
        one.shape,
        one.dtype,
        other.shape,
        other.dtype,
    )
    to_the_bit = not ROUNDING and (isinstance(device, double.DeviceArray) or len(DEVICES) == 1)
    if one.dtype.name in FLOOR and not to_the_bit:
        atol = rtol * float(np.max(np.abs(one[np.isfinite(one)]), initial=0))
        np.testing.assert_allclose(other, one, rtol=rtol, atol=max(atol, scale * FLOOR[one.dtype.name]))
    else:
        np.testing.assert_array_equal(other, one)
