r"""The diffusion ELBO on a discrete Markov chain, where every expectation is a finite sum.   [DELBO]

A chain has K states and T steps: forward[t-1] is the table q(x_t | x_{t-1}), reverse[t-1] the table
p(x_{t-1} | x_t), rows summing to one; prior is p(x_T); x_0 is the clean state. All entries are positive.
`chain_paths` holds what is said of single paths x_0..x_T and of the model's own joint law.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, identity_like

__all__ = [
    "consistency_elbo",
    "consistency_terms",
    "denoising_elbo",
    "denoising_terms",
    "marginals",
    "posterior",
    "reconstruction",
    "transition",
]


def marginals(forward: Array, x_0: int) -> list[Array]:
    """q(x_t | x_0) for t = 0..T, each (K,). forward: (T, K, K)."""
    q = [identity_like(forward)[x_0]]
    for table in forward:
        q.append(q[-1] @ table)
    return q


def posterior(forward: Array, x_0: int, t: int) -> Array:
    r"""The table q(x_{t-1} | x_t, x_0), rows by x_t, by Bayes' rule.                  [POST-1]

    .. math:: q(x_{t-1}\mid x_t,x_0)=\frac{q(x_t\mid x_{t-1})\,q(x_{t-1}\mid x_0)}{q(x_t\mid x_0)}

    where q(x_t | x_{t-1}, x_0) = q(x_t | x_{t-1}), because the chain is Markov.
    forward: (T, K, K). t: 1..T. Returns (K, K). Source: Luo 2022, eq. 46; Kim, 'Diffusion Model'.
    """
    q = marginals(forward, x_0)
    return np.transpose(q[t - 1][:, None] * forward[t - 1] / q[t])


def transition(posterior: Array, q_t: Array, q_s: Array) -> Array:
    r"""The forward table q(x_t | x_{t-1}) out of the posterior: Bayes' rule the other way.   [DELBO-5]

    .. math:: q(x_t\mid x_{t-1}) = q(x_t\mid x_{t-1},x_0)
              = \frac{q(x_{t-1}\mid x_t,x_0)\,q(x_t\mid x_0)}{q(x_{t-1}\mid x_0)}

    posterior: (K, K), rows by x_t. q_t, q_s: (K,), the marginals given x_0 at t and at s = t - 1 >= 1.
    Returns (K, K), rows by x_{t-1}. Source: SJTU tutorial, slide 21; Luo 2022, eq. 46.
    """
    return np.transpose(posterior) * q_t / q_s[:, None]


def reconstruction(forward: Array, reverse: Array, x_0: int) -> Array:
    r"""The reconstruction term :math:`E_{q(x_1\mid x_0)}[\log p(x_0\mid x_1)]`, in nats.   [DELBO-13]

    Minus a KL divergence of the certain x_0 from p(x_0 | x_1), because x_0 is discrete; for continuous x_0
    that divergence is infinite. forward, reverse: (T, K, K). Source: SJTU tutorial, slides 21 to 23.
    """
    return forward[0][x_0] @ np.log(reverse[0][:, x_0])


def consistency_terms(forward: Array, reverse: Array, x_0: int) -> list[Array]:
    r"""The T - 1 consistency terms, t = 1..T-1, in nats.                   [DELBO-4, DELBO-15]

    .. math:: E_{q(x_{t-1},x_t,x_{t+1}\mid x_0)}\Big[\log\frac{q(x_t\mid x_{t-1})}{p(x_t\mid x_{t+1})}\Big]

    No expected KL divergence: under q, x_t depends on x_{t+1} as well as on x_{t-1}. A term can be negative.
    forward, reverse: (T, K, K). Source: Luo 2022, eq. 45, and Kim, 'Diffusion Model', both with a KL here.
    """
    q, terms = marginals(forward, x_0), []
    for t in range(1, len(forward)):
        joint = q[t - 1][:, None, None] * forward[t - 1][:, :, None] * forward[t][None, :, :]
        ratio = np.log(forward[t - 1])[:, :, None] - np.log(np.transpose(reverse[t]))[None, :, :]
        terms.append(np.sum(joint * ratio))
    return terms


def consistency_elbo(forward: Array, reverse: Array, prior: Array, x_0: int) -> Array:
    r"""The ELBO by consistency terms, in nats.                            [DELBO-4, DELBO-8]

    .. math:: E_{q(x_1\mid x_0)}[\log p(x_0\mid x_1)]
              - E_{q(x_{T-1}\mid x_0)}[D_{KL}(q(x_T\mid x_{T-1})\Vert p(x_T))]
              - \sum_{t=1}^{T-1} E_{q(x_{t-1},x_t,x_{t+1}\mid x_0)}
                \Big[\log\frac{q(x_t\mid x_{t-1})}{p(x_t\mid x_{t+1})}\Big]

    forward, reverse: (T, K, K). prior: (K,). Source: Kim, 'Diffusion Model'; Luo 2022, eq. 45; with the
    third term mended.
    """
    kl = np.sum(forward[-1] * np.log(forward[-1] / prior), axis=-1)
    prior_matching = marginals(forward, x_0)[-2] @ kl
    return (
        reconstruction(forward, reverse, x_0) - prior_matching - sum(consistency_terms(forward, reverse, x_0))
    )


def denoising_terms(forward: Array, reverse: Array, x_0: int) -> list[Array]:
    r"""The T - 1 denoising terms, t = 2..T, in nats, each >= 0.            [DELBO-7, DELBO-15]

    .. math:: L_{t-1} = E_{q(x_t\mid x_0)}[D_{KL}(q(x_{t-1}\mid x_t,x_0)\Vert p(x_{t-1}\mid x_t))]

    forward, reverse: (T, K, K). Source: Ho et al. 2020, eq. 5; SJTU tutorial, slide 21.
    """
    q, terms = marginals(forward, x_0), []
    for t in range(2, len(forward) + 1):
        table = posterior(forward, x_0, t)
        terms.append(q[t] @ np.sum(table * np.log(table / reverse[t - 1]), axis=-1))
    return terms


def denoising_elbo(forward: Array, reverse: Array, prior: Array, x_0: int) -> Array:
    r"""The ELBO by denoising terms, in nats.                              [DELBO-7, DELBO-8]

    .. math:: E_{q(x_1\mid x_0)}[\log p(x_0\mid x_1)] - D_{KL}(q(x_T\mid x_0)\Vert p(x_T))
              - \sum_{t=2}^T E_{q(x_t\mid x_0)}[D_{KL}(q(x_{t-1}\mid x_t,x_0)\Vert p(x_{t-1}\mid x_t))]

    One expectation over everything; -log p(x_0 | x_1) enters once. forward, reverse: (T, K, K). prior: (K,).
    Source: Ho et al. 2020, eq. 5; Luo 2022, eq. 58; Kim, 'Diffusion Model'; SJTU tutorial, slide 21, mended.
    """
    q_T = marginals(forward, x_0)[-1]
    prior_matching = np.sum(q_T * np.log(q_T / prior))
    return (
        reconstruction(forward, reverse, x_0) - prior_matching - sum(denoising_terms(forward, reverse, x_0))
    )
