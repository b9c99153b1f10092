r"""Autoregressive models: a density one coordinate after the other, and those of a mixture exactly.   [TAX-5]

A coordinate, given those before it, has the law of a mixture of K Gaussians on the line. It is told by three
arrays (..., K): logits, whose softmax are the weights, means, and log_stds. Those of all coordinates of a
point are (..., d, K).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import autograd.numpy as np

from refgen.autodiff import array_module
from refgen.formulas import gaussian
from refgen.formulas.elementary import Array, log_softmax, log_sum_exp, require_last_axis

__all__ = [
    "ancestral",
    "cdf",
    "chain_rule_log_prob",
    "draw",
    "log_density",
    "log_prob",
    "log_weights",
    "mixture_conditional",
    "mixture_log_prob",
]

NODE_COUNT, FAR = 48, 9.0  # of Gauss's rule for the normal distribution function, and where that is 0 or 1


def log_weights(logits: Array) -> Array:
    r"""Logarithms of a softmax, :math:`a_k-\log\sum_l e^{a_l}`: finite where the weights underflow.

    logits: (..., K). Returns (..., K).
    """
    return log_softmax(logits)


def log_density(x: Array, logits: Array, means: Array, log_stds: Array) -> Array:
    r"""Log-density of a mixture on the line, by its logits and the logarithms of its stds.         [TAX-5]

    .. math:: \log p(x)=\log\sum_k\pi_k\,\frac1{s_k}\,\varphi\Big(\frac{x-m_k}{s_k}\Big),\qquad
              \pi=\mathrm{softmax}(a)

    x: (...). logits, means, log_stds: a, m and log s, (..., K). Returns (...).
    Source: Bishop 2006, section 5.6.
    """
    z = (x[..., None] - means) * np.exp(-log_stds)
    return log_sum_exp(logits - log_stds - 0.5 * z * z) - log_sum_exp(logits) - gaussian.log_normaliser(1.0)


def log_prob(x: Array, logits: Array, means: Array, log_stds: Array) -> Array:
    r"""Log-density by the chain rule, of coordinates that have each a mixture, all at once.         [TAX-5]

    .. math:: \log p(x)=\sum_{i=1}^d\log p(x_i\mid x_1,\dots,x_{i-1})

    x: (..., d). logits, means, log_stds: (..., d, K), those of coordinate i made of x_1 to x_(i-1) alone.
    Returns (...). Source: Bengio & Bengio 2000; van den Oord et al. 2016, eq. 1; Dong-A notes, 'The key
    challenge'.
    """
    require_last_axis(x=x, logits=logits[..., 0])
    return np.sum(log_density(x, logits, means, log_stds), axis=-1)


def chain_rule_log_prob(x: Array, conditional: Callable[[Array, Array], Array]) -> Array:
    r"""Log-density by the chain rule, one coordinate after the other; no constant is needed.         [TAX-5]

    .. math:: \log p(x)=\sum_{i=1}^d\log p(x_i\mid x_1,\dots,x_{i-1})

    x: (..., d). conditional: (x_<i, x_i) -> log p(x_i | x_<i), (..., i - 1) and (...) -> (...), a normalised
    density of x_i. Returns (...). Source: Dong-A notes, 'The key challenge'.
    """
    return sum(conditional(x[..., :i], x[..., i]) for i in range(np.shape(x)[-1]))


def cdf(x: Array, logits: Array, means: Array, log_stds: Array) -> Array:
    r"""Distribution function of a mixture on the line; uniform in [0, 1] where x is drawn from it.  [TAX-5]

    .. math:: F(x)=\sum_k\pi_k\,\Phi\Big(\frac{x-m_k}{s_k}\Big)

    Arguments as for `log_density`. Returns (...), off by rounding of 1.
    """
    z = (x[..., None] - means) * np.exp(-log_stds)
    return np.sum(np.exp(log_weights(logits)) * _normal_cdf(z), axis=-1)


def draw(u: Array, eps: Array, logits: Array, means: Array, log_stds: Array) -> Array:
    r"""A draw from a mixture on the line: u chooses the component, eps is its noise.               [TAX-5]

    .. math:: x=m_k+s_k\,\epsilon,\qquad \pi_1+\dots+\pi_{k-1}\le u<\pi_1+\dots+\pi_k

    u: (...), uniform in [0, 1). eps: (...), standard normal. logits, means, log_stds: (..., K).
    Returns (...).
    """
    borders = np.cumsum(np.exp(log_weights(logits)), axis=-1)[..., :-1]  # without the last, which rounds to 1
    chosen = np.sum(borders <= u[..., None], axis=-1, keepdims=True)
    mean, log_std = (np.take_along_axis(a, chosen, axis=-1)[..., 0] for a in (means, log_stds))
    return mean + np.exp(log_std) * eps


def ancestral(u: Array, eps: Array, conditional: Callable[[Array], tuple[Array, Array, Array]]) -> Array:
    r"""A draw of all coordinates, one after the other, each told those drawn before it.            [TAX-5]

    .. math:: x_i\sim p(x_i\mid x_1,\dots,x_{i-1}),\qquad i=1,\dots,d

    u, eps: (..., d), as for `draw`. conditional: x_<i, (..., i - 1) -> logits, means, log_stds of x_i,
    (..., K). Returns (..., d).
    """
    require_last_axis(u=u, eps=eps)
    x = u[..., :0]
    for i in range(np.shape(u)[-1]):
        new = draw(u[..., i], eps[..., i], *conditional(x))
        x = np.concatenate([x, new[..., None]], axis=-1)
    return x


def mixture_conditional(before: Array, weights: Array, means: Array, covs: Array) -> tuple[Array, ...]:
    r"""The next coordinate of a Gaussian mixture, given those before it: a mixture on the line.    [TAX-5]

    .. math:: p(x_i\mid x_{<i})=\sum_k\pi_k(x_{<i})\,p_k(x_i\mid x_{<i}),\qquad
              \pi_k(x_{<i})\propto w_k\,\mathcal N\big(x_{<i};m_{k,<i},S_{k,<i,<i}\big)

    with p_k the component, conditioned. before: x_<i, (..., i - 1), i - 1 in 0..d - 1. weights: (K,). means:
    (K, d). covs: (K, d, d), or a variance, () or (d,), that all share. Returns log pi, means and log_stds,
    (..., K) each. Raises ValueError where nothing is left to be told. Source: Bishop 2006, eqs. 2.81, 2.82.
    """
    i, d = np.shape(before)[-1], np.shape(means)[-1]
    if i >= d:
        raise ValueError(f"before has {i} coordinates; they must be fewer than those of means, {d}")
    seen, log_seen = before[..., None, :], 0.0
    if np.ndim(covs) < 3:
        var = covs * np.ones_like(means[0])
        log_seen = gaussian.log_prob_isotropic(seen, means[:, :i], var[:i])
        mean, var = means[:, i], var[i]
    elif i == 0:
        mean, var = means[:, 0], covs[:, 0, 0]
    else:
        log_seen = gaussian.log_prob(seen, means[:, :i], covs[:, :i, :i])
        mean, var = gaussian.condition(means[:, i::-1], covs[:, i::-1, i::-1], seen[..., ::-1])
        mean, var = mean[..., 0], var[:, 0, 0]
    each = array_module(before).zeros((*np.shape(before)[:-1], np.shape(means)[0]), before.dtype)
    return log_weights(np.log(weights) + log_seen + each), mean + each, 0.5 * np.log(var) + each


def mixture_log_prob(x: Array, weights: Array, means: Array, covs: Array) -> Array:
    r"""Log-density of a Gaussian mixture by its exact conditionals, one coordinate after the other. [TAX-5]

    .. math:: \log\sum_kw_k\,\mathcal N(x;m_k,S_k)=\sum_{i=1}^d\log p(x_i\mid x_{<i})

    x: (..., d). The others as for `mixture_conditional`. Returns (...).
    """
    require_last_axis(means=means, x=x)
    return chain_rule_log_prob(
        x, lambda before, here: log_density(here, *mixture_conditional(before, weights, means, covs))
    )


def _normal_cdf(z: Array) -> Array:
    """Phi(z), by Gauss's rule for the integral from 0 to z: as exact as rounding, on every device."""
    z = np.clip(z, -FAR, FAR)
    nodes, shares = _gauss_legendre(array_module(z), z.dtype)
    return 0.5 + z * np.sum(shares * np.exp(-0.5 * (z[..., None] * nodes) ** 2), axis=-1)


@cache
def _gauss_legendre(xp: Any, dtype: Any) -> tuple[Array, Array]:
    """Nodes on [0, 1] and their shares of the normal density, moved there once."""
    from scipy.special import roots_legendre  # here, since it takes a tenth of a second to import

    nodes, shares = roots_legendre(NODE_COUNT)
    shares = shares / (2 * math.sqrt(2 * math.pi))
    return xp.asarray((nodes + 1) / 2, dtype=dtype), xp.asarray(shares, dtype=dtype)
