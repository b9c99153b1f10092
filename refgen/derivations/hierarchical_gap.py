"""Cards of the gap of a hierarchy, and of its importance weights (HVAE-1, HVAE-4, HVAE-5)."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from refgen.cards import equation, mutant, z_limit
from refgen.cards.strategies import chains, rungs
from refgen.derivations.gaussian import log_density
from refgen.derivations.hierarchical import (
    CHAINS,
    HIERARCHY,
    bound,
    chains_of,
    evidence,
    means_of,
    of_decoder,
    of_encoder,
    plug_in,
    variances_of,
)
from refgen.formulas import chain_paths, elementary, gaussian, hierarchical
from refgen.sources import BURDA_2016, KIM, SJTU


# ---- HVAE-4: the gap
@equation(
    "HVAE-4",
    title="the gap of a chain, level by level",
    formula=hierarchical.gap,
    latex=r"\log p(x)-\mathrm{ELBO}=D_{KL}(q(z_{1:T}|x)\Vert p(z_{1:T}|x))"
    r"=\sum_tE_q[D_{KL}(q(z_t|z_{t-1})\Vert p(z_t|z_{t-1}))]",
    sources=[HIERARCHY, SJTU("slide 20")],
    evidence="algebra",
    how="divergence of two Gaussians of all latent levels, the second conditioned on x",
    given=CHAINS,
    tolerance=1e-10,
    examples=25,
)
def gap_level_by_level(gap, x, encoder, decoder):
    mean, cov = of_decoder(decoder)
    order = np.roll(np.arange(len(mean)), -len(x))
    exact_mean, exact_cov = gaussian.condition(mean[order], cov[np.ix_(order, order)], x)
    z_mean, z_cov = of_encoder(x, encoder)
    precision, shift = np.linalg.inv(exact_cov), z_mean - exact_mean
    log_dets = np.linalg.slogdet(exact_cov)[1], np.linalg.slogdet(z_cov)[1]
    square = np.sum(precision * z_cov) + shift @ precision @ shift
    derived = 0.5 * (square + log_dets[0] - log_dets[1] - len(z_mean))
    spread = abs(z_cov) + np.outer(abs(shift), abs(shift))
    scale = 1 + np.sum(abs(precision) * spread) + np.sum(np.abs(log_dets))
    return gap(x, encoder, decoder), derived, scale


@mutant("prior", of="HVAE-4", why="the divergence from the model's law of the levels, not given x")
def gap_from_the_prior(x, encoder, decoder):
    up, down = encoder[0], decoder[0]
    off = x - down.weight @ (up.weight @ x + up.bias) - down.bias
    spread = up.var * np.sum(down.weight**2) / (2 * down.var)
    reconstruction = gaussian.log_prob_isotropic(off, 0 * off, down.var) - spread
    return reconstruction - hierarchical.elbo(x, encoder, decoder)


@mutant("first-level", of="HVAE-4", why="the step from x to z_1 alone, whatever lies above it")
def gap_of_one_level(x, encoder, decoder):
    up, down = encoder[0], decoder[0]
    mean, cov = 0 * decoder[-1].weight[0], elementary.identity_like(decoder[-1].weight)
    for step in decoder[:0:-1]:
        mean, cov = onward(mean, cov, step)
    image, of_x = onward(mean, cov, down)
    gain = np.linalg.solve(of_x, down.weight @ cov).T
    exact = mean + gain @ (x - image), cov - gain @ down.weight @ cov
    return gaussian.kl_gaussian(up.weight @ x + up.bias, up.var * elementary.identity_like(mean), *exact)


def onward(mean, cov, step):
    """Mean and covariance after a step, by arrays of their own kind."""
    spread = step.weight @ cov @ step.weight.T
    return step.weight @ mean + step.bias, spread + step.var * elementary.identity_like(spread)


# ---- HVAE-1: the likelihood, and the bound below it
@equation(
    "HVAE-1/likelihood",
    title="all latent levels integrated out",
    formula=hierarchical.log_likelihood,
    latex=r"\log p(x)=\log\int p(x,z_{1:T})\,dz_{1:T}",
    sources=[HIERARCHY],
    evidence="algebra",
    how="the block of x in the covariance of all levels together",
    given=CHAINS,
    tolerance=1e-11,
    examples=25,
)
def likelihood_of_a_chain(log_likelihood, x, encoder, decoder):
    mean, cov = of_decoder(decoder)
    shift, of_x = x - mean[: len(x)], cov[: len(x), : len(x)]
    scale = 1 + len(x) + abs(shift) @ abs(np.linalg.inv(of_x)) @ abs(shift)
    return log_likelihood(x, decoder), evidence(x, decoder), scale


@mutant(
    "last-step", of="HVAE-1/likelihood", why="the noise of the levels above z_1 lost: z_1 taken for N(0, I)"
)
def likelihood_of_the_last_step(x, decoder):
    return hierarchical.log_likelihood(x, decoder[:1])


@mutant("upside-down", of="HVAE-1/likelihood", why="the steps taken from x up, not from z_T down")
def likelihood_from_the_front(x, decoder):
    return hierarchical.log_likelihood(x, decoder[::-1])


@equation(
    "HVAE-1/bound",
    title="the bound of a chain is below log p(x)",
    formula=hierarchical.elbo,
    latex=r"E_q\Big[\log\frac{p(x,z_{1:T})}{q(z_{1:T}|x)}\Big]"
    r"\le\log E_q\Big[\frac{p(x,z_{1:T})}{q(z_{1:T}|x)}\Big]=\log p(x)",
    sources=[HIERARCHY],
    evidence="algebra",
    how="log-density of x by the covariance of all levels together",
    given=CHAINS,
    relation="<=",
    relative=False,
    tolerance=1e-12,
    examples=25,
)
def bound_of_a_chain(elbo, x, encoder, decoder):
    return elbo(x, encoder, decoder), evidence(x, decoder)


@mutant(
    "at-the-means", of="HVAE-1/bound", why="the log-weight at the encoder's means: above log p(x) at times"
)
def bound_at_the_means(x, encoder, decoder):
    return plug_in(x, encoder, decoder)


def inverted(decoder):
    """The posterior of a chain of one-dimensional levels as an encoder: p(z_t | z_{t-1}), t = 1..T."""
    mean, cov = of_decoder(decoder)
    steps = []
    for t in range(1, len(mean)):
        gain = cov[t, t - 1] / cov[t - 1, t - 1]
        bias, var = mean[t] - gain * mean[t - 1], cov[t, t] - gain * cov[t - 1, t]
        steps.append(hierarchical.Step(np.array([[gain]]), np.array([bias]), float(var)))
    return steps


@equation(
    "HVAE-1/tight",
    title="the bound of a chain is log p(x) where the encoder is the posterior",
    formula=hierarchical.elbo,
    latex=r"q(z_t|z_{t-1})=p(z_t|z_{t-1})\ \forall t\Rightarrow\mathrm{ELBO}=\log p(x)",
    sources=[HIERARCHY, SJTU("slide 20")],
    evidence="algebra",
    how="log-density of x; each step of the posterior from the covariance of two neighbours",
    given=rungs(chains_of, (1, 1), (1, 1, 1), (1, 1, 1, 1)),
    tolerance=1e-10,
    examples=25,
)
def bound_of_the_posterior(elbo, x, encoder, decoder):
    exact = inverted(decoder)
    return elbo(x, exact, decoder), evidence(x, decoder), bound(x, exact, decoder)[1]


@mutant("no-prior", of="HVAE-1/tight", why="E[log p(z_T)] left out")
def bound_without_prior(x, encoder, decoder):
    mean, cov = x, 0 * elementary.identity_like(x)
    for step in encoder:
        mean, cov = onward(mean, cov, step)
    prior = gaussian.log_prob_isotropic(mean, 0 * mean, 1.0) - 0.5 * cov[-1, -1]
    return hierarchical.elbo(x, encoder, decoder) - prior


# ---- HVAE-5: importance weights
def nodes_and_densities(x, encoder, decoder):
    """A grid of z_1, z_2 around the posterior, the volume of its cells, and q there."""
    mean, cov = of_decoder(decoder)
    order = [1, 2, 0]
    centre, of_z = gaussian.condition(mean[order], cov[np.ix_(order, order)], x)
    root = np.linalg.cholesky(of_z)
    grid = np.stack(np.meshgrid(*[np.linspace(-8, 8, 33)] * 2), -1).reshape(-1, 2)
    z = centre + grid @ root.T
    return z, np.linalg.det(root) * 0.25, log_density(z, *of_encoder(x, encoder))


def weights_at(log_weight, x, z, encoder, decoder):
    """log w at points z (n, 2) of two levels of one coordinate each."""
    levels = [np.broadcast_to(x, (len(z), 1)), z[:, :1], z[:, 1:]]
    p = means_of(levels[1:], decoder), variances_of(decoder)
    return log_weight(levels, *p, means_of(levels[:-1], encoder), variances_of(encoder))


@equation(
    "HVAE-5",
    title="the mean importance weight is p(x), whatever the encoder",
    formula=hierarchical.log_weight,
    latex=r"E_q\Big[\frac{p(x,z_{1:T})}{q(z_{1:T}|x)}\Big]=p(x)",
    sources=[HIERARCHY, BURDA_2016("section 3")],
    evidence="quadrature",
    how="the weights times q summed over a grid of z_1 and z_2; log-density of x by the covariance",
    given=rungs(chains_of, (1, 1, 1)),
    tolerance=1e-10,
    examples=25,
)
def weights_average_to_the_evidence(log_weight, x, encoder, decoder):
    z, cell, log_q = nodes_and_densities(x, encoder, decoder)
    terms = log_q + weights_at(log_weight, x, z, encoder, decoder)
    claimed = np.max(terms) + np.log(np.sum(np.exp(terms - np.max(terms))) * cell)
    return claimed, evidence(x, decoder), 1 + abs(np.max(log_q)) + abs(np.max(terms)) + abs(claimed)


@mutant("upside-down", of="HVAE-5", why="q / p: the mean of that is not finite, and not 1 / p(x)")
def weight_upside_down(levels, p_means, p_variances, q_means, q_variances):
    return -hierarchical.log_weight(levels, p_means, p_variances, q_means, q_variances)


@mutant("no-prior", of="HVAE-5", why="p(z_T) left out of the joint density")
def weight_without_prior(levels, p_means, p_variances, q_means, q_variances):
    z = levels[-1]
    right = hierarchical.log_weight(levels, p_means, p_variances, q_means, q_variances)
    return right - gaussian.log_prob_isotropic(z, 0 * z, 1.0)


@equation(
    "HVAE-5/chain",
    title="the mean importance weight of a chain of discrete levels is p(x)",
    formula=chain_paths.log_ratio,
    latex=r"\sum_{z_{1:T}}q(z_{1:T}|x)\frac{p(x,z_{1:T})}{q(z_{1:T}|x)}=p(x)",
    sources=[HIERARCHY, KIM("'Diffusion Model', the ELBO of the chain")],
    evidence="chain",
    how="the model's tables multiplied, from the last level down, against a sum over every path",
    given=chains(),
    tolerance=1e-12,
    examples=25,
)
def weights_of_paths(log_ratio, forward, reverse, prior, x_0):
    T, K = forward.shape[:2]
    states = np.array(list(product([x_0], *[range(K)] * T))).T
    q = np.prod([forward[t][states[t], states[t + 1]] for t in range(T)], axis=0)
    p = prior
    for table in reverse[::-1]:
        p = p @ table
    return q @ np.exp(-log_ratio(forward, reverse, prior, states)), p[x_0]


@mutant("bound", of="HVAE-5/chain", why="exp of the ELBO at every path: Jensen's inequality read as equality")
def ratio_at_its_mean(forward, reverse, prior, states):
    T = len(forward)
    q = math.prod(forward[t][states[t], states[t + 1]] for t in range(T))
    ratio = chain_paths.log_ratio(forward, reverse, prior, states)
    return np.broadcast_to(q @ ratio, q.shape)


@equation(
    "HVAE-5/draws",
    title="the importance weight is unbiased: draws from an encoder near the posterior",
    formula=hierarchical.log_weight,
    latex=r"\frac1K\sum_kw_k\to p(x),\quad z^{(k)}_{1:T}\sim q",
    sources=[HIERARCHY, BURDA_2016("section 3")],
    evidence="monte carlo",
    how="30 000 draws with the posterior's steps half as wide again; z-score of the mean of w / p(x)",
    cases=[dict(seed=seed) for seed in range(3)],
    relative=False,
    tolerance=z_limit(3),
    reject_at=10,
)
def draws_of_the_weight(log_weight, seed):
    rng = np.random.default_rng(seed)
    x = np.array([1.5])
    decoder = [
        hierarchical.Step(np.array([[0.8]]), np.array([0.1]), 0.3),
        hierarchical.Step(np.array([[-0.9]]), np.array([0.5]), 0.4),
    ]
    encoder = [step._replace(var=1.5 * step.var) for step in inverted(decoder)]
    z = np.empty((30_000, 2))
    below = np.broadcast_to(x, (len(z), 1))
    for t, step in enumerate(encoder):
        below = below @ step.weight.T + step.bias + np.sqrt(step.var) * rng.normal(size=(len(z), 1))
        z[:, t] = below[:, 0]
    w = np.exp(weights_at(log_weight, x, z, encoder, decoder) - evidence(x, decoder))
    return (np.mean(w) - 1) / (np.std(w) / np.sqrt(len(w))), 0.0


@mutant("first-level", of="HVAE-5/draws", why="q(z_1 | x) alone in the denominator")
def weight_with_one_factor(levels, p_means, p_variances, q_means, q_variances):
    right = hierarchical.log_weight(levels, p_means, p_variances, q_means, q_variances)
    return right + gaussian.log_prob_isotropic(levels[2], q_means[1], q_variances[1])


@mutant("std", of="HVAE-5/draws", why="the draws weighed as if the encoder's variances were their roots")
def weight_of_other_draws(levels, p_means, p_variances, q_means, q_variances):
    roots = [var**0.5 for var in q_variances]
    return hierarchical.log_weight(levels, p_means, p_variances, q_means, roots)
