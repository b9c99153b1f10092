r"""Discrete laws: KL divergence, Bayes' rule, the chain rule, Jensen's inequality.          [GAU]

A law on K states is an array (..., K) that sums to one along its last axis.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, require_last_axis

__all__ = ["bayes", "chain_rule", "expected_log", "kl_discrete"]


def kl_discrete(p: Array, q: Array) -> Array:
    r"""KL divergence of p from q, in nats; 0 only where p = q.                        [GAU-6]

    .. math:: D_{KL}(p\Vert q)=\sum_k p_k\log\frac{p_k}{q_k}\ge0

    p: (..., K), >= 0, its zeros count nothing. q: (..., K), > 0 wherever p is. Returns (...).
    Source: Kim, 'VAE', eqs. 15 and 16; SJTU tutorial, slide 21.
    """
    require_last_axis(p=p, q=q)
    here = p > 0
    ratio = np.where(here, p, 1) / np.where(here, q, 1)
    return np.sum(p * np.log(ratio), axis=-1)


def bayes(likelihood: Array, prior: Array) -> Array:
    r"""Posterior of a state by Bayes' rule.                                           [GAU-8]

    .. math:: q(A\mid B)=\frac{q(B\mid A)\,q(A)}{q(B)},\qquad q(B)=\sum_A q(B\mid A)\,q(A)

    likelihood: (..., K), the probability of what was seen under each state. prior: (..., K), a law.
    Returns (..., K), a law. Source: SJTU tutorial, slide 16.
    """
    require_last_axis(likelihood=likelihood, prior=prior)
    joint = likelihood * prior
    return joint / np.sum(joint, axis=-1, keepdims=True)


def chain_rule(first: Array, second: Array) -> Array:
    r"""Joint law of x_1 and x_2 given x_0, by the chain rule.                        [GAU-11]

    .. math:: q(x_1, x_2\mid x_0) = q(x_2\mid x_1, x_0)\,q(x_1\mid x_0)

    first: q(x_1 | x_0), (K_0, K_1). second: q(x_2 | x_1, x_0), (K_0, K_1, K_2); in a Markov chain it is
    q(x_2 | x_1), (K_1, K_2). Returns (K_0, K_1, K_2). Source: SJTU tutorial, slide 14.
    """
    if np.shape(second)[-2] != np.shape(first)[-1]:
        raise ValueError(
            f"second has shape {np.shape(second)}; its axis before the last must be the states of x_1, "
            f"the last axis of first, shape {np.shape(first)}"
        )
    return first[..., :, None] * second


def expected_log(weights: Array, values: Array) -> Array:
    r"""E[log Y], by Jensen's inequality at most log E[Y]; equal where Y is constant.  [GAU-9]

    .. math:: \mathbb E[\log Y]\le\log\mathbb E[Y]

    weights: (..., K), a law. values: (..., K), Y > 0. Returns (...).
    Source: Kim, 'Diffusion Model', the ELBO of the hierarchical VAE.
    """
    require_last_axis(weights=weights, values=values)
    return np.sum(weights * np.log(values), axis=-1)
