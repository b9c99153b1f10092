"""Which arrays, and where random numbers come from.

All randomness in refgen is drawn from a `Stream` that was passed in: standard normals, uniforms and
integers only, drawn on the host, so that every device sees the same numbers.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

__all__ = ["Stream", "to_host"]


def to_host(array: Any) -> np.ndarray:
    """The array on the host, as NumPy (a CuPy array is copied; a NumPy array is returned as it is)."""
    return array.get() if hasattr(array, "get") else np.asarray(array)


class Stream:
    """A stream of random numbers with a seed, a state that can be saved, and named sub-streams.

    seed: an integer >= 0. path: names of the sub-stream, so that streams of one seed are independent.

    >>> Stream(0).normal(2, 3).shape
    (2, 3)
    """

    def __init__(self, seed: int, *path: str):
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"seed is {seed!r}; it must be an integer >= 0")
        self.seed, self.path = int(seed), path
        # Names become words of the seed sequence, so that adding a stream moves no other.
        words = [word for name in path for word in (len(name), *name.encode())]
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, *words])))

    def __repr__(self) -> str:
        return f"Stream({', '.join([str(self.seed), *map(repr, self.path)])})"

    def spawn(self, name: str) -> Stream:
        """An independent stream of the same seed, at its beginning."""
        return Stream(self.seed, *self.path, name)

    def normal(self, *shape: int, dtype: Any = np.float64) -> np.ndarray:
        """Standard normals of that shape, float64 or float32."""
        return self._generator.standard_normal(shape, dtype=dtype)

    def uniform(self, *shape: int, dtype: Any = np.float64) -> np.ndarray:
        """Uniform numbers in [0, 1) of that shape, float64 or float32."""
        return self._generator.random(shape, dtype=dtype)

    def integers(self, low: int, high: int, *shape: int) -> np.ndarray:
        """Integers in [low, high) of that shape, int64."""
        return self._generator.integers(low, high, shape)

    @property
    def state(self) -> str:
        """The state as text; `restore` continues to the same numbers, bit for bit."""
        return json.dumps(self._generator.bit_generator.state)

    def restore(self, state: str) -> None:
        """Go back to a state saved before. Raises ValueError where the text is no such state."""
        try:
            self._generator.bit_generator.state = json.loads(state)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"not the state of a random stream: {error}") from None
