"""Ctrl-C that waits until a step is whole, so that what is saved can be continued."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Interrupted", "held"]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during training, after the checkpoint was written. Its text says how to go on."""


@contextmanager
def held() -> Iterator[list]:
    """Hold Ctrl-C back until a step is whole: the list is then no longer empty. A second one acts at once."""
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return

    def hold(number: int, frame: Any) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    old = signal.signal(signal.SIGINT, hold)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, old)
