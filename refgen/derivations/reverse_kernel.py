"""Cards of the true reverse step q(x_s | x_t), which does not know x_0, on 1-D mixtures (POST)."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, levels, mixtures, points, rungs, together
from refgen.formulas import reverse_kernel
from refgen.sources import SJTU

TWO_BUMPS = dict(
    weights=np.array([0.3, 0.7]), means=np.array([[-1.5], [1.0]]), covs=np.array([[[0.1]], [[0.3]]])
)
CASES = [dict(data=TWO_BUMPS, x_t=np.array([x])) for x in (1.0, -0.25, -1.2)]


def at_level_s(data, alpha_bar_s):
    """Weights, means and variances (K,) of x_s for a 1-D mixture of clean data."""
    means, variances = data["means"][:, 0], data["covs"][:, 0, 0]
    return data["weights"], math.sqrt(alpha_bar_s) * means, alpha_bar_s * variances + (1 - alpha_bar_s)


def log_normal(x, mean, var):
    """Log-density of a 1-D Gaussian, elementwise."""
    return -0.5 * ((x - mean) ** 2 / var + np.log(2 * np.pi * var))


def log_mixture(x, weights, means, variances):
    """Log-density at x (...)."""
    return logsumexp(np.log(weights) + log_normal(np.asarray(x)[..., None], means, variances), axis=-1)


def one_step_on(law, alpha_t):
    """The mixture of x_t = sqrt(alpha_t) x_s + noise."""
    weights, means, variances = law
    return weights, math.sqrt(alpha_t) * means, alpha_t * variances + (1 - alpha_t)


def conditioned_mixture(law, alpha_t, x_t):
    """The law of x_s given the number x_t: each component conditioned, and weighed by what it says of x_t."""
    weights, means, variances = law
    _, means_t, variances_t = one_step_on(law, alpha_t)
    log_r = np.log(weights) + log_normal(x_t, means_t, variances_t)
    gain = math.sqrt(alpha_t) * variances / variances_t
    conditional = variances * (1 - alpha_t) / variances_t
    return np.exp(log_r - logsumexp(log_r)), means + gain * (x_t - means_t), conditional


def moments(law):
    """Mean and variance of a 1-D mixture."""
    weights, means, variances = law
    mean = weights @ means
    return mean, weights @ (variances + (means - mean) ** 2)


def score_and_slope(law, x):
    """The score of a 1-D mixture at the number x and its derivative."""
    weights, means, variances = law
    log_r = np.log(weights) + log_normal(x, means, variances)
    r, s = np.exp(log_r - logsumexp(log_r)), (means - x) / variances
    return r @ s, r @ ((s - r @ s) ** 2 - 1 / variances)


def slope(betas, errors):
    """The order in beta: the slope of log error over log beta."""
    return np.polyfit(np.log(betas), np.log(errors), 1)[0]


def around(x_t, alpha_t, n=61):
    """Points x_s (n, 1) within three noise stds of x_t, and x_t repeated."""
    reach = 3 * math.sqrt(1 - alpha_t)
    return x_t + np.linspace(-reach, reach, n)[:, None], np.repeat(x_t[None], n, 0)


# ---- POST-11
def _step_of_mixture(k):
    return together(data=mixtures(1, k), x_t=points(1), alpha_t=alphas(1e-3, 0.9), alpha_bar_s=levels(10))


@equation(
    "POST-11",
    title="true reverse step by Bayes' rule",
    formula=reverse_kernel.log_reverse,
    latex=r"q(x_{t-1}\mid x_t)=q(x_t\mid x_{t-1})\exp\big(\log q_{t-1}(x_{t-1})-\log q_t(x_t)\big)",
    sources=[SJTU("slide 16")],
    evidence="oracle",
    how="each component of a mixture conditioned on x_t, and weighed by its share of the density there",
    given=rungs(_step_of_mixture, 1, 2, 3),
    tolerance=1e-10,
)
def bayes_rule_gives_the_conditioned_mixture(log_reverse, data, x_t, alpha_t, alpha_bar_s):
    law = at_level_s(data, alpha_bar_s)
    x_s, repeated = around(x_t, alpha_t, 5)
    log_q_s = log_mixture(x_s[:, 0], *law)
    log_q_t = log_mixture(repeated[:, 0], *one_step_on(law, alpha_t))
    derived = log_mixture(x_s[:, 0], *conditioned_mixture(law, alpha_t, x_t[0]))
    scale = np.abs(derived) + np.abs(log_q_s) + np.abs(log_q_t) + (1 + np.abs(x_t)) ** 2 / (1 - alpha_t)
    return log_reverse(x_s, repeated, alpha_t, log_q_s, log_q_t), derived, scale


@mutant("upside-down", of="POST-11", why="q_t(x_t) / q_{t-1}(x_{t-1}), the ratio of marginals upside down")
def reverse_with_ratio_upside_down(x_s, x_t, alpha_t, log_q_s, log_q_t):
    return reverse_kernel.log_reverse(x_s, x_t, alpha_t, log_q_t, log_q_s)


@mutant(
    "forward-twice", of="POST-11", why="the forward step from x_t to x_s in place of that from x_s to x_t"
)
def reverse_with_forward_step_from_x_t(x_s, x_t, alpha_t, log_q_s, log_q_t):
    return reverse_kernel.log_reverse(x_t, x_s, alpha_t, log_q_s, log_q_t)


@equation(
    "POST-11/integral",
    title="true reverse step is normalised",
    formula=reverse_kernel.log_reverse,
    latex=r"\int q(x_t\mid x_{t-1})\frac{q_{t-1}(x_{t-1})}{q_t(x_t)}\,dx_{t-1}=1",
    sources=[SJTU("slide 16")],
    evidence="quadrature",
    how="trapezoid rule over all x_s that matter",
    given=rungs(lambda k: together(data=mixtures(1, k), x_t=points(1), alpha_t=alphas(0.05, 0.9)), 1, 2),
    tolerance=1e-8,
    examples=40,
)
def reverse_step_integrates_to_one(log_reverse, data, x_t, alpha_t):
    law = at_level_s(data, 0.8)
    _, means, variances = conditioned_mixture(law, alpha_t, x_t[0])
    reach = 12 * math.sqrt(variances.max())
    x_s = np.linspace(means.min() - reach, means.max() + reach, 2001)
    repeated = np.full((2001, 1), x_t[0])
    log_q_t = log_mixture(repeated[:, 0], *one_step_on(law, alpha_t))
    density = np.exp(log_reverse(x_s[:, None], repeated, alpha_t, log_mixture(x_s, *law), log_q_t))
    return np.trapezoid(density, x_s), 1.0


@mutant(
    "same-marginal", of="POST-11/integral", why="q_{t-1} taken at x_t: the ratio no longer depends on x_s"
)
def reverse_with_one_marginal(x_s, x_t, alpha_t, log_q_s, log_q_t):
    return reverse_kernel.log_reverse(x_s, x_t, alpha_t, log_q_t, log_q_t)


# ---- POST-12
def _worst_error(log_density, law, alpha_t, x_t):
    """Largest error in the log-density within three noise stds of x_t."""
    x_s, repeated = around(x_t, alpha_t)
    exact = log_mixture(x_s[:, 0], *conditioned_mixture(law, alpha_t, x_t[0]))
    return np.max(np.abs(log_density(x_s, repeated) - exact))


@equation(
    "POST-12/marginal",
    title="reverse step with q_t for q_{t-1}: order beta",
    formula=reverse_kernel.log_reverse,
    latex=r"q(x_{t-1}\mid x_t)\approx q(x_t\mid x_{t-1})\exp\big(\log q_t(x_{t-1})-\log q_t(x_t)\big)",
    sources=[SJTU("slide 16")],
    evidence="order",
    how="largest error of the log-density within three noise stds, at beta = 1e-3, 1e-4, 1e-5",
    cases=CASES,
    relative=False,
    tolerance=0.1,
    reject_at=0.3,  # orders come in halves here: x_s - x_t is of order sqrt(beta)
)
def one_marginal_for_both_is_first_order(log_reverse, data, x_t):
    betas, law = np.array([1e-3, 1e-4, 1e-5]), at_level_s(data, 0.8)
    errors = []
    for beta in betas.tolist():
        law_t = one_step_on(law, 1 - beta)

        def approximation(x_s, repeated, alpha_t=1 - beta, law_t=law_t):
            log_q_s, log_q_t = log_mixture(x_s[:, 0], *law_t), log_mixture(repeated[:, 0], *law_t)
            return log_reverse(x_s, repeated, alpha_t, log_q_s, log_q_t)

        errors.append(_worst_error(approximation, law, 1 - beta, x_t))
    return slope(betas, errors), 1.0


@mutant("no-tilt", of="POST-12/marginal", why="the forward step alone, without the ratio: order sqrt(beta)")
def reverse_without_ratio(x_s, x_t, alpha_t, log_q_s, log_q_t):
    return reverse_kernel.log_reverse(x_s, x_t, alpha_t, 0 * log_q_s, 0 * log_q_t)


@equation(
    "POST-12/order",
    title="reverse step by the score at x_t: order beta",
    formula=reverse_kernel.log_reverse_first_order,
    latex=r"q(x_{t-1}\mid x_t)\approx q(x_t\mid x_{t-1})\exp\big((x_{t-1}-x_t)^\top\nabla\log q_t(x_t)\big)",
    sources=[SJTU("slide 16")],
    evidence="order",
    how="largest error of the log-density within three noise stds, at beta = 1e-3, 1e-4, 1e-5",
    cases=CASES,
    relative=False,
    tolerance=0.1,
    reject_at=0.3,
)
def score_at_x_t_is_first_order(log_reverse_first_order, data, x_t):
    betas, law = np.array([1e-3, 1e-4, 1e-5]), at_level_s(data, 0.8)
    errors = []
    for beta in betas.tolist():
        score, _ = score_and_slope(one_step_on(law, 1 - beta), x_t[0])

        def approximation(x_s, repeated, alpha_t=1 - beta, score=score):
            return log_reverse_first_order(x_s, repeated, alpha_t, np.full_like(x_s, score))

        errors.append(_worst_error(approximation, law, 1 - beta, x_t))
    return slope(betas, errors), 1.0


@mutant("away", of="POST-12/order", why="(x_t - x_{t-1}) in the inner product: the tilt the wrong way")
def first_order_tilted_away(x_s, x_t, alpha_t, score_t):
    return reverse_kernel.log_reverse_first_order(x_s, x_t, alpha_t, -score_t)


@equation(
    "POST-12/density",
    title="reverse step to first order, written out",
    formula=reverse_kernel.log_reverse_first_order,
    latex=r"(2\pi\beta_t)^{-d/2}\exp\Big(-\tfrac{\lVert x_t-\sqrt{1-\beta_t}x_{t-1}\rVert^2}{2\beta_t}"
    r"+(x_{t-1}-x_t)^\top\nabla\log q_t(x_t)\Big)",
    sources=[SJTU("slide 16")],
    evidence="algebra",
    how="SciPy's log-density of the forward step, coordinate by coordinate, and the tilt",
    given=rungs(
        lambda d: together(x_s=points(d), x_t=points(d), score_t=points(d), alpha_t=alphas(1e-4)), 1, 2, 3
    ),
    tolerance=1e-12,
)
def forward_step_with_a_tilt(log_reverse_first_order, x_s, x_t, score_t, alpha_t):
    beta = 1 - alpha_t
    logs = norm.logpdf(x_t, math.sqrt(alpha_t) * x_s, math.sqrt(beta))
    scale = np.sum(
        (np.abs(x_t) + np.abs(x_s)) ** 2 / beta + (np.abs(x_t) + np.abs(x_s)) * np.abs(score_t) + 1
    )
    derived = math.fsum(logs) + math.fsum(x_s * score_t) - math.fsum(x_t * score_t)
    return (
        log_reverse_first_order(x_s, x_t, alpha_t, score_t),
        derived,
        scale + len(x_t) * abs(math.log(beta)),
    )


_DENSITY = (
    r"(2\pi\beta_t)^{-d/2}\exp\Big(-\frac{\lVert x_t-\sqrt{1-\beta_t}x_{t-1}\rVert^2}{2\beta_t}+\ldots\Big)"
)


@misprint(
    "ERR-14",
    of="POST-12/density",
    printed=r"\exp\Big(\frac{\lVert x_t-\sqrt{1-\beta_t}x_{t-1}\rVert^2}{\ldots}+\ldots\Big)",
    correct=_DENSITY,
    source=SJTU("slide 16"),
    why="the minus sign of the exponent is missing: the further x_t is from its mean, the likelier",
)
def first_order_without_minus(x_s, x_t, alpha_t, score_t):
    square = np.sum((x_t - math.sqrt(alpha_t) * x_s) ** 2, -1) / (1 - alpha_t)
    return reverse_kernel.log_reverse_first_order(x_s, x_t, alpha_t, score_t) + square


@misprint(
    "ERR-15",
    of="POST-12/density",
    printed=r"\exp\Big(\ldots\frac{\lVert x_t-\sqrt{1-\beta_t}x_{t-1}\rVert^2}{2\beta_t^2}+\ldots\Big)",
    correct=_DENSITY,
    source=SJTU("slide 16"),
    why="beta_t is the variance already and is not squared",
)
def first_order_with_beta_squared(x_s, x_t, alpha_t, score_t):
    beta = 1 - alpha_t
    square = np.sum((x_t - math.sqrt(alpha_t) * x_s) ** 2, -1)
    change = square / (2 * beta) - square / (2 * beta**2)
    return reverse_kernel.log_reverse_first_order(x_s, x_t, alpha_t, score_t) + change


@misprint(
    "ERR-16",
    of="POST-12/density",
    printed=r"\frac1{\sqrt{2\pi}\,\beta_t}\exp(\ldots)",
    correct=_DENSITY,
    source=SJTU("slide 16"),
    why="the normaliser of a variance beta_t is sqrt(2 pi beta_t), and one such factor for each coordinate",
)
def first_order_with_printed_normaliser(x_s, x_t, alpha_t, score_t):
    beta, d = 1 - alpha_t, x_t.shape[-1]
    change = 0.5 * d * math.log(2 * math.pi * beta) - math.log(math.sqrt(2 * math.pi) * beta)
    return reverse_kernel.log_reverse_first_order(x_s, x_t, alpha_t, score_t) + change
