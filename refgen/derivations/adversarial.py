"""Cards of adversarial networks: the best discriminator, the game's value, and what they lack
(GAN-1, GAN-2, TAX-3)."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize.elementwise import find_root

from refgen.cards import definition, equation, mutant
from refgen.cards.strategies import laws, positives, reals, rungs, together
from refgen.formulas import adversarial
from refgen.sources import GOODFELLOW_2014, SJTU, SONG_NOTES


# ---- GAN-1: the best discriminator
@equation(
    "GAN-1",
    title="the best discriminator is the data's share of the points",
    formula=adversarial.optimal_discriminator,
    latex=r"D^*=\arg\max_D\,p\log D+q\log(1-D)=\frac p{p+q}",
    sources=[GOODFELLOW_2014("proposition 1")],
    evidence="algebra",
    how="the root of the slope of p log D + q log(1 - D), state by state",
    given=rungs(lambda k: together(p=laws(k), q=laws(k)), 2, 3, 5),
    tolerance=1e-11,
)
def best_is_where_the_slope_is_zero(optimal_discriminator, p, q):
    best = find_root(lambda D, p, q: p * (1 - D) - q * D, (0.0, 1.0), args=(p, q))  # times D (1 - D)
    return optimal_discriminator(np.log(p), np.log(q)), best.x


@mutant("swapped", of="GAN-1", why="how likely a point is the generator's")
def share_of_the_generator(log_p, log_q):
    return 1 / (1 + np.exp(log_p - log_q))


@mutant("ratio", of="GAN-1", why="the ratio of the densities, which is the odds and not the probability")
def ratio_of_densities(log_p, log_q):
    return np.exp(log_p - log_q)


@mutant("density", of="GAN-1", why="the data's density alone")
def density_alone(log_p, log_q):
    return np.exp(log_p) + 0 * log_q


# ---- GAN-2: the value of the game at the best discriminator
LINE = np.linspace(-40, 40, 4001)


def normal(mean, std):
    return -(((LINE - mean) / std) ** 2) / 2 - math.log(std) - math.log(2 * math.pi) / 2


@equation(
    "GAN-2",
    title="the game's value at the best discriminator is 2 JS - 2 log 2",
    formula=adversarial.game_value,
    latex=r"\mathbb E_p\log\frac p{p+q}+\mathbb E_q\log\frac q{p+q}=2D_{JS}(p,q)-2\log2",
    sources=[GOODFELLOW_2014("theorem 1")],
    evidence="quadrature",
    how="two Gaussians on a line: the value from p / (p + q), the divergence from three entropies",
    given=together(mean=reals(-6, 6), std=positives(0.3, 3)),
    relative=False,
    tolerance=1e-10,
)
def value_by_quadrature(game_value, mean, std):
    log_p, log_q = normal(0.0, 1.0), normal(mean, std)
    p, q = np.exp(log_p), np.exp(log_q)
    log_both = np.logaddexp(log_p, log_q)
    log_mixed = log_both - math.log(2)

    def integral(f):
        return float(np.sum(f) * (LINE[1] - LINE[0]))

    entropies = [-integral(p * log_p), -integral(q * log_q), -integral(np.exp(log_mixed) * log_mixed)]
    divergence = entropies[2] - (entropies[0] + entropies[1]) / 2
    return game_value(divergence), integral(p * (log_p - log_both)) + integral(q * (log_q - log_both))


@mutant("once", of="GAN-2", why="the divergence once, where each of the two laws brings it")
def value_with_one_divergence(divergence):
    return divergence - 2 * math.log(2)


@mutant("log2", of="GAN-2", why="log 2 once: equal laws would have the value -log 2")
def value_with_one_log(divergence):
    return 2 * divergence - math.log(2)


@mutant("sign", of="GAN-2", why="the sign of the loss: laws that differ would be hard to tell apart")
def value_as_a_loss(divergence):
    return 2 * math.log(2) - 2 * divergence


# ---- TAX-3: three kinds of models
definition(
    "TAX-3",
    title="implicit models, models of a likelihood, models of a score: what each has and lacks",
    latex=r"x=G(z);\qquad\log p_\theta(x),\ \int p_\theta=1;\qquad s_\theta(x)=\nabla_x\log p(x)",
    sources=[
        SJTU("'Why Diffusion Models?'"),
        SONG_NOTES("'The key challenge'"),
    ],
    shown_by=[
        "GAN-3/slope",
        "GAN-4/slope",
        "EBM-7",
        "EBM-14",
        "tests/models/test_gan.py::test_a_sampler_and_no_density",
        "refgen.experiments.gan_modes",
    ],
    how="a GAN has samples and no density, and may lose modes (gan-modes counts them, seed by seed); "
    "a likelihood needs its constant, restricted or estimated (EBM-14); a score does without it (EBM-7)",
    module=__name__,
)
