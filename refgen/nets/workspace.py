"""Buffers that are used again, and the threads a network may use.

A fresh array of a few hundred kilobytes costs more in page faults than the arithmetic that fills it.
"""

from __future__ import annotations

import ctypes
import os
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from refgen.autodiff import array_module

__all__ = ["borrow", "give_back", "run_parts", "threads"]

Array = Any

_KEPT = 16  # buffers of one shape that are kept; more than that are left to the garbage collector

_spare: dict[tuple, list[Array]] = defaultdict(list)
_pool: list[ThreadPoolExecutor] = []


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
    away = _away()
    others = [_pool[0].submit(_within, away, work, *part) for part in parts[1:]]
    return [work(*parts[0]), *[other.result() for other in others]]


_sched_getcpu = getattr(ctypes.CDLL(None), "sched_getcpu", None) if os.name == "posix" else None


def _away() -> set[int]:
    """The processors that this thread may use but for the one that it is on; none where that is not known."""
    return os.sched_getaffinity(0) - {_sched_getcpu()} if _sched_getcpu else set()


def _within(processors: set[int], work: Callable[..., Any], *part: Any) -> Any:
    """Do the work on one of these processors.

    A scheduler may wake a thread where its waker runs and leave it there for the millisecond that it needs:
    the two then take turns, and two threads are slower than one.
    """
    if processors:
        with suppress(OSError):
            os.sched_setaffinity(0, processors)
    return work(*part)
