"""Cards of energies and the normalising constant (EBM-1 to EBM-3)."""

from __future__ import annotations

from functools import reduce

import numpy as np
from scipy.special import kve

from refgen.cards import equation, mutant, z_limit
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.formulas import energy
from refgen.sources import (
    CS167,
    KIM,
    SJTU,
    SONG_KINGMA_2021,
    SONG_NOTES,
)

SLIDE = KIM("'Score-based Generative Model'")
NOTES = SONG_NOTES("'Normalizing constant'")


def quartics(**more):
    """The energy a x^4 + b x^2 on the line."""
    return together(a=positives(0.05, 5), b=positives(0.05, 5), **more)


def quartic(x, a, b):
    return a * x**4 + b * x**2


def quartic_log_z(a, b):
    """log of its normalising constant, by a Bessel function."""
    return float(np.log(0.5 * np.sqrt(b / a) * kve(0.25, b**2 / (8 * a))))


LINE, STEP = np.linspace(-8, 8, 1601, retstep=True)


# ---- EBM-1: the density, in both conventions of sign
@equation(
    "EBM-1/energy",
    title="a density from an energy, p = exp(-E) / Z",
    formula=energy.log_prob,
    latex=r"p(x)=\tfrac1Ze^{-E(x)},\qquad\int p\,dx=1",
    sources=[SLIDE, SJTU("'Score-based'"), SONG_KINGMA_2021()],
    evidence="quadrature",
    how="the density sums to one over a fine grid; Z by a Bessel function",
    given=quartics(),
    tolerance=1e-12,
)
def density_integrates_to_one(log_prob, a, b):
    return np.sum(np.exp(log_prob(quartic(LINE, a, b), quartic_log_z(a, b)))) * STEP, 1.0


@mutant("growing", of="EBM-1/energy", why="exp(+E): the other convention's sign with this one's energy")
def growing_density(energy, log_z):
    return energy - log_z


@mutant("inverse", of="EBM-1/energy", why="multiplied by Z")
def multiplied_by_z(energy, log_z):
    return -energy + log_z


@equation(
    "EBM-1/negative",
    title="the same from f = -E, p = exp(f) / Z",
    formula=energy.log_prob,
    latex=r"p(x)=\tfrac1Ze^{f(x)}\quad\Leftrightarrow\quad E=-f",
    sources=[NOTES, CS167("'PDF Estimation'")],
    evidence="algebra",
    how="f is the log-density of a Gaussian up to a constant, and p that Gaussian's density",
    given=together(x=reals(), mean=reals(), var=positives(0.1, 10), constant=reals()),
    tolerance=1e-12,
)
def both_signs_give_one_density(log_prob, x, mean, var, constant):
    f = np.array([constant - (x - mean) ** 2 / (2 * var)])
    log_z = float(constant + 0.5 * np.log(2 * np.pi * var))
    derived = np.array([-0.5 * np.log(2 * np.pi * var) - (x - mean) ** 2 / (2 * var)])
    return log_prob(-f, log_z), derived, abs(f) + abs(constant) + abs(log_z) + 1


@mutant("unturned", of="EBM-1/negative", why="f is taken for the energy: less density where there is more")
def f_for_energy(energy, log_z):
    return energy - log_z


# ---- EBM-2, EBM-3: the constant
@equation(
    "EBM-2/quadrature",
    title="the normalising constant by quadrature",
    formula=energy.log_normaliser,
    latex=r"Z_\theta=\int e^{-E_\theta(x)}dx",
    sources=[NOTES, SJTU("'Score-based'")],
    evidence="oracle",
    how="a Bessel function, which is this integral for a quartic energy",
    given=quartics(shift=reals(-300, 300)),
    tolerance=1e-12,
)
def constant_is_a_bessel_function(log_normaliser, a, b, shift):
    claimed = log_normaliser(quartic(LINE, a, b) + shift, float(np.log(STEP)))
    return claimed, quartic_log_z(a, b) - shift, 1 + abs(shift)


@mutant("sign", of="EBM-2/quadrature", why="exp(+E), which has no integral at all")
def constant_of_plus(energy, log_weight):
    return np.log(np.sum(np.exp(np.clip(energy, -700, 700) + log_weight), axis=-1))


@mutant("mean", of="EBM-2/quadrature", why="the mean over the grid, not the integral")
def constant_as_mean(energy, log_weight):
    return np.log(np.mean(np.exp(np.clip(-energy, -700, 700)), axis=-1))


@equation(
    "EBM-2/importance",
    title="the normalising constant from draws of another law",
    formula=energy.log_normaliser,
    latex=r"Z=\mathbb E_{x\sim q}\Big[\frac{e^{-E(x)}}{q(x)}\Big]",
    sources=[NOTES, SONG_KINGMA_2021()],
    evidence="monte carlo",
    how="z-scores of the estimate of Z against the Bessel function, with draws from a normal law",
    cases=[dict(a=a, b=b, seed=seed) for seed in (0, 1) for a, b in ((0.5, 0.5), (2.0, 0.1), (0.1, 1.0))],
    relative=False,
    tolerance=z_limit(6),
    reject_at=10,
)
def draws_estimate_the_constant(log_normaliser, a, b, seed):
    n, std = 40_000, 1.3
    x = std * np.random.default_rng(seed).normal(size=n)
    log_q = -0.5 * (x / std) ** 2 - 0.5 * np.log(2 * np.pi * std**2)
    error = np.std(np.exp(-quartic(x, a, b) - log_q)) / np.sqrt(n)
    estimate = np.exp(log_normaliser(quartic(x, a, b), -log_q - np.log(n)))
    return (estimate - np.exp(quartic_log_z(a, b))) / error, 0.0


@mutant(
    "unweighted", of="EBM-2/importance", why="the mean of exp(-E) over the draws, their density forgotten"
)
def constant_without_proposal(energy, log_weight):
    return np.log(np.mean(np.exp(-energy)))


@equation(
    "EBM-3",
    title="the constant of a Gaussian",
    formula=energy.log_normaliser,
    latex=r"f_\mu(x)=-\tfrac12\lVert x-\mu\rVert^2,\qquad Z_\mu=(2\pi)^{d/2}",
    sources=[SONG_NOTES("'Normalizing constant for Gaussians'")],
    evidence="quadrature",
    how="the formula sums over a grid in d dimensions; the closed form says what comes out",
    given=rungs(lambda d: together(mean=points(d, -1, 1)), 1, 2, 3),
    tolerance=1e-10,
    examples=30,
)
def gaussian_constant(log_normaliser, mean):
    d = len(mean)
    axis, step = np.linspace(-8, 8, 33, retstep=True)
    square = reduce(np.add.outer, [(axis - m) ** 2 for m in mean])
    return log_normaliser(0.5 * square.ravel(), d * float(np.log(step))), 0.5 * d * np.log(2 * np.pi)


@mutant("inverted", of="EBM-3", why="(2 pi)^(-d/2): the factor in front of the density, not what divides it")
def gaussian_constant_inverted(energy, log_weight):
    return -np.log(np.sum(np.exp(log_weight - energy), axis=-1))
