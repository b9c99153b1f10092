"""Cards of Tweedie's formula of second order, and of the error of its estimate (TWE-4, TWE-5)."""

from __future__ import annotations

import numpy as np
from autograd import hessian, jacobian
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import covariances, levels, mixtures, points, positives, rungs, together
from refgen.derivations import line
from refgen.derivations.tweedie import SLIDE, diffused, log_density
from refgen.formulas import elementary, mixture, tweedie
from refgen.sources import BAO_2022, EFRON_2011, FIELD


def second_order(log_snr):
    return rungs(lambda d: together(x_t=points(d), law=mixtures(d, 2), alpha_bar=levels(log_snr)), 1, 2, 3)


def exact_cov(x_t, law, alpha_bar):
    level = float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))
    return mixture.posterior_cov(x_t, law["weights"], law["means"], law["covs"], *level), level


@equation(
    "TWE-4",
    title="covariance of x_0 given x_t, by the Hessian",
    formula=tweedie.cov_from_hessian,
    latex=r"\mathrm{Cov}[x_0\mid x_t]=\frac{1-\bar\alpha_t}{\bar\alpha_t}"
    r"\big(I+(1-\bar\alpha_t)\nabla^2\log q_t\big)",
    sources=[EFRON_2011(), BAO_2022()],
    evidence="oracle",
    how="the closed-form posterior covariance of a Gaussian mixture; second derivatives by differentiation",
    given=second_order(6.0),
    tolerance=1e-10,
    examples=50,
)
def hessian_gives_the_covariance(cov_from_hessian, x_t, law, alpha_bar):
    derived, (signal, std) = exact_cov(x_t, law, alpha_bar)
    second = hessian(log_density)(x_t, *diffused(law, alpha_bar))
    scale = (std / signal) ** 2 * (1 + std**2 * np.max(abs(second)))
    return cov_from_hessian(second, signal, std), derived, scale


@mutant("sign", of="TWE-4", why="minus the Hessian: wider where the log-density is concave")
def cov_with_sign(hessian, signal, std):
    return tweedie.cov_from_hessian(-hessian, signal, std)


@mutant("unscaled", of="TWE-4", why="the Hessian of log q_t not multiplied by the variance of the noise")
def cov_with_unscaled_hessian(hessian, signal, std):
    return (std / signal) ** 2 * (elementary.identity_like(hessian) + hessian)


@equation(
    "TWE-4/jacobian",
    title="covariance of x_0 given x_t, by the denoiser",
    formula=tweedie.cov_from_jacobian,
    latex=r"\mathrm{Cov}[x_0\mid x_t]=\frac{1-\bar\alpha_t}{\sqrt{\bar\alpha_t}}\,"
    r"\frac{\partial E[x_0\mid x_t]}{\partial x_t}",
    sources=[EFRON_2011(), FIELD("a guidance program had sigma / alpha for sigma^2 / alpha")],
    evidence="oracle",
    how="the closed-form posterior covariance of a Gaussian mixture; the Jacobian by differentiation",
    given=second_order(6.0),
    tolerance=1e-10,
    examples=50,
)
def jacobian_gives_the_covariance(cov_from_jacobian, x_t, law, alpha_bar):
    derived, level = exact_cov(x_t, law, alpha_bar)
    slope = jacobian(mixture.posterior_mean)(x_t, law["weights"], law["means"], law["covs"], *level)
    return cov_from_jacobian(slope, *level), derived, np.max(abs(derived))


@mutant("std", of="TWE-4/jacobian", why="std over signal: the noise level where its square belongs")
def cov_by_std(jacobian, signal, std):
    return std / signal * jacobian


def estimates(**more):
    return line.lines(1, 2, noise_std=positives(0.3, 2.0), **more)


def exact_error(law, noise_std):
    """E (E[mu|z] - mu)^2 and the Fisher information of z, by sums over mu and z."""
    mu, z, mass = line.joint(law, 1.0, noise_std)
    mass_z = mass.sum(0)
    # Where the mass of z is below rounding, its share of any mean is too.
    mean = (mu @ mass) / np.where(mass_z > 0, mass_z, 1.0)
    error = np.sum(mass * (mu[:, None] - mean) ** 2)
    return error, mass_z @ line.score(z, line.noisy(law, 1.0, noise_std)) ** 2


@equation(
    "TWE-5",
    title="mean squared error of Tweedie's estimate",
    formula=tweedie.mean_square_error,
    latex=r"E\lVert E[\mu\mid z]-\mu\rVert^2=\mathrm{tr}\,\Sigma-E\lVert\Sigma\nabla\log p\rVert^2",
    sources=[SLIDE, EFRON_2011()],
    evidence="quadrature",
    how="the squared error summed over mu and z, in one or two independent coordinates",
    given=[together(first=one) for one in estimates()]
    + [together(first=one, second=estimates()[0]) for one in estimates()],
    tolerance=1e-9,
    examples=30,
)
def error_is_trace_minus_shift(mean_square_error, first, second=None):
    coordinates = [first] + ([second] if second else [])
    errors, informations = zip(*[exact_error(**c) for c in coordinates], strict=True)
    noise_cov = np.diag([c["noise_std"] ** 2 for c in coordinates])
    return mean_square_error(noise_cov, np.diag(informations)), sum(errors), np.trace(noise_cov)


@mutant("single", of="TWE-5", why="Sigma once where E|Sigma grad log p|^2 has it twice")
def error_with_one_sigma(noise_cov, fisher):
    return np.trace(noise_cov - noise_cov @ fisher)


@equation(
    "TWE-5/gain",
    title="it never exceeds that of the observation",
    formula=tweedie.mean_square_error,
    latex=r"E\lVert E[\mu\mid z]-\mu\rVert^2\le\mathrm{tr}\,\Sigma=E\lVert z-\mu\rVert^2",
    sources=[SLIDE, EFRON_2011()],
    evidence="quadrature",
    how="the error of z itself, summed over mu and z",
    given=estimates(),
    relation="<=",
    tolerance=1e-10,
    examples=30,
)
def tweedie_beats_the_observation(mean_square_error, law, noise_std):
    mu, z, mass = line.joint(law, 1.0, noise_std)
    _, information = exact_error(law, noise_std)
    claimed = mean_square_error(np.array([[noise_std**2]]), np.array([[information]]))
    return claimed, np.sum(mass * (z - mu[:, None]) ** 2), noise_std**2


@mutant(
    "sign", of="TWE-5/gain", why="plus the mean square of the shift: an estimate worse than the observation"
)
def error_with_sign(noise_cov, fisher):
    return tweedie.mean_square_error(noise_cov, -fisher)


@equation(
    "TWE-5/equal",
    title="as large under a flat prior, zero where mu is known",
    formula=tweedie.mean_square_error,
    latex=r"\mu\sim N(0,vI):\ E\lVert E[\mu\mid z]-\mu\rVert^2=\mathrm{tr}(\Sigma^{-1}+I/v)^{-1},\quad"
    r"\to\mathrm{tr}\,\Sigma\ (v\to\infty),\ \to0\ (v\to0)",
    sources=[SLIDE, EFRON_2011()],
    evidence="algebra",
    how="the precisions of a Gaussian prior and of z added, along each axis of the noise",
    given=rungs(
        lambda d: together(
            noise_cov=covariances(d), prior_var=st.one_of(st.sampled_from([1e18, 1e-18]), positives())
        ),
        1,
        2,
        3,
    ),
    tolerance=1e-12,
)
def error_spans_zero_to_that_of_the_observation(mean_square_error, noise_cov, prior_var):
    # The score of z is linear, so its mean square is the precision of z.
    precision = np.linalg.inv(noise_cov + prior_var * np.eye(len(noise_cov)))
    axes = np.linalg.eigvalsh(noise_cov)
    return mean_square_error(noise_cov, precision), np.sum(1 / (1 / axes + 1 / prior_var)), np.sum(axes)


@mutant("none", of="TWE-5/equal", why="no error at all, as if the mean given z were mu: the bound allows it")
def error_of_none(noise_cov, fisher):
    return 0.0 * np.trace(noise_cov)


@mutant("observation", of="TWE-5/equal", why="the error of z itself: right for a flat prior only")
def error_of_the_observation(noise_cov, fisher):
    return np.trace(noise_cov)
