"""refgen's own threads: work is shared between them where it is large, since NumPy releases Python's lock."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

__all__ = ["run_parts", "share", "threads"]

_workers: list[tuple[ThreadPoolExecutor, int]] = []  # one thread each, and its number


def threads() -> int:
    """How many threads may share work: REFGEN_THREADS, by default 1. Two help where two cores are free."""
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


def share(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """[work(item) for item in items], the items dealt out in turns to `threads()` threads."""
    count = min(threads(), len(items))
    if count < 2:
        return [work(item) for item in items]
    dealt = run_parts(lambda k: [work(item) for item in items[k::count]], [(k,) for k in range(count)])
    return [dealt[i % count][i // count] for i in range(len(items))]


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
