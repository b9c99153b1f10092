r"""The noise processes that the field uses, one class each; the formulas are in `formulas.process`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refgen.formulas import annealed, process, snr
from refgen.processes.base import Process

__all__ = ["EDM", "VE", "VP", "Cosine", "Straight", "SubVP"]

Array = Any


@dataclass(frozen=True)
class VE(Process):
    """Variance-exploding: no drift, a std that is geometric in time, as NCSN's ladder.            [SDE-3]

    smallest, largest: the std at times 0 and 1. 0 < smallest < largest, else ValueError.
    """

    smallest: float = 0.02  # 0.01 to 0.05, hardly seen in the data
    largest: float = 4.0  # at least the distance of the modes; 2 to 50
    name: ClassVar[str] = "ve"
    t_min: ClassVar[float] = 1e-5
    t_max: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        _require_rising(self)

    def _signal(self, t: Array) -> Array:
        return np.ones_like(t)

    def _std(self, t: Array) -> Array:
        return annealed.geometric_std(1 - t, self.largest, self.smallest)

    def _drift(self, t: Array) -> Array:
        return np.zeros_like(t)

    def _diffusion_var(self, t: Array) -> Array:
        return process.ve_diffusion_var(self._std(t), self.largest, self.smallest)

    def _time(self, log_snr: Array) -> Array:
        return process.ve_time(log_snr, self.largest, self.smallest)


@dataclass(frozen=True)
class _OfBeta(Process):
    """What VP and sub-VP share: beta, linear in time, and with it the signal and the drift."""

    beta_min: float = 0.1  # 0.1
    beta_max: float = 20.0  # 20: a signal of 0.0066 is left at time 1
    t_min: ClassVar[float] = 1e-3
    t_max: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.beta_min <= self.beta_max < math.inf:
            raise ValueError(
                f"beta_min is {self.beta_min}, beta_max {self.beta_max}; 0 < beta_min <= beta_max is needed"
            )

    def _beta(self, t: Array) -> Array:
        return process.linear_beta(t, self.beta_min, self.beta_max)

    def _integral(self, t: Array) -> Array:
        return process.beta_integral(t, self.beta_min, self.beta_max)

    def _signal(self, t: Array) -> Array:
        return process.vp_signal(self._integral(t))

    def _drift(self, t: Array) -> Array:
        return process.vp_drift(self._beta(t))


@dataclass(frozen=True)
class VP(_OfBeta):
    """Variance-preserving: DDPM with endless steps, beta linear in time.                         [SDE-2]

    beta_min, beta_max: beta at times 0 and 1. 0 < beta_min <= beta_max, else ValueError.
    """

    name: ClassVar[str] = "vp"

    def _std(self, t: Array) -> Array:
        return process.vp_std(self._integral(t))

    def _log_snr(self, t: Array) -> Array:
        return process.vp_log_snr(self._integral(t))

    def _diffusion_var(self, t: Array) -> Array:
        return self._beta(t)

    def _time(self, log_snr: Array) -> Array:
        integral = -snr.log_alpha_bar_from_log_snr(log_snr)
        return process.integral_time(integral, self.beta_min, self.beta_max)


@dataclass(frozen=True)
class SubVP(_OfBeta):
    """As VP, with less noise at every time: its std is VP's squared.                            [SDE-10]"""

    name: ClassVar[str] = "sub-vp"

    def _std(self, t: Array) -> Array:
        return process.sub_vp_std(self._integral(t))

    def _diffusion_var(self, t: Array) -> Array:
        return process.sub_vp_diffusion_var(self._beta(t), self._integral(t))

    def _time(self, log_snr: Array) -> Array:
        return process.integral_time(process.sub_vp_integral(log_snr), self.beta_min, self.beta_max)


@dataclass(frozen=True)
class Cosine(Process):
    """signal cos(pi t / 2), std sin(pi t / 2): the variance is preserved. Salimans & Ho 2022."""

    name: ClassVar[str] = "cosine"
    t_min: ClassVar[float] = 0.005
    t_max: ClassVar[float] = 0.995  # the drift has no bound at 1

    def _signal(self, t: Array) -> Array:
        return process.cosine_signal(t)

    def _std(self, t: Array) -> Array:
        return process.cosine_std(t)

    def _drift(self, t: Array) -> Array:
        return process.cosine_drift(t)

    def _diffusion_var(self, t: Array) -> Array:
        return process.cosine_diffusion_var(t)

    def _time(self, log_snr: Array) -> Array:
        return process.cosine_time(log_snr)


@dataclass(frozen=True)
class EDM(Process):
    """No drift, and the time is the std. Karras et al. 2022.

    smallest, largest: the std that samplers end and start at. 0 < smallest < largest, else ValueError.
    """

    smallest: float = 0.002  # 0.002
    largest: float = 80.0  # 80
    name: ClassVar[str] = "edm"
    latest: ClassVar[float] = math.inf

    def __post_init__(self) -> None:
        _require_rising(self)

    @property
    def t_min(self) -> float:  # type: ignore[override]
        """The smallest std."""
        return self.smallest

    @property
    def t_max(self) -> float:  # type: ignore[override]
        """The largest std."""
        return self.largest

    def _signal(self, t: Array) -> Array:
        return np.ones_like(t)

    def _std(self, t: Array) -> Array:
        return t

    def _drift(self, t: Array) -> Array:
        return np.zeros_like(t)

    def _diffusion_var(self, t: Array) -> Array:
        return process.edm_diffusion_var(t)

    def _time(self, log_snr: Array) -> Array:
        return np.exp(-0.5 * log_snr)


@dataclass(frozen=True)
class Straight(Process):
    """signal 1 - t, std t: the paths of flow matching. Lipman et al. 2023, Liu et al. 2023."""

    name: ClassVar[str] = "straight"
    t_min: ClassVar[float] = 0.005
    t_max: ClassVar[float] = 0.995  # no signal is left at 1, and no eps tells x_0 from it

    def _signal(self, t: Array) -> Array:
        return 1 - t

    def _std(self, t: Array) -> Array:
        return t

    def _drift(self, t: Array) -> Array:
        return process.straight_drift(t)

    def _diffusion_var(self, t: Array) -> Array:
        return process.straight_diffusion_var(t)

    def _time(self, log_snr: Array) -> Array:
        return process.straight_time(log_snr)


def _require_rising(process: VE | EDM) -> None:
    if not 0 < process.smallest < process.largest < math.inf:
        raise ValueError(
            f"smallest is {process.smallest}, largest {process.largest}; 0 < smallest < largest is needed"
        )
