"""Buffers that are used again.

A fresh array of a few hundred kilobytes costs more in page faults than the arithmetic that fills it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from refgen.autodiff import array_module

__all__ = ["borrow", "give_back"]

Array = Any

_KEPT = 16  # buffers of one shape that are kept; more than that are left to the garbage collector

_spare: dict[tuple, list[Array]] = defaultdict(list)


def borrow(shape: tuple[int, ...], like: Array) -> Array:
    """A buffer of that shape, with whatever was left in it, in the precision of `like` and where that is.

    list.pop is atomic, so threads may share this.
    """
    xp = array_module(like)
    try:
        return _spare[xp, shape, like.dtype].pop()
    except IndexError:
        return xp.empty(shape, like.dtype)


def give_back(buffer: Array) -> None:
    """Let the next `borrow` of this shape have the buffer. Nothing may use it any more."""
    kept = _spare[array_module(buffer), buffer.shape, buffer.dtype]
    if len(kept) < _KEPT:
        kept.append(buffer)
