r"""A process through the levels of a discrete chain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy.interpolate import PchipInterpolator

from refgen.formulas import process, snr
from refgen.formulas.elementary import sqrt
from refgen.ladders import Ladder
from refgen.processes.base import Process
from refgen.schedules import Schedule

__all__ = ["Through", "through"]

Array = Any


@dataclass(frozen=True, eq=False)
class Through(Process):
    """The process whose level at time k / T is level k of a Schedule or a Ladder; see `through`."""

    levels: Schedule | Ladder
    name: ClassVar[str] = "through"
    t_max: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.levels, Schedule | Ladder):
            raise ValueError(f"levels is a {type(self.levels).__name__}; it must be a Schedule or a Ladder")
        if self.levels.T < 2:
            raise ValueError("levels has one level; a process goes through two or more")
        _ = self._line

    @property
    def earliest(self) -> float:  # type: ignore[override]
        """1 / T: a discrete chain says nothing of what is between its first level and the data."""
        return 1 / self.levels.T

    @property
    def t_min(self) -> float:  # type: ignore[override]
        """The time of the first level."""
        return self.earliest

    @cached_property
    def _line(self) -> PchipInterpolator:
        T = self.levels.T
        return PchipInterpolator(np.arange(1, T + 1) / T, self.levels.log_snr[1:], extrapolate=False)

    @cached_property
    def _slope(self) -> PchipInterpolator:
        return self._line.derivative()

    @property
    def _of_unit_power(self) -> bool:
        return isinstance(self.levels, Schedule)

    def _log_snr(self, t: Array) -> Array:
        return self._line(t)

    def _signal(self, t: Array) -> Array:
        if not self._of_unit_power:
            return np.ones_like(t)
        return sqrt(snr.alpha_bar_from_log_snr(self._line(t)))

    def _std(self, t: Array) -> Array:
        if not self._of_unit_power:
            return np.exp(-0.5 * self._line(t))
        return sqrt(snr.one_minus_alpha_bar_from_log_snr(self._line(t)))

    def _drift(self, t: Array) -> Array:
        if not self._of_unit_power:
            return np.zeros_like(t)
        return process.unit_power_drift(self._std(t), self._slope(t))

    def _diffusion_var(self, t: Array) -> Array:
        return process.log_snr_diffusion_var(self._std(t), self._slope(t))

    def _time(self, log_snr: Array) -> Array:
        """By bisection: the line falls."""
        low, high = np.full_like(log_snr, self.earliest), np.ones_like(log_snr)
        for _ in range(60):
            middle = 0.5 * (low + high)
            above = self._line(middle) > log_snr
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        found = 0.5 * (low + high)
        ends = self.levels.log_snr[[1, -1]]
        return np.where((log_snr > ends[0] + 1e-9) | (log_snr < ends[1] - 1e-9), np.nan, found)


def through(levels: Schedule | Ladder) -> Through:
    """The process through given levels: their log-SNR joined by a monotone cubic, time k / T at level k.

    The power is that of the levels: 1 for a Schedule, a signal of 1 for a Ladder. Times lie in [1 / T, 1].
    Raises ValueError for a single level.
    """
    return Through(levels)
