r"""The diffusion ELBO on a discrete Markov chain, where every expectation is a finite sum.   [DELBO]

A chain has K states and T steps: forward[t-1] is the table q(x_t | x_{t-1}), reverse[t-1] the table
p(x_{t-1} | x_t), rows summing to one; prior is p(x_T); x_0 is the clean state.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array

__all__ = ["consistency_elbo", "denoising_elbo", "marginals"]


def marginals(forward: Array, x_0: int) -> list[Array]:
    """q(x_t | x_0) for t = 0..T, each (K,). forward: (T, K, K)."""
    q = [np.eye(forward.shape[-1])[x_0]]
    for table in forward:
        q.append(q[-1] @ table)
    return q


def consistency_elbo(forward: Array, reverse: Array, prior: Array, x_0: int) -> Array:
    r"""The ELBO by consistency terms, in nats.                                      [DELBO-4]

    .. math:: E_{q(x_1\mid x_0)}[\log p(x_0\mid x_1)]
              - E_{q(x_{T-1}\mid x_0)}[D_{KL}(q(x_T\mid x_{T-1})\Vert p(x_T))]
              - \sum_{t=1}^{T-1} E_{q(x_{t-1},x_t,x_{t+1}\mid x_0)}
                \Big[\log\frac{q(x_t\mid x_{t-1})}{p(x_t\mid x_{t+1})}\Big]

    The last term is no expected KL divergence: under q, x_t depends on x_{t+1} as well.
    forward, reverse: (T, K, K). prior: (K,). Source: Kim, 'Diffusion Model', with its third term mended.
    """
    q, T = marginals(forward, x_0), len(forward)
    reconstruction = q[1] @ np.log(reverse[0][:, x_0])
    prior_matching = q[T - 1] @ np.sum(forward[T - 1] * np.log(forward[T - 1] / prior), axis=-1)
    consistency = 0.0
    for t in range(1, T):
        joint = q[t - 1][:, None, None] * forward[t - 1][:, :, None] * forward[t][None, :, :]
        ratio = np.log(forward[t - 1])[:, :, None] - np.log(reverse[t]).T[None, :, :]
        consistency = consistency + np.sum(joint * ratio)
    return reconstruction - prior_matching - consistency


def denoising_elbo(forward: Array, reverse: Array, prior: Array, x_0: int) -> Array:
    r"""The ELBO by denoising terms, in nats.                                        [DELBO-7]

    .. math:: E_{q(x_1\mid x_0)}[\log p(x_0\mid x_1)] - D_{KL}(q(x_T\mid x_0)\Vert p(x_T))
              - \sum_{t=2}^T E_{q(x_t\mid x_0)}[D_{KL}(q(x_{t-1}\mid x_t,x_0)\Vert p(x_{t-1}\mid x_t))]

    forward, reverse: (T, K, K). prior: (K,).
    Source: Kim, 'Diffusion Model'; SJTU tutorial, slide 21; Ho et al. 2020, eq. 5.
    """
    q, T = marginals(forward, x_0), len(forward)
    total = q[1] @ np.log(reverse[0][:, x_0]) - np.sum(q[T] * np.log(q[T] / prior))
    for t in range(2, T + 1):
        joint = q[t - 1][:, None] * forward[t - 1]  # q(x_{t-1}, x_t | x_0)
        posterior = joint / q[t]
        total = total - np.sum(joint * np.log(posterior / reverse[t - 1].T))
    return total
