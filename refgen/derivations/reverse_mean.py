"""Cards of the mean of a reverse step in three forms: by data, by noise, by score (PAR-1 to PAR-3)."""

from __future__ import annotations

import numpy as np
from autograd import elementwise_grad

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import alphas, levels, points, rungs, steps, together
from refgen.formulas import posterior
from refgen.sources import HO_2020, KIM, LUO_2022, SJTU

ASPECTS = KIM("'Diffusion Model', the three aspects of training")
CONVERSIONS = LUO_2022("'Three Equivalent Interpretations'")


def noised_steps(log_snr=20.0, **more):
    """Clean data and the noise that is added to them up to step t, in 1 to 5 dimensions."""
    level = dict(alpha_t=alphas(), alpha_bar_s=levels(log_snr))
    return rungs(lambda d: together(x_0=points(d), eps=points(d), **level, **more), 1, 2, 5)


def level(alpha_t, alpha_bar_s):
    """(signal, std) at step t; the variance by the recursion of the chain."""
    return float(np.sqrt(alpha_t * alpha_bar_s)), float(np.sqrt(alpha_t * (1 - alpha_bar_s) + (1 - alpha_t)))


def reverse_mean(x_t, x_0, alpha_t, alpha_bar_s):
    """Mean of x_s given x_t and x_0: the average of what the two say, weighted by their precisions."""
    towards_t, towards_0 = alpha_t / (1 - alpha_t), 1 / (1 - alpha_bar_s)
    total = towards_t * x_t / np.sqrt(alpha_t) + towards_0 * np.sqrt(alpha_bar_s) * x_0
    return total / (towards_t + towards_0)


def conditional_score(x_t, x_0, signal, std):
    """The gradient of log q(x_t | x_0) in x_t."""
    return elementwise_grad(lambda x: -0.5 * ((x - signal * x_0) / std) ** 2)(x_t)


@equation(
    "PAR-1",
    title="mean of the reverse step, by predicted data",
    formula=posterior.posterior_mean,
    latex=r"\mu_\theta=\frac{\sqrt{\alpha_t}(1-\bar\alpha_{t-1})x_t"
    r"+\sqrt{\bar\alpha_{t-1}}(1-\alpha_t)\hat x_0}{1-\bar\alpha_t}",
    sources=[KIM("'Diffusion Model', the KL of one step"), HO_2020("eq. 7"), LUO_2022("eq. 84")],
    evidence="autodiff",
    how="a Newton step on log q(x_t|x_s) + log q(x_s|x_0), quadratic in x_s, finds the most likely x_s",
    given=steps(),
    tolerance=1e-12,
)
def mean_by_data_is_the_mode(posterior_mean, x_t, x_0, alpha_t, alpha_bar_s):
    def log_joint(x_s):
        to_t = (x_t - np.sqrt(alpha_t) * x_s) ** 2 / (1 - alpha_t)
        to_0 = (x_s - np.sqrt(alpha_bar_s) * x_0) ** 2 / (1 - alpha_bar_s)
        return -0.5 * (to_t + to_0)

    slope, start = elementwise_grad(log_joint), np.zeros_like(x_t)
    mode = -slope(start) / elementwise_grad(slope)(start)
    return posterior_mean(x_t, x_0, alpha_t, alpha_bar_s), mode, abs(x_0) + abs(x_t) / np.sqrt(alpha_t)


@mutant("level", of="PAR-1", why="sqrt(alpha_bar_t) for sqrt(alpha_bar_s): data scaled to the level of x_t")
def mean_by_data_at_the_wrong_level(x_t, x_0, alpha_t, alpha_bar_s):
    return posterior.posterior_mean(x_t, float(np.sqrt(alpha_t)) * x_0, alpha_t, alpha_bar_s)


@equation(
    "PAR-2",
    title="mean of the reverse step, by predicted noise",
    formula=posterior.mean_from_eps,
    latex=r"\mu_\theta=\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\,\hat\epsilon\Big)",
    sources=[HO_2020("eq. 11"), SJTU("slides 22 and 23")],
    evidence="algebra",
    how="Bayes' rule adds precisions: the mean given x_t and the data it was made of",
    given=noised_steps(),
    tolerance=1e-12,
)
def mean_by_noise_is_that_by_data(mean_from_eps, x_0, eps, alpha_t, alpha_bar_s):
    signal, std = level(alpha_t, alpha_bar_s)
    x_t = signal * x_0 + std * eps
    scale = (signal * abs(x_0) + std * abs(eps)) / np.sqrt(alpha_t)
    return mean_from_eps(x_t, eps, alpha_t, alpha_bar_s), reverse_mean(x_t, x_0, alpha_t, alpha_bar_s), scale


@misprint(
    "ERR-22",
    of="PAR-2",
    printed=r"\mu_\theta=\frac1{\sqrt{\bar\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\epsilon_\theta\Big)",
    correct=r"\mu_\theta=\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{1-\alpha_t}{\sqrt{1-\bar\alpha_t}}\epsilon_\theta\Big)",
    source=SJTU("slide 22; slides 19 and 23 have it right"),
    why="one reverse step undoes the scaling of one forward step, not of all t",
)
def mean_by_noise_divided_by_all_signal(x_t, eps, alpha_t, alpha_bar_s):
    signal, std = level(alpha_t, alpha_bar_s)
    return (x_t - (1 - alpha_t) / std * eps) / signal


@mutant("variance", of="PAR-2", why="the noise divided by the variance 1 - alpha_bar_t instead of its root")
def mean_by_noise_over_variance(x_t, eps, alpha_t, alpha_bar_s):
    _, std = level(alpha_t, alpha_bar_s)
    return (x_t - (1 - alpha_t) / std**2 * eps) / float(np.sqrt(alpha_t))


@equation(
    "PAR-3",
    title="mean of the reverse step, by the predicted score",
    formula=posterior.mean_from_score,
    latex=r"\mu_\theta=\frac1{\sqrt{\alpha_t}}\big(x_t+(1-\alpha_t)\,s_\theta(x_t,t)\big)",
    sources=[ASPECTS, CONVERSIONS],
    evidence="autodiff",
    how="the mean by data, adding precisions; the score by differentiating log q(x_t|x_0)",
    given=noised_steps(),
    tolerance=1e-12,
)
def mean_by_score_is_that_by_data(mean_from_score, x_0, eps, alpha_t, alpha_bar_s):
    signal, std = level(alpha_t, alpha_bar_s)
    x_t = signal * x_0 + std * eps
    size = signal * abs(x_0) + std * abs(eps)
    scale = (size + (1 - alpha_t) / std**2 * size) / np.sqrt(alpha_t)
    claimed = mean_from_score(x_t, conditional_score(x_t, x_0, signal, std), alpha_t)
    return claimed, reverse_mean(x_t, x_0, alpha_t, alpha_bar_s), scale


@mutant("sign", of="PAR-3", why="minus (1 - alpha_t) s, as it stands before the noise: away from the data")
def mean_by_score_downhill(x_t, score, alpha_t):
    return (x_t - (1 - alpha_t) * score) / float(np.sqrt(alpha_t))
