r"""Paths x_0..x_T of a discrete diffusion chain, and the model's joint law read forwards.    [DELBO]

Tables as in `chain`: forward (T, K, K), q(x_t | x_{t-1}); reverse (T, K, K), p(x_{t-1} | x_t); prior (K,).
states: whole numbers (T+1, ...), the path, or many at once.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.chain import marginals
from refgen.formulas.elementary import Array

__all__ = [
    "forward_joint",
    "log_ratio",
    "model_marginals",
    "model_transitions",
    "negative_elbo",
    "posterior_gap",
    "telescoped_log_ratio",
]


def model_marginals(reverse: Array, prior: Array) -> list[Array]:
    """p(x_t) of the model for t = 0..T, each (K,)."""
    p = [prior]
    for table in reverse[::-1]:
        p.append(p[-1] @ table)
    return p[::-1]


def model_transitions(reverse: Array, prior: Array) -> list[Array]:
    r"""The model's own forward tables p(x_t | x_{t-1}), t = 1..T, rows by x_{t-1}.    [DELBO-1]

    .. math:: p(x_t\mid x_{t-1}) = p(x_{t-1}\mid x_t)\,p(x_t)/p(x_{t-1})

    Not those of q: a chain that is Markov backwards is Markov forwards, with tables of its own.
    """
    p = model_marginals(reverse, prior)
    return [np.transpose(table * p[t + 1][:, None]) / p[t][:, None] for t, table in enumerate(reverse)]


def forward_joint(reverse: Array, prior: Array) -> Array:
    r"""The model's joint law of x_0..x_T as a forward product.                        [DELBO-1]

    .. math:: p(x_{0:T}) = p(x_T\mid x_{T-1})\cdots p(x_1\mid x_0)\,p(x_0)
              = p(x_T)\prod_{t=1}^Tp(x_{t-1}\mid x_t)

    The factor p(x_0) belongs there. Returns an array with T+1 axes of length K.
    Source: SJTU tutorial, slide 17.
    """
    joint = model_marginals(reverse, prior)[0]
    for table in model_transitions(reverse, prior):
        joint = joint[..., None] * table
    return joint


def posterior_gap(forward: Array, reverse: Array, prior: Array, x_0: int) -> Array:
    r"""What the ELBO lacks of log p(x_0), in nats; >= 0.                              [DELBO-2]

    .. math:: D_{KL}(q(x_{1:T}\mid x_0)\Vert p(x_{1:T}\mid x_0))
              = \sum_{t=1}^T E_{q(x_{t-1}\mid x_0)}[D_{KL}(q(x_t\mid x_{t-1})\Vert p(x_t\mid x_{t-1}))]

    Both laws are Markov forwards, so the divergence is a sum over steps.
    """
    gap, q = 0.0, marginals(forward, x_0)
    for t, table in enumerate(model_transitions(reverse, prior)):
        gap = gap + q[t] @ np.sum(forward[t] * np.log(forward[t] / table), axis=-1)
    return gap


def negative_elbo(forward: Array, reverse: Array, prior: Array, x_0: int) -> Array:
    r"""Minus the ELBO, by the likelihood and the gap to it, in nats.                  [DELBO-2]

    .. math:: L = -\log p(x_0) + D_{KL}(q(x_{1:T}\mid x_0)\Vert p(x_{1:T}\mid x_0))
              = E_q\Big[\log\frac{q(x_{1:T}\mid x_0)}{p(x_{0:T})}\Big]

    Source: SJTU tutorial, slides 20 and 21; Kim, 'Diffusion Model', where it stands as a bound on log p.
    """
    log_likelihood = np.log(model_marginals(reverse, prior)[0][x_0])
    return posterior_gap(forward, reverse, prior, x_0) - log_likelihood


def log_ratio(forward: Array, reverse: Array, prior: Array, states: Array) -> Array:
    r"""log q(x_1..x_T | x_0) - log p(x_0..x_T) of a path, step by step.               [DELBO-3]

    .. math:: -\log p(x_T)+\sum_{t=1}^T\log\frac{q(x_t\mid x_{t-1})}{p(x_{t-1}\mid x_t)}

    Its mean over q is minus the ELBO. states: (T+1, ...). Returns (...). Source: SJTU tutorial, slide 21.
    """
    total = -np.log(prior)[states[-1]]
    for t in range(1, len(states)):
        s, x = states[t - 1], states[t]
        total = total + np.log(forward[t - 1])[s, x] - np.log(reverse[t - 1])[x, s]
    return total


def telescoped_log_ratio(forward: Array, x_0: int, states: Array) -> Array:
    r"""The marginals' ratios of a path from t = 2 on: only the last and the first stay.   [DELBO-6]

    .. math:: \sum_{t=2}^T\log\frac{q(x_t\mid x_0)}{q(x_{t-1}\mid x_0)}
              = \log\frac{q(x_T\mid x_0)}{q(x_1\mid x_0)}

    states: (T+1, ...). Returns (...). Source: SJTU tutorial, slide 21.
    """
    q = marginals(forward, x_0)
    return np.log(q[-1])[states[-1]] - np.log(q[1])[states[1]]
