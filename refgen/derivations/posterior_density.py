"""Cards of the posterior q(x_s | x_t, x_0) as a density: Bayes' rule and its exponent (POST)."""

from __future__ import annotations

import math

import numpy as np

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, levels, points, rungs, together
from refgen.derivations.posterior import conditioned
from refgen.formulas import posterior_density
from refgen.sources import KIM, LUO_2022, SJTU


def _three_points(d):
    return together(
        x_s=points(d), x_t=points(d), x_0=points(d), alpha_t=alphas(), alpha_bar_s=levels(log_snr=20)
    )


POINTS = rungs(_three_points, 1, 2, 5)


def magnitudes(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    """The sum of the magnitudes of the terms of the exponent, multiplied out."""
    x_s, x_t, x_0 = np.abs(x_s), np.abs(x_t), np.abs(x_0)
    beta_t, var_s, b = 1 - alpha_t, 1 - alpha_bar_s, math.sqrt(alpha_bar_s)
    a, var_t = math.sqrt(alpha_t), alpha_t * var_s + beta_t
    terms = (x_t + a * x_s) ** 2 / beta_t + (x_s + b * x_0) ** 2 / var_s + (x_t + a * b * x_0) ** 2 / var_t
    return np.sum(terms)


# ---- POST-2
@equation(
    "POST-2",
    title="posterior as a quotient of Gaussians: equal",
    formula=posterior_density.log_posterior,
    latex=r"\frac{N(x_t;\sqrt{\alpha_t}x_{t-1},(1-\alpha_t)I)\,N(x_{t-1};\sqrt{\bar\alpha_{t-1}}x_0,"
    r"(1-\bar\alpha_{t-1})I)}{N(x_t;\sqrt{\bar\alpha_t}x_0,(1-\bar\alpha_t)I)} = N(x_{t-1};\mu_q,\Sigma_q)",
    sources=[KIM("'Diffusion Model', the posterior"), LUO_2022("eqs. 71 to 84")],
    evidence="algebra",
    how="log-density of the Gaussian that conditioning gives, normaliser and all",
    given=POINTS,
    tolerance=1e-12,
)
def quotient_is_the_posterior(log_posterior, x_s, x_t, x_0, alpha_t, alpha_bar_s):
    mean, var = conditioned(x_t, x_0, alpha_t, alpha_bar_s)
    derived = -0.5 * np.sum((x_s - mean) ** 2 / var + math.log(2 * math.pi * var))
    logs = abs(math.log(1 - alpha_t)) + abs(math.log(1 - alpha_bar_s)) + 3
    scale = magnitudes(x_s, x_t, x_0, alpha_t, alpha_bar_s) + len(x_s) * logs
    return log_posterior(x_s, x_t, x_0, alpha_t, alpha_bar_s), derived, scale


@mutant("unnormalised", of="POST-2", why="the numerator alone: proportional, and not equal")
def log_posterior_unnormalised(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    var_t = 1 - alpha_t * alpha_bar_s
    evidence = -0.5 * np.sum((x_t - math.sqrt(alpha_t * alpha_bar_s) * x_0) ** 2 / var_t, -1)
    evidence = evidence - 0.5 * x_t.shape[-1] * math.log(2 * math.pi * var_t)
    return posterior_density.log_posterior(x_s, x_t, x_0, alpha_t, alpha_bar_s) + evidence


@mutant("one-dimension", of="POST-2", why="log(2 pi var) / 2 once, for any dimension")
def log_posterior_of_one_dimension(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    var = 1 / (alpha_t / (1 - alpha_t) + 1 / (1 - alpha_bar_s))
    extra = 0.5 * (x_s.shape[-1] - 1) * math.log(2 * math.pi * var)
    return posterior_density.log_posterior(x_s, x_t, x_0, alpha_t, alpha_bar_s) + extra


# ---- POST-3
def _square_and_scale(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    mean, var = conditioned(x_t, x_0, alpha_t, alpha_bar_s)
    return np.sum((x_s - mean) ** 2) / var, magnitudes(x_s, x_t, x_0, alpha_t, alpha_bar_s)


@equation(
    "POST-3/squares",
    title="exponent of the posterior: three squares",
    formula=posterior_density.bracket,
    latex=r"\tfrac{(x_t-\sqrt{\alpha_t}x_{t-1})^2}{\beta_t}+\tfrac{(x_{t-1}-\sqrt{\bar\alpha_{t-1}}x_0)^2}"
    r"{1-\bar\alpha_{t-1}}-\tfrac{(x_t-\sqrt{\bar\alpha_t}x_0)^2}{1-\bar\alpha_t}"
    r" = \tfrac{(x_{t-1}-\hat\mu)^2}{\hat\sigma^2}",
    sources=[SJTU("slide 18")],
    evidence="algebra",
    how="squared distance to the conditional mean in conditional stds; no constant is left over",
    given=POINTS,
    tolerance=1e-12,
)
def three_squares_are_one(bracket, x_s, x_t, x_0, alpha_t, alpha_bar_s):
    drawn = (x_s, x_t, x_0, alpha_t, alpha_bar_s)
    return bracket(*drawn), *_square_and_scale(*drawn)


@misprint(
    "ERR-18",
    of="POST-3/squares",
    printed=r"\frac{(x_t-\sqrt{\bar\alpha_t}x_{t-1})^2}{\beta_t}+\ldots",
    correct=r"\frac{(x_t-\sqrt{\alpha_t}x_{t-1})^2}{\beta_t}+\ldots",
    source=SJTU("slide 18, first line"),
    why="from x_{t-1} to x_t is one step, of signal alpha_t = 1 - beta_t; the next slide has it right",
)
def bracket_with_total_signal(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    alpha_bar_t = alpha_t * alpha_bar_s
    one_step = (x_t - math.sqrt(alpha_bar_t) * x_s) ** 2 / (1 - alpha_t)
    clean_to_s = (x_s - math.sqrt(alpha_bar_s) * x_0) ** 2 / (1 - alpha_bar_s)
    clean_to_t = (x_t - math.sqrt(alpha_bar_t) * x_0) ** 2 / (1 - alpha_bar_t)
    return np.sum(one_step + clean_to_s - clean_to_t, -1)


@mutant(
    "third-term",
    of="POST-3/squares",
    why="the third square 'mended' to one step as well; it is right as printed",
)
def bracket_with_third_term_changed(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    one_step = (x_t - math.sqrt(alpha_t) * x_s) ** 2 / (1 - alpha_t)
    clean_to_s = (x_s - math.sqrt(alpha_bar_s) * x_0) ** 2 / (1 - alpha_bar_s)
    clean_to_t = (x_t - math.sqrt(alpha_t) * x_0) ** 2 / (1 - alpha_t * alpha_bar_s)
    return np.sum(one_step + clean_to_s - clean_to_t, -1)


@mutant("no-third-term", of="POST-3/squares", why="the evidence left out: right up to a constant only")
def bracket_without_third_term(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    one_step = (x_t - math.sqrt(alpha_t) * x_s) ** 2 / (1 - alpha_t)
    return np.sum(one_step + (x_s - math.sqrt(alpha_bar_s) * x_0) ** 2 / (1 - alpha_bar_s), -1)


@equation(
    "POST-3/expanded",
    title="exponent of the posterior, multiplied out",
    formula=posterior_density.bracket_expanded,
    latex=r"\tfrac{x_t^2-2\sqrt{\alpha_t}x_tx_{t-1}+\alpha_tx_{t-1}^2}{\beta_t}+\tfrac{x_{t-1}^2"
    r"-2\sqrt{\bar\alpha_{t-1}}x_0x_{t-1}+\bar\alpha_{t-1}x_0^2}{1-\bar\alpha_{t-1}}-\ldots",
    sources=[SJTU("slide 18")],
    evidence="algebra",
    how="squared distance to the conditional mean in conditional stds",
    given=POINTS,
    tolerance=1e-12,
)
def expanded_squares_are_one(bracket_expanded, x_s, x_t, x_0, alpha_t, alpha_bar_s):
    drawn = (x_s, x_t, x_0, alpha_t, alpha_bar_s)
    return bracket_expanded(*drawn), *_square_and_scale(*drawn)


@misprint(
    "ERR-18/expanded",
    of="POST-3/expanded",
    printed=r"\frac{x_t^2-2\sqrt{\bar\alpha_t}x_tx_{t-1}+\bar\alpha_tx_{t-1}^2}{\beta_t}+\ldots",
    correct=r"\frac{x_t^2-2\sqrt{\alpha_t}x_tx_{t-1}+\alpha_tx_{t-1}^2}{\beta_t}+\ldots",
    source=SJTU("slide 18, second line"),
    why="the signal of one step, alpha_t, printed as that of all t steps",
)
def bracket_expanded_with_total_signal(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    alpha_bar_t = alpha_t * alpha_bar_s
    one_step = (x_t**2 - 2 * math.sqrt(alpha_bar_t) * x_t * x_s + alpha_bar_t * x_s**2) / (1 - alpha_t)
    clean_to_s = x_s**2 - 2 * math.sqrt(alpha_bar_s) * x_0 * x_s + alpha_bar_s * x_0**2
    clean_to_t = (x_t - math.sqrt(alpha_bar_t) * x_0) ** 2 / (1 - alpha_bar_t)
    return np.sum(one_step + clean_to_s / (1 - alpha_bar_s) - clean_to_t, -1)


# ---- POST-4
@equation(
    "POST-4",
    title="exponent of the posterior as a quadratic",
    formula=posterior_density.bracket_collected,
    latex=r"\big(\tfrac{\alpha_t}{\beta_t}+\tfrac1{1-\bar\alpha_{t-1}}\big)x_{t-1}^2-\big(\tfrac{2\sqrt{"
    r"\alpha_t}}"
    r"{\beta_t}x_t+\tfrac{2\sqrt{\bar\alpha_{t-1}}}{1-\bar\alpha_{t-1}}x_0\big)x_{t-1}+C(x_t,x_0)",
    sources=[SJTU("slides 18 and 19")],
    evidence="algebra",
    how="squared distance to the conditional mean in conditional stds",
    given=POINTS,
    tolerance=1e-12,
)
def collected_quadratic_is_one_square(bracket_collected, x_s, x_t, x_0, alpha_t, alpha_bar_s):
    drawn = (x_s, x_t, x_0, alpha_t, alpha_bar_s)
    return bracket_collected(*drawn), *_square_and_scale(*drawn)


def _constant(x_t, x_0, alpha_t, alpha_bar_s):
    alpha_bar_t = alpha_t * alpha_bar_s
    clean_to_t = (x_t - math.sqrt(alpha_bar_t) * x_0) ** 2 / (1 - alpha_bar_t)
    return x_t**2 / (1 - alpha_t) + alpha_bar_s * x_0**2 / (1 - alpha_bar_s) - clean_to_t


@misprint(
    "ERR-18/collected",
    of="POST-4",
    printed=r"\ldots-\Big(\frac{2\sqrt{\bar\alpha_t}}{\beta_t}x_t+\ldots\Big)x_{t-1}+\ldots",
    correct=r"\ldots-\Big(\frac{2\sqrt{\alpha_t}}{\beta_t}x_t+\ldots\Big)x_{t-1}+\ldots",
    source=SJTU("slide 18, third line, its brackets mended"),
    why="the signal of one step, alpha_t, printed as that of all t steps",
)
def quadratic_with_total_signal(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    beta_t, var_s = 1 - alpha_t, 1 - alpha_bar_s
    linear = 2 * math.sqrt(alpha_t * alpha_bar_s) / beta_t * x_t + 2 * math.sqrt(alpha_bar_s) / var_s * x_0
    constant = _constant(x_t, x_0, alpha_t, alpha_bar_s)
    return np.sum((alpha_t / beta_t + 1 / var_s) * x_s**2 - linear * x_s + constant, -1)


def _printed_brackets(x_s, x_t, x_0, alpha_t, alpha_bar_s, signal):
    beta_t, var_s = 1 - alpha_t, 1 - alpha_bar_s
    subtracted = 2 * signal / beta_t * x_t + 2 * math.sqrt(alpha_bar_s) / var_s * x_0 * x_s
    constant = _constant(x_t, x_0, alpha_t, alpha_bar_s)
    return np.sum(alpha_t / beta_t + x_s**2 / var_s - (subtracted + constant), -1)


@misprint(
    "ERR-19",
    of="POST-4",
    printed=r"\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_{t-1}}x_{t-1}^2-\Big(\frac{2\sqrt{\bar"
    r"\alpha_t}}{\beta_t}x_t"
    r"+\frac{2\sqrt{\bar\alpha_{t-1}}}{1-\bar\alpha_{t-1}}x_0x_{t-1}+C\Big)",
    correct=r"\Big(\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_{t-1}}\Big)x_{t-1}^2-\Big(\frac{2\sqrt{"
    r"\alpha_t}}{\beta_t}x_t"
    r"+\frac{2\sqrt{\bar\alpha_{t-1}}}{1-\bar\alpha_{t-1}}x_0\Big)x_{t-1}+C",
    source=SJTU("slide 18, third line"),
    why="brackets lost: x_{t-1}^2 multiplies one of two terms, x_{t-1} one of two, and C changes its sign; "
    "and the line has the bar of ERR-18",
)
def quadratic_as_printed(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    return _printed_brackets(x_s, x_t, x_0, alpha_t, alpha_bar_s, math.sqrt(alpha_t * alpha_bar_s))


@misprint(
    "ERR-19/brackets",
    of="POST-4",
    printed=r"\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_{t-1}}x_{t-1}^2-\Big(\frac{2\sqrt{\alpha_t}}{"
    r"\beta_t}x_t"
    r"+\frac{2\sqrt{\bar\alpha_{t-1}}}{1-\bar\alpha_{t-1}}x_0x_{t-1}+C\Big)",
    correct=r"\Big(\frac{\alpha_t}{\beta_t}+\frac1{1-\bar\alpha_{t-1}}\Big)x_{t-1}^2-\Big(\ldots"
    r"\Big)x_{t-1}+C",
    source=SJTU("slide 18, third line, its bar removed"),
    why="the brackets alone, with alpha_t already mended",
)
def quadratic_with_printed_brackets(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    return _printed_brackets(x_s, x_t, x_0, alpha_t, alpha_bar_s, math.sqrt(alpha_t))
