"""Cards of how far the true reverse step is Gaussian: its mean, covariance and distance from one (POST)."""

from __future__ import annotations

import math

import autograd.numpy as anp
import numpy as np
from autograd import grad, hessian

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, levels, mixtures, points, rungs, together
from refgen.derivations.reverse_kernel import (
    CASES,
    TWO_BUMPS,
    at_level_s,
    conditioned_mixture,
    log_mixture,
    log_normal,
    moments,
    one_step_on,
    score_and_slope,
    slope,
)
from refgen.derivations.tweedie import diffused, log_density
from refgen.formulas import elementary, posterior, reverse_kernel
from refgen.sources import BAO_2022, EFRON_2011, SJTU, SOHL_DICKSTEIN_2015


# ---- POST-13
@equation(
    "POST-13/square",
    title="completing the square in the first-order step",
    formula=reverse_kernel.first_order_mean_and_var,
    latex=r"q(x_{t-1}\mid x_t)\approx N\big(\tfrac{x_t}{\sqrt{1-\beta_t}}"
    r"+\tfrac{\beta_t}{1-\beta_t}\nabla\log q_t(x_t),\ \tfrac{\beta_t}{1-\beta_t}I\big)",
    sources=[SJTU("slide 16, completed")],
    evidence="autodiff",
    how="gradient and Hessian of the exponent in x_s: where it is greatest and how sharply it falls",
    given=rungs(lambda d: together(x_t=points(d), score_t=points(d), alpha_t=alphas()), 1, 2, 3),
    tolerance=1e-11,
)
def greatest_where_the_gradient_is_zero(first_order_mean_and_var, x_t, score_t, alpha_t):
    def exponent(x_s):
        residual = x_t - math.sqrt(alpha_t) * x_s
        return -0.5 * anp.sum(residual**2) / (1 - alpha_t) + anp.sum((x_s - x_t) * score_t)

    curvature, start = hessian(exponent)(x_t), grad(exponent)(x_t)
    mean = x_t - np.linalg.solve(curvature, start)
    claimed_mean, claimed_var = first_order_mean_and_var(x_t, score_t, alpha_t)
    derived = np.append(mean, -1 / curvature[0, 0])
    scale = np.append(np.abs(x_t) + (1 - alpha_t) * np.abs(score_t), 1 - alpha_t) / alpha_t
    return np.append(claimed_mean, claimed_var), derived, scale


@mutant(
    "beta", of="POST-13/square", why="variance beta and step beta, as if x_s had no factor sqrt(1 - beta)"
)
def first_order_with_plain_beta(x_t, score_t, alpha_t):
    return x_t + (1 - alpha_t) * score_t, 1 - alpha_t


@equation(
    "POST-13/exact",
    title="mean of the true reverse step by the score",
    formula=posterior.mean_from_score,
    latex=r"E[x_{t-1}\mid x_t] = \frac{x_t+\beta_t\nabla\log q_t(x_t)}{\sqrt{1-\beta_t}}",
    sources=[EFRON_2011("eq. 1.4"), SJTU("slide 16, completed")],
    evidence="oracle",
    how="mean of the conditioned mixture, component by component",
    given=rungs(
        lambda k: together(data=mixtures(1, k), x_t=points(1), alpha_t=alphas(), alpha_bar_s=levels(10)),
        1,
        2,
        3,
    ),
    tolerance=1e-11,
)
def tweedie_gives_the_reverse_mean(mean_from_score, data, x_t, alpha_t, alpha_bar_s):
    law = at_level_s(data, alpha_bar_s)
    score, _ = score_and_slope(one_step_on(law, alpha_t), x_t[0])
    mean, _ = moments(conditioned_mixture(law, alpha_t, x_t[0]))
    scale = (np.abs(x_t) + (1 - alpha_t) * abs(score)) / math.sqrt(alpha_t) + np.max(np.abs(law[1]))
    return mean_from_score(x_t, np.array([score]), alpha_t), np.array([mean]), scale


@mutant(
    "first-order", of="POST-13/exact", why="the mean of the completed square, off by O(beta^2), called exact"
)
def first_order_mean_called_exact(x_t, score, alpha_t):
    return reverse_kernel.first_order_mean_and_var(x_t, score, alpha_t)[0]


@equation(
    "POST-13/order",
    title="mean of the completed square: off by beta^2",
    formula=reverse_kernel.first_order_mean_and_var,
    latex=r"\tfrac{x_t}{\sqrt{1-\beta_t}}+\tfrac{\beta_t}{1-\beta_t}\nabla\log q_t(x_t)"
    r" = E[x_{t-1}\mid x_t]+O(\beta_t^2)",
    sources=[SJTU("slide 16, completed")],
    evidence="order",
    how="distance to the mean of the conditioned mixture at beta = 0.01, 0.003, 0.001",
    cases=CASES,
    relative=False,
    tolerance=0.2,
    reject_at=0.5,
)
def first_order_mean_is_second_order_right(first_order_mean_and_var, data, x_t):
    betas, law = np.array([0.01, 0.003, 0.001]), at_level_s(data, 0.8)
    errors = []
    for beta in betas.tolist():
        score, _ = score_and_slope(one_step_on(law, 1 - beta), x_t[0])
        exact, _ = moments(conditioned_mixture(law, 1 - beta, x_t[0]))
        errors.append(abs(first_order_mean_and_var(x_t, np.array([score]), 1 - beta)[0][0] - exact))
    return slope(betas, errors), 2.0


@mutant("unscaled", of="POST-13/order", why="x_t + beta score: the 1 / sqrt(1 - beta) left out, order 1")
def first_order_mean_unscaled(x_t, score_t, alpha_t):
    return x_t + (1 - alpha_t) * score_t, 1 - alpha_t


# ---- POST-15
@equation(
    "POST-15/cov",
    title="covariance of the true reverse step",
    formula=reverse_kernel.reverse_cov,
    latex=r"\mathrm{Cov}[x_{t-1}\mid x_t] = \frac{\beta_t}{\alpha_t}\big(I+\beta_t\nabla^2\log q_t(x_t)\big)",
    sources=[EFRON_2011("eq. 1.4"), BAO_2022("theorem 1")],
    evidence="oracle",
    how="variance of the conditioned mixture, within and between its components",
    given=rungs(
        lambda k: together(data=mixtures(1, k), x_t=points(1), alpha_t=alphas(), alpha_bar_s=levels(10)),
        1,
        2,
        3,
    ),
    tolerance=1e-11,
)
def hessian_gives_the_reverse_variance(reverse_cov, data, x_t, alpha_t, alpha_bar_s):
    law = at_level_s(data, alpha_bar_s)
    _, bend = score_and_slope(one_step_on(law, alpha_t), x_t[0])
    _, var = moments(conditioned_mixture(law, alpha_t, x_t[0]))
    beta = 1 - alpha_t
    scale = np.array([[beta / alpha_t * (1 + beta * (abs(bend) + np.max(law[1] ** 2) + x_t[0] ** 2))]])
    return reverse_cov(alpha_t, np.array([[bend]])), np.array([[var]]), scale


@mutant("flat", of="POST-15/cov", why="beta / alpha: the curvature of log q_t left out")
def reverse_cov_flat(alpha_t, score_jacobian):
    return (1 - alpha_t) / alpha_t * elementary.identity_like(score_jacobian)


@mutant("sign", of="POST-15/cov", why="the Hessian subtracted")
def reverse_cov_with_sign(alpha_t, score_jacobian):
    return reverse_kernel.reverse_cov(alpha_t, -score_jacobian)


@equation(
    "POST-15/matrix",
    title="covariance of the true reverse step, in two dimensions",
    formula=reverse_kernel.reverse_cov,
    latex=r"\mathrm{Cov}[x_{t-1}\mid x_t] = \frac{\beta_t}{\alpha_t}\big(I+\beta_t\nabla^2\log q_t(x_t)\big)",
    sources=[EFRON_2011("eq. 1.4"), BAO_2022("theorem 1")],
    evidence="oracle",
    how="each component conditioned by matrices, then averaged by its share; the Hessian by differentiation",
    given=rungs(
        lambda k: together(data=mixtures(2, k), x_t=points(2), alpha_t=alphas(), alpha_bar_s=levels(10)), 1, 2
    ),
    tolerance=1e-10,
    examples=50,
)
def hessian_gives_the_reverse_covariance(reverse_cov, data, x_t, alpha_t, alpha_bar_s):
    weights, means, covs = diffused(data, alpha_bar_s)
    noisy = diffused(dict(weights=weights, means=means, covs=covs), alpha_t)
    log_joint, centres, within = [], [], []
    for w, m, c, m_t, c_t in zip(weights, means, covs, *noisy[1:], strict=True):
        log_joint.append(np.log(w) + log_density(x_t, np.ones(1), m_t[None], c_t[None]))
        centres.append(m + math.sqrt(alpha_t) * c @ np.linalg.solve(c_t, x_t - m_t))
        within.append((1 - alpha_t) * c @ np.linalg.inv(c_t))
    share = np.exp(np.array(log_joint) - np.max(log_joint))
    share /= np.sum(share)
    away = np.array(centres) - share @ np.array(centres)
    derived = np.einsum("k,kij->ij", share, np.array(within)) + (share * away.T) @ away
    second, beta = hessian(log_density)(x_t, *noisy), 1 - alpha_t
    size = 1 + beta * (np.max(np.abs(second)) + np.max(means**2) + np.max(x_t**2))
    return reverse_cov(alpha_t, second), derived, beta / alpha_t * size


@mutant("ones", of="POST-15/matrix", why="a matrix of ones for the identity: no difference in one dimension")
def reverse_cov_of_ones(alpha_t, score_jacobian):
    beta_t = 1 - alpha_t
    return beta_t / alpha_t * (np.ones_like(score_jacobian) + beta_t * score_jacobian)


@mutant("trace", of="POST-15/matrix", why="the divergence of the score in every direction for its Jacobian")
def reverse_cov_of_trace(alpha_t, score_jacobian):
    eye = elementary.identity_like(score_jacobian)
    return reverse_kernel.reverse_cov(alpha_t, np.trace(score_jacobian) * eye)


def divergence(law, mean, var):
    """KL from a 1-D mixture to N(mean, var), as the integral of p log(p / g) - p + g, nowhere negative."""
    weights, means, variances = law
    reach = 12 * math.sqrt(max(variances.max(), var))
    x = np.linspace(min(means.min(), mean) - reach, max(means.max(), mean) + reach, 4001)
    log_p, log_g = log_mixture(x, weights, means, variances), log_normal(x, mean, var)
    return np.trapezoid(np.exp(log_p) * (log_p - log_g + np.expm1(log_g - log_p)), x)


@equation(
    "POST-15/order",
    title="reverse step is Gaussian up to beta^3 in KL",
    formula=reverse_kernel.reverse_cov,
    latex=r"D_{KL}\big(q(x_{t-1}\mid x_t)\,\Vert\,\text{Gaussian of the same mean and covariance}\big)=O("
    r"\beta_t^3)",
    sources=[SJTU("slide 16"), SOHL_DICKSTEIN_2015("section 2.2")],
    evidence="order",
    how="KL from the conditioned mixture by the trapezoid rule at beta from 0.01 down to 0.00125",
    cases=CASES,
    relative=False,
    tolerance=0.4,
    reject_at=0.6,
)
def distance_from_a_gaussian_is_third_order(reverse_cov, data, x_t):
    betas, law = np.array([0.01, 0.005, 0.0025, 0.00125]), at_level_s(data, 0.8)
    distances = []
    for beta in betas.tolist():
        exact = conditioned_mixture(law, 1 - beta, x_t[0])
        _, bend = score_and_slope(one_step_on(law, 1 - beta), x_t[0])
        var = reverse_cov(1 - beta, np.array([[bend]]))[0, 0]
        distances.append(divergence(exact, moments(exact)[0], var))
    return slope(betas, distances), 3.0


@mutant("beta", of="POST-15/order", why="variance beta, the large one of the samplers: KL of order beta^2")
def reverse_cov_is_beta(alpha_t, score_jacobian):
    return (1 - alpha_t) * elementary.identity_like(score_jacobian)


def two(means, variances):
    """A mixture of two components on the line, 3 to 7."""
    return dict(
        weights=np.array([0.3, 0.7]), means=np.array(means)[:, None], covs=np.array(variances)[:, None, None]
    )


ONE_BUMP = dict(weights=np.array([1.0]), means=np.array([[0.5]]), covs=np.array([[[0.4]]]))
# One Gaussian, one written as two, and two that differ in the means only, or in the variances only.
SHAPES = [TWO_BUMPS, ONE_BUMP, two([0.5, 0.5], [0.4, 0.4]), two([-1, 1], [0.4, 0.4]), two([0, 0], [0.1, 2])]


@equation(
    "POST-15/claim",
    title="a small beta makes the reverse step Gaussian?",
    formula=reverse_kernel.is_gaussian,
    latex=r"q(x_{t-1}\mid x_t)\ \text{is Gaussian iff}\ q(x_{t-1})\ \text{is}",
    sources=[SJTU("slide 16"), SOHL_DICKSTEIN_2015("section 2.2")],
    kind="claim",
    evidence="quadrature",
    how="KL from the conditioned mixture to the Gaussian of its mean and variance: zero or not",
    cases=[dict(data=d, beta_t=b) for d in SHAPES for b in (0.01, 0.5, 0.1, 0.001)],
)
def smallness_of_beta_is_not_enough(is_gaussian, data, beta_t):
    exact = conditioned_mixture(at_level_s(data, 0.8), 1 - beta_t, -0.25)
    nothing_left = divergence(exact, *moments(exact)) < 1e-13
    return is_gaussian(data["means"][:, 0], data["covs"][:, 0, 0], beta_t), bool(nothing_left)


@misprint(
    "ERR-17",
    of="POST-15/claim",
    printed=r"\text{if }\beta_t\text{ is small enough, }q(x_{t-1}\mid x_t)\text{ will also be Gaussian}",
    correct=r"D_{KL}(q(x_{t-1}\mid x_t)\Vert\text{best Gaussian})=O(\beta_t^3),\ \text{and never 0 unless "
    r"the data are}",
    source=SJTU("slide 16"),
    why="it is Gaussian only in the limit: at beta = 0.01 the distance is a millionth of a nat, not zero",
)
def gaussian_if_beta_is_small(means, variances, beta_t):
    return beta_t <= 0.01


@mutant("means", of="POST-15/claim", why="the means compared only: a narrow and a wide bump at one place")
def gaussian_if_means_agree(means, variances, beta_t):
    return bool(np.all(means == means[0]))


@mutant("variances", of="POST-15/claim", why="the variances compared only: two equal bumps apart")
def gaussian_if_variances_agree(means, variances, beta_t):
    return bool(np.all(variances == variances[0]))
