"""Cards of the exponential solvers: each step integrates its polynomial exactly (SDE-12)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from numpy.polynomial.legendre import leggauss

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, positives, rungs, together
from refgen.derivations.ddim import two_levels
from refgen.formulas import ddim, solvers
from refgen.sources import FIELD, LU_2022, LU_2022_MULTISTEP, SJTU, SONG_MENG_2021

CITED = SJTU("the table of faster samplers: DPM-Solver")
NODES, WEIGHTS = leggauss(40)


def half_log_snr(level):
    return math.log(level[0]) - math.log(level[1])


def before(level_t, *falls):
    """Levels before t in the chain, each noisier by so much in half the log-SNR, at the signal of t."""
    return [(level_t[0], level_t[1] * math.exp(fall)) for fall in np.cumsum(falls).tolist()]


def integral(level_t, level_s, of, sign):
    """The integral of e^(sign lambda) of(lambda) from level t to level s, by a Gauss rule."""
    low, high = half_log_snr(level_t), half_log_snr(level_s)
    at, weights = low + (high - low) * (NODES + 1) / 2, WEIGHTS * (high - low) / 2
    return sum(w * math.exp(sign * u) * of(u) for u, w in zip(at, weights, strict=True))


def by_noise(x_t, levels, eps_of):
    """x_s of the flow where the noise is that function of half the log-SNR, and the size of its terms."""
    level_t, level_s = levels
    moved = level_s[0] * integral(level_t, level_s, eps_of, -1)
    size = level_s[0] * integral(level_t, level_s, lambda u: abs(eps_of(u)), -1)
    kept = level_s[0] / level_t[0] * x_t
    return kept - moved, abs(kept) + size + 1e-3


def by_data(x_t, levels, x_0_of):
    """x_s of the flow where x_0 is that function of half the log-SNR, and the size of its terms."""
    level_t, level_s = levels
    moved = level_s[1] * integral(level_t, level_s, x_0_of, 1)
    size = level_s[1] * integral(level_t, level_s, lambda u: abs(x_0_of(u)), 1)
    kept = level_s[1] / level_t[1] * x_t
    return kept + moved, abs(kept) + size + 1e-3


@equation(
    "SDE-12/between",
    title="a level between two, by log-SNR, in their units",
    formula=solvers.level_between,
    latex=r"\log\mathrm{SNR}=(1-r)\log\mathrm{SNR}_t+r\log\mathrm{SNR}_s,\qquad"
    r"\mathrm{signal}^2+\mathrm{std}^2=1\ \text{or signal}=1\ \text{as at both}",
    sources=[LU_2022("section 3.2, the intermediate times")],
    evidence="algebra",
    how="the level with that log-SNR of all those with signal^2 + b std^2 = c, for b >= 0: 1, 0 or any",
    given=dict(
        first=st.floats(-10, 10),
        step=positives(1e-3, 10.0),
        bend=st.one_of(st.sampled_from([1.0, 0.0]), positives(0.1, 10)),
        share=st.one_of(st.sampled_from([0.5, 1 / 3, 2 / 3]), st.floats(0.01, 0.99)),
    ),
    tolerance=1e-10,
    tolerance32=None,  # no arrays go in
)
def level_lies_on_the_line(level_between, first, step, bend, share):
    def level(log_snr):
        return math.exp(log_snr / 2) / math.sqrt(math.exp(log_snr) + bend), 1 / math.sqrt(
            math.exp(log_snr) + bend
        )

    claimed = level_between(level(first), level(first + step), share)
    return np.array(claimed), np.array(level(first + share * step))


@mutant("std", of="SDE-12/between", why="the middle in std, which is not the middle in log-SNR")
def level_between_in_std(level_t, level_s, share):
    return tuple((1 - share) * t + share * s for t, s in zip(level_t, level_s, strict=True))


@equation(
    "SDE-12/first",
    title="DPM-Solver-1 is DDIM",
    formula=solvers.noise_step,
    latex=r"\frac{\mathrm{signal}_s}{\mathrm{signal}_t}x_t-\mathrm{std}_s(e^h-1)\hat\epsilon"
    r"=\mathrm{signal}_s\frac{x_t-\mathrm{std}_t\hat\epsilon}{\mathrm{signal}_t}+\mathrm{std}_s\hat\epsilon",
    sources=[LU_2022("section 4.1"), SONG_MENG_2021("eq. 12"), CITED],
    evidence="algebra",
    how="DDIM's line with eta = 0: to clean data by the noise at level t, and back by the same noise",
    given=rungs(lambda d: together(x_t=points(d), eps=points(d), levels=two_levels(20.0)), 1, 2, 5),
    tolerance=1e-12,
)
def first_order_is_ddim(noise_step, x_t, eps, levels):
    (a, b), (c, d) = levels
    derived = c * ((x_t - b * eps) / a) + d * eps
    return noise_step(x_t, eps, *levels), derived, c / a * (abs(x_t) + b * abs(eps)) + d * abs(eps)


@mutant("sign", of="SDE-12/first", why="h with the wrong sign: lambda taken to fall on the way to the data")
def noise_step_backwards(x_t, eps, level_t, level_s):
    h = half_log_snr(level_s) - half_log_snr(level_t)
    return level_s[0] / level_t[0] * x_t - level_s[1] * math.expm1(-h) * eps


@mutant("log-snr", of="SDE-12/first", why="lambda taken for the log-SNR, of which it is the half")
def noise_step_in_log_snr(x_t, eps, level_t, level_s):
    h = 2 * (half_log_snr(level_s) - half_log_snr(level_t))
    return level_s[0] / level_t[0] * x_t - level_s[1] * math.expm1(h) * eps


@equation(
    "SDE-12/line",
    title="noise along a line, integrated exactly",
    formula=solvers.noise_step_linear,
    latex=r"\frac{x_s}{\mathrm{signal}_s}=\frac{x_t}{\mathrm{signal}_t}-\int_{\lambda_t}^{\lambda_s}"
    r"e^{-\lambda}\Big(\hat\epsilon+\frac{\lambda-\lambda_t}{rh}(\hat\epsilon_r-\hat\epsilon)\Big)d\lambda",
    sources=[LU_2022("algorithm 2"), CITED],
    evidence="quadrature",
    how="the integral by a Gauss rule",
    given=rungs(
        lambda d: together(
            x_t=points(d), eps=points(d), eps_at=points(d), share=positives(0.2, 1.0), levels=two_levels()
        ),
        1,
        2,
        5,
    ),
    tolerance=1e-10,
    examples=50,
)
def line_of_noise(noise_step_linear, x_t, eps, eps_at, share, levels):
    start, reach = half_log_snr(levels[0]), share * (half_log_snr(levels[1]) - half_log_snr(levels[0]))
    derived, scale = by_noise(x_t, levels, lambda u: eps + (u - start) / reach * (eps_at - eps))
    return noise_step_linear(x_t, eps, eps_at, share, *levels), derived, scale


@mutant("share", of="SDE-12/line", why="the difference of the noises not divided by how far apart they are")
def line_to_the_end(x_t, eps, eps_at, share, level_t, level_s):
    return solvers.noise_step_linear(x_t, eps, eps_at, 1.0, level_t, level_s)


@mutant("sign", of="SDE-12/line", why="(1 - e^-h) / h - 1 for (e^h - 1) / h - 1: the sign of lambda")
def line_backwards(x_t, eps, eps_at, share, level_t, level_s):
    h = half_log_snr(level_s) - half_log_snr(level_t)
    bend = level_s[1] * (-math.expm1(-h) / h - 1)
    return solvers.noise_step(x_t, eps, level_t, level_s) - bend / share * (eps_at - eps)


def _history(count):
    return [positives(0.05, 3.0)] * count


@equation(
    "SDE-12/two",
    title="DPM-Solver++(2M): x_0 from halfway along the line",
    formula=solvers.multistep_2,
    latex=r"\frac{x_s}{\mathrm{std}_s}=\frac{x_t}{\mathrm{std}_t}+\int_{\lambda_t}^{\lambda_s}e^\lambda"
    r"\,d\lambda\,\Big(\hat x_0+\frac h{2h'}(\hat x_0-\hat x_0')\Big)",
    sources=[LU_2022_MULTISTEP("algorithm 2")],
    evidence="quadrature",
    how="the line through both predictions, half a step ahead; the integral by a Gauss rule",
    given=rungs(
        lambda d: together(
            x_t=points(d), x_0=points(d), old=points(d), fall=positives(0.05, 3.0), levels=two_levels(3.0)
        ),
        1,
        2,
        5,
    ),
    tolerance=1e-10,
    examples=50,
)
def midpoint_of_the_line(multistep_2, x_t, x_0, old, fall, levels):
    ahead = (half_log_snr(levels[1]) - half_log_snr(levels[0])) / 2
    middle = x_0 + ahead * (x_0 - old) / fall
    derived, scale = by_data(x_t, levels, lambda u: middle)
    size = levels[1][0] * ahead / fall * (abs(x_0) + abs(old))
    return multistep_2(x_t, x_0, old, *before(levels[0], fall), *levels), derived, scale + size


@mutant("ratio", of="SDE-12/two", why="h' / h for h / h': right where the steps are even")
def ratio_upside_down(x_t, x_0, x_0_before, level_before, level_t, level_s):
    ratio = (half_log_snr(level_t) - half_log_snr(level_before)) / (
        half_log_snr(level_s) - half_log_snr(level_t)
    )
    return ddim.ddim_mean(x_t, x_0 + ratio / 2 * (x_0 - x_0_before), level_t, level_s)


@equation(
    "SDE-12/three",
    title="3M: the parabola through three predictions",
    formula=solvers.multistep_3,
    latex=r"\frac{x_s}{\mathrm{std}_s}=\frac{x_t}{\mathrm{std}_t}+\int_{\lambda_t}^{\lambda_s}e^\lambda\,"
    r"p(\lambda)\,d\lambda,\qquad p(\lambda_i)=\hat x_0^{(i)},\ i=0,1,2",
    sources=[LU_2022_MULTISTEP("section 4"), FIELD("the second difference in a third-order step")],
    evidence="quadrature",
    how="Lagrange's parabola, and the integral by a Gauss rule",
    given=rungs(
        lambda d: together(
            x_t=points(d),
            predictions=st.tuples(points(d), points(d), points(d)),
            falls=st.tuples(*_history(2)),
            levels=two_levels(3.0),
        ),
        1,
        2,
        5,
    ),
    tolerance=1e-9,
    examples=50,
)
def parabola_integrated(multistep_3, x_t, predictions, falls, levels):
    at = [half_log_snr(level) for level in (levels[0], *before(levels[0], *falls))]

    def basis(u):
        return [math.prod((u - at[j]) / (at[i] - at[j]) for j in range(3) if j != i) for i in range(3)]

    derived, _ = by_data(
        x_t, levels, lambda u: sum(b * p for b, p in zip(basis(u), predictions, strict=True))
    )
    size = sum(abs(b) * abs(p) for b, p in zip(basis(half_log_snr(levels[1])), predictions, strict=True))
    near, far = before(levels[0], *falls)
    claimed = multistep_3(x_t, *predictions, far, near, *levels)
    return claimed, derived, levels[1][1] / levels[0][1] * abs(x_t) + levels[1][0] * size + 1e-3


@mutant(
    "half",
    of="SDE-12/three",
    why="the second difference in place of the second derivative, which is twice it: order 2",
)
def parabola_of_half_the_bend(x_t, x_0, x_0_before, x_0_first, level_first, level_before, level_t, level_s):
    h = half_log_snr(level_s) - half_log_snr(level_t)
    near = half_log_snr(level_t) - half_log_snr(level_before)
    far = half_log_snr(level_before) - half_log_snr(level_first)
    first = (x_0 - x_0_before) / near * h
    second = (x_0_before - x_0_first) / far * h
    bend = (first - second) / (near + far) * h
    phi_2 = math.expm1(-h) / h + 1
    phi_3 = phi_2 / h - 0.5
    moved = phi_2 * (first + near / h * bend) - phi_3 * bend
    return ddim.ddim_mean(x_t, x_0, level_t, level_s) + level_s[0] * moved


@mutant("even", of="SDE-12/three", why="steps taken to be even in lambda, which few grids are")
def parabola_on_even_steps(x_t, x_0, x_0_before, x_0_first, level_first, level_before, level_t, level_s):
    h = half_log_snr(level_s) - half_log_snr(level_t)
    near, far = before(level_t, h, h)
    return solvers.multistep_3(x_t, x_0, x_0_before, x_0_first, far, near, level_t, level_s)
