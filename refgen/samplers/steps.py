"""What the samplers share: the noise of their steps, drawn in blocks, and the times that are to be kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from refgen.backend import Stream

__all__ = ["kept_times", "noises"]

Array = Any

# Noise is drawn for so many numbers at once: enough that a call costs nothing, and little memory.
NOISE_BLOCK = 2**18


def noises(rng: Stream, like: Array, count: int) -> Iterator[Array]:
    """`count` draws of standard normal noise in the shape and precision of `like`, drawn in blocks."""
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
