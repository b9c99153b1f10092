"""Cards of the reverse step's mean in its other forms: by precisions, noise and score (POST)."""

from __future__ import annotations

import math

import numpy as np

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, levels, points, rungs, schedules, steps, together
from refgen.derivations.posterior import conditioned
from refgen.formulas import parametrisation, posterior
from refgen.sources import HO_2020, KIM, LUO_2022, SJTU


def fitted(x_t, x_0, alpha_t, alpha_bar_s):
    """The posterior mean: least squares of sqrt(alpha_t) x_s = x_t and x_s = sqrt(alpha_bar_s) x_0.

    Each equation is divided by its std first; LAPACK solves the two.
    """
    stds = np.sqrt([1 - alpha_t, 1 - alpha_bar_s])
    design = np.array([[math.sqrt(alpha_t)], [1.0]]) / stds[:, None]
    targets = np.stack([x_t, math.sqrt(alpha_bar_s) * x_0]) / stds[:, None]
    return np.linalg.lstsq(design, targets, rcond=None)[0][0]


def gains(alpha_t, alpha_bar_s):
    """How far the posterior mean moves with x_t and with x_0.

    Conditioning twice: on x_t where x_0 gave the prior of x_s, and on x_0 where x_t gave it. A gain is
    prior variance / (prior variance + variance of the observation), times the scale of the observation.
    """
    from_x_t, from_x_0 = (1 - alpha_t) / alpha_t, 1 - alpha_bar_s
    total = from_x_t + from_x_0
    return np.array([from_x_0 / total / np.sqrt(alpha_t), from_x_t / total * np.sqrt(alpha_bar_s)])


# ---- POST-7
_MEAN_SOURCES = [SJTU("slide 19")]


def _fit_and_scale(x_t, x_0, alpha_t, alpha_bar_s):
    """The fit, and the length of its right-hand side over that of its column: what a solver is exact to."""
    beta_t, var_s = 1 - alpha_t, 1 - alpha_bar_s
    scale = np.sqrt((x_t**2 / beta_t + alpha_bar_s * x_0**2 / var_s) / (alpha_t / beta_t + 1 / var_s))
    return fitted(x_t, x_0, alpha_t, alpha_bar_s), scale


@equation(
    "POST-7/quotient",
    title="posterior mean, weighted by precision",
    formula=posterior.mean_from_precisions,
    latex=r"\hat\mu_{t-1} = \big(\tfrac{\sqrt{\alpha_t}}{\beta_t}x_t+\tfrac{\sqrt{\bar\alpha_{t-1}}}{1-\bar"
    r"\alpha_{t-1}}x_0\big)"
    r"/\big(\tfrac{\alpha_t}{\beta_t}+\tfrac1{1-\bar\alpha_{t-1}}\big)",
    sources=_MEAN_SOURCES,
    evidence="algebra",
    how="least squares: what x_t and x_0 say about x_s, each divided by its std",
    given=steps(),
    tolerance=1e-12,
)
def precision_weighted_mean_is_least_squares(mean_from_precisions, x_t, x_0, alpha_t, alpha_bar_s):
    step = (x_t, x_0, alpha_t, alpha_bar_s)
    return mean_from_precisions(*step), *_fit_and_scale(*step)


@mutant("stds", of="POST-7/quotient", why="weighted by one over the stds, not the variances")
def mean_weighted_by_std(x_t, x_0, alpha_t, alpha_bar_s):
    a, s, r = math.sqrt(alpha_t), math.sqrt(1 - alpha_t), math.sqrt(1 - alpha_bar_s)
    return (a / s * x_t + math.sqrt(alpha_bar_s) / r * x_0) / (a * a / s + 1 / r)


@equation(
    "POST-7/product",
    title="posterior mean, evidence times variance",
    formula=posterior.mean_from_var,
    latex=r"\hat\mu_{t-1} = \big(\tfrac{\sqrt{\alpha_t}}{\beta_t}x_t+\tfrac{\sqrt{\bar\alpha_{t-1}}}{1-\bar"
    r"\alpha_{t-1}}x_0\big)"
    r"\tfrac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t",
    sources=_MEAN_SOURCES,
    evidence="algebra",
    how="least squares: what x_t and x_0 say about x_s, each divided by its std",
    given=steps(),
    tolerance=1e-12,
)
def evidence_times_variance_is_least_squares(mean_from_var, x_t, x_0, alpha_t, alpha_bar_s):
    step = (x_t, x_0, alpha_t, alpha_bar_s)
    return mean_from_var(*step), *_fit_and_scale(*step)


@mutant("beta-lost", of="POST-7/product", why="the factor beta_t after the fraction left out")
def evidence_without_beta(x_t, x_0, alpha_t, alpha_bar_s):
    return posterior.mean_from_var(x_t, x_0, alpha_t, alpha_bar_s) / (1 - alpha_t)


@equation(
    "POST-7/weights",
    title="posterior mean, the two weights",
    formula=posterior.mean_coefficients,
    latex=r"\hat\mu_{t-1} = \tfrac{\sqrt{\alpha_t}(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}x_t"
    r"+\tfrac{\sqrt{\bar\alpha_{t-1}}\beta_t}{1-\bar\alpha_t}x_0",
    sources=_MEAN_SOURCES,
    evidence="algebra",
    how="conditioning twice: on x_t with the prior of x_0, and on x_0 with the prior of x_t",
    given=dict(alpha_t=alphas(), alpha_bar_s=levels()),
    tolerance=1e-12,
)
def weights_are_gains(mean_coefficients, alpha_t, alpha_bar_s):
    return np.array(mean_coefficients(alpha_t, alpha_bar_s)), gains(alpha_t, alpha_bar_s)


@mutant("sum-to-one", of="POST-7/weights", why="weights made to sum to one, like those of an average")
def weights_that_sum_to_one(alpha_t, alpha_bar_s):
    of_x_t = posterior.mean_coefficients(alpha_t, alpha_bar_s)[0]
    return of_x_t, 1 - of_x_t


# ---- POST-8
@equation(
    "POST-8",
    title="posterior mean by the noise",
    formula=posterior.mean_from_eps,
    latex=r"\hat\mu_{t-1} = \tfrac1{\sqrt{\alpha_t}}\Big(x_t-\tfrac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}"
    r"\epsilon\Big)",
    sources=[HO_2020("eq. 11"), SJTU("slides 19 and 23")],
    evidence="algebra",
    how="Schur complement of the joint Gaussian of (x_s, x_t) given x_0, with x_t made from x_0 and eps",
    given=rungs(
        lambda d: together(x_0=points(d), eps=points(d), alpha_t=alphas(), alpha_bar_s=levels()), 1, 2, 5
    ),
    tolerance=1e-12,
)
def mean_by_noise_is_conditioning(mean_from_eps, x_0, eps, alpha_t, alpha_bar_s):
    a, var_s = math.sqrt(alpha_t), 1 - alpha_bar_s
    std_t = math.sqrt(a * a * var_s + (1 - alpha_t))
    x_t = a * math.sqrt(alpha_bar_s) * x_0 + std_t * eps
    mean, _ = conditioned(x_t, x_0, alpha_t, alpha_bar_s)
    scale = (np.abs(x_t) + (1 - alpha_t) / std_t * np.abs(eps)) / a + np.abs(x_0)
    return mean_from_eps(x_t, eps, alpha_t, alpha_bar_s), mean, scale


@misprint(
    "ERR-22",
    of="POST-8",
    printed=r"\frac1{\sqrt{\bar\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\epsilon\Big)",
    correct=r"\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\epsilon\Big)",
    source=SJTU("slide 22"),
    why="one step is undone, so the signal of one step is divided out, alpha_t, and not that of all t steps; "
    "sampling with the printed mean multiplies x by 1/sqrt(alpha_bar_t) at every step",
)
def mean_over_total_signal(x_t, eps, alpha_t, alpha_bar_s):
    alpha_bar_t = alpha_t * alpha_bar_s
    return (x_t - (1 - alpha_t) / math.sqrt(1 - alpha_bar_t) * eps) / math.sqrt(alpha_bar_t)


@mutant("variance", of="POST-8", why="1 - alpha_bar_t without its root under the noise")
def mean_with_variance_for_std(x_t, eps, alpha_t, alpha_bar_s):
    return (x_t - (1 - alpha_t) / (1 - alpha_t * alpha_bar_s) * eps) / math.sqrt(alpha_t)


# ---- POST-9
@equation(
    "POST-9",
    title="clean data from x_t and its noise",
    formula=parametrisation.x_0_from_eps,
    latex=r"x_0 = \tfrac1{\sqrt{\bar\alpha_t}}(x_t-\sqrt{1-\bar\alpha_t}\,\epsilon)",
    sources=[KIM("'Diffusion Model', three interpretations"), SJTU("slide 19")],
    evidence="algebra",
    how="x_0 itself, carried through all steps with the noise merged on the way",
    given=[
        together(x_0=points(1), noise=points(1), beta=schedule.map(lambda drawn: drawn["beta"]))
        for schedule in schedules()
    ],
    tolerance=1e-12,
)
def noise_taken_out_gives_clean_data(x_0_from_eps, x_0, noise, beta):
    x_t, merged, signal, var = x_0, 0 * noise, 1.0, 0.0
    for b in beta.tolist():
        a = math.sqrt(1 - b)
        x_t, merged = a * x_t + math.sqrt(b) * noise, a * merged + math.sqrt(b) * noise
        signal, var = a * signal, a * a * var + b
    std = math.sqrt(var)
    scale = (np.abs(x_t) + np.abs(merged)) / signal
    return x_0_from_eps(x_t, merged / std, signal, std), x_0, scale


@mutant("variance", of="POST-9", why="1 - alpha_bar_t without its root before the noise")
def clean_data_with_variance(x_t, eps, signal, std):
    return parametrisation.x_0_from_eps(x_t, eps, signal, std**2)


@mutant("signal-squared", of="POST-9", why="divided by alpha_bar_t without its root")
def clean_data_over_alpha_bar(x_t, eps, signal, std):
    return parametrisation.x_0_from_eps(x_t, eps, signal, std) / signal


@equation(
    "POST-9/error",
    title="an error in the noise grows by std / signal",
    formula=parametrisation.x_0_from_eps,
    latex=r"\Delta x_0 = -\sqrt{\tfrac{1-\bar\alpha_t}{\bar\alpha_t}}\,\Delta\epsilon",
    sources=[SJTU("slide 19")],
    evidence="algebra",
    how="x_t is the same, so the signal makes up for the noise; std / signal = sqrt(exp(-log alpha_bar) - 1)",
    given=rungs(
        lambda d: together(x_t=points(d), eps=points(d), error=points(d), alpha_bar_t=levels()), 1, 2
    ),
    tolerance=1e-12,
)
def error_in_noise_is_amplified(x_0_from_eps, x_t, eps, error, alpha_bar_t):
    signal, std = math.sqrt(alpha_bar_t), math.sqrt(1 - alpha_bar_t)
    claimed = x_0_from_eps(x_t, eps + error, signal, std) - x_0_from_eps(x_t, eps, signal, std)
    scale = (np.abs(x_t) + np.abs(eps) + np.abs(error)) / signal
    return claimed, -math.sqrt(math.expm1(-math.log(alpha_bar_t))) * error, scale


@mutant(
    "kept-small", of="POST-9/error", why="the signal kept above 0.3 so that errors stay small: no longer x_0"
)
def clean_data_kept_small(x_t, eps, signal, std):
    return parametrisation.x_0_from_eps(x_t, eps, max(signal, 0.3), std)


# ---- POST-14
@equation(
    "POST-14",
    title="posterior mean by the conditional score",
    formula=posterior.mean_from_score,
    latex=r"\mu_q = \tfrac1{\sqrt{\alpha_t}}x_t+\tfrac{1-\alpha_t}{\sqrt{\alpha_t}}\nabla_{x_t}\log q(x_t"
    r"\mid x_0)",
    sources=[LUO_2022("the score-based interpretation"), KIM("'Diffusion Model', the score objective")],
    evidence="algebra",
    how="Schur complement of the joint Gaussian of (x_s, x_t) given x_0",
    given=steps(),
    tolerance=1e-12,
)
def mean_by_score_is_conditioning(mean_from_score, x_t, x_0, alpha_t, alpha_bar_s):
    a, beta_t = math.sqrt(alpha_t), 1 - alpha_t
    var_t = a * a * (1 - alpha_bar_s) + beta_t
    score = -(x_t - a * math.sqrt(alpha_bar_s) * x_0) / var_t
    mean, _ = conditioned(x_t, x_0, alpha_t, alpha_bar_s)
    scale = (np.abs(x_t) + beta_t / var_t * (np.abs(x_t) + np.abs(x_0))) / a + np.abs(x_0)
    return mean_from_score(x_t, score, alpha_t), mean, scale


@mutant("sign", of="POST-14", why="the score subtracted")
def mean_by_minus_score(x_t, score, alpha_t):
    return posterior.mean_from_score(x_t, -score, alpha_t)


@mutant("noise-step", of="POST-14", why="sqrt(beta_t) for beta_t before the score")
def mean_with_noise_step(x_t, score, alpha_t):
    return (x_t + math.sqrt(1 - alpha_t) * score) / math.sqrt(alpha_t)
