"""Cards of a Gaussian mixture, of which every conditional is known (TAX-5)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import laws, mixtures, points, positives, rungs, together
from refgen.formulas import autoregressive, gaussian
from refgen.sources import BENGIO_2000, BISHOP_2006, OORD_2016, SONG_NOTES

CHAIN = [BENGIO_2000(), OORD_2016("eq. 1"), SONG_NOTES("'The key challenge'")]


@equation(
    "TAX-5/exact",
    title="conditionals of a Gaussian mixture are Gaussian mixtures",
    formula=autoregressive.mixture_log_prob,
    latex=r"\sum_kw_kN(x;m_k,S_k)=\prod_i\sum_k\pi_k(x_{<i})\,N\big(x_i;\mu_k(x_{<i}),\sigma_k^2\big)",
    sources=[*CHAIN, BISHOP_2006("eqs. 2.81 and 2.82")],
    evidence="oracle",
    how="the joint density, each component along the axes of its covariance",
    given=rungs(
        lambda d, k: together(x=points(d), law=mixtures(d, k)), (1, 1), (2, 1), (2, 2), (3, 2), (5, 3)
    ),
    tolerance=1e-10,
    examples=60,
)
def conditionals_of_a_mixture(mixture_log_prob, x, law):
    weights, means, covs = law["weights"], law["means"], law["covs"]
    logs, scale = [], 1.0
    for w, m, cov in zip(weights, means, covs, strict=True):
        variances, axes = np.linalg.eigh(cov)
        squares = ((x - m) @ axes) ** 2 / variances
        logs.append(np.log(w) - 0.5 * np.sum(squares + np.log(2 * np.pi * variances)))
        scale += np.sum(squares) + np.sum(abs(np.log(variances)))
    return mixture_log_prob(x, weights, means, covs), np.logaddexp.reduce(logs), scale


def _chained(x, weights, means, covs, conditional):
    """The chain rule with other conditionals: (x, i, weights, means, covs) -> logits, means, variances."""
    total = 0.0
    for i in range(x.shape[-1]):
        logits, mean, var = conditional(x, i, weights, means, covs)
        total = total + autoregressive.log_density(x[..., i], logits, mean, 0.5 * np.log(var) + 0 * mean)
    return total


def _components(x, i, means, covs):
    """Mean and variance of coordinate i of every component, given those before it."""
    if not i:
        return means[:, 0], covs[:, 0, 0]
    gain = np.linalg.solve(covs[:, :i, :i], covs[:, :i, i : i + 1])[..., 0]
    return means[:, i] + np.sum(gain * (x[:i] - means[:, :i]), -1), covs[:, i, i] - np.sum(
        gain * covs[:, :i, i], -1
    )


@mutant("prior-weights", of="TAX-5/exact", why="the weights not renewed by what was seen before")
def mixture_with_prior_weights(x, weights, means, covs):
    return _chained(x, weights, means, covs, lambda x, i, w, m, s: (np.log(w), *_components(x, i, m, s)))


@mutant("not-renormalised", of="TAX-5/exact", why="weights times what they make of those before, no division")
def mixture_without_renormalising(x, weights, means, covs):
    total = 0.0
    for i in range(x.shape[-1]):
        logits, mean, log_std = autoregressive.mixture_conditional(x[:i], weights, means, covs)
        unnormalised = np.log(weights) + (
            gaussian.log_prob(x[:i], means[:, :i], covs[:, :i, :i]) if i else 0.0
        )
        total = total + autoregressive.log_density(x[i], logits, mean, log_std)
        largest = np.max(unnormalised)
        total = total + largest + np.log(np.sum(np.exp(unnormalised - largest)))
    return total


@mutant("marginal-variance", of="TAX-5/exact", why="conditional means with the variances of the marginals")
def mixture_with_marginal_variances(x, weights, means, covs):
    def conditional(x, i, w, m, s):
        logits, mean, _ = autoregressive.mixture_conditional(x[:i], w, m, s)
        return logits, mean, s[:, i, i]

    return _chained(x, weights, means, covs, conditional)


@mutant("all-others", of="TAX-5/exact", why="each given all others, not those before it: counted twice")
def mixture_in_no_order(x, weights, means, covs):
    total, d = 0.0, x.shape[-1]
    for i in range(d):
        order = [j for j in range(d) if j != i] + [i]
        law = weights, means[:, order], covs[:, order][:, :, order]
        told = autoregressive.mixture_conditional(x[order[:-1]], *law)
        total = total + autoregressive.log_density(x[i], *told)
    return total


@mutant("turned", of="TAX-5/exact", why="those before it handed over in the opposite order")
def mixture_in_the_wrong_order(x, weights, means, covs):
    told = (autoregressive.mixture_conditional(x[:i][::-1], weights, means, covs) for i in range(x.shape[-1]))
    return sum(autoregressive.log_density(x[i], *law) for i, law in enumerate(told))


@mutant(
    "independent", of="TAX-5/exact", why="the product of the marginals: what came before is not looked at"
)
def mixture_of_marginals(x, weights, means, covs):
    variances = np.diagonal(covs, axis1=-2, axis2=-1)
    return _chained(x, weights, means, covs, lambda x, i, w, m, s: (np.log(w), m[:, i], variances[:, i]))


VARIANCES = positives(0.05, 5)


@equation(
    "TAX-5/exact-shared",
    title="the same, of one variance that all components share",
    formula=autoregressive.mixture_log_prob,
    latex=r"\sum_kw_kN(x;m_k,\sigma^2I)=\prod_i\sum_k\pi_k(x_{<i})\,N(x_i;m_{ki},\sigma^2)",
    sources=CHAIN,
    evidence="oracle",
    how="the joint density: in a component coordinates are independent, in the mixture they are not",
    given=rungs(
        lambda d, k: together(
            x=points(d),
            weights=laws(k),
            means=st.lists(points(d, -3, 3), min_size=k, max_size=k).map(np.stack),
            var=st.one_of(VARIANCES, st.lists(VARIANCES, min_size=d, max_size=d)).map(np.array),
        ),
        (1, 2), (2, 2), (3, 4),
    ),
    tolerance=1e-10,
    examples=60,
)  # fmt: skip
def conditionals_of_a_shared_variance(mixture_log_prob, x, weights, means, var):
    variances = np.broadcast_to(var, means[0].shape)
    squares = (x - means) ** 2 / variances
    terms = np.log(weights) - 0.5 * np.sum(squares + np.log(2 * np.pi * variances), axis=-1)
    return (
        mixture_log_prob(x, weights, means, var),
        np.logaddexp.reduce(terms),
        1 + np.max(np.sum(squares, -1)),
    )


@mutant("independent", of="TAX-5/exact-shared", why="no correlation in a component taken for none at all")
def shared_mixture_of_marginals(x, weights, means, covs):
    log_stds = 0.5 * np.log(covs * np.ones_like(means)).T
    return autoregressive.log_prob(x, np.log(weights) + 0 * log_stds, means.T, log_stds)


@equation(
    "TAX-5/conditional",
    title="weights, means and stds of a mixture's next coordinate",
    formula=autoregressive.mixture_conditional,
    latex=r"\pi_k(x_{<i})\propto w_kN(x_{<i};m_{k,<i},S_{k,<i,<i}),\quad"
    r"\mu_k=m_{ki}+S_{k,i,<i}S_{k,<i,<i}^{-1}(x_{<i}-m_{k,<i})",
    sources=[BISHOP_2006("eqs. 2.81 and 2.82")],
    evidence="quadrature",
    how="mass, mean and std of each component on the line through the point, by sums over a grid",
    given=rungs(lambda d: together(before=points(d - 1, -2, 2), law=mixtures(d, 2)), 2, 3),
    tolerance=1e-9,
    examples=40,
)
def slices_of_a_mixture(mixture_conditional, before, law):
    logits, derived = [], []
    for w, m, cov in zip(law["weights"], law["means"], law["covs"], strict=True):
        precision, log_det = np.linalg.inv(cov), np.linalg.slogdet(2 * np.pi * cov)[1]
        std, away = precision[-1, -1] ** -0.5, before - m[:-1]
        centre = m[-1] - precision[-1, :-1] @ away / precision[-1, -1]
        t = np.linspace(centre - 10 * std, centre + 10 * std, 401)
        z = np.concatenate([np.broadcast_to(away, (401, len(away))), t[:, None] - m[-1]], axis=1)
        logs = np.log(w) - 0.5 * (np.sum((z @ precision) * z, axis=1) + log_det)
        mass = np.exp(logs - np.max(logs))
        mean = mass @ t / np.sum(mass)
        logits.append(np.max(logs) + np.log(np.sum(mass) * (t[1] - t[0])))
        derived.append([mean, 0.5 * np.log(mass @ (t - mean) ** 2 / np.sum(mass))])
    means, log_stds = np.array(derived).T
    logits = np.array(logits) - np.logaddexp.reduce(logits)
    found = mixture_conditional(before, law["weights"], law["means"], law["covs"])
    worst = max(np.linalg.cond(cov) for cov in law["covs"])
    away = np.sum(abs(before)) + np.sum(abs(law["means"]))
    return np.stack(found), np.stack([logits, means, log_stds]), 1 + worst * (1 + away) ** 2 / 10


@mutant(
    "last-first",
    of="TAX-5/conditional",
    why="the first coordinate given the last ones, for the last given the first",
)
def conditional_of_the_first(before, weights, means, covs):
    return autoregressive.mixture_conditional(before, weights, means[:, ::-1], covs[:, ::-1, ::-1])


@mutant("prior-weights", of="TAX-5/conditional", why="the weights not renewed by what was seen before")
def conditional_with_prior_weights(before, weights, means, covs):
    _, mean, log_std = autoregressive.mixture_conditional(before, weights, means, covs)
    return np.log(weights) + 0 * mean, mean, log_std


@mutant("variance", of="TAX-5/conditional", why="the logarithm of the variance for that of the std")
def conditional_with_log_var(before, weights, means, covs):
    logits, mean, log_std = autoregressive.mixture_conditional(before, weights, means, covs)
    return logits, mean, 2 * log_std
