"""Cards of the two forms of the diffusion ELBO on linear-Gaussian chains, by the joint Gaussians (DELBO)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, points, positives, reals, rungs, together
from refgen.formulas import gaussian_chain
from refgen.sources import HO_2020, KIM, LUO_2022, SJTU


def joint_of_process(x_0, alpha):
    """Mean (T+1,) and covariance (T+1, T+1) of x_0, x_1, ..., x_T given the number x_0, by recursion."""
    T = len(alpha)
    mean, cov = np.full(T + 1, float(x_0)), np.zeros((T + 1, T + 1))
    for t in range(1, T + 1):
        a = np.sqrt(alpha[t - 1])
        mean[t] = a * mean[t - 1]
        cov[t, :t] = cov[:t, t] = a * cov[t - 1, :t]
        cov[t, t] = a * a * cov[t - 1, t - 1] + (1 - alpha[t - 1])
    return mean, cov


def joint_of_model(slope, offset, var):
    """Mean (T+1,) and covariance (T+1, T+1) of the model's x_0, ..., x_T, from x_T ~ N(0, 1) downwards."""
    T = len(slope)
    mean, cov = np.zeros(T + 1), np.zeros((T + 1, T + 1))
    cov[T, T] = 1.0
    for s in range(T - 1, -1, -1):
        mean[s] = slope[s] * mean[s + 1] + offset[s]
        cov[s, s + 1 :] = cov[s + 1 :, s] = slope[s] * cov[s + 1, s + 1 :]
        cov[s, s] = slope[s] ** 2 * cov[s + 1, s + 1] + var[s]
    return mean, cov


def elbo_of_joints(x_0, alpha, slope, offset, var):
    """E_q[log p(x_0..T)] plus the entropy of q(x_1..T | x_0), and the sum of the terms' magnitudes.

    The mean of a Gaussian log-density under another Gaussian is a trace and a square: no step is looked at.
    """
    total = magnitude = 0.0
    for coordinate in x_0:
        mean_q, cov_q = joint_of_process(coordinate, alpha)
        mean_p, cov_p = joint_of_model(slope, offset, var)
        shift = mean_q - mean_p
        entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * cov_q[1:, 1:])[1]
        log_det = -0.5 * np.linalg.slogdet(2 * np.pi * cov_p)[1]
        square = -0.5 * np.trace(np.linalg.solve(cov_p, cov_q + np.outer(shift, shift)))
        total += entropy + log_det + square
        spread = np.trace(np.abs(np.linalg.inv(cov_p)) @ (np.abs(cov_q) + np.outer(abs(shift), abs(shift))))
        magnitude += abs(entropy) + abs(log_det) + spread + len(alpha)
    return total, magnitude


def _chain(T, d=1):
    def each(of):
        return st.lists(of, min_size=T, max_size=T).map(np.array)

    return together(
        x_0=points(d),
        alpha=each(alphas(1e-3, 0.9)),
        slope=each(reals(-1.5, 1.5)),
        offset=each(reals(-1, 1)),
        var=each(positives(0.05, 2.0)),
    )


CHAINS = rungs(_chain, (2, 1), (2, 2), (3, 1), (4, 1), (5, 2), (6, 1))


@equation(
    "DELBO-4/gaussian",
    title="ELBO, consistency form, linear-Gaussian chain",
    formula=gaussian_chain.consistency_elbo,
    latex=r"ELBO = E[\log p(x_0|x_1)] - E[D_{KL}(q(x_T|x_{T-1})\Vert p(x_T))] "
    r"- \sum_{t=1}^{T-1} E_{q(x_{t-1},x_t,x_{t+1}|x_0)}[\log q(x_t|x_{t-1})/p(x_t|x_{t+1})]",
    sources=[KIM("'Diffusion Model', consistency term"), LUO_2022("eq. 45")],
    evidence="algebra",
    how="the joint Gaussians of process and model, built by recursion: a trace, a square and two "
    "determinants",
    given=CHAINS,
    tolerance=1e-11,
)
def consistency_form_is_the_elbo(consistency_elbo, **drawn):
    return consistency_elbo(**drawn), *elbo_of_joints(**drawn)


@misprint(
    "ERR-3/gaussian",
    of="DELBO-4/gaussian",
    printed=r"\sum_{t=1}^{T-1}E_{q(x_{t-1},x_{t+1}|x_0)}[D_{KL}(q(x_t|x_{t-1})\Vert p(x_t|x_{t+1}))]",
    correct=r"\sum_{t=1}^{T-1}E_{q(x_{t-1},x_t,x_{t+1}|x_0)}[\log q(x_t|x_{t-1})/p(x_t|x_{t+1})]",
    source=KIM("'Diffusion Model', consistency term; the same in Luo 2022, eq. 45"),
    why="x_t and x_{t+1} drawn independently given x_{t-1}: every term is too large by "
    "slope sqrt(alpha_{t+1}) beta_t / var, the covariance that was lost",
)
def consistency_elbo_with_kl(x_0, alpha, slope, offset, var):
    """The printed KL in closed form, averaged over q(x_{t-1}, x_{t+1} | x_0)."""
    d, T, beta = x_0.shape[-1], len(alpha), 1 - alpha
    total = gaussian_chain.consistency_elbo(x_0, alpha, slope, offset, var)
    mean, variance = x_0, 0.0 * alpha[0]  # of x_{t-1}
    for t in range(1, T):
        a, b = np.sqrt(alpha[t - 1]), np.sqrt(alpha[t])
        ratio = beta[t - 1] / var[t]
        # The KL's square is of sqrt(alpha_t) x_{t-1} - slope x_{t+1} - offset, and x_{t+1} holds x_{t-1}.
        shift = (1 - slope[t] * b) * a * mean - offset[t]
        spread = ((1 - slope[t] * b) * a) ** 2 * variance
        spread = spread + slope[t] ** 2 * (alpha[t] * beta[t - 1] + beta[t])
        kl = 0.5 * (d * (ratio - 1 - np.log(ratio)) + np.sum(shift**2 + spread, -1) / var[t])
        # What the corrected term is, to be taken out.
        variance_t = alpha[t - 1] * variance + beta[t - 1]
        residual = (1 - slope[t] * b) ** 2 * variance_t + slope[t] ** 2 * beta[t]
        right = 0.5 * (d * (-np.log(ratio) - 1) + np.sum(shift**2 + residual, -1) / var[t])
        total = total + right - kl
        mean, variance = a * mean, variance_t
    return total


@mutant(
    "noise-forgotten",
    of="DELBO-4/gaussian",
    why="the noise that x_{t+1} adds to x_t left out of the residual",
)
def consistency_elbo_without_noise(x_0, alpha, slope, offset, var):
    missing = np.sum(slope[1:] ** 2 * (1 - alpha[1:]) / (2 * var[1:]))
    return gaussian_chain.consistency_elbo(x_0, alpha, slope, offset, var) + x_0.shape[-1] * missing


@equation(
    "DELBO-7/gaussian",
    title="ELBO, denoising form, linear-Gaussian chain",
    formula=gaussian_chain.denoising_elbo,
    latex=r"ELBO = E[\log p(x_0|x_1)] - D_{KL}(q(x_T|x_0)\Vert p(x_T))"
    r" - \sum_{t=2}^T E_{q(x_t|x_0)}[D_{KL}(q(x_{t-1}|x_t,x_0)\Vert p(x_{t-1}|x_t))]",
    sources=[HO_2020("eq. 5"), LUO_2022("eq. 58"), KIM("'Diffusion Model'"), SJTU("slides 21 to 23")],
    evidence="algebra",
    how="the joint Gaussians of process and model, built by recursion: a trace, a square and two "
    "determinants",
    given=CHAINS,
    tolerance=1e-11,
)
def denoising_form_is_the_elbo(denoising_elbo, **drawn):
    return denoising_elbo(**drawn), *elbo_of_joints(**drawn)


@misprint(
    "ERR-21/gaussian",
    of="DELBO-7/gaussian",
    printed=r"\sum_{t=2}^T\underbrace{D_{KL}(\cdot)-\log p(x_0|x_1)}_{L_{t-1}}+\underbrace{-\log "
    r"p(x_0|x_1)}_{L_0}",
    correct=r"\sum_{t=2}^T\underbrace{D_{KL}(\cdot)}_{L_{t-1}}+\underbrace{-\log p(x_0|x_1)}_{L_0}",
    source=SJTU("slide 22"),
    why="L_0 stands inside the sum as well and is counted T times",
)
def elbo_with_l_0_in_the_sum(x_0, alpha, slope, offset, var):
    copies = (len(alpha) - 1) * gaussian_chain.reconstruction(x_0, alpha, slope, offset, var)
    return gaussian_chain.denoising_elbo(x_0, alpha, slope, offset, var) + copies


@equation(
    "DELBO-13/gaussian",
    title="reconstruction term of a linear decoder",
    formula=gaussian_chain.reconstruction,
    latex=r"E_{q(x_1\mid x_0)}[\log N(x_0;\,a\,x_1+b,\,s_0^2I)]",
    sources=[SJTU("slides 21 to 23")],
    evidence="quadrature",
    how="three-point Gauss-Hermite rule over x_1, exact for a quadratic",
    given=CHAINS,
    tolerance=1e-12,
    examples=50,
)
def reconstruction_is_its_integral(reconstruction, x_0, alpha, slope, offset, var):
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    x_1 = np.sqrt(alpha[0]) * x_0[:, None] + np.sqrt(1 - alpha[0]) * nodes
    squares = (x_0[:, None] - slope[0] * x_1 - offset[0]) ** 2 / var[0]
    logs = -0.5 * (squares + np.log(2 * np.pi * var[0])) @ weights / weights.sum()
    largest = (np.abs(x_0)[:, None] + np.abs(slope[0] * x_1) + abs(offset[0])) ** 2 / var[0]
    scale = 0.5 * np.sum(largest @ weights) / weights.sum() + len(x_0) * (2 + abs(np.log(var[0])))
    claimed = reconstruction(x_0, alpha, slope, offset, var)
    return claimed, logs.sum(), scale


@mutant("point", of="DELBO-13/gaussian", why="x_1 put at its mean: the noise in x_1 left out")
def reconstruction_at_the_mean(x_0, alpha, slope, offset, var):
    missing = 0.5 * x_0.shape[-1] * slope[0] ** 2 * (1 - alpha[0]) / var[0]
    return gaussian_chain.reconstruction(x_0, alpha, slope, offset, var) + missing
