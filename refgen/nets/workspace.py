"""Buffers that are used again, and the threads a network may use.

A fresh array of a few hundred kilobytes costs more in page faults than the arithmetic that fills it.
"""

from __future__ import annotations

import ctypes
import os
import threading
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
_workers: list[tuple[ThreadPoolExecutor, int]] = []  # one thread each, and its number


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
    while len(_workers) < len(parts) - 1:
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="refgen")
        _workers.append((pool, pool.submit(threading.get_native_id).result()))
    others = []
    for part, (pool, thread) in zip(parts[1:], _workers, strict=False):
        _keep_away(thread)
        others.append(pool.submit(work, *part))
    return [work(*parts[0]), *[other.result() for other in others]]


_sched_getcpu = getattr(ctypes.CDLL(None), "sched_getcpu", None) if os.name == "posix" else None


def _keep_away(thread: int) -> None:
    """Let a thread that sleeps wake up on any processor but the one that runs this.

    A scheduler may wake a thread where its waker runs and leave it there for the millisecond that it needs:
    the two then take turns, and two threads are slower than one.
    """
    processors = os.sched_getaffinity(0) - {_sched_getcpu()} if _sched_getcpu else set()
    if processors:
        with suppress(OSError):
            os.sched_setaffinity(thread, processors)
