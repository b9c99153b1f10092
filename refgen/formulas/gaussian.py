r"""Gaussians: density, divergences, sums, conditioning.                                    [GAU]"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.elementary import Array, log, require_last_axis, sqrt

__all__ = [
    "complete_the_square",
    "condition",
    "kl_diagonal",
    "kl_gaussian",
    "kl_same_var",
    "kl_variances",
    "log_normaliser",
    "log_prob",
    "log_prob_isotropic",
    "merge_noise",
    "reparametrise",
    "sum_is_gaussian",
    "sum_of_gaussians",
]

LOG_2PI = math.log(2 * math.pi)


def log_normaliser(var: Array, d: int = 1) -> Array:
    r"""log of the integral of exp(-||x - mean||^2 / (2 var)) over d dimensions.       [GAU-1]

    .. math:: \ln Z = \tfrac d2\ln(2\pi\sigma^2)

    var: > 0, a number or an array. Returns its shape. Source: Bishop 2006, section 2.3.
    """
    return 0.5 * d * (LOG_2PI + log(var))


def log_prob(x: Array, mean: Array, cov: Array) -> Array:
    r"""Log-density of a Gaussian, by the Cholesky factor of its covariance.           [GAU-1]

    .. math:: \log\mathcal N(x;\mu,\Sigma) = -\tfrac12\big(d\ln 2\pi + \ln\det\Sigma
              + (x-\mu)^\top\Sigma^{-1}(x-\mu)\big)

    x, mean: (..., d). cov: (..., d, d), symmetric positive definite. Returns (...), in nats.
    Raises ValueError where the last axes differ. Source: Bishop 2006, section 2.3.
    """
    require_last_axis(x=x, mean=mean, cov=cov)
    root = np.linalg.cholesky(cov)
    z = (np.linalg.inv(root) @ (x - mean)[..., None])[..., 0]
    log_det = 2 * np.sum(np.log(np.diagonal(root, axis1=-1, axis2=-2)), axis=-1)
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
    return -np.sum(0.5 * z**2 + log_normaliser(var), axis=-1)


def sum_of_gaussians(
    mean_1: Array, var_1: Array, mean_2: Array, var_2: Array, covariance: Array = 0.0
) -> tuple[Array, Array]:
    r"""Mean and variance of X + Y for jointly Gaussian X and Y.                       [GAU-2]

    .. math:: X+Y\sim\mathcal N(\mu_1+\mu_2,\ \sigma_1^2+\sigma_2^2+2\,\mathrm{Cov}(X,Y))

    All broadcastable, per coordinate; var >= 0. covariance: 0 where X and Y are independent.
    Source: Kim, 'Diffusion Model'; SJTU tutorial, slide 15 (both for independent X and Y, without saying so).
    """
    return mean_1 + mean_2, var_1 + var_2 + 2 * covariance


def sum_is_gaussian(jointly_gaussian: bool, correlation: float) -> bool:
    r"""Whether X + Y is Gaussian, for X and Y that are each N(0, 1).                  [GAU-2]

    Jointly Gaussian they may be (independence is a case of it), or Y = S X with a random sign S of mean
    `correlation`, in [-1, 1]: then only a sign that is certain will do, and no correlation at all will not.
    """
    return jointly_gaussian or abs(correlation) == 1


def merge_noise(eps_1: Array, eps_2: Array, std_1: Array, std_2: Array) -> tuple[Array, Array]:
    r"""One standard normal noise, and its std, in place of two independent ones.      [GAU-3]

    .. math:: a\,\epsilon_1+b\,\epsilon_2=\sqrt{a^2+b^2}\;\epsilon,\qquad
              \epsilon=\frac{a\,\epsilon_1+b\,\epsilon_2}{\sqrt{a^2+b^2}}\sim\mathcal N(0,I)

    eps_1, eps_2: (..., d). std_1, std_2: a and b, broadcastable, not both zero. Returns (eps, std).
    Source: Kim, 'Diffusion Model'; SJTU tutorial, slide 15.
    """
    require_last_axis(eps_1=eps_1, eps_2=eps_2)
    std = sqrt(std_1**2 + std_2**2)
    return (std_1 * eps_1 + std_2 * eps_2) / std, std


def kl_gaussian(mean_0: Array, cov_0: Array, mean_1: Array, cov_1: Array) -> Array:
    r"""KL divergence of N(mean_0, cov_0) from N(mean_1, cov_1), in nats.              [GAU-4]

    .. math:: D_{KL} = \tfrac12\Big(\mathrm{tr}(\Sigma_1^{-1}\Sigma_0) - d
              + (\mu_1-\mu_0)^\top\Sigma_1^{-1}(\mu_1-\mu_0) + \ln\tfrac{\det\Sigma_1}{\det\Sigma_0}\Big)

    mean_0, mean_1: (..., d). cov_0, cov_1: (..., d, d), symmetric positive definite. Returns (...).
    Raises ValueError where the last axes differ. Source: SJTU tutorial, slide 22.
    """
    require_last_axis(mean_0=mean_0, mean_1=mean_1, cov_0=cov_0, cov_1=cov_1)
    d, shift = np.shape(mean_0)[-1], (mean_1 - mean_0)[..., None]
    trace = np.trace(np.linalg.solve(cov_1, cov_0), axis1=-2, axis2=-1)
    quadratic = np.sum(shift * np.linalg.solve(cov_1, shift), axis=(-2, -1))
    log_det_0, log_det_1 = np.linalg.slogdet(cov_0)[1], np.linalg.slogdet(cov_1)[1]
    return 0.5 * (trace - d + quadratic + log_det_1 - log_det_0)


def kl_diagonal(mean_0: Array, var_0: Array, mean_1: Array, var_1: Array) -> Array:
    r"""KL divergence of Gaussians with diagonal covariances, in nats.                 [GAU-4]

    .. math:: D_{KL} = \tfrac12\sum_i\Big(r_i-1-\ln r_i+\frac{(\mu_{1i}-\mu_{0i})^2}{\sigma_{1i}^2}\Big),
              \quad r_i=\frac{\sigma_{0i}^2}{\sigma_{1i}^2}

    mean_0, mean_1: (..., d). var_0, var_1: > 0, broadcastable against (..., d): a number, (..., 1), or (d,).
    Returns (...): the sum over coordinates, not their mean. Source: SJTU tutorial, slide 22, coordinatewise.
    """
    require_last_axis(mean_0=mean_0, mean_1=mean_1)
    return np.sum(kl_variances(var_0, var_1) + 0.5 * (mean_1 - mean_0) ** 2 / var_1, axis=-1)


def kl_variances(var_0: Array, var_1: Array) -> Array:
    r"""KL divergence of N(0, var_0) from N(0, var_1) on a line, in nats.                [GAU-4]

    .. math:: \tfrac12\big(r-1-\ln r\big),\qquad r=\frac{\sigma_0^2}{\sigma_1^2}

    var_0, var_1: > 0, numbers or arrays, broadcastable. Returns their shape. What variances that differ cost
    a coordinate, wherever the means are.
    """
    return 0.5 * ((var_0 - var_1) / var_1 + (log(var_1) - log(var_0)))


def kl_same_var(mean_0: Array, mean_1: Array, var: Array) -> Array:
    r"""KL divergence of two Gaussians of the same isotropic variance, in nats.        [GAU-5]

    .. math:: D_{KL}=\frac{\lVert\mu_0-\mu_1\rVert^2}{2\sigma^2}

    mean_0, mean_1: (..., d). var: > 0, broadcastable against (...). Returns (...).
    Source: Kim, 'Diffusion Model'; SJTU tutorial, slide 22 (a step of both).
    """
    require_last_axis(mean_0=mean_0, mean_1=mean_1)
    return np.sum((mean_0 - mean_1) ** 2, axis=-1) / (2 * var)


def complete_the_square(A: Array, B: Array, x: Array) -> Array:
    r"""A quadratic as a square: :math:`Ax^2-Bx+\tfrac{B^2}{4A} = A(x-\tfrac B{2A})^2`.  [GAU-7]

    A: not 0. A, B, x: broadcastable. Returns the right-hand side. Source: SJTU tutorial, slide 18.
    """
    return A * (x - B / (2 * A)) ** 2


def condition(mean: Array, cov: Array, observed: Array) -> tuple[Array, Array]:
    r"""Law of the first coordinates of a Gaussian, given the last ones.               [GAU-8]

    .. math:: x\mid y\sim\mathcal N\big(\mu_x+\Sigma_{xy}\Sigma_{yy}^{-1}(y-\mu_y),\
              \Sigma_{xx}-\Sigma_{xy}\Sigma_{yy}^{-1}\Sigma_{yx}\big)

    mean: (..., m + n). cov: (..., m + n, m + n), symmetric positive definite. observed: y, (..., n),
    the last n coordinates. Returns (mean, cov), (..., m) and (..., m, m).
    Source: Bishop 2006, eqs. 2.81 and 2.82.
    """
    require_last_axis(mean=mean, cov=cov)
    d, n = np.shape(mean)[-1], np.shape(observed)[-1]
    if n >= d:
        raise ValueError(f"observed has {n} coordinates; they must be fewer than those of mean, {d}")
    m = d - n
    cross = cov[..., m:, :m]
    gain = np.swapaxes(np.linalg.solve(cov[..., m:, m:], cross), -1, -2)
    surprise = (observed - mean[..., m:])[..., None]
    return mean[..., :m] + (gain @ surprise)[..., 0], cov[..., :m, :m] - gain @ cross


def reparametrise(mean: Array, root: Array, eps: Array) -> Array:
    r"""A draw from N(mean, root root^T) out of noise: :math:`x = \mu + L\epsilon`.   [GAU-10]

    mean: (d,) or (..., d). root: (d, d), any square root of the covariance. eps: (..., d), standard normal.
    Source: SJTU tutorial, slides 14 and 15.
    """
    require_last_axis(mean=mean, eps=eps, root=root)
    return mean + eps @ np.swapaxes(root, -1, -2)
