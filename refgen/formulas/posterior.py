r"""The posterior of one reverse step, q(x_s | x_t, x_0) with s = t - 1.                   [POST]

It is Gaussian, and its precision is the sum of two: that of x_t given x_s and that of x_s given x_0.
`posterior_density` holds the same posterior as an exponent, before the square is completed.
"""

from __future__ import annotations

from refgen.formulas.elementary import Array, require_last_axis, sqrt
from refgen.formulas.forward import noise_var

__all__ = [
    "mean_coefficients",
    "mean_from_eps",
    "mean_from_precisions",
    "mean_from_score",
    "mean_from_var",
    "posterior_mean",
    "posterior_var",
    "steps_of_grid",
    "var_from_precisions",
]


def posterior_mean(x_t: Array, x_0: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""Mean of the forward posterior q(x_s | x_t, x_0), s = t - 1.                   [POST-5]

    .. math:: \tilde\mu_t = \frac{\sqrt{\alpha_t}(1-\bar\alpha_s)\,x_t + \sqrt{\bar\alpha_s}(1-\alpha_t)\,x_0}
                                 {1-\bar\alpha_t}

    x_t, x_0: (..., d). alpha_t: broadcastable, in (0, 1). alpha_bar_s: broadcastable, in (0, 1];
    1 at s = 0, where the mean is x_0. Raises ValueError where the last axes differ.
    Source: Ho et al. 2020, eq. 7; Luo 2022, eq. 84; Kim, 'Diffusion Model'; SJTU tutorial, slide 19.
    """
    require_last_axis(x_t=x_t, x_0=x_0)
    of_x_t, of_x_0 = mean_coefficients(alpha_t, alpha_bar_s)
    return of_x_t * x_t + of_x_0 * x_0


def mean_coefficients(alpha_t: Array, alpha_bar_s: Array) -> tuple[Array, Array]:
    r"""The two weights of the posterior mean, of x_t and of x_0.                     [POST-7]

    .. math:: \frac{\sqrt{\alpha_t}(1-\bar\alpha_s)}{1-\bar\alpha_t}
              \quad\text{and}\quad \frac{\sqrt{\bar\alpha_s}\,\beta_t}{1-\bar\alpha_t}

    alpha_t: in (0, 1). alpha_bar_s: in (0, 1]. Broadcastable; each weight has their common shape. They do not
    sum to one. Source: SJTU tutorial, slide 19.
    """
    var_t = noise_var(alpha_t, alpha_bar_s)
    return sqrt(alpha_t) * (1 - alpha_bar_s) / var_t, sqrt(alpha_bar_s) * (1 - alpha_t) / var_t


def posterior_var(alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""Variance of the forward posterior q(x_s | x_t, x_0), per coordinate.  [POST-5, POST-6]

    .. math:: \tilde\beta_t = \frac{(1-\alpha_t)(1-\bar\alpha_s)}{1-\bar\alpha_t}

    alpha_t: broadcastable, in (0, 1). alpha_bar_s: broadcastable, in (0, 1]; 1 at s = 0, where it is 0.
    Source: Ho et al. 2020, eq. 7; SJTU tutorial, slide 19.
    """
    return (1 - alpha_t) * (1 - alpha_bar_s) / noise_var(alpha_t, alpha_bar_s)


def var_from_precisions(alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""The same variance, one over the sum of the two precisions.                    [POST-6]

    .. math:: \hat\sigma_{t-1}^2 = 1\Big/\Big(\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_{t-1}}\Big)

    alpha_t, alpha_bar_s: broadcastable, in (0, 1). Source: SJTU tutorial, slide 19.
    """
    return 1 / _precision(alpha_t, alpha_bar_s)


def mean_from_precisions(x_t: Array, x_0: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""The posterior mean as an average weighted by precision.                       [POST-7]

    .. math:: \hat\mu_{t-1} = \Big(\frac{\sqrt{\alpha_t}}{\beta_t}x_t
              +\frac{\sqrt{\bar\alpha_{t-1}}}{1-\bar\alpha_{t-1}}x_0\Big)
              \Big/\Big(\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_{t-1}}\Big)

    x_t, x_0: (..., d). alpha_t, alpha_bar_s: broadcastable, in (0, 1). Source: SJTU tutorial, slide 19.
    """
    return _evidence(x_t, x_0, alpha_t, alpha_bar_s) / _precision(alpha_t, alpha_bar_s)


def mean_from_var(x_t: Array, x_0: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""The posterior mean as the evidence times the posterior variance.              [POST-7]

    .. math:: \hat\mu_{t-1} = \Big(\frac{\sqrt{\alpha_t}}{\beta_t}x_t
              +\frac{\sqrt{\bar\alpha_{t-1}}}{1-\bar\alpha_{t-1}}x_0\Big)
              \frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t

    x_t, x_0: (..., d). alpha_t, alpha_bar_s: broadcastable, in (0, 1). Source: SJTU tutorial, slide 19.
    """
    return _evidence(x_t, x_0, alpha_t, alpha_bar_s) * posterior_var(alpha_t, alpha_bar_s)


def mean_from_eps(x_t: Array, eps: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""Mean of the reverse step, by the noise.              [POST-8, POST-10, PAR-2, DDPM-2]

    .. math:: \mu = \frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\,\epsilon\Big)

    x_t, eps: (..., d). alpha_t: in (0, 1). alpha_bar_s: in (0, 1]. Broadcastable.
    Source: Ho et al. 2020, eq. 11; SJTU tutorial, slides 19 and 23.
    """
    require_last_axis(x_t=x_t, eps=eps)
    return (x_t - (1 - alpha_t) / sqrt(noise_var(alpha_t, alpha_bar_s)) * eps) / sqrt(alpha_t)


def mean_from_score(x_t: Array, score: Array, alpha_t: Array) -> Array:
    r"""Mean of the reverse step, by the score.              [POST-14, PAR-3, DDPM-6, POST-13]

    .. math:: \mu = \frac{x_t+(1-\alpha_t)\,s}{\sqrt{\alpha_t}}

    With the conditional score it is the posterior mean; with the marginal score it is E[x_s | x_t], for any
    step size. x_t, score: (..., d). alpha_t: broadcastable, in (0, 1).
    """
    require_last_axis(x_t=x_t, score=score)
    return (x_t + (1 - alpha_t) * score) / sqrt(alpha_t)


def steps_of_grid(alpha_bar: Array, grid: Array) -> tuple[Array, Array]:
    r"""alpha_t and alpha_bar_s of every step of a grid of times, whatever its spacing.  [POST-5]

    .. math:: \alpha_{t\mid s} = \bar\alpha_t/\bar\alpha_s

    alpha_bar: (T+1,), index 0 is 1. grid: whole numbers, falling from at most T to 0, (N+1,). Returns two
    arrays (N,). The level before t is the next one of the grid, never t - 1 or t - T/N.
    """
    alpha_bar_s = alpha_bar[grid[1:]]
    return alpha_bar[grid[:-1]] / alpha_bar_s, alpha_bar_s


def _precision(alpha_t: Array, alpha_bar_s: Array) -> Array:
    return alpha_t / (1 - alpha_t) + 1 / (1 - alpha_bar_s)


def _evidence(x_t: Array, x_0: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    """What x_t and x_0 say about x_s, each times its precision."""
    require_last_axis(x_t=x_t, x_0=x_0)
    return sqrt(alpha_t) / (1 - alpha_t) * x_t + sqrt(alpha_bar_s) / (1 - alpha_bar_s) * x_0
