"""Cards of Langevin dynamics: one step, many steps on a Gaussian, and when they arrive (LAN-2, LAN-3)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import mixtures, points, positives, rungs, together
from refgen.derivations.tweedie import score as score_of
from refgen.formulas import langevin
from refgen.sources import FIELD, KIM, SJTU, SONG_2019

KIM_SLIDE = KIM("'Score-based Generative Model', Langevin dynamics")
SJTU_SLIDE = SJTU("'Score-based', sampling by Langevin dynamics")
SONG = SONG_2019("eq. 4, with eps / 2 for c")


def targets(*dims, **more):
    """A point, a mixture to sample from and a step."""
    return rungs(
        lambda d: together(x=points(d), law=mixtures(d, 2), step=positives(1e-3, 1.0), **more), *dims
    )


@equation(
    "LAN-2/step",
    title="one Langevin step: its mean and variance",
    formula=langevin.ula_step,
    latex=r"x_{i+1}=x_i+c\,\nabla\log p(x_i)+\sqrt{2c}\,z_i,\quad z_i\sim N(0,I)",
    sources=[SONG, KIM_SLIDE, SJTU_SLIDE],
    evidence="autodiff",
    how="moments over z by a three-point Gauss rule; the drift by differentiating the log-density, the "
    "variance 2c from the time c spent in dx = grad log p dt + sqrt(2) dW",
    given=targets(1, 2, 3),
    tolerance=1e-11,
)
def moments_of_a_step(ula_step, x, law, step):
    slope = score_of(x, law["weights"], law["means"], law["covs"])
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    ends = np.array([ula_step(x, slope, node * np.ones_like(x), step) for node in nodes])
    weights = weights / weights.sum()
    mean = weights @ ends
    derived = np.append(x + step * slope, 2 * step * np.ones_like(x))
    size = np.abs(x) + step * np.abs(slope) + math.sqrt(2 * step)
    return np.append(mean, weights @ (ends - mean) ** 2), derived, np.append(size, size**2)


@misprint(
    "ERR-8/scalar",
    of="LAN-2/step",
    printed=r"x_i+c\,\nabla\log p(x_i)+\sqrt{2c\epsilon}\,\boldsymbol\epsilon,\quad\epsilon=0.01",
    correct=r"x_i+c\,\nabla\log p(x_i)+\sqrt{2c}\,\boldsymbol\epsilon_i",
    source=KIM_SLIDE,
    why="read with a small number under the root it runs at a hundredth of the temperature: the chain "
    "collapses into the modes",
)
def noise_times_a_small_number(x, score, z, step):
    return langevin.ula_step(x, score, 0.1 * z, step)


@mutant("scaled", of="LAN-2/step", why="the step multiplies drift and noise alike: c (score / 2 + z)")
def step_scales_the_noise(x, score, z, step):
    return x + step * (score / 2 + z)


@mutant("two", of="LAN-2/step", why="sqrt(c) for sqrt(2c): half the temperature, the law p^2")
def step_at_half_temperature(x, score, z, step):
    return x + step * score + math.sqrt(step) * z


@mutant("half", of="LAN-2/step", why="c / 2 before the score, as in papers whose noise is sqrt(c)")
def step_with_half_the_drift(x, score, z, step):
    return x + 0.5 * step * score + math.sqrt(2 * step) * z


@mutant("sign", of="LAN-2/step", why="minus the score: up the energy, away from the data")
def step_uphill(x, score, z, step):
    return x - step * score + math.sqrt(2 * step) * z


@equation(
    "LAN-2/draw",
    title="one Langevin step: the draw that a noise leads to",
    formula=langevin.ula_step,
    latex=r"x_{i+1}=x_i+c\,\nabla\log p(x_i)+\sqrt{2c}\,z_i,\quad z_i\sim N(0,I)",
    sources=[SONG, KIM_SLIDE, SJTU_SLIDE],
    evidence="oracle",
    how="the quantile of N(x + c score, 2c) at the level at which z stands in N(0, 1), for scores of N(0, I)",
    given=rungs(lambda d: together(x=points(d), z=points(d), step=positives(1e-3, 1.0)), 1, 2, 5),
    tolerance=1e-10,
)
def draw_by_quantiles(ula_step, x, z, step):
    towards = np.where(z > 0, -1.0, 1.0)  # the lower tail, where a probability has all its digits
    away = ndtri(ndtr(towards * z)) * towards * math.sqrt(2 * step)
    return ula_step(x, -x, z, step), (1 - step) * x + away, np.abs(x) + math.sqrt(2 * step)


@misprint(
    "ERR-8",
    of="LAN-2/draw",
    printed=r"x_{i+1}\leftarrow x_i+c\,\nabla\log p(x_i)+\sqrt{2c\epsilon}\,\boldsymbol\epsilon",
    correct=r"x_{i+1}\leftarrow x_i+c\,\nabla\log p(x_i)+\sqrt{2c}\,\boldsymbol\epsilon_i",
    source=KIM_SLIDE,
    why="the noise stands under the root as well: not a number for the negative draws, that is for half of "
    "them, and a wrong one for the others",
)
def noise_under_the_root(x, score, z, step):
    return x + step * score + np.sqrt(2 * step * z) * z


@mutant("scaled", of="LAN-2/draw", why="the root forgotten: 2c before the noise")
def draw_without_root(x, score, z, step):
    return x + step * score + 2 * step * z


def gaussians(*dims, steps, largest=1.9):
    """A start N(mean_0, var_0), a target N(mean, var) and K steps of the size ratio var."""
    return rungs(
        lambda d: together(
            mean_0=points(d),
            var_0=st.one_of(st.sampled_from([0.0, 1.0]), positives(1e-3, 10.0)),
            mean=points(d),
            var=positives(0.01, 10.0),
            ratio=st.one_of(st.sampled_from([0.5, 0.1, 1.5]), positives(1e-8, largest)),
            steps=steps,
        ),
        *dims,
    )


@equation(
    "LAN-2/chain",
    title="K Langevin steps on a Gaussian, exactly",
    formula=langevin.ula_moments,
    latex=r"x_K\sim N\big(m+a^K(m_0-m),\ a^{2K}v_0+\tfrac{(1-a^{2K})\,v}{1-c/2v}\big),\quad a=1-\tfrac cv",
    sources=[SJTU_SLIDE, KIM_SLIDE],
    evidence="algebra",
    how="x_K as a linear function of x_0 and z_0, ..., z_{K-1}: the chain run on each unit vector",
    given=gaussians(1, 2, steps=st.integers(1, 12)),
    tolerance=1e-11,
)
def chain_of_unit_noises(ula_moments, mean_0, var_0, mean, var, ratio, steps):
    step, drift, response = ratio * var, mean_0, np.zeros(steps + 1)
    response[0] = math.sqrt(var_0)
    for i in range(steps):
        drift = drift + ratio * (mean - drift)
        response = response - ratio * response
        response[i + 1] += math.sqrt(2 * step)
    derived = np.append(drift, response @ response)
    claimed_mean, claimed_var = ula_moments(mean_0, var_0, mean, var, step, steps)
    return np.append(claimed_mean, claimed_var), derived, np.append(abs(mean) + abs(mean_0), derived[-1])


@misprint(
    "ERR-28",
    of="LAN-2/chain",
    printed=r"x_{i+1}\leftarrow x_i+\epsilon\,\nabla_x\log p(x)+\sqrt{2\epsilon}\,z_i",
    correct=r"x_{i+1}\leftarrow x_i+\epsilon\,\nabla_x\log p(x_i)+\sqrt{2\epsilon}\,z_i",
    source=SJTU_SLIDE,
    why="the score at a fixed x, here the start: a constant push, and the chain walks off to infinity",
)
def chain_with_a_frozen_score(mean_0, var_0, mean, var, step, steps):
    time = steps * step
    return mean_0 + time * (mean - mean_0) / var, (1 - time / var) ** 2 * var_0 + 2 * time


@mutant("off-by-one", of="LAN-2/chain", why="i = 0, 1, ..., K: one step too many, this is x_{K+1}")
def chain_of_one_more(mean_0, var_0, mean, var, step, steps):
    return langevin.ula_moments(mean_0, var_0, mean, var, step, steps + 1)


@mutant(
    "flow", of="LAN-2/chain", why="the law of the continuous dynamics at the time K c: no bias of the step"
)
def chain_without_discretisation(mean_0, var_0, mean, var, step, steps):
    decay = math.exp(-steps * step / var)
    return mean + decay * (mean_0 - mean), decay**2 * var_0 + (1 - decay**2) * var


def doubled(decay, var):
    """Two stretches of the chain for one, x -> (1 + decay) x + N(0, var): nothing is lost at tiny steps."""
    return decay * (2 + decay), var * (1 + (1 + decay) ** 2)


def composed(decay, var, steps):
    """The same for any number of steps, by the digits of K."""
    whole_decay, whole_var = 0.0, 0.0
    while steps:
        if steps % 2:
            whole_decay, whole_var = (
                whole_decay + decay + whole_decay * decay,
                whole_var * (1 + decay) ** 2 + var,
            )
        decay, var = doubled(decay, var)
        steps //= 2
    return whole_decay, whole_var


@equation(
    "LAN-3/law",
    title="the law of x_K, up to a million steps",
    formula=langevin.ula_moments,
    latex=r"x_K\sim N\big(m+a^K(m_0-m),\ a^{2K}v_0+(1-a^{2K})\,v_\infty\big)",
    sources=[SJTU_SLIDE],
    evidence="algebra",
    how="affine maps composed by doubling, twenty compositions for a million steps",
    given=gaussians(1, 2, steps=st.one_of(st.sampled_from([1, 10, 10**6]), st.integers(1, 10**6))),
    tolerance=1e-9,  # a million steps of rounding in the derivation
)
def law_by_doubling(ula_moments, mean_0, var_0, mean, var, ratio, steps):
    decay, grown = composed(-ratio, 2 * ratio * var, steps)
    derived = np.append(mean + (1 + decay) * (mean_0 - mean), (1 + decay) ** 2 * var_0 + grown)
    claimed_mean, claimed_var = ula_moments(mean_0, var_0, mean, var, ratio * var, steps)
    return np.append(claimed_mean, claimed_var), derived, np.append(abs(mean) + abs(mean_0), derived[-1])


@mutant("arrived", of="LAN-3/law", why="the target itself after any number of steps, as if K were infinite")
def law_is_the_target(mean_0, var_0, mean, var, step, steps):
    return mean + 0 * mean_0, var


@mutant("power", of="LAN-3/law", why="a^K for a^{2K} before the variance of the start")
def law_with_one_power(mean_0, var_0, mean, var, step, steps):
    decay = (1 - step / var) ** steps
    exact_mean, exact_var = langevin.ula_moments(mean_0, 0 * var_0, mean, var, step, steps)
    return exact_mean, exact_var + abs(decay) * var_0


@equation(
    "LAN-3/claim",
    title="do K steps of the size K^-exponent arrive?",
    formula=langevin.ula_converges,
    latex=r"x_K\to p\iff\epsilon\to0\ \text{and}\ K\epsilon\to\infty",
    sources=[SJTU_SLIDE],
    kind="claim",
    evidence="algebra",
    how="KL from the exact law of x_K, from x_0 = 5, to N(0, 1) at K = 2^200, the chain composed by doubling",
    cases=[dict(exponent=e) for e in (2.0, 0.5, 0.25, 0.75, 1.0, 0.0, 1.5, 0.9)],
)
def time_must_grow(ula_converges, exponent):
    size = 0.5 * 2.0 ** (-200 * exponent)
    decay, var = -size, 2 * size
    for _ in range(200):
        decay, var = doubled(decay, var)
    kl = 0.5 * (var - 1 - math.log(var) + (5 * (1 + decay)) ** 2)
    return ula_converges(exponent), kl < 1e-6


@misprint(
    "ERR-29",
    of="LAN-3/claim",
    printed=r"\text{when }\epsilon\to0\text{ and }K\to\infty,\ x_K\text{ converges to a sample of }p(x)",
    correct=r"\epsilon\to0\ \text{and}\ K\epsilon\to\infty",
    source=SJTU_SLIDE,
    why="with steps of K^-2 the chain stays where it began: a million of them move it by five millionths",
)
def converges_if_the_step_vanishes(exponent):
    return exponent > 0


@mutant("fixed", of="LAN-3/claim", why="K -> infinity alone: at a fixed step the bias stays")
def converges_at_any_step(exponent):
    return exponent < 1


@equation(
    "LAN-3/distance",
    title="how far from the target K steps end",
    formula=langevin.ula_moments,
    latex=r"D_{KL}(x_K\Vert p)=\tfrac12\big(\tfrac{v_K}v-1-\ln\tfrac{v_K}v+\tfrac{(m_K-m)^2}v\big)",
    sources=[SJTU_SLIDE, FIELD("too few steps, or steps too small, taken for a chain that has arrived")],
    evidence="quadrature",
    how="KL by the trapezoid rule between the two densities, that of x_K composed by doubling",
    cases=[
        dict(x_0=5.0, step=s, steps=k)
        for s, k in ((1e-2, 100), (1e-3, 10**6), (1e-3, 1000), (0.1, 1000), (1e-12, 10**6))
    ],
    relative=False,
    tolerance=1e-8,
    reject_at=1e-6,
)
def distance_by_integration(ula_moments, x_0, step, steps):
    mean, var = ula_moments(np.array([x_0]), 0.0, np.array([0.0]), 1.0, step, steps)
    claimed = 0.5 * (var - 1 - math.log(var) + mean[0] ** 2)
    decay, exact = composed(-step, 2 * step, steps)
    centre, std = (1 + decay) * x_0, math.sqrt(exact)
    z = np.linspace(-12, 12, 2401)
    log_ratio = -0.5 * z**2 - math.log(std) + 0.5 * (centre + std * z) ** 2
    return claimed, np.trapezoid(np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) * log_ratio, z)


@mutant("arrived", of="LAN-3/distance", why="no distance left after any number of steps")
def no_distance(mean_0, var_0, mean, var, step, steps):
    return mean, var
