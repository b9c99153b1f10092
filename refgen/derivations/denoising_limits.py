"""Cards of the choice of noise: bias, exploding variance, and the best level in between (DSM-8, 9, 10)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad, hessian
from autograd.scipy.special import logsumexp
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import chi2

from refgen.cards import equation, mutant
from refgen.cards.strategies import positives
from refgen.derivations import line
from refgen.formulas import denoising, mixture
from refgen.sources import ISACHENKO, SONG_NOTES

SMALL_NOISE = ISACHENKO("'Denoising score matching', small noise")
CLEAN = SONG_NOTES("'Denoising Score Matching', the score of clean data is out of reach")
EXPLODES = SONG_NOTES("'Denoising Score Matching', the variance of the loss")
SWEET = SONG_NOTES("'Denoising Score Matching', the choice of the noise level")

# Mixtures (weights, means, covariances) on the line and in the plane, and a point.
TILTED = [[[0.5, 0.2], [0.2, 0.8]], [[1.0, -0.3], [-0.3, 0.6]]]
LAWS = [
    dict(weights=[0.3, 0.7], means=[[-1.0], [1.0]], covs=[[[0.3]], [[0.5]]], x=[0.3]),
    dict(weights=[0.2, 0.8], means=[[-2.0], [1.0]], covs=[[[0.5]], [[1.0]]], x=[-0.5]),
    dict(weights=[0.4, 0.6], means=[[-1.0, 0.5], [1.0, -0.5]], covs=TILTED, x=[0.2, 0.4]),
]


def order(stds, errors):
    """The slope of log error over log std."""
    return np.polyfit(np.log(stds), np.log(errors), 1)[0]


def log_density(x, weights, means, covs):
    """log of a mixture's density at one point x (d,); differentiable as often as wanted."""
    logs = []
    for w, m, c in zip(weights, means, covs, strict=True):
        away = x - m
        logs.append(np.log(w) - 0.5 * (np.linalg.slogdet(c)[1] + away @ np.linalg.inv(c) @ away))
    return logsumexp(anp.stack(logs))


def arrays(*law):
    return [np.array(part) for part in law]


# ---- DSM-8: bias
@equation(
    "DSM-8/order",
    title="the noisy score differs from that of clean data by order std^2",
    formula=mixture.diffused_covs,
    latex=r"\nabla\log q_\sigma(x)-\nabla\log p(x)=O(\sigma^2)\ne0",
    sources=[SMALL_NOISE, CLEAN],
    evidence="order",
    how="scores of clean and noisy mixtures by differentiation, at std 0.08, 0.04, 0.02",
    cases=LAWS,
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def bias_is_second_order(diffused_covs, weights, means, covs, x):
    weights, means, covs, x = arrays(weights, means, covs, x)
    stds = np.array([0.08, 0.04, 0.02])
    clean = grad(log_density)(x, weights, means, covs)
    noisy = [grad(log_density)(x, weights, means, diffused_covs(covs, 1.0, float(std))) for std in stds]
    return order(stds, [np.max(abs(score - clean)) for score in noisy]), 2.0


@mutant("std", of="DSM-8/order", why="the std added to the covariance, not its square: order one")
def covs_plus_std(covs, signal, std):
    return covs + std * np.eye(np.shape(covs)[-1])


@equation(
    "DSM-8/bias",
    title="the bias to first order in std^2",
    formula=denoising.smoothing_bias,
    latex=r"\nabla\log q_\sigma-\nabla\log p=\tfrac{\sigma^2}2\nabla\big(\mathrm{tr}\nabla^2\log p"
    r"+\lVert\nabla\log p\rVert^2\big)+O(\sigma^4)",
    sources=[SMALL_NOISE, CLEAN],
    evidence="order",
    how="what is left of the difference of the scores without it, at std 0.08, 0.04, 0.02: order four",
    cases=LAWS,
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def what_the_bias_leaves_is_fourth_order(smoothing_bias, weights, means, covs, x):
    law = weights, means, covs = arrays(weights, means, covs)
    x, stds = np.array(x), np.array([0.08, 0.04, 0.02])
    clean, jac = grad(log_density)(x, *law), hessian(log_density)(x, *law)
    trace_gradient = grad(lambda z: anp.trace(hessian(log_density)(z, *law)))(x)
    errors = []
    for std in stds.tolist():
        noisy = grad(log_density)(x, weights, means, covs + std**2 * np.eye(len(x)))
        errors.append(np.max(abs(noisy - clean - smoothing_bias(clean, jac, trace_gradient, std))))
    return order(stds, errors), 4.0


@mutant("half", of="DSM-8/bias", why="the 2 of the derivative of a square left out")
def bias_without_two(score, jac, trace_gradient, std):
    return denoising.smoothing_bias(score / 2, jac, trace_gradient, std)


@mutant("whole", of="DSM-8/bias", why="std^2 for std^2 / 2, the time of the heat equation")
def bias_of_twice_the_time(score, jac, trace_gradient, std):
    return 2 * denoising.smoothing_bias(score, jac, trace_gradient, std)


# ---- DSM-9: variance
LINE = line.Law(np.array([0.3, 0.7]), np.array([-1.0, 1.0]), np.array([0.5, 0.8]))
STDS = np.array([0.1, 0.05, 0.025])


def pairs(std):
    """The noisy score, the noisy point and eps for pairs (x, eps), with their masses; all (n, 30)."""
    x, mass = line.tabulated(LINE)
    eps, weights = np.polynomial.hermite_e.hermegauss(30)
    x_noisy = x[:, None] + std * eps
    score = line.score(x_noisy.ravel(), line.noisy(LINE, 1.0, std)).reshape(x_noisy.shape)
    return score, x_noisy, np.broadcast_to(eps, x_noisy.shape), mass[:, None] * weights / np.sum(weights)


def variance(values, mass):
    return np.sum(mass * (values - np.sum(mass * values)) ** 2)


@equation(
    "DSM-9/loss",
    title="the variance of the loss explodes as std^-4",
    formula=denoising.loss_var,
    latex=r"\mathrm{Var}\big(\tfrac12\lVert s+\epsilon/\sigma\rVert^2\big)\simeq\frac d{2\sigma^4}",
    sources=[EXPLODES, CLEAN],
    evidence="order",
    how="the exact variance at the exact score, by quadrature: the relative gap is of order 2",
    cases=[dict(dim=1), dict(dim=3)],
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def variance_of_the_loss_explodes(loss_var, dim):
    gaps = []
    for std in STDS.tolist():
        score, _, eps, mass = pairs(std)
        exact = dim * variance(0.5 * (score + eps / std) ** 2, mass)  # independent coordinates
        gaps.append(abs(loss_var(np.array(std), dim) / exact - 1))
    return order(STDS, gaps), 2.0


@mutant("half", of="DSM-9/loss", why="the half of the loss not squared along with it: twice the variance")
def loss_variance_twice(std, dim):
    return 2 * denoising.loss_var(std, dim)


@mutant("square", of="DSM-9/loss", why="std^-2, the mean of the loss and not its variance")
def loss_variance_as_the_mean(std, dim):
    return dim / (2 * std**2)


@equation(
    "DSM-9/gradient",
    title="the variance of its gradient explodes as std^-2",
    formula=denoising.gradient_var,
    latex=r"\mathrm{Var}\big[(\partial_\theta s)^\top(s+\epsilon/\sigma)\big]\simeq"
    r"\frac{E\lVert\partial_\theta s\rVert^2}{\sigma^2}",
    sources=[EXPLODES, CLEAN],
    evidence="order",
    how="the exact variance for one weight of a network at the exact score: the relative gap is of order 2",
    cases=[dict(wave=1.0), dict(wave=2.0)],
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def variance_of_the_gradient_explodes(gradient_var, wave):
    gaps = []
    for std in STDS.tolist():
        score, x_noisy, eps, mass = pairs(std)
        slope = np.tanh(wave * x_noisy)
        exact = variance(slope * (score + eps / std), mass)
        gaps.append(abs(gradient_var(np.array(np.sum(mass * slope**2)), std) / exact - 1))
    return order(STDS, gaps), 2.0


@mutant("fourth", of="DSM-9/gradient", why="std^-4, as for the loss itself")
def gradient_variance_as_the_loss(mean_square_slope, std):
    return mean_square_slope / std**4


@mutant("half", of="DSM-9/gradient", why="half of it, as if the half of the loss were in its gradient")
def gradient_variance_halved(mean_square_slope, std):
    return mean_square_slope / (2 * std**2)


# ---- DSM-10: between bias and variance
@equation(
    "DSM-10/error",
    title="the error in the clean score is bias and variance",
    formula=denoising.clean_error,
    latex=r"E\,E_x\big(\hat\theta x-\tfrac xv\big)^2=\frac1{(v+\sigma^2)^2}"
    r"\Big(\frac{\sigma^4}v+\frac{v^2}{(n-2)\sigma^2}\Big)",
    sources=[SWEET],
    evidence="quadrature",
    how="least squares: the mean of 1/chi^2 by integration, the variance of eps/std given the noisy point",
    given=dict(std=positives(0.02, 5.0), var=positives(0.1, 10.0), points=st.integers(5, 60)),
    tolerance=1e-8,
    examples=40,
)
def error_is_bias_and_variance(clean_error, std, var, points):
    noisy = var + std**2
    mean_inverse = quad(lambda y: chi2.pdf(y, points) / y, 0, np.inf, epsabs=0, epsrel=1e-11, limit=200)[0]
    residual = 1 / std**2 - 1 / noisy
    derived = var * ((1 / noisy - 1 / var) ** 2 + residual * mean_inverse / noisy)
    scale = var * (1 / noisy**2 + 1 / var**2 + mean_inverse / (std**2 * noisy))
    return clean_error(np.array(std), var, points), derived, scale


@mutant("points", of="DSM-10/error", why="1/n for the mean of one over chi^2, which is 1/(n - 2)")
def error_with_all_points(std, var, points):
    return denoising.clean_error(std, var, points + 2)


@mutant("bias", of="DSM-10/error", why="the fit of the noisy score taken for one of the clean score: no bias")
def error_without_bias(std, var, points):
    return var**2 / ((points - 2) * std**2) / (var + std**2) ** 2


@equation(
    "DSM-10/best",
    title="the best noise level lies in between",
    formula=denoising.clean_error,
    latex=r"2u^3-\frac{3v^2u}{n-2}-\frac{v^3}{n-2}=0,\quad u=\sigma^2",
    sources=[SWEET],
    evidence="algebra",
    how="the root of the cubic to which the derivative leads, against a search for the least error",
    given=dict(var=positives(0.1, 10.0), points=st.integers(10, 100_000)),
    tolerance=1e-5,  # a minimum is flat: it is found to the root of the precision
    tolerance32=None,
    examples=40,
)
def best_level_solves_a_cubic(clean_error, var, points):
    at = lambda log_std: float(clean_error(np.array(np.exp(log_std)), var, points))  # noqa: E731
    middle = 0.5 * np.log(var)
    found = minimize_scalar(at, bounds=(middle - 8, middle + 3), method="bounded", options=dict(xatol=1e-10))
    a = 1 / (points - 2)
    root = max(r.real for r in np.roots([2, 0, -3 * a, -a]) if abs(r.imag) < 1e-12)
    return np.exp(found.x) / np.sqrt(var), np.sqrt(root)


@mutant("bias", of="DSM-10/best", why="no bias: then the more noise the better, and there is no best level")
def more_noise_is_better(std, var, points):
    return error_without_bias(std, var, points)


@mutant("variance", of="DSM-10/best", why="no variance: then the less noise the better")
def less_noise_is_better(std, var, points):
    return std**4 / var / (var + std**2) ** 2
