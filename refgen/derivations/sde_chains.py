"""Cards of chains: reverse Euler-Maruyama and DDPM keep the marginals in the limit (SDE-4, 8, 11)."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from refgen import processes
from refgen.cards import equation, mutant
from refgen.derivations.line import Law, noisy
from refgen.derivations.reverse_kernel import slope
from refgen.derivations.sde import CONTINUOUS
from refgen.formulas import posterior, sde
from refgen.sources import HO_2020, SONG_2021

LAW = Law(np.array([0.3, 0.7]), np.array([-1.5, 1.0]), np.array([0.5, 0.4]))


def density(x, law):
    """The density of a mixture at x (n,)."""
    z = (x[:, None] - law.means) / law.stds
    return np.exp(-0.5 * z**2) @ (law.weights / law.stds) / math.sqrt(2 * math.pi)


def score(x, law):
    """Its score at x (n,)."""
    z = (x[:, None] - law.means) / law.stds
    parts = law.weights / law.stds * np.exp(-0.5 * z**2)
    return -np.sum(parts * z / law.stds, 1) / np.sum(parts, 1)


def at(process, t, law=LAW):
    """The law of x_t."""
    return noisy(law, *process.level(t))


# ---- SDE-4: steps of Euler and Maruyama along the reverse SDE
@equation(
    "SDE-4/marginals",
    title="reverse Euler-Maruyama steps keep the marginals of a mixture: order 1",
    formula=sde.reverse_drift,
    latex=r"\max_s\mathrm{TV}(x_s,\ p_s)=O(1/N)",
    sources=[CONTINUOUS, SONG_2021("section 4.1")],
    evidence="order",
    how="the density of two modes through 20 to 80 steps, each a sum over a table of points, beside the "
    "exact one at a quarter, a half, three quarters and the end",
    cases=[dict(name="vp"), dict(name="ve")],
    relative=False,
    tolerance=0.2,
    reject_at=0.5,
)
def marginals_of_a_mixture(reverse_drift, name):
    process = {"vp": processes.VP(1.0, 4.0), "ve": processes.VE(0.5, 3.0)}[name]
    counts, errors = (20, 40, 80), []
    for steps in counts:
        times, worst = np.linspace(1.0, 0.2, steps + 1).tolist(), []
        table = np.linspace(-12, 12, 301) if name == "ve" else np.linspace(-6, 6, 181)
        width = table[1] - table[0]
        p = density(table, at(process, 1.0))
        for k, (t, s) in enumerate(pairwise(times), 1):
            f, g2 = processes.coefficients(process, t)
            centre = table + (s - t) * reverse_drift(table, score(table, at(process, t)), f, g2)
            var = g2 * (t - s)
            kernel = np.exp(-((table[:, None] - centre) ** 2) / (2 * var)) / math.sqrt(2 * math.pi * var)
            p = kernel @ p * width
            if k % (steps // 4) == 0:
                worst.append(0.5 * np.sum(abs(p - density(table, at(process, s)))) * width)
        errors.append(max(worst))
    return slope(1 / np.array(counts), errors), 1.0


@mutant("half", of="SDE-4/marginals", why="half of g^2: too little pull for the noise")
def marginals_with_half(x, score, f, g2):
    return f * x - 0.5 * g2 * score


# ---- SDE-8: DDPM's step is a step of Euler and Maruyama
BETAS = 0.01 / 2 ** np.arange(5)


@equation(
    "SDE-8",
    title="DDPM's mean is that of a reverse Euler-Maruyama step to order beta^2",
    formula=sde.reverse_drift,
    latex=r"\tilde\mu_t(x_t,\hat x_0)-\Big(x_t+\tfrac12\beta x_t+\beta\nabla\log q_t(x_t)\Big)=O(\beta^2)",
    sources=[CONTINUOUS, HO_2020("algorithm 2"), SONG_2021("app. E")],
    evidence="order",
    how="the posterior mean given E[x_0 | x_t] of two modes, at betas from 0.01 down to 0.0006",
    cases=[dict(alpha_bar_s=a, x=x) for a in (0.9, 0.5, 0.1) for x in (1.0, -2.0)],
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def ancestral_mean(reverse_drift, alpha_bar_s, x):
    x, errors = np.array([x]), []
    for beta in BETAS.tolist():
        alpha_bar = (1 - beta) * alpha_bar_s
        std = math.sqrt(1 - alpha_bar)
        s = score(x, noisy(LAW, math.sqrt(alpha_bar), std))
        x_0 = (x + std**2 * s) / math.sqrt(alpha_bar)
        mean = posterior.posterior_mean(x, x_0, 1 - beta, alpha_bar_s)
        errors.append(abs(float((mean - x + reverse_drift(x, s, -0.5 * beta, beta))[0])))
    return slope(BETAS, errors), 2.0


@mutant("half", of="SDE-8", why="half of the score: a step of the flow")
def mean_with_half(x, score, f, g2):
    return f * x - 0.5 * g2 * score


@mutant("no-drift", of="SDE-8", why="a step of an exploding process: no drift")
def mean_without_drift(x, score, f, g2):
    return -g2 * score


@equation(
    "SDE-8/variance",
    title="DDPM's variance is that of the step, beta, to order beta^2",
    formula=posterior.posterior_var,
    latex=r"\tilde\beta_t-\beta_t=O(\beta^2)",
    sources=[CONTINUOUS, HO_2020("section 3.2"), SONG_2021("app. E")],
    evidence="order",
    how="the difference from g^2 dt = beta, at betas from 0.01 down to 0.0006, clean data kept at a distance",
    cases=[dict(alpha_bar_s=a) for a in (0.9, 0.5, 0.1)],
    relative=False,
    tolerance=0.1,
    reject_at=0.5,
)
def ancestral_variance(posterior_var, alpha_bar_s):
    errors = [abs(posterior_var(1 - beta, alpha_bar_s) - beta) for beta in BETAS.tolist()]
    return slope(BETAS, errors), 2.0


@mutant("half", of="SDE-8/variance", why="half of beta")
def variance_half(alpha_t, alpha_bar_s):
    return 0.5 * (1 - alpha_t)


# ---- SDE-11: DDPM's chain has the marginals of the process
@equation(
    "SDE-11/ddpm",
    title="DDPM's chain goes to the marginals of the process at every time",
    formula=posterior.posterior_mean,
    latex=r"\max_t\big|\mathrm{Var}(x_t)-(\bar\alpha_tv+1-\bar\alpha_t)\big|=O(1/T)",
    sources=[CONTINUOUS, HO_2020("algorithm 2"), SONG_2021("app. E")],
    evidence="order",
    how="data of variance v: the variance through chains of 100 to 400 steps with the exact denoiser, at "
    "five times, beside that of the SDE",
    cases=[dict(v=v, kind=kind) for v in (0.2, 2.0) for kind in ("beta", "posterior")],
    relative=False,
    tolerance=0.15,
    reject_at=0.5,
)
def variance_of_chains(posterior_mean, v, kind):
    counts, process, errors = (100, 200, 400), processes.VP(0.1, 10.0), []
    for T in counts:
        beta = process.diffusion_var(np.arange(1, T + 1) / T) / T
        alpha_bar = np.concatenate([[1.0], np.cumprod(1 - beta)])
        var, worst = v * alpha_bar[-1] + 1 - alpha_bar[-1], []
        for t in range(T, T // 10, -1):
            b, a_t, a_s = float(beta[t - 1]), float(alpha_bar[t]), float(alpha_bar[t - 1])
            x_0 = math.sqrt(a_t) * v / (a_t * v + 1 - a_t)  # the mean given x_t = 1
            gain = float(posterior_mean(np.ones(1), np.array([x_0]), 1 - b, a_s)[0])
            var = gain**2 * var + (b if kind == "beta" else b * (1 - a_s) / (1 - a_t))
            if (t - 1) % (T // 5) == 0 or t == T // 10 + 1:
                signal, std = process.level((t - 1) / T)
                worst.append(abs(var - (signal**2 * v + std**2)))
        errors.append(max(worst))
    return slope(1 / np.array(counts), errors), 1.0


@mutant("signal", of="SDE-11/ddpm", why="x_0 with the signal of step t for that of the step")
def mean_of_another_signal(x_t, x_0, alpha_t, alpha_bar_s):
    std2 = 1 - alpha_t * alpha_bar_s
    own = math.sqrt(alpha_t) * (1 - alpha_bar_s) / std2 * x_t
    return own + alpha_bar_s * (1 - alpha_t) / std2 * x_0
