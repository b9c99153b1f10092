"""Cards of the diffusion ELBO on discrete chains, by sums over all paths (DELBO)."""

from __future__ import annotations

from itertools import product

import numpy as np

from refgen.cards import equation, misprint
from refgen.cards.strategies import chains
from refgen.formulas import chain
from refgen.sources import KIM, LUO_2022


def elbo_over_paths(forward, reverse, prior, x_0):
    """E_q[log p(x_0..T) - log q(x_1..T | x_0)], path by path, and the sum of the terms' magnitudes."""
    T, K = forward.shape[:2]
    total = magnitude = 0.0
    for path in product(range(K), repeat=T):
        states = (x_0, *path)
        q = np.prod([forward[t, states[t], states[t + 1]] for t in range(T)])
        logs = [np.log(prior[states[T]])]
        logs += [np.log(reverse[t, states[t + 1], states[t]]) for t in range(T)]
        logs += [-np.log(forward[t, states[t], states[t + 1]]) for t in range(T)]
        total, magnitude = total + q * sum(logs), magnitude + q * sum(map(abs, logs))
    return total, magnitude


@equation(
    "DELBO-4/chain",
    title="ELBO, consistency form",
    formula=chain.consistency_elbo,
    latex=r"ELBO = E[\log p(x_0|x_1)] - E[D_{KL}(q(x_T|x_{T-1})\Vert p(x_T))] "
    r"- \sum_{t=1}^{T-1} E_{q(x_{t-1},x_t,x_{t+1}|x_0)}[\log q(x_t|x_{t-1})/p(x_t|x_{t+1})]",
    sources=[KIM("'Diffusion Model', consistency term"), LUO_2022("eq. 45")],
    evidence="chain",
    how="the defining expectation, summed over every path of a discrete chain",
    given=chains(smallest_T=2),
    tolerance=1e-11,
)
def consistency_form_is_the_elbo(consistency_elbo, forward, reverse, prior, x_0):
    return consistency_elbo(forward, reverse, prior, x_0), *elbo_over_paths(forward, reverse, prior, x_0)


@misprint(
    "ERR-3",
    of="DELBO-4/chain",
    printed=r"\sum_{t=1}^{T-1}E_{q(x_{t-1},x_{t+1}|x_0)}[D_{KL}(q(x_t|x_{t-1})\Vert p(x_t|x_{t+1}))]",
    correct=r"\sum_{t=1}^{T-1}E_{q(x_{t-1},x_t,x_{t+1}|x_0)}[\log q(x_t|x_{t-1})/p(x_t|x_{t+1})]",
    source=KIM("'Diffusion Model', consistency term; the same in Luo 2022"),
    why="given x_{t-1}, x_t and x_{t+1} are dependent under q; a KL averaged over (x_{t-1}, x_{t+1}) "
    "replaces their joint law by a product",
)
def consistency_elbo_with_kl(forward, reverse, prior, x_0):
    q, T = chain.marginals(forward, x_0), len(forward)
    total = chain.consistency_elbo(forward, reverse, prior, x_0)
    for t in range(1, T):
        joint = q[t - 1][:, None, None] * forward[t - 1][:, :, None] * forward[t][None, :, :]
        ratio = np.log(forward[t - 1])[:, :, None] - np.log(reverse[t]).T[None, :, :]
        outer = joint.sum(1)  # q(x_{t-1}, x_{t+1} | x_0)
        kl = np.einsum("ab,abc->ac", forward[t - 1], ratio)
        total += np.sum(joint * ratio) - np.sum(outer * kl)
    return total
