"""Cards of discrete laws: KL divergence, Bayes' rule, the chain rule, Jensen's inequality (GAU)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.special import kl_div

from refgen.cards import equation, mutant
from refgen.cards.strategies import laws, positives, rungs, tables, together
from refgen.formulas import probability
from refgen.sources import KIM, SJTU


def value_lists(k):
    return st.lists(positives(), min_size=k, max_size=k).map(np.array)


# ---- GAU-6
@equation(
    "GAU-6",
    title="KL divergence is not negative, and zero only where the laws agree",
    formula=probability.kl_discrete,
    latex=r"D_{KL}(p\Vert q) \ge \tfrac12\lVert p-q\rVert_1^2 \ge 0",
    sources=[KIM("'VAE', eqs. 15 and 16"), SJTU("slide 21")],
    evidence="algebra",
    how="Pinsker's bound: minus the divergence is at most minus half the squared distance of the laws",
    given=rungs(lambda k: together(p=laws(k), q=laws(k)), 2, 3, 5),
    relation="<=",
    relative=False,
    tolerance=1e-14,
    tolerance32=1e-6,
)
def kl_is_at_least_pinskers_bound(kl_discrete, p, q):
    return -kl_discrete(p, q), -0.5 * np.sum(abs(p - q)) ** 2


@mutant("sign", of="GAU-6", why="E_p[log q/p] for E_p[log p/q]: never positive")
def kl_with_sign(p, q):
    return np.sum(p * np.log(q / p), axis=-1)


@mutant("mean-for-sum", of="GAU-6", why="the mean over states of p log p/q, K times too small")
def kl_with_mean(p, q):
    return np.mean(p * np.log(p / q), axis=-1)


@equation(
    "GAU-6/value",
    title="KL divergence as a sum of terms that are each not negative",
    formula=probability.kl_discrete,
    latex=r"\sum_k p_k\log\frac{p_k}{q_k} = \sum_k \Big(p_k\log\frac{p_k}{q_k} - p_k + q_k\Big)",
    sources=[KIM("'VAE', eqs. 15 and 16")],
    evidence="algebra",
    how="SciPy's Bregman divergence of x log x, of which the linear terms add to zero",
    given=rungs(lambda k: together(p=laws(k), q=laws(k)), 2, 3, 5),
    tolerance=1e-14,
)
def kl_is_a_bregman_divergence(kl_discrete, p, q):
    return kl_discrete(p, q), np.sum(kl_div(p, q)), 1 + np.sum(p * abs(np.log(p / q)))


@mutant("other-direction", of="GAU-6/value", why="q log q/p: the divergence of q from p")
def kl_the_other_way(p, q):
    return np.sum(q * np.log(q / p), axis=-1)


@equation(
    "GAU-6/equal",
    title="KL divergence of a law from itself is zero",
    formula=probability.kl_discrete,
    latex=r"D_{KL}(p\Vert p) = 0",
    sources=[KIM("'VAE', eqs. 15 and 16")],
    evidence="algebra",
    how="zero, also for laws some of whose states have probability zero",
    given=rungs(
        lambda k: together(p=st.one_of(laws(k), laws(k - 1).map(lambda p: np.append(p, 0.0)))), 2, 3, 5
    ),
    relative=False,
    tolerance=1e-15,
    tolerance32=1e-6,
)
def kl_of_a_law_from_itself(kl_discrete, p):
    return kl_discrete(p, p), 0.0


@mutant("cross-entropy", of="GAU-6/equal", why="-E_p log q without the entropy of p: not zero at its optimum")
def kl_without_entropy(p, q):
    return -np.sum(p * np.log(np.where(p > 0, q, 1)), axis=-1)


# ---- GAU-8
@equation(
    "GAU-8",
    title="Bayes' rule",
    formula=probability.bayes,
    latex=r"q(A|B) = q(B|A)\,q(A)/q(B)",
    sources=[SJTU("slide 16")],
    evidence="chain",
    how="the column of a table of joint probabilities, divided by its sum",
    given=rungs(
        lambda k, m: together(joint=laws(k * m).map(lambda p: p.reshape(k, m)), seen=st.integers(0, m - 1)),
        (2, 2),
        (3, 2),
        (3, 4),
    ),
    tolerance=1e-14,
)
def posterior_is_a_column_of_the_joint(bayes, joint, seen):
    prior = joint.sum(axis=1)
    likelihood = joint[:, seen] / prior
    return bayes(likelihood, prior), joint[:, seen] / joint[:, seen].sum()


@mutant("prior-forgotten", of="GAU-8", why="the likelihood, normalised: the base rate is left out")
def bayes_without_prior(likelihood, prior):
    return likelihood / np.sum(likelihood, axis=-1, keepdims=True)


@mutant("not-normalised", of="GAU-8", why="q(B|A) q(A) without the division by q(B): the joint")
def bayes_without_evidence(likelihood, prior):
    return likelihood * prior


# ---- GAU-9
@equation(
    "GAU-9",
    title="Jensen: E[log Y] is at most log E[Y]",
    formula=probability.expected_log,
    latex=r"E_q[\log Y] \le \log E_q[Y]",
    sources=[KIM("'Diffusion Model', the ELBO of the hierarchical VAE and of the chain")],
    evidence="algebra",
    how="the logarithm of the weighted mean",
    given=rungs(lambda k: together(weights=laws(k), values=value_lists(k)), 2, 4),
    relation="<=",
    relative=False,
    tolerance=1e-13,
    tolerance32=1e-5,
)
def expected_log_is_below_log_of_the_mean(expected_log, weights, values):
    return expected_log(weights, values), np.log(weights @ values)


@mutant("tangent", of="GAU-9", why="log Y replaced by Y - 1, which bounds it from the other side")
def expected_log_by_tangent(weights, values):
    return np.sum(weights * (values - 1), axis=-1)


@mutant("sum-for-mean", of="GAU-9", why="the logarithms added up without their weights")
def expected_log_without_weights(weights, values):
    return np.sum(np.log(values), axis=-1)


@equation(
    "GAU-9/equal",
    title="Jensen: equality where Y is constant",
    formula=probability.expected_log,
    latex=r"Y = c \Rightarrow E_q[\log Y] = \log E_q[Y]",
    sources=[KIM("'Diffusion Model', the ELBO of the hierarchical VAE and of the chain")],
    evidence="algebra",
    how="the logarithm of the constant",
    given=rungs(lambda k: together(weights=laws(k), value=positives()), 2, 4),
    tolerance=1e-14,
)
def expected_log_of_a_constant(expected_log, weights, value):
    return expected_log(weights, np.full(len(weights), value)), np.log(value), 1 + abs(np.log(value))


@mutant(
    "mean-of-terms", of="GAU-9/equal", why="divided by the number of states although the weights sum to one"
)
def expected_log_divided(weights, values):
    return np.mean(weights * np.log(values), axis=-1)


# ---- GAU-11
@equation(
    "GAU-11",
    title="product rule of a Markov chain",
    formula=probability.chain_rule,
    latex=r"q(x_2|x_1)\,q(x_1|x_0) = q(x_{1:2}|x_0)",
    sources=[SJTU("slide 14")],
    evidence="chain",
    how="a Markov chain drawn from its end backwards: its joint table, divided by the law of x_0",
    given=rungs(lambda k: together(last=laws(k), back_1=tables(k, k), back_0=tables(k, k)), 2, 3),
    tolerance=1e-14,
)
def markov_steps_multiply(chain_rule, last, back_1, back_0):
    joint = np.einsum("k,kj,ji->ijk", last, back_1, back_0)  # q(x_0, x_1, x_2) by q(x_1|x_2), q(x_0|x_1)
    first = joint.sum(2) / joint.sum((1, 2))[:, None]
    second = joint.sum(0) / joint.sum((0, 2))[:, None]
    return chain_rule(first, second), joint / joint.sum((1, 2), keepdims=True)


@mutant("independent", of="GAU-11", why="q(x_1|x_0) q(x_2|x_0): the two taken for independent given x_0")
def chain_rule_of_marginals(first, second):
    return first[:, :, None] * (first @ second)[:, None, :]


@equation(
    "GAU-11/general",
    title="chain rule of probabilities, Markov or not",
    formula=probability.chain_rule,
    latex=r"q(x_2|x_1,x_0)\,q(x_1,x_0)/q(x_0) = q(x_{1:2}|x_0)",
    sources=[SJTU("slide 14")],
    evidence="chain",
    how="any table of joint probabilities of (x_0, x_1, x_2), divided by the law of x_0",
    given=rungs(lambda k: together(joint=laws(k**3).map(lambda p: p.reshape(k, k, k))), 2, 3),
    tolerance=1e-14,
)
def conditionals_multiply(chain_rule, joint):
    first = joint.sum(2) / joint.sum((1, 2))[:, None]
    second = joint / joint.sum(2, keepdims=True)
    return chain_rule(first, second), joint / joint.sum((1, 2), keepdims=True)


@mutant("markov", of="GAU-11/general", why="x_0 dropped from q(x_2|x_1, x_0) where the chain is not Markov")
def chain_rule_as_if_markov(first, second):
    return first[:, :, None] * second.mean(0)
