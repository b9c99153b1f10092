"""Cards of the model's own law on a discrete chain: its marginals, its forward tables, its posterior (DELBO).

The joint law and minus the ELBO do not see the marginals between the ends, which telescope out of them; these
cards look at each by itself.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from refgen.cards import equation, mutant
from refgen.cards.strategies import chains
from refgen.derivations.chain import all_paths, model_of_paths
from refgen.formulas import chain, chain_paths
from refgen.sources import KIM, SJTU


def model_paths(reverse, prior):
    """Every path as states (T+1, K^(T+1)), and the model's probability p(x_0..x_T) of each."""
    T, K = reverse.shape[:2]
    states = np.indices((K,) * (T + 1)).reshape(T + 1, -1)
    return states, model_of_paths(reverse, prior, states)


def marginals_multiplied_on_the_left(reverse, prior):
    """The slip `table @ p` for `p @ table`: p(x_{t-1} | x_t) summed over x_{t-1}, not over x_t."""
    p = [prior]
    for table in reverse[::-1]:
        p.append(table @ p[-1])
    return p[::-1]


# ---- DELBO-1
@equation(
    "DELBO-1/transitions",
    title="the model's forward tables",
    formula=chain_paths.model_transitions,
    latex=r"p(x_t\mid x_{t-1}) = p(x_{t-1}\mid x_t)\,p(x_t)/p(x_{t-1})",
    sources=[SJTU("slide 17")],
    evidence="chain",
    how="the share of the model's paths through x_t among those through x_{t-1}, for every t",
    given=chains(),
    tolerance=1e-12,
    examples=50,
)
def forward_tables_are_shares_of_paths(model_transitions, forward, reverse, prior, x_0):
    states, p = model_paths(reverse, prior)
    one_hot = np.eye(len(prior))[states]
    counted = np.stack([(p[:, None] * s).T @ x for s, x in pairwise(one_hot)])
    return np.stack(model_transitions(reverse, prior)), counted / np.sum(counted, axis=2, keepdims=True)


@mutant(
    "wrong-order", of="DELBO-1/transitions", why="marginals by table @ p, where the state is a row vector"
)
def transitions_of_wrong_marginals(reverse, prior):
    p = marginals_multiplied_on_the_left(reverse, prior)
    return [np.transpose(table * p[t + 1][:, None]) / p[t][:, None] for t, table in enumerate(reverse)]


@mutant("flat-bayes", of="DELBO-1/transitions", why="p(x_t) left out of Bayes' rule, the rows normalised")
def transitions_with_flat_prior(reverse, prior):
    return [np.transpose(table / np.sum(table, axis=0)) for table in reverse]


# ---- DELBO-2
@equation(
    "DELBO-2/likelihood",
    title="the model's marginals, p(x_0) among them",
    formula=chain_paths.model_marginals,
    latex=r"p(x_0)=\sum_{x_1,\dots,x_T}p(x_{0:T}),\quad p(x_{t-1})=\sum_{x_t}p(x_{t-1}\mid x_t)\,p(x_t)",
    sources=[SJTU("slide 20"), KIM("'Diffusion Model', the ELBO")],
    evidence="chain",
    how="the joint law added up over every path through each state, for every t",
    given=chains(),
    tolerance=1e-12,
    examples=50,
)
def marginals_are_sums_over_paths(model_marginals, forward, reverse, prior, x_0):
    states, p = model_paths(reverse, prior)
    return np.stack(model_marginals(reverse, prior)), p @ np.eye(len(prior))[states]


@mutant("wrong-order", of="DELBO-2/likelihood", why="table @ p where the state is a row vector: p @ table")
def marginals_of_wrong_product(reverse, prior):
    return marginals_multiplied_on_the_left(reverse, prior)


@mutant("from-the-front", of="DELBO-2/likelihood", why="the tables taken from t = 1 on, not from T down")
def marginals_from_the_front(reverse, prior):
    return chain_paths.model_marginals(reverse[::-1], prior)


@equation(
    "DELBO-2/gap",
    title="what the ELBO lacks of log p(x_0)",
    formula=chain_paths.posterior_gap,
    latex=r"D_{KL}(q(x_{1:T}\mid x_0)\Vert p(x_{1:T}\mid x_0)) = \sum_{x_{1:T}}q(x_{1:T}\mid x_0)"
    r"\log\frac{q(x_{1:T}\mid x_0)}{p(x_{1:T}\mid x_0)}",
    sources=[SJTU("slide 20")],
    evidence="chain",
    how="the sum over every path from x_0, the model's probabilities of these divided by their sum",
    given=chains(),
    tolerance=1e-11,
    examples=50,
)
def gap_is_a_divergence_of_paths(posterior_gap, forward, reverse, prior, x_0):
    states, q = all_paths(forward, x_0)
    p = model_of_paths(reverse, prior, states)
    log_q, log_p = np.log(q), np.log(p / np.sum(p))
    scale = q @ (np.abs(log_q) + np.abs(log_p))
    return posterior_gap(forward, reverse, prior, x_0), q @ (log_q - log_p), scale


@mutant("reversed", of="DELBO-2/gap", why="the divergence of the model's posterior from q")
def gap_reversed(forward, reverse, prior, x_0):
    own = np.stack(chain_paths.model_transitions(reverse, prior))
    p = chain.marginals(own, x_0)
    steps = [p[t] @ np.sum(table * np.log(table / forward[t]), axis=-1) for t, table in enumerate(own)]
    return sum(steps)


@mutant("wrong-order", of="DELBO-2/gap", why="the model's marginals by table @ p in place of p @ table")
def gap_of_wrong_marginals(forward, reverse, prior, x_0):
    wrong = marginals_multiplied_on_the_left(reverse, prior)[0][x_0]
    right = chain_paths.model_marginals(reverse, prior)[0][x_0]
    return chain_paths.posterior_gap(forward, reverse, prior, x_0) + np.log(wrong / right)
