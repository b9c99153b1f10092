"""What the device tests share: the devices under test, the count of transfers, and equality with the host.

DOUBLE is the stand-in for CuPy that every machine has; DEVICES adds CuPy itself where there is a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from refgen import backend
from refgen.autodiff import register
from refgen.backend import Device, to_host
from tests.device import double

__all__ = ["DEVICES", "DOUBLE", "IDS", "RTOL", "counting", "same"]

RTOL = 1e-4  # on a real GPU: its sums run in another order, and its exp and tanh round otherwise

register(double.DeviceArray, double.xp)
DOUBLE = Device("gpu", double.xp)
DEVICES, IDS = [DOUBLE], ["double"]
try:
    DEVICES.append(backend.device("gpu"))
    IDS.append("gpu")
except ValueError:  # no CuPy, or no GPU
    pass


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
        count.blocks += device is not backend.CPU
        return moved(block, device)

    backend._moved = counted
    try:
        yield count
    finally:
        backend._moved = moved
        count.transfers = _transfers() - before - count.blocks


def _transfers() -> int:
    return double.COUNT["to_host"] + double.COUNT["to_device"]


def same(host: Any, device: Any, rtol: float = RTOL) -> None:
    """Assert that the device gave what the host gave: shape, dtype, and every bit on the double, or within
    rtol of the largest number on a real GPU. Lists, tuples and dicts are compared entry by entry."""
    if isinstance(host, dict):
        assert host.keys() == device.keys()
        host, device = list(host.values()), [device[key] for key in host]
    if isinstance(host, list | tuple):
        assert len(host) == len(device), (len(host), len(device))
        for one, other in zip(host, device, strict=True):
            same(one, other, rtol)
        return
    one, other = np.asarray(to_host(host)), np.asarray(to_host(device))
    assert (one.shape, one.dtype) == (other.shape, other.dtype), (
        one.shape,
        one.dtype,
        other.shape,
        other.dtype,
    )
    if type(device).__module__.startswith("cupy") and one.dtype.kind in "fc":
        atol = rtol * float(np.max(np.abs(one[np.isfinite(one)]), initial=0))
        np.testing.assert_allclose(other, one, rtol=rtol, atol=atol)
    else:
        np.testing.assert_array_equal(other, one)
