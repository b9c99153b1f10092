r"""The posterior of one reverse step, q(x_s | x_t, x_0) with s = t - 1.                   [POST]"""

from __future__ import annotations

from refgen.formulas.elementary import Array, require_last_axis, sqrt
from refgen.formulas.forward import noise_var

__all__ = ["mean_from_eps", "mean_from_score", "posterior_mean", "posterior_var"]


def posterior_mean(x_t: Array, x_0: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""Mean of the forward posterior q(x_s | x_t, x_0), s = t - 1.                   [POST-5]

    .. math:: \tilde\mu_t = \frac{\sqrt{\alpha_t}(1-\bar\alpha_s)\,x_t + \sqrt{\bar\alpha_s}(1-\alpha_t)\,x_0}
                                 {1-\bar\alpha_t}

    x_t, x_0: (..., d). alpha_t: broadcastable, in (0, 1). alpha_bar_s: broadcastable, in (0, 1];
    1 at s = 0, where the mean is x_0. Raises ValueError where the last axes differ.
    Source: Ho et al. 2020, eq. 7; Luo 2022, eq. 84; Kim, 'Diffusion Model'; SJTU tutorial, slide 19.
    """
    require_last_axis(x_t=x_t, x_0=x_0)
    weighted = sqrt(alpha_t) * (1 - alpha_bar_s) * x_t + sqrt(alpha_bar_s) * (1 - alpha_t) * x_0
    return weighted / noise_var(alpha_t, alpha_bar_s)


def posterior_var(alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""Variance of the forward posterior q(x_s | x_t, x_0), per coordinate.  [POST-5, POST-6]

    .. math:: \tilde\beta_t = \frac{(1-\alpha_t)(1-\bar\alpha_s)}{1-\bar\alpha_t}

    alpha_t: broadcastable, in (0, 1). alpha_bar_s: broadcastable, in (0, 1]; 1 at s = 0, where it is 0.
    Source: Ho et al. 2020, eq. 7; SJTU tutorial, slide 19.
    """
    return (1 - alpha_t) * (1 - alpha_bar_s) / noise_var(alpha_t, alpha_bar_s)


def mean_from_eps(x_t: Array, eps: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""Mean of the reverse step, by the noise.                      [POST-8, PAR-2, DDPM-2]

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
