"""Which arrays, and where random numbers come from.

All randomness in refgen is drawn from a `Stream` that was passed in: standard normals, uniforms and
integers only. They are drawn on the host and moved, so that every device sees the same numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from refgen.autodiff import array_module, register

__all__ = ["CPU", "DEVICES", "Device", "Stream", "array_module", "device", "to_host"]

Array = Any

DEVICES = ("cpu", "gpu")
BLOCK = 2**18  # random numbers of one kind that are moved to a device at a time


class Device(NamedTuple):
    """Where arrays live: its name and the module that makes them, numpy or cupy."""

    name: str
    xp: Any


CPU = Device("cpu", np)


def device(name: str = "cpu") -> Device:
    """The device of that name, "cpu" or "gpu". Raises ValueError, one line that says why, where it is not
    there."""
    if name not in DEVICES:
        raise ValueError(f"device is {name!r}; it must be cpu or gpu")
    return CPU if name == "cpu" else _gpu()


@cache
def _gpu() -> Device:
    try:
        import cupy
    except ImportError as error:
        raise ValueError(
            f"device is 'gpu', but CuPy is not there ({error}); pip install 'refgen[gpu]'"
        ) from None
    try:
        count, why = cupy.cuda.runtime.getDeviceCount(), "no device"
    except Exception as error:  # CuPy raises a type of its own for each library that fails
        count, why = 0, str(error)
    if count < 1:
        raise ValueError(f"device is 'gpu', but CuPy {cupy.__version__} finds no GPU: {why}")
    register(cupy.ndarray, cupy)
    return Device("gpu", cupy)


def to_host(array: Any) -> np.ndarray:
    """The array on the host, as NumPy (a CuPy array is copied; a NumPy array is returned as it is)."""
    return array.get() if hasattr(array, "get") else np.asarray(array)


def _moved(block: np.ndarray, device: Device) -> Array:
    """A block of random numbers on a device: the one place where a stream moves anything."""
    return device.xp.asarray(block)


class Stream:
    """A stream of random numbers with a seed, a state that can be saved, and named sub-streams.

    seed: an integer >= 0. path: names of the sub-stream, so that streams of one seed are independent.
    device: where the numbers are wanted; they are the same on every device, since the host draws them and
    moves them in blocks. on_device: draw there instead, which is faster, but other numbers on every kind of
    GPU, and no state that could be saved.

    >>> Stream(0).normal(2, 3).shape
    (2, 3)
    """

    def __init__(self, seed: int, *path: str, device: Device = CPU, on_device: bool = False):
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"seed is {seed!r}; it must be an integer >= 0")
        if not isinstance(device, Device):
            raise ValueError(f"device is {device!r}; it must be a Device, such as backend.device('gpu')")
        self.seed, self.path, self.device = int(seed), path, device
        self._own = None
        if on_device and device is not CPU:
            self._own = device.xp.random.default_rng(int(self._sequence(path).generate_state(1)[0]))
        self._sources: dict[str, _Source] = {}

    def __repr__(self) -> str:
        return f"Stream({', '.join([str(self.seed), *map(repr, self.path)])})"

    @property
    def xp(self) -> Any:
        """The module that makes arrays where the numbers are wanted: numpy or cupy."""
        return self.device.xp

    def spawn(self, name: str) -> Stream:
        """An independent stream of the same seed, at its beginning."""
        return Stream(self.seed, *self.path, name, device=self.device, on_device=self._own is not None)

    def normal(self, *shape: int, dtype: Any = np.float64) -> Array:
        """Standard normals of that shape, float64 or float32."""
        if self._own is not None:
            return self._own.standard_normal(shape, dtype=dtype)
        kind = f"normal {np.dtype(dtype)}"
        return self._source(kind).draw(shape, lambda rng, size: rng.standard_normal(size, dtype=dtype))

    def uniform(self, *shape: int, dtype: Any = np.float64) -> Array:
        """Uniform numbers in [0, 1) of that shape, float64 or float32."""
        if self._own is not None:
            return self._own.random(shape, dtype=dtype)
        kind = f"uniform {np.dtype(dtype)}"
        return self._source(kind).draw(shape, lambda rng, size: rng.random(size, dtype=dtype))

    def integers(self, low: int, high: int, *shape: int) -> Array:
        """Integers in [low, high) of that shape, int64."""
        if self._own is not None:
            return self._own.integers(low, high, shape)
        return self._source(f"integers {low} {high}").draw(
            shape, lambda rng, size: rng.integers(low, high, size)
        )

    @property
    def state(self) -> str:
        """The state as text; `restore` continues to the same numbers, bit for bit, on any device.

        Raises ValueError where the device draws the numbers.
        """
        if self._own is not None:
            raise ValueError("a stream that draws on the device has no state that can be saved")
        return json.dumps({kind: source.state for kind, source in self._sources.items()})

    def restore(self, state: str) -> None:
        """Go back to a state saved before. Raises ValueError where the text is no such state."""
        try:
            sources = {kind: self._new_source(kind) for kind in json.loads(state)}
            for kind, saved in json.loads(state).items():
                sources[kind].restore(saved)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not the state of a random stream: {error}") from None
        self._sources = sources

    def _source(self, kind: str) -> _Source:
        if kind not in self._sources:
            self._sources[kind] = self._new_source(kind)
        return self._sources[kind]

    def _new_source(self, kind: str) -> _Source:
        return _Source(np.random.PCG64(self._sequence((*self.path, kind))), self.device)

    def _sequence(self, names: tuple[str, ...]) -> np.random.SeedSequence:
        # Names become words of the seed sequence, so that adding a stream moves no other.
        words = [word for name in names for word in (len(name), *name.encode())]
        return np.random.SeedSequence([self.seed, *words])


class _Source:
    """Numbers of one kind of a stream, from a generator of their own.

    So numbers that are drawn ahead, for a whole block that is moved to a device at once, are the numbers that
    would have been drawn one call at a time.
    """

    def __init__(self, bits: np.random.PCG64, device: Device):
        self.generator, self.device = np.random.Generator(bits), device
        self.block: Array = None  # what was moved, flat
        self.used = 0
        self.before: Any = None  # the generator's state before the block

    @property
    def state(self) -> dict[str, Any]:
        bits = self.generator.bit_generator.state if self.block is None else self.before
        return {"bits": bits, "used": self.used}

    def restore(self, saved: dict[str, Any]) -> None:
        self.generator.bit_generator.state, self.used = saved["bits"], int(saved["used"])
        if self.used < 0:
            raise ValueError(f"{self.used} numbers cannot have been used")
        self.block = None

    def draw(self, shape: tuple[int, ...], draw: Callable[[np.random.Generator, Any], np.ndarray]) -> Array:
        if self.used and self.block is None:  # restored: what was used of the block is passed over
            draw(self.generator, self.used)
            self.used = 0
        if self.device is CPU:
            return draw(self.generator, shape)
        size, pieces = math.prod(shape), list[Array]()
        while size > 0 or not pieces:
            if self.block is None or self.used == len(self.block):
                self.before = self.generator.bit_generator.state
                self.block = _moved(draw(self.generator, max(size, BLOCK)), self.device)
                self.used = 0
            pieces.append(self.block[self.used : self.used + size])
            self.used += len(pieces[-1])
            size -= len(pieces[-1])
        # A piece is handed out once: its owner may write to it.
        joined = pieces[0] if len(pieces) == 1 else self.device.xp.concatenate(pieces)
        return joined.reshape(shape)
