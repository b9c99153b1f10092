"""Cards of the explicit and the implicit objective (SM-1 to SM-3)."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import covariances, points, reals, rungs, together
from refgen.derivations.fields import blobs, fields, gradient, grid, log_density, vector_field
from refgen.formulas import score_matching
from refgen.sources import FIELD, HYVARINEN_2005, ISACHENKO, KIM, SJTU, SONG_NOTES

THEOREM = ISACHENKO("'Implicit score matching'")
NOTES = SONG_NOTES("'Score Matching'")


def cross_polytope(mean, cov):
    """2d points (2d, d) whose mean over them is the Gaussian's mean for every quadratic."""
    root = np.sqrt(len(mean)) * np.linalg.cholesky(cov).T
    return mean + np.concatenate([root, -root])


def square_matrices(d):
    return st.lists(reals(-2, 2), min_size=d * d, max_size=d * d).map(lambda a: np.reshape(a, (d, d)))


# ---- SM-1, SM-2: the Fisher divergence
def linear(d):
    return together(mean=points(d), cov=covariances(d), a=square_matrices(d), b=points(d))


@equation(
    "SM-1",
    title="the Fisher divergence, explicit score matching",
    formula=score_matching.explicit,
    latex=r"F(\theta)=\tfrac12E_p\lVert\nabla\log p(x)-s_\theta(x)\rVert^2",
    sources=[
        HYVARINEN_2005("section 2"),
        THEOREM,
        NOTES,
        KIM("'Score-based Generative Model'"),
        SJTU("'Score-based'"),
    ],
    evidence="algebra",
    how="Gaussian data and a linear score: half the mean of a square, by its moments",
    given=rungs(linear, 1, 2, 3),
    tolerance=1e-11,
)
def divergence_by_moments(explicit, mean, cov, a, b):
    x = cross_polytope(mean, cov)
    precision = np.linalg.inv(cov)
    claimed = np.mean(explicit(x @ a.T + b, (mean - x) @ precision))
    slope, offset = a + precision, b - precision @ mean
    derived = 0.5 * (np.trace(slope @ cov @ slope.T) + np.sum((slope @ mean + offset) ** 2))
    return claimed, derived, np.sum((abs(x) @ (abs(a.T) + abs(precision)) + abs(offset)) ** 2)


@mutant("whole", of="SM-1", why="without the half, as some texts have it: twice as much")
def divergence_without_half(s, score):
    return np.sum((s - score) ** 2, axis=-1)


@mutant("mean", of="SM-1", why="the mean over coordinates where their sum belongs")
def divergence_per_coordinate(s, score):
    return 0.5 * np.mean((s - score) ** 2, axis=-1)


@mutant("norm", of="SM-1", why="the norm, not its square")
def divergence_by_norm(s, score):
    return 0.5 * np.sqrt(np.sum((s - score) ** 2, axis=-1))


@equation(
    "SM-2",
    title="it is 0 for the score itself, and for nothing else",
    formula=score_matching.explicit,
    latex=r"F\ge0,\qquad F=0\iff s_\theta=\nabla\log p\ \text{almost everywhere}",
    sources=[HYVARINEN_2005("theorem 2"), NOTES],
    evidence="quadrature",
    how="a mixture's score and a perturbation of it: half the mean square of the perturbation",
    given=rungs(lambda d: together(law=blobs(d), field=fields(d), size=reals(0, 2)), 1),
    tolerance=1e-12,
    examples=50,
)
def divergence_of_a_perturbation(explicit, law, field, size):
    x, mass = grid(law)
    score = gradient(lambda z: log_density(z, law), x)
    change = size * vector_field(field)(x)
    scale = mass @ np.sum((abs(score) + abs(change)) ** 2, axis=-1)
    return mass @ explicit(score + change, score), 0.5 * mass @ np.sum(change**2, axis=-1), scale


@mutant("constant", of="SM-2", why="the cross term without its weight of two: not 0 at the truth")
def divergence_with_half_the_cross_term(s, score):
    return 0.5 * np.sum(s**2 - s * score + score**2, axis=-1)


# ---- SM-3: the implicit form
def trace_of(field, x):
    """The trace of its Jacobian, by hand."""
    return np.trace(field.a) + field.c @ field.w / np.cosh(x @ field.w) ** 2


def implicit_is_explicit(implicit, law, field):
    x, mass = grid(law)
    s, score = vector_field(field)(x), gradient(lambda z: log_density(z, law), x)
    trace = trace_of(field, x)
    derived = 0.5 * mass @ np.sum((s - score) ** 2, axis=-1) - 0.5 * mass @ np.sum(score**2, axis=-1)
    return mass @ implicit(s, trace), derived, mass @ (np.sum(s**2 + score**2, axis=-1) + abs(trace))


IMPLICIT: dict[str, Any] = dict(
    formula=score_matching.implicit,
    latex=r"\tfrac12E_\pi\lVert s_\theta-\nabla\log\pi\rVert^2"
    r"=E_\pi\big[\tfrac12\lVert s_\theta\rVert^2+\mathrm{tr}(\nabla_xs_\theta)\big]"
    r"+\tfrac12E_\pi\lVert\nabla\log\pi\rVert^2",
    sources=[HYVARINEN_2005("theorem 1"), THEOREM, NOTES],
    evidence="quadrature",
)

equation(
    "SM-3/line",
    title="implicit score matching is explicit, up to a constant",
    how="both sides summed over a grid, for a mixture on the line and a bent field",
    given=together(law=blobs(1), field=fields(1)),
    tolerance=1e-10,
    examples=60,
    **IMPLICIT,
)(implicit_is_explicit)

equation(
    "SM-3/plane",
    title="the same in the plane",
    how="both sides summed over a grid of the plane, for a mixture of two round Gaussians",
    given=together(law=blobs(2, narrowest=0.8, widest=1.2), field=fields(2)),
    tolerance=1e-8,
    examples=12,
    **IMPLICIT,
)(implicit_is_explicit)


@mutant("sign", of="SM-3/line", why="minus the trace: the energy upside down")
def implicit_minus_trace(s, trace):
    return 0.5 * np.sum(s * s, axis=-1) - trace


@mutant("half", of="SM-3/line", why="the half forgotten before the square, and not the two before the trace")
def implicit_without_half(s, trace):
    return np.sum(s * s, axis=-1) + trace


@mutant("divided", of="SM-3/plane", why="the trace divided by d")
def implicit_with_mean_diagonal(s, trace):
    return 0.5 * np.sum(s * s, axis=-1) + trace / np.shape(s)[-1]


@equation(
    "SM-3/optimum",
    title="the implicit objective at the optimum for a Gaussian",
    formula=score_matching.implicit,
    latex=r"J(\nabla\log N(\mu,\Sigma))=-\tfrac12\mathrm{tr}\,\Sigma^{-1},\qquad-\tfrac d2\text{ for }N(0,I)",
    sources=[HYVARINEN_2005("theorem 1"), FIELD("a trace estimate divided by d, positive at the optimum")],
    evidence="algebra",
    how="minus half the sum of the inverse eigenvalues of the covariance",
    given=rungs(lambda d: together(mean=points(d), cov=covariances(d)), 2, 5),
    tolerance=1e-11,
    examples=50,
)
def optimum_of_a_gaussian(implicit, mean, cov):
    x, precision = cross_polytope(mean, cov), np.linalg.inv(cov)
    claimed = implicit((mean - x) @ precision, np.full(len(x), -np.trace(precision)))
    inverse = 1 / np.linalg.eigvalsh(cov)
    return np.mean(claimed), -0.5 * np.sum(inverse), len(mean) * np.sum(inverse)


@mutant("divided", of="SM-3/optimum", why="the trace divided by d: a positive value at the optimum")
def optimum_with_mean_diagonal(s, trace):
    return 0.5 * np.sum(s * s, axis=-1) + trace / np.shape(s)[-1]


@mutant("mean", of="SM-3/optimum", why="the square averaged over coordinates, the trace summed")
def optimum_with_mean_square(s, trace):
    return 0.5 * np.mean(s * s, axis=-1) + trace


@equation(
    "SM-3/constant",
    title="the constant between the two",
    formula=score_matching.constant,
    latex=r"C=\tfrac12E_\pi\lVert\nabla\log\pi\rVert^2=-\tfrac12E_\pi\,\mathrm{tr}\,\nabla^2\log\pi",
    sources=[HYVARINEN_2005("theorem 1"), THEOREM],
    evidence="quadrature",
    how="the curvature of the log-density, by differences of its slope",
    given=together(law=blobs(1, narrowest=0.7)),
    tolerance=1e-7,
    examples=50,
)
def constant_is_mean_curvature(constant, law):
    x, mass = grid(law)
    slope = lambda z: gradient(lambda y: log_density(y, law), z)  # noqa: E731
    h = 1e-3
    curvature = (8 * (slope(x + h) - slope(x - h)) - (slope(x + 2 * h) - slope(x - 2 * h))) / (12 * h)
    return mass @ constant(slope(x)), -0.5 * mass @ curvature[:, 0], mass @ slope(x)[:, 0] ** 2


@mutant("whole", of="SM-3/constant", why="without the half")
def constant_without_half(score):
    return np.sum(score**2, axis=-1)
