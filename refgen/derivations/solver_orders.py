"""Cards of the orders at which the solvers' errors vanish, against the exact flow of a mixture (SDE-12).

On a line the flow takes quantiles to quantiles. The steps are long and short in turn, or a slip in a ratio of
steps would not be seen. A solver that remembers starts from exact values, so only its own step is measured.
"""

from __future__ import annotations

import math

import numpy as np

from refgen.cards import definition, equation, mutant
from refgen.derivations import exact_flow, line
from refgen.derivations.exact_flow import LAW
from refgen.derivations.solvers import half_log_snr
from refgen.formulas import ddim, solvers
from refgen.sources import FIELD, LU_2022, LU_2022_MULTISTEP, SJTU, SONG_MENG_2021

CITED = SJTU("the table of faster samplers")
HOW = "quantiles go to quantiles; the slope of the largest error over these numbers of steps"


def level(half):
    """Of unit power, from half the log-SNR."""
    return 1 / math.sqrt(1 + math.exp(-2 * half)), 1 / math.sqrt(1 + math.exp(2 * half))


def grid(steps, low=-3.0, high=2.5):
    """Levels from the noisiest down, with steps of half the log-SNR that are short and long in turn."""
    k = np.arange(steps + 1)
    return [level(half) for half in (low + (high - low) * (k - k % 2 / 3) / steps).tolist()]


def denoised(x, signal, std):
    """E[x_0 | x_t = x] at x (n, 1)."""
    var = (signal * LAW.stds) ** 2 + std**2
    away = x - signal * LAW.means
    log_share = np.log(LAW.weights / np.sqrt(var)) - 0.5 * away**2 / var
    share = np.exp(log_share - log_share.max(axis=1, keepdims=True))
    mean = LAW.means + signal * LAW.stds**2 / var * away
    return np.sum(share * mean, axis=1, keepdims=True) / share.sum(axis=1, keepdims=True)


def noise(x, signal, std):
    return (x - signal * denoised(x, signal, std)) / std


def exact(of):
    """The points (n, 1) of the exact flow at a level."""
    return exact_flow.quantiles(line.noisy(LAW, *of))[:, None]


def measured(step, counts, history=0):
    """The order of step(x, said, level_t, level_s); said: predictions and levels, this and earlier ones."""

    def error(count):
        levels = grid(count)
        x = exact(levels[history])
        said = [(denoised(exact(of), *of), of) for of in levels[:history]]
        for level_t, level_s in zip(levels[history:], levels[history + 1 :], strict=False):
            said.append((denoised(x, *level_t), level_t))
            x = step(x, said, level_t, level_s)
        return x - exact(levels[-1])

    return exact_flow.order(counts, error)


@equation(
    "SDE-12",
    title="DDIM follows the flow with order 1",
    formula=ddim.ddim_mean,
    latex=r"x_{\mathrm{DDIM}}-F_s^{-1}(F_T(x_T))=O(h)",
    sources=[SONG_MENG_2021("section 4.3"), CITED],
    evidence="order",
    how=HOW,
    cases=[dict(counts=(160, 320, 640))],
    relative=False,
    tolerance=0.15,
    reject_at=0.5,
)
def order_of_ddim(ddim_mean, counts):
    def step(x, said, level_t, level_s):
        return ddim_mean(x, said[-1][0], level_t, level_s)

    return measured(step, counts), 1.0


@mutant("eta", of="SDE-12", why="noise left out, but taken off the noise carried: the law shrinks")
def ddim_without_its_noise(x_t, x_0, level_t, level_s, eta=0.0):
    return ddim.ddim_mean(x_t, x_0, level_t, level_s, 1.0)


@equation(
    "SDE-12/order-2",
    title="DPM-Solver-2 has order 2",
    formula=solvers.noise_step,
    latex=r"u=\Phi_{t\to m}(x_t,\hat\epsilon(x_t)),\quad x_s=\Phi_{t\to s}(x_t,\hat\epsilon(u)):\quad O(h^2)",
    sources=[LU_2022("theorem 3.2"), CITED],
    evidence="order",
    how=HOW,
    cases=[dict(counts=(40, 80, 160))],
    relative=False,
    tolerance=0.15,
    reject_at=0.5,
)
def order_of_two_stages(noise_step, counts):
    def step(x, said, level_t, level_s):
        middle = level((half_log_snr(level_t) + half_log_snr(level_s)) / 2)
        halfway = noise_step(x, noise(x, *level_t), level_t, middle)
        return noise_step(x, noise(halfway, *middle), level_t, level_s)

    return measured(step, counts), 2.0


@mutant("sign", of="SDE-12/order-2", why="lambda taken to fall towards the data: e^-h for e^h")
def stage_backwards(x_t, eps, level_t, level_s):
    h = half_log_snr(level_s) - half_log_snr(level_t)
    return level_s[0] / level_t[0] * x_t + level_s[1] * math.expm1(-h) * eps


@equation(
    "SDE-12/order-3",
    title="DPM-Solver-3 has order 3",
    formula=solvers.noise_step_linear,
    latex=r"r_1=\tfrac13,\ r_2=\tfrac23:\quad O(h^3)",
    sources=[LU_2022("theorem 3.2"), CITED],
    evidence="order",
    how=HOW,
    cases=[dict(counts=(20, 40, 80))],
    relative=False,
    tolerance=0.2,
    reject_at=0.5,
)
def order_of_three_stages(noise_step_linear, counts):
    def frozen(x, eps, level_t, level_s):
        return level_s[0] / level_t[0] * (x - level_t[1] * eps) + level_s[1] * eps

    def step(x, said, level_t, level_s):
        start, h = half_log_snr(level_t), half_log_snr(level_s) - half_log_snr(level_t)
        third, two_thirds, eps = level(start + h / 3), level(start + 2 * h / 3), noise(x, *level_t)
        early = noise(frozen(x, eps, level_t, third), *third)
        late = noise(noise_step_linear(x, eps, early, 1 / 2, level_t, two_thirds), *two_thirds)
        return noise_step_linear(x, eps, late, 2 / 3, level_t, level_s)

    return measured(step, counts), 3.0


@mutant("midpoint", of="SDE-12/order-3", why="the weight (e^h - 1) / 2 of order 2 for (e^h - 1) / h - 1")
def line_by_its_middle(x_t, eps, eps_at, share, level_t, level_s):
    return solvers.noise_step(x_t, eps + (eps_at - eps) / (2 * share), level_t, level_s)


@equation(
    "SDE-12/order-2M",
    title="DPM-Solver++(2M) has order 2",
    formula=solvers.multistep_2,
    latex=r"\hat x_0+\tfrac h{2h'}(\hat x_0-\hat x_0'):\quad O(h^2)",
    sources=[LU_2022_MULTISTEP("algorithm 2"), FIELD("the noise of the wrong level in a multistep solver")],
    evidence="order",
    how=HOW,
    cases=[dict(counts=(40, 80, 160))],
    relative=False,
    tolerance=0.15,
    reject_at=0.5,
)
def order_of_two_predictions(multistep_2, counts):
    def step(x, said, level_t, level_s):
        (old, level_before), (x_0, _) = said[-2:]
        return multistep_2(x, x_0, old, level_before, level_t, level_s)

    return measured(step, counts, history=1), 2.0


@mutant(
    "sigma",
    of="SDE-12/order-2M",
    why="std_t where std_s belongs, in the weight of what was remembered: order 1",
)
def memory_at_the_wrong_level(x_t, x_0, x_0_before, level_before, level_t, level_s):
    ratio = (half_log_snr(level_s) - half_log_snr(level_t)) / (
        half_log_snr(level_t) - half_log_snr(level_before)
    )
    weight = level_s[0] - level_t[0]  # for signal_s - signal_t std_s / std_t
    return ddim.ddim_mean(x_t, x_0, level_t, level_s) + weight * ratio / 2 * (x_0 - x_0_before)


@mutant("even", of="SDE-12/order-2M", why="(3 x_0 - x_0') / 2, for steps that are even: order 1 elsewhere")
def memory_of_even_steps(x_t, x_0, x_0_before, level_before, level_t, level_s):
    return ddim.ddim_mean(x_t, 1.5 * x_0 - 0.5 * x_0_before, level_t, level_s)


@equation(
    "SDE-12/order-3M",
    title="3M has order 3",
    formula=solvers.multistep_3,
    latex=r"\int e^\lambda p(\lambda)\,d\lambda,\ \deg p=2:\quad O(h^3)",
    sources=[LU_2022_MULTISTEP("section 4"), FIELD("the second difference in a third-order step")],
    evidence="order",
    how=HOW,
    cases=[dict(counts=(80, 160, 320))],
    relative=False,
    tolerance=0.2,
    reject_at=0.5,
)
def order_of_three_predictions(multistep_3, counts):
    def step(x, said, level_t, level_s):
        (first, level_first), (old, level_before), (x_0, _) = said[-3:]
        return multistep_3(x, x_0, old, first, level_first, level_before, level_t, level_s)

    return measured(step, counts, history=2), 3.0


@mutant(
    "half",
    of="SDE-12/order-3M",
    why="the second difference in place of the second derivative, which is twice it: order 2",
)
def half_the_bend(x_t, x_0, x_0_before, x_0_first, level_first, level_before, level_t, level_s):
    whole = solvers.multistep_3(x_t, x_0, x_0_before, x_0_first, level_first, level_before, level_t, level_s)
    h, near, far = (
        half_log_snr(b) - half_log_snr(a)
        for a, b in ((level_t, level_s), (level_before, level_t), (level_first, level_before))
    )
    bend = ((x_0 - x_0_before) / near - (x_0_before - x_0_first) / far) / (near + far) * h**2
    return whole - level_s[0] / 2 * (1 - 2 / h * (1 + math.expm1(-h) / h)) * bend


# ---- TAX-1
definition(
    "TAX-1",
    title="how many steps the fast samplers take",
    latex=r"T:\quad\text{DDPM }1000,\ \text{DDIM }100,\ \text{Analytic-DPM }40\text{ to }60,\ "
    r"\text{DPM-Solver }10",
    sources=[CITED],
    shown_by=["refgen.experiments.speed_up"],
    how="of networks for images; the order of the four is claimed and measured by refgen reproduce speed-up",
    kind="reported",
    module=__name__,
)
