"""Cards of score matching on a data set, and of its minimum (SM-7, SM-10)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant, z_limit
from refgen.cards.strategies import points, reals, rungs, together
from refgen.derivations.fields import blobs, gradient, grid, log_density
from refgen.formulas import score_matching
from refgen.sources import HYVARINEN_2005, SONG_NOTES

NOTES = SONG_NOTES("'Score Matching'")


def square_matrices(d):
    return st.lists(reals(-2, 2), min_size=d * d, max_size=d * d).map(lambda a: np.reshape(a, (d, d)))


# ---- SM-7: the objective of a data set
@equation(
    "SM-7",
    title="the implicit objective of a data set",
    formula=score_matching.empirical,
    latex=r"J(\theta,D)=\tfrac1n\sum_i"
    r"\big[\tfrac12\lVert s_\theta(x_i)\rVert^2+\mathrm{tr}\,\nabla_xs_\theta(x_i)\big]",
    sources=[HYVARINEN_2005("section 2"), NOTES],
    evidence="algebra",
    how="for a linear score it is a quadratic in the first two moments of the data",
    given=rungs(
        lambda d: together(
            data=st.lists(points(d), min_size=2, max_size=5).map(np.stack), a=square_matrices(d), b=points(d)
        ),
        1,
        2,
        3,
    ),
    tolerance=1e-12,
)
def objective_by_moments(empirical, data, a, b):
    mean, second = np.mean(data, axis=0), data.T @ data / len(data)
    square = np.trace(a @ second @ a.T) + 2 * b @ a @ mean + b @ b
    claimed = empirical(data @ a.T + b, np.full(len(data), np.trace(a)))
    scale = 1 + np.mean(np.sum((abs(data) @ abs(a.T) + abs(b)) ** 2, axis=-1)) + np.sum(abs(a))
    return claimed, 0.5 * square + np.trace(a), scale


@misprint(
    "ERR-37",
    of="SM-7",
    printed=r"\frac1n\sum_i\big[\tfrac12\lVert s_\theta(x)\rVert^2+\mathrm{tr}(\nabla_xs_\theta(x))\big]",
    correct=r"\frac1n\sum_i\big[\tfrac12\lVert s_\theta(x_i)\rVert^2+\mathrm{tr}(\nabla_xs_\theta(x_i))\big]",
    source=NOTES,
    why="nothing in the sum depends on i: it is the value at one point x, here the first of the data",
)
def objective_without_index(s, trace):
    return 0.5 * np.sum(s[0] ** 2) + trace[0]


@mutant("sum", of="SM-7", why="the sum over the data where the mean belongs")
def objective_as_sum(s, trace):
    return np.sum(0.5 * np.sum(s * s, axis=-1) + trace)


@equation(
    "SM-7/estimate",
    title="over draws it estimates the implicit objective",
    formula=score_matching.empirical,
    latex=r"E_D\,J(\theta,D)=E_p\big[\tfrac12\lVert s_\theta\rVert^2+\mathrm{tr}\,\nabla_xs_\theta\big]",
    sources=[HYVARINEN_2005("section 2"), NOTES],
    evidence="monte carlo",
    how="z-scores for N(0, 1) and linear scores, the first that of a worked example: -1.5 x + 0.4, -0.295",
    cases=[dict(a=a, b=b, seed=seed) for seed in (0, 1) for a, b in ((-1.5, 0.4), (-1.0, 0.0), (2.0, -1.0))],
    relative=False,
    tolerance=z_limit(6),
    reject_at=10,
)
def draws_estimate_the_objective(empirical, a, b, seed):
    x = np.random.default_rng(seed).normal(size=(20_000, 1))
    s = a * x + b
    error = np.std(0.5 * s**2) / np.sqrt(len(x))
    return (empirical(s, np.full(len(x), a)) - (0.5 * (a**2 + b**2) + a)) / error, 0.0


@mutant("first", of="SM-7/estimate", why="the value at the first point of the data for the mean over all")
def estimate_by_one(s, trace):
    return 0.5 * np.sum(s[0] ** 2) + trace[0]


# ---- SM-7, SM-10: linear models have a closed minimum, and it is that of both objectives
@equation(
    "SM-7/minimiser",
    title="a linear score fitted to data in closed form",
    formula=score_matching.minimiser,
    latex=r"s_\theta=\Phi\theta:\quad\theta^*=-(\overline{\Phi^\top\Phi})^{-1}\,\overline{\mathrm{tr}\,\nabla\Phi}",
    sources=[HYVARINEN_2005("section 3")],
    evidence="algebra",
    how="with the fields e_j and x_j e_j it is the Gaussian of the data's mean and variances",
    given=rungs(
        lambda d: together(data=st.lists(points(d, -1, 1), min_size=3, max_size=5).map(np.stack)), 1, 2
    ),
    tolerance=1e-9,
)
def fitted_gaussian(minimiser, data):
    n, d = data.shape
    data = data + np.linspace(-3, 3, n)[:, None]  # so that they differ
    features = np.concatenate([np.broadcast_to(np.eye(d), (n, d, d)), data[:, :, None] * np.eye(d)], axis=2)
    traces = np.broadcast_to(np.repeat([0.0, 1.0], d), (n, 2 * d)).copy()
    mean, var = np.mean(data, axis=0), np.var(data, axis=0)
    scale = np.sum((1 + np.mean(data**2, axis=0)) ** 2 / var**2)
    return minimiser(features, traces), np.concatenate([mean / var, -1 / var]), scale


@mutant("sign", of="SM-7/minimiser", why="the minus lost: a density that grows outwards")
def fitted_upside_down(features, traces, mass=None):
    return -score_matching.minimiser(features, traces, mass)


@mutant("half", of="SM-7/minimiser", why="the two of the derivative of the square kept, that of the half not")
def fitted_by_half(features, traces, mass=None):
    return 0.5 * score_matching.minimiser(features, traces, mass)


@equation(
    "SM-10",
    title="both objectives have the same minimum",
    formula=score_matching.minimiser,
    latex=r"\arg\min_\theta\,E_p\big[\tfrac12\lVert s_\theta\rVert^2+\mathrm{tr}\,\nabla s_\theta\big]"
    r"=\arg\min_\theta\,\tfrac12E_p\lVert\nabla\log p-s_\theta\rVert^2",
    sources=[HYVARINEN_2005("theorem 1"), NOTES],
    evidence="quadrature",
    how="least squares on the score of a mixture itself, for the fields 1, x and tanh x",
    given=together(law=blobs(1, narrowest=0.7)),
    tolerance=1e-8,
    examples=50,
)
def minimum_of_the_explicit_objective(minimiser, law):
    x, mass = grid(law)
    z = x[:, 0]
    features = np.stack([np.ones_like(z), z, np.tanh(z)], axis=-1)
    traces = np.stack([np.zeros_like(z), np.ones_like(z), 1 / np.cosh(z) ** 2], axis=-1)
    root = np.sqrt(mass)
    score = gradient(lambda y: log_density(y, law), x)[:, 0]
    derived = np.linalg.lstsq(root[:, None] * features, root * score, rcond=None)[0]
    inverse = np.linalg.inv(features.T @ (mass[:, None] * features))  # by which rounding is multiplied
    return minimiser(features[:, None], traces, mass), derived, np.sum(abs(inverse))


@mutant("unweighted", of="SM-10", why="all points of the grid alike: the minimum for a uniform law")
def minimum_for_another_law(features, traces, mass):
    return score_matching.minimiser(features, traces)
