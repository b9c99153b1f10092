"""Cards of forward, reverse and flow in several dimensions: densities and moments (SDE-1, 4, 5)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import grad, hessian, jacobian
from autograd.scipy.special import logsumexp

from refgen.cards import equation, mutant
from refgen.cards.strategies import covariances, mixtures, points, rungs, together
from refgen.derivations.sde import CONTINUOUS, MOMENT
from refgen.formulas import sde
from refgen.sources import ANDERSON_1982, GARDINER_2009, SONG_2021


def log_density_at(x, time, axes, mixture, moment):
    """The log-density of the noisy mixture, differentiable in x and in the time since that moment."""
    signal, std, f, g2 = (moment[name] for name in ("signal", "std", "f", "g2"))
    scale, var = signal * (1 + f * time), std**2 + time * (2 * f * std**2 + g2)
    logs = []
    for weight, mean, (spread, turn) in zip(mixture["weights"], mixture["means"], axes, strict=True):
        spread = scale**2 * spread + var
        z = anp.dot(x - scale * mean, turn)
        logs.append(anp.log(weight) - 0.5 * anp.sum(anp.log(2 * anp.pi * spread) + z**2 / spread))
    return logsumexp(anp.array(logs))


def in_space(mixture, x, moment):
    """The log-density and its slope in time at that moment."""
    axes = [np.linalg.eigh(cov) for cov in mixture["covs"]]

    def log_density(x, time=0.0):
        return log_density_at(x, time, axes, mixture, moment)

    return log_density, grad(log_density, 1)(x, 0.0)


SPACES = rungs(lambda d: together(mixture=mixtures(d), x=points(d), moment=together(**MOMENT)), 1, 2, 3)


@equation(
    "SDE-1",
    title="the Fokker-Planck equation of dx = f x dt + g dw",
    formula=sde.log_density_rate,
    latex=r"\partial_tp=-\nabla\cdot(f\,x\,p)+\tfrac12g^2\Delta p",
    sources=[CONTINUOUS, GARDINER_2009("section 5.2")],
    evidence="oracle",
    how="the slope in time of an exact mixture's log-density, where signal' = f signal and "
    "(std^2)' = 2 f std^2 + g^2; score and Laplacian by automatic differentiation",
    given=SPACES,
    tolerance=1e-9,
    examples=25,
)
def rate_of_a_mixture(log_density_rate, mixture, x, moment):
    log_density, derived = in_space(mixture, x, moment)
    f, g2, score = moment["f"], moment["g2"], grad(log_density)(x)
    laplacian = float(np.trace(hessian(log_density)(x)))
    scale = abs(f) * (len(x) + abs(x) @ abs(score)) + g2 * (abs(laplacian) + score @ score)
    return log_density_rate(x, score, laplacian, f, g2), derived, scale


@mutant("half", of="SDE-1", why="g^2 where half of it belongs")
def rate_without_half(x, score, laplacian, f, g2):
    return g2 * (laplacian + score @ score) - f * (len(x) + x @ score)


@mutant("divergence", of="SDE-1", why="the drift outside of the derivative: d f forgotten")
def rate_without_divergence(x, score, laplacian, f, g2):
    return 0.5 * g2 * (laplacian + score @ score) - f * (x @ score)


@mutant("laplacian", of="SDE-1", why="the Laplacian of log p for that of p, over p")
def rate_without_square(x, score, laplacian, f, g2):
    return 0.5 * g2 * laplacian - f * (len(x) + x @ score)


@equation(
    "SDE-5/continuity",
    title="the probability flow solves the continuity equation",
    formula=sde.flow_velocity,
    latex=r"\partial_t\log p_t=-\nabla\cdot v-v\cdot\nabla\log p_t",
    sources=[CONTINUOUS, SONG_2021("app. D.1")],
    evidence="autodiff",
    how="the Jacobian of the velocity at the exact score, beside the slope in time of an exact "
    "mixture's log-density",
    given=SPACES,
    tolerance=1e-9,
    examples=25,
)
def flow_is_continuous(flow_velocity, mixture, x, moment):
    log_density, derived = in_space(mixture, x, moment)
    f, g2, score = moment["f"], moment["g2"], grad(log_density)
    at_x = score(x)
    divergence = np.trace(jacobian(lambda y: flow_velocity(y, score(y), f, g2))(x))
    laplacian = float(np.trace(hessian(log_density)(x)))
    scale = abs(f) * (len(x) + abs(x) @ abs(at_x)) + g2 * (abs(laplacian) + at_x @ at_x)
    return -divergence - flow_velocity(x, at_x, f, g2) @ at_x, derived, scale


@mutant("whole", of="SDE-5/continuity", why="g^2 where half of it belongs")
def continuity_without_half(x, score, f, g2):
    return f * x - g2 * score


def _gaussian(d):
    return together(mean=points(d), cov=covariances(d), moment=together(**MOMENT))


@equation(
    "SDE-4/moments",
    title="the reverse SDE undoes mean and covariance",
    formula=sde.reverse_drift,
    latex=r"\dot\mu=A\mu+c,\quad\dot\Sigma=A\Sigma+\Sigma A^\top-g^2I",
    sources=[CONTINUOUS, ANDERSON_1982("section 3")],
    evidence="algebra",
    how="for Gaussian data the drift is A x + c, read off at 0 and the unit vectors; its moments in reversed "
    "time, beside the slopes of signal m and signal^2 S + std^2 I",
    given=rungs(_gaussian, 1, 2, 3),
    tolerance=1e-10,
    examples=50,
)
def moments_backwards(reverse_drift, mean, cov, moment):
    signal, std, f, g2 = (moment[name] for name in ("signal", "std", "f", "g2"))
    one = np.eye(len(mean))
    mu, sigma = signal * mean, signal**2 * cov + std**2 * one
    x = np.concatenate([0 * one[:1], one])
    b = reverse_drift(x, -(x - mu) @ np.linalg.inv(sigma), f, g2)
    c, A = b[0], (b[1:] - b[0]).T
    claimed = np.concatenate([(A @ mu + c)[None], A @ sigma + sigma @ A.T - g2 * one])
    derived = np.concatenate([f * mu[None], 2 * f * signal**2 * cov + (2 * f * std**2 + g2) * one])
    terms = abs(A) @ abs(sigma)
    return claimed, derived, np.max(abs(A) @ abs(mu) + abs(c)) + np.max(terms) + g2


@mutant("half", of="SDE-4/moments", why="half of g^2: less pull than the noise needs")
def moments_with_half(x, score, f, g2):
    return f * x - 0.5 * g2 * score
