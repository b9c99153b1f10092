r"""The variance of one reverse step: the two named choices and the best one between them.

The small variance is that of q(x_s | x_t, x_0), `posterior.posterior_var`, exact for data at one point; the
large one is that of the forward step, `forward.step_var`, exact for data from N(0, I). The best isotropic
variance lies between them where the data's variance is at most one.
"""

from __future__ import annotations

from refgen.formulas.elementary import Array
from refgen.formulas.forward import noise_var, step_var
from refgen.formulas.posterior import posterior_var

__all__ = ["optimal_var", "optimal_var_bounds"]


def optimal_var(alpha_t: Array, mean_square_score: Array) -> Array:
    r"""Isotropic variance of the reverse step that is closest in KL to the exact one.   [DDPM-7]

    .. math:: \sigma_t^{*2} = \frac1d\,\mathbb E\,\mathrm{tr}\,\mathrm{Cov}[x_s\mid x_t]
              = \frac{1-\alpha_t}{\alpha_t}\Big(1-\frac{1-\alpha_t}{d}\,
                \mathbb E\lVert\nabla\log q_t(x_t)\rVert^2\Big)

    alpha_t: in (0, 1). mean_square_score: :math:`\mathbb E\lVert\nabla\log q_t\rVert^2/d`, >= 0, the mean
    over x_t from the forward process and over coordinates. Broadcastable. An estimate of the mean needs
    the bounds of `optimal_var_bounds`: by itself it can make the variance negative.
    Source: Bao et al. 2022 (Analytic-DPM), theorem 1.
    """
    beta_t = step_var(alpha_t)
    return beta_t / alpha_t * (1 - beta_t * mean_square_score)


def optimal_var_bounds(
    alpha_t: Array, alpha_bar_s: Array, data_var: Array | None = None
) -> tuple[Array, Array]:
    r"""The (lower, upper) bound of `optimal_var` for data of a known variance.          [DDPM-7]

    .. math:: \tilde\beta_t \;\le\; \sigma_t^{*2} \;\le\; \beta_t\,
              \frac{\bar\alpha_s v+1-\bar\alpha_s}{\bar\alpha_t v+1-\bar\alpha_t}
              \;\le\; \frac{1-\alpha_t}{\alpha_t}

    alpha_t: in (0, 1). alpha_bar_s: in (0, 1], s = t - 1. data_var: v, the variance of the data averaged over
    coordinates, >= 0; the upper bound, that of the best linear denoiser, is reached by isotropic Gaussian
    data, is :math:`\beta_t` at v = 1 and the last term where v is not known (None). Broadcastable.
    Source: Bao et al. 2022 (Analytic-DPM), theorem 2 (the first and the last term).
    """
    beta_t, lower = step_var(alpha_t), posterior_var(alpha_t, alpha_bar_s)
    if data_var is None:
        return lower, beta_t / alpha_t
    var_s = alpha_bar_s * data_var + (1 - alpha_bar_s)
    var_t = alpha_t * alpha_bar_s * data_var + noise_var(alpha_t, alpha_bar_s)
    return lower, beta_t * var_s / var_t
