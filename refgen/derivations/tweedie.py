"""Cards of Tweedie's formula: the mean of what was noised, by the score (TWE-1 to TWE-3)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad
from autograd.scipy.special import logsumexp
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import (
    covariances,
    laws,
    levels,
    mixtures,
    points,
    reals,
    rungs,
    together,
)
from refgen.derivations import line
from refgen.formulas import mixture, tweedie
from refgen.sources import EFRON_2011, KIM, LUO_2022

SLIDE = KIM("'Diffusion Model', Tweedie's formula")
LUO = LUO_2022("'Three Equivalent Interpretations'")


def log_density(z, weights, means, covs):
    """log of a mixture's density at one point z (d,); differentiable."""
    away = z - means
    quadratic = anp.sum(anp.einsum("kd,kde->ke", away, np.linalg.inv(covs)) * away, axis=1)
    return logsumexp(np.log(weights) - 0.5 * (np.linalg.slogdet(2 * np.pi * covs)[1] + quadratic))


score = elementwise_grad(log_density)


def diffused(law, alpha_bar):
    """Weights, means and covariances of the noisy mixture at a VP level."""
    d = law["means"].shape[1]
    covs = alpha_bar * law["covs"] + (1 - alpha_bar) * np.eye(d)
    return law["weights"], np.sqrt(alpha_bar) * law["means"], covs


def atoms(d):
    """A prior of three points, noise of any covariance, and what was observed."""
    three = st.lists(points(d, -3, 3), min_size=3, max_size=3).map(np.stack)
    return together(z=points(d), weights=laws(3), values=three, noise_cov=covariances(d))


@equation(
    "TWE-1/points",
    title="Tweedie's formula, the mean of three points",
    formula=tweedie.posterior_mean,
    latex=r"z\sim N(\mu,\Sigma)\ \Rightarrow\ E[\mu\mid z]=z+\Sigma\,\nabla_z\log p(z)",
    sources=[SLIDE, EFRON_2011(), LUO],
    evidence="algebra",
    how="Bayes' rule over the three points that mu can be; the score by differentiating the marginal of z",
    given=rungs(atoms, 2, 3),  # one dimension is in TWE-1/mixture; here the noise has a shape
    tolerance=1e-11,
)
def tweedie_is_bayes_rule(posterior_mean, z, weights, values, noise_cov):
    away = z - values
    log_posterior = np.log(weights) - 0.5 * np.sum(away * np.linalg.solve(noise_cov, away.T).T, axis=1)
    posterior = np.exp(log_posterior - logsumexp(log_posterior))
    claimed = posterior_mean(z, score(z, weights, values, noise_cov[None]), noise_cov)
    return claimed, posterior @ values, np.sum(abs(z)) + np.sum(abs(values)) + 1


@mutant("sign", of="TWE-1/points", why="minus the score: from the observation away from the prior's mass")
def tweedie_downhill(z, score, noise_cov):
    return z - score @ noise_cov


@mutant("isotropic", of="TWE-1/points", why="one number, the mean variance, for a covariance matrix")
def tweedie_with_one_variance(z, score, noise_cov):
    return z + np.trace(noise_cov) / len(noise_cov) * score


@mutant("std", of="TWE-1/points", why="the root of the covariance where the covariance belongs")
def tweedie_with_root(z, score, noise_cov):
    return z + score @ np.linalg.cholesky(noise_cov).T


@equation(
    "TWE-1/mixture",
    title="Tweedie's formula, the mean of a mixture",
    formula=tweedie.posterior_mean,
    latex=r"E[\mu\mid z]=z+\Sigma\,\nabla_z\log p(z)",
    sources=[SLIDE, EFRON_2011(), LUO],
    evidence="oracle",
    how="each component's Gaussian conditioned on z, averaged by responsibilities",
    given=rungs(lambda d: together(z=points(d), law=mixtures(d, 2), noise_cov=covariances(d)), 1, 2, 3),
    tolerance=1e-10,
)
def tweedie_is_conditioning(posterior_mean, z, law, noise_cov):
    weights, means, covs = law["weights"], law["means"], law["covs"]
    log_joint, conditioned = [], []
    for w, m, c in zip(weights, means, covs, strict=True):
        log_joint.append(np.log(w) + log_density(z, np.ones(1), m[None], (c + noise_cov)[None]))
        precision = np.linalg.inv(c) + np.linalg.inv(noise_cov)
        conditioned.append(np.linalg.solve(precision, np.linalg.solve(c, m) + np.linalg.solve(noise_cov, z)))
    share = np.exp(np.array(log_joint) - logsumexp(np.array(log_joint)))
    claimed = posterior_mean(z, score(z, weights, means, covs + noise_cov), noise_cov)
    return claimed, share @ np.array(conditioned), np.sum(abs(z)) + np.sum(abs(means)) + 1


@mutant(
    "prior", of="TWE-1/mixture", why="twice the step: the score of a prior as wide as the noise put in too"
)
def tweedie_twice(z, score, noise_cov):
    return z + 2 * score @ noise_cov


@equation(
    "TWE-2",
    title="the mean of x_0 given x_t, by the marginal score",
    formula=tweedie.denoised,
    latex=r"E[x_0\mid x_t]=\frac{x_t+(1-\bar\alpha_t)\nabla\log q_t(x_t)}{\sqrt{\bar\alpha_t}}",
    sources=[SLIDE, LUO, EFRON_2011()],
    evidence="oracle",
    how="the closed-form posterior mean of a Gaussian mixture; the score by differentiating its log-density",
    given=rungs(lambda d: together(x_t=points(d), law=mixtures(d, 2), alpha_bar=levels(8.0)), 1, 2, 3),
    tolerance=1e-10,
    examples=60,
)
def denoised_is_the_posterior_mean(denoised, x_t, law, alpha_bar):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    slope = score(x_t, *diffused(law, alpha_bar))
    derived = mixture.posterior_mean(x_t, law["weights"], law["means"], law["covs"], signal, std)
    scale = (np.max(abs(x_t)) + (1 - alpha_bar) * np.max(abs(slope))) / signal
    return denoised(x_t, slope, signal, std), derived, scale


@mutant("std", of="TWE-2", why="std where its square, the variance, belongs")
def denoised_by_std(x_t, score, signal, std):
    return (x_t + std * score) / signal


@mutant(
    "unscaled", of="TWE-2", why="the division by the signal forgotten: as if the noise had only been added"
)
def denoised_unscaled(x_t, score, signal, std):
    return x_t + std**2 * score


@equation(
    "TWE-2/integral",
    title="the same by integration",
    formula=tweedie.denoised,
    latex=r"\int x_0\,q(x_0\mid x_t)\,dx_0=\frac{x_t+(1-\bar\alpha_t)\nabla\log q_t}{\sqrt{\bar\alpha_t}}",
    sources=[SLIDE, LUO],
    evidence="quadrature",
    how="a sum over x_0, weighted by Bayes' rule",
    given=line.lines(x_t=reals(), alpha_bar=levels(5.0)),
    tolerance=1e-11,
    examples=50,
)
def denoised_is_an_integral(denoised, law, x_t, alpha_bar):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    x_0, mass = line.posterior(x_t, law, signal, std)
    point = np.array([x_t])
    slope = line.score(point, line.noisy(law, signal, std))
    return denoised(point, slope, signal, std)[0], mass @ x_0, mass @ abs(x_0)


@mutant("sign", of="TWE-2/integral", why="minus the score, as before the noise in the other form")
def denoised_downhill(x_t, score, signal, std):
    return (x_t - std**2 * score) / signal


@equation(
    "TWE-2/spread",
    title="x_0 itself is not what the marginal score gives",
    formula=tweedie.mean_square_error,
    latex=r"E\Big\lVert x_0-\frac{x_t+(1-\bar\alpha_t)\nabla\log q_t(x_t)}{\sqrt{\bar\alpha_t}}\Big\rVert^2"
    r"=\frac{1-\bar\alpha_t}{\bar\alpha_t}\big(d-(1-\bar\alpha_t)E\lVert\nabla\log q_t\rVert^2\big)>0",
    sources=[SLIDE, LUO],
    evidence="quadrature",
    how="the squared distance of the two sides as printed, summed over x_0 and x_t",
    given=line.lines(1, 2, alpha_bar=levels(2.0)),
    tolerance=1e-9,
    examples=30,
)
def pointwise_identity_fails_by_this(mean_square_error, law, alpha_bar):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    x_0, x_t, mass = line.joint(law, signal, std)
    slope = line.score(x_t, line.noisy(law, signal, std))
    printed = (x_t + std**2 * slope) / signal
    fisher = np.array([[mass.sum(0) @ slope**2]])
    claimed = mean_square_error(np.array([[std**2]]), fisher) / alpha_bar
    return claimed, np.sum(mass * (x_0[:, None] - printed) ** 2), std**2 / alpha_bar


@misprint(
    "ERR-4",
    of="TWE-2/spread",
    printed=r"x_0=\frac{x_t+(1-\bar\alpha_t)\nabla\log p(x_t)}{\sqrt{\bar\alpha_t}}",
    correct=r"E[x_0\mid x_t]=\frac{x_t+(1-\bar\alpha_t)\nabla\log p(x_t)}{\sqrt{\bar\alpha_t}}",
    source=SLIDE,
    why="the right-hand side is a function of x_t, and many x_0 lead to one x_t: it is their mean. As "
    "printed, the two sides would never differ",
)
def no_error_at_all(noise_cov, fisher):
    return 0.0 * np.trace(noise_cov)


@equation(
    "TWE-3",
    title="x_0 itself, by the conditional score",
    formula=tweedie.denoised,
    latex=r"x_0=\frac{x_t+(1-\bar\alpha_t)\nabla\log q(x_t\mid x_0)}{\sqrt{\bar\alpha_t}}",
    sources=[SLIDE, LUO],
    evidence="autodiff",
    how="round trip: the score of q(x_t|x_0), by differentiation, takes the noise off again",
    given=rungs(lambda d: together(x_0=points(d), eps=points(d), alpha_bar=levels()), 1, 2, 5),
    tolerance=1e-12,
)
def conditional_score_gives_the_data(denoised, x_0, eps, alpha_bar):
    signal, std = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    x_t = signal * x_0 + std * eps
    slope = elementwise_grad(lambda x: -0.5 * (x - signal * x_0) ** 2 / (1 - alpha_bar))(x_t)
    return denoised(x_t, slope, signal, std), x_0, abs(x_0) + std / signal * abs(eps)


@misprint(
    "ERR-4/pointwise",
    of="TWE-3",
    printed=r"x_0=\frac{x_t+(1-\bar\alpha_t)\nabla\log p(x_t)}{\sqrt{\bar\alpha_t}}",
    correct=r"x_0=\frac{x_t+(1-\bar\alpha_t)\nabla\log q(x_t\mid x_0)}{\sqrt{\bar\alpha_t}}",
    source=SLIDE,
    why="the score of p(x_t) where that of q(x_t|x_0) is meant. Here for data from N(0, I), whose noisy law "
    "has the score -x_t",
)
def data_by_the_score_of_the_noisy_law(x_t, score, signal, std):
    return tweedie.denoised(x_t, -x_t, signal, std)
