"""Cards of what is best: what a rise of the bound says, and where it is highest (ELBO-5, ELBO-8)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import covariances, points, positives, reals, rungs, together
from refgen.derivations.latent_linear import (
    MODELS,
    divergence,
    evidence,
    mean_log_ratio,
    models,
    prior_like,
    weights,
)
from refgen.formulas import gaussian, latent, latent_linear
from refgen.sources import BISHOP_2006, KIM, TIPPING_1999


# ---- ELBO-5: what a rise of the bound says of the gap
def two_encoders(d, k):
    return together(
        x=points(d), weight=weights(d, k), bias=points(d, -2, 2), var=positives(0.1, 5),
        mean=points(k, -2, 2), cov=covariances(k), other_mean=points(k, -2, 2), other_cov=covariances(k),
    )  # fmt: skip


@equation(
    "ELBO-5",
    title="an encoder's move raises the bound by what it closes of the gap",
    formula=latent_linear.elbo,
    latex=r"\theta\text{ fixed: }\Delta\mathrm{ELBO}=-\Delta D_{KL}(q_\phi\Vert p_\theta(z|x))",
    sources=[KIM("'VAE', why the bound is maximised")],
    evidence="quadrature",
    how="the divergences of both encoders from the posterior, by log-ratios at the nodes",
    given=rungs(two_encoders, (1, 1), (2, 2)),
    tolerance=1e-11,
    examples=25,
)
def encoder_moves(elbo, x, weight, bias, var, mean, cov, other_mean, other_cov):
    model = weight, bias, var
    rise = elbo(x, other_mean, other_cov, *model) - elbo(x, mean, cov, *model)
    (before, scale), (after, more) = (
        divergence(mean, cov, x, *model),
        divergence(other_mean, other_cov, x, *model),
    )
    bound_scale = (
        mean_log_ratio(x, mean, cov, *model)[1] + mean_log_ratio(x, other_mean, other_cov, *model)[1]
    )
    return rise, before - after, scale + more + bound_scale


@mutant("reconstruction", of="ELBO-5", why="the divergence from the prior left out of the bound")
def reconstruction_alone(x, mean, cov, weight, bias, var):
    kl = gaussian.kl_gaussian(mean, cov, *prior_like(mean))
    return latent_linear.elbo(x, mean, cov, weight, bias, var) + kl


@equation(
    "ELBO-5/decoder",
    title="when the decoder moves, bound and gap may rise together",
    formula=latent.gap_falls,
    latex=r"\Delta D_{KL}(q_\phi\Vert p_\theta(z|x))<0\iff\Delta\mathrm{ELBO}>\Delta\log p_\theta(x)",
    sources=[KIM("'VAE', why the bound is maximised")],
    kind="claim",
    evidence="quadrature",
    how="the gaps before and after by log-ratios at the nodes of q, which stays",
    given=together(
        x=reals(-3, 3), slope=reals(-2, 2), var=positives(0.1, 5), other_slope=reals(-2, 2),
        other_var=positives(0.1, 5), mean=reals(-2, 2), q_var=positives(0.1, 3),
    ),
    examples=60,
)  # fmt: skip
def decoder_moves(gap_falls, x, slope, var, other_slope, other_var, mean, q_var):
    x, bias, q = np.array([x]), np.zeros(1), (np.array([mean]), np.array([[q_var]]))
    before, after = (np.array([[slope]]), bias, var), (np.array([[other_slope]]), bias, other_var)
    change = divergence(*q, x, *after)[0] - divergence(*q, x, *before)[0]
    if abs(change) < 1e-6:  # no move, or one that rounding hides
        return 0, 0
    elbo_rise = mean_log_ratio(x, *q, *after)[0] - mean_log_ratio(x, *q, *before)[0]
    log_likelihood_rise = evidence(x, *after) - evidence(x, *before)
    return int(gap_falls(np.array(elbo_rise), np.array(log_likelihood_rise))), int(change < 0)


@mutant(
    "always", of="ELBO-5/decoder", why="'a higher bound is a closer posterior': so only for a fixed decoder"
)
def gap_falls_when_the_bound_rises(elbo_rise, log_likelihood_rise):
    return elbo_rise > 0


# ---- ELBO-8: the best encoder
def bound(mean, root, x, weight, bias, var):
    """The bound but for a constant, of q = N(mean, root root^T): every term as its definition has it."""
    error = x - weight @ mean - bias
    reconstruction = -0.5 * (anp.sum(error**2) + anp.sum((weight @ root) ** 2)) / var
    prior = -0.5 * (anp.sum(mean**2) + anp.sum(root**2))
    return reconstruction + prior + anp.linalg.slogdet(root)[1]


def sizes(x, weight, bias, var):
    """How large the terms of the gradient are."""
    pull = abs(weight).T @ (abs(x) + abs(bias)) / var
    return 1 + pull.max(), 1 + (abs(weight).T @ abs(weight)).max() / var


@equation(
    "ELBO-8",
    title="the gradient of the bound vanishes at the posterior",
    formula=latent_linear.posterior,
    latex=r"q^*=N\big(M^{-1}W^\top(x-b)/s^2,M^{-1}\big),\ M=I+W^\top W/s^2:\quad"
    r"\nabla_{m,V}\mathrm{ELBO}=0",
    sources=[KIM("'VAE', maximum likelihood by variational inference"), BISHOP_2006("eq. 12.42")],
    evidence="autodiff",
    how="the bound as a function of the mean and of a root of the covariance, differentiated",
    given=MODELS,
    tolerance=1e-11,
    tolerance32=1e-3,
    examples=25,
)
def posterior_is_the_best_encoder(posterior, x, weight, bias, var):
    mean, cov = posterior(x, weight, bias, var)
    root = np.linalg.cholesky(cov)
    slopes = [grad(bound, place)(mean, root, x, weight, bias, var) for place in (0, 1)]
    of_mean, of_root = sizes(x, weight, bias, var)
    claimed = np.concatenate([slopes[0], slopes[1].ravel()])
    scale = np.repeat(
        [of_mean * of_root, of_root * abs(root).max() + 1 / np.diag(root).min()], [len(mean), root.size]
    )
    return claimed, np.zeros_like(claimed), scale


@mutant("not-scaled", of="ELBO-8", why="W^T (x - b) not divided by s^2 in the mean")
def best_encoder_not_scaled(x, weight, bias, var):
    mean, cov = latent_linear.posterior(x, weight, bias, var)
    return mean * var, cov


@mutant("unit", of="ELBO-8", why="M = I + W^T W: the decoder's noise forgotten")
def best_encoder_of_unit_noise(x, weight, bias, var):
    return latent_linear.posterior(x, weight, bias, 1.0)


@equation(
    "ELBO-8/diagonal",
    title="the best encoder of independent coordinates",
    formula=latent_linear.best_diagonal,
    latex=r"V=\mathrm{diag}(v):\quad m=E[z|x],\quad v_i=1/M_{ii}=\frac1{1+\lVert w_i\rVert^2/s^2}>0",
    sources=[BISHOP_2006("section 10.1.2"), TIPPING_1999("section 3")],
    evidence="autodiff",
    how="the bound as a function of the mean and of the coordinates' stds, differentiated",
    given=rungs(models, (1, 1), (2, 2), (2, 3)),
    tolerance=1e-11,
    tolerance32=1e-3,
    examples=25,
)
def diagonal_encoder(best_diagonal, x, weight, bias, var):
    mean, variances = best_diagonal(x, weight, bias, var)
    std = np.sqrt(variances)
    model = x, weight, bias, var
    of_mean, of_root = sizes(*model)
    slopes = [
        grad(lambda m: bound(m, np.diag(std), *model))(mean),
        grad(lambda s: bound(mean, anp.diag(s), *model))(std),
    ]
    claimed = np.concatenate(slopes)
    return claimed, np.zeros_like(claimed), np.repeat([of_mean * of_root, of_root + 1 / std.min()], len(mean))


@mutant("marginals", of="ELBO-8/diagonal", why="the diagonal of the posterior's covariance: too wide")
def diagonal_of_the_covariance(x, weight, bias, var):
    mean, cov = latent_linear.posterior(x, weight, bias, var)
    return mean, np.diag(cov)


# ---- ELBO-8: the best decoder
def spectra(d, k):
    """Eigenvalues of a covariance, the largest first, no two alike, and eigenvectors: a reflection."""
    steps = st.lists(positives(0.1, 3), min_size=d, max_size=d)
    return together(
        values=steps.map(lambda a: np.cumsum(a)[::-1].copy()),
        axes=points(d, -1, 1).map(reflection),
        k=st.just(k),
    )


def reflection(v):
    v = v + 2 * np.eye(len(v))[0]
    return np.eye(len(v)) - 2 * np.outer(v, v) / (v @ v)


def mean_log_likelihood(weight, var, cov):
    """Of data with that covariance, at their mean."""
    d = len(cov)
    of_x = weight @ weight.T + var * np.eye(d)
    log_det = anp.linalg.slogdet(of_x)[1]
    return -0.5 * (d * np.log(2 * np.pi) + log_det + anp.trace(anp.linalg.solve(of_x, cov)))


@equation(
    "ELBO-8/decoder",
    title="the best decoder is given by the principal components",
    formula=latent_linear.best_model,
    latex=r"W=U_k(\Lambda_k-s^2I)^{1/2},\ s^2=\frac1{d-k}\sum_{i>k}\lambda_i:"
    r"\quad\nabla_{W,s^2}E[\log p(x)]=0",
    sources=[TIPPING_1999("section 3"), BISHOP_2006("eqs. 12.45 and 12.46")],
    evidence="autodiff",
    how="the mean log-likelihood of data with that covariance, differentiated by weight and variance",
    given=rungs(spectra, (2, 1), (3, 1), (3, 2)),
    tolerance=1e-10,
    tolerance32=1e-3,
    examples=25,
)
def principal_components(best_model, values, axes, k):
    weight, var = best_model(values, axes, k)
    cov = axes @ np.diag(values) @ axes.T
    slopes = [grad(mean_log_likelihood, place)(weight, float(var), cov) for place in (0, 1)]
    claimed = np.append(slopes[0].ravel(), slopes[1])
    return claimed, np.zeros_like(claimed), np.full(len(claimed), (1 + values[0]) / values[-1] ** 2)


@mutant("noise-kept", of="ELBO-8/decoder", why="the noise not taken off the eigenvalues: counted twice")
def components_with_noise(values, axes, k):
    return axes[:, :k] * np.sqrt(values[:k]), latent_linear.best_model(values, axes, k)[1]


@mutant("all", of="ELBO-8/decoder", why="what is dropped averaged over all d directions, not over d - k")
def components_with_small_noise(values, axes, k):
    var = np.sum(values[k:]) / len(values)
    return axes[:, :k] * np.sqrt(values[:k] - var), var


@equation(
    "ELBO-8/likelihood",
    title="the highest mean log-likelihood of a linear model",
    formula=latent_linear.best_likelihood,
    latex=r"\max_{W,b,s^2}E[\log p(x)]"
    r"=-\tfrac12\Big(d\log2\pi+\sum_{i\le k}\log\lambda_i+(d-k)\log s^2+d\Big)",
    sources=[TIPPING_1999("section 3")],
    evidence="algebra",
    how="determinant and trace of the model's covariance at the principal components",
    given=rungs(spectra, (2, 1), (3, 1), (3, 2)),
    tolerance=1e-11,
    examples=25,
)
def likelihood_of_the_components(best_likelihood, values, axes, k):
    var = np.mean(values[k:])
    weight = axes[:, :k] @ np.diag(np.sqrt(values[:k] - var))
    derived = mean_log_likelihood(weight, var, axes @ np.diag(values) @ axes.T)
    return best_likelihood(values, k), derived, len(values) + np.sum(abs(np.log(values)))


@mutant("entropy", of="ELBO-8/likelihood", why="minus the entropy of a Gaussian of all the eigenvalues")
def likelihood_of_the_full_gaussian(values, k):
    return -0.5 * np.sum(np.log(2 * np.pi * np.e * values)) + 0.0 * np.log(np.mean(values[k:]))


@equation(
    "ELBO-8/highest",
    title="no linear model has a higher likelihood, so none a higher bound",
    formula=latent_linear.best_likelihood,
    latex=r"\mathrm{ELBO}\le\log p(x),\quad E[\log p(x)]\le\max_{W,b,s^2}E[\log p(x)]",
    sources=[TIPPING_1999("section 3"), KIM("'VAE', maximum likelihood by variational inference")],
    evidence="algebra",
    how="determinant and trace of another model's covariance, near the best one and far from it",
    given=rungs(
        lambda d, k: st.builds(
            lambda law, off, times: law | dict(off=off, times=times),
            spectra(d, k), weights(d, k), positives(0.5, 2),
        ),
        (2, 1), (3, 1), (3, 2),
    ),
    relation="<=",
    relative=False,
    tolerance=1e-11,
    tolerance32=1e-3,
    examples=25,
)  # fmt: skip
def no_model_is_better(best_likelihood, values, axes, k, off, times):
    var = np.mean(values[k:])
    weight = axes[:, :k] @ np.diag(np.sqrt(values[:k] - var))
    cov = axes @ np.diag(values) @ axes.T
    others = [mean_log_likelihood(weight + step * off, times * var, cov) for step in (0.0, 1e-3, 1.0)]
    return -np.full(3, best_likelihood(values, k)), -np.array(others)


@mutant("isotropic", of="ELBO-8/highest", why="all eigenvalues averaged: the best model of k = 0")
def likelihood_of_no_components(values, k):
    return -0.5 * len(values) * (np.log(2 * np.pi * np.mean(values)) + 1)
