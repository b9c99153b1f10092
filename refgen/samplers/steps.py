"""What the samplers share: the walk down the levels, the noise of its steps, the times that are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from refgen.backend import Stream
from refgen.denoisers import Denoiser

__all__ = ["kept_times", "noises", "require_count", "require_levels", "walk"]

Array = Any

# Noise is drawn for so many numbers at once: enough that a call costs nothing, and little memory.
NOISE_BLOCK = 2**18


def noises(rng: Stream, like: Array, count: int) -> Iterator[Array]:
    """`count` draws of standard normal noise in the shape and precision of `like`, drawn in blocks."""
    if like.dtype.kind != "f":
        raise ValueError(f"x_T has dtype {like.dtype}; points that noise is added to must be floats")
    block = max(1, NOISE_BLOCK // max(1, like.size))
    for start in range(0, count, block):
        yield from rng.normal(min(block, count - start), *like.shape, dtype=like.dtype)


def kept_times(trajectory: dict[int, Array] | None, T: int) -> dict[int, Array]:
    """The dict itself, {} for None. Raises ValueError for a time that is none of 0, ..., T."""
    kept = {} if trajectory is None else trajectory
    for t in kept:
        if t not in range(T + 1):
            raise ValueError(f"trajectory asks for t = {t}; times lie in 0..{T}")
    return kept


def require_levels(levels: Any) -> None:
    """Raise ValueError unless there are levels 1..T: a process has them at every time, and no T."""
    if not (hasattr(levels, "T") and hasattr(levels, "level")):
        raise ValueError(f"levels is a {type(levels).__name__}; a Schedule, a Ladder or a Grid is needed")


def require_count(name: str, value: int) -> None:
    """Raise ValueError unless it is an integer >= 1."""
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {value!r}; it must be an integer >= 1")


def walk(
    denoiser: Denoiser,
    levels: Any,
    x_T: Array,
    trajectory: dict[int, Array] | None,
    step: Callable[[Array, int], Array],
) -> Array:
    """x_0, (n, d), from x_T, (n, d): step(x, k) takes x from level k to k - 1, k = T, ..., 2; then x_0(x_1).

    trajectory: a dict whose keys are the levels to keep; its values become x_k, or x_0 at 0. Raises
    ValueError for a kept level that is not there, and as `require_levels`.
    """
    require_levels(levels)
    kept, x = kept_times(trajectory, levels.T), x_T
    for k in range(levels.T, 0, -1):
        if k in kept:
            kept[k] = x
        x = step(x, k) if k > 1 else denoiser.x_0(x, *levels.level(1))
    if 0 in kept:
        kept[0] = x
    return x
