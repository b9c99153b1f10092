r"""The linear-Gaussian variational autoencoder, where everything has a closed form.             [ELBO]

.. math:: p(z)=\mathcal N(0,I),\qquad p(x\mid z)=\mathcal N(Wz+b,\ s^2I),\qquad q(z\mid x)=\mathcal N(m,V)

weight: W, (d, k). bias: b, (d,). var: s^2, > 0, a number. x: (..., d). mean: m, (..., k). cov: V, (k, k) or
(..., k, k), symmetric positive definite. Results are (...), in nats. Source of the model: Tipping & Bishop
1999, who call it probabilistic principal component analysis.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, identity_like, log, require_last_axis
from refgen.formulas.gaussian import LOG_2PI, kl_gaussian, log_prob, log_prob_isotropic

__all__ = [
    "best_diagonal",
    "best_likelihood",
    "best_model",
    "elbo",
    "gap",
    "log_likelihood",
    "marginal_cov",
    "negative_elbo",
    "posterior",
]


def marginal_cov(weight: Array, var: Array) -> Array:
    r"""Covariance of the model's law of x, :math:`WW^\top+s^2I`, (d, d); its mean is b.     [ELBO-1]"""
    outer = weight @ np.transpose(weight)
    return outer + var * identity_like(outer)


def log_likelihood(x: Array, weight: Array, bias: Array, var: Array) -> Array:
    r"""log p(x), the latent variable integrated out.                               [ELBO-1, ELBO-7]

    .. math:: \log p(x)=\log\int p(x\mid z)\,p(z)\,dz=\log\mathcal N(x;\,b,\,WW^\top+s^2I)
    """
    require_last_axis(x=x, bias=bias)
    return log_prob(x, bias + 0 * x, marginal_cov(weight, var))


def posterior(x: Array, weight: Array, bias: Array, var: Array) -> tuple[Array, Array]:
    r"""Mean (..., k) and covariance (k, k) of p(z | x): the encoder with the highest bound.  [ELBO-7, ELBO-8]

    .. math:: p(z\mid x)=\mathcal N\big(M^{-1}W^\top(x-b)/s^2,\ M^{-1}\big),\qquad M=I+W^\top W/s^2

    Source: Bishop 2006, eq. 12.42.
    """
    require_last_axis(x=x, bias=bias)
    cov = np.linalg.inv(_precision(weight, var))
    return (x - bias) @ weight @ cov / var, cov


def elbo(x: Array, mean: Array, cov: Array, weight: Array, bias: Array, var: Array) -> Array:
    r"""The evidence lower bound: mean reconstruction less divergence from the prior.         [ELBO-4]

    .. math:: \log\mathcal N(x;\,Wm+b,\,s^2I)-\frac{\mathrm{tr}(WVW^\top)}{2s^2}
              -D_{KL}(\mathcal N(m,V)\Vert\mathcal N(0,I))
    """
    require_last_axis(mean=mean, cov=cov, weight=weight)
    spread = np.sum((weight @ cov) * weight, axis=(-2, -1)) / (2 * var)
    reconstruction = log_prob_isotropic(x, mean @ np.transpose(weight) + bias, var) - spread
    mean, cov = _alike(mean, cov)
    return reconstruction - kl_gaussian(mean, cov, 0 * mean, 0 * cov + identity_like(cov))


def gap(x: Array, mean: Array, cov: Array, weight: Array, bias: Array, var: Array) -> Array:
    r"""What the bound lacks of log p(x): :math:`D_{KL}(q(z\mid x)\Vert p(z\mid x))\ge0`.  [ELBO-2, ELBO-5]"""
    require_last_axis(mean=mean, cov=cov, weight=weight)
    exact_mean, exact_cov = posterior(x, weight, bias, var)
    mean, cov = _alike(mean + 0 * exact_mean, cov)
    return kl_gaussian(mean, cov, exact_mean, 0 * cov + exact_cov)


def negative_elbo(x: Array, mean: Array, cov: Array, weight: Array, bias: Array, var: Array) -> Array:
    r"""The loss of a variational autoencoder, by the likelihood and the gap to it.             [ELBO-6]

    .. math:: L_{VAE}=-\log p(x)+D_{KL}(q(z\mid x)\Vert p(z\mid x))=-\mathrm{ELBO}

    Source: SJTU tutorial, slide 20.
    """
    return gap(x, mean, cov, weight, bias, var) - log_likelihood(x, weight, bias, var)


def best_diagonal(x: Array, weight: Array, bias: Array, var: Array) -> tuple[Array, Array]:
    r"""Mean (..., k) and variances (k,) of the best encoder with independent coordinates.   [ELBO-8, TAX-8]

    .. math:: m=E[z\mid x],\qquad v_i=1/M_{ii}=\frac1{1+\lVert w_i\rVert^2/s^2}

    Positive however good the decoder is. Not the diagonal of the posterior's covariance, which is larger
    unless the columns w_i of W are orthogonal. Source: Bishop 2006, section 10.1.2.
    """
    return posterior(x, weight, bias, var)[0], 1 / (1 + np.sum(weight**2, axis=0) / var)


def best_model(values: Array, axes: Array, k: int) -> tuple[Array, Array]:
    r"""The decoder of the highest likelihood, weight (d, k) and var: principal components.     [ELBO-8]

    .. math:: W=U_k(\Lambda_k-s^2I)^{1/2},\qquad s^2=\frac1{d-k}\sum_{i>k}\lambda_i,\qquad b=\bar x

    values: (d,), the eigenvalues of the data's covariance, the largest first, > 0. axes: (d, d), its
    eigenvectors as columns. 1 <= k < d. W may be turned in the space of z. With the best encoder it is where
    the bound is highest, too. Source: Bishop 2006, eqs. 12.45 and 12.46.
    """
    _require_fewer(k, values)
    require_last_axis(values=values, axes=axes)
    var = np.mean(values[k:])
    return axes[:, :k] * np.sqrt(values[:k] - var), var


def best_likelihood(values: Array, k: int) -> Array:
    r"""Mean log-likelihood of the data under `best_model`, per point.                          [ELBO-8]

    .. math:: -\tfrac12\Big(d\log2\pi+\sum_{i\le k}\log\lambda_i+(d-k)\log s^2+d\Big)

    values, k: as there. Source: Tipping & Bishop 1999, section 3.
    """
    _require_fewer(k, values)
    d = np.shape(values)[-1]
    log_det = np.sum(np.log(values[:k])) + (d - k) * log(np.mean(values[k:]))
    return -0.5 * (d * (LOG_2PI + 1) + log_det)


def _precision(weight: Array, var: Array) -> Array:
    inner = np.transpose(weight) @ weight / var
    return inner + identity_like(inner)


def _alike(mean: Array, cov: Array) -> tuple[Array, Array]:
    """Mean and covariance with the same leading axes, which a device's solver asks for."""
    return mean + 0 * cov[..., 0], cov + 0 * mean[..., None]


def _require_fewer(k: int, values: Array) -> None:
    if not 1 <= k < np.shape(values)[-1]:
        raise ValueError(f"k is {k}; it must be at least 1 and below the dimension {np.shape(values)[-1]}")
