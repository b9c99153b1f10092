r"""Gaussians: density, divergences, sums, conditioning.                                    [GAU]"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.elementary import Array, log, require_last_axis, sqrt

__all__ = [
    "complete_the_square",
    "jensen_gap",
    "kl_gaussian",
    "log_prob",
    "log_prob_isotropic",
    "reparametrise",
]

LOG_2PI = math.log(2 * math.pi)


def log_prob(x: Array, mean: Array, cov: Array) -> Array:
    r"""Log-density of a Gaussian, by the Cholesky factor of its covariance.           [GAU-1]

    .. math:: \log\mathcal N(x;\mu,\Sigma) = -\tfrac12\big(d\ln 2\pi + \ln\det\Sigma
              + (x-\mu)^\top\Sigma^{-1}(x-\mu)\big)

    x, mean: (..., d). cov: (..., d, d), symmetric positive definite. Returns (...), in nats.
    Raises ValueError where the last axes differ. Source: SJTU tutorial, slide 18.
    """
    require_last_axis(x=x, mean=mean, cov=cov)
    root = np.linalg.cholesky(cov)
    z = np.linalg.solve(root, (x - mean)[..., None])[..., 0]
    log_det = 2 * np.sum(np.log(np.diagonal(root, axis1=-2, axis2=-1)), axis=-1)
    return -0.5 * (np.shape(x)[-1] * LOG_2PI + log_det + np.sum(z**2, axis=-1))


def log_prob_isotropic(x: Array, mean: Array, var: Array) -> Array:
    r"""Log-density of a Gaussian with the same variance in all coordinates, or one for each.   [GAU-1]

    .. math:: \log\mathcal N(x;\mu,\sigma^2I)
              = -\tfrac d2\ln(2\pi\sigma^2) - \frac{\lVert x-\mu\rVert^2}{2\sigma^2}

    x, mean: (..., d). var: > 0, broadcastable against (..., d): a number, (..., 1), or (d,). Returns (...).
    Raises ValueError where the last axes differ.
    """
    require_last_axis(x=x, mean=mean)
    z = (x - mean) / sqrt(var)
    return -0.5 * np.sum(z**2 + (LOG_2PI + log(var)), axis=-1)


def kl_gaussian(mean_0: Array, cov_0: Array, mean_1: Array, cov_1: Array) -> Array:
    r"""KL divergence of N(mean_0, cov_0) from N(mean_1, cov_1), in nats.              [GAU-4]

    .. math:: D_{KL} = \tfrac12\Big(\mathrm{tr}(\Sigma_1^{-1}\Sigma_0) - d
              + (\mu_1-\mu_0)^\top\Sigma_1^{-1}(\mu_1-\mu_0) + \ln\tfrac{\det\Sigma_1}{\det\Sigma_0}\Big)

    mean_0, mean_1: (..., d). cov_0, cov_1: (..., d, d), positive definite. Returns (...).
    Source: SJTU tutorial, slide 22.
    """
    require_last_axis(mean_0=mean_0, mean_1=mean_1, cov_0=cov_0, cov_1=cov_1)
    d, shift = np.shape(mean_0)[-1], (mean_1 - mean_0)[..., None]
    trace = np.trace(np.linalg.solve(cov_1, cov_0), axis1=-2, axis2=-1)
    quadratic = (np.swapaxes(shift, -1, -2) @ np.linalg.solve(cov_1, shift))[..., 0, 0]
    log_det_0, log_det_1 = np.linalg.slogdet(cov_0)[1], np.linalg.slogdet(cov_1)[1]
    return 0.5 * (trace - d + quadratic + log_det_1 - log_det_0)


def complete_the_square(A: Array, B: Array, x: Array) -> Array:
    r"""A quadratic as a square: :math:`Ax^2-Bx+\tfrac{B^2}{4A} = A(x-\tfrac B{2A})^2`.  [GAU-7]

    A: not 0. A, B, x: broadcastable. Returns the right-hand side. Source: SJTU tutorial, slide 18.
    """
    return A * (x - B / (2 * A)) ** 2


def jensen_gap(weights: Array, values: Array) -> Array:
    r"""log E[Y] - E[log Y], never negative.                                           [GAU-9]

    weights: (..., K), a distribution. values: (..., K), positive. Returns (...), 0 where Y is constant.
    Source: Kim, 'Diffusion Model' (the step from log E to E log).
    """
    return np.log(np.sum(weights * values, axis=-1)) - np.sum(weights * np.log(values), axis=-1)


def reparametrise(mean: Array, root: Array, eps: Array) -> Array:
    r"""A draw from N(mean, root root^T) out of noise: :math:`x = \mu + L\epsilon`.   [GAU-10]

    mean: (d,) or (..., d). root: (d, d), any square root of the covariance. eps: (..., d), standard normal.
    Source: SJTU tutorial, slides 14 and 15.
    """
    require_last_axis(mean=mean, eps=eps, root=root)
    return mean + eps @ np.swapaxes(root, -1, -2)
