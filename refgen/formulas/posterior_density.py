r"""The forward posterior as a density: Bayes' rule, and its exponent before the square is completed.  [POST]

Minus twice the exponent of q(x_s | x_t, x_0), s = t - 1, is a bracket that the lectures write in three ways.
Each sums over coordinates and equals :math:`\lVert x_s-\hat\mu\rVert^2/\hat\sigma^2`, no constant left.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, require_last_axis, sqrt
from refgen.formulas.forward import noise_var, step_mean, step_var
from refgen.formulas.gaussian import log_prob_isotropic

__all__ = ["bracket", "bracket_collected", "bracket_expanded", "log_posterior"]


def log_posterior(x_s: Array, x_t: Array, x_0: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""log q(x_s | x_t, x_0) by Bayes' rule: a quotient of Gaussians, equal, not only ∝.   [POST-2]

    .. math:: \frac{\mathcal N(x_t;\sqrt{\alpha_t}x_s,(1-\alpha_t)I)\,
              \mathcal N(x_s;\sqrt{\bar\alpha_s}x_0,(1-\bar\alpha_s)I)}
              {\mathcal N(x_t;\sqrt{\bar\alpha_t}x_0,(1-\bar\alpha_t)I)}

    x_s, x_t, x_0: (..., d). alpha_t, alpha_bar_s: in (0, 1), numbers or (..., 1). Returns (...), in nats.
    Source: Luo 2022, eqs. 71 to 84; Kim, 'Diffusion Model'.
    """
    require_last_axis(x_s=x_s, x_t=x_t, x_0=x_0)
    signal_t = sqrt(alpha_t * alpha_bar_s)
    return (
        log_prob_isotropic(x_t, step_mean(x_s, alpha_t), step_var(alpha_t))
        + log_prob_isotropic(x_s, sqrt(alpha_bar_s) * x_0, 1 - alpha_bar_s)
        - log_prob_isotropic(x_t, signal_t * x_0, noise_var(alpha_t, alpha_bar_s))
    )


def bracket(x_s: Array, x_t: Array, x_0: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""The exponent by three squares: one step, s steps, and minus t steps.          [POST-3]

    .. math:: \frac{(x_t-\sqrt{\alpha_t}x_s)^2}{\beta_t}+\frac{(x_s-\sqrt{\bar\alpha_s}x_0)^2}{1-\bar\alpha_s}
              -\frac{(x_t-\sqrt{\bar\alpha_t}x_0)^2}{1-\bar\alpha_t}

    x_s, x_t, x_0: (..., d). alpha_t, alpha_bar_s: broadcastable, in (0, 1). Returns (...).
    Source: SJTU tutorial, slide 18, corrected.
    """
    require_last_axis(x_s=x_s, x_t=x_t, x_0=x_0)
    one_step = (x_t - sqrt(alpha_t) * x_s) ** 2 / (1 - alpha_t)
    clean_to_s = (x_s - sqrt(alpha_bar_s) * x_0) ** 2 / (1 - alpha_bar_s)
    return np.sum(one_step + clean_to_s - _clean_to_t(x_t, x_0, alpha_t, alpha_bar_s), axis=-1)


def bracket_expanded(x_s: Array, x_t: Array, x_0: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""The exponent with the first two squares multiplied out.                       [POST-3]

    .. math:: \frac{x_t^2-2\sqrt{\alpha_t}x_tx_s+\alpha_tx_s^2}{\beta_t}
              +\frac{x_s^2-2\sqrt{\bar\alpha_s}x_0x_s+\bar\alpha_sx_0^2}{1-\bar\alpha_s}
              -\frac{(x_t-\sqrt{\bar\alpha_t}x_0)^2}{1-\bar\alpha_t}

    Arguments as for `bracket`. Returns (...). Source: SJTU tutorial, slide 18, corrected.
    """
    require_last_axis(x_s=x_s, x_t=x_t, x_0=x_0)
    one_step = (x_t**2 - 2 * sqrt(alpha_t) * x_t * x_s + alpha_t * x_s**2) / (1 - alpha_t)
    clean_to_s = x_s**2 - 2 * sqrt(alpha_bar_s) * x_0 * x_s + alpha_bar_s * x_0**2
    clean_to_t = _clean_to_t(x_t, x_0, alpha_t, alpha_bar_s)
    return np.sum(one_step + clean_to_s / (1 - alpha_bar_s) - clean_to_t, axis=-1)


def bracket_collected(x_s: Array, x_t: Array, x_0: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""The exponent as a quadratic in x_s, A x_s^2 - B x_s + C.                      [POST-4]

    .. math:: \Big(\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_s}\Big)x_s^2
              -\Big(\frac{2\sqrt{\alpha_t}}{\beta_t}x_t+\frac{2\sqrt{\bar\alpha_s}}{1-\bar\alpha_s}x_0\Big)x_s
              +C(x_t,x_0),\quad
              C=\frac{x_t^2}{\beta_t}+\frac{\bar\alpha_sx_0^2}{1-\bar\alpha_s}
              -\frac{(x_t-\sqrt{\bar\alpha_t}x_0)^2}{1-\bar\alpha_t}

    Arguments as for `bracket`. Returns (...). Source: SJTU tutorial, slide 19.
    """
    require_last_axis(x_s=x_s, x_t=x_t, x_0=x_0)
    beta_t, var_s = 1 - alpha_t, 1 - alpha_bar_s
    quadratic = alpha_t / beta_t + 1 / var_s
    linear = 2 * sqrt(alpha_t) / beta_t * x_t + 2 * sqrt(alpha_bar_s) / var_s * x_0
    constant = x_t**2 / beta_t + alpha_bar_s / var_s * x_0**2 - _clean_to_t(x_t, x_0, alpha_t, alpha_bar_s)
    return np.sum(quadratic * x_s**2 - linear * x_s + constant, axis=-1)


def _clean_to_t(x_t: Array, x_0: Array, alpha_t: Array, alpha_bar_s: Array) -> Array:
    signal_t = sqrt(alpha_t * alpha_bar_s)
    return (x_t - signal_t * x_0) ** 2 / noise_var(alpha_t, alpha_bar_s)
