"""Cards of the terms of the diffusion ELBO: L_T, L_0, and each step as a weighted squared error (DELBO)."""

from __future__ import annotations

import math

import numpy as np

from refgen.cards import definition, equation, misprint, mutant
from refgen.cards.strategies import alphas, levels, points, positives, rungs, schedules, together
from refgen.derivations.posterior import conditioned
from refgen.derivations.posterior_mean import gains
from refgen.formulas import ddpm, elbo, gaussian
from refgen.sources import HO_2020, KIM, LUO_2022, SJTU

definition(
    "DELBO-9",
    title="the model's reverse step",
    latex=r"p_\theta(x_{t-1}\mid x_t)=N(x_{t-1};\mu_\theta(x_t,t),\Sigma_\theta(x_t,t))",
    sources=[HO_2020("eq. 1"), SJTU("slides 17, 22 and 23"), KIM("'Diffusion Model', the denoising term")],
    shown_by=["DELBO-7/gaussian", "DELBO-10", "DELBO-11"],
    module=__name__,
)


def kl_of_shift(shift, var):
    """KL of N(m, var I) from N(m + shift, var I): half the squared distance in units of the covariance."""
    return 0.5 * shift @ np.linalg.solve(var * np.eye(len(shift)), shift)


def _errors(d):
    return together(
        right=points(d), guess=points(d), alpha_t=alphas(), alpha_bar_s=levels(), var=positives(1e-6, 1.0)
    )


# ---- DELBO-10
@equation(
    "DELBO-10",
    title="step of the bound as an error in x_0",
    formula=elbo.x_0_weight,
    latex=r"D_{KL}(q(x_{t-1}\mid x_t,x_0)\Vert p_\theta(x_{t-1}\mid x_t)) = \frac1{2\sigma_q^2(t)}"
    r"\frac{\bar\alpha_{t-1}(1-\alpha_t)^2}{(1-\bar\alpha_t)^2}\lVert\hat x_\theta-x_0\rVert^2",
    sources=[LUO_2022("eq. 99"), KIM("'Diffusion Model', the argmin of the KL")],
    evidence="algebra",
    how="KL of two Gaussians of one covariance (GAU-5) whose means are the posterior's for x_0 and for "
    "its guess",
    given=rungs(_errors, 1, 2, 5),
    tolerance=1e-12,
)
def x_0_weight_is_a_kl(x_0_weight, right, guess, alpha_t, alpha_bar_s, var):
    shift = gains(alpha_t, alpha_bar_s)[1] * (guess - right)
    return x_0_weight(alpha_t, alpha_bar_s, var) * np.sum((guess - right) ** 2), kl_of_shift(shift, var)


@mutant("precedence", of="DELBO-10", why="(1 - a)^2 / 1 - a_bar typed for (1 - a)^2 / (1 - a_bar)^2")
def x_0_weight_without_brackets(alpha_t, alpha_bar_s, var):
    return alpha_bar_s * ((1 - alpha_t) ** 2 / 1.0 - alpha_t * alpha_bar_s) ** 2 / (2 * var)


@mutant("level-t", of="DELBO-10", why="alpha_bar_t in the numerator, the level of x_t for that of x_{t-1}")
def x_0_weight_of_level_t(alpha_t, alpha_bar_s, var):
    return elbo.x_0_weight(alpha_t, alpha_bar_s, var) * alpha_t


@mutant("std", of="DELBO-10", why="the std where the variance divides")
def x_0_weight_over_std(alpha_t, alpha_bar_s, var):
    return elbo.x_0_weight(alpha_t, alpha_bar_s, math.sqrt(var))


# ---- DELBO-11
def _shift_of_eps(right, guess, alpha_t, alpha_bar_s):
    """How far the reverse mean moves when the noise in the same x_t is taken to be `guess`."""
    var_t = alpha_t * (1 - alpha_bar_s) + (1 - alpha_t)
    return gains(alpha_t, alpha_bar_s)[1] * math.sqrt(var_t / (alpha_t * alpha_bar_s)) * (right - guess)


@equation(
    "DELBO-11",
    title="step of the bound as an error in eps",
    formula=elbo.eps_weight,
    latex=r"L_{t-1}=E_{x_0,\epsilon}\Big[\frac{(1-\alpha_t)^2}{2\hat\sigma_{t-1}^2\alpha_t(1-\bar\alpha_t)}"
    r"\lVert\epsilon-\epsilon_\theta(x_t,t)\rVert^2\Big]",
    sources=[
        HO_2020("eq. 12"),
        LUO_2022("eq. 130"),
        KIM("'Diffusion Model', training the noise"),
        SJTU("slide 22"),
    ],
    evidence="algebra",
    how="KL of two Gaussians of one covariance (GAU-5) whose means follow from the x_0 that each noise "
    "implies",
    given=rungs(_errors, 1, 2, 5),
    tolerance=1e-12,
)
def eps_weight_is_a_kl(eps_weight, right, guess, alpha_t, alpha_bar_s, var):
    shift = _shift_of_eps(right, guess, alpha_t, alpha_bar_s)
    return eps_weight(alpha_t, alpha_bar_s, var) * np.sum((guess - right) ** 2), kl_of_shift(shift, var)


@misprint(
    "ERR-23",
    of="DELBO-11",
    printed=r"\frac{(1-\alpha_t)^2}{2\alpha_t(1-\bar\alpha_t)}\lVert\epsilon-\epsilon_\theta\rVert^2",
    correct=r"\frac{(1-\alpha_t)^2}{2\hat\sigma_{t-1}^2\alpha_t(1-\bar\alpha_t)}\lVert\epsilon-\epsilon_"
    r"\theta\rVert^2",
    source=SJTU("slide 22"),
    why="the KL of two Gaussians divides the squared distance of the means by their variance",
)
def eps_weight_without_variance(alpha_t, alpha_bar_s, var):
    return (1 - alpha_t) ** 2 / (2 * alpha_t * (1 - alpha_t * alpha_bar_s))


@misprint(
    "ERR-22/weight",
    of="DELBO-11",
    printed=r"\mu_\theta=\frac1{\sqrt{\bar\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}"
    r"\epsilon_\theta\Big)",
    correct=r"\mu_\theta=\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\epsilon_"
    r"\theta\Big)",
    source=SJTU("slide 22, both means"),
    why="with both means as that slide prints them, the distance between them has alpha_bar_t below, not "
    "alpha_t",
)
def eps_weight_of_printed_means(alpha_t, alpha_bar_s, var):
    return elbo.eps_weight(alpha_t, alpha_bar_s, var) / alpha_bar_s


@mutant("precedence", of="DELBO-11", why="2 var a * 1 - a_bar typed for 2 var a (1 - a_bar)")
def eps_weight_without_brackets(alpha_t, alpha_bar_s, var):
    return (1 - alpha_t) ** 2 / (2 * var * alpha_t * 1.0 - alpha_t * alpha_bar_s)


@equation(
    "DELBO-11/variance",
    title="step of the bound with another variance",
    formula=elbo.l_step,
    latex=r"D_{KL}(q\Vert p_\theta) = \frac{(1-\alpha_t)^2}{2\sigma_t^2\alpha_t(1-\bar\alpha_t)}"
    r"\lVert\epsilon-\epsilon_\theta\rVert^2+\frac d2\Big(\frac{\hat\sigma^2_{t-1}}{\sigma_t^2}-1"
    r"-\log\frac{\hat\sigma^2_{t-1}}{\sigma_t^2}\Big)",
    sources=[HO_2020("section 3.2"), SJTU("slide 22, the KL of two Gaussians")],
    evidence="algebra",
    how="KL of two Gaussians (GAU-4) with the variance of the posterior and that of the model",
    given=rungs(_errors, 1, 2, 5),
    tolerance=1e-12,
)
def step_with_another_variance_is_a_kl(l_step, right, guess, alpha_t, alpha_bar_s, var):
    d, posterior_var = len(right), conditioned(0.0, 0.0, alpha_t, alpha_bar_s)[1]
    shift = _shift_of_eps(right, guess, alpha_t, alpha_bar_s)
    derived = gaussian.kl_gaussian(0 * shift, posterior_var * np.eye(d), shift, var * np.eye(d))
    scale = derived + d * (1 + posterior_var / var + abs(math.log(posterior_var)) + abs(math.log(var)))
    return l_step(right, guess, alpha_t, alpha_bar_s, var), derived, scale


@mutant(
    "log-std", of="DELBO-11/variance", why="a log-variance taken for a log-std: the logarithm counted twice"
)
def step_with_log_std(eps, eps_hat, alpha_t, alpha_bar_s, var):
    ratio = conditioned(0.0, 0.0, alpha_t, alpha_bar_s)[1] / var
    extra = 0.5 * eps.shape[-1] * math.log(ratio)
    return elbo.l_step(eps, eps_hat, alpha_t, alpha_bar_s, var) - extra


@mutant("mean-for-sum", of="DELBO-11/variance", why="the mean over coordinates where a KL is their sum")
def step_averaged_over_coordinates(eps, eps_hat, alpha_t, alpha_bar_s, var):
    return elbo.l_step(eps, eps_hat, alpha_t, alpha_bar_s, var) / eps.shape[-1]


@mutant("means-only", of="DELBO-11/variance", why="the squared error alone, as if the variances were equal")
def step_without_gap(eps, eps_hat, alpha_t, alpha_bar_s, var):
    error = eps - eps_hat
    return elbo.eps_weight(alpha_t, alpha_bar_s, var) * np.sum(error * error, -1)


# ---- DELBO-12
@equation(
    "DELBO-12",
    title="the simple loss is not proportional to the bound",
    formula=elbo.weight_spread,
    latex=r"\max_t w_t/\min_t w_t,\quad w_t=\frac{(1-\alpha_t)^2}{2\hat\sigma_{t-1}^2\alpha_t(1-\bar"
    r"\alpha_t)},\ t\ge2",
    sources=[HO_2020("eqs. 12 and 14"), SJTU("slides 22 and 23")],
    evidence="algebra",
    how="at each t the KL that a unit error in eps costs, from two conditionings; their largest over "
    "smallest",
    given=schedules(smallest_T=3),
    tolerance=1e-9,
    examples=50,
    tolerance32=1e-2,  # float32 holds 1 - beta to 6e-8, and beta itself may be 1e-4
)
def unit_errors_cost_unequally(weight_spread, beta):
    alpha_bar = np.cumprod(1 - beta)
    alpha_t, alpha_bar_s = 1 - beta[1:], alpha_bar[:-1]
    from_x_t, from_x_0 = (1 - alpha_t) / alpha_t, 1 - alpha_bar_s
    shift = gains(alpha_t, alpha_bar_s)[1] * np.sqrt(1 / alpha_bar[1:] - 1)
    costs = shift**2 / (2 / (1 / from_x_t + 1 / from_x_0))
    return weight_spread(beta), np.max(costs) / np.min(costs)


@misprint(
    "ERR-27",
    of="DELBO-12",
    printed=r"\text{'DDPM ELBO': }E\lVert\epsilon-\epsilon_\theta\rVert^2",
    correct=r"L_{simple}=E\lVert\epsilon-\epsilon_\theta\rVert^2;\quad L_{t-1}=E[w_t\lVert\epsilon-"
    r"\epsilon_\theta\rVert^2]",
    source=SJTU("'Score-based Diffusion Models', and the arrow on slide 22"),
    why="the weights are dropped; were the simple loss the bound, up to a factor, they would all be equal",
)
def all_weights_equal(beta):
    return 1.0


def _gaussian_data(d):
    return together(alpha_bar_t=levels(10), data_var=positives(0.01, 100.0))


@equation(
    "DELBO-12/minimiser",
    title="minimiser of the simple loss at one t",
    formula=ddpm.squared_error,
    latex=r"\arg\min_{\epsilon_\theta(x_t)}E\lVert\epsilon-\epsilon_\theta(x_t)\rVert^2 = E[\epsilon\mid "
    r"x_t]",
    sources=[HO_2020("eq. 14"), SJTU("slides 22 and 23")],
    evidence="quadrature",
    how="regression of eps on x_t for Gaussian data against the minimum of a parabola through three slopes",
    given=rungs(_gaussian_data, 1),
    tolerance=1e-8,
)
def simple_loss_is_least_at_the_conditional_mean(squared_error, alpha_bar_t, data_var):
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    signal, std = math.sqrt(alpha_bar_t), math.sqrt(1 - alpha_bar_t)
    x_0, eps = (a.reshape(-1, 1) for a in np.meshgrid(math.sqrt(data_var) * nodes, nodes))
    w, x_t = np.outer(weights, weights).ravel() / weights.sum() ** 2, signal * x_0 + std * eps
    power = alpha_bar_t * data_var + (1 - alpha_bar_t)
    unit = 1 / math.sqrt(power)  # slopes are tried in units in which x_t has variance one
    below, middle, above = (w @ squared_error(eps, s * unit * x_t) for s in (-1.0, 0.0, 1.0))
    vertex = 0.5 * (below - above) / (above - 2 * middle + below)
    return vertex * unit, std / power, unit


@mutant("signed", of="DELBO-12/minimiser", why="the difference of squares for the square of the difference")
def difference_of_squares(target, prediction):
    return np.sum(target**2, -1) - 0.5 * np.sum((target - prediction / 2) ** 2, -1)
