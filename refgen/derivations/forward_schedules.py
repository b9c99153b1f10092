"""Cards of schedules: alpha, beta and their cumulative product (FWD-3, FWD-6)."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy.integrate import quad

from refgen import schedules as noise
from refgen.cards import equation, mutant
from refgen.cards.strategies import positives, reals, schedules
from refgen.formulas import forward
from refgen.sources import HO_2020, NICHOL_2021, SJTU


# ---- FWD-3
@equation(
    "FWD-3",
    title="alpha_t = 1 - beta_t; along the usual schedules beta grows and alpha falls",
    formula=noise.named,
    latex=r"\alpha_t = 1-\beta_t,\quad \beta_1<\dots<\beta_T,\quad \alpha_1>\dots>\alpha_T",
    sources=[SJTU("slide 14"), HO_2020("section 4")],
    evidence="algebra",
    how="the betas of the linear, cosine, quadratic and sigmoid schedules, one by one",
    cases=[
        dict(name=name, T=T) for name in ("linear", "cosine", "quadratic", "sigmoid") for T in (50, 100, 1000)
    ],
    kind="claim",
    tolerance32=None,
)
def betas_grow_along_the_usual_schedules(named, name, T):
    schedule = named(name, T)
    beta, alpha = schedule.beta[1:], schedule.alpha[1:]
    claimed = [
        bool(np.max(abs(alpha + beta - 1)) < 1e-15),
        bool(np.all(np.diff(beta) > 0)),
        bool(np.all(np.diff(alpha) < 0)),
    ]
    return claimed, [True, True, True]


@mutant("root", of="FWD-3", why="sqrt(1 - beta), the factor of the signal, called alpha")
def named_with_root(name, T):
    schedule = noise.named(name, T)
    return SimpleNamespace(beta=schedule.beta, alpha=np.sqrt(schedule.alpha))


@mutant("descending", of="FWD-3", why="levels listed from the noisiest down, as in annealed Langevin papers")
def named_descending(name, T):
    schedule = noise.named(name, T)
    beta = np.append(0.0, schedule.beta[:0:-1])
    return SimpleNamespace(beta=beta, alpha=1 - beta)


# ---- FWD-6
@equation(
    "FWD-6",
    title="alpha_bar is the product of the alphas up to t, t included",
    formula=forward.alpha_bar,
    latex=r"\bar\alpha_t = \prod_{i=1}^t\alpha_i",
    sources=[HO_2020("section 2"), SJTU("slides 15 and 23")],
    evidence="algebra",
    how="the product, factor by factor, in extended precision",
    given=schedules(1),
    tolerance=1e-13,
)
def alpha_bar_is_the_product(alpha_bar, beta):
    product, derived = np.longdouble(1), []
    for b in beta:
        product = product * (1 - np.longdouble(b))
        derived.append(float(product))
    return alpha_bar(beta), np.array(derived)


@mutant(
    "one-step-early", of="FWD-6", why="the product up to t - 1: a list that starts at clean data, read at t"
)
def alpha_bar_one_step_early(beta):
    return np.append(np.ones_like(beta[:1]), forward.alpha_bar(beta)[:-1])


@mutant(
    "small-betas", of="FWD-6", why="exp(-sum of betas), which is the product for infinitely small steps only"
)
def alpha_bar_for_small_betas(beta):
    return np.exp(-np.cumsum(beta))


@equation(
    "FWD-6/decreasing",
    title="alpha_bar falls at every step",
    formula=forward.alpha_bar,
    latex=r"1 > \bar\alpha_1 > \dots > \bar\alpha_T > 0",
    sources=[SJTU("slide 15")],
    evidence="algebra",
    how="every factor is below one: the number of steps at which alpha_bar does not fall is zero",
    given=schedules(1),
    kind="claim",
)
def alpha_bar_falls(alpha_bar, beta):
    return int(np.sum(np.diff(alpha_bar(beta), prepend=1.0, append=0.0) >= 0)), 0


@mutant(
    "of-betas",
    of="FWD-6/decreasing",
    why="the product of the betas' complements taken the wrong way: of 1 + beta",
)
def alpha_bar_of_one_plus_beta(beta):
    return np.cumprod(1 + beta)


@equation(
    "FWD-6/clean",
    title="before the first step alpha_bar is one",
    formula=noise.from_beta,
    latex=r"\bar\alpha_0 = 1,\quad \bar\alpha_t/\bar\alpha_{t-1} = 1-\beta_t,\ t = 1..T",
    sources=[SJTU("slide 15")],
    evidence="algebra",
    how="ratios of neighbours along a schedule with T + 1 entries, the first of them clean data",
    given=schedules(1, 4),
    tolerance=1e-12,
    tolerance32=None,
)
def ratios_of_alpha_bar_are_alphas(from_beta, beta):
    alpha_bar = from_beta(beta).alpha_bar
    return np.append(alpha_bar[0], alpha_bar[1:] / alpha_bar[:-1]), np.append(1.0, 1 - beta)


@mutant(
    "first-repeated",
    of="FWD-6/clean",
    why="alpha_bar_1 in the place of alpha_bar_0: the last reverse step adds noise",
)
def from_beta_with_first_repeated(beta):
    alpha_bar = np.cumprod(1 - beta)
    return SimpleNamespace(alpha_bar=np.append(alpha_bar[:1], alpha_bar))


@equation(
    "FWD-3/cosine",
    title="beta of the cosine schedule between two times",
    formula=forward.cosine_beta,
    latex=r"\beta = 1-\frac{f(t)}{f(s)},\quad f(t)=\cos^2\Big(\frac{t+0.008}{1.008}\frac\pi2\Big)",
    sources=[NICHOL_2021("eq. 17")],
    evidence="quadrature",
    how="minus the logarithm of f(t)/f(s) is the integral of 2 tan, which loses no digits near the data",
    given=dict(s=reals(0, 0.9), share=positives(1e-4, 0.99)),
    tolerance=1e-10,
    examples=40,
)
def cosine_beta_is_an_integral(cosine_beta, s, share):
    t = s + share * (1 - s)
    ends = [(time + 0.008) / 1.008 * np.pi / 2 for time in (s, t)]
    integral, _ = quad(lambda angle: 2 * np.tan(angle), *ends, epsabs=0, epsrel=1e-12, limit=200)
    return cosine_beta(s, t), -np.expm1(-integral)


@mutant("offset", of="FWD-3/cosine", why="without the 0.008, which keeps the first steps from vanishing")
def cosine_beta_without_offset(s, t):
    return 1 - np.cos(t * np.pi / 2) ** 2 / np.cos(s * np.pi / 2) ** 2


@mutant("not-squared", of="FWD-3/cosine", why="cos for cos^2: the signal's schedule taken for alpha_bar's")
def cosine_beta_not_squared(s, t):
    return 1 - np.sqrt(1 - forward.cosine_beta(s, t))
