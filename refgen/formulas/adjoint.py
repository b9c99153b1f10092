r"""Gradients through an ordinary differential equation without its steps being kept.                  [SDE-6]

With a network for the score the probability flow is a neural ODE, and its gradient is the end of another ODE.
"""

from __future__ import annotations

from collections.abc import Callable

from autograd import make_vjp

from refgen.formulas.elementary import Array
from refgen.formulas.runge_kutta import Carried, fourth_order

__all__ = ["gradients"]


def gradients(
    velocity: Callable[[Array, Array, float], Array],
    params: Array,
    x: Array,
    end_gradient: Callable[[Array], Array],
    start: float,
    end: float,
    steps: int,
) -> tuple[Array, Array]:
    r"""Gradients of a loss L(x(T)) by x(t_0) and by the parameters, by the adjoint equations.     [SDE-6]

    .. math:: \frac{dx}{dt}=v_\theta(x,t),\qquad \frac{da}{dt}=-a^\top\frac{\partial v_\theta}{\partial x},
              \quad a(T)=\frac{\partial L}{\partial x(T)},\qquad
              \frac{\partial L}{\partial x(t_0)}=a(t_0),\quad
              \frac{\partial L}{\partial\theta}=\int_{t_0}^Ta^\top\frac{\partial v_\theta}{\partial\theta}\,dt

    x is carried to T and then back beside a, so that nothing is stored: the gradients are as exact as the
    steps, and not those of the steps, which direct differentiation gives (as `CNF` does).

    velocity: (params, x, t) -> (..., d), differentiable. params: one array. x: x(t_0), (..., d).
    end_gradient: x(T) -> dL/dx(T), (..., d). start, end: t_0 and T. steps: >= 1, of Kutta's method, each way.
    Returns the gradients, shaped as x and as params. Source: Pontryagin 1962; Chen et al. 2018, section 2.
    """
    dt = (end - start) / steps
    for k in range(steps):
        x = fourth_order(lambda x, t: velocity(params, x, t), x, start + k * dt, dt)

    def slopes(now: Carried, t: float) -> Carried:
        pull_back, v = make_vjp(velocity, (0, 1))(params, now.x.x, t)
        by_params, by_x = pull_back(now.x.gained)
        return Carried(Carried(v, -1 * by_x), -1 * by_params)

    now = Carried(Carried(x, end_gradient(x)), 0 * params)
    for k in range(steps):
        now = fourth_order(slopes, now, end - k * dt, -dt)
    return now.x.gained, now.gained
