"""Cards of the estimate from n points: its mean, variance and gradient (SSM-5, 8, 9)."""

from __future__ import annotations

import itertools

import autograd.numpy as anp
import numpy as np
from autograd import grad
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import laws, rungs, together
from refgen.derivations.directions import clouds, features, jacobian, matrices, model, models, spread
from refgen.formulas import sliced
from refgen.sources import SONG_2019_SLICED, SONG_NOTES

SLICED = SONG_NOTES("'Sliced Score Matching'")
SUMMARY = SONG_NOTES("'Sliced Score Matching', summary")
PAPER = SONG_2019_SLICED("section 3")


# ---- SSM-5: the estimate from n points
def signs(n, d):
    """Every choice of a sign vector for each of n points, (2^(n d), n, d)."""
    return np.array(list(itertools.product([1.0, -1.0], repeat=n * d))).reshape(-1, n, d)


def point_losses(net, x):
    """The loss of each point for each sign vector, (2^d, n)."""
    v = signs(1, x.shape[1])[:, 0]
    return np.einsum("ki,nij,kj->kn", v, jacobian(net, x), v) + 0.5 * (v @ model(net, x).T) ** 2


def batches(n, d):
    return together(net=models(d, low=-2, high=2), x=clouds(n, d))


@equation(
    "SSM-5/mean",
    title="the estimate is right in the mean",
    formula=sliced.objective,
    latex=r"E\Big[\frac1n\sum_i\big(v_i^\top\nabla s(x_i)v_i+\tfrac12(v_i^\top s(x_i))^2\big)\Big]"
    r"=\frac1n\sum_i\big(\mathrm{tr}\nabla s(x_i)+\tfrac12\lVert s(x_i)\rVert^2\big)",
    sources=[SLICED, PAPER],
    evidence="chain",
    how="every choice of signs for every point; trace and squared length on the other side",
    given=rungs(batches, (1, 1), (2, 1), (1, 2), (2, 2), (3, 2)),
    tolerance=1e-11,
    examples=60,
)
def estimate_is_unbiased(objective, net, x):
    s, jac = model(net, x), jacobian(net, x)
    claimed = np.mean(objective(signs(*x.shape), s, jac))
    derived = np.mean(np.trace(jac, axis1=1, axis2=2) + 0.5 * np.sum(s**2, axis=1))
    return claimed, derived, np.mean(np.sum(abs(jac), axis=(1, 2)) + np.sum(s**2, axis=1)) + 1


@mutant("sum", of="SSM-5/mean", why="the sum over points for the mean")
def objective_summed(v, s, jac):
    return len(s) * sliced.objective(v, s, jac)


@equation(
    "SSM-5/variance",
    title="its variance over directions falls as 1/n",
    formula=sliced.objective,
    latex=r"\mathrm{Var}_v\Big[\frac1n\sum_il(v_i,x_i)\Big]=\frac1{n^2}\sum_i\mathrm{Var}_v[l(v,x_i)]",
    sources=[SLICED, PAPER],
    evidence="chain",
    how="the variance at each point by itself, over all its sign vectors",
    given=rungs(batches, (2, 2), (3, 2)),
    tolerance=1e-11,
    examples=60,
)
def estimate_has_independent_directions(objective, net, x):
    claimed = np.var(objective(signs(*x.shape), model(net, x), jacobian(net, x)))
    losses = point_losses(net, x)
    return claimed, np.sum(np.var(losses, axis=0)) / len(x) ** 2, np.mean(losses**2) + 1


@misprint(
    "ERR-46",
    of="SSM-5/variance",
    printed=r"\frac1n\sum_i\big[v^\top\nabla_xs_\theta(x^{(i)})v+\tfrac12(v^\top s_\theta(x^{(i)}))^2\big]",
    correct=r"\frac1n\sum_i\big[v_i^\top\nabla_xs_\theta(x_i)v_i+\tfrac12(v_i^\top s_\theta(x_i))^2\big]",
    source=SUMMARY,
    why="one v for all points: their errors do not cancel, and no number of points makes the variance small",
)
def one_direction_for_all(v, s, jac):
    return sliced.objective(np.broadcast_to(v[..., :1, :], v.shape), s, jac)


# ---- SSM-9: the gradient by the parameters
def weights_of(net):
    return np.concatenate([net["w"].ravel(), net["b"], net["u"].ravel()])


def parametrised(theta, d, hidden, x):
    """s (n, d) and J (n, d, d) of the same model; differentiable by theta."""
    w = anp.reshape(theta[: d * hidden], (d, hidden))
    b, u = theta[d * hidden : (d + 1) * hidden], anp.reshape(theta[(d + 1) * hidden :], (hidden, d))
    t = anp.tanh(x @ w + b)
    return t @ u, anp.einsum("ki,nk,jk->nij", u, 1 - t**2, w)


def slopes(net, x):
    """ds/dtheta (n, d, m) and dJ/dtheta (n, d, d, m) by complex differences, exact to rounding."""
    d, hidden = net["w"].shape
    theta, parts = weights_of(net), []
    for k in range(len(theta)):
        moved = theta + 1e-30j * (np.arange(len(theta)) == k)
        parts.append([np.imag(a) / 1e-30 for a in parametrised(moved, d, hidden, x)])
    return np.stack([s for s, _ in parts], -1), np.stack([j for _, j in parts], -1)


@equation(
    "SSM-9/gradient",
    title="the gradient of the estimate",
    formula=sliced.objective_gradient,
    latex=r"\nabla_\theta J=\frac1n\sum_i\big[\nabla_\theta(v_i^\top\nabla_xs_\theta(x_i)v_i)"
    r"+\nabla_\theta\tfrac12(v_i^\top s_\theta(x_i))^2\big]",
    sources=[SUMMARY, PAPER],
    evidence="autodiff",
    how="reverse mode through the whole objective of a small network",
    given=rungs(lambda d: together(net=models(d), x=clouds(2, d), v=clouds(2, d)), 1, 2, 3),
    tolerance=1e-10,
    examples=60,
)
def gradient_by_reverse_mode(objective_gradient, net, x, v):
    d, hidden = net["w"].shape

    def value(theta):
        s, jac = parametrised(theta, d, hidden, x)
        return anp.mean(anp.einsum("ni,nij,nj->n", v, jac, v) + 0.5 * anp.sum(v * s, axis=1) ** 2)

    s_param, jac_param = slopes(net, x)
    scale = np.mean(np.sum(abs(jac_param), axis=(1, 2)) + np.sum(abs(s_param), axis=1), axis=0)
    scale = (scale + 1) * (1 + np.max(abs(v)) ** 2) * (1 + np.max(abs(model(net, x))))
    return objective_gradient(v, model(net, x), s_param, jac_param), grad(value)(weights_of(net)), scale


@mutant(
    "square",
    of="SSM-9/gradient",
    why="the square of the derivative where the derivative of the square belongs",
)
def gradient_squared(v, s, s_param, jac_param):
    curvature = np.einsum("ni,nijk,nj->nk", v, jac_param, v)
    return np.mean(curvature + np.einsum("ni,nik->nk", v, s_param) ** 2, axis=0)


@mutant(
    "detached", of="SSM-9/gradient", why="the Jacobian taken for a constant: no second derivative is made"
)
def gradient_without_curvature(v, s, s_param, jac_param):
    return sliced.objective_gradient(v, s, s_param, 0 * jac_param)


@equation(
    "SSM-9/descent",
    title="gradient descent on a model that is linear in its parameters",
    formula=sliced.objective_gradient,
    latex=r"\theta^{(k+1)}=\theta^{(k)}-\alpha\nabla_\theta J,\quad"
    r"\theta^{(k)}=-\alpha\sum_{j<k}(I-\alpha G)^jb,\quad J=\tfrac12\theta^\top G\theta+b^\top\theta",
    sources=[SUMMARY],
    evidence="algebra",
    how="the quadratic that the objective is, by its matrix and vector, and the geometric series",
    given=rungs(lambda d: together(net=models(d), x=clouds(2, d), v=clouds(2, d)), 1, 2),
    tolerance=1e-10,
    examples=60,
)
def descent_is_a_geometric_series(objective_gradient, net, x, v, steps=5, rate=0.1):
    # s = tanh(x w + b) u with the last weights alone for parameters, u in rows.
    t = features(net, x)
    (n, d), hidden = x.shape, t.shape[1]
    s_param = np.einsum("nk,ij->nikj", t, np.eye(d)).reshape(n, d, hidden * d)
    jac_param = np.einsum("nk,jk,il->nijkl", 1 - t**2, net["w"], np.eye(d)).reshape(n, d, d, hidden * d)
    theta = np.zeros(hidden * d)
    for _ in range(steps):
        theta = theta - rate * objective_gradient(v, s_param @ theta, s_param, jac_param)
    rows = np.einsum("ni,nk->nki", v, t).reshape(n, -1)
    matrix, vector = rows.T @ rows / n, np.einsum("ni,nk,jk,nj->ki", v, 1 - t**2, net["w"], v).ravel() / n
    derived, term = np.zeros(hidden * d), -rate * vector
    for _ in range(steps):
        derived, term = derived + term, term - rate * matrix @ term
    return theta, derived, (1 + np.sum(v**2)) * (1 + rate * np.max(abs(matrix))) ** steps


@mutant("ascent", of="SSM-9/descent", why="the sign of the step: up instead of down")
def gradient_upwards(v, s, s_param, jac_param):
    return -sliced.objective_gradient(v, s, s_param, jac_param)


# ---- SSM-8: several directions at each point
def tables(points, draws):
    """Losses of three points and two directions, with their weights."""
    return together(
        losses=matrices(3, 2),
        chance=laws(3),
        share=laws(2),
        points=st.just(points),
        draws=st.just(draws),
    )


@equation(
    "SSM-8",
    title="more directions make their own part of the variance smaller",
    formula=sliced.estimate_var,
    latex=r"\mathrm{Var}=\frac1n\Big(\mathrm{Var}_xE_v[l]+\frac1ME_x\mathrm{Var}_v[l]\Big)",
    sources=[SONG_NOTES("'Sliced Score Matching', more projections"), SONG_2019_SLICED("section 3")],
    evidence="chain",
    how="every outcome of n points and M directions each, with its probability",
    given=rungs(tables, (1, 1), (1, 2), (2, 1), (1, 3), (2, 2)),
    tolerance=1e-11,
    examples=60,
)  # fmt: skip
def variance_over_all_outcomes(estimate_var, losses, chance, share, points, draws):
    one = []  # of one point: the mean over its directions, and the probability
    for k, v in itertools.product(range(3), itertools.product(range(2), repeat=draws)):
        one.append((np.mean(losses[k, list(v)]), chance[k] * np.prod(share[list(v)])))
    outcomes = list(itertools.product(one, repeat=points))
    values = np.array([np.mean([loss for loss, _ in outcome]) for outcome in outcomes])
    weights = np.array([np.prod([p for _, p in outcome]) for outcome in outcomes])
    means = losses @ share
    point_var = chance @ (means - chance @ means) ** 2
    direction_var = chance @ ((losses - means[:, None]) ** 2 @ share)
    scale = np.sum(losses**2) + 1
    return estimate_var(point_var, direction_var, points, draws), spread(weights, values), scale


@mutant("all", of="SSM-8", why="both parts divided by n M, as if each direction came with a point of its own")
def variance_of_fresh_points(point_var, direction_var, points, draws):
    return (point_var + direction_var) / (points * draws)


@mutant("shared", of="SSM-8", why="directions shared by all points, whose part n does not make smaller")
def variance_of_shared_directions(point_var, direction_var, points, draws):
    return point_var / points + direction_var / draws
