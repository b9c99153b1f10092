"""Cards of the trace of a Jacobian and of what it costs (SM-8, SM-9)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import points, reals, rungs, together
from refgen.derivations.fields import (
    fields,
    gradient,
    vector_field,
)
from refgen.nets import derivatives
from refgen.sources import FIELD, HYVARINEN_2005, SONG_NOTES

NOT_SCALABLE = SONG_NOTES("'Score Matching is not scalable'")


# ---- SM-8, SM-9: the trace
@equation(
    "SM-8",
    title="the trace is the sum of the d diagonal entries of the Jacobian",
    formula=derivatives.trace,
    latex=r"\mathrm{tr}(\nabla_xs_\theta)=\sum_{i=1}^d\frac{\partial s_{\theta,i}}{\partial x_i}",
    sources=[NOT_SCALABLE, HYVARINEN_2005("theorem 1")],
    evidence="autodiff",
    how="the diagonal of the Jacobian by complex steps",
    given=rungs(
        lambda d: together(field=fields(d), x=st.lists(points(d), min_size=2, max_size=3).map(np.stack)),
        2,
        5,
    ),  # in one dimension all of the Jacobian is its trace
    tolerance=1e-12,
    examples=25,
)
def trace_of_the_jacobian(trace, field, x):
    s = vector_field(field)
    jacobian = gradient(s, x)
    _, claimed = trace(s, x)
    return claimed, np.trace(jacobian, axis1=-2, axis2=-1), 1 + np.sum(abs(jacobian), axis=(-2, -1))


@mutant(
    "all",
    of="SM-8",
    why="the gradient of the sum of all outputs: every entry of the Jacobian, not its diagonal",
)
def sum_of_the_jacobian(f, x):
    return f(x), anp.sum(elementwise_grad(lambda z: anp.sum(f(z), axis=-1))(x), axis=-1)


@mutant("divided", of="SM-8", why="divided by d: the mean of the diagonal")
def mean_of_the_diagonal(f, x):
    value, total = derivatives.trace(f, x)
    return value, total / np.shape(x)[-1]


@equation(
    "SM-9",
    title="the trace takes a reverse pass for each coordinate, however many points",
    formula=derivatives.trace,
    latex=r"\#\text{passes}=d",
    sources=[NOT_SCALABLE, FIELD("that the cost is one for each point")],
    evidence="algebra",
    how="the reverse passes counted while the formula runs",
    given=together(d=st.sampled_from([1, 2, 3, 7, 40]), n=st.sampled_from([1, 2, 5, 30]), slope=reals(-1, 1)),
    relative=False,
    tolerance=0.0,
    reject_at=0.5,
    tolerance32=None,
    examples=20,
)
def passes_of_the_trace(trace, d, n, slope):
    with derivatives.counted_passes() as count:
        trace(lambda x: slope * x + anp.sin(x), np.zeros((n, d)))
    return float(count.passes), float(d)


@misprint(
    "ERR-42",
    of="SM-9",
    printed=r"\text{gradients for all }x_i\text{ in the data set }D",
    correct=r"\text{gradients for all coordinates }x_i\text{ of one point}",
    source=NOT_SCALABLE,
    why="x_i is there the i-th coordinate, not the i-th point: all points share a pass. Here one for each",
)
def a_pass_for_each_point(f, x):
    slope = elementwise_grad(lambda z: f(derivatives.watched(z)))
    rows = [slope(x[i : i + 1]) for i in range(len(x))]
    return f(x), np.sum(np.concatenate(rows), axis=-1)
