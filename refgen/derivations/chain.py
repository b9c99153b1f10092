"""Cards of discrete diffusion chains: Bayes' rule, the model's joint law, the ELBO over paths (DELBO)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from refgen.cards import equation, mutant
from refgen.cards.strategies import chains
from refgen.formulas import chain, chain_paths
from refgen.sources import HO_2020, KIM, LUO_2022, SJTU


def all_paths(forward, x_0):
    """Every path as states (T+1, K^T), and its probability q(x_1..x_T | x_0), (K^T,)."""
    T, K = forward.shape[:2]
    latent = np.indices((K,) * T).reshape(T, -1)
    states = np.concatenate([np.full((1, latent.shape[1]), x_0), latent])
    return states, np.prod([forward[t, s, x] for t, (s, x) in enumerate(pairwise(states))], axis=0)


def model_of_paths(reverse, prior, states):
    """p(x_0..x_T) of each path, from the end backwards."""
    return prior[states[-1]] * np.prod(
        [reverse[t, x, s] for t, (s, x) in enumerate(pairwise(states))], axis=0
    )


def elbo_over_paths(forward, reverse, prior, x_0):
    """E_q[log p(x_0..T) - log q(x_1..T | x_0)], path by path, and a scale: the magnitudes of the two logs."""
    states, q = all_paths(forward, x_0)
    log_p, log_q = np.log(model_of_paths(reverse, prior, states)), np.log(q)
    return q @ (log_p - log_q), q @ (np.abs(log_p) + np.abs(log_q))


def marginal_of_paths(states, q, t, K):
    """q(x_t | x_0) by counting: the probability of the paths through each state at t."""
    return q @ np.eye(K)[states[t]]


def posteriors_of_paths(forward, x_0):
    """The tables q(x_{t-1} | x_t, x_0) for t = 2..T, rows by x_t, by counting paths."""
    states, q = all_paths(forward, x_0)
    T, K = forward.shape[:2]
    tables = []
    for t in range(2, T + 1):
        through = (q[:, None] * np.eye(K)[states[t]]).T @ np.eye(K)[states[t - 1]]
        tables.append(through / np.sum(through, axis=1, keepdims=True))
    return np.stack(tables)


# ---- POST-1
@equation(
    "POST-1",
    title="Bayes' rule for the forward posterior",
    formula=chain.posterior,
    latex=r"q(x_{t-1}\mid x_t,x_0)=\frac{q(x_t\mid x_{t-1},x_0)\,q(x_{t-1}\mid x_0)}{q(x_t\mid x_0)},"
    r"\quad q(x_t\mid x_{t-1},x_0)=q(x_t\mid x_{t-1})",
    sources=[KIM("'Diffusion Model', the posterior"), LUO_2022("eq. 46")],
    evidence="chain",
    how="the share of the paths through x_{t-1} among those through x_t, for every t, on any Markov chain",
    given=chains(smallest_T=2),
    tolerance=1e-12,
    examples=50,
)
def posterior_is_a_share_of_paths(posterior, forward, reverse, prior, x_0):
    claimed = np.stack([posterior(forward, x_0, t) for t in range(2, len(forward) + 1)])
    return claimed, posteriors_of_paths(forward, x_0)


@mutant("transposed", of="POST-1", why="rows by x_{t-1} where they go by x_t")
def posterior_transposed(forward, x_0, t):
    return np.transpose(chain.posterior(forward, x_0, t))


@mutant("flat-prior", of="POST-1", why="q(x_{t-1} | x_0) left out of Bayes' rule")
def posterior_with_flat_prior(forward, x_0, t):
    likelihood = np.transpose(forward[t - 1])
    return likelihood / np.sum(likelihood, axis=1, keepdims=True)


# ---- DELBO-5
@equation(
    "DELBO-5",
    title="forward step out of the posterior",
    formula=chain.transition,
    latex=r"q(x_t\mid x_{t-1}) = q(x_t\mid x_{t-1},x_0) = \frac{q(x_{t-1}\mid x_t,x_0)\,q(x_t\mid "
    r"x_0)}{q(x_{t-1}\mid x_0)}",
    sources=[SJTU("slide 21"), LUO_2022("eq. 46")],
    evidence="chain",
    how="the chain's own tables; posterior and marginals are counted over paths",
    given=chains(smallest_T=2),
    tolerance=1e-12,
    examples=50,
)
def transition_is_recovered(transition, forward, reverse, prior, x_0):
    states, q = all_paths(forward, x_0)
    T, K = forward.shape[:2]
    marginals = [marginal_of_paths(states, q, t, K) for t in range(T + 1)]
    tables = posteriors_of_paths(forward, x_0)
    claimed = [transition(tables[t - 2], marginals[t], marginals[t - 1]) for t in range(2, T + 1)]
    return np.stack(claimed), forward[1:]


@mutant(
    "upside-down", of="DELBO-5", why="q(x_{t-1} | x_0) / q(x_t | x_0): the ratio of marginals upside down"
)
def transition_upside_down(posterior, q_t, q_s):
    return np.transpose(posterior) / q_t * q_s[:, None]


# ---- DELBO-1
@equation(
    "DELBO-1",
    title="the model's joint law, forwards and backwards",
    formula=chain_paths.forward_joint,
    latex=r"p(x_{0:T}) = p(x_T\mid x_{T-1})\cdots p(x_1\mid x_0)\,p(x_0) = p(x_T)\prod_{t=1}^Tp(x_{t-1}"
    r"\mid x_t)",
    sources=[SJTU("slide 17")],
    evidence="chain",
    how="prior and reverse tables multiplied along every path",
    given=chains(),
    tolerance=1e-12,
    examples=50,
)
def forward_product_is_the_backward_one(forward_joint, forward, reverse, prior, x_0):
    T, K = reverse.shape[:2]
    states = np.indices((K,) * (T + 1)).reshape(T + 1, -1)
    return forward_joint(reverse, prior).ravel(), model_of_paths(reverse, prior, states)


@mutant("no-data-factor", of="DELBO-1", why="p(x_0) 'mended' away; it is right as printed")
def joint_without_data_factor(reverse, prior):
    joint = chain_paths.forward_joint(reverse, prior)
    marginal = chain_paths.model_marginals(reverse, prior)[0]
    return joint / marginal.reshape(-1, *[1] * len(reverse))


@mutant(
    "flat-bayes", of="DELBO-1", why="p(x_t | x_{t-1}) from the reverse table alone, its columns normalised"
)
def joint_of_normalised_columns(reverse, prior):
    joint = chain_paths.model_marginals(reverse, prior)[0]
    for table in reverse:
        forwards = np.transpose(table / np.sum(table, axis=0))
        joint = joint[..., None] * forwards
    return joint


# ---- DELBO-2
@equation(
    "DELBO-2",
    title="minus the ELBO: -log p(x_0) plus a divergence",
    formula=chain_paths.negative_elbo,
    latex=r"L = -\log p(x_0)+D_{KL}(q(x_{1:T}\mid x_0)\Vert p(x_{1:T}\mid x_0))"
    r" = E_q\Big[\log\frac{q(x_{1:T}\mid x_0)}{p(x_{0:T})}\Big]",
    sources=[SJTU("slides 20 and 21"), KIM("'Diffusion Model', the ELBO")],
    evidence="chain",
    how="the defining expectation, summed over every path",
    given=chains(),
    tolerance=1e-11,
    examples=50,
)
def likelihood_and_gap_make_the_elbo(negative_elbo, forward, reverse, prior, x_0):
    elbo, scale = elbo_over_paths(forward, reverse, prior, x_0)
    return negative_elbo(forward, reverse, prior, x_0), -elbo, scale


@mutant("minus-gap", of="DELBO-2", why="the divergence subtracted, as if L were below -log p(x_0)")
def negative_elbo_minus_gap(forward, reverse, prior, x_0):
    gap = chain_paths.posterior_gap(forward, reverse, prior, x_0)
    return chain_paths.negative_elbo(forward, reverse, prior, x_0) - 2 * gap


@mutant(
    "reversed", of="DELBO-2", why="the divergence of the model's posterior from q, in place of q's from it"
)
def negative_elbo_reversed(forward, reverse, prior, x_0):
    own = np.stack(chain_paths.model_transitions(reverse, prior))
    q, gap = chain.marginals(own, x_0), 0.0
    for t, table in enumerate(own):
        gap = gap + q[t] @ np.sum(table * np.log(table / forward[t]), -1)
    mine = chain_paths.posterior_gap(forward, reverse, prior, x_0)
    return chain_paths.negative_elbo(forward, reverse, prior, x_0) - mine + gap


@equation(
    "DELBO-2/bound",
    title="the ELBO is a lower bound on log p(x_0)",
    formula=chain.denoising_elbo,
    latex=r"E_q\Big[\log\frac{p(x_{0:T})}{q(x_{1:T}\mid x_0)}\Big]\le\log p(x_0)",
    sources=[KIM("'Diffusion Model', the ELBO"), HO_2020("eq. 3")],
    evidence="chain",
    how="log p(x_0) by adding up the model's probability of every path that starts at x_0",
    given=chains(smallest_T=2),
    relation="<=",
    tolerance=1e-12,
    examples=50,
)
def elbo_is_below_log_likelihood(denoising_elbo, forward, reverse, prior, x_0):
    states, _ = all_paths(forward, x_0)
    log_p = np.log(np.sum(model_of_paths(reverse, prior, states)))
    return denoising_elbo(forward, reverse, prior, x_0), log_p, 1.0


@mutant("sign", of="DELBO-2/bound", why="the denoising terms added")
def elbo_with_terms_added(forward, reverse, prior, x_0):
    terms = sum(chain.denoising_terms(forward, reverse, x_0))
    return chain.denoising_elbo(forward, reverse, prior, x_0) + 2 * terms


@equation(
    "DELBO-2/tight",
    title="the bound is met where q is the model's posterior",
    formula=chain.denoising_elbo,
    latex=r"q(x_{1:T}\mid x_0)=p(x_{1:T}\mid x_0)\ \Rightarrow\ E_q\Big[\log\frac{p(x_{0:T})}{q(x_{1:T}"
    r"\mid x_0)}\Big]=\log p(x_0)",
    sources=[SJTU("slide 20")],
    evidence="chain",
    how="a chain run with the model's own forward tables, which are counted over its paths",
    given=chains(smallest_T=2),
    tolerance=1e-11,
    examples=50,
)
def elbo_is_tight_at_the_posterior(denoising_elbo, forward, reverse, prior, x_0):
    T, K = reverse.shape[:2]
    states = np.indices((K,) * (T + 1)).reshape(T + 1, -1)
    p = model_of_paths(reverse, prior, states)
    pairs = [
        [[p[(s == a) & (x == b)].sum() for b in range(K)] for a in range(K)] for s, x in pairwise(states)
    ]
    own = np.array(pairs) / np.sum(pairs, axis=2, keepdims=True)
    log_p = np.log(p[states[0] == x_0].sum())
    _, scale = elbo_over_paths(own, reverse, prior, x_0)
    return denoising_elbo(own, reverse, prior, x_0), log_p, scale


@mutant("first-step-too", of="DELBO-2/tight", why="a term for t = 1 as well, beside the reconstruction term")
def elbo_with_first_step_twice(forward, reverse, prior, x_0):
    return chain.denoising_elbo(forward, reverse, prior, x_0) + chain.reconstruction(forward, reverse, x_0)


# ---- DELBO-3
@equation(
    "DELBO-3",
    title="log-ratio of a path, step by step",
    formula=chain_paths.log_ratio,
    latex=r"\log\frac{q(x_{1:T}\mid x_0)}{p(x_{0:T})} = -\log p(x_T)+\sum_{t\ge2}\log\frac{q(x_t\mid "
    r"x_{t-1})}"
    r"{p(x_{t-1}\mid x_t)}+\log\frac{q(x_1\mid x_0)}{p(x_0\mid x_1)}",
    sources=[SJTU("slide 21")],
    evidence="chain",
    how="the logarithm of the two products, for every path",
    given=chains(),
    tolerance=1e-12,
    examples=50,
)
def steps_add_up_along_every_path(log_ratio, forward, reverse, prior, x_0):
    states, q = all_paths(forward, x_0)
    log_q, log_p = np.log(q), np.log(model_of_paths(reverse, prior, states))
    return log_ratio(forward, reverse, prior, states), log_q - log_p, np.abs(log_q) + np.abs(log_p)


@mutant("wrong-way", of="DELBO-3", why="the reverse table read at (x_{t-1}, x_t)")
def log_ratio_read_the_wrong_way(forward, reverse, prior, states):
    return chain_paths.log_ratio(forward, np.swapaxes(reverse, 1, 2), prior, states)


@mutant("no-first-step", of="DELBO-3", why="the sum started at t = 2 and the term of t = 1 forgotten")
def log_ratio_without_first_step(forward, reverse, prior, states):
    first = np.log(forward[0])[states[0], states[1]] - np.log(reverse[0])[states[1], states[0]]
    return chain_paths.log_ratio(forward, reverse, prior, states) - first


# ---- DELBO-6
@equation(
    "DELBO-6",
    title="the marginals' ratios telescope",
    formula=chain_paths.telescoped_log_ratio,
    latex=r"\sum_{t=2}^T\log\frac{q(x_t\mid x_0)}{q(x_{t-1}\mid x_0)}=\log\frac{q(x_T\mid x_0)}{q(x_1\mid "
    r"x_0)}",
    sources=[SJTU("slide 21")],
    evidence="chain",
    how="the sum itself, for every path, with marginals counted over paths",
    given=chains(smallest_T=2),
    tolerance=1e-12,
    examples=50,
)
def ratios_telescope_along_every_path(telescoped_log_ratio, forward, reverse, prior, x_0):
    states, q = all_paths(forward, x_0)
    T, K = forward.shape[:2]
    logs = [np.log(marginal_of_paths(states, q, t, K)[states[t]]) for t in range(1, T + 1)]
    summed = np.sum([b - a for a, b in pairwise(logs)], axis=0)
    return telescoped_log_ratio(forward, x_0, states), summed, np.sum(np.abs(logs), axis=0)


@mutant("from-clean", of="DELBO-6", why="telescoped down to q(x_0 | x_0) = 1: the last marginal alone")
def telescoped_to_clean(forward, x_0, states):
    return np.log(chain.marginals(forward, x_0)[-1])[states[-1]]
