"""Cards of Gaussian identities and divergences (GAU)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy.special import roots_hermitenorm

from refgen.cards import equation, mutant
from refgen.cards.strategies import covariances, laws, points, positives, reals, rungs, together
from refgen.formulas import gaussian
from refgen.sources import KIM, SJTU


# ---- GAU-4
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
    tolerance=1e-10,
)
def kl_is_its_integral(kl_gaussian, mean_0, cov_0, mean_1, cov_1):
    d = len(mean_0)
    nodes, weights = roots_hermitenorm(3)
    z = np.stack(np.meshgrid(*[nodes] * d), -1).reshape(-1, d)
    w = np.prod(np.stack(np.meshgrid(*[weights] * d), -1).reshape(-1, d), -1) / weights.sum() ** d
    x = mean_0 + z @ np.linalg.cholesky(cov_0).T

    def log_density(mean, cov):
        r = x - mean
        return -0.5 * (np.sum(r * (r @ np.linalg.inv(cov)), -1) + np.log(np.linalg.det(2 * np.pi * cov)))

    log_0, log_1 = log_density(mean_0, cov_0), log_density(mean_1, cov_1)
    return kl_gaussian(mean_0, cov_0, mean_1, cov_1), w @ (log_0 - log_1), w @ (abs(log_0) + abs(log_1)) + d


@mutant("determinants-swapped", of="GAU-4", why="log det Sigma_0 / det Sigma_1 for its inverse")
def kl_with_determinants_swapped(mean_0, cov_0, mean_1, cov_1):
    log_dets = np.linalg.slogdet(cov_0)[1] - np.linalg.slogdet(cov_1)[1]
    return gaussian.kl_gaussian(mean_0, cov_0, mean_1, cov_1) + log_dets


# ---- GAU-9
@equation(
    "GAU-9",
    title="Jensen: log E[Y] is at least E[log Y]",
    formula=gaussian.jensen_gap,
    latex=r"\log E_q[Y] \ge E_q[\log Y]",
    sources=[KIM("'Diffusion Model', the ELBO of the hierarchical VAE")],
    evidence="algebra",
    how="log Y lies below its tangent at E[Y], so the gap is at least E of (tangent - log), which is >= 0",
    given=rungs(
        lambda k: together(
            weights=laws(k), values=st.lists(positives(), min_size=k, max_size=k).map(np.array)
        ),
        1,
        2,
        4,
    ),
    relation="<=",
    tolerance=1e-12,
)
def jensen_gap_is_not_negative(jensen_gap, weights, values):
    return 0.0, jensen_gap(weights, values), 1.0


# Written the other way round: the claim is 0 <= gap, so the injected formula stands on the right.
@mutant("sign", of="GAU-9", why="E[log Y] - log E[Y]: the inequality the wrong way round")
def jensen_gap_with_sign(weights, values):
    return -gaussian.jensen_gap(weights, values)


# ---- GAU-10
@equation(
    "GAU-10",
    title="reparametrisation: mean + L eps has covariance L L^T",
    formula=gaussian.reparametrise,
    latex=r"x = \mu + L\epsilon \sim N(\mu, LL^\top)",
    sources=[SJTU("slides 14 and 15")],
    evidence="algebra",
    how="the formula is affine in eps; its matrix, read off at the unit vectors, gives mean and covariance",
    given=rungs(
        lambda d: together(
            mean=points(d),
            root=st.lists(reals(), min_size=d * d, max_size=d * d).map(lambda a: np.reshape(a, (d, d))),
        ),
        1,
        2,
        3,
    ),
)
def affine_noise_has_that_covariance(reparametrise, mean, root):
    d = len(mean)
    centre = reparametrise(mean, root, np.zeros(d))
    columns = np.stack([reparametrise(mean, root, e) - centre for e in np.eye(d)], -1)
    covariance = np.array(
        [[sum(root[i, k] * root[j, k] for k in range(d)) for j in range(d)] for i in range(d)]
    )
    scale = abs(root) @ abs(root).T + np.abs(mean).sum() + 1
    return columns @ columns.T, covariance, scale


@mutant("row", of="GAU-10", why="L^T eps for L eps: covariance L^T L")
def reparametrise_transposed(mean, root, eps):
    return mean + eps @ root
