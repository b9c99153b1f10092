"""Steps against closed forms and their own definitions; a point and its integral together; dtypes."""

import math

import numpy as np
import pytest

from refgen.formulas import runge_kutta
from refgen.formulas.runge_kutta import Carried, fourth_order, heun, step_error

X = np.array([[0.3, -1.2], [2.0, 0.1]])


@pytest.mark.parametrize(("step", "order"), [(runge_kutta.euler, 1), (heun, 2), (fourth_order, 4)])
@pytest.mark.parametrize("dt", [0.1, -0.1])
def test_a_step_of_x_prime_is_x_is_the_exponential_s_series(step, order, dt):
    series = sum(dt**k / math.factorial(k) for k in range(order + 1))
    np.testing.assert_allclose(step(lambda x, t: x, X, 0.0, dt), series * X, rtol=1e-15)


@pytest.mark.parametrize(("step", "degree"), [(heun, 1), (fourth_order, 3)])
def test_of_time_alone_it_is_a_quadrature_rule(step, degree):
    """The trapezoid's and Simpson's, exact for lines and for cubics and no further."""
    for power in (degree, degree + 1):
        found = step(lambda x, t, power=power: t**power + 0 * x, X, 0.5, 0.25)
        exact = X + (0.75 ** (power + 1) - 0.5 ** (power + 1)) / (power + 1)
        assert (np.max(np.abs(found - exact)) < 1e-15) == (power == degree)


@pytest.mark.parametrize("step", [runge_kutta.euler, heun, fourth_order])
def test_an_integral_along_the_way_is_one_more_coordinate(step):
    def slopes(now, t):
        return Carried(np.sin(now.x) * t, np.sum(now.x**2, axis=-1))

    def joined(z, t):
        x = z[:, :2]
        return np.concatenate([np.sin(x) * t, np.sum(x**2, axis=-1, keepdims=True)], axis=1)

    now, z = Carried(X), np.concatenate([X, np.zeros((2, 1))], axis=1)
    for k in range(3):
        now, z = step(slopes, now, 0.2 * k, 0.2), step(joined, z, 0.2 * k, 0.2)
    np.testing.assert_allclose(now.x, z[:, :2], rtol=1e-14)
    np.testing.assert_allclose(now.gained, z[:, 2], rtol=1e-14)


def test_float32_stays():
    x = X.astype(np.float32)
    for step in (runge_kutta.euler, heun, fourth_order):
        now = step(lambda now, t: Carried(t * now.x, now.x[:, 0]), Carried(x), 0.5, 0.1)
        assert now.x.dtype == now.gained.dtype == np.float32
    assert step_error(x, x + x, 2, 4).dtype == np.float32


def test_the_error_is_that_of_the_finer():
    assert step_error(1 + 0.16, 1 + 0.01, 2, 4) == pytest.approx(0.01)
    assert step_error(np.array([-0.09]), np.array([-0.01]), 3, 2) == pytest.approx([0.01])
