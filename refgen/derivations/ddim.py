"""Cards of DDIM: a step of the probability-flow ODE, and the posterior of DDPM (SDE-12)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.formulas import ddim
from refgen.sources import FIELD, SJTU, SONG_MENG_2021

CITED = SJTU("the table of faster samplers: DDIM")


def _on_a_line(first, step, bend, total):
    """Two levels with signal^2 + bend std^2 = total: of unit power, of signal 1, or neither."""

    def level(log_snr):
        ratio = math.exp(log_snr)
        return math.sqrt(total * ratio / (ratio + bend)), math.sqrt(total / (ratio + bend))

    return level(first), level(first + step)


def two_levels(reach=6.0):
    """The levels of a step, the noisier first: at unit power, at signal 1, and in other units."""
    lines = st.one_of(
        st.sampled_from([(1.0, 1.0), (0.0, 1.0)]), st.tuples(positives(0.1, 10), positives(0.1, 10))
    )
    return st.builds(
        lambda first, step, line: _on_a_line(first, step, *line),
        reals(-reach, reach),
        positives(0.05, reach),
        lines,
    )


def a_step(*sizes, **more):
    """Rungs: points x_t and x_0 and the levels of a step."""
    return rungs(
        lambda d: together(x_t=points(d), x_0=points(d), levels=two_levels(), **more), *(sizes or (1, 2, 5))
    )


def posterior(level_t, level_s):
    """Precisions of x_s, from x_t and from x_0, which add up; and the share of its signal that x_t has."""
    ratio = level_t[0] / level_s[0]
    return ratio**2 / (level_t[1] ** 2 - (ratio * level_s[1]) ** 2), 1 / level_s[1] ** 2, ratio


@equation(
    "SDE-12/flow",
    title="DDIM solves the flow of an x_0 that stays",
    formula=ddim.ddim_mean,
    latex=r"x_s=\mathrm{signal}_s\hat x_0+\mathrm{std}_s\hat\epsilon\quad\text{solves}\quad "
    r"dx=\big[f x-\tfrac12g^2\,\tfrac{\mathrm{signal}\,\hat x_0-x}{\mathrm{std}^2}\big]dt",
    sources=[SONG_MENG_2021("eqs. 12 and 14"), CITED],
    evidence="quadrature",
    how="the probability-flow ODE solved by a Runge-Kutta method, x_0 held fixed, along other levels between",
    given=a_step(1, 2),
    tolerance=1e-8,
    examples=30,
)
def step_solves_the_flow(ddim_mean, x_t, x_0, levels):
    (a, b), (c, d) = levels
    f, grows = math.log(c / a), math.log(d / b)  # of signal and std, both geometric on the way

    def velocity(u, x):
        signal, var = a * math.exp(f * u), (b * math.exp(grows * u)) ** 2
        g2 = 2 * grows * var - 2 * f * var
        return f * x - g2 / 2 * (signal * x_0 - x) / var

    solved = solve_ivp(velocity, (0, 1), x_t, method="DOP853", rtol=1e-11, atol=1e-11).y[:, -1]
    return ddim_mean(x_t, x_0, *levels), solved, abs(x_t) * (1 + c / a) + abs(x_0) * c + 1e-3


@mutant("alpha-bar", of="SDE-12/flow", why="alpha_bar where its root, the signal, belongs: one name for both")
def step_with_squares(x_t, x_0, level_t, level_s, eta=0.0):
    eps = (x_t - level_t[0] * x_0) / level_t[1]
    return level_s[0] ** 2 * x_0 + level_s[1] ** 2 * eps


@mutant("level", of="SDE-12/flow", why="the noise of the level it comes from kept at the one it goes to")
def step_with_noise_of_t(x_t, x_0, level_t, level_s, eta=0.0):
    return level_s[0] * x_0 + x_t - level_t[0] * x_0


@equation(
    "SDE-12/posterior",
    title="at eta = 1 it has the mean of q(x_s | x_t, x_0), from any level to any",
    formula=ddim.ddim_mean,
    latex=r"\eta=1:\quad\mathrm{signal}_s\hat x_0+\sqrt{\mathrm{std}_s^2-\sigma^2}\,\hat\epsilon"
    r"=\tilde\mu(x_t,\hat x_0)",
    sources=[SONG_MENG_2021("section 4.1")],
    evidence="algebra",
    how="conditioning x_s on x_t and x_0, precisions adding",
    given=a_step(),
    tolerance=1e-11,
)
def mean_is_that_of_the_posterior(ddim_mean, x_t, x_0, levels):
    level_t, level_s = levels
    of_t, of_0, ratio = posterior(*levels)
    derived = (of_t / ratio * x_t + of_0 * level_s[0] * x_0) / (of_t + of_0)
    scale = (of_t / ratio * abs(x_t) + of_0 * level_s[0] * abs(x_0)) / (of_t + of_0) + 1e-3 * level_s[1]
    return ddim_mean(x_t, x_0, level_t, level_s, 1.0), derived, scale


@mutant("whole", of="SDE-12/posterior", why="the noise that is added afresh not taken off the noise carried")
def mean_of_all_noise(x_t, x_0, level_t, level_s, eta=0.0):
    return ddim.ddim_mean(x_t, x_0, level_t, level_s, 0.0)


@equation(
    "SDE-12/variance",
    title="its fresh noise is eta^2 of the posterior variance",
    formula=ddim.ddim_var,
    latex=r"\sigma^2=\eta^2\,\mathrm{std}_s^2\Big(1-\frac{\mathrm{SNR}_t}{\mathrm{SNR}_s}\Big)"
    r"=\eta^2\,\mathrm{Var}[x_s\mid x_t,x_0]\quad(\eta=1:\ \tilde\beta_t)",
    sources=[SONG_MENG_2021("eq. 16"), FIELD("a grid's step recomputed from its times")],
    evidence="algebra",
    how="conditioning x_s on x_t and x_0, precisions adding",
    given=dict(levels=two_levels(), eta=reals(0, 1)),
    tolerance=1e-11,
    tolerance32=None,  # no arrays go in
)
def variance_is_that_of_the_posterior(ddim_var, levels, eta):
    of_t, of_0, _ = posterior(*levels)
    return ddim_var(*levels, eta), eta**2 / (of_t + of_0), eta**2 * levels[1][1] ** 2


@mutant("std", of="SDE-12/variance", why="eta for eta^2: a standard deviation's factor on a variance")
def variance_with_eta(level_t, level_s, eta=1.0):
    return eta * ddim.ddim_var(level_t, level_s, 1.0)


@mutant("beta", of="SDE-12/variance", why="beta, the variance of the forward step, for the posterior's")
def variance_of_the_forward_step(level_t, level_s, eta=1.0):
    return eta**2 * (level_t[1] ** 2 - (level_t[0] / level_s[0] * level_s[1]) ** 2)


@equation(
    "SDE-12/marginals",
    title="whatever eta, x_s given x_0 has its law",
    formula=ddim.ddim_mean,
    latex=r"x_t\sim N(\mathrm{signal}_tx_0,\mathrm{std}_t^2)\ \Rightarrow\ "
    r"x_s\sim N(\mathrm{signal}_sx_0,\mathrm{std}_s^2)\quad\text{for every }\eta",
    sources=[SONG_MENG_2021("lemma 1")],
    evidence="algebra",
    how="the mean and the variance of the step's output, with fresh noise of eta^2 of the posterior variance",
    given=dict(x_0=points(1), levels=two_levels(), eta=reals(0, 1)),
    tolerance=1e-10,
)
def law_is_kept(ddim_mean, x_0, levels, eta):
    level_t, level_s = levels
    of_t, of_0, _ = posterior(*levels)
    at_mean = level_t[0] * x_0
    mean = ddim_mean(at_mean, x_0, level_t, level_s, eta)
    moved = ddim_mean(at_mean + level_t[1], x_0, level_t, level_s, eta) - mean
    claimed = np.concatenate([mean, moved**2 + eta**2 / (of_t + of_0)])
    derived = np.concatenate([level_s[0] * x_0, [level_s[1] ** 2]])
    scale = np.concatenate([level_s[0] * abs(x_0) + level_s[1], (level_s[1] + level_s[0] * abs(x_0)) ** 2])
    return claimed, derived, scale


@mutant("whole", of="SDE-12/marginals", why="fresh noise on top of all the noise carried: too wide a law")
def mean_with_all_noise(x_t, x_0, level_t, level_s, eta=0.0):
    return ddim.ddim_mean(x_t, x_0, level_t, level_s, 0.0)


@mutant("root", of="SDE-12/marginals", why="std_s - sigma for sqrt(std_s^2 - sigma^2): stds do not add")
def mean_with_stds_subtracted(x_t, x_0, level_t, level_s, eta=0.0):
    carried = level_s[1] - math.sqrt(ddim.ddim_var(level_t, level_s, eta))
    return level_s[0] * x_0 + carried * (x_t - level_t[0] * x_0) / level_t[1]


@equation(
    "SDE-12/clean",
    title="the last step, to std = 0, ends at x_0 exactly",
    formula=ddim.ddim_mean,
    latex=r"\mathrm{signal}_s=1,\ \mathrm{std}_s=0\ \Rightarrow\ x_s=\hat x_0",
    sources=[SONG_MENG_2021("eq. 12"), FIELD("what alpha_bar is before the first step")],
    evidence="algebra",
    how="x_0 itself, to the last bit",
    given=[
        together(
            x_t=points(d), x_0=points(d), level_t=two_levels(20.0).map(lambda two: two[0]), eta=reals(0, 1)
        )
        for d in (1, 2)
    ],
    tolerance=0.0,
    relative=False,
    reject_at=1e-6,
    tolerance32=1e-6,
)
def last_step_is_the_prediction(ddim_mean, x_t, x_0, level_t, eta):
    return ddim_mean(x_t, x_0, level_t, (1.0, 0.0), eta), x_0


@mutant(
    "first", of="SDE-12/clean", why="alpha_bar before the first step taken for that of the first: no step"
)
def last_step_to_the_first_level(x_t, x_0, level_t, level_s, eta=0.0):
    return ddim.ddim_mean(x_t, x_0, level_t, level_t if level_s[1] == 0 else level_s, eta)
