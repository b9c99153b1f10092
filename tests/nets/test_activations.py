"""SiLU and its slope, as one function and in place, up to where exp would overflow."""

import autograd.numpy as np
import mpmath
import pytest
from autograd import elementwise_grad
from autograd.test_util import check_grads
from numpy.testing import assert_allclose

from refgen.nets.activations import silu, silu_gate, silu_slope

POINTS = np.array([-1e4, -90.0, -3.0, -1e-8, 0.0, 1e-8, 0.5, 3.0, 90.0, 1e4])


@pytest.mark.parametrize("z", POINTS)
def test_silu_against_fifty_digits(z):
    with mpmath.workdps(50):
        exact = mpmath.mpf(z) / (1 + mpmath.exp(-mpmath.mpf(z)))
        assert abs(mpmath.mpf(float(silu(z))) - exact) <= 4e-16 * max(abs(z), 1e-300)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_and_slopes_stay_finite_and_in_their_precision(dtype):
    z = POINTS.astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        for function in (silu, elementwise_grad(silu)):
            value = function(z)
            assert value.dtype == dtype
            assert np.all(np.isfinite(value))
    assert elementwise_grad(silu)(z)[-1] == 1
    assert elementwise_grad(silu)(z)[0] == 0


@pytest.mark.parametrize("z", [-40.0, -3.0, 0.0, 0.5, 3.0, 40.0])
def test_derivatives_of_any_order_against_fifty_digits(z):
    f = silu
    for n in range(1, 6):
        f = elementwise_grad(f)
        with mpmath.workdps(50):
            exact = mpmath.diff(lambda y: y / (1 + mpmath.exp(-y)), z, n)
            assert abs(float(f(np.array([z]))[0]) - exact) <= 1e-13


def test_derivatives_forward_and_reverse_to_second_order():
    check_grads(silu, modes=["fwd", "rev"], order=2)(np.linspace(-4, 4, 9))


def test_in_place_it_is_silu_of_twice_the_input_and_its_slope():
    z = np.linspace(-6, 6, 13)
    u, gate = z / 2, np.empty(13)
    silu_gate(u, gate)
    assert_allclose(u, silu(z), rtol=1e-15)
    silu_slope(u, gate, np.empty(13))
    assert_allclose(gate, 2 * elementwise_grad(silu)(z), rtol=1e-13, atol=1e-15)
