"""Cards of annealed Langevin dynamics: its law, the weights it finds, the levels it needs (NCSN-5, 8, 9)."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import points, positives, rungs, together
from refgen.derivations import langevin_chain as chain
from refgen.derivations import least_squares, line
from refgen.formulas import annealed, langevin
from refgen.sources import CS167, ISACHENKO, KIM, SJTU, SONG_2019, SONG_2020

ANNEALING = KIM("'Diffusion Model', annealed Langevin dynamics")
REVERSE = SJTU("'Score-based Diffusion Models', reverse diffusion")
NCSN = ISACHENKO("'Noise conditioned score network'")
REPAIRS = KIM("'Score-based Generative Model', what noise repairs")


# ---- NCSN-5
@equation(
    "NCSN-5/step",
    title="steps of annealed Langevin dynamics",
    formula=annealed.annealed_step,
    latex=r"\epsilon_l=\epsilon\,\frac{\sigma_l^2}{\sigma_L^2}\ \Rightarrow\ "
    r"\frac{\lVert\epsilon_ls\rVert^2}{\lVert\sqrt{2\epsilon_l}z\rVert^2}\ \text{is the same at all levels}",
    sources=[SONG_2019("algorithm 1, whose alpha is 2 epsilon"), REVERSE],
    evidence="algebra",
    how="for the score -z / sigma of pure noise, drift over noise is sqrt(epsilon / 2) / sigma: solved for "
    "epsilon",
    given=dict(step=positives(1e-5, 1.0), smallest=positives(0.01, 1.0), ratio=positives(1.0, 1e4)),
    tolerance=1e-12,
)
def drift_and_noise_in_proportion(annealed_step, step, smallest, ratio):
    proportion = math.sqrt(step / 2) / smallest
    return annealed_step(step, ratio * smallest, smallest), 2 * (proportion * ratio * smallest) ** 2


@mutant("constant", of="NCSN-5/step", why="the same step at all levels: the noisy ones are hardly explored")
def same_step_everywhere(step, std, smallest):
    return step


@mutant("std", of="NCSN-5/step", why="in proportion to sigma, not to its square")
def step_by_std(step, std, smallest):
    return step * std / smallest


@mutant("inverse", of="NCSN-5/step", why="smallest^2 / sigma^2: the ratio upside down")
def step_upside_down(step, std, smallest):
    return step * (smallest / std) ** 2


def annealings(d):
    return together(
        mean_0=points(d),
        var_0=positives(0.01, 100.0),
        mean=points(d),
        var=positives(0.1, 10.0),
        std=st.lists(positives(0.1, 5.0), min_size=1, max_size=4).map(lambda s: np.sort(s)[::-1].copy()),
        ratio=positives(0.01, 1.5),
        steps=st.integers(1, 10),
    )


@equation(
    "NCSN-5/law",
    title="annealed Langevin dynamics on a Gaussian, exactly",
    formula=annealed.annealed_moments,
    latex=r"x^m=x^{m-1}+\epsilon_ls(x^{m-1},\sigma_l)+\sqrt{2\epsilon_l}z^m,\quad m=1..M,\ l=1..L;\quad "
    r"s(x,\sigma)=\frac{m-x}{v+\sigma^2}",
    sources=[SONG_2019("algorithm 1"), ANNEALING, REVERSE, NCSN, CS167("'New Sample Generation'")],
    evidence="algebra",
    how="mean and variance carried from step to step and from level to level",
    given=rungs(annealings, 1, 2),
    tolerance=1e-11,
)
def annealing_step_by_step(annealed_moments, mean_0, var_0, mean, var, std, ratio, steps):
    x, spread, step = mean_0, var_0, ratio * float(std[-1]) ** 2
    for level in std.tolist():
        for _ in range(steps):
            pull = ratio * level**2 / (var + level**2)
            x, spread = x + pull * (mean - x), (1 - pull) ** 2 * spread + 2 * ratio * level**2
    claimed_mean, claimed_var = annealed_moments(mean_0, var_0, mean, var, std, step, steps)
    return (
        np.append(claimed_mean, claimed_var),
        np.append(x, spread),
        np.append(abs(mean) + abs(mean_0), spread),
    )


@mutant("restart", of="NCSN-5/law", why="each level from the start again, not from the end of the one before")
def annealing_that_restarts(mean_0, var_0, mean, var, std, step, steps):
    return langevin.ula_moments(mean_0, var_0, mean, var + std[-1] ** 2, step, steps)


@mutant("rising", of="NCSN-5/law", why="from the smallest level to the largest: it ends in noise")
def annealing_upwards(mean_0, var_0, mean, var, std, step, steps):
    largest = annealed.annealed_step(step, std[0], std[-1])
    return annealed.annealed_moments(mean_0, var_0, mean, var, std[::-1], largest, steps)


@mutant("clean", of="NCSN-5/law", why="the score of clean data at every level")
def annealing_without_noise_in_the_score(mean_0, var_0, mean, var, std, step, steps):
    for level in std:
        size = annealed.annealed_step(step, level, std[-1])
        mean_0, var_0 = langevin.ula_moments(mean_0, var_0, mean, var, size, steps)
    return mean_0, var_0


def annealed_weight(annealed_step, law, largest, smallest=0.5, step=0.0125, levels=10, steps=100):
    """The mass right of the origin where annealing ends, from a uniform start."""
    stds = np.geomspace(largest, smallest, levels).tolist()
    plan = [(line.noisy(law, 1.0, std), float(annealed_step(step, std, smallest))) for std in stds]
    return chain.right_of(0.0, *chain.advanced(chain.euler, chain.uniform_start(), plan, steps))


@cache
def found_weight(weight, half_distance, largest):
    """The same with the steps of annealing, for derivations."""
    law = chain.two_modes(weight, half_distance)
    return annealed_weight(lambda step, std, smallest: step * std**2 / smallest**2, law, largest)


@equation(
    "NCSN-5/weights",
    title="annealing finds the weights of the modes",
    formula=annealed.annealed_step,
    latex=r"p=w\,N((5,5),I)+(1-w)\,N((-5,-5),I):\quad P(x_K\ \text{right})\approx w",
    sources=[ANNEALING, SONG_2019("section 4.3 and figure 3")],
    evidence="oracle",
    how="the law of the chain by transition matrices: ten levels from 10 to 0.5, a hundred steps each, from "
    "a uniform start; derived is the weight",
    cases=[dict(weight=w) for w in (0.8, 0.1, 0.9)],
    relative=False,
    tolerance=0.04,
    reject_at=0.1,
    tolerance32=None,  # numbers, no arrays
)
def annealing_restores_weights(annealed_step, weight):
    return annealed_weight(annealed_step, chain.two_modes(weight), 10.0), weight


@mutant("std", of="NCSN-5/weights", why="in proportion to sigma: the noisy levels are not explored in time")
def step_in_proportion_to_std(step, std, smallest):
    return step * std / smallest


# ---- NCSN-9
@equation(
    "NCSN-9",
    title="how large must the largest level be?",
    formula=annealed.restores_weights,
    latex=r"\sigma_1\ge\tfrac13\lVert m_1-m_2\rVert\ \Rightarrow\ \text{the weights are found}",
    sources=[REPAIRS, NCSN, SONG_2020("technique 1, which asks for the whole distance")],
    kind="claim",
    evidence="oracle",
    how="annealing by transition matrices: whether the weight of the right mode is found within 0.04",
    cases=[
        dict(largest=s, half_distance=h, weight=0.8)
        for h, sizes in ((chain.MODES, (1.0, 3.0, 5.0, 10.0, 20.0)), (4.0, (1.0, 3.0, 5.0)))
        for s in sizes
    ],
)
def largest_level_joins_the_modes(restores_weights, largest, half_distance, weight):
    found = found_weight(weight, half_distance, largest)
    return restores_weights(largest, 2 * half_distance), abs(found - weight) <= 0.04


@mutant("always", of="NCSN-9", why="levels of any size: as good as none where they do not join the modes")
def weights_restored_by_any_noise(largest, separation):
    return 0 * largest == 0


@mutant("never", of="NCSN-9", why="ten times the distance asked for")
def weights_restored_by_huge_noise(largest, separation):
    return largest >= 10 * separation


# ---- NCSN-8
@equation(
    "NCSN-8",
    title="is the score learned everywhere once there is noise?",
    formula=langevin.is_learnable,
    latex=r"\hat s\approx\nabla\log q_\sigma\ \text{only where}\ n\,q_\sigma(x)\,h^d\ge1",
    sources=[CS167("caption: scores for the noise-perturbed data"), REPAIRS, SONG_2019("section 3.2.1")],
    kind="claim",
    evidence="oracle",
    how="denoising score matching by least squares on 5,000 points of two modes, with little noise and with "
    "much: whether its error, times the std of the law, is below 0.3",
    cases=[dict(place=p, noise=s) for s in (2.0, 0.3) for p in least_squares.PLACES],
)
def noise_repairs_the_valley_only(is_learnable, place, noise):
    return least_squares.claimed_and_true(is_learnable, place, noise)


@misprint(
    "ERR-52",
    of="NCSN-8",
    printed=r"\text{estimated scores are accurate everywhere for the noise-perturbed data}",
    correct=r"\text{accurate where the noisy density has mass: between the modes, not far outside}",
    source=CS167("caption: scores for the noise-perturbed data"),
    why="far from all data there is still nothing to learn from, and the error there is that of a guess",
)
def learned_everywhere_with_noise(log_density, count, width, d=1):
    return width > 1


@mutant("none", of="NCSN-8", why="the valley no better with noise than without")
def learned_without_noise(log_density, count, width, d=1):
    return log_density > math.log(0.2)
