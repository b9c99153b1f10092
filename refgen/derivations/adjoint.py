"""Cards of the probability flow with a learned score, a neural ODE: its gradients by the adjoint (SDE-6)."""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp
from scipy.linalg import expm, expm_frechet

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, reals, rungs, together
from refgen.derivations.directions import matrices
from refgen.formulas import adjoint, runge_kutta
from refgen.sources import CHEN_2018, SJTU

PAPER = [SJTU("'Continuous Diffusion Models', neural ODEs"), CHEN_2018("section 2")]
HIDDEN, STEPS = 2, 10
TINY = 1e-30


def constant(c):
    """A loss c^T x(T), of Python floats: its gradient is c wherever x is."""
    numbers = c.tolist()
    return lambda x: anp.stack([0 * x[..., j] + number for j, number in enumerate(numbers)], axis=-1)


# ---- a linear field, whose gradients are known in closed form
def linear(params, x, t):
    d = x.shape[-1]
    return anp.stack([sum(params[i * d + j] * x[..., j] for j in range(d)) for i in range(d)], axis=-1)


@equation(
    "SDE-6/linear",
    title="adjoint gradients of a linear flow",
    formula=adjoint.gradients,
    latex=r"v=Ax:\quad\frac{\partial c^\top x(1)}{\partial x(0)}=e^{A^\top}c,\qquad "
    r"\frac{\partial c^\top x(1)}{\partial A}=\int_0^1e^{A^\top(1-s)}c\,x(0)^\top e^{A^\top s}ds",
    sources=PAPER,
    evidence="algebra",
    how="the matrix exponential and its Frechet derivative",
    given=rungs(lambda d: together(a=matrices(d, d, -1, 1), x=points(d, -2, 2), c=points(d, -2, 2)), 1, 2, 3),
    tolerance=1e-5,
    examples=5,
)
def gradients_of_a_linear_flow(gradients, a, x, c):
    by_x, by_a = gradients(linear, a.reshape(-1), x, constant(c), 0.0, 1.0, STEPS)
    derived = [expm(a.T) @ c, expm_frechet(a.T, np.outer(c, x), compute_expm=False).reshape(-1)]
    size = (1 + np.linalg.norm(c)) * (1 + np.linalg.norm(x)) * np.exp(np.linalg.norm(a))
    return np.concatenate([by_x, by_a]), np.concatenate(derived), size


# ---- a network's score under variance-preserving noise
def flow(params, x, t):
    """-beta (x + s(x, t)) / 2 with beta = 1 + 4 t and the score of a network of one layer of tanh."""
    d = x.shape[-1]
    w, b, u = params[: d * HIDDEN], params[d * HIDDEN : (d + 2) * HIDDEN], params[(d + 2) * HIDDEN :]
    inside = [
        sum(w[i * HIDDEN + k] * x[..., i] for i in range(d)) + b[k] + t * b[HIDDEN + k] for k in range(HIDDEN)
    ]
    bend = [anp.tanh(part) for part in inside]
    score = anp.stack([sum(u[k * d + j] * bend[k] for k in range(HIDDEN)) for j in range(d)], axis=-1)
    return -(0.5 + 2 * t) * (x + score)


def networks(d):
    many = (2 * d + 2) * HIDDEN
    return together(params=points(many, -1, 1), x=points(d, -2, 2), c=points(d, -2, 2), end=reals(0.25, 0.75))


def by_complex_steps(params, x, c, end, steps=24):
    """The derivatives of c^T x(T) by each number of x and of params: one integration with each of them moved
    by an imaginary amount, all at a time."""
    moved = 1j * TINY * np.eye(len(x) + len(params))
    z, p = x + moved[:, : len(x)], (params + moved[:, len(x) :]).T
    h = end / steps
    for k in range(steps):
        t = k * h
        one = flow(p, z, t)
        two = flow(p, z + h / 2 * one, t + h / 2)
        three = flow(p, z + h / 2 * two, t + h / 2)
        z = z + h / 6 * (one + 2 * two + 2 * three + flow(p, z + h * three, t + h))
    return (z @ c).imag / TINY


@equation(
    "SDE-6",
    title="with a learned score the probability flow is a neural ODE",
    formula=adjoint.gradients,
    latex=r"\frac{dx}{dt}=f\,x-\tfrac12g^2s_\theta(x,t),\quad\frac{da}{dt}=-a^\top\partial_xv,\quad"
    r"\frac{\partial L}{\partial\theta}=\int a^\top\partial_\theta v\,dt",
    sources=PAPER,
    evidence="autodiff",
    how="complex steps through all the steps of a finer integration, one for each parameter",
    given=rungs(networks, 1, 2),
    tolerance=1e-5,
    examples=5,
)
def gradients_of_a_neural_flow(gradients, params, x, c, end):
    claimed = np.concatenate(gradients(flow, params, x, constant(c), 0.0, end, STEPS))
    derived = by_complex_steps(params, x, c, end)
    return claimed, derived, (1 + np.linalg.norm(c)) * (1 + np.linalg.norm(x))


def wrong(args, moves=1, grows=-1, clock=None):
    """As the formula, but for how x and a change on the way back, and what time it is there."""
    velocity, params, x, end_gradient, start, end, steps = args
    dt, forth = (end - start) / steps, x
    for k in range(steps):
        forth = runge_kutta.fourth_order(lambda x, t: velocity(params, x, t), forth, start + k * dt, dt)

    def slopes(now, t):
        pull_back, v = make_vjp(velocity, (0, 1))(params, now.x.x, clock(t) if clock else t)
        by_params, by_x = pull_back(now.x.gained)
        return runge_kutta.Carried(runge_kutta.Carried(moves * v, grows * by_x), -1 * by_params)

    now = runge_kutta.Carried(runge_kutta.Carried(forth, end_gradient(forth)), 0 * params)
    for k in range(steps):
        now = runge_kutta.fourth_order(slopes, now, end - k * dt, -dt)
    return now.x.gained, now.gained


@mutant("sign", of="SDE-6", why="da/dt = +a^T dv/dx: the adjoint grows where it should shrink")
def gradients_with_the_adjoint_reversed(*args):
    return wrong(args, grows=1)


@mutant("held", of="SDE-6", why="x left at x(T) on the way back, where dv/dx is taken along the path")
def gradients_with_x_held(*args):
    return wrong(args, moves=0)


@mutant("clock", of="SDE-6", why="on the way back the velocity of T - t is taken for that of t")
def gradients_with_time_from_the_end(*args):
    end = args[5]
    return wrong(args, clock=lambda t: end - t)


@mutant("unmoved", of="SDE-6/linear", why="the gradient at x(T) taken for that at x(0): a does not change")
def gradients_with_a_held(*args):
    return wrong(args, grows=0)


@mutant("transposed", of="SDE-6/linear", why="e^A for its transpose: rows taken for columns")
def gradients_with_the_transposed_matrix(velocity, params, x, *rest):
    d = x.shape[-1]
    turned = anp.reshape(anp.transpose(anp.reshape(params, (d, d))), (-1,))
    return adjoint.gradients(velocity, turned, x, *rest)
