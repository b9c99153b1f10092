"""Adjoint gradients against direct differentiation of many steps; several points; dtypes."""

import autograd.numpy as anp
import numpy as np
from autograd import grad

from refgen.formulas.adjoint import gradients
from refgen.formulas.runge_kutta import fourth_order

X = np.array([[0.3, -1.2], [2.0, 0.1], [0.0, 0.7]])
PARAMS = np.array([[0.4, -0.9], [1.1, 0.2]])


def velocity(params, x, t):
    return anp.tanh(x @ params) - t * x


def loss_of(params, x, steps):
    """The sum of squares at the end, of all points."""
    for k in range(steps):
        x = fourth_order(lambda x, t: velocity(params, x, t), x, 0.2 + 0.8 * k / steps, 0.8 / steps)
    return anp.sum(x**2)


def test_they_are_those_of_many_steps_and_fall_onto_them_with_the_fourth_power():
    exact = [grad(loss_of, place)(PARAMS, X, 100) for place in (1, 0)]
    errors = []
    for steps in (8, 16):
        found = gradients(velocity, PARAMS, X, lambda x: 2 * x, 0.2, 1.0, steps)
        assert [part.shape for part in found] == [(3, 2), (2, 2)]
        errors.append(max(np.max(np.abs(a - b)) for a, b in zip(found, exact, strict=True)))
    assert errors[1] < 1e-5
    assert 10 < errors[0] / errors[1] < 22


def test_float32_stays_and_time_may_run_back():
    small = [a.astype(np.float32) for a in (PARAMS, X)]
    for start, end in ((0.0, 1.0), (1.0, 0.0)):
        narrow = gradients(velocity, *small, lambda x: 2 * x, start, end, 8)
        wide = gradients(velocity, PARAMS, X, lambda x: 2 * x, start, end, 8)
        for a, b in zip(narrow, wide, strict=True):
            assert a.dtype == np.float32
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
