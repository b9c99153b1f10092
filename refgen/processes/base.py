r"""What a noise process offers, and grids of levels on it.                               [SDE-1]

x_t = signal(t) x_0 + std(t) eps is the law of dx = f(t) x dt + g(t) dw.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from refgen.formulas import process, snr

__all__ = ["SPACINGS", "Grid", "Process"]

Array = Any

SPACINGS = ("log_snr", "time", "edm")


class Process(ABC):
    """Noise in continuous time. Every method takes a time, a Python float, and returns one; or an array of
    times, and returns float64 of its shape. ValueError for times outside [earliest, latest].

    t_min: how near to the data samplers usually go, > 0. t_max: where they start.
    """

    name: ClassVar[str]
    earliest: ClassVar[float] = 0.0
    latest: ClassVar[float] = 1.0
    t_min: ClassVar[float]
    t_max: ClassVar[float]

    @abstractmethod
    def _signal(self, t: Array) -> Array: ...

    @abstractmethod
    def _std(self, t: Array) -> Array: ...

    @abstractmethod
    def _drift(self, t: Array) -> Array: ...

    @abstractmethod
    def _diffusion_var(self, t: Array) -> Array: ...

    @abstractmethod
    def _time(self, log_snr: Array) -> Array: ...

    def _log_snr(self, t: Array) -> Array:
        return snr.log_snr(self._signal(t), self._std(t))

    def signal(self, t: Array) -> Array:
        """How much of x_0 is in x_t."""
        return self._at(t, self._signal)

    def std(self, t: Array) -> Array:
        """How much noise is in x_t."""
        return self._at(t, self._std)

    def log_snr(self, t: Array) -> Array:
        """2 log(signal / std), strictly falling.                                         [SNR-1]"""
        return self._at(t, self._log_snr)

    def drift(self, t: Array) -> Array:
        """f, of the drift f x: signal' / signal."""
        return self._at(t, self._drift)

    def diffusion_var(self, t: Array) -> Array:
        """g^2, the variance of noise that is added a time: (std^2)' - 2 f std^2."""
        return self._at(t, self._diffusion_var)

    def level(self, t: float) -> tuple[float, float]:
        """(signal, std) at a time, as Python floats, which leave float32 work in float32."""
        return float(self.signal(t)), float(self.std(t))

    def time(self, log_snr: Array) -> Array:
        """The time at which the log-SNR is that. ValueError where it never is."""
        with np.errstate(over="ignore", invalid="ignore"):
            t = np.asarray(self._time(np.asarray(log_snr, dtype=np.float64)))
        latest = min(self.latest, float(np.finfo(float).max))
        inside = np.clip(t, self.earliest, latest)
        if not np.all(np.abs(t - inside) <= 1e-9):
            raise ValueError(
                f"log_snr is {_shown(log_snr)}; that of {self.name} lies in "
                f"{self.log_snr(latest):.4g} to {self.log_snr(self.earliest):.4g}"
            )
        return _like(log_snr, inside)

    def _at(self, t: Array, formula: Callable[[Array], Array]) -> Array:
        given = np.asarray(t, dtype=np.float64)
        # t + dt need not round to the end that it is.
        if not np.all((given >= self.earliest - 1e-12) & (given <= self.latest + 1e-12)):
            raise ValueError(
                f"t is {_shown(t)}; a time of {self.name} lies in {self.earliest:g}..{self.latest:g}"
            )
        with np.errstate(divide="ignore"):
            return _like(t, np.asarray(formula(np.clip(given, self.earliest, self.latest))))

    def grid(
        self, steps: int, spacing: str = "log_snr", first: float | None = None, last: float | None = None
    ) -> Grid:
        """`steps` levels above clean data, at the times first..last (t_min, t_max); one level is the last.

        spacing: "log_snr", "time" (even in these), or "edm" (even in the seventh root of std / signal, Karras
        et al. 2022). steps: >= 1. Raises ValueError for another, or unless 0 < first < last.
        """
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
            raise ValueError(f"steps is {steps!r}; it must be an integer >= 1")
        if spacing not in SPACINGS:
            raise ValueError(f"spacing is {spacing!r}; it must be one of {', '.join(SPACINGS)}")
        first = self.t_min if first is None else float(first)
        last = self.t_max if last is None else float(last)
        if not 0 < first < last:
            raise ValueError(f"first is {first}, last {last}; 0 < first < last is needed")
        high, low = self.log_snr(first), self.log_snr(last)
        if steps == 1 or not math.isfinite(high - low):
            return Grid(self, np.array([0.0, last]))
        rising = np.arange(steps) / (steps - 1)
        if spacing == "time":
            times = (1 - rising) * first + rising * last
        else:
            if spacing == "log_snr":
                levels = (1 - rising) * high + rising * low
            else:
                levels = -2 * np.log(process.karras_std(1 - rising, math.exp(-low / 2), math.exp(-high / 2)))
            times = np.concatenate([[first], self.time(levels[1:-1]), [last]])
        times[0], times[-1] = first, last
        return Grid(self, np.concatenate([[0.0], times]))


@dataclass(frozen=True, eq=False)
class Grid:
    """T levels of a process, and clean data at index 0.

    times: float64 (T + 1,), times[0] = 0 for clean data, then rising. Read-only. Raises ValueError for
    others, and for a time at which no signal or no noise is left.
    """

    process: Process
    times: np.ndarray

    def __post_init__(self) -> None:
        times = np.array(self.times, dtype=np.float64)
        if times.ndim != 1 or len(times) < 2 or times[0] != 0:
            raise ValueError(f"times has shape {times.shape}; it must be T + 1 >= 2 numbers, the first 0")
        for k in np.flatnonzero(~(np.diff(times) > 0))[:1] + 1:
            raise ValueError(
                f"times[{k}] is {times[k]:g}, not above {times[k - 1]:g} before it; they must rise"
            )
        times.setflags(write=False)
        object.__setattr__(self, "times", times)
        for k in np.flatnonzero(~np.isfinite(self.log_snr[1:]))[:1] + 1:
            raise ValueError(
                f"times[{k}] is {times[k]:g}; the log-SNR of {self.process.name} has no end there"
            )

    @property
    def T(self) -> int:
        """The number of levels above clean data."""
        return len(self.times) - 1

    @cached_property
    def signal(self) -> np.ndarray:
        """What is left of x_0, (T + 1,); 1 at index 0."""
        return _frozen(np.concatenate([[1.0], self.process.signal(self.times[1:])]))

    @cached_property
    def std(self) -> np.ndarray:
        """The noise, (T + 1,); 0 at index 0."""
        return _frozen(np.concatenate([[0.0], self.process.std(self.times[1:])]))

    @cached_property
    def log_snr(self) -> np.ndarray:
        """2 log(signal / std), (T + 1,), strictly falling; infinite at index 0.          [SNR-1]"""
        return _frozen(np.concatenate([[np.inf], self.process.log_snr(self.times[1:])]))

    def level(self, k: int) -> tuple[float, float]:
        """(signal, std) of level k as Python floats, which leave float32 work in float32. 0 <= k <= T."""
        self._require(k)
        return float(self.signal[k]), float(self.std[k])

    def time(self, k: int) -> float:
        """The time of level k. 0 <= k <= T."""
        self._require(k)
        return float(self.times[k])

    def respaced(self, steps: int) -> Grid:
        """The grid of `steps` of these levels, evenly spaced, T among them. 1 <= steps <= T, else
        ValueError."""
        if not isinstance(steps, int | np.integer) or not 1 <= steps <= self.T:
            raise ValueError(f"steps is {steps!r}; it must be an integer in 1..{self.T}, its levels")
        kept = np.round(np.linspace(1, self.T, steps)).astype(int) if steps > 1 else np.array([self.T])
        return Grid(self.process, self.times[np.concatenate([[0], kept])])

    def _require(self, k: int) -> None:
        if not 0 <= k <= self.T:
            raise ValueError(f"level {k} is asked for; it must lie in 0..{self.T}")


def _like(t: Array, value: np.ndarray) -> Array:
    """A Python float for a number, an array for an array."""
    return float(value) if np.ndim(t) == 0 else value


def _shown(values: Array) -> str:
    """A number, or the range of many."""
    low, high = np.min(values), np.max(values)
    return f"{low:g}" if np.ndim(values) == 0 or low == high else f"{low:g} to {high:g}"


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
