r"""Analytic-DPM: the ancestral sampler with the best variance of each step.                [DDPM-7, SDE-12]

The reverse step is a Gaussian in place of q(x_s | x_t), which is none. Of all isotropic variances the mean of
that law's own costs fewest nats, and it needs E||score||^2 alone: a mean over data, taken once. It matters
where steps are few; with a thousand, all variances agree. Source: Bao et al. 2022, theorem 1.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas import snr as formulas
from refgen.formulas.parametrisation import unit_power
from refgen.samplers.ancestral import ancestral, optimal_variances
from refgen.samplers.langevin import Levels
from refgen.samplers.steps import kept_times, require_levels
from refgen.schedules import Schedule, from_log_snr

__all__ = ["analytic", "analytic_variances"]

Array = Any


def analytic(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    x_0: Array | None = None,
    variance: np.ndarray | None = None,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from the noise x_T, (n, d), in T steps; T calls of the denoiser, and T for the variances.

    denoiser: asked for x_0 and, for the variances, its score, at the levels scaled to unit power. x_T: from
    N(0, std_T^2 I). rng: gives the noise, in x_T's dtype and where x_T is, as the result will be. x_0: data,
    (m, d), the more the better, as precise as x_T and where it is; or variance, what `analytic_variances`
    gives, (T + 1,), to be used again. trajectory: a dict whose keys are the levels to keep; its values become
    x_k. Raises ValueError where neither is given, and for a variance and a kept level that is not there.
    """
    require_levels(levels)
    if variance is None:
        if x_0 is None:
            raise ValueError("x_0 is missing; analytic takes its variances from data, or is given them")
        variance = analytic_variances(denoiser, levels, x_0, rng.spawn("variances"))
    kept = kept_times(trajectory, levels.T)
    if isinstance(levels, Schedule):
        return ancestral(denoiser, levels, x_T, rng, variance, kept)
    points = ancestral(denoiser, _schedule(levels), x_T / _scale(levels, levels.T), rng, variance, kept)
    for k in kept:
        kept[k] = kept[k] * _scale(levels, k)
    return points


def analytic_variances(denoiser: Denoiser, levels: Levels, x_0: Array, rng: Stream) -> np.ndarray:
    """`ancestral.optimal_variances` at the levels scaled to unit power, (T + 1,), on the host.    [DDPM-7]

    Never below the variance of q(x_s | x_t, x_0), nor above that of Gaussian data as wide as x_0, (m, d).
    Costs T calls of the denoiser.
    """
    return optimal_variances(denoiser, _schedule(levels), x_0, rng)


def _schedule(levels: Levels) -> Schedule:
    """The schedule with the same signal-to-noise ratios."""
    if isinstance(levels, Schedule):
        return levels
    log_snr = [formulas.log_snr(*levels.level(k)) for k in range(1, levels.T + 1)]
    with warnings.catch_warnings():  # x_T is drawn by whoever calls; that it suits is theirs to know
        warnings.simplefilter("ignore", UserWarning)
        return from_log_snr(np.array(log_snr))


def _scale(levels: Levels, k: int) -> float:
    """What level k is divided by to have unit power."""
    return unit_power(0.0, *levels.level(k))[3]
