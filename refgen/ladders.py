r"""Ladders of noise: levels of a variance-exploding process, x_t = x_0 + std_t eps.   [NCSN-1, NCSN-2]

The signal is 1 at every level. Every array has length T + 1 and index 0 is clean data, as in `schedules`; std
grows with t, and a sampler starts from N(0, std_T^2 I), which the data are lost in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from refgen.formulas import annealed, snr

__all__ = ["Ladder", "geometric"]


@dataclass(frozen=True, eq=False)
class Ladder:
    """Levels of noise. std: float64 (T + 1,), std[0] = 0, then rising. Read-only; ValueError for others."""

    std: np.ndarray

    def __post_init__(self) -> None:
        std = np.array(self.std, dtype=np.float64)
        if std.ndim != 1 or len(std) < 2 or std[0] != 0 or not np.all(np.isfinite(std)):
            raise ValueError(f"std has shape {std.shape}; it must be T + 1 >= 2 finite numbers, the first 0")
        if not annealed.levels_fall(std[:0:-1]):
            t = int(np.flatnonzero(~(np.diff(std) > 0))[0]) + 1
            raise ValueError(f"std[{t}] is {std[t]:g}, not above {std[t - 1]:g} before it; levels must rise")
        std.setflags(write=False)
        object.__setattr__(self, "std", std)

    @property
    def T(self) -> int:
        """The number of levels."""
        return len(self.std) - 1

    @cached_property
    def signal(self) -> np.ndarray:
        """What is left of x_0: ones, (T + 1,)."""
        ones = np.ones(self.T + 1)
        ones.setflags(write=False)
        return ones

    @cached_property
    def log_snr(self) -> np.ndarray:
        """-2 log std, (T + 1,), strictly falling; infinite at index 0.                      [SNR-1]"""
        with np.errstate(divide="ignore"):
            return snr.log_snr(self.signal, self.std)

    def level(self, t: int) -> tuple[float, float]:
        """(signal, std) of level t as Python floats, which leave float32 work in float32. 0 <= t <= T."""
        if not 0 <= t <= self.T:
            raise ValueError(f"t is {t}; it must lie in 0..{self.T}")
        return 1.0, float(self.std[t])

    def respaced(self, steps: int) -> Ladder:
        """The ladder of `steps` of these levels, evenly spaced, T among them. 1 <= steps <= T, else
        ValueError."""
        if not isinstance(steps, int | np.integer) or not 1 <= steps <= self.T:
            raise ValueError(f"steps is {steps!r}; it must be an integer in 1..{self.T}, its levels")
        kept = np.round(np.linspace(1, self.T, steps)).astype(int) if steps > 1 else np.array([self.T])
        return Ladder(self.std[np.concatenate([[0], kept])])


def geometric(T: int, largest: float, smallest: float) -> Ladder:
    """T levels at a constant ratio.                                                       [NCSN-1]

    T: >= 2. 0 < smallest < largest, in units of the data. Raises ValueError for anything else.
    """
    if isinstance(T, bool) or not isinstance(T, int | np.integer) or T < 2:
        raise ValueError(f"T is {T!r}; a ladder has two levels or more")
    if not 0 < smallest < largest < np.inf:
        raise ValueError(f"smallest is {smallest}, largest {largest}; 0 < smallest < largest is needed")
    falling = annealed.geometric_std(np.linspace(0, 1, T), float(largest), float(smallest))
    return Ladder(np.concatenate([[0.0], falling[::-1]]))
