"""Cards of the depth of a hierarchy: one level is a VAE, more can do what fewer can (HVAE-3, HVAE-6)."""

from __future__ import annotations

import numpy as np

from refgen.cards import equation, mutant
from refgen.cards.strategies import alphas, points, positives, reals, rungs, together
from refgen.derivations.gaussian import log_density, normal_nodes
from refgen.derivations.hierarchical import CHAIN, CHAINS, bound, evidence, steps_of
from refgen.derivations.latent_lines import TABLES
from refgen.formulas import (
    chain,
    elbo,
    elementary,
    gaussian,
    gaussian_chain,
    hierarchical,
    latent,
    latent_linear,
)
from refgen.sources import KIM, LUO_2022

ONE_LEVEL = KIM("'Diffusion Model', T = 1")


# ---- HVAE-3: T = 1
def one_level(d, k):
    return together(x=points(d), up=steps_of(k, d), down=steps_of(d, k))


@equation(
    "HVAE-3",
    title="a hierarchy of one level is a variational autoencoder",
    formula=hierarchical.elbo,
    latex=r"T=1:\quad E_q\Big[\log\frac{p(x,z_1)}{q(z_1|x)}\Big]=E_q[\log p(x|z)]-D_{KL}(q(z|x)\Vert p(z))",
    sources=[ONE_LEVEL],
    evidence="algebra",
    how="reconstruction less divergence of the linear-Gaussian VAE with that encoder",
    given=rungs(one_level, (1, 1), (2, 1), (1, 2), (3, 2)),
    tolerance=1e-12,
    examples=25,
)
def one_level_is_a_vae(elbo, x, up, down):
    mean, cov = up.weight @ x + up.bias, up.var * np.eye(len(up.bias))
    scale = bound(x, [up], [down])[1]
    return elbo(x, [up], [down]), latent_linear.elbo(x, mean, cov, *down), scale


@mutant("prior-twice", of="HVAE-3", why="a divergence from the prior for the level besides that for the last")
def bound_with_prior_twice(x, encoder, decoder):
    mean = encoder[0].weight @ x + encoder[0].bias
    one = elementary.identity_like(mean)
    kl = gaussian.kl_gaussian(mean, encoder[0].var * one, 0 * mean, one)
    return hierarchical.elbo(x, encoder, decoder) - kl


@equation(
    "HVAE-3/weight",
    title="with one level the importance weight is a variational autoencoder's",
    formula=hierarchical.log_weight,
    latex=r"T=1:\quad\log w=\log p(x|z)+\log p(z)-\log q(z|x)",
    sources=[ONE_LEVEL],
    evidence="algebra",
    how="the three log-densities of the VAE at the point",
    given=rungs(
        lambda d, k: together(
            x=points(d), z=points(k), x_mean=points(d), mean=points(k), x_var=positives(0.1, 5),
            var=positives(0.1, 5),
        ),
        (1, 1), (2, 1), (1, 2),
    ),
    tolerance=1e-12,
    examples=25,
)  # fmt: skip
def weight_of_one_level(log_weight, x, z, x_mean, mean, x_var, var):
    terms = [
        log_density(x, x_mean, x_var * np.eye(len(x))),
        log_density(z, np.zeros(len(z)), np.eye(len(z))),
        -log_density(z, mean, var * np.eye(len(z))),
    ]
    return log_weight([x, z], [x_mean], [x_var], [mean], [var]), sum(terms), 1 + sum(map(abs, terms))


@mutant("no-prior", of="HVAE-3/weight", why="with T = 1 no level is left for the prior: p(z_1) is the prior")
def weight_without_prior(levels, p_means, p_variances, q_means, q_variances):
    decoder = gaussian.log_prob_isotropic(levels[0], p_means[0], p_variances[0])
    return decoder - gaussian.log_prob_isotropic(levels[1], q_means[0], q_variances[0])


@equation(
    "HVAE-3/diffusion",
    title="the bound of a diffusion of one step is a variational autoencoder's",
    formula=gaussian_chain.denoising_elbo,
    latex=r"T=1:\quad E_{q(x_1|x_0)}[\log p(x_0|x_1)]-D_{KL}(q(x_1|x_0)\Vert p(x_1))",
    sources=[ONE_LEVEL, LUO_2022("eq. 58")],
    evidence="quadrature",
    how="the VAE's log-weight at Gauss and Hermite's nodes of the noise",
    given=together(
        x_0=reals(),
        alpha=alphas(1e-3, 0.9),
        slope=reals(-1.5, 1.5),
        offset=reals(-1, 1),
        var=positives(0.05, 2),
    ),
    tolerance=1e-12,
    examples=25,
)
def one_step_is_a_vae(denoising_elbo, x_0, alpha, slope, offset, var):
    arrays = (np.array([a]) for a in (x_0, alpha, slope, offset, var))
    nodes, w = normal_nodes(1)
    x, mean = np.full_like(nodes, x_0), np.sqrt(alpha) * np.full_like(nodes, x_0)
    z = mean + np.sqrt(1 - alpha) * nodes
    log_w = latent.log_weight(x, z, slope * z + offset, var, mean, 1 - alpha)
    return denoising_elbo(*arrays), w @ log_w, 1 + w @ (1 + (x_0 - slope * z[:, 0] - offset) ** 2 / var)


@mutant(
    "reconstruction", of="HVAE-3/diffusion", why="with T = 1 the term of the prior dropped: L_T is not zero"
)
def one_step_without_prior(x_0, alpha, slope, offset, var):
    return gaussian_chain.denoising_elbo(x_0, alpha, slope, offset, var) + elbo.l_T(x_0, alpha[0])


@equation(
    "HVAE-3/chain",
    title="one step of discrete levels: the bound is equation 16",
    formula=chain.denoising_elbo,
    latex=r"T=1:\quad\sum_zq(z|x)\log\frac{p(x|z)p(z)}{q(z|x)}",
    sources=[ONE_LEVEL, KIM("'VAE', eq. 16")],
    evidence="chain",
    how="the last line of the VAE's derivation on the same tables",
    given=TABLES,
    tolerance=1e-12,
    examples=25,
)
def one_step_is_equation_16(denoising_elbo, prior, likelihood, q):
    k = len(q)
    forward, reverse = np.tile(q, (1, k, 1)), np.full((1, k, k), 1 / k)
    reverse[0, :, 0] = likelihood
    bound_of_q = latent.evidence_lines(q, prior * likelihood)[-1]
    return denoising_elbo(forward, reverse, prior, 0), bound_of_q, 1 + abs(bound_of_q)


@mutant("reconstruction", of="HVAE-3/chain", why="the reconstruction alone, for no denoising term is left")
def one_step_reconstruction(forward, reverse, prior, x_0):
    return chain.reconstruction(forward, reverse, x_0)


# ---- HVAE-6: one level more
KEPT = reals(-0.95, 0.95)
DEEPENED = [rung.flatmap(lambda chain: KEPT.map(lambda keep: chain | dict(keep=keep))) for rung in CHAINS[:4]]


@equation(
    "HVAE-6",
    title="a level more on top leaves the law of x as it was",
    formula=hierarchical.deeper,
    latex=r"p(z_T|z_{T+1})=N(a\,z_{T+1},(1-a^2)I)\Rightarrow p_{T+1}(x)=p_T(x)",
    sources=[KIM("'Diffusion Model', the HVAE as a generalisation of the VAE")],
    evidence="algebra",
    how="the block of x in the covariance of all levels together, without the new level",
    given=DEEPENED,
    tolerance=1e-10,
    examples=25,
)
def law_of_x_is_kept(deeper, x, encoder, decoder, keep):
    claimed = evidence(x, deeper(encoder, decoder, keep)[1])
    derived = evidence(x, decoder)
    return claimed, derived, bound(x, encoder, decoder)[1]


@mutant("linear", of="HVAE-6", why="variance 1 - a for 1 - a^2: the level below is no longer N(0, I)")
def deeper_with_linear_variance(encoder, decoder, keep):
    top = hierarchical.Step(
        keep * elementary.identity_like(decoder[-1].weight), 0 * decoder[-1].weight[0], 1 - keep
    )
    return [*encoder, top], [*decoder, top]


@mutant("noise-added", of="HVAE-6", why="the level below kept whole, and noise of its variance added to it")
def deeper_with_more_noise(encoder, decoder, keep):
    top = hierarchical.Step(
        elementary.identity_like(decoder[-1].weight), 0 * decoder[-1].weight[0], 1 - keep**2
    )
    return [*encoder, top], [*decoder, top]


@equation(
    "HVAE-6/bound",
    title="a level more on top leaves the bound as it was",
    formula=hierarchical.deeper,
    latex=r"q(z_{T+1}|z_T)=p(z_{T+1}|z_T)\Rightarrow\mathrm{ELBO}_{T+1}=\mathrm{ELBO}_T",
    sources=[KIM("'Diffusion Model', the HVAE as a generalisation of the VAE"), CHAIN],
    evidence="algebra",
    how="the two Gaussians of all levels together, without the new level",
    given=DEEPENED,
    tolerance=1e-10,
    examples=25,
)
def bound_is_kept(deeper, x, encoder, decoder, keep):
    claimed, scale = bound(x, *deeper(encoder, decoder, keep))
    return claimed, bound(x, encoder, decoder)[0], scale


@mutant("encoder", of="HVAE-6/bound", why="the new level encoded by its prior, as if it were independent")
def deeper_with_independent_encoder(encoder, decoder, keep):
    up, down = hierarchical.deeper(encoder, decoder, keep)
    return [*up[:-1], up[-1]._replace(weight=0 * up[-1].weight, var=1.0)], down
