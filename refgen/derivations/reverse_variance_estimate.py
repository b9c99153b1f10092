"""Cards of the best variance of a reverse step, as it is estimated from data (DDPM-7)."""

from __future__ import annotations

import numpy as np

from refgen.backend import Stream
from refgen.cards import equation, mutant, z_limit
from refgen.denoisers import ExactDenoiser
from refgen.derivations.ancestral import forward_moments
from refgen.distributions import Gaussian, GaussianMixture
from refgen.formulas import variance as choices
from refgen.samplers import ancestral
from refgen.schedules import linear
from refgen.sources import BAO_2022


@equation(
    "DDPM-7/clipped",
    title="an estimate from data stays within the bounds",
    formula=ancestral.optimal_variances,
    latex=r"\tilde\beta_t\le\hat\sigma_t^{*2}\le\beta_t"
    r"\frac{\bar\alpha_{t-1}v+1-\bar\alpha_{t-1}}{\bar\alpha_tv+1-\bar\alpha_t}",
    sources=[BAO_2022("the clipping of the estimate")],
    evidence="algebra",
    how="conditioning, for data at a point and Gaussian data of the sample's variance; four steps",
    cases=[dict(seed=seed, steps=4, points=8, data_std=0.1) for seed in range(4)],
    relation="<=",
    tolerance=1e-9,
    tolerance32=None,
)
def estimate_is_bracketed(optimal_variances, seed, steps, points, data_std):
    schedule, rng = linear(steps), Stream(seed)
    x_0 = data_std * rng.normal(points, 1)
    denoiser = ExactDenoiser(Gaussian([0.0], [[data_std**2]]))
    best = optimal_variances(denoiser, schedule, x_0, rng)[1:]
    beta = schedule.beta[1:]
    bounds = []
    for var in (0.0, float(np.mean((x_0 - np.mean(x_0)) ** 2))):
        spread = np.array(forward_moments(beta, 0.0, var)[1][:-1])
        bounds.append(spread / (1 + spread * (1 - beta) / beta))
    return (
        np.concatenate([-best, best]),
        np.concatenate([-bounds[0], bounds[1]]),
        np.concatenate([beta, beta]),
    )


def estimated(mean_square, denoiser, schedule, x_0, rng):
    """The estimate with some mean square of the scores (n, d), not clipped."""
    best = [0.0]
    for t in range(1, schedule.T + 1):
        signal, std = schedule.level(t)
        score = denoiser.score(signal * x_0 + std * rng.normal(*x_0.shape), signal, std)
        best.append(choices.optimal_var(float(schedule.alpha[t]), float(mean_square(score))))
    return np.array(best)


@mutant(
    "unclipped",
    of="DDPM-7/clipped",
    why="the estimate as it is: with few points and steps a negative variance",
)
def estimate_unclipped(denoiser, schedule, x_0, rng):
    return estimated(lambda score: np.mean(score**2), denoiser, schedule, x_0, rng)


# Two round bumps in the plane: weights, means, variances.
BUMPS = np.array([0.3, 0.7]), np.array([[-1.0, 0.5], [1.0, -0.5]]), np.array([0.05, 0.2])


def left_in_the_plane(alpha_t, alpha_bar_s):
    """tr Cov[x_s|x_t] / 2 and the variance of |score|^2 / 2 over x_t, by the trapezoid rule in two axes."""
    weights, means, variances = BUMPS
    m, v, keep = np.sqrt(alpha_bar_s) * means, alpha_bar_s * variances + (1 - alpha_bar_s), np.sqrt(alpha_t)
    v_t = alpha_t * v + (1 - alpha_t)
    axis, step = np.linspace(-9, 9, 241, retstep=True)
    x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 1, 2)
    away = x - keep * m
    mass = step**2 * weights * np.exp(-0.5 * np.sum(away**2, axis=2) / v_t) / (2 * np.pi * v_t)
    total = mass.sum(1)
    share = mass / np.where(total > 0, total, 1.0)[:, None]
    centres = m + keep * (v / v_t)[:, None] * away
    mean = np.sum(share[..., None] * centres, axis=1)
    between = np.sum((centres - mean[:, None]) ** 2, axis=2) / 2
    spread = np.sum(mass * (between + v * (1 - alpha_t) / v_t))
    square = np.mean(((keep * mean - x[:, 0]) / (1 - alpha_t)) ** 2, axis=1)
    return spread, total @ square**2 - (total @ square) ** 2


@equation(
    "DDPM-7/estimate",
    title="the estimate from many points is the best variance",
    formula=ancestral.optimal_variances,
    latex=r"\hat\sigma_t^{*2}\to\tfrac1dE\,\mathrm{tr}\,\mathrm{Cov}[x_{t-1}\mid x_t]\quad(n\to\infty)",
    sources=[BAO_2022("theorem 1")],
    evidence="monte carlo",
    how="z-scores of the estimate against the covariance of x_s given x_t, integrated in the plane",
    cases=[dict(seed=seed, steps=4, points=20_000) for seed in range(2)],
    relative=False,
    tolerance=z_limit(8),
    reject_at=10,
)
def estimate_is_the_best_variance(optimal_variances, seed, steps, points):
    schedule, rng = linear(1000).respaced(steps), Stream(seed)
    weights, means, variances = BUMPS
    law = GaussianMixture(means, variances[:, None, None] * np.eye(2), weights)
    best = optimal_variances(ExactDenoiser(law), schedule, law.sample(rng, points), rng)
    z = []
    for t in range(1, steps + 1):
        alpha_t, alpha_bar_s = float(schedule.alpha[t]), float(schedule.alpha_bar[t - 1])
        exact, square_var = left_in_the_plane(alpha_t, alpha_bar_s)
        z.append((best[t] - exact) * alpha_t / (1 - alpha_t) ** 2 / np.sqrt(square_var / points))
    return np.array(z), np.zeros(steps)


@mutant("sum", of="DDPM-7/estimate", why="the squared length of the score for its mean over coordinates")
def estimate_by_length(denoiser, schedule, x_0, rng):
    return estimated(lambda score: np.mean(np.sum(score**2, axis=1)), denoiser, schedule, x_0, rng)


@mutant("mean", of="DDPM-7/estimate", why="the square of the mean score, which is zero, for the mean square")
def estimate_by_mean_score(denoiser, schedule, x_0, rng):
    return estimated(lambda score: np.mean(np.mean(score, axis=0) ** 2), denoiser, schedule, x_0, rng)


@mutant("small", of="DDPM-7/estimate", why="the lower bound given out, which the bounds allow")
def estimate_is_the_lower_bound(denoiser, schedule, x_0, rng):
    return ancestral.step_variances(schedule, "small")
