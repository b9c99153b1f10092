"""Cards of Hutchinson's trace: v^T J v, what it costs, and its mean (SSM-3, 4, 6)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import rungs, together
from refgen.derivations.directions import (
    LAWS,
    clouds,
    expect,
    jacobian,
    matrices,
    models,
    nodes,
)
from refgen.formulas import sliced
from refgen.nets import derivatives
from refgen.sources import HUTCHINSON_1989, ISACHENKO, SONG_2019_SLICED, SONG_NOTES

SLICED = SONG_NOTES("'Sliced Score Matching'")
PASS = SONG_NOTES("'Sliced Score Matching', computing the projection by one backpropagation")
LAW = SONG_NOTES("'Sliced Score Matching', choice of the projection's law")
THEOREM = ISACHENKO("'Sliced score matching'")


def as_function(net):
    """The model as a function that differentiates and runs on any device: its weights are plain numbers."""
    w, b, u = (net[name].tolist() for name in "wbu")

    def f(x):
        inside = [sum(x[:, i] * w[i][k] for i in range(len(w))) + b[k] for k in range(len(b))]
        return anp.stack([sum(anp.tanh(a) * u[k][j] for k, a in enumerate(inside)) for j in range(len(w))], 1)

    return f


@equation(
    "SSM-3",
    title="v^T J v by the derivative of v^T s",
    formula=derivatives.sliced_trace,
    latex=r"v^\top\nabla_xs_\theta\,v=v^\top\nabla_x(v^\top s_\theta)",
    sources=[PASS, SONG_2019_SLICED("section 3")],
    evidence="algebra",
    how="the whole Jacobian of a small network by the chain rule, then v on both sides",
    given=rungs(lambda d: together(net=models(d, 3), x=clouds(2, d), v=clouds(2, d)), 1, 2, 3),
    tolerance=1e-11,
)
def one_pass_is_the_quadratic_form(sliced_trace, net, x, v):
    _, claimed = sliced_trace(as_function(net), x, v)
    terms = v[:, :, None] * jacobian(net, x) * v[:, None, :]
    return claimed, terms.sum((1, 2)), abs(terms).sum((1, 2)) + np.sum(v**2, axis=1)


@mutant("one-sided", of="SSM-3", why="the gradient of v^T s summed, not multiplied by v again")
def gradient_without_v(f, x, v):
    s, pull_back = f(x), make_vjp(f)(x)[0]
    return s, np.sum(pull_back(v), axis=-1)


@mutant("moving", of="SSM-3", why="v taken for a function of x (here x itself) when v^T s is differentiated")
def gradient_through_v(f, x, v):
    s, pull_back = f(x), make_vjp(f)(x)[0]
    return s, np.sum(v * (pull_back(v) + s), axis=-1)


@equation(
    "SSM-4",
    title="one reverse pass for each direction, in any dimension",
    formula=derivatives.sliced_trace,
    latex=r"\mathrm{passes}\big(v^\top\nabla_x(v^\top s_\theta)\big)=1\text{ for every }d",
    sources=[PASS, SONG_2019_SLICED("section 3")],
    evidence="autodiff",
    how="counting the derivatives that come back to x, for one direction or several, at several points",
    kind="claim",
    given=rungs(
        lambda d: together(net=models(d), x=clouds(3, d), many=st.integers(1, 3)),
        2, 3, 5, 8,
    ),
    tolerance32=None,
    examples=30,
)  # fmt: skip
def passes_are_the_directions(sliced_trace, net, x, many):
    v = np.stack([np.roll(x, k, axis=0) + k for k in range(many)])
    with derivatives.counted_passes() as count:
        sliced_trace(as_function(net), x, v)
    return count.passes, many


@mutant("rows", of="SSM-4", why="the whole Jacobian first: a pass for each of its d rows")
def whole_jacobian_first(f, x, v):
    pull_back, s = make_vjp(lambda z: f(derivatives.watched(z)))(x)
    rows = []
    for i in range(x.shape[1]):
        basis = np.zeros_like(x)
        basis[:, i] = 1
        rows.append(pull_back(basis))
    return s, np.einsum("mni,inj,mnj->mn", v, np.array(rows), v)


@mutant("points", of="SSM-4", why="a pass for each point and direction, where one serves all points")
def point_by_point(f, x, v):
    parts = [derivatives.sliced_trace(f, x[i : i + 1], v[:, i : i + 1]) for i in range(len(x))]
    return np.concatenate([s for s, _ in parts]), np.concatenate([a for _, a in parts], axis=1)


@equation(
    "SSM-6",
    title="Hutchinson: the mean of v^T A v is the trace",
    formula=sliced.trace_along,
    latex=r"E[vv^\top]=I\ \Rightarrow\ E[v^\top Av]=\mathrm{tr}A",
    sources=[THEOREM, HUTCHINSON_1989(), SLICED],
    evidence="quadrature",
    how="all signs, a product rule for normals, a rule on the sphere: each exact for squares",
    given=rungs(lambda d: together(jac=matrices(d, d), law=LAWS), 1, 2, 3),
    tolerance=1e-11,
)
def mean_is_the_trace(trace_along, jac, law):
    v, weights = nodes(law, len(jac))
    return expect(weights, trace_along(v, jac)), np.trace(jac), np.sum(abs(jac)) + 1


@mutant("mean", of="SSM-6", why="divided by d: the mean of the diagonal, four fifths of a loss lost in five "
        "dimensions")  # fmt: skip
def trace_over_dimension(v, jac):
    return sliced.trace_along(v, jac) / np.shape(v)[-1]


@mutant("unit", of="SSM-6", why="directions of length one, for which E[v v^T] = I / d")
def trace_of_unit_directions(v, jac):
    return sliced.trace_along(v / np.linalg.norm(v, axis=-1, keepdims=True), jac)
