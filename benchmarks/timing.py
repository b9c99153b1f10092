"""Side by side: functions timed in turns, so that a busy moment hits them all."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

__all__ = ["interleaved", "table"]


def interleaved(work: dict[str, Callable[[], object]], rounds: int = 30, warm: int = 3) -> dict[str, float]:
    """Median milliseconds of each function, called in turns."""
    seen: dict[str, list[float]] = {name: [] for name in work}
    for k in range(warm + rounds):
        for name, function in work.items():
            began = time.perf_counter()
            function()
            if k >= warm:
                seen[name].append(1e3 * (time.perf_counter() - began))
    return {name: median(times) for name, times in seen.items()}


def table(title: str, found: dict[str, float], ours: str) -> str:
    """An aligned table; the last column says how many times as long as ours each one takes."""
    lines = [title, f"  {'':<34}{'ms':>10}{'against ' + ours:>20}"]
    for name, value in found.items():
        lines.append(f"  {name:<34}{value:>10.3f}{value / found[ours]:>19.2f}x")
    return "\n".join(lines)
