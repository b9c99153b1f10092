"""Side by side: functions timed in turns, so that a busy moment hits them all; and how cost grows."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

__all__ = ["Timed", "agree", "grid", "interleaved", "markdown", "say", "slope"]


class Timed(NamedTuple):
    """Median milliseconds for a unit of work, and the median ratio to the first function's in its round."""

    ms: float
    ratio: float

    def __str__(self) -> str:
        digits = max(0, 2 - math.floor(math.log10(self.ms))) if self.ms < 1000 else 0
        return f"{self.ms:.{min(digits, 4)}f} ({self.ratio:.2f})"


def interleaved(
    work: dict[str, Callable[[], object]], rounds: int, warm: int = 1, units: int = 1
) -> dict[str, Timed]:
    """Each function called in turns. units: how many units of work one call of each does.

    A ratio is taken within a round and its median over the rounds, so a slow spell cancels out of it.
    """
    seen: dict[str, list[float]] = {name: [] for name in work}
    for k in range(warm + rounds):
        for name, function in work.items():
            began = time.perf_counter()
            function()
            if k >= warm:
                seen[name].append(1e3 * (time.perf_counter() - began) / units)
    ours = next(iter(seen.values()))
    return {
        name: Timed(median(times), median(a / b for a, b in zip(times, ours, strict=True)))
        for name, times in seen.items()
    }


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The least-squares slope of log cost against log size: 1 where cost is proportional to size."""
    x, y = ([math.log(value) for value in values] for values in (sizes, costs))
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum(
        (a - mean_x) ** 2 for a in x
    )


def markdown(header: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def grid(corner: str, columns: dict[str, dict[str, Timed]]) -> str:
    """A Markdown table of who (rows) does what (columns): milliseconds, and in brackets the ratio."""
    names = list(dict.fromkeys(name for found in columns.values() for name in found))
    rows = [[name, *(found.get(name, "-") for found in columns.values())] for name in names]
    return markdown([corner, *columns], rows)


def agree(ours: object, theirs: object, what: str, tolerance: float = 1e-3) -> None:
    """Stop where two sides do not compute the same thing: the largest difference, relative to the largest
    number, is above the tolerance."""
    import numpy as np

    a, b = (np.asarray(side, dtype=np.float64) for side in (ours, theirs))
    error = np.abs(a - b).max() / np.abs(a).max() if a.shape == b.shape else math.inf
    if not error <= tolerance:
        sys.exit(f"{what}: the two sides differ by {error:.2g} of the largest number; nothing was timed")


def say(text: str) -> None:
    """Progress, on stderr."""
    print(f"  {text}", file=sys.stderr, flush=True)
