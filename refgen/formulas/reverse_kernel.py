r"""The true reverse step q(x_s | x_t), s = t - 1, which does not know x_0.                [POST]

It is the forward step times a ratio of marginals, so Gaussian only where the data are; for a small
beta = 1 - alpha_t it is nearly so, and its mean and covariance follow from the score and its Jacobian.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, identity_like, require_last_axis, sqrt
from refgen.formulas.forward import step_mean, step_var
from refgen.formulas.gaussian import log_normaliser, log_prob_isotropic

__all__ = [
    "first_order_mean_and_var",
    "is_gaussian",
    "log_reverse",
    "log_reverse_first_order",
    "reverse_cov",
]


def log_reverse(x_s: Array, x_t: Array, alpha_t: Array, log_q_s: Array, log_q_t: Array) -> Array:
    r"""log q(x_s | x_t) by Bayes' rule: the forward step, tilted by the marginals.    [POST-11]

    .. math:: q(x_{t-1}\mid x_t)=q(x_t\mid x_{t-1})\exp\big(\log q_{t-1}(x_{t-1})-\log q_t(x_t)\big)

    x_s, x_t: (..., d). alpha_t: in (0, 1), a number or (..., 1). log_q_s, log_q_t: (...), the log-marginals
    at x_s and x_t; with log q_t(x_s) for log q_{t-1}(x_s) the result is off by O(beta) [POST-12].
    Returns (...), in nats. Source: SJTU tutorial, slide 16.
    """
    require_last_axis(x_s=x_s, x_t=x_t)
    return log_prob_isotropic(x_t, step_mean(x_s, alpha_t), step_var(alpha_t)) + log_q_s - log_q_t


def log_reverse_first_order(x_s: Array, x_t: Array, alpha_t: Array, score_t: Array) -> Array:
    r"""log q(x_s | x_t) to first order in beta, by the score at x_t alone.            [POST-12]

    .. math:: q(x_{t-1}\mid x_t)\approx(2\pi\beta_t)^{-d/2}
              \exp\Big(-\frac{\lVert x_t-\sqrt{1-\beta_t}\,x_{t-1}\rVert^2}{2\beta_t}
              +(x_{t-1}-x_t)^\top\nabla\log q_t(x_t)\Big)

    x_s, x_t, score_t: (..., d). alpha_t: 1 - beta_t, in (0, 1), a number or (...). Returns (...), in nats.
    Off by O(beta) where x_s is within a few sqrt(beta) of x_t; not normalised.
    Source: SJTU tutorial, slide 16, corrected.
    """
    require_last_axis(x_s=x_s, x_t=x_t, score_t=score_t)
    beta_t, d = 1 - alpha_t, np.shape(x_t)[-1]
    residual = x_t - sqrt(alpha_t) * x_s
    tilt = np.sum((x_s - x_t) * score_t, axis=-1)
    return -log_normaliser(beta_t, d) - np.sum(residual**2, axis=-1) / (2 * beta_t) + tilt


def first_order_mean_and_var(x_t: Array, score_t: Array, alpha_t: Array) -> tuple[Array, Array]:
    r"""The Gaussian that `log_reverse_first_order` is up to a constant: mean and variance.   [POST-13]

    .. math:: \frac{x_t}{\sqrt{1-\beta_t}}+\frac{\beta_t}{1-\beta_t}\nabla\log q_t(x_t),
              \qquad \frac{\beta_t}{1-\beta_t}

    x_t, score_t: (..., d). alpha_t: in (0, 1), broadcastable. Its mean differs from E[x_s | x_t], which is
    `posterior.mean_from_score`, by O(beta^2). Source: completing the square on SJTU tutorial, slide 16.
    """
    require_last_axis(x_t=x_t, score_t=score_t)
    var = (1 - alpha_t) / alpha_t
    return x_t / sqrt(alpha_t) + var * score_t, var


def reverse_cov(alpha_t: Array, score_jacobian: Array) -> Array:
    r"""Covariance of q(x_s | x_t), exact for every step size.                        [POST-15]

    .. math:: \mathrm{Cov}[x_{t-1}\mid x_t]
              = \frac{\beta_t}{\alpha_t}\big(I+\beta_t\,\nabla^2\log q_t(x_t)\big)

    alpha_t: in (0, 1), a number or (..., 1, 1). score_jacobian: the Hessian of log q_t at x_t, (..., d, d).
    Returns (..., d, d). With `posterior.mean_from_score` it makes the Gaussian closest to q(x_s | x_t) in KL.
    Source: Tweedie's second moment, Efron 2011; its mean over x_t is in Bao et al. 2022, theorem 1.
    """
    beta_t = 1 - alpha_t
    return beta_t / alpha_t * (identity_like(score_jacobian) + beta_t * score_jacobian)


def is_gaussian(means: Array, variances: Array, beta_t: float) -> Array:
    r"""Whether q(x_s | x_t) is Gaussian for data from a 1-D mixture: only if the data are.   [POST-15]

    means, variances: (K,), the components, all with positive weight. beta_t: in (0, 1), and of no importance:
    a small one makes the step nearly Gaussian (the KL divergence falls as beta_t^3), none makes it so.
    """
    return np.all(means == means[0]) & np.all(variances == variances[0])
