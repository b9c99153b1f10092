r"""Exponential solvers of the probability-flow ODE, in half the log-SNR.                      [SDE-12]

With lambda = log(signal / std) the ODE's linear part is solved exactly, and what the denoiser says is a
polynomial in lambda (DPM-Solver: the noise, DPM-Solver++: clean data), with h = lambda_s - lambda_t > 0:

.. math:: \frac{x_s}{\mathrm{signal}_s}=\frac{x_t}{\mathrm{signal}_t}
          -\int_{\lambda_t}^{\lambda_s}e^{-\lambda}\,\hat\epsilon(\lambda)\,d\lambda
          \qquad\text{or}\qquad
          \frac{x_s}{\mathrm{std}_s}=\frac{x_t}{\mathrm{std}_t}
          +\int_{\lambda_t}^{\lambda_s}e^{\lambda}\,\hat x_0(\lambda)\,d\lambda

A level is (signal, std), both > 0, numbers or broadcastable arrays; of a step the noisier comes first.
"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.ddim import Level, ddim_mean
from refgen.formulas.elementary import Array, exp, expm1, log, require_last_axis, sqrt

__all__ = [
    "level_between",
    "log_snr_step",
    "multistep_2",
    "multistep_3",
    "noise_step",
    "noise_step_linear",
]


def log_snr_step(level_t: Level, level_s: Level) -> Array:
    r"""h, by how much half the log-SNR grows: :math:`\log\frac{\mathrm{signal}_s\,\mathrm{std}_t}
    {\mathrm{signal}_t\,\mathrm{std}_s}`.                                                   [SDE-12]"""
    return log(level_s[0] / level_t[0] * (level_t[1] / level_s[1]))


def level_between(level_t: Level, level_s: Level, share: Array) -> Level:
    r"""The level at that share of the way in log-SNR, on the line through both in (signal^2, std^2).

    So it has unit power between two levels of unit power, and signal 1 between two of signal 1. A solver
    needs no more: levels of one log-SNR are one level in other units. share: in [0, 1].    [SDE-12]
    """
    h = log_snr_step(level_t, level_s)
    of_s = level_t[0] ** 2 * -expm1(-2 * share * h)
    of_t = level_s[0] ** 2 * exp(-2 * share * h) * -expm1(-2 * (1 - share) * h)
    of_t, of_s = of_t / (of_t + of_s), of_s / (of_t + of_s)
    signal, std = (sqrt(of_t * t**2 + of_s * s**2) for t, s in zip(level_t, level_s, strict=True))
    return signal, std


def noise_step(x_t: Array, eps: Array, level_t: Level, level_s: Level) -> Array:
    r"""x_s where the noise stays as it is on the way.                                      [SDE-12]

    .. math:: x_s=\frac{\mathrm{signal}_s}{\mathrm{signal}_t}x_t-\mathrm{std}_s\,(e^h-1)\,\hat\epsilon

    With the noise at x_t it is DPM-Solver-1, which is DDIM; with the noise halfway in lambda, at the point
    which that step reaches there, it is DPM-Solver-2. x_t, eps: (..., d).
    Source: Lu et al. 2022 (DPM-Solver), section 4.1 and algorithm 1.
    """
    require_last_axis(x_t=x_t, eps=eps)
    scale, weight = _noise_weights(level_t, level_s)
    return scale * (x_t - weight * eps)


def noise_step_linear(
    x_t: Array, eps: Array, eps_at: Array, share: Array, level_t: Level, level_s: Level
) -> Array:
    r"""x_s where the noise is linear in lambda: eps at level t, eps_at a share r of the way.   [SDE-12]

    .. math:: x_s=\frac{\mathrm{signal}_s}{\mathrm{signal}_t}x_t-\mathrm{std}_s(e^h-1)\,\hat\epsilon
              -\frac{\mathrm{std}_s}{r}\Big(\frac{e^h-1}h-1\Big)(\hat\epsilon_r-\hat\epsilon)

    The second and the third stage of DPM-Solver-3: to 2/3 of the way by the noise at 1/3 (r = 1/2), then all
    of it by the noise at 2/3 (r = 2/3). x_t, eps, eps_at: (..., d). share: > 0.
    Source: Lu et al. 2022 (DPM-Solver), algorithm 2.
    """
    require_last_axis(x_t=x_t, eps=eps, eps_at=eps_at)
    h, (scale, weight) = log_snr_step(level_t, level_s), _noise_weights(level_t, level_s)
    linear = level_t[1] * (-expm1(-h) - _moments(h)[0])
    return scale * (x_t - weight * eps - linear / share * (eps_at - eps))


def multistep_2(
    x_t: Array, x_0: Array, x_0_before: Array, level_before: Level, level_t: Level, level_s: Level
) -> Array:
    r"""x_s from the last two predictions of x_0: at x_t, and at the level before it.       [SDE-12]

    .. math:: x_s=\frac{\mathrm{std}_s}{\mathrm{std}_t}x_t+\mathrm{signal}_s(1-e^{-h})
              \Big(\hat x_0+\frac{h}{2h'}(\hat x_0-\hat x_0')\Big),\qquad h'=\lambda_t-\lambda_{\rm before}

    The bracket is the line through both predictions, halfway to level s. x_t, x_0, x_0_before: (..., d).
    Source: Lu et al. 2022 (DPM-Solver++), algorithm 2.
    """
    require_last_axis(x_t=x_t, x_0=x_0, x_0_before=x_0_before)
    ratio = log_snr_step(level_t, level_s) / log_snr_step(level_before, level_t)
    return ddim_mean(x_t, x_0 + ratio / 2 * (x_0 - x_0_before), level_t, level_s)


def multistep_3(
    x_t: Array,
    x_0: Array,
    x_0_before: Array,
    x_0_first: Array,
    level_first: Level,
    level_before: Level,
    level_t: Level,
    level_s: Level,
) -> Array:
    r"""x_s from the last three predictions of x_0: the parabola in lambda through them, integrated.  [SDE-12]

    .. math:: x_s=\frac{\mathrm{std}_s}{\mathrm{std}_t}x_t+\mathrm{signal}_s\big[(1-e^{-h})\,p(0)
              +m_1\,h\,p'(0)+m_2\,\tfrac{h^2}2p''(0)\big],\qquad m_k=\int_0^he^{\tau-h}(\tau/h)^k\,d\tau

    where p(tau) is the parabola at lambda_t + tau. Programs that give half of p'' here have order 2, not 3.
    x_t, x_0, x_0_before, x_0_first: (..., d), the predictions the newest first. Their levels the noisiest
    first. Source: Lu et al. 2022 (DPM-Solver++), section 4, one order further.
    """
    require_last_axis(x_t=x_t, x_0=x_0, x_0_before=x_0_before, x_0_first=x_0_first)
    h = log_snr_step(level_t, level_s)
    near = log_snr_step(level_before, level_t) / h
    far = log_snr_step(level_first, level_before) / h
    slope = (x_0 - x_0_before) / near  # divided differences, in steps of h
    bend = (slope - (x_0_before - x_0_first) / far) / (near + far)
    first, second = _moments(h)
    moved = first * (slope + near * bend) + second * bend
    return ddim_mean(x_t, x_0, level_t, level_s) + level_s[0] * moved


def _noise_weights(level_t: Level, level_s: Level) -> tuple[Array, Array]:
    """signal_s / signal_t, and std_s (e^h - 1) divided by it: no exponential that could overflow."""
    scale = level_s[0] / level_t[0]
    return scale, level_t[1] - level_s[1] / scale


def _moments(h: Array) -> tuple[Array, Array]:
    """h times the integral over u from 0 to 1 of e^(h (u - 1)) u^k, for k = 1 and 2; h > 0."""
    if isinstance(h, int | float):
        return _series(h) if h < 1 else _closed(h)
    small, large = _series(np.minimum(h, 1.0)), _closed(np.maximum(h, 1.0))
    return np.where(h < 1, small[0], large[0]), np.where(h < 1, small[1], large[1])


def _closed(h: Array) -> tuple[Array, Array]:
    first = 1 + expm1(-h) / h
    return first, 1 - 2 * first / h


def _series(h: Array) -> tuple[Array, Array]:
    """Their Taylor series, k! sum_j (-1)^j h^(j + 1) / (j + k + 1)!, where the closed form cancels."""
    first, second = 0 * h, 0 * h
    for j in range(17, -1, -1):
        first = h * (1 / math.factorial(j + 2) - first)
        second = h * (2 / math.factorial(j + 3) - second)
    return first, second
