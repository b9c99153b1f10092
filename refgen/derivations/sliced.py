"""Cards of sliced score matching: the loss along directions (SSM-1, 2, 10, 11)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad
from autograd.scipy.special import logsumexp
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import laws, points, positives, rungs, together
from refgen.derivations.directions import (
    LAWS,
    expect,
    jacobian,
    matrices,
    model,
    models,
    nodes,
    spread,
)
from refgen.formulas import sliced
from refgen.sources import FIELD, ISACHENKO, SONG_2019_SLICED, SONG_NOTES

SLICED = SONG_NOTES("'Sliced Score Matching'")
SUMMARY = SONG_NOTES("'Sliced Score Matching', summary")
THEOREM = ISACHENKO("'Sliced score matching'")
PAPER = SONG_2019_SLICED("section 3")


# ---- SSM-1 and SSM-10: what a projection keeps of a distance
def two_scores(d):
    return together(s=points(d), score=points(d), law=LAWS)


@equation(
    "SSM-1",
    title="the sliced Fisher divergence is the Fisher divergence",
    formula=sliced.divergence,
    latex=r"\tfrac12E_v\big[(v^\top\nabla\log p-v^\top s_\theta)^2\big]"
    r"=\tfrac12\lVert\nabla\log p-s_\theta\rVert^2",
    sources=[SLICED, PAPER],
    evidence="quadrature",
    how="nodes of each law of directions that are exact for squares",
    given=rungs(two_scores, 1, 2, 3),
    tolerance=1e-11,
)
def sliced_divergence_is_the_whole(divergence, s, score, law):
    v, weights = nodes(law, len(s))
    claimed = expect(weights, divergence(v, np.broadcast_to(s, v.shape), np.broadcast_to(score, v.shape)))
    return claimed, 0.5 * np.sum((score - s) ** 2), np.sum(s**2) + np.sum(score**2) + 1


@mutant("half", of="SSM-1", why="the half left out, as by those who print the divergence without one")
def divergence_without_half(v, s, score):
    return 2 * sliced.divergence(v, s, score)


@mutant("unit", of="SSM-1", why="directions of length one: a d-th of the divergence")
def divergence_along_unit_directions(v, s, score):
    return sliced.divergence(v / np.linalg.norm(v, axis=-1, keepdims=True), s, score)


@equation(
    "SSM-10/bound",
    title="close vectors have close projections",
    formula=sliced.divergence,
    latex=r"\lvert v^\top(a-b)\rvert\le\lVert v\rVert\,\lVert a-b\rVert",
    sources=[SONG_NOTES("'Sliced Score Matching', projecting the vector fields")],
    evidence="algebra",
    how="the norms of both",
    relation="<=",
    given=rungs(lambda d: together(v=points(d), s=points(d), score=points(d)), 1, 2, 5),
    tolerance=1e-12,
)
def projection_is_bounded(divergence, v, s, score):
    bound = 0.5 * np.linalg.norm(v) ** 2 * np.linalg.norm(s - score) ** 2
    return divergence(v, s, score), bound, bound + 1


@mutant("plus", of="SSM-10/bound", why="v^T a + v^T b: a sign lost when the bracket was opened")
def sum_of_projections(v, s, score):
    return sliced.divergence(v, s, -score)


@equation(
    "SSM-10/equality",
    title="the bound is met along the difference",
    formula=sliced.divergence,
    latex=r"v\parallel a-b:\quad\lvert v^\top(a-b)\rvert=\lVert v\rVert\,\lVert a-b\rVert",
    sources=[SONG_NOTES("'Sliced Score Matching', projecting the vector fields")],
    evidence="algebra",
    how="the norms of both",
    given=rungs(lambda d: together(scale=positives(0.1, 10), s=points(d), score=points(d)), 1, 2, 5),
    tolerance=1e-12,
)
def projection_along_the_difference(divergence, scale, s, score):
    v = scale * (s - score)
    return divergence(v, s, score), 0.5 * (v @ v) * np.sum((s - score) ** 2)


@mutant("length", of="SSM-10/equality", why="v^T (a - b) not squared")
def projection_not_squared(v, s, score):
    return 0.5 * abs(np.sum(v * (s - score), axis=-1))


# ---- SSM-2: the loss without the score of the data
def planes():
    """Mixtures in the plane, of axis-aligned Gaussians, with a direction and a model."""
    stds = st.lists(st.sampled_from([1.0, 0.7, 1.4]), min_size=4, max_size=4)
    law = together(
        weights=laws(2), means=matrices(2, 2, -2, 2), stds=stds.map(lambda a: np.reshape(a, (2, 2)))
    )
    return together(law=law, v=points(2, -2, 2), net=models(2))


def log_density(x, law):
    z = (x[:, None] - law["means"]) / law["stds"]
    logs = np.log(law["weights"]) - np.sum(np.log(law["stds"]), axis=1) - np.log(2 * np.pi)
    return logsumexp(logs - 0.5 * anp.sum(z**2, axis=2), axis=1)


def plane(step=0.3, reach=14.0):
    """A grid in the plane, as points (n, 2), and the area of its cells."""
    axis = np.arange(-reach, reach + step / 2, step)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2), step**2


@equation(
    "SSM-2",
    title="the sliced loss needs no score of the data",
    formula=sliced.sliced,
    latex=r"E_p\big[v^\top\nabla_xs_\theta v+\tfrac12(v^\top s_\theta)^2\big]"
    r"=\tfrac12E_p(v^\top\nabla\log p-v^\top s_\theta)^2-\tfrac12E_p(v^\top\nabla\log p)^2",
    sources=[SLICED, THEOREM, PAPER],
    evidence="quadrature",
    how="both sides summed over the plane; the score by differentiating the log-density of a mixture",
    given=planes(),
    tolerance=1e-9,
    examples=20,
)
def sliced_loss_is_the_divergence(sliced, law, v, net):
    x, area = plane()
    mass, score = area * np.exp(log_density(x, law)), elementwise_grad(log_density)(x, law)
    s, curvature = model(net, x), np.einsum("i,nij,j->n", v, jacobian(net, x), v)
    claimed = mass @ sliced(np.broadcast_to(v, x.shape), s, curvature)
    across, along = (score - s) @ v, score @ v
    derived = 0.5 * mass @ across**2 - 0.5 * mass @ along**2
    return claimed, derived, mass @ (across**2 + along**2) + 1


@mutant(
    "trace-sign", of="SSM-2", why="minus the curvature: integration by parts turns the sign twice, not once"
)
def sliced_with_minus(v, s, v_jac_v):
    return sliced.sliced(v, s, -v_jac_v)


@mutant("half", of="SSM-2", why="the half on the curvature, where the square has it")
def sliced_with_half_on_both(v, s, v_jac_v):
    return sliced.sliced(v, s, 0.5 * v_jac_v)


@mutant(
    "norm",
    of="SSM-2",
    why="the whole squared length of s with one fixed direction: right only in the mean over v",
)
def sliced_with_the_norm(v, s, v_jac_v):
    return v_jac_v + 0.5 * np.sum(s**2, axis=-1)


def at_the_optimum(loss, law, d):
    """The mean loss of s(x) = -x on N(0, I): x takes nodes of its own, exact for squares."""
    v, weights = nodes(law, d)
    x = np.sqrt(d) * np.concatenate([np.eye(d), -np.eye(d)])
    return expect(weights, np.array([np.mean(loss(np.broadcast_to(one, x.shape), -x)) for one in v]))


@equation(
    "SSM-2/optimum",
    title="on N(0, I) the loss of the true score is -d/2",
    formula=sliced.sliced,
    latex=r"s(x)=-x:\quad E\big[v^\top\nabla s\,v+\tfrac12(v^\top s)^2\big]=-\tfrac d2",
    sources=[SLICED, FIELD("the value of a trace estimate")],
    evidence="quadrature",
    how="minus half of E|x|^2",
    given=rungs(lambda d: together(d=st.just(d), law=LAWS), 1, 2, 3),
    tolerance=1e-11,
    examples=10,
)
def loss_of_the_standard_normal(sliced, d, law):
    loss = lambda v, s: sliced(v, s, -np.sum(v**2, axis=1))  # noqa: E731
    return at_the_optimum(loss, law, d), -d / 2, d


@mutant(
    "over-d", of="SSM-2/optimum", why="the trace estimate divided by d, with which five dimensions give +1.5"
)
def sliced_with_mean_curvature(v, s, v_jac_v):
    return sliced.sliced(v, s, v_jac_v / np.shape(v)[-1])


# ---- SSM-11: the second term averaged over directions
@equation(
    "SSM-11/mean",
    title="the variance-reduced loss has the same mean",
    formula=sliced.variance_reduced,
    latex=r"E_v\big[v^\top\nabla s\,v+\tfrac12\lVert s\rVert^2\big]"
    r"=E_v\big[v^\top\nabla s\,v+\tfrac12(v^\top s)^2\big]",
    sources=[SONG_2019_SLICED("section 3, the variance-reduced objective")],
    evidence="quadrature",
    how="the loss along each direction, at nodes of each law",
    given=rungs(lambda d: together(s=points(d), jac=matrices(d, d), law=LAWS), 1, 2, 3),
    tolerance=1e-11,
)
def reduced_loss_has_the_mean(variance_reduced, s, jac, law):
    v, weights = nodes(law, len(s))
    curvature = np.einsum("ki,ij,kj->k", v, jac, v)
    claimed = expect(weights, variance_reduced(np.broadcast_to(s, v.shape), curvature))
    return claimed, weights @ (curvature + 0.5 * (v @ s) ** 2), np.sum(abs(jac)) + np.sum(s**2) + 1


@mutant("half", of="SSM-11/mean", why="the half lost with the square of v^T s")
def reduced_without_half(s, v_jac_v):
    return v_jac_v + np.sum(s**2, axis=-1)


@equation(
    "SSM-11/optimum",
    title="on N(0, I) it is -d/2 too",
    formula=sliced.variance_reduced,
    latex=r"s(x)=-x:\quad E\big[v^\top\nabla s\,v+\tfrac12\lVert s\rVert^2\big]=-\tfrac d2",
    sources=[PAPER, FIELD("the value of a trace estimate")],
    evidence="quadrature",
    how="minus half of E|x|^2",
    given=rungs(lambda d: together(d=st.just(d), law=LAWS), 1, 2, 3),
    tolerance=1e-11,
    examples=10,
)
def reduced_loss_of_the_standard_normal(variance_reduced, d, law):
    loss = lambda v, s: variance_reduced(s, -np.sum(v**2, axis=1))  # noqa: E731
    return at_the_optimum(loss, law, d), -d / 2, d


@mutant("over-d", of="SSM-11/optimum", why="the trace estimate divided by d")
def reduced_with_mean_curvature(s, v_jac_v):
    return sliced.variance_reduced(s, v_jac_v / np.shape(s)[-1])


@equation(
    "SSM-11/variance",
    title="what the second term adds to the variance",
    formula=sliced.sliced_var,
    latex=r"\mathrm{Var}_v\big[v^\top Jv+\tfrac12(v^\top s)^2\big]="
    r"\mathrm{Var}_v\big[v^\top(J+\tfrac12ss^\top)v\big]",
    sources=[PAPER],
    evidence="quadrature",
    how="the variance of the two terms as they stand, at nodes of each law",
    given=rungs(lambda d: together(s=points(d), jac=matrices(d, d), law=LAWS), 1, 2, 3),
    tolerance=1e-11,
)
def sliced_variance_by_nodes(sliced_var, s, jac, law):
    v, weights = nodes(law, len(s))
    values = np.einsum("ki,ij,kj->k", v, jac, v) + 0.5 * (v @ s) ** 2
    return (
        sliced_var(s, jac, law),
        spread(weights, values),
        weights @ values**2 + np.sum(jac**2) + np.sum(s**4) + 1,
    )


@mutant("sum", of="SSM-11/variance", why="variances of the two terms added, though one direction drives both")
def variances_added(s, jac, law):
    return sliced.trace_var(jac, law) + sliced.trace_var(0.5 * s[:, None] * s, law)


@equation(
    "SSM-11/saving",
    title="what is saved on N(0, I) is d(d-2)/2: a loss in one dimension",
    formula=sliced.sliced_var,
    latex=r"s(x)=-x,\ v\sim\mathcal N(0,I):\quad E_x\mathrm{Var}_v\big[v^\top Jv+\tfrac12(v^\top s)^2\big]"
    r"=\tfrac{d(d+2)}2,\qquad\mathrm{Var}_v[v^\top Jv]=2d",
    sources=[PAPER],
    evidence="quadrature",
    how="E|x|^2 = d and E|x|^4 = d(d+2) in 2d - 2|x|^2 + |x|^4/2; points by a product rule",
    given=rungs(lambda d: together(d=st.just(d)), 1, 2, 3),
    tolerance=1e-11,
    examples=5,
)
def saving_on_the_standard_normal(sliced_var, d):
    x, weights = nodes("gaussian", d)
    jac = np.broadcast_to(-np.eye(d), (len(x), d, d))
    return expect(weights, sliced_var(-x, jac, "gaussian")), d * (d + 2) / 2, d**2 + 2.0 * d


@mutant("whole", of="SSM-11/saving", why="s s^T without its half")
def sliced_variance_without_half(s, jac, law):
    return sliced.trace_var(jac + s[..., :, None] * s[..., None, :], law)
