r"""The forward (noising) process of diffusion models.                                      [FWD]

One step multiplies by :math:`\sqrt{\alpha_t}` and adds noise of variance :math:`1-\alpha_t`; t steps
multiply by :math:`\sqrt{\bar\alpha_t}` (the `signal`) and add noise of std :math:`\sqrt{1-\bar\alpha_t}`.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, require_last_axis, sqrt

__all__ = ["alpha_bar", "diffuse", "noise_var", "one_minus_alpha_bar", "step", "step_mean", "step_var"]


def step_mean(x_s: Array, alpha_t: Array) -> Array:
    r"""Mean of one forward step q(x_t | x_s), s = t - 1.                              [FWD-1]

    .. math:: q(x_t\mid x_{t-1}) = \mathcal N(x_t;\ \sqrt{\alpha_t}\,x_{t-1},\ (1-\alpha_t) I)

    x_s: (..., d). alpha_t: broadcastable, in (0, 1]. Returns (..., d).
    Source: Ho et al. 2020, eq. 2; Kim, 'Diffusion Model'; SJTU tutorial, slide 14.
    """
    return sqrt(alpha_t) * x_s


def step_var(alpha_t: Array) -> Array:
    r"""Variance of one forward step, :math:`\beta_t = 1-\alpha_t`, in [0, 1).   [FWD-1, FWD-3]"""
    return 1 - alpha_t


def step(x_s: Array, eps: Array, alpha_t: Array) -> Array:
    r"""One forward step drawn with noise eps ~ N(0, I).                               [FWD-2]

    .. math:: x_t = \sqrt{\alpha_t}\,x_{t-1} + \sqrt{1-\alpha_t}\,\epsilon

    x_s, eps: (..., d). alpha_t: broadcastable, in (0, 1]. Raises ValueError where the last axes differ.
    Source: Kim, 'Diffusion Model'; SJTU tutorial, slide 14.
    """
    require_last_axis(x_s=x_s, eps=eps)
    return step_mean(x_s, alpha_t) + sqrt(step_var(alpha_t)) * eps


def alpha_bar(beta: Array) -> Array:
    r"""Cumulative product of alpha = 1 - beta along the last axis.              [FWD-3, FWD-6]

    .. math:: \bar\alpha_t = \prod_{i\le t}(1-\beta_i)

    A sum of logarithms, so a thousand factors cost no accuracy. beta: (..., T), in [0, 1).
    """
    return np.exp(np.cumsum(np.log1p(-beta), axis=-1))


def one_minus_alpha_bar(beta: Array) -> Array:
    r""":math:`1-\bar\alpha_t` to full relative accuracy, however close to clean data. [FWD-5]

    beta: (..., T), in [0, 1). The subtraction 1 - alpha_bar would lose the digits of a small beta.
    """
    return -np.expm1(np.cumsum(np.log1p(-beta), axis=-1))


def noise_var(alpha_t: Array, alpha_bar_s: Array) -> Array:
    r""":math:`1-\alpha_t\bar\alpha_s` without subtracting two numbers near one.       [FWD-4]

    .. math:: 1-\alpha_t\bar\alpha_s = (1-\alpha_t) + \alpha_t(1-\bar\alpha_s)

    alpha_t, alpha_bar_s: broadcastable, in [0, 1].
    """
    return (1 - alpha_t) + alpha_t * (1 - alpha_bar_s)


def diffuse(x_0: Array, eps: Array, signal: Array, std: Array) -> Array:
    r"""x_t from clean data and noise in one step.                                     [FWD-5]

    .. math:: x_t = \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon

    with signal = sqrt(alpha_bar_t) and std = sqrt(1 - alpha_bar_t).
    x_0, eps: (..., d). signal, std: broadcastable, >= 0. Raises ValueError where the last axes differ.
    Source: Ho et al. 2020, eq. 4; Kim, 'Diffusion Model'; SJTU tutorial, slide 15.
    """
    require_last_axis(x_0=x_0, eps=eps)
    return signal * x_0 + std * eps
