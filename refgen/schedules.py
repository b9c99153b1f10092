r"""Noise schedules: how much of the data is left at each of T levels.

x_t = signal_t x_0 + std_t eps. A schedule is a list of step variances beta_1..beta_T; all else follows. Every
array has length T + 1 and index 0 is clean data, so alpha_bar[0] == 1 and s = t - 1 always exists.
"""

from __future__ import annotations

import difflib
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from refgen.formulas import elbo, forward, snr

__all__ = [
    "NAMES",
    "Schedule",
    "cosine",
    "from_beta",
    "from_log_snr",
    "linear",
    "named",
    "quadratic",
    "sigmoid",
]

# A sampler starts from N(0, I), so x_T should be almost that: at most this KL, in nats per coordinate.
TERMINAL_KL_LIMIT = 0.01
# One step never removes more of the data than this, as in the cosine schedule's paper.
MAX_BETA = 0.999


@dataclass(frozen=True, eq=False)
class Schedule:
    r"""A discrete noise schedule; use a constructor of this module.

    name: what it is called. beta: float64 (T + 1,), beta[0] = 0 and the others in (0, 1): the variance of
    each forward step. log_alpha: log(1 - beta), only where beta is too close to one to hold it.

    Every array is read-only. 1 - alpha_bar has full relative accuracy at every t (it is formed by expm1 from
    a sum of logarithms). Raises ValueError where beta is no list of variances; warns (UserWarning)
    where so much signal is left at T that a sampler cannot start from N(0, I).
    """

    name: str
    beta: np.ndarray
    log_alpha: np.ndarray = None  # type: ignore[assignment]  # filled in where it is not given

    def __post_init__(self) -> None:
        beta = np.array(self.beta, dtype=np.float64)
        if beta.ndim != 1 or len(beta) < 2 or beta[0] != 0:
            shown = beta.shape if beta.ndim != 1 or len(beta) < 2 else f"{beta[:3].tolist()}..."
            raise ValueError(f"beta is {shown}; it must be a list of T + 1 >= 2 numbers, the first of them 0")
        if self.log_alpha is None:
            for t in np.flatnonzero(~((beta[1:] > 0) & (beta[1:] < 1)))[:1] + 1:
                raise ValueError(f"beta[{t}] is {beta[t]:g}; the variance of a step must lie in (0, 1)")
            log_alpha = np.log1p(-beta)
        else:
            log_alpha = np.array(self.log_alpha, dtype=np.float64)
            if log_alpha.shape != beta.shape:
                raise ValueError(f"log_alpha has shape {log_alpha.shape}; it must be {beta.shape}, as beta")
            for t in np.flatnonzero(~((log_alpha[1:] < 0) & np.isfinite(log_alpha[1:])))[:1] + 1:
                raise ValueError(f"log_alpha[{t}] is {log_alpha[t]:g}; it must be finite and negative")
        for array in (beta, log_alpha):
            array.setflags(write=False)
        object.__setattr__(self, "beta", beta)
        object.__setattr__(self, "log_alpha", log_alpha)
        if self.terminal_kl() > TERMINAL_KL_LIMIT:
            warnings.warn(
                f"schedule {self.name!r} leaves signal at T = {self.T}: alpha_bar[T] = "
                f"{self.alpha_bar[-1]:.3g}, {self.terminal_kl():.2g} nats a coordinate from N(0, I), "
                "where samplers start",
                stacklevel=4,
            )

    @property
    def T(self) -> int:
        """The number of steps."""
        return len(self.beta) - 1

    @cached_property
    def log_alpha_bar(self) -> np.ndarray:
        """log alpha_bar, (T + 1,): a sum, so no product of a thousand factors is ever rounded."""
        return _frozen(np.cumsum(self.log_alpha))

    @cached_property
    def alpha(self) -> np.ndarray:
        """1 - beta, (T + 1,); alpha[0] = 1."""
        return _frozen(np.exp(self.log_alpha))

    @cached_property
    def alpha_bar(self) -> np.ndarray:
        """Product of alpha[1..t], (T + 1,); alpha_bar[0] = 1.                        [FWD-6]"""
        return _frozen(forward.alpha_bar(self.beta, self.log_alpha))

    @cached_property
    def one_minus_alpha_bar(self) -> np.ndarray:
        """Variance of the noise in x_t, (T + 1,), to full relative accuracy; 0 at index 0.    [FWD-5]"""
        return _frozen(forward.one_minus_alpha_bar(self.beta, self.log_alpha))

    @cached_property
    def signal(self) -> np.ndarray:
        """What is left of x_0 in x_t, sqrt(alpha_bar), (T + 1,)."""
        return _frozen(np.exp(self.log_alpha_bar / 2))

    @cached_property
    def std(self) -> np.ndarray:
        """The noise in x_t, sqrt(1 - alpha_bar), (T + 1,)."""
        return _frozen(np.sqrt(self.one_minus_alpha_bar))

    @cached_property
    def log_snr(self) -> np.ndarray:
        """2 log(signal / std), (T + 1,), strictly falling; infinite at index 0.        [SNR-1, SNR-3]"""
        with np.errstate(divide="ignore"):
            return _frozen(snr.log_snr(self.signal, self.std))

    def level(self, t: int) -> tuple[float, float]:
        """(signal, std) of step t as Python floats, which leave float32 work in float32. 0 <= t <= T."""
        if not 0 <= t <= self.T:
            raise ValueError(f"t is {t}; it must lie in 0..{self.T}")
        return float(self.signal[t]), float(self.std[t])

    def respaced(self, steps: int) -> Schedule:
        """The schedule that visits only `steps` of these levels, evenly spaced, T and 0 among them.

        Its alphas are ratios of alpha_bar, as sums of log alpha. Raises ValueError unless 1 <= steps <= T.
        """
        if not isinstance(steps, int | np.integer) or not 1 <= steps <= self.T:
            raise ValueError(f"steps is {steps!r}; it must be an integer in 1..{self.T}, its levels")
        times = (2 * np.arange(steps + 1) * self.T + steps) // (2 * steps)  # k T / steps, rounded
        log_alpha = np.concatenate([[0.0], np.add.reduceat(self.log_alpha, times[:-1] + 1)])
        return Schedule(f"{self.name}/{steps}", -np.expm1(log_alpha), log_alpha)

    def terminal_kl(self, second_moment: float = 1.0) -> float:
        """KL(q(x_T | x_0) || N(0, I)) per coordinate, in nats: what a sampler's start ignores. [FWD-7]

        second_moment: the mean of x_0^2 over data and coordinates, >= 0; see `elbo.l_T`.
        """
        x_0 = np.array([math.sqrt(second_moment)])
        return float(elbo.l_T(x_0, float(self.alpha_bar[-1]), float(self.one_minus_alpha_bar[-1])))


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def from_beta(beta: np.ndarray, name: str = "beta") -> Schedule:
    """The schedule of given step variances beta_1..beta_T, (T,), each in (0, 1), unscaled."""
    return Schedule(name, np.concatenate([[0.0], np.asarray(beta, dtype=np.float64).reshape(-1)]))


def from_log_snr(log_snr: np.ndarray, name: str = "log_snr") -> Schedule:
    r"""The schedule with a given log-SNR at t = 1..T, (T,): any strictly falling numbers in [-700, 700].

    A first element of plus infinity is taken for t = 0, so a schedule's own log_snr gives it back. Raises
    ValueError, naming the place, where log_snr does not fall: there alpha_t > 1 and the step's variance
    would be negative. [SNR-4, ERR-12]
    """
    levels = np.asarray(log_snr, dtype=np.float64)
    if levels.ndim != 1 or len(levels) == 0:
        raise ValueError(f"log_snr has shape {levels.shape}; it must be a list of T >= 1 numbers")
    if levels[0] != np.inf:
        levels = np.concatenate([[np.inf], levels])
    for t in np.flatnonzero(~(np.abs(levels[1:]) <= 700))[:1] + 1:
        raise ValueError(f"log_snr at t = {t} is {levels[t]:g}; it must lie in [-700, 700]")
    if len(levels) < 2:
        raise ValueError("log_snr has no level but clean data; give T >= 1 numbers")
    beta = snr.beta_from_log_snr(levels[1:], levels[:-1])
    for t in np.flatnonzero(~(beta > 0))[:1] + 1:
        raise ValueError(
            f"log_snr at t = {t} is {levels[t]:g}, not below {levels[t - 1]:g} at t = {t - 1}; "
            "it must fall strictly with t, or the variance 1 - alpha_t is not positive"
        )
    log_alpha_bar = snr.log_alpha_bar_from_log_snr(levels)
    log_alpha = np.where(beta < 0.5, np.log1p(-np.minimum(beta, 0.5)), np.diff(log_alpha_bar))
    return Schedule(name, np.concatenate([[0.0], beta]), np.concatenate([[0.0], log_alpha]))


def _require_steps(T: int) -> None:
    if isinstance(T, bool) or not isinstance(T, int | np.integer) or T < 1:
        raise ValueError(f"T is {T!r}; it must be an integer >= 1")


def _even(start: float, stop: float, T: int) -> np.ndarray:
    """T evenly spaced numbers from start to stop; a single one is the end, where all signal must be gone."""
    _require_steps(T)
    return np.linspace(start, stop, T) if T > 1 else np.array([stop])


def _scaled(name: str, beta: np.ndarray) -> Schedule:
    """Betas made for T = 1000, times 1000 / T so that the same noise is added in all; at most MAX_BETA."""
    return from_beta(np.minimum(beta * (1000 / len(beta)), MAX_BETA), name)


def linear(T: int) -> Schedule:
    """beta from 1e-4 to 0.02 in equal steps, times 1000 / T, at most 0.999. Ho et al. 2020, section 4."""
    return _scaled("linear", _even(1e-4, 0.02, T))


def quadratic(T: int) -> Schedule:
    """As `linear`, with sqrt(beta) in equal steps: gentler near the data. Song et al. 2021 (DDIM)."""
    return _scaled("quadratic", _even(math.sqrt(1e-4), math.sqrt(0.02), T) ** 2)


def sigmoid(T: int) -> Schedule:
    """As `linear`, with beta along a sigmoid from -6 to 6. Xu et al. 2022 (GeoDiff)."""
    return _scaled("sigmoid", 1e-4 + (0.02 - 1e-4) * snr.alpha_bar_from_log_snr(_even(-6.0, 6.0, T)))


def cosine(T: int) -> Schedule:
    r"""alpha_bar as a squared cosine of time, each beta at most 0.999.

    .. math:: \bar\alpha_t = \frac{f(t)}{f(0)},\quad
              f(t)=\cos^2\Big(\frac{t/T+0.008}{1.008}\,\frac\pi2\Big)

    Source: Nichol & Dhariwal 2021, eq. 17.
    """
    _require_steps(T)
    times = np.arange(T + 1) / T
    return from_beta(np.minimum(forward.cosine_beta(times[:-1], times[1:]), MAX_BETA), "cosine")


_CONSTRUCTORS: dict[str, Callable[[int], Schedule]] = {
    "linear": linear,
    "cosine": cosine,
    "quadratic": quadratic,
    "sigmoid": sigmoid,
}
NAMES = tuple(_CONSTRUCTORS)


def named(name: str, T: int) -> Schedule:
    """The schedule of that name with T steps. Raises ValueError, with the near names, where there is none."""
    if name not in _CONSTRUCTORS:
        near = difflib.get_close_matches(str(name), NAMES, cutoff=0.4) or NAMES
        raise ValueError(f"no schedule {name!r}; did you mean {' or '.join(near)}?")
    return _CONSTRUCTORS[name](T)
