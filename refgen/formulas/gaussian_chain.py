r"""The diffusion ELBO with a linear reverse model, where every expectation has a closed form.   [DELBO]

The forward process has alpha[t-1] at step t. The model is p(x_T) = N(0, I) and, with slope, offset and var
at index t - 1, p(x_{t-1} | x_t) = N(slope x_t + offset, var I). All four are arrays (T,), T >= 2, alpha in
(0, 1), var > 0; x_0 is (..., d). Results are (...), in nats.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elbo import l_T
from refgen.formulas.elementary import Array
from refgen.formulas.gaussian import kl_variances, log_normaliser
from refgen.formulas.posterior import mean_coefficients, posterior_var

__all__ = ["consistency_elbo", "denoising_elbo", "reconstruction"]


def _moments(x_0: Array, alpha: Array) -> tuple[list[Array], list[Array]]:
    """Mean and variance of q(x_t | x_0) for t = 0..T."""
    means, variances = [x_0], [0 * alpha[0]]
    for a in alpha:
        means.append(np.sqrt(a) * means[-1])
        variances.append(a * variances[-1] + (1 - a))
    return means, variances


def _square(mean: Array, var: Array) -> Array:
    """E of the squared norm, given the mean (..., d) and the variance of each coordinate."""
    return np.sum(mean**2 + var, axis=-1)


def reconstruction(x_0: Array, alpha: Array, slope: Array, offset: Array, var: Array) -> Array:
    r"""Reconstruction term of both forms, :math:`E_{q(x_1\mid x_0)}[\log p(x_0\mid x_1)]`.  [DELBO-13]"""
    error = x_0 - slope[0] * np.sqrt(alpha[0]) * x_0 - offset[0]
    square = _square(error, slope[0] ** 2 * (1 - alpha[0]))
    return -log_normaliser(var[0], np.shape(x_0)[-1]) - 0.5 * square / var[0]


def consistency_elbo(x_0: Array, alpha: Array, slope: Array, offset: Array, var: Array) -> Array:
    r"""The ELBO by consistency terms.                                     [DELBO-4, DELBO-8]

    .. math:: E_{q(x_1\mid x_0)}[\log p(x_0\mid x_1)]
              - E_{q(x_{T-1}\mid x_0)}[D_{KL}(q(x_T\mid x_{T-1})\Vert p(x_T))]
              - \sum_{t=1}^{T-1} E_{q(x_{t-1},x_t,x_{t+1}\mid x_0)}
                \Big[\log\frac{q(x_t\mid x_{t-1})}{p(x_t\mid x_{t+1})}\Big]

    In the sum stands the residual of x_t on x_{t+1}, made of x_t and of the noise that x_{t+1} adds to it.
    Source: Kim, 'Diffusion Model'; Luo 2022, eq. 45; with the third term mended.
    """
    means, variances = _moments(x_0, alpha)
    d, beta, T = np.shape(x_0)[-1], 1 - alpha, len(alpha)
    last = _square(means[T - 1], variances[T - 1])
    elbo = reconstruction(x_0, alpha, slope, offset, var)
    elbo = elbo - d * kl_variances(beta[T - 1], 1.0) - 0.5 * alpha[T - 1] * last
    for t in range(1, T):
        residual = means[t] - slope[t] * means[t + 1] - offset[t]
        of_x_t = (1 - slope[t] * np.sqrt(alpha[t])) ** 2 * variances[t]
        square = _square(residual, of_x_t + slope[t] ** 2 * beta[t])
        elbo = elbo - 0.5 * (d * (np.log(var[t] / beta[t - 1]) - 1) + square / var[t])
    return elbo


def denoising_elbo(x_0: Array, alpha: Array, slope: Array, offset: Array, var: Array) -> Array:
    r"""The ELBO by denoising terms.                                       [DELBO-7, DELBO-8]

    .. math:: E_{q(x_1\mid x_0)}[\log p(x_0\mid x_1)] - D_{KL}(q(x_T\mid x_0)\Vert p(x_T))
              - \sum_{t=2}^T E_{q(x_t\mid x_0)}[D_{KL}(q(x_{t-1}\mid x_t,x_0)\Vert p(x_{t-1}\mid x_t))]

    Source: Ho et al. 2020, eq. 5; Luo 2022, eq. 58; Kim, 'Diffusion Model'; SJTU tutorial, slide 21, mended.
    """
    means, variances = _moments(x_0, alpha)
    d, alpha_bar_s = np.shape(x_0)[-1], 1 + 0 * alpha[0]
    elbo = reconstruction(x_0, alpha, slope, offset, var)
    for t in range(2, len(alpha) + 1):
        alpha_bar_s = alpha_bar_s * alpha[t - 2]
        step = alpha[t - 1], alpha_bar_s
        of_x_t, of_x_0 = mean_coefficients(*step)
        gain = of_x_t - slope[t - 1]
        square = _square(gain * means[t] + of_x_0 * x_0 - offset[t - 1], gain**2 * variances[t])
        elbo = elbo - d * kl_variances(posterior_var(*step), var[t - 1]) - 0.5 * square / var[t - 1]
    return elbo - l_T(x_0, alpha_bar_s * alpha[-1])
