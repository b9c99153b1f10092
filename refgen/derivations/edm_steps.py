"""Cards of Euler's and Heun's steps in the noise itself, and of how many calls they need (EDM-3, EDM-5)."""

from __future__ import annotations

import numpy as np

from refgen.cards import definition, equation, mutant
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.derivations import exact_flow, line
from refgen.formulas import edm
from refgen.sources import KARRAS_2022

ALGORITHM = [KARRAS_2022("Algorithm 1")]


def steps_in_noise(d):
    return together(x_t=points(d), score=points(d), std_t=positives(1e-2, 80.0), share=positives(1e-3, 1.0))


@equation(
    "EDM-3/euler",
    title="Euler's step in the noise: part of the way to the denoised point",
    formula=edm.euler_step,
    latex=r"x_s=x_t+(\sigma_s-\sigma_t)\frac{dx}{d\sigma},\ \frac{dx}{d\sigma}=-\sigma\nabla\log q_\sigma",
    sources=ALGORITHM,
    evidence="algebra",
    how="the slope of the flow by a drawn score, with D by Tweedie's formula",
    given=rungs(steps_in_noise, 1, 2, 5),
    tolerance=1e-12,
)
def euler_by_the_score(euler_step, x_t, score, std_t, share):
    std_s = share * std_t
    x_0 = x_t + std_t**2 * score
    derived = x_t - (std_s - std_t) * std_t * score
    return euler_step(x_t, x_0, std_t, std_s), derived, abs(x_t) + std_t**2 * abs(score) + 1e-9


@mutant("upside", of="EDM-3/euler", why="the ratio of the levels upside down: away from the data")
def euler_upside_down(x_t, x_0, std_t, std_s):
    return x_0 + std_t / std_s * (x_t - x_0)


@mutant("squared", of="EDM-3/euler", why="the ratio of the variances: the posterior's mean, not the flow")
def euler_by_variances(x_t, x_0, std_t, std_s):
    return x_0 + (std_s / std_t) ** 2 * (x_t - x_0)


@mutant("double", of="EDM-3/euler", why="the slope of the reverse SDE, without the half of the flow")
def euler_of_the_reverse_drift(x_t, x_0, std_t, std_s):
    return x_t + 2 * (std_s - std_t) * (x_t - x_0) / std_t


@equation(
    "EDM-3/heun",
    title="Heun's step in the noise: the mean of two slopes",
    formula=edm.heun_step,
    latex=r"x_s'=x_t+(\sigma_s-\sigma_t)\,\tfrac12\big(d_t(x_t)+d_s(x_s)\big)",
    sources=ALGORITHM,
    evidence="algebra",
    how="the trapezoid under a slope that is linear in std, through the two drawn slopes: exact by a sum of "
    "midpoints",
    given=rungs(
        lambda d: together(
            x_t=points(d),
            first=points(d),
            second=points(d),
            std_t=positives(1e-2, 80.0),
            share=reals(0.01, 0.99),
        ),
        1,
        2,
        5,
    ),
    tolerance=1e-11,
)
def heun_by_midpoints(heun_step, x_t, first, second, std_t, share):
    std_s = share * std_t
    x_s = x_t + (std_s - std_t) * first
    fractions = (np.arange(8) + 0.5)[:, None] / 8
    slopes = (1 - fractions) * first + fractions * second
    derived = x_t + (std_s - std_t) * np.mean(slopes, axis=0)
    claimed = heun_step(x_t, x_t - std_t * first, x_s, x_s - std_s * second, std_t, std_s)
    return claimed, derived, abs(x_t) / share + std_t * (abs(first) + abs(second)) + 1e-9


@mutant("levels", of="EDM-3/heun", why="the second slope with the std of the level that it comes from")
def heun_with_the_wrong_level(x_t, x_0_t, x_s, x_0_s, std_t, std_s):
    return x_t + (std_s - std_t) / 2 * ((x_t - x_0_t) / std_t + (x_s - x_0_s) / std_t)


@mutant("sum", of="EDM-3/heun", why="the two slopes added, without the half")
def heun_of_the_sum(x_t, x_0_t, x_s, x_0_s, std_t, std_s):
    return x_t + (std_s - std_t) * ((x_t - x_0_t) / std_t + (x_s - x_0_s) / std_s)


@mutant("from", of="EDM-3/heun", why="the correction added to where Euler's step began")
def heun_from_the_end(x_t, x_0_t, x_s, x_0_s, std_t, std_s):
    return x_s + (std_s - std_t) / 2 * ((x_t - x_0_t) / std_t + (x_s - x_0_s) / std_s)


def ends(step_to, count, largest=4.0, smallest=0.1):
    """Where a method takes the quantiles of the noisiest level, less those of the last."""
    std = np.linspace(largest ** (1 / 3), smallest ** (1 / 3), count + 1) ** 3
    laws = [line.noisy(exact_flow.LAW, 1.0, s) for s in std]

    def denoise(x, k):
        return x + std[k] ** 2 * line.score(x, laws[k])

    x = exact_flow.quantiles(laws[0])
    for k in range(count):
        x = step_to(denoise, x, k, float(std[k]), float(std[k + 1]))
    return x - exact_flow.quantiles(laws[-1])


@equation(
    "EDM-3/order-1",
    title="Euler's steps in the noise follow the exact flow to first order",
    formula=edm.euler_step,
    latex=r"\lvert x_N-F_0^{-1}(F_1(x_T))\rvert=O(1/N)",
    sources=ALGORITHM,
    evidence="order",
    how="against the exact map between quantiles of two modes on a line",
    cases=[dict(counts=(40, 80, 160))],
    relative=False,
    tolerance=0.2,
    reject_at=0.5,
)
def euler_has_order_one(euler_step, counts):
    def step_to(denoise, x, k, std_t, std_s):
        return euler_step(x[:, None], denoise(x, k)[:, None], std_t, std_s)[:, 0]

    return exact_flow.order(counts, lambda n: ends(step_to, n)), 1.0


@mutant("squared", of="EDM-3/order-1", why="the ratio of the variances: it goes to the data twice as fast")
def euler_with_variances(x_t, x_0, std_t, std_s):
    return x_0 + (std_s / std_t) ** 2 * (x_t - x_0)


@mutant("wide", of="EDM-3/order-1", why="divided by 1 + std, as if power were kept at one")
def euler_with_another_slope(x_t, x_0, std_t, std_s):
    return x_t + (std_s - std_t) * (x_t - x_0) / (1 + std_t)


@equation(
    "EDM-3/order-2",
    title="Heun's steps in the noise follow the exact flow to second order",
    formula=edm.heun_step,
    latex=r"\lvert x_N-F_0^{-1}(F_1(x_T))\rvert=O(1/N^2)",
    sources=ALGORITHM,
    evidence="order",
    how="against the exact map between quantiles of two modes on a line",
    cases=[dict(counts=(20, 40, 80))],
    relative=False,
    tolerance=0.3,
    reject_at=0.5,
)
def heun_has_order_two(heun_step, counts):
    def step_to(denoise, x, k, std_t, std_s):
        x_0 = denoise(x, k)
        x_s = x + (std_s - std_t) * (x - x_0) / std_t
        columns = [a[:, None] for a in (x, x_0, x_s, denoise(x_s, k + 1))]
        return heun_step(*columns, std_t, std_s)[:, 0]

    return exact_flow.order(counts, lambda n: ends(step_to, n)), 2.0


@mutant("levels", of="EDM-3/order-2", why="the second slope with the std of the level that it comes from")
def heun_with_one_level(x_t, x_0_t, x_s, x_0_s, std_t, std_s):
    return x_t + (std_s - std_t) / 2 * ((x_t - x_0_t) / std_t + (x_s - x_0_s) / std_t)


@mutant("end", of="EDM-3/order-2", why="the slope at the end alone: as good as Euler's")
def heun_of_the_end(x_t, x_0_t, x_s, x_0_s, std_t, std_s):
    return x_t + (std_s - std_t) * (x_s - x_0_s) / std_s


@mutant("point", of="EDM-3/order-2", why="the second slope with the denoised point of the first")
def heun_with_one_denoised(x_t, x_0_t, x_s, x_0_s, std_t, std_s):
    return x_t + (std_s - std_t) / 2 * ((x_t - x_0_t) / std_t + (x_s - x_0_t) / std_s)


definition(
    "EDM-5",
    title="N levels cost 2N - 1 calls: the last step, to clean data, has one slope",
    latex=r"\mathrm{NFE}=2N-1",
    sources=[KARRAS_2022("Algorithm 1, table 1")],
    shown_by=["tests/samplers/test_edm.py::test_calls_and_few_levels"],
    module=__name__,
)
