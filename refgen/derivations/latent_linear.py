"""Cards of the linear-Gaussian variational autoencoder: every term in closed form (ELBO-2, 3, 4, 6, 7)."""

from __future__ import annotations

import numpy as np

from refgen.autodiff import array_module
from refgen.cards import equation, mutant
from refgen.cards.strategies import covariances, points, positives, rungs, together
from refgen.derivations.gaussian import log_density, matrices, normal_nodes
from refgen.formulas import gaussian, latent_linear
from refgen.sources import BISHOP_2006, KIM, KINGMA_2014, LUO_2022, SJTU, TIPPING_1999


def weights(d, k):
    return matrices(max(d, k), -2, 2).map(lambda a: a[:d, :k])


def models(d, k):
    """A linear model of d coordinates by k latent ones, and a point."""
    return together(x=points(d), weight=weights(d, k), bias=points(d, -2, 2), var=positives(0.1, 5))


def with_encoders(d, k):
    """The same, and an encoder's law of the latent variable."""
    return together(
        x=points(d), mean=points(k, -2, 2), cov=covariances(k), weight=weights(d, k), bias=points(d, -2, 2),
        var=positives(0.1, 5),
    )  # fmt: skip


SIZES = [(1, 1), (2, 1), (1, 2), (3, 2)]
MODELS, ENCODERS = rungs(models, *SIZES), rungs(with_encoders, *SIZES)


def joint_cov(weight, var):
    """Covariance of (z, x)."""
    d, k = weight.shape
    return np.block([[np.eye(k), weight.T], [weight, weight @ weight.T + var * np.eye(d)]])


def evidence(x, weight, bias, var):
    """log p(x), from the covariance of x."""
    return log_density(x, bias, joint_cov(weight, var)[weight.shape[1] :, weight.shape[1] :])


def exact_posterior(x, weight, bias, var):
    """p(z | x) by conditioning the joint Gaussian, whose covariance has as many rows as x and z together."""
    k = weight.shape[1]
    return gaussian.condition(np.append(np.zeros(k), bias), joint_cov(weight, var), x)


def prior_like(mean):
    """Mean and covariance of N(0, I), in mean's precision."""
    return np.zeros_like(mean), array_module(mean).eye(len(mean), dtype=mean.dtype)


def nodes_of(mean, cov):
    """Nodes and weights of Gauss and Hermite's rule for N(mean, cov), exact for squares."""
    nodes, w = normal_nodes(len(mean))
    return mean + nodes @ np.linalg.cholesky(cov).T, w


def mean_log_ratio(x, mean, cov, weight, bias, var):
    """E_q[log p(x, z) - log q(z)], and the sum of the terms' magnitudes."""
    z, w = nodes_of(mean, cov)
    d, k = weight.shape
    terms = [
        log_density(x, z @ weight.T + bias, var * np.eye(d)),
        log_density(z, np.zeros(k), np.eye(k)),
        -log_density(z, mean, cov),
    ]
    return w @ sum(terms), 1 + w @ sum(map(abs, terms))


def divergence(mean, cov, x, weight, bias, var):
    """KL divergence of N(mean, cov) from the posterior, as a mean of log-ratios."""
    z, w = nodes_of(mean, cov)
    terms = log_density(z, mean, cov), log_density(z, *exact_posterior(x, weight, bias, var))
    return w @ (terms[0] - terms[1]), 1 + w @ (abs(terms[0]) + abs(terms[1]))


# ---- ELBO-7: the product rule
@equation(
    "ELBO-7",
    title="p(x) is p(x, z) over p(z | x), at every z",
    formula=latent_linear.posterior,
    latex=r"\log p(x,z)-\log p(z|x)=\log p(x)\quad\text{for all }z",
    sources=[KIM("'VAE', eq. 12"), LUO_2022("eq. 12"), BISHOP_2006("eq. 12.42")],
    evidence="algebra",
    how="log-density of x by its own covariance",
    given=rungs(
        lambda d, k: together(
            x=points(d), z=points(k), weight=weights(d, k), bias=points(d, -2, 2), var=positives(0.1, 5)
        ),
        *SIZES,
    ),
    tolerance=1e-11,
    examples=25,
)
def product_rule_holds_everywhere(posterior, x, z, weight, bias, var):
    d, k = weight.shape
    joint = log_density(x, weight @ z + bias, var * np.eye(d)) + log_density(z, np.zeros(k), np.eye(k))
    of_z = log_density(z, *posterior(x, weight, bias, var))
    return joint - of_z, evidence(x, weight, bias, var), 1 + abs(joint) + abs(of_z)


@mutant("prior", of="ELBO-7", why="W^T W / s^2 + I with the s^2 lost: the noise as large as the prior")
def posterior_of_unit_noise(x, weight, bias, var):
    return latent_linear.posterior(x, weight, bias, 1.0)


@mutant("bias", of="ELBO-7", why="the bias not taken from x before it is projected")
def posterior_without_bias(x, weight, bias, var):
    return latent_linear.posterior(x, weight, 0 * bias, var)


@mutant("shared-var", of="ELBO-7", why="s^2 M^{-1} with M = I + W^T W / s^2: s^2 is in it twice")
def posterior_with_var_twice(x, weight, bias, var):
    mean, cov = latent_linear.posterior(x, weight, bias, var)
    return mean, var * cov


@equation(
    "ELBO-7/likelihood",
    title="log p(x) is the integral over z",
    formula=latent_linear.log_likelihood,
    latex=r"\log p(x)=\log\int p(x|z)\,p(z)\,dz=\log N(x;b,WW^\top+s^2I)",
    sources=[KIM("'VAE', eq. 9"), TIPPING_1999("section 3"), BISHOP_2006("eq. 12.35")],
    evidence="quadrature",
    how="trapezoidal sum over z around the posterior",
    given=rungs(models, (1, 1), (2, 1), (1, 2)),
    tolerance=1e-11,
    examples=25,
)
def evidence_is_an_integral(log_likelihood, x, weight, bias, var):
    d, k = weight.shape
    centre, cov = exact_posterior(x, weight, bias, var)
    grid = np.stack(np.meshgrid(*[np.linspace(-8, 8, 33)] * k), -1).reshape(-1, k)
    root = np.linalg.cholesky(cov)
    z = centre + grid @ root.T
    joint = log_density(x, z @ weight.T + bias, var * np.eye(d)) + log_density(z, np.zeros(k), np.eye(k))
    largest, cell = np.max(joint), np.linalg.det(root) * 0.5**k
    derived = largest + np.log(np.sum(np.exp(joint - largest)) * cell)
    return log_likelihood(x, weight, bias, var), derived, 1 + abs(derived) + abs(largest)


@mutant("mode", of="ELBO-7/likelihood", why="log p(x | z = 0): the decoder at the prior's mean")
def likelihood_at_the_prior_mean(x, weight, bias, var):
    return latent_linear.log_likelihood(x, 0 * weight, bias, var)


@mutant("noise", of="ELBO-7/likelihood", why="W W^T + s I: a std added to covariances")
def likelihood_with_std(x, weight, bias, var):
    return latent_linear.log_likelihood(x, weight, bias, var**0.5)


# ---- ELBO-2, ELBO-3, ELBO-4, ELBO-6: the bound
@equation(
    "ELBO-4/linear",
    title="the bound of a linear model, in closed form",
    formula=latent_linear.elbo,
    latex=r"E_q\Big[\log\frac{p(x,z)}{q(z|x)}\Big]=\log N(x;Wm+b,s^2I)-\frac{\mathrm{tr}(WVW^\top)}{2s^2}"
    r"-D_{KL}(N(m,V)\Vert N(0,I))",
    sources=[KIM("'VAE', the two terms"), KINGMA_2014("eq. 3")],
    evidence="quadrature",
    how="the log-ratio at Gauss and Hermite's nodes of q, which is exact for squares",
    given=ENCODERS,
    tolerance=1e-12,
    examples=25,
)
def closed_bound_is_the_mean_log_ratio(elbo, **drawn):
    return elbo(**drawn), *mean_log_ratio(**drawn)


@mutant("spread", of="ELBO-4/linear", why="the reconstruction at the mean of q: tr(W V W^T) is left out")
def elbo_at_the_mean(x, mean, cov, weight, bias, var):
    return latent_linear.elbo(x, mean, cov, weight, bias, var) + np.trace(weight @ cov @ weight.T) / (2 * var)


@mutant("other-direction", of="ELBO-4/linear", why="the divergence of the prior from q")
def elbo_with_divergence_of_the_prior(x, mean, cov, weight, bias, var):
    zero, identity = prior_like(mean)
    forth = gaussian.kl_gaussian(mean, cov, zero, identity)
    back = gaussian.kl_gaussian(zero, identity, mean, cov)
    return latent_linear.elbo(x, mean, cov, weight, bias, var) + forth - back


@mutant("divergence-added", of="ELBO-4/linear", why="plus the divergence, not minus: no bound any more")
def elbo_with_plus(x, mean, cov, weight, bias, var):
    kl = gaussian.kl_gaussian(mean, cov, *prior_like(mean))
    return latent_linear.elbo(x, mean, cov, weight, bias, var) + 2 * kl


@equation(
    "ELBO-2/gap",
    title="the gap is the divergence of the encoder from the posterior",
    formula=latent_linear.gap,
    latex=r"\log p(x)-\mathrm{ELBO}=D_{KL}(q(z|x)\Vert p(z|x))",
    sources=[KIM("'VAE', eqs. 14 and 15")],
    evidence="quadrature",
    how="log p(x) by the covariance of x, less the mean log-ratio at the nodes of q",
    given=ENCODERS,
    tolerance=1e-11,
    examples=25,
)
def gap_is_what_the_bound_lacks(gap, x, mean, cov, weight, bias, var):
    bound, scale = mean_log_ratio(x, mean, cov, weight, bias, var)
    log_p = evidence(x, weight, bias, var)
    return gap(x, mean, cov, weight, bias, var), log_p - bound, scale + abs(log_p)


@mutant("other-direction", of="ELBO-2/gap", why="the divergence of the posterior from the encoder")
def gap_of_the_posterior(x, mean, cov, weight, bias, var):
    exact_mean, exact_cov = latent_linear.posterior(x, weight, bias, var)
    return gaussian.kl_gaussian(exact_mean, exact_cov, mean, cov)


@mutant("prior", of="ELBO-2/gap", why="the divergence from the prior: a term of the bound, not what it lacks")
def gap_from_the_prior(x, mean, cov, weight, bias, var):
    return gaussian.kl_gaussian(mean, cov, *prior_like(mean))


@equation(
    "ELBO-3",
    title="the bound is below log p(x)",
    formula=latent_linear.elbo,
    latex=r"\mathrm{ELBO}\le\log p(x)",
    sources=[KIM("'VAE', eq. 16")],
    evidence="algebra",
    how="log-density of x by its own covariance",
    given=ENCODERS,
    relation="<=",
    relative=False,
    tolerance=1e-12,
    tolerance32=1e-3,
    examples=25,
)
def bound_of_any_encoder(elbo, x, mean, cov, weight, bias, var):
    return elbo(x, mean, cov, weight, bias, var), evidence(x, weight, bias, var)


@mutant("spread", of="ELBO-3", why="the reconstruction at the mean of q alone: above log p(x) at times")
def bound_at_the_mean(x, mean, cov, weight, bias, var):
    return elbo_at_the_mean(x, mean, cov, weight, bias, var)


@equation(
    "ELBO-3/tight",
    title="the bound is log p(x) where the encoder is the posterior",
    formula=latent_linear.elbo,
    latex=r"q(z|x)=p(z|x)\Rightarrow\mathrm{ELBO}=\log p(x)",
    sources=[KIM("'VAE', eq. 16"), KIM("'VAE', maximum likelihood by variational inference")],
    evidence="algebra",
    how="log-density of x by its own covariance; the posterior by conditioning the joint Gaussian",
    given=MODELS,
    tolerance=1e-11,
    examples=25,
)
def bound_of_the_posterior(elbo, x, weight, bias, var):
    log_p = evidence(x, weight, bias, var)
    mean, cov = exact_posterior(x, weight, bias, var)
    scale = mean_log_ratio(x, mean, cov, weight, bias, var)[1]
    return elbo(x, mean, cov, weight, bias, var), log_p, scale


@mutant("spread", of="ELBO-3/tight", why="tr(W V W^T) without its half")
def elbo_with_whole_spread(x, mean, cov, weight, bias, var):
    return latent_linear.elbo(x, mean, cov, weight, bias, var) - np.trace(weight @ cov @ weight.T) / (2 * var)


@equation(
    "ELBO-6",
    title="the loss: -log p(x) plus the gap is minus the bound",
    formula=latent_linear.negative_elbo,
    latex=r"L_{VAE}=-\log p(x)+D_{KL}(q(z|x)\Vert p(z|x))=-\mathrm{ELBO}",
    sources=[SJTU("slide 20")],
    evidence="quadrature",
    how="minus the mean log-ratio at the nodes of q: neither p(x) nor the posterior",
    given=ENCODERS,
    tolerance=1e-11,
    examples=25,
)
def loss_is_minus_the_bound(negative_elbo, **drawn):
    bound, scale = mean_log_ratio(**drawn)
    return negative_elbo(**drawn), -bound, scale + abs(bound)


@mutant("minus-gap", of="ELBO-6", why="the gap taken off -log p(x): below it, an upper bound on log p(x)")
def loss_less_the_gap(x, mean, cov, weight, bias, var):
    gap = latent_linear.gap(x, mean, cov, weight, bias, var)
    return latent_linear.negative_elbo(x, mean, cov, weight, bias, var) - 2 * gap


@mutant("likelihood", of="ELBO-6", why="-log p(x) alone, the loss of an encoder that is exact")
def loss_without_gap(x, mean, cov, weight, bias, var):
    return -latent_linear.log_likelihood(x, weight, bias, var)
