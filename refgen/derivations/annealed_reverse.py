"""Cards of what annealed Langevin dynamics are not: the reverse of the noising, step by step (NCSN-10)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import positives
from refgen.derivations.reverse_kernel import slope
from refgen.formulas import annealed, langevin
from refgen.sources import KIM

ANNEALING = KIM("'Diffusion Model', annealed Langevin dynamics")
PAIR = dict(var=positives(0.1, 10.0), std_s=positives(0.05, 5.0), ratio=positives(1.05, 10.0))


@equation(
    "NCSN-10/reverse",
    title="the reverse of the noising, for Gaussian data",
    formula=annealed.ve_reverse_kernel,
    latex=r"x_s\mid x_t\sim N\Big(\frac{v+\sigma_s^2}{v+\sigma_t^2}x_t,\ "
    r"\frac{(v+\sigma_s^2)(\sigma_t^2-\sigma_s^2)}{v+\sigma_t^2}\Big)",
    sources=[ANNEALING],
    evidence="algebra",
    how="Bayes' rule: the precisions of x_s and of the step add up",
    given=PAIR,
    tolerance=1e-11,
)
def reverse_by_bayes(ve_reverse_kernel, var, std_s, ratio):
    added = std_s**2 * (ratio - 1) * (ratio + 1)
    spread = 1 / (1 / (var + std_s**2) + 1 / added)
    return np.array(ve_reverse_kernel(var, ratio * std_s, std_s)), np.array([spread / added, spread])


@mutant(
    "root", of="NCSN-10/reverse", why="the root of the ratio of variances: the slope of a deterministic map"
)
def reverse_with_root(var, std_t, std_s):
    gain, spread = annealed.ve_reverse_kernel(var, std_t, std_s)
    return math.sqrt(gain), spread


@mutant("forward", of="NCSN-10/reverse", why="the variance of the noising itself")
def reverse_with_forward_variance(var, std_t, std_s):
    return (var + std_s**2) / (var + std_t**2), std_t**2 - std_s**2


@equation(
    "NCSN-10/gap",
    title="Langevin steps are not the reverse of the noising",
    formula=annealed.reverse_gap,
    latex=r"E_{x_t}D_{KL}\big(M\ \text{Langevin steps from }x_t\,\Vert\,p(x_s\mid x_t)\big)>0",
    sources=[ANNEALING],
    evidence="quadrature",
    how="KL of the two kernels by Gauss-Hermite rules over x_t and x_s; the chain step by step, the reverse "
    "step by Bayes' rule",
    given=dict(**PAIR, size=positives(0.01, 1.5), steps=st.integers(1, 20)),
    tolerance=1e-9,
    examples=50,
)
def kernels_differ(reverse_gap, var, std_s, ratio, size, steps):
    target, added = var + std_s**2, std_s**2 * (ratio - 1) * (ratio + 1)
    spread = 1 / (1 / target + 1 / added)
    decay, settled = 1.0, 0.0
    for _ in range(steps):
        decay, settled = decay * (1 - size), settled * (1 - size) ** 2 + 2 * size * target
    z, weights = hermegauss(5)
    weights = weights / weights.sum()
    x_t = math.sqrt(target + added) * z[:, None]
    x_s = decay * x_t + math.sqrt(settled) * z
    quadratic = 0.5 * (x_s - spread / added * x_t) ** 2 / spread
    derived = weights @ quadratic @ weights - 0.5 - 0.5 * math.log(settled / spread)
    claimed = reverse_gap(var, ratio * std_s, std_s, size * target, steps)
    return claimed, derived, 1 + weights @ quadratic @ weights + abs(math.log(settled / spread))


@misprint(
    "ERR-11",
    of="NCSN-10/gap",
    printed=r"\text{it can be perfectly modeled as a Markovian HVAE}",
    correct=r"\text{a Markov chain with the same marginal laws in the limit, not the reverse of the encoder}",
    source=ANNEALING,
    why="the steps forget x_t as there are more of them, and overshoot the variance; the reverse of the "
    "encoder does neither",
)
def no_gap(var, std_t, std_s, step, steps):
    return 0.0 * var


@mutant("forgotten", of="NCSN-10/gap", why="the variances compared only, the slopes taken to agree")
def gap_of_variances(var, std_t, std_s, step, steps):
    _, spread = annealed.ve_reverse_kernel(var, std_t, std_s)
    settled = langevin.ula_moments(0.0, 0.0, 0.0, var + std_s**2, step, steps)[1]
    return 0.5 * (settled / spread - 1 - math.log(settled / spread))


@equation(
    "NCSN-10/marginal",
    title="but the law at each level is the same in the limit",
    formula=annealed.annealed_moments,
    latex=r"M\to\infty:\quad\mathrm{Var}(x)-(v+\sigma_L^2)=O(\epsilon)",
    sources=[ANNEALING],
    evidence="order",
    how="distance of the last variance from that of the noisy data, at steps from 0.1 down to 0.0125 sigma^2",
    cases=[dict(var=v, largest=s) for v, s in ((1.0, 1.0), (0.3, 4.0), (2.0, 2.0))],
    relative=False,
    tolerance=0.05,
    reject_at=0.5,
)
def marginals_agree(annealed_moments, var, largest):
    std, errors = np.geomspace(largest, 0.5, 3), []
    sizes = np.array([0.1, 0.05, 0.025, 0.0125])
    for size in (sizes * 0.25).tolist():
        _, spread = annealed_moments(np.zeros(1), 10.0, np.zeros(1), var, std, size, 20_000)
        errors.append(abs(spread - (var + 0.25)))
    return slope(sizes, errors), 1.0


@mutant("noise", of="NCSN-10/marginal", why="compared with clean data: the noise of the last level forgotten")
def moments_of_clean_data(mean_0, var_0, mean, var, std, step, steps):
    return annealed.annealed_moments(mean_0, var_0, mean, var - std[-1] ** 2, std, step, steps)
