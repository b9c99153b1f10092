"""Cards of one reverse step of DDPM: its law, its two forms, its exact mean (DDPM-2/line, DDPM-5, DDPM-6)."""

from __future__ import annotations

import numpy as np

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, levels, points, positives, reals, rungs, together
from refgen.derivations import line
from refgen.formulas import posterior
from refgen.samplers import ancestral
from refgen.sources import EFRON_2011, HO_2020, KIM, SJTU

ALGORITHM = SJTU("slide 23, Algorithm 2")


@equation(
    "DDPM-2/line",
    title="the step as the posterior mean is Algorithm 2's line",
    formula=ancestral.reverse_step,
    latex=r"\tilde\mu_t(x_t,\hat x_0)+\sigma_tz=\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{1-\alpha_t}"
    r"{\sqrt{1-\bar\alpha_t}}\hat\epsilon\Big)+\sigma_tz",
    sources=[HO_2020("algorithm 2, eqs. 7 and 11"), ALGORITHM],
    evidence="algebra",
    how="the line written out, with the noise that makes x_t out of x_0",
    given=rungs(
        lambda d: together(
            x_0=points(d), eps=points(d), z=points(d), alpha_t=alphas(), alpha_bar_s=levels(), std=reals(0, 2)
        ),
        1,
        2,
        5,
    ),
    tolerance=1e-12,
)
def step_is_the_line(step, x_0, eps, z, alpha_t, alpha_bar_s, std):
    signal, rest = np.sqrt(alpha_t * alpha_bar_s), alpha_t * (1 - alpha_bar_s) + (1 - alpha_t)
    x_t = signal * x_0 + np.sqrt(rest) * eps
    written = (x_t - (1 - alpha_t) / np.sqrt(rest) * eps) / np.sqrt(alpha_t) + std * z
    scale = (signal * abs(x_0) + np.sqrt(rest) * abs(eps)) / np.sqrt(alpha_t) + abs(x_0) + std * abs(z)
    return step(x_t, x_0, z, alpha_t, alpha_bar_s, std**2), written, scale


@mutant(
    "alpha-bar", of="DDPM-2/line", why="alpha_bar_s where alpha_bar_t belongs: the weights add up to too much"
)
def step_with_levels_swapped(x_t, x_0, z, alpha_t, alpha_bar_s, var):
    root = float(np.sqrt(alpha_t))
    pulled = root * (1 - alpha_bar_s) * x_t + float(np.sqrt(alpha_bar_s)) * (1 - alpha_t) * x_0
    return pulled / (1 - alpha_bar_s) + float(np.sqrt(var)) * z


@equation(
    "DDPM-5",
    title="one step draws from the model's Gaussian",
    formula=ancestral.reverse_step,
    latex=r"x_{t-1}=\mu_\theta+\hat\sigma_{t-1}z\sim N(\mu_\theta,\hat\sigma_{t-1}^2I)"
    r"=p_\theta(x_{t-1}\mid x_t)",
    sources=[HO_2020("section 3.2"), SJTU("slide 23"), KIM("'Diffusion Model', the KL of one step")],
    evidence="algebra",
    how="the step is affine in z: its mean and covariance are read off and compared with N(mu, sigma^2 I)",
    given=rungs(
        lambda d: together(
            x_t=points(d), x_0=points(d), alpha_t=alphas(), alpha_bar_s=levels(), var=positives(0.01, 4.0)
        ),
        1,
        2,
        3,
    ),
    tolerance=1e-12,
)
def step_has_that_law(step, x_t, x_0, alpha_t, alpha_bar_s, var):
    d = len(x_t)
    z = np.concatenate([np.zeros((1, d)), np.eye(d)])
    out = step(np.stack([x_t] * (d + 1)), np.stack([x_0] * (d + 1)), z, alpha_t, alpha_bar_s, var)
    columns = (out[1:] - out[0]).T
    towards_t, towards_0 = alpha_t / (1 - alpha_t), 1 / (1 - alpha_bar_s)
    mean = (towards_t * x_t / np.sqrt(alpha_t) + towards_0 * np.sqrt(alpha_bar_s) * x_0) / (
        towards_t + towards_0
    )
    size = np.sum(abs(x_t)) / np.sqrt(alpha_t) + np.sum(abs(x_0)) + 1
    claimed = np.concatenate([out[0], (columns @ columns.T).ravel()])
    scale = np.concatenate([np.full(d, size), np.full(d * d, var + np.sqrt(var) * size)])
    return claimed, np.concatenate([mean, (var * np.eye(d)).ravel()]), scale


@misprint(
    "ERR-25",
    of="DDPM-5",
    printed=r"\hat\sigma_{t-1}=\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t",
    correct=r"\hat\sigma_{t-1}^2=\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t",
    source=SJTU("slide 23; slide 19 has it right"),
    why="the variance multiplied with z in the place of the standard deviation",
)
def step_with_variance_times_noise(x_t, x_0, z, alpha_t, alpha_bar_s, var):
    return ancestral.reverse_step(x_t, x_0, z, alpha_t, alpha_bar_s, var**2)


@equation(
    "DDPM-6",
    title="the step's mean is exact for any beta",
    formula=posterior.mean_from_score,
    latex=r"E[x_{t-1}\mid x_t]=\frac{x_t+(1-\alpha_t)\nabla\log q_t(x_t)}{\sqrt{\alpha_t}}",
    sources=[EFRON_2011(), KIM("'Diffusion Model', Tweedie's formula"), ALGORITHM],
    evidence="quadrature",
    how="a sum over x_s, weighted by Bayes' rule; the score by differentiating the exact log-density at t",
    given=line.lines(x_t=reals(), alpha_t=alphas(1e-3, 0.9), alpha_bar_s=levels(4.0)),
    tolerance=1e-10,
    examples=50,
)
def step_mean_is_an_integral(mean_from_score, law, x_t, alpha_t, alpha_bar_s):
    law_s = line.noisy(law, np.sqrt(alpha_bar_s), np.sqrt(1 - alpha_bar_s))
    root, std = np.sqrt(alpha_t), np.sqrt(1 - alpha_t)
    x_s, mass = line.posterior(x_t, law_s, root, std)
    point = np.array([x_t])
    score = line.score(point, line.noisy(law_s, root, std))
    return mean_from_score(point, score, alpha_t)[0], mass @ x_s, mass @ abs(x_s)


@mutant(
    "first-order",
    of="DDPM-6",
    why="x / sqrt(alpha) + beta / alpha times the score: right to first order in beta",
)
def mean_to_first_order(x_t, score, alpha_t):
    return x_t / float(np.sqrt(alpha_t)) + (1 - alpha_t) / alpha_t * score


@mutant(
    "unscaled", of="DDPM-6", why="the score's part not divided by sqrt(alpha): the bracket closed too early"
)
def mean_with_bracket_closed_early(x_t, score, alpha_t):
    return x_t / float(np.sqrt(alpha_t)) + (1 - alpha_t) * score
