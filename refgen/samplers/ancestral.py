r"""Ancestral sampling: the reverse chain of DDPM.                                   [DDPM-2]

Algorithm 2 of Ho et al. 2020, for t = T, ..., 1:

.. math:: x_{t-1} = \frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\,
                    \epsilon_\theta(x_t, t)\Big) + \sigma_t z,\qquad z\sim\mathcal N(0, I),\ z=0\ (t=1)

The mean is computed in its other form, as the posterior mean given the predicted x_0 (`reverse_step`). The
two are equal where x_0 comes from eps. But at low signal the form above subtracts large numbers, and an
error in eps grows by 1/sqrt(alpha_t), 31 times at t = T of the cosine schedule; an x_0 from an exact law,
or from a network trained for x_0 or v, enters with a small weight instead. The last step returns x_0(x_1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from refgen.backend import Stream, to_host
from refgen.denoisers import Denoiser
from refgen.formulas.elementary import sqrt
from refgen.formulas.forward import diffuse
from refgen.formulas.posterior import posterior_mean, posterior_var
from refgen.formulas.variance import optimal_var, optimal_var_bounds
from refgen.samplers.steps import noises, walk
from refgen.schedules import Schedule

__all__ = ["ancestral", "optimal_variances", "reverse_step", "step_variances"]

Array = Any


def reverse_step(x_t: Array, x_0: Array, z: Array, alpha_t: float, alpha_bar_s: float, var: float) -> Array:
    r"""x_s, s = t - 1, from x_t, the predicted x_0 and the noise z.                 [DDPM-5, POST-5]

    .. math:: x_s = \tilde\mu_t(x_t, \hat x_0) + \sigma_t z

    x_t, x_0, z: (n, d). var: sigma_t^2, >= 0. With x_0 = (x_t - std eps) / signal it is Algorithm 2's line.
    """
    return posterior_mean(x_t, x_0, alpha_t, alpha_bar_s) + sqrt(var) * z


def step_variances(schedule: Schedule, variance: str | np.ndarray = "small") -> np.ndarray:
    r"""The variance of the reverse step at each t, (T + 1,) with 0 at index 0.        [DDPM-3, POST-6]

    variance: "small", that of q(x_s | x_t, x_0), exact for data at one point; "large", beta, exact for data
    from N(0, I); or an array of length T + 1. Raises ValueError for anything else.
    """
    if isinstance(variance, str):
        if variance == "small":
            return np.concatenate([[0.0], posterior_var(schedule.alpha[1:], schedule.alpha_bar[:-1])])
        if variance == "large":
            return schedule.beta
        raise ValueError(f"variance is {variance!r}; it must be 'small', 'large' or an array of length T + 1")
    given = np.asarray(variance, dtype=np.float64)
    if given.shape != (schedule.T + 1,):
        raise ValueError(f"variance has shape {given.shape}; it must be ({schedule.T + 1},), T + 1 numbers")
    for t in np.flatnonzero(~((given >= 0) & np.isfinite(given)))[:1]:
        raise ValueError(f"variance[{t}] is {given[t]:g}; it must be finite and >= 0")
    return given


def ancestral(
    denoiser: Denoiser,
    schedule: Schedule,
    x_T: Array,
    rng: Stream,
    variance: str | np.ndarray = "small",
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from the noise x_T, (n, d), in T steps; T calls of the denoiser.

    denoiser: asked for x_0 at each level of `schedule` (see `Schedule.respaced` for fewer steps). rng: gives
    the noise, in x_T's dtype and where x_T is, as the result will be. variance: see `step_variances`.
    trajectory: a dict whose keys are the times to keep, `dict.fromkeys([1000, 500, 0])`; its values become
    x_t. Raises ValueError for a variance or a kept time that is not there.
    """
    if not isinstance(schedule, Schedule):
        raise ValueError(f"schedule is a {type(schedule).__name__}; the chain of DDPM needs a Schedule")
    var, noise = step_variances(schedule, variance), noises(rng, x_T, schedule.T - 1)

    def step(x: Array, t: int) -> Array:
        x_0 = denoiser.x_0(x, *schedule.level(t))
        alpha_t, alpha_bar_s = float(schedule.alpha[t]), float(schedule.alpha_bar[t - 1])
        return reverse_step(x, x_0, next(noise), alpha_t, alpha_bar_s, float(var[t]))

    return walk(denoiser, schedule, x_T, trajectory, step)


def optimal_variances(denoiser: Denoiser, schedule: Schedule, x_0: Array, rng: Stream) -> np.ndarray:
    r"""The best isotropic variance of each reverse step, (T + 1,), estimated from data.   [DDPM-7]

    E||score||^2 / d is a mean over the data x_0, (n, d), noised forward, one draw a level. The result is
    clipped to the bounds for data of x_0's variance: few steps or few points could make it negative. Costs T
    calls of the denoiser. Raises ValueError for no data. Source: Bao et al. 2022 (Analytic-DPM).
    """
    if len(x_0) == 0:
        raise ValueError(f"x_0 has shape {np.shape(x_0)}; the variances are means over one point or more")
    squares = []
    for t in range(1, schedule.T + 1):
        signal, std = schedule.level(t)
        x_t = diffuse(x_0, rng.normal(*x_0.shape, dtype=x_0.dtype), signal, std)
        squares.append(np.mean(denoiser.score(x_t, signal, std) ** 2))
    data_var = float(np.mean(np.var(x_0, axis=0)))
    best = np.zeros(schedule.T + 1)
    for t, square in enumerate(to_host(np.stack(squares)).tolist(), 1):  # read once, not in each step
        alpha_t, alpha_bar_s = float(schedule.alpha[t]), float(schedule.alpha_bar[t - 1])
        lower, upper = optimal_var_bounds(alpha_t, alpha_bar_s, data_var)
        best[t] = min(max(optimal_var(alpha_t, square), lower), upper)
    return best
