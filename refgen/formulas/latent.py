r"""Models with a latent variable: the evidence lower bound, importance weights.                [ELBO]

A variational autoencoder has p(z) = N(0, I), a decoder p(x | z) = N(x_mean, x_var I) and an encoder
q(z | x) = N(mean, var), one variance for each coordinate. x_mean is what the decoder makes of z, mean and var
what the encoder makes of x: networks make them, and they come in here as arrays. x, x_mean: (..., d).
z, mean: (..., k). x_var, var: > 0, broadcastable against (..., d) and (..., k). All in nats.
"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.elementary import Array, log_sum_exp, require_last_axis, softmax, sqrt
from refgen.formulas.gaussian import kl_diagonal, log_prob_isotropic
from refgen.formulas.probability import kl_discrete

__all__ = [
    "draw",
    "elbo",
    "evidence_lines",
    "gap_falls",
    "importance_bound",
    "importance_weights",
    "kl_to_prior",
    "log_joint",
    "log_weight",
]


def evidence_lines(q: Array, joint: Array) -> Array:
    r"""The way from log p(x) to its lower bound, line by line, for a latent variable of K states.
    [ELBO-1, ELBO-2, ELBO-3]

    .. math::
       \log p(x) &= \log p(x)\sum_zq(z\mid x)                                               && (9)\\
                 &= \sum_zq(z\mid x)\,\log p(x)                                             && (10)\\
                 &= E_q[\log p(x)]                                                          && (11)\\
                 &= E_q[\log p(x,z)/p(z\mid x)]                                             && (12)\\
                 &= E_q[\log p(x,z)\,q(z\mid x)\,/\,p(z\mid x)\,q(z\mid x)]                 && (13)\\
                 &= E_q[\log p(x,z)/q(z\mid x)] + E_q[\log q(z\mid x)/p(z\mid x)]           && (14)\\
                 &= E_q[\log p(x,z)/q(z\mid x)] + D_{KL}(q(z\mid x)\Vert p(z\mid x))        && (15)\\
                 &\ge E_q[\log p(x,z)/q(z\mid x)]                                           && (16)

    q: (..., K), a law, > 0. joint: (..., K), p(x, z) of the x that was seen, > 0. Returns (..., 8): the
    right-hand sides of (9) to (16), the first seven equal. Source: Kim, 'VAE', and Luo 2022, numbered so.
    """
    require_last_axis(q=q, joint=joint)
    evidence = np.sum(joint, axis=-1, keepdims=True)
    posterior = joint / evidence
    log_p = np.log(evidence[..., 0])
    bound = np.sum(q * np.log(joint / q), axis=-1)
    lines = [
        log_p * np.sum(q, axis=-1),
        np.sum(q * log_p[..., None], axis=-1),
        np.sum(q * np.log(evidence), axis=-1),
        np.sum(q * np.log(joint / posterior), axis=-1),
        np.sum(q * np.log(joint * q / (posterior * q)), axis=-1),
        bound + np.sum(q * np.log(q / posterior), axis=-1),
        bound + kl_discrete(q, posterior),
        bound,
    ]
    return np.stack(lines, axis=-1)


def draw(mean: Array, var: Array, eps: Array) -> Array:
    r"""A draw of the latent variable out of noise: :math:`z=\mu+\sigma\odot\epsilon`.            [TAX-8]

    mean, eps: (..., k). var: >= 0; at var = 0 it is the code of an autoencoder that draws nothing, of which
    there is no bound: log q(z | x) does not exist. Source: Kingma & Welling 2014, section 2.4.
    """
    require_last_axis(mean=mean, eps=eps)
    return mean + sqrt(var) * eps


def log_joint(x: Array, z: Array, x_mean: Array, x_var: Array) -> Array:
    r"""log p(x, z) = log p(x | z) + log p(z) with p(z) = N(0, I). Returns (...).           [ELBO-4]"""
    return log_prob_isotropic(x, x_mean, x_var) + log_prob_isotropic(z, 0 * z, 1.0)


def log_weight(x: Array, z: Array, x_mean: Array, x_var: Array, mean: Array, var: Array) -> Array:
    r"""Logarithm of the importance weight of a draw z from q(z | x).              [ELBO-2, ELBO-3]

    .. math:: \log w = \log\frac{p(x,z)}{q(z\mid x)},\qquad E_q[\log w]=\mathrm{ELBO},\quad E_q[w]=p(x)

    Returns (...). Source: Kim, 'VAE', eq. 16; Burda et al. 2016, section 3.
    """
    return log_joint(x, z, x_mean, x_var) - log_prob_isotropic(z, mean, var)


def kl_to_prior(mean: Array, var: Array) -> Array:
    r"""KL divergence of q(z | x) = N(mean, var) from the prior N(0, I).                     [ELBO-4]

    .. math:: D_{KL} = \tfrac12\sum_i\big(\sigma_i^2+\mu_i^2-1-\log\sigma_i^2\big)

    Returns (...): the sum over coordinates. Without bound as var goes to 0, and as -k/2 log var does.
    Source: Kingma & Welling 2014, appendix B.
    """
    return kl_diagonal(mean, var, 0 * mean, 1.0)


def elbo(x: Array, x_mean: Array, x_var: Array, mean: Array, var: Array) -> Array:
    r"""The evidence lower bound of a point, by reconstruction and divergence from the prior.     [ELBO-4]

    .. math:: \mathrm{ELBO}=E_{q(z\mid x)}[\log p(x\mid z)]-D_{KL}(q(z\mid x)\Vert p(z))

    x_mean is the decoder's at a draw of z: the first term is then an estimate by one draw, without bias, and
    the second is exact. Returns (...). Source: Kim, 'VAE'; Kingma & Welling 2014, eqs. 3 and 10.
    """
    return log_prob_isotropic(x, x_mean, x_var) - kl_to_prior(mean, var)


def importance_bound(log_weights: Array, axis: int = -1) -> Array:
    r"""The bound of K draws: logarithm of their mean importance weight.         [ELBO-3, HVAE-5]

    .. math:: \mathcal L_K=\log\frac1K\sum_{k=1}^Kw_k,\qquad
              \mathrm{ELBO}=E[\mathcal L_1]\le E[\mathcal L_K]\le E[\mathcal L_{K+1}]\le\log p(x)

    log_weights: the K draws along `axis`. Returns the shape without it. Source: Burda et al. 2016, section 3.
    """
    return log_sum_exp(log_weights, axis) - math.log(np.shape(log_weights)[axis])


def importance_weights(log_weights: Array, axis: int = -1) -> Array:
    r"""The weights of K draws, summing to one: the gradient of the bound by their logarithms.   [ELBO-3]

    .. math:: \tilde w_k=\frac{w_k}{\sum_jw_j},\qquad
              \nabla\mathcal L_K=\sum_k\tilde w_k\,\nabla\log w_k\ne\frac1K\sum_k\nabla\log w_k

    log_weights: the K draws along `axis`. Returns the same shape. Source: Burda et al. 2016, section 3.
    """
    return softmax(log_weights, axis)


def gap_falls(elbo_rise: Array, log_likelihood_rise: Array) -> Array:
    r"""Whether q(z | x) has come closer to the posterior when the bound has risen.               [ELBO-5]

    .. math:: \Delta D_{KL}(q\Vert p(z\mid x)) = \Delta\log p(x)-\Delta\mathrm{ELBO} < 0

    With the decoder held fixed log p(x) does not move, and the divergence falls by what the bound rises.
    Where the decoder moves, both may rise. Source: Kim, 'VAE', which speaks of the first case.
    """
    return log_likelihood_rise < elbo_rise
