"""Cards of the proof that leads from the explicit to the implicit objective (SM-4 to SM-6)."""

from __future__ import annotations

import math

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.derivations.fields import (
    blobs,
    density,
    fields,
    gradient,
    grid,
    log_density,
    vector_field,
)
from refgen.formulas import score_matching
from refgen.sources import HYVARINEN_2005, SONG_NOTES

PROOF = SONG_NOTES("'Score Matching', the proof")


def score_of(law):
    return lambda x: gradient(lambda z: log_density(z, law), x)


# ---- SM-4: multiplying out
@equation(
    "SM-4",
    title="step one of the proof: the square multiplied out",
    formula=score_matching.expanded,
    latex=r"\tfrac12\int p(\nabla\log p-s_\theta)^2"
    r"=\tfrac12\int p(\nabla\log p)^2+\tfrac12\int ps_\theta^2-\int p\,\nabla\log p\;s_\theta",
    sources=[PROOF, HYVARINEN_2005("appendix A")],
    evidence="quadrature",
    how="the square before it is multiplied out, summed over a grid",
    given=together(law=blobs(1), field=fields(1)),
    tolerance=1e-12,
    examples=60,
)
def square_multiplied_out(expanded, law, field):
    x, mass = grid(law)
    s, score = vector_field(field)(x), score_of(law)(x)
    first, square, cross = expanded(s, score)
    derived = 0.5 * mass @ (score - s)[:, 0] ** 2
    return mass @ first + mass @ square + mass @ cross, derived, mass @ (abs(score) + abs(s))[:, 0] ** 2


@misprint(
    "ERR-38",
    of="SM-4",
    printed=r"-\int p(x)\,\nabla_x\log p(x)\,s_\theta(x)^2dx",
    correct=r"-\int p(x)\,\nabla_x\log p(x)\,s_\theta(x)\,dx",
    source=PROOF,
    why="the cross term of (a - b)^2 is ab, not ab^2",
)
def square_of_the_cross_term(s, score):
    return 0.5 * np.sum(score**2, axis=-1), 0.5 * np.sum(s**2, axis=-1), -np.sum(score * s**2, axis=-1)


@mutant("half", of="SM-4", why="the half kept on the cross term, whose two it has used up")
def half_the_cross_term(s, score):
    return 0.5 * np.sum(score**2, axis=-1), 0.5 * np.sum(s**2, axis=-1), -0.5 * np.sum(score * s, axis=-1)


# ---- SM-5: the logarithm's derivative
@equation(
    "SM-5",
    title="step two: the density times its score is its gradient",
    formula=score_matching.density_gradient,
    latex=r"p\,\nabla\log p=\nabla p",
    sources=[PROOF, SONG_NOTES("'Denoising score matching', the cross term, lines 1 to 3")],
    evidence="autodiff",
    how="the derivative of the density itself, by a complex step",
    given=rungs(lambda d: together(law=blobs(d), x=points(d)), 1, 2, 5),
    tolerance=1e-12,
)
def gradient_of_the_density(density_gradient, law, x):
    x = x[None]
    derived = gradient(lambda z: density(z, law), x)
    scale = density(x, law)[:, None] * np.sum(
        1 + np.sum((x - law.means) ** 2, axis=-1) / np.min(law.stds) ** 2
    )
    return density_gradient(density(x, law), score_of(law)(x)), derived, scale


@mutant("log", of="SM-5", why="the factor p forgotten: the gradient of the log-density")
def gradient_of_the_logarithm(density, score):
    return score + 0 * density


@mutant("divided", of="SM-5", why="divided by p where it multiplies")
def score_over_density(density, score):
    return score / density


# ---- SM-6: integration by parts
def flow_on(law, s, total):
    """p s on the line, in Python floats; total: what the density is divided by."""
    lists = [part.tolist() for part in law]
    terms = [
        (w / (std * math.sqrt(2 * math.pi) * total), m, std) for w, (m,), std in zip(*lists, strict=True)
    ]

    def flow(x):
        return sum(w * anp.exp(-0.5 * ((x - m) / std) ** 2) for w, m, std in terms) * s(x)

    return flow


def on_the_line(field):
    """The one-dimensional field, as a function of numbers or arrays."""
    a, b, c, w = (float(np.ravel(part)[0]) for part in field)
    return lambda x: a * x + b + c * anp.tanh(w * x)


INTERVAL = together(law=blobs(1), field=fields(1), low=reals(-3, 0), width=positives(0.5, 3))


@equation(
    "SM-6/boundary",
    title="step three: what integration by parts leaves at the ends",
    formula=score_matching.boundary_term,
    latex=r"[\,p\,s\,]_a^b=\int_a^b\nabla p\;s\,dx+\int_a^bp\,\nabla_xs\,dx",
    sources=[PROOF, HYVARINEN_2005("appendix A")],
    evidence="quadrature",
    how="the integral of the derivative of p s, by a complex step, over the interval",
    given=INTERVAL,
    tolerance=1e-10,
    examples=60,
)
def boundary_is_the_integral_of_the_slope(boundary_term, law, field, low, width):
    flow = flow_on(law, on_the_line(field), 1.0)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    x = low + 0.5 * width * (nodes + 1)
    slope = gradient(lambda z: flow(z)[..., 0], x[:, None])[:, 0]
    claimed = boundary_term(flow, np.array([low]), np.array([low + width]))
    derived = np.array([0.5 * width * weights @ slope])
    return claimed, derived, 1 + 0.5 * width * weights @ abs(slope)


@misprint(
    "ERR-39",
    of="SM-6/boundary",
    printed=r"\Big[\int_{-\infty}^{\infty}p(x)\,s_\theta(x)\,dx\Big]-\dots",
    correct=r"\big[p(x)\,s_\theta(x)\big]_{-\infty}^{\infty}-\dots",
    source=PROOF,
    why="the boundary term is the difference of p s at the two ends, not its integral between them",
)
def boundary_as_an_integral(flow, low, high):
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half = 0.5 * (high - low)
    return sum(
        w * half * flow(low + half * (1 + u)) for u, w in zip(nodes.tolist(), weights.tolist(), strict=True)
    )


@mutant("sum", of="SM-6/boundary", why="the two ends added, the sign of the lower one lost")
def boundary_as_a_sum(flow, low, high):
    return flow(high) + flow(low)


@equation(
    "SM-6/line",
    title="step three on the whole line: the mean of the score times s",
    formula=score_matching.by_parts,
    latex=r"\int p\,\nabla\log p\;s_\theta\,dx=-\int p\,\nabla_xs_\theta\,dx",
    sources=[PROOF, HYVARINEN_2005("appendix A")],
    evidence="quadrature",
    how="the gradient of a mixture's density, by a complex step, times s, summed over a grid",
    given=together(law=blobs(1), theta=reals(-2, 2), offset=reals(-2, 2)),
    tolerance=1e-10,
    examples=60,
)
def score_times_field(by_parts, law, theta, offset):
    x, mass = grid(law)
    s = lambda z, t: t * z + offset * anp.tanh(z) + 1.0  # noqa: E731
    derived = gradient(lambda y: density(y, law), x)[:, 0] @ s(x[:, 0], theta) * (x[1, 0] - x[0, 0])
    return by_parts(s, theta, x[:, 0], mass), derived, 1 + abs(theta) + abs(offset)


@misprint(
    "ERR-40",
    of="SM-6/line",
    printed=r"\int p(x)\,\nabla_\theta s_\theta(x)\,dx",
    correct=r"\int p(x)\,\nabla_xs_\theta(x)\,dx",
    source=PROOF,
    why="integration by parts moves the derivative by x, over which is integrated, not one by the "
    "parameter. Here s = theta x + c tanh x + 1",
)
def derivative_by_the_parameter(s, theta, x, mass, boundary=0.0):
    return boundary - np.sum(mass * elementwise_grad(s, 1)(x, theta + 0 * x), axis=-1)


@mutant("sign", of="SM-6/line", why="the minus of integration by parts lost")
def parts_without_minus(s, theta, x, mass, boundary=0.0):
    return np.sum(mass * elementwise_grad(s)(x, theta), axis=-1) - boundary


@equation(
    "SM-6/interval",
    title="on an interval the boundary term stays: bounded support is not enough",
    formula=score_matching.boundary_term,
    latex=r"\tfrac12E_p(\nabla\log p-s)^2"
    r"=E_p[\tfrac12s^2+\nabla_xs]+\tfrac12E_p(\nabla\log p)^2-[\,p\,s\,]_a^b",
    sources=[PROOF, HYVARINEN_2005("theorem 1")],
    evidence="quadrature",
    how="the explicit objective, less what the implicit one and the constant give, for a mixture cut off at "
    "both ends",
    given=INTERVAL,
    tolerance=1e-9,
    examples=60,
)
def boundary_between_the_objectives(boundary_term, law, field, low, width):
    nodes, weights = np.polynomial.legendre.leggauss(60)
    x = low + 0.5 * width * (nodes + 1)
    mass = weights * density(x[:, None], law)
    total, s = 0.5 * width * float(np.sum(mass)), on_the_line(field)
    mass = mass / np.sum(mass)
    slope = gradient(lambda z: s(z)[..., 0], x[:, None])[:, 0]
    score = score_of(law)(x[:, None])[:, 0]
    gap = mass @ (0.5 * s(x) ** 2 + slope + 0.5 * score**2) - 0.5 * mass @ (score - s(x)) ** 2
    claimed = boundary_term(flow_on(law, s, total), np.array([low]), np.array([low + width]))
    return claimed, np.array([gap]), 1 + mass @ (s(x) ** 2 + abs(slope) + score**2)


@misprint(
    "ERR-41",
    of="SM-6/interval",
    printed=r"[\,p\,s_\theta\,]_{-\infty}^{\infty}=0\text{ because the support is bounded}",
    correct=r"[\,p\,s_\theta\,]_{-\infty}^{\infty}=0\text{ where }p\,s_\theta\to0\text{ at both ends}",
    source=PROOF,
    why="p is 0 outside a bounded support, but the derivative in the integral ends at the boundary, where p "
    "need not vanish: the two objectives then differ by a term that has parameters",
)
def no_boundary_term(flow, low, high):
    return 0 * (flow(high) - flow(low))


def tabulated(name):
    """Whether the support is bounded, p s at its ends, and on nodes: their mass, the score, s and s'."""
    nodes, weights = np.polynomial.legendre.leggauss(80)
    x, w = 0.5 * (nodes + 1), 0.5 * weights
    if name == "normal":
        x, w = 10 * nodes, 10 * weights
        p = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
        return False, (0.0, 0.0), w * p, -x, 1 - 2 * x, np.full_like(x, -2.0)
    if name == "uniform":
        return True, (1.0, 2.0), w, 0 * x, 1 + x, np.ones_like(x)
    if name == "uniform, s the same at both ends":
        return True, (1.0, 1.0), w, 0 * x, 1 + x * (1 - x), 1 - 2 * x
    if name == "parabola":
        return True, (0.0, 0.0), w * 6 * x * (1 - x), (1 - 2 * x) / (x * (1 - x)), x * (1 - x), 1 - 2 * x
    assert name == "exponential"
    x, w = 20 * (nodes + 1), 20 * weights
    return False, (1.0, 0.0), w * np.exp(-x), 0 * x - 1, np.exp(-x), -np.exp(-x)


@equation(
    "SM-6/condition",
    title="what must vanish is p s at the ends; bounded or not does not matter",
    formula=score_matching.holds_without_boundary,
    kind="claim",
    latex=r"p\,s\to0\text{ at the ends of the support}",
    sources=[HYVARINEN_2005("theorem 1"), PROOF],
    evidence="quadrature",
    how="whether the cross term of the square is minus the mean of the slope of s, by quadrature",
    cases=[
        dict(law=law)
        for law in ("normal", "uniform", "uniform, s the same at both ends", "parabola", "exponential")
    ],
)
def parts_need_what_vanishes(holds_without_boundary, law):
    bounded, (low, high), mass, score, s, slope = tabulated(law)
    true = abs(mass @ (score * s) + mass @ slope) < 1e-9
    return float(holds_without_boundary(np.array(low), np.array(high), bounded)), float(true)


@misprint(
    "ERR-41/condition",
    of="SM-6/condition",
    printed=r"\text{bounded support (zero beyond some finite number)}",
    correct=r"p\,s_\theta\to0\text{ at both ends}",
    source=PROOF,
    why="neither needed, for a Gaussian has no bounded support, nor enough: a uniform density has one",
)
def bounded_support(flow_low, flow_high, bounded):
    return np.array(bounded)
