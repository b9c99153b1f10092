"""Cards of noisy mixtures: their moments, characteristic function, density and score (FWD)."""

from __future__ import annotations

import numpy as np

from refgen.cards import equation, mutant
from refgen.cards.strategies import levels, mixtures, points, reals, rungs, together
from refgen.formulas import elementary, mixture
from refgen.sources import HO_2020, KIM, SONG_NOTES


def sigma_points(weights, means, covs):
    """Points and weights with exactly the mean and covariance of each component: +-sqrt(d) times a root."""
    d = means.shape[1]
    roots = np.sqrt(d) * np.swapaxes(np.linalg.cholesky(covs), 1, 2)
    x = np.concatenate([means[:, None] + roots, means[:, None] - roots], axis=1)
    return x.reshape(-1, d), np.repeat(weights, 2 * d) / (2 * d)


def weighted_cov(x, w):
    centred = x - w @ x
    return centred.T @ (w[:, None] * centred)


def scales(alpha_bar):
    """(signal, std) as Python floats."""
    return float(np.sqrt(alpha_bar)), float(np.sqrt(1 - alpha_bar))


def noisy_mixtures(d, k, **more):
    return together(mix=mixtures(d, k), alpha_bar=levels(10), **more)


# ---- FWD-10: covariance
@equation(
    "FWD-10",
    title="covariance of noisy data",
    formula=mixture.diffused_covs,
    latex=r"\mathrm{Cov}(x_t) = \bar\alpha_t\mathrm{Cov}(x_0)+(1-\bar\alpha_t)I",
    sources=[HO_2020("eq. 4"), KIM("'Diffusion Model'")],
    evidence="algebra",
    how="covariance of signal x_0 + std eps over all pairs of sigma points of mixture and noise",
    given=rungs(noisy_mixtures, (1, 1), (1, 2), (2, 2), (3, 3)),
    tolerance=1e-12,
)
def noisy_covariance_by_sigma_points(diffused_covs, mix, alpha_bar):
    signal, std = scales(alpha_bar)
    x_0, w_0 = sigma_points(**mix)
    d = x_0.shape[1]
    eps, w_e = sigma_points(np.ones(1), np.zeros((1, d)), np.eye(d)[None])
    x_t = (signal * x_0[:, None] + std * eps[None]).reshape(-1, d)
    derived = weighted_cov(x_t, np.outer(w_0, w_e).ravel())
    claimed = diffused_covs(weighted_cov(x_0, w_0)[None], signal, std)[0]
    return claimed, derived, 1 + signal**2 * (w_0 @ x_0**2).sum()


@mutant("std-for-variance", of="FWD-10", why="the covariance scaled by signal and std, not by their squares")
def diffused_covs_without_squares(covs, signal, std):
    return signal * covs + std * elementary.identity_like(covs)


@mutant("signal-kept", of="FWD-10", why="noise added to data that are not scaled down: variance exploding")
def diffused_covs_with_signal_kept(covs, signal, std):
    return covs + std**2 * elementary.identity_like(covs)


@equation(
    "FWD-10/white",
    title="white data stay white at every noise level",
    formula=mixture.diffused_covs,
    latex=r"\mathrm{Cov}(x_0) = I \Rightarrow \mathrm{Cov}(x_t) = I",
    sources=[HO_2020("section 2"), KIM("'Diffusion Model'")],
    evidence="algebra",
    how="the identity, for the mixture whitened by the root of its covariance",
    given=rungs(noisy_mixtures, (1, 2), (2, 2), (3, 3)),
    tolerance=1e-10,
)
def white_data_stay_white(diffused_covs, mix, alpha_bar):
    x_0, w_0 = sigma_points(**mix)
    white = np.linalg.solve(np.linalg.cholesky(weighted_cov(x_0, w_0)), x_0.T).T
    return diffused_covs(weighted_cov(white, w_0)[None], *scales(alpha_bar))[0], np.eye(x_0.shape[1]), 1.0


@mutant(
    "straight",
    of="FWD-10/white",
    why="x_t = (1 - std) x_0 + std eps: half-way, the variance is down to a half",
)
def diffused_covs_on_a_straight_path(covs, signal, std):
    return (1 - std) ** 2 * covs + std**2 * elementary.identity_like(covs)


@equation(
    "FWD-10/mixture",
    title="covariance of a mixture, within and between its components",
    formula=mixture.cov,
    latex=r"\mathrm{Cov}(x) = \sum_kw_k(S_k+(m_k-\bar m)(m_k-\bar m)^\top)",
    sources=[KIM("'Diffusion Model'")],
    evidence="algebra",
    how="covariance over sigma points of all components",
    given=rungs(mixtures, (1, 2), (2, 2), (3, 3)),
    tolerance=1e-12,
)
def mixture_covariance_by_sigma_points(cov, weights, means, covs):
    x, w = sigma_points(weights, means, covs)
    return cov(weights, means, covs), weighted_cov(x, w), 1 + (w @ x**2).sum()


@mutant(
    "within-only",
    of="FWD-10/mixture",
    why="the mean of the components' covariances; their distances are forgotten",
)
def mixture_cov_within_only(weights, means, covs):
    return np.einsum("k,kij->ij", weights, covs)


@mutant("not-centred", of="FWD-10/mixture", why="the second moment, with the mean not taken off")
def mixture_cov_not_centred(weights, means, covs):
    return np.einsum("k,kij->ij", weights, covs) + means.T @ (weights[:, None] * means)


# ---- FWD-11: a noisy mixture is a mixture
def characteristic(u, weights, means, covs):
    """E[exp(i u.x)] of a mixture."""
    return np.sum(weights * np.exp(1j * (means @ u) - 0.5 * np.einsum("i,kij,j->k", u, covs, u)))


def noisy_characteristic(u, mix, signal, std):
    """E[exp(i u.x_t)]: x_0 and eps are independent, so it is a product."""
    return characteristic(signal * u, **mix) * np.exp(-0.5 * std**2 * (u @ u))


@equation(
    "FWD-11/means",
    title="a noisy mixture is a mixture: its means",
    formula=mixture.diffused_means,
    latex=r"x_0\sim\sum_kw_kN(m_k,S_k) \Rightarrow x_t\sim\sum_kw_kN(\sqrt{\bar\alpha_t}m_k, \ldots)",
    sources=[SONG_NOTES("'Score Functions', mixture of two Gaussians"), HO_2020("eq. 4")],
    evidence="algebra",
    how="characteristic function of signal x_0 + std eps, the product of the two",
    given=rungs(lambda d, k: noisy_mixtures(d, k, u=points(d, -2, 2)), (1, 1), (2, 2), (3, 3)),
    relative=False,
    tolerance=1e-13,
)
def noisy_means_by_characteristic_function(diffused_means, mix, alpha_bar, u):
    signal, std = scales(alpha_bar)
    covs = signal**2 * mix["covs"] + std**2 * np.eye(len(u))
    claimed = characteristic(u, mix["weights"], diffused_means(mix["means"], signal), covs)
    return claimed, noisy_characteristic(u, mix, signal, std)


@mutant("kept", of="FWD-11/means", why="the clean means: the modes do not move as noise is added")
def diffused_means_kept(means, signal):
    return means


@mutant("squared", of="FWD-11/means", why="alpha_bar for its root")
def diffused_means_squared(means, signal):
    return signal**2 * means


@equation(
    "FWD-11/covs",
    title="a noisy mixture is a mixture: its covariances",
    formula=mixture.diffused_covs,
    latex=r"x_0\sim\sum_kw_kN(m_k,S_k) \Rightarrow "
    r"x_t\sim\sum_kw_kN(\ldots, \bar\alpha_tS_k+(1-\bar\alpha_t)I)",
    sources=[SONG_NOTES("'Score Functions', mixture of two Gaussians"), HO_2020("eq. 4")],
    evidence="algebra",
    how="characteristic function of signal x_0 + std eps, the product of the two",
    given=rungs(lambda d, k: noisy_mixtures(d, k, u=points(d, -2, 2)), (2, 1), (2, 2), (3, 3)),
    relative=False,
    tolerance=1e-13,
)
def noisy_covs_by_characteristic_function(diffused_covs, mix, alpha_bar, u):
    signal, std = scales(alpha_bar)
    claimed = characteristic(
        u, mix["weights"], signal * mix["means"], diffused_covs(mix["covs"], signal, std)
    )
    return claimed, noisy_characteristic(u, mix, signal, std)


@mutant(
    "signal-forgotten", of="FWD-11/covs", why="S_k + (1 - alpha_bar) I: the clean spread is not scaled down"
)
def diffused_covs_unscaled(covs, signal, std):
    return covs + std**2 * elementary.identity_like(covs)


@mutant("whole-matrix", of="FWD-11/covs", why="the noise variance added to every entry, not to the diagonal")
def diffused_covs_on_every_entry(covs, signal, std):
    return signal**2 * covs + std**2


def convolution(x_t, mix, signal, std):
    """Density of x_t in one dimension and its derivative: each component is folded with the noise."""
    z, step = np.linspace(-25, 25, 401, retstep=True)
    normal = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    density = slope = 0.0
    for w, m, var in zip(mix["weights"], mix["means"][:, 0], mix["covs"][:, 0, 0], strict=True):
        spread = np.sqrt(var)
        if signal * spread <= std:  # integrate over the narrower of the two
            e = (x_t - signal * (m + spread * z)) / std
            values = normal * np.exp(-(e**2) / 2) / (np.sqrt(2 * np.pi) * std)
            change = -e / std
        else:
            e = ((x_t - std * z) / signal - m) / spread
            values = normal * np.exp(-(e**2) / 2) / (np.sqrt(2 * np.pi) * spread * signal)
            change = -e / (spread * signal)
        density, slope = density + w * step * values.sum(), slope + w * step * (values @ change)
    return density, slope


one_dimensional = rungs(lambda k: noisy_mixtures(1, k, x_0=reals(-3, 3), eps=reals(-3, 3)), 2, 3)


@equation(
    "FWD-11/density",
    title="density of a noisy mixture",
    formula=mixture.log_prob,
    latex=r"\log\sum_kw_kN(x_t;\sqrt{\bar\alpha_t}m_k,\bar\alpha_tS_k+(1-\bar\alpha_t)I)",
    sources=[SONG_NOTES("'Score Functions', mixture of two Gaussians")],
    evidence="quadrature",
    how="the mixture folded with the noise, in one dimension, by the trapezoidal rule",
    given=one_dimensional,
    tolerance=1e-10,
)
def noisy_density_is_a_convolution(log_prob, mix, alpha_bar, x_0, eps):
    signal, std = scales(alpha_bar)
    x_t = signal * x_0 + std * eps
    means, covs = signal * mix["means"], signal**2 * mix["covs"] + std**2
    derived = np.log(convolution(x_t, mix, signal, std)[0])
    return log_prob(np.array([x_t]), mix["weights"], means, covs), derived, 1 + abs(derived)


@mutant("weights-forgotten", of="FWD-11/density", why="the components averaged, whatever their weights")
def log_prob_without_weights(x, weights, means, covs):
    return mixture.log_prob(x, np.full_like(weights, 1 / len(weights)), means, covs)


@mutant(
    "mean-of-logs", of="FWD-11/density", why="the weighted mean of log-densities for the log of their mean"
)
def log_prob_mean_of_logs(x, weights, means, covs):
    return sum(
        weights[k] * mixture.log_prob(x, np.ones_like(weights[:1]), means[k : k + 1], covs[k : k + 1])
        for k in range(len(weights))
    )


@equation(
    "FWD-11/score",
    title="score of a noisy mixture",
    formula=mixture.score,
    latex=r"\nabla\log q_t(x_t) = \sum_kr_k(x_t)"
    r"(\bar\alpha_tS_k+(1-\bar\alpha_t)I)^{-1}(\sqrt{\bar\alpha_t}m_k-x_t)",
    sources=[SONG_NOTES("'Score Functions', mixture of two Gaussians")],
    evidence="quadrature",
    how="derivative of the folded density over the density, in one dimension, by the trapezoidal rule",
    given=one_dimensional,
    tolerance=1e-9,
)
def noisy_score_is_the_slope_of_the_convolution(score, mix, alpha_bar, x_0, eps):
    signal, std = scales(alpha_bar)
    x_t = signal * x_0 + std * eps
    means, covs = signal * mix["means"], signal**2 * mix["covs"] + std**2
    density, slope = convolution(x_t, mix, signal, std)
    size = np.max(np.abs(means) + abs(x_t)) / np.min(covs)
    return score(np.array([x_t]), mix["weights"], means, covs)[0], slope / density, 1 + size


@mutant("sign", of="FWD-11/score", why="x - m_k for m_k - x: the score points away from the modes")
def score_with_sign(x, weights, means, covs):
    return -mixture.score(x, weights, means, covs)


@mutant(
    "prior-weights", of="FWD-11/score", why="the weights for the responsibilities: nearness is not looked at"
)
def score_with_prior_weights(x, weights, means, covs):
    pull = np.linalg.solve(covs, (means - x)[:, :, None])[:, :, 0]
    return weights @ pull
