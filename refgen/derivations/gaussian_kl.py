"""Cards of the KL divergences of Gaussians (GAU)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import covariances, points, positives, rungs, together
from refgen.derivations.gaussian import log_density, normal_nodes
from refgen.formulas import gaussian
from refgen.sources import KIM, SJTU


def kl_by_quadrature(mean_0, cov_0, mean_1, cov_1):
    """E_0[log N_0 - log N_1] by Gauss-Hermite nodes, exact for a quadratic; and the terms' magnitude."""
    z, w = normal_nodes(len(mean_0))
    x = mean_0 + z @ np.linalg.cholesky(cov_0).T
    log_0, log_1 = log_density(x, mean_0, cov_0), log_density(x, mean_1, cov_1)
    return w @ (log_0 - log_1), w @ (abs(log_0) + abs(log_1)) + len(mean_0)


@equation(
    "GAU-4",
    title="KL divergence of two Gaussians",
    formula=gaussian.kl_gaussian,
    latex=r"D_{KL}(N_0\Vert N_1) = \tfrac12(\mathrm{tr}\,\Sigma_1^{-1}\Sigma_0 - d "
    r"+ (\mu_1-\mu_0)^\top\Sigma_1^{-1}(\mu_1-\mu_0) + \ln\det\Sigma_1/\det\Sigma_0)",
    sources=[SJTU("slide 22")],
    evidence="quadrature",
    how="Gauss-Hermite quadrature of E_0[log N_0 - log N_1], exact for a quadratic",
    given=rungs(
        lambda d: together(mean_0=points(d), cov_0=covariances(d), mean_1=points(d), cov_1=covariances(d)),
        1,
        2,
        3,
    ),
    tolerance=1e-11,
    examples=60,
)
def kl_is_its_integral(kl_gaussian, mean_0, cov_0, mean_1, cov_1):
    return kl_gaussian(mean_0, cov_0, mean_1, cov_1), *kl_by_quadrature(mean_0, cov_0, mean_1, cov_1)


@mutant("determinants-swapped", of="GAU-4", why="log det Sigma_0 / det Sigma_1 for its inverse")
def kl_with_determinants_swapped(mean_0, cov_0, mean_1, cov_1):
    log_dets = np.linalg.slogdet(cov_0)[1] - np.linalg.slogdet(cov_1)[1]
    return gaussian.kl_gaussian(mean_0, cov_0, mean_1, cov_1) + log_dets


@mutant("other-direction", of="GAU-4", why="D(N_1 || N_0): the two change places")
def kl_the_other_way(mean_0, cov_0, mean_1, cov_1):
    return gaussian.kl_gaussian(mean_1, cov_1, mean_0, cov_0)


@mutant("dimension-forgotten", of="GAU-4", why="no -d, so a Gaussian is at distance d/2 from itself")
def kl_without_dimension(mean_0, cov_0, mean_1, cov_1):
    return gaussian.kl_gaussian(mean_0, cov_0, mean_1, cov_1) + 0.5 * len(mean_0)


@equation(
    "GAU-4/diagonal",
    title="KL divergence of two Gaussians with diagonal covariances",
    formula=gaussian.kl_diagonal,
    latex=r"D_{KL} = \tfrac12\sum_i (r_i-1-\ln r_i+(\mu_{1i}-\mu_{0i})^2/\sigma_{1i}^2),\quad "
    r"r_i = \sigma_{0i}^2/\sigma_{1i}^2",
    sources=[SJTU("slide 22")],
    evidence="quadrature",
    how="Gauss-Hermite quadrature of E_0[log N_0 - log N_1], exact for a quadratic",
    given=rungs(
        lambda d: together(
            mean_0=points(d),
            var_0=st.lists(positives(0.02, 50), min_size=d, max_size=d).map(np.array),
            mean_1=points(d),
            var_1=st.lists(positives(0.02, 50), min_size=d, max_size=d).map(np.array),
        ),
        1,
        2,
        3,
    ),
    tolerance=1e-11,
    examples=60,
)
def diagonal_kl_is_its_integral(kl_diagonal, mean_0, var_0, mean_1, var_1):
    derived = kl_by_quadrature(mean_0, np.diag(var_0), mean_1, np.diag(var_1))
    return kl_diagonal(mean_0, var_0, mean_1, var_1), *derived


@mutant(
    "mean-for-sum",
    of="GAU-4/diagonal",
    why="the mean over coordinates: KL divergences of independent parts add",
)
def diagonal_kl_with_mean(mean_0, var_0, mean_1, var_1):
    return gaussian.kl_diagonal(mean_0, var_0, mean_1, var_1) / len(mean_0)


@mutant(
    "log-var-for-log-std", of="GAU-4/diagonal", why="an encoder's log-variance exponentiated as a log-std"
)
def diagonal_kl_of_squared_variances(mean_0, var_0, mean_1, var_1):
    return gaussian.kl_diagonal(mean_0, var_0**2, mean_1, var_1**2)


@equation(
    "GAU-5",
    title="KL divergence of two Gaussians of the same isotropic variance",
    formula=gaussian.kl_same_var,
    latex=r"D_{KL}(N(\mu_0,\sigma^2I)\Vert N(\mu_1,\sigma^2I)) = \lVert\mu_0-\mu_1\rVert^2/2\sigma^2",
    sources=[KIM("'Diffusion Model'"), SJTU("slide 22")],
    evidence="quadrature",
    how="Gauss-Hermite quadrature of the difference of log-densities under the first",
    given=rungs(lambda d: together(mean_0=points(d), mean_1=points(d), var=positives(1e-2, 1e2)), 1, 2, 3),
    tolerance=1e-11,
    examples=60,
)
def kl_of_shifted_gaussians(kl_same_var, mean_0, mean_1, var):
    cov = var * np.eye(len(mean_0))
    return kl_same_var(mean_0, mean_1, var), *kl_by_quadrature(mean_0, cov, mean_1, cov)


@mutant("std-for-var", of="GAU-5", why="divided by 2 sigma where 2 sigma^2 belongs")
def kl_same_var_with_std(mean_0, mean_1, var):
    return gaussian.kl_same_var(mean_0, mean_1, var**0.5)


@mutant("half-lost", of="GAU-5", why="the squared distance over sigma^2, without the half")
def kl_same_var_without_half(mean_0, mean_1, var):
    return 2 * gaussian.kl_same_var(mean_0, mean_1, var)


@mutant("mean-for-sum", of="GAU-5", why="mean squared error per coordinate for the squared distance")
def kl_same_var_with_mean(mean_0, mean_1, var):
    return gaussian.kl_same_var(mean_0, mean_1, var) / len(mean_0)


@equation(
    "GAU-6/gaussian",
    title="KL divergence of Gaussians is not negative",
    formula=gaussian.kl_gaussian,
    latex=r"D_{KL}(N_0\Vert N_1) \ge 0",
    sources=[KIM("'VAE', eqs. 15 and 16"), SJTU("slide 22")],
    evidence="algebra",
    how="minus the divergence is at most zero",
    given=rungs(
        lambda d: together(mean_0=points(d), cov_0=covariances(d), mean_1=points(d), cov_1=covariances(d)),
        1,
        2,
        3,
    ),
    relation="<=",
    relative=False,
    tolerance=1e-12,
    tolerance32=1e-4,
)
def gaussian_kl_is_not_negative(kl_gaussian, mean_0, cov_0, mean_1, cov_1):
    return -kl_gaussian(mean_0, cov_0, mean_1, cov_1), 0.0


@mutant(
    "trace-only",
    of="GAU-6/gaussian",
    why="the log-determinants left out: negative where cov_0 is the smaller",
)
def gaussian_kl_without_determinants(mean_0, cov_0, mean_1, cov_1):
    log_dets = np.linalg.slogdet(cov_1)[1] - np.linalg.slogdet(cov_0)[1]
    return gaussian.kl_gaussian(mean_0, cov_0, mean_1, cov_1) - 0.5 * log_dets


@equation(
    "GAU-6/self",
    title="KL divergence of a Gaussian from itself is zero",
    formula=gaussian.kl_gaussian,
    latex=r"D_{KL}(N_0\Vert N_0) = 0",
    sources=[KIM("'VAE', eqs. 15 and 16"), SJTU("slide 22")],
    evidence="algebra",
    how="the bound is reached: zero, to the scale of the terms that cancel",
    given=rungs(lambda d: together(mean=points(d), cov=covariances(d)), 1, 2, 3),
    tolerance=1e-12,
)
def gaussian_kl_from_itself_is_zero(kl_gaussian, mean, cov):
    return kl_gaussian(mean, cov, mean, cov), 0.0, len(mean) + abs(np.linalg.slogdet(cov)[1])


@mutant(
    "dimension-forgotten",
    of="GAU-6/self",
    why="no -d: never negative, but d/2 where the two are the same",
)
def gaussian_kl_without_dimension(mean_0, cov_0, mean_1, cov_1):
    return gaussian.kl_gaussian(mean_0, cov_0, mean_1, cov_1) + 0.5 * len(mean_0)


@mutant("cross-entropy", of="GAU-6/self", why="the entropy not taken off the cross-entropy")
def gaussian_cross_entropy(mean_0, cov_0, mean_1, cov_1):
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * cov_0)[1]
    return gaussian.kl_gaussian(mean_0, cov_0, mean_1, cov_1) + entropy
