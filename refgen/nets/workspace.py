"""Buffers that are used again, and the threads a network may use.

A fresh array of a few hundred kilobytes costs more in page faults than the arithmetic that fills it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

__all__ = ["borrow", "give_back", "run_parts", "threads"]

_KEPT = 16  # buffers of one shape that are kept; more than that are left to the garbage collector

_spare: dict[tuple, list[np.ndarray]] = defaultdict(list)
_pool: list[ThreadPoolExecutor] = []


def borrow(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """A buffer of that shape with whatever was left in it. list.pop is atomic, so threads may share this."""
    try:
        return _spare[shape, np.dtype(dtype)].pop()
    except IndexError:
        return np.empty(shape, dtype)


def give_back(buffer: np.ndarray) -> None:
    """Let the next `borrow` of this shape have the buffer. Nothing may use it any more."""
    kept = _spare[buffer.shape, buffer.dtype]
    if len(kept) < _KEPT:
        kept.append(buffer)


def threads() -> int:
    """How many threads a network may use: REFGEN_THREADS, by default 1. Two help where two cores are free."""
    text = os.environ.get("REFGEN_THREADS", "1")
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"REFGEN_THREADS is {text!r}; it must be an integer >= 1")
    return int(text)


def run_parts(work: Callable[..., Any], parts: list[tuple]) -> list[Any]:
    """[work(*part) for part in parts], each part on a thread of its own (NumPy releases the lock)."""
    if len(parts) == 1:
        return [work(*parts[0])]
    if not _pool:
        _pool.append(ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="refgen"))
    others = [_pool[0].submit(work, *part) for part in parts[1:]]
    return [work(*parts[0]), *[other.result() for other in others]]
