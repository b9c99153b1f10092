r"""Gaussian mixtures: density, score, and the exact posterior of clean data at every noise level.  [FWD-11]

Throughout, a mixture is :math:`\sum_k w_k\,\mathcal N(m_k, S_k)` and its noisy version is the law of
x_t = signal x_0 + std eps, which is a mixture with the same weights. The covariances `covs` are stored in one
of two forms:

* (K, d, d): one full covariance matrix for each component, symmetric positive definite;
* () or (d,): one variance, or one per coordinate, shared by all components. A thousand components along a
  curve, or the points of a data set (variance 0), cost no matrices and run as matrix products.
"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.elementary import Array, identity_like, log_sum_exp, require_last_axis, softmax
from refgen.formulas.gaussian import LOG_2PI

__all__ = [
    "cov",
    "diffused_covs",
    "diffused_means",
    "log_prob",
    "mean",
    "posterior_cov",
    "posterior_mean",
    "responsibilities",
    "score",
    "squared_distances",
]

SMALL_DIMENSION = 8  # up to here, differences coordinate by coordinate are as fast as a product, and exact


def diffused_means(means: Array, signal: float) -> Array:
    r"""Component means of the noisy mixture, :math:`\mathrm{signal}\,m_k`; means: (K, d).   [FWD-11]"""
    return signal * means


def diffused_covs(covs: Array, signal: float, std: float) -> Array:
    r"""Component covariances of the noisy mixture.                                   [FWD-11]

    .. math:: x_0\sim\sum_k w_k\,\mathcal N(m_k, S_k)\ \Rightarrow\
              x_t\sim\sum_k w_k\,\mathcal N(\sqrt{\bar\alpha_t}\,m_k,\ \bar\alpha_t S_k+(1-\bar\alpha_t) I)

    covs: (K, d, d), (d,) or (). signal, std: numbers >= 0. Returns the shape of covs.
    Source: a linear map of independent Gaussians is Gaussian; Ho et al. 2020, eq. 4.
    """
    if np.ndim(covs) == 3:
        return signal**2 * covs + std**2 * identity_like(covs)
    return signal**2 * covs + std**2


def mean(weights: Array, means: Array) -> Array:
    r"""Mean of a mixture, :math:`\sum_k w_k m_k`. weights: (K,). means: (K, d). Returns (d,)."""
    return weights @ means


def cov(weights: Array, means: Array, covs: Array) -> Array:
    r"""Covariance of a mixture, within and between its components.                   [FWD-10]

    .. math:: \mathrm{Cov}(x)=\sum_k w_k\big(S_k+(m_k-\bar m)(m_k-\bar m)^\top\big)

    weights: (K,). means: (K, d). covs: (K, d, d), (d,) or (). Returns (d, d).
    """
    centred = means - mean(weights, means)
    between = np.transpose(centred) @ (weights[:, None] * centred)
    if np.ndim(covs) == 3:
        return between + np.einsum("k,kij->ij", weights, covs)
    return between + covs * identity_like(means)


def log_prob(x: Array, weights: Array, means: Array, covs: Array) -> Array:
    r"""Log-density of a mixture.                                                      [GAU-1]

    .. math:: \log p(x)=\log\sum_k w_k\det(2\pi S_k)^{-1/2}\exp\big(-\tfrac12(x-m_k)^\top S_k^{-1}(x-m_k)\big)

    x: (..., d). weights: (K,), > 0, sum 1. means: (K, d). covs: (K, d, d), (d,) or (), positive.
    Returns (...). Raises ValueError where the last axes differ. Finite wherever the log of the density is.
    """
    require_last_axis(means=means, x=x)
    log_joint = _log_joint(_flat(x), weights, means, covs)
    return np.reshape(log_sum_exp(log_joint), np.shape(x)[:-1])


def responsibilities(x: Array, weights: Array, means: Array, covs: Array) -> Array:
    r"""Probability that x came from each component, by Bayes' rule.          [GAU-8, POST-11]

    .. math:: r_k(x)=\frac{w_k\,\mathcal N(x;m_k,S_k)}{\sum_l w_l\,\mathcal N(x;m_l,S_l)}

    Arguments as for `log_prob`. Returns (..., K); sums to one along the last axis.
    """
    require_last_axis(means=means, x=x)
    r = _responsibilities(_flat(x), weights, means, covs)
    return np.reshape(r, (*np.shape(x)[:-1], np.shape(means)[0]))


def score(x: Array, weights: Array, means: Array, covs: Array) -> Array:
    r"""Score of a mixture: the components' scores, weighted by their responsibilities. [FWD-11]

    .. math:: \nabla\log p(x)=\sum_k r_k(x)\,S_k^{-1}(m_k-x)

    Arguments as for `log_prob`. Returns (..., d).
    """
    require_last_axis(means=means, x=x)
    points = _flat(x)
    r = _responsibilities(points, weights, means, covs)
    if np.ndim(covs) == 3:
        whiten, z = _whitened(points, means, covs)
        result = -np.sum(np.transpose(r)[:, :, None] * (z @ whiten), axis=0)
    else:
        result = (r @ means - points) / covs
    return np.reshape(result, np.shape(x))


def posterior_mean(x_t: Array, weights: Array, means: Array, covs: Array, signal: float, std: float) -> Array:
    r"""The exact denoiser :math:`E[x_0\mid x_t]` of a mixture.                [FWD-11, TWE-2]

    .. math:: E[x_0\mid x_t]=\sum_k r_k(x_t)\,\mu_k,\quad
              \mu_k=m_k+\mathrm{signal}\,S_k(\mathrm{signal}^2S_k+\mathrm{std}^2I)^{-1}(x_t-\mathrm{signal}\,m_k)

    with responsibilities r_k of the noisy mixture. x_t: (..., d). weights, means, covs: the clean mixture;
    a variance of 0 means points. signal, std: numbers >= 0; std > 0 where covs is 0. Returns (..., d).
    Source: conditioning a Gaussian, for each component; Efron 2011, eq. 1.2, gives the same by the score.
    """
    require_last_axis(means=means, x_t=x_t)
    points = _flat(x_t)
    r = _responsibilities(points, weights, diffused_means(means, signal), diffused_covs(covs, signal, std))
    if np.ndim(covs) == 3:
        mu, _ = _component_posteriors(points, means, covs, signal, std)
        result = np.sum(np.transpose(r)[:, :, None] * mu, axis=0)
    else:
        centre = r @ means
        gain = signal * covs / diffused_covs(covs, signal, std)
        result = centre + gain * (points - signal * centre)
    return np.reshape(result, np.shape(x_t))


def posterior_cov(x_t: Array, weights: Array, means: Array, covs: Array, signal: float, std: float) -> Array:
    r"""Covariance of x_0 given x_t, exactly.                                   [FWD-11, TWE-4]

    .. math:: \mathrm{Cov}[x_0\mid x_t]=\sum_k r_k\big(P_k+(\mu_k-\bar\mu)(\mu_k-\bar\mu)^\top\big),\quad
              P_k=\mathrm{std}^2\,S_k(\mathrm{signal}^2S_k+\mathrm{std}^2I)^{-1}

    with r_k and mu_k as for `posterior_mean`; a sum of positive terms, so nothing cancels at small std.
    Arguments as for `posterior_mean`. Returns (..., d, d).
    """
    require_last_axis(means=means, x_t=x_t)
    points, d = _flat(x_t), np.shape(means)[-1]
    noisy = diffused_covs(covs, signal, std)
    r = _responsibilities(points, weights, diffused_means(means, signal), noisy)
    if np.ndim(covs) == 3:
        mu, within = _component_posteriors(points, means, covs, signal, std)
        mu = np.swapaxes(mu, 0, 1)
        inside = np.reshape(r @ np.reshape(within, (-1, d * d)), (-1, d, d))
    else:
        mu = (std**2 / noisy) * means  # up to gain x_t, which all components share
        inside = std**2 * covs / noisy * identity_like(points)
    centred = mu - np.sum(r[:, :, None] * mu, axis=1, keepdims=True)
    between = np.swapaxes(r[:, :, None] * centred, 1, 2) @ centred
    return np.reshape(inside + between, (*np.shape(x_t), d))


def squared_distances(a: Array, b: Array) -> Array:
    r""":math:`\lVert a_i-b_k\rVert^2` for all pairs; a: (n, d), b: (K, d). Returns (n, K).

    In few dimensions by differences, which lose nothing where a is near b; else as one matrix product,
    :math:`\lVert a\rVert^2-2a^\top b+\lVert b\rVert^2` about the centre of b.
    """
    d = np.shape(b)[-1]
    if d <= SMALL_DIMENSION:
        return sum((a[:, j, None] - b[:, j]) ** 2 for j in range(d))
    centre = np.mean(b, axis=0)
    a, b = a - centre, b - centre
    squares = np.sum(a**2, axis=-1)[:, None] + np.sum(b**2, axis=-1)
    return np.maximum(squares - 2 * (a @ np.transpose(b)), 0)


def _flat(x: Array) -> Array:
    """The points of (..., d) as (n, d)."""
    return np.reshape(x, (math.prod(np.shape(x)[:-1]), np.shape(x)[-1]))


def _log_joint(points: Array, weights: Array, means: Array, covs: Array) -> Array:
    """log w_k + log N(x; m_k, S_k) for points (n, d), as (n, K)."""
    d = np.shape(means)[-1]
    if np.ndim(covs) == 3:
        _, z = _whitened(points, means, covs)
        squares, log_det = np.transpose(np.sum(z**2, axis=-1)), np.linalg.slogdet(covs)[1]
    else:
        std = np.sqrt(covs * np.ones_like(means[0]))
        squares, log_det = squared_distances(points / std, means / std), 2 * np.sum(np.log(std))
    return (np.log(weights) - 0.5 * (d * LOG_2PI + log_det)) - 0.5 * squares


def _responsibilities(points: Array, weights: Array, means: Array, covs: Array) -> Array:
    """Softmax of the log-joint, for points (n, d), as (n, K)."""
    return softmax(_log_joint(points, weights, means, covs))


def _whitened(points: Array, means: Array, covs: Array) -> tuple[Array, Array]:
    """W_k with W_k^T W_k = S_k^-1, as (K, d, d), and z_k = W_k (x - m_k), as (K, n, d)."""
    whiten = np.linalg.inv(np.linalg.cholesky(covs))
    return whiten, (points[None] - means[:, None]) @ np.swapaxes(whiten, 1, 2)


def _component_posteriors(
    points: Array, means: Array, covs: Array, signal: float, std: float
) -> tuple[Array, Array]:
    """Each component's posterior of x_0: means (K, n, d) and covariances (K, d, d)."""
    shrink = np.linalg.solve(diffused_covs(covs, signal, std), covs)
    mu = means[:, None] + signal * (points[None] - signal * means[:, None]) @ shrink
    return mu, std**2 * shrink
