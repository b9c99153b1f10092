r"""DDIM: steps between any two levels of noise, with as much fresh noise as one likes.        [SDE-12]

A level is (signal, std), that of x_t = signal x_0 + std eps. Every step below keeps the law of x_s given x_0,
whatever eta is: what fresh noise adds is taken off the noise that is carried along.
"""

from __future__ import annotations

from refgen.formulas.elementary import Array, require_last_axis, sqrt

__all__ = ["ddim_mean", "ddim_var"]

Level = tuple[Array, Array]


def ddim_mean(x_t: Array, x_0: Array, level_t: Level, level_s: Level, eta: Array = 0.0) -> Array:
    r"""Mean of x_s, from x_t and the predicted x_0.                                        [SDE-12]

    .. math:: \mathrm{signal}_s\,\hat x_0+\sqrt{\mathrm{std}_s^2-\sigma^2}\,\hat\epsilon,\qquad
              \hat\epsilon=\frac{x_t-\mathrm{signal}_t\,\hat x_0}{\mathrm{std}_t}

    with sigma^2 of `ddim_var`. At eta = 0 it is the step itself: the exact solution of the probability-flow
    ODE between the two levels for an x_0 that stays as it is (exponential Euler). At eta = 1 it is the mean
    of q(x_s | x_t, x_0), for any two levels. x_t, x_0: (..., d). level_t, level_s: (signal, std), the noisier
    first; broadcastable, signal > 0, std_t > 0, std_s >= 0; at std_s = 0 the result is signal_s x_0. eta: in
    [0, 1]. Source: Song, Meng & Ermon 2021, eq. 12.
    """
    require_last_axis(x_t=x_t, x_0=x_0)
    of_x_t = level_s[1] / level_t[1] * sqrt(_carried(level_t, level_s, eta))
    return of_x_t * x_t + (level_s[0] - of_x_t * level_t[0]) * x_0


def ddim_var(level_t: Level, level_s: Level, eta: Array) -> Array:
    r"""Variance of the fresh noise in x_s.                                                 [SDE-12]

    .. math:: \sigma^2=\eta^2\,\mathrm{std}_s^2\Big(1-\frac{\mathrm{SNR}_t}{\mathrm{SNR}_s}\Big)

    At eta = 1 the variance of q(x_s | x_t, x_0), which is `posterior.posterior_var` at unit power; 0 at
    std_s = 0. Arguments as for `ddim_mean`. Source: Song, Meng & Ermon 2021, eq. 16.
    """
    ratio = _root_ratio(level_t, level_s)
    return (eta * level_s[1]) ** 2 * ((1 - ratio) * (1 + ratio))


def _carried(level_t: Level, level_s: Level, eta: Array) -> Array:
    """1 - sigma^2 / std_s^2, a sum of two positive terms."""
    return (1 - eta) * (1 + eta) + (eta * _root_ratio(level_t, level_s)) ** 2


def _root_ratio(level_t: Level, level_s: Level) -> Array:
    """The root of SNR_t / SNR_s; 0 where level s is clean, and no infinity on the way."""
    return level_t[0] / level_s[0] * (level_s[1] / level_t[1])
