r"""Score matching: the explicit objective, the implicit one, and the proof between them, step by step.   [SM]

.. math:: \underbrace{\tfrac12\mathbb E_p\lVert\nabla\log p-s\rVert^2}_{\text{explicit}}
          =\underbrace{\mathbb E_p\big[\tfrac12\lVert s\rVert^2+\mathrm{tr}\,\nabla_xs\big]}_{\text{implicit}}
          +\underbrace{\tfrac12\mathbb E_p\lVert\nabla\log p\rVert^2}_{\text{constant}}-[\,p\,s\,]

The bracket is what is left at the boundary of the support, and must be 0. Losses are given for each point;
their mean over data is the objective. `s` is the model's score, `score` that of the data's density.
"""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as np
from autograd import elementwise_grad

from refgen.formulas.elementary import Array, require_last_axis

__all__ = [
    "boundary_term",
    "by_parts",
    "constant",
    "density_gradient",
    "empirical",
    "expanded",
    "explicit",
    "holds_without_boundary",
    "implicit",
    "minimiser",
]


def explicit(s: Array, score: Array) -> Array:
    r"""Explicit score matching: half the squared distance of two scores.                        [SM-1, SM-2]

    .. math:: F=\tfrac12\,\mathbb E_p\lVert\nabla\log p(x)-s(x)\rVert^2\ge0

    is the Fisher divergence, 0 only for the score itself. s, score: (..., d). Returns (...), for each point.
    Some texts leave out the half. Source: Hyvarinen 2005, section 2; Isachenko, 'Implicit score matching'.
    """
    require_last_axis(s=s, score=score)
    difference = s - score
    return 0.5 * np.sum(difference * difference, axis=-1)


def implicit(s: Array, trace: Array) -> Array:
    r"""Implicit score matching: the explicit one without the data's score, up to a constant.   [SM-3, SM-7]

    .. math:: \tfrac12\lVert s(x)\rVert^2+\mathrm{tr}\,\nabla_xs(x)

    s: (..., d). trace: of its Jacobian by x, the sum of the d diagonal entries, (...). Returns (...).
    At the optimum for N(0, I) the mean is -d/2. Source: Hyvarinen 2005, theorem 1.
    """
    _require_points(s, trace=trace)
    return 0.5 * np.sum(s * s, axis=-1) + trace


def constant(score: Array) -> Array:
    r"""What the explicit objective has more than the implicit one.                             [SM-3, SM-10]

    .. math:: C=\tfrac12\,\mathbb E_p\lVert\nabla\log p\rVert^2

    It has no parameters, so both have the same minimum. score: (..., d). Returns (...), for each point.
    """
    return 0.5 * np.sum(score * score, axis=-1)


def empirical(s: Array, trace: Array) -> Array:
    r"""The implicit objective of a data set: the mean over its points.                                [SM-7]

    .. math:: J(\theta, D)=\frac1n\sum_{i=1}^n\Big[\tfrac12\lVert s_\theta(x_i)\rVert^2
              +\mathrm{tr}\,\nabla_xs_\theta(x_i)\Big]

    s: (n, d) at the data. trace: (n,). Returns a scalar. Source: Hyvarinen 2005, section 2.
    """
    return np.mean(implicit(s, trace), axis=-1)


def expanded(s: Array, score: Array) -> tuple[Array, Array, Array]:
    r"""The explicit objective multiplied out, the first step of the proof.                            [SM-4]

    .. math:: \tfrac12\lVert\nabla\log p-s\rVert^2
              =\tfrac12\lVert\nabla\log p\rVert^2+\tfrac12\lVert s\rVert^2-\nabla\log p^\top s

    s, score: (..., d). Returns the three terms, (...): the constant, the square and the cross term, with its
    sign. Source: Dong-A notes, the proof, corrected.
    """
    require_last_axis(s=s, score=score)
    return constant(score), 0.5 * np.sum(s * s, axis=-1), -np.sum(score * s, axis=-1)


def density_gradient(density: Array, score: Array) -> Array:
    r"""The gradient of a density by its score: the second step of the proof.                   [SM-5, EBM-8]

    .. math:: \nabla p(x)=p(x)\,\nabla\log p(x)

    It points where the score points: up, the steepest way. density: p(x), (...). score: (..., d).
    Returns (..., d). Source: Dong-A notes, the proof.
    """
    _require_points(score, density=density)
    return density[..., None] * score


def by_parts(
    s: Callable[[Array, Array], Array], theta: Array, x: Array, mass: Array, boundary: Array = 0.0
) -> Array:
    r"""The mean of score times s, without the score: the third step of the proof, on a line.          [SM-6]

    .. math:: \mathbb E_p[\nabla\log p\;s_\theta]=\int p'\,s_\theta\,dx
              =[\,p\,s_\theta\,]-\mathbb E_p[\partial_xs_\theta]

    The derivative is by x, not by theta. s: (x, theta) -> values, of the shape of x. x, mass: the points of a
    quadrature rule and their probabilities, (n,). boundary: `boundary_term`, 0 on the whole line. In more
    dimensions the trace stands for the derivative, and the flow of p s out of the domain for the boundary.
    Source: Hyvarinen 2005, appendix A; Dong-A notes, the proof, corrected.
    """
    require_last_axis(x=x, mass=mass)
    return boundary - np.sum(mass * elementwise_grad(s)(x, theta), axis=-1)


def boundary_term(flow: Callable[[Array], Array], low: Array, high: Array) -> Array:
    r"""What integration by parts leaves at the two ends of an interval.                                [SM-6]

    .. math:: [\,p\,s\,]_a^b=p(b)\,s(b)-p(a)\,s(a)

    flow: x -> p(x) s(x). low, high: a and b. Broadcastable. It is 0 where p s vanishes at both ends, as for a
    Gaussian on the whole line. Source: Hyvarinen 2005, theorem 1; Dong-A notes, the proof, corrected.
    """
    return flow(high) - flow(low)


def holds_without_boundary(flow_low: Array, flow_high: Array, bounded: bool) -> Array:
    r"""Whether the implicit objective may be used as it stands, without a boundary term.               [SM-6]

    flow_low, flow_high: the limits of p s at the ends of the support. bounded: whether the support is, which
    does not matter: a uniform density has a bounded support and does not vanish at its ends, a Gaussian has
    none and does.
    """
    return flow_low == flow_high


def minimiser(features: Array, traces: Array, mass: Array | None = None) -> Array:
    r"""The parameters that minimise either objective, for a score that is linear in them.      [SM-7, SM-10]

    .. math:: s_\theta(x)=\Phi(x)\,\theta\ \Rightarrow\
              \theta^*=-\big(\mathbb E\,\Phi^\top\Phi\big)^{-1}\,\mathbb E\,\mathrm{tr}\,\nabla_x\Phi

    features: Phi(x_i), (n, d, k), one field for each parameter. traces: of their Jacobians, (n, k). mass: the
    weight of each point, (n,), sum 1; equal where not given. Returns (k,).
    Raises ValueError where shapes differ. Source: least squares; Hyvarinen 2005, section 3, for a Gaussian.
    """
    n, d, k = np.shape(features) if np.ndim(features) == 3 else (0, 0, 0)
    if np.ndim(features) != 3 or np.shape(traces) != (n, k):
        raise ValueError(
            f"features has shape {np.shape(features)} and traces {np.shape(traces)}; "
            "they must be (n, d, k) and (n, k)"
        )
    weight = np.ones_like(traces[:, 0]) / n if mass is None else mass
    weighted = np.reshape(weight[:, None, None] * features, (n * d, k))
    gram = np.transpose(weighted) @ np.reshape(features, (n * d, k))
    return -np.linalg.solve(gram, np.transpose(weight[None] @ traces))[:, 0]


def _require_points(s: Array, **named: Array) -> None:
    """Raise ValueError unless the array has one number for each point of s."""
    for name, array in named.items():
        if np.shape(array) != np.shape(s)[:-1]:
            raise ValueError(
                f"{name} has shape {np.shape(array)}; it must be that of the points, {np.shape(s)[:-1]}"
            )
