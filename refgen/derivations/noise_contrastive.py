"""Cards of noise-contrastive estimation (NCE)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import laws, positives, reals, rungs, together
from refgen.formulas import elementary, noise_contrastive
from refgen.sources import GOODFELLOW_2014, GUTMANN_2010, GUTMANN_2012, LIN_1991

RATIOS = st.one_of(st.sampled_from([1.0, 2.0, 0.5]), positives(0.05, 20))


def counts(k):
    """A law on k states as a list of its draws: each state 1 to 9 times."""
    return st.lists(st.integers(1, 9), min_size=k, max_size=k).map(np.array)


def populations(**more):
    """Data and noise on a few states, and points of noise for one of data."""
    return rungs(lambda k: together(data=counts(k), noise=counts(k), ratio=RATIOS, **more), 2, 3, 5)


def softplus(a):
    return anp.logaddexp(0.0, a)


# ---- NCE-1: the classifier, and what minimises its loss
@equation(
    "NCE-1/odds",
    title="the odds that a point is data are the ratio of the densities",
    formula=noise_contrastive.log_odds,
    latex=r"\log\frac{P(\text{data}\mid x)}{P(\text{noise}\mid x)}=\log p(x)-\log q(x)-\log\nu",
    sources=[GUTMANN_2010("section 2"), GUTMANN_2012("section 2")],
    evidence="algebra",
    how="Bayes' rule in counts: of the points in a cell so many are data and so many noise",
    given=populations(cell=st.integers(0, 1), size=st.integers(1, 1000)),
    tolerance=1e-12,
)
def odds_by_counting(log_odds, data, noise, ratio, cell, size):
    p, q = data / np.sum(data), noise / np.sum(noise)
    of_data, of_noise = size * p[cell], size * ratio * q[cell]
    share = of_data / (of_data + of_noise)
    claimed = log_odds(np.log(p[[cell]]), np.log(q[[cell]]), ratio)
    return claimed, np.log([share / (1 - share)]), 3 + abs(np.log(ratio))


@mutant("swapped", of="NCE-1/odds", why="the odds that it is noise")
def odds_of_noise(log_model, log_noise, ratio=1.0):
    return log_noise - log_model + elementary.log(ratio)


@mutant("noise", of="NCE-1/odds", why="the density of the noise left out, as if it were uniform")
def odds_without_noise(log_model, log_noise, ratio=1.0):
    return log_model - elementary.log(ratio) + 0 * log_noise


@mutant("ratio", of="NCE-1/odds", why="the ratio of the sample sizes left out")
def odds_without_ratio(log_model, log_noise, ratio=1.0):
    return log_model - log_noise


@mutant("multiplied", of="NCE-1/odds", why="the ratio multiplied where it divides")
def odds_times_ratio(log_model, log_noise, ratio=1.0):
    return log_model - log_noise + elementary.log(ratio)


@equation(
    "NCE-1/minimiser",
    title="the true log-density minimises the loss, over all functions, normalised or not",
    formula=noise_contrastive.loss,
    latex=r"\frac{\partial J}{\partial\log p_\theta(x)}=0\ \text{at}\ p_\theta=p",
    sources=[GUTMANN_2010("theorem 1"), GUTMANN_2012("theorem 1")],
    evidence="autodiff",
    how="the gradient of the loss by each state's log-density, over a whole population on a few states",
    given=populations(),
    relative=False,
    tolerance=1e-12,
)
def gradient_at_the_truth(loss, data, noise, ratio):
    p, q = data / np.sum(data), noise / np.sum(noise)
    of_data, of_noise = np.repeat(np.arange(len(p)), data), np.repeat(np.arange(len(q)), noise)

    def population_loss(log_model):
        odds = log_model - anp.log(q) - anp.log(ratio)
        return loss(odds[of_data], odds[of_noise], ratio)

    return grad(population_loss)(np.log(p)) / (1 + ratio), 0 * p


@mutant("swapped", of="NCE-1/minimiser", why="data and noise swapped in the two logarithms")
def loss_with_labels_swapped(odds_data, odds_noise, ratio=1.0):
    return anp.mean(softplus(odds_data)) + ratio * anp.mean(softplus(-odds_noise))


@mutant("ratio", of="NCE-1/minimiser", why="both means count alike, however many points of noise there are")
def loss_without_ratio(odds_data, odds_noise, ratio=1.0):
    return anp.mean(softplus(-odds_data)) + anp.mean(softplus(odds_noise))


@mutant("noise", of="NCE-1/minimiser", why="the data's term alone, which a larger density always makes less")
def loss_without_noise(odds_data, odds_noise, ratio=1.0):
    return anp.mean(softplus(-odds_data)) + 0 * anp.mean(odds_noise)


@mutant("odds", of="NCE-1/minimiser", why="the odds in place of their logistic function")
def loss_of_odds(odds_data, odds_noise, ratio=1.0):
    return -anp.mean(odds_data) + ratio * anp.mean(odds_noise)


def at_least_loss(loss, energy, data, noise, ratio):
    """The constant c of log p_theta = -energy - c at which the loss is least, by bisection of its slope."""
    of_data, of_noise = np.repeat(np.arange(len(data)), data), np.repeat(np.arange(len(noise)), noise)
    base = -energy - np.log(noise / np.sum(noise)) - np.log(ratio)
    slope = grad(lambda c: loss((base - c)[of_data], (base - c)[of_noise], ratio))
    low, high = -20.0, 20.0
    for _ in range(55):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return middle


@equation(
    "NCE-1/constant",
    title="the constant that minimises the loss is log Z",
    formula=noise_contrastive.loss,
    latex=r"\arg\min_cJ\big[\log p_\theta=-E-c\big]=\log Z=\log\sum_xe^{-E(x)}",
    sources=[GUTMANN_2010("section 2"), GUTMANN_2012("section 2")],
    evidence="algebra",
    how="the sum over the states of exp(-E) for an energy with any constant; bisection finds the minimum",
    given=populations(shift=reals(-4, 4)),
    relative=False,
    tolerance=1e-9,
    tolerance32=1e-3,
    examples=30,
)
def constant_is_log_z(loss, data, noise, ratio, shift):
    energy = -np.log(data / np.sum(data)) + shift
    return at_least_loss(loss, energy, data, noise, ratio), float(np.log(np.sum(np.exp(-energy))))


@mutant("ratio", of="NCE-1/constant", why="the noise's term without its weight: the constant is off with it")
def constant_without_ratio(odds_data, odds_noise, ratio=1.0):
    return anp.mean(softplus(-odds_data)) + anp.mean(softplus(odds_noise))


@mutant("swapped", of="NCE-1/constant", why="data and noise swapped")
def constant_with_labels_swapped(odds_data, odds_noise, ratio=1.0):
    return anp.mean(softplus(odds_data)) + ratio * anp.mean(softplus(-odds_noise))


@mutant("likelihood", of="NCE-1/constant", why="the likelihood alone, which a small constant makes large")
def constant_of_likelihood(odds_data, odds_noise, ratio=1.0):
    return -anp.mean(odds_data) + 0 * anp.mean(odds_noise)


# ---- NCE-2: what is left of the loss
def entropy(p):
    return -np.sum(p * np.log(p), axis=-1)


def divergence(p, q, ratio):
    """From three entropies: that of the mixture less the mean of the two."""
    return entropy((p + ratio * q) / (1 + ratio)) - (entropy(p) + ratio * entropy(q)) / (1 + ratio)


def pairs():
    return rungs(lambda k: together(p=laws(k), q=laws(k), ratio=RATIOS), 2, 3, 5)


@equation(
    "NCE-2",
    title="the least loss is a constant less the divergence of data and noise",
    formula=noise_contrastive.least_loss,
    latex=r"\min J=(1+\nu)\log(1+\nu)-\nu\log\nu-(1+\nu)D_\nu(p,q),\quad 2\log2-2D_{JS}\ (\nu=1)",
    sources=[GOODFELLOW_2014("theorem 1"), GUTMANN_2012("section 2")],
    evidence="algebra",
    how="the sum over the states of the loss of the best classifier, p / (p + nu q)",
    given=pairs(),
    tolerance=1e-11,
)
def loss_at_the_minimum(least_loss, p, q, ratio):
    share = p / (p + ratio * q)
    derived = -np.sum(p * np.log(share)) - ratio * np.sum(q * np.log(ratio * q / (p + ratio * q)))
    return least_loss(divergence(p, q, ratio), ratio), derived, (1 + ratio) * (1 + abs(np.log(ratio)))


@mutant("once", of="NCE-2", why="the divergence once, where each point of data brings 1 + nu points")
def least_loss_with_one_divergence(divergence, ratio=1.0):
    return (1 + ratio) * np.log1p(ratio) - ratio * np.log(ratio) - divergence


@mutant("balanced", of="NCE-2", why="2 log 2 for every ratio of the sample sizes")
def least_loss_if_balanced(divergence, ratio=1.0):
    return 2 * np.log(2) - (1 + ratio) * divergence


@mutant("sign", of="NCE-2", why="the divergence added: laws that differ would be hard to tell apart")
def least_loss_with_sign(divergence, ratio=1.0):
    return (1 + ratio) * (np.log1p(ratio) + divergence) - ratio * np.log(ratio)


@equation(
    "NCE-2/divergence",
    title="the Jensen-Shannon divergence of two laws in unequal shares",
    formula=noise_contrastive.js_divergence,
    latex=r"D_\nu(p,q)=H(m)-\frac{H(p)+\nu H(q)}{1+\nu},\qquad m=\frac{p+\nu q}{1+\nu}",
    sources=[LIN_1991("section 4")],
    evidence="algebra",
    how="the entropy of the mixture less the mean of the two entropies",
    given=pairs(),
    tolerance=1e-11,
)
def divergence_by_entropies(js_divergence, p, q, ratio):
    return js_divergence(p, q, ratio), divergence(p, q, ratio), 1 + entropy(p) + entropy(q)


@mutant("unshared", of="NCE-2/divergence", why="the mixture in equal shares whatever the ratio")
def divergence_in_equal_shares(p, q, ratio=1.0):
    m = (p + q) / 2
    return (np.sum(p * np.log(p / m)) + ratio * np.sum(q * np.log(q / m))) / (1 + ratio)


@mutant("direct", of="NCE-2/divergence", why="the laws compared with each other, not with their mixture")
def divergence_without_mixture(p, q, ratio=1.0):
    return (np.sum(p * np.log(p / q)) + ratio * np.sum(q * np.log(q / p))) / (1 + ratio)
