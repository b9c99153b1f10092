r"""The forward (noising) process of diffusion models.                                      [FWD]

One step multiplies by :math:`\sqrt{\alpha_t}` and adds noise of variance :math:`1-\alpha_t`; t steps
multiply by :math:`\sqrt{\bar\alpha_t}` (the `signal`) and add noise of std :math:`\sqrt{1-\bar\alpha_t}`.
"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.elementary import Array, require_last_axis, sqrt
from refgen.formulas.gaussian import log_prob_isotropic

__all__ = [
    "alpha_bar",
    "cosine_beta",
    "diffuse",
    "is_prior",
    "noise_var",
    "one_minus_alpha_bar",
    "path_log_prob",
    "reverse_non_gaussianity",
    "step",
    "step_mean",
    "step_var",
]


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


def alpha_bar(beta: Array, log_alpha: Array | None = None) -> Array:
    r"""Cumulative product of alpha = 1 - beta along the last axis.              [FWD-3, FWD-6]

    .. math:: \bar\alpha_t = \prod_{i\le t}(1-\beta_i)

    A sum of logarithms, so a thousand factors cost no accuracy. beta: (..., T), in [0, 1). log_alpha:
    log(1 - beta), where it is known and beta is too close to one to hold it.
    """
    return np.exp(_log_alpha_bar(beta, log_alpha))


def one_minus_alpha_bar(beta: Array, log_alpha: Array | None = None) -> Array:
    r""":math:`1-\bar\alpha_t` to full relative accuracy, however close to clean data. [FWD-5]

    beta: (..., T), in [0, 1). log_alpha: see `alpha_bar`. The subtraction 1 - alpha_bar would lose the digits
    of a small beta.
    """
    return -np.expm1(_log_alpha_bar(beta, log_alpha))


def _log_alpha_bar(beta: Array, log_alpha: Array | None) -> Array:
    return np.cumsum(np.log1p(-beta) if log_alpha is None else log_alpha, axis=-1)


def cosine_beta(s: Array, t: Array) -> Array:
    r"""Variance of the step between two times of the cosine schedule, accurate near the data.

    .. math:: 1-\frac{f(t)}{f(s)}=\frac{\sin(b+a)\sin(b-a)}{\cos^2a},\quad f(t)=\cos^2 b,\quad
              b=\frac{t+0.008}{1.008}\,\frac\pi2,\quad a=\frac{s+0.008}{1.008}\,\frac\pi2

    where alpha_bar = f(t)/f(0). s < t: in [0, 1], broadcastable. Source: Nichol & Dhariwal 2021, eq. 17.
    """
    a, b = ((time + 0.008) / 1.008 * (math.pi / 2) for time in (s, t))
    return np.sin(b + a) * np.sin(b - a) / np.cos(a) ** 2


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


def path_log_prob(x: Array, alpha: Array) -> Array:
    r"""Log-density of a whole noisy path given its start: a product of single steps.  [FWD-8]

    .. math:: q(x_{1:T}\mid x_0)=\prod_{t=1}^T q(x_t\mid x_{t-1})

    x: (..., T + 1, d), the path x_0..x_T. alpha: (T,), alpha_1..alpha_T, in (0, 1). Returns (...), in nats.
    Raises ValueError where the path has not one point more than there are steps.
    Source: Ho et al. 2020, eq. 2; SJTU tutorial, slide 14.
    """
    if np.shape(x)[-2] != np.shape(alpha)[-1] + 1:
        raise ValueError(
            f"x has shape {np.shape(x)}; a path of {np.shape(alpha)[-1]} steps has one point more"
        )
    a = alpha[..., :, None]
    return np.sum(log_prob_isotropic(x[..., 1:, :], step_mean(x[..., :-1, :], a), step_var(a)), axis=-1)


def is_prior(alpha_bar: Array) -> Array:
    r"""Whether q(x_t | x_0) is N(0, I), for every x_0: only with no signal left.  [FWD-7, FWD-9]

    .. math:: x_t\to\mathcal N(0,I)\iff\bar\alpha_t\to0\iff\textstyle\sum_t\beta_t=\infty\quad(\beta_t<1)

    alpha_bar: of a step, or its limit for t to infinity; in [0, 1]. At a finite T it is positive, and what is
    left is the `elbo.l_T` that a sampler ignores. Source: Kim, 'Diffusion Model', third constraint, and SJTU
    tutorial, slide 15, both with the condition added.
    """
    return alpha_bar == 0


def reverse_non_gaussianity(third_derivative: Array, beta_t: Array) -> Array:
    r"""How far q(x_s | x_t) is from the Gaussian of its mean and variance: KL to leading order.   [FWD-12]

    .. math:: D_{KL}=\frac{\beta_t^3}{12}\Big(\frac{\partial^3\log q_s}{\partial x^3}\Big)^2+O(\beta_t^4)

    One dimension. third_derivative: of log q_s at x_t (where along the way is of higher order). beta_t: in
    (0, 1). Broadcastable. The skewness is beta^(3/2) times that derivative, and KL is skewness^2 / 12.
    Source: Kim, 'Diffusion Model' ("it requires a lot of steps"), made quantitative.
    """
    return beta_t**3 * third_derivative**2 / 12
