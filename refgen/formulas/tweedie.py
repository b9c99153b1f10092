r"""Tweedie's formula: the mean and covariance of what was noised, from the score of the noisy law.   [TWE]

z = mu + noise, noise ~ N(0, C) of known covariance, mu of any law. No density of mu is needed, only the score
of z. With x_t = signal x_0 + std eps it is the exact denoiser.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, identity_like, require_last_axis

__all__ = ["cov_from_hessian", "cov_from_jacobian", "denoised", "mean_square_error", "posterior_mean"]


def posterior_mean(z: Array, score: Array, noise_cov: Array) -> Array:
    r"""Mean of mu given z = mu + N(0, C).                                              [TWE-1]

    .. math:: \mathbb E[\mu\mid z]=z+C\,\nabla_z\log p(z)

    z, score: (..., d), the score that of the law of z. noise_cov: C, (d, d). Returns (..., d).
    Source: Efron 2011; Luo 2022; Kim, 'Diffusion Model'.
    """
    require_last_axis(z=z, score=score, noise_cov=noise_cov)
    return z + score @ np.swapaxes(noise_cov, -1, -2)


def denoised(x_t: Array, score: Array, signal: Array, std: Array) -> Array:
    r"""Clean data from the score.                                       [TWE-2, TWE-3, PAR-4]

    .. math:: \mathbb E[x_0\mid x_t]=\frac{x_t+(1-\bar\alpha_t)\,\nabla\log q_t(x_t)}{\sqrt{\bar\alpha_t}}

    With the score of q_t it is the posterior mean, not x_0 itself; with the conditional score of
    q(x_t | x_0) it is x_0. x_t, score: (..., d). signal: > 0, std: >= 0, broadcastable.
    Source: Luo 2022; Kim, 'Diffusion Model', corrected.
    """
    require_last_axis(x_t=x_t, score=score)
    return (x_t + std**2 * score) / signal


def cov_from_hessian(hessian: Array, signal: Array, std: Array) -> Array:
    r"""Covariance of x_0 given x_t, from the second derivative of log q_t.                [TWE-4]

    .. math:: \mathrm{Cov}[x_0\mid x_t]
              =\frac{1-\bar\alpha_t}{\bar\alpha_t}\big(I+(1-\bar\alpha_t)\nabla^2\log q_t(x_t)\big)

    hessian: (..., d, d), at x_t. signal: > 0, std: >= 0; numbers, or arrays (..., 1, 1). Returns (..., d, d).
    Source: Efron 2011; Bao et al. 2022 (Analytic-DPM).
    """
    require_square(hessian=hessian)
    return (std / signal) ** 2 * (identity_like(hessian) + std**2 * hessian)


def cov_from_jacobian(jacobian: Array, signal: Array, std: Array) -> Array:
    r"""Covariance of x_0 given x_t, from the derivative of the denoiser.                  [TWE-4]

    .. math:: \mathrm{Cov}[x_0\mid x_t]=\frac{1-\bar\alpha_t}{\sqrt{\bar\alpha_t}}\,
              \frac{\partial\hat x_0}{\partial x_t},\qquad\hat x_0(x_t)=\mathbb E[x_0\mid x_t]

    jacobian: (..., d, d), at x_t, symmetric where the denoiser is exact. signal: > 0, std: >= 0; numbers, or
    arrays (..., 1, 1). Returns (..., d, d). Source: `cov_from_hessian` and the derivative of `denoised`.
    """
    require_square(jacobian=jacobian)
    return std**2 / signal * jacobian


def mean_square_error(noise_cov: Array, fisher: Array) -> Array:
    r"""Mean squared error of Tweedie's estimate of mu; never above that of z itself.          [TWE-5]

    .. math:: \mathbb E\lVert\mathbb E[\mu\mid z]-\mu\rVert^2
              =\mathrm{tr}\,C-\mathrm{tr}\,C F C\le\mathrm{tr}\,C,\qquad
              F=\mathbb E[\nabla\log p(z)\,\nabla\log p(z)^\top]

    noise_cov: C, (..., d, d). fisher: F, (..., d, d). Returns (...).
    Source: the law of total variance; Efron 2011 on selection bias.
    """
    require_last_axis(noise_cov=noise_cov, fisher=fisher)
    return np.trace(noise_cov - noise_cov @ fisher @ noise_cov, axis1=-2, axis2=-1)


def require_square(**named: Array) -> None:
    """Raise ValueError unless the array is (..., d, d)."""
    for name, array in named.items():
        if np.ndim(array) < 2 or np.shape(array)[-1] != np.shape(array)[-2]:
            raise ValueError(f"{name} has shape {np.shape(array)}; it must be (..., d, d)")
