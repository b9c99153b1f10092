"""Elementary functions keep float32, agree with NumPy at the edges, and shapes are checked in one line."""

import math
import warnings

import mpmath
import numpy as np
import pytest
from autograd import elementwise_grad

from refgen.formulas import elementary as e

CASES = [
    (e.sqrt, np.sqrt, [0.0, 1e-300, 2.0, 1e300]),
    (e.log, np.log, [0.0, 1e-300, 1.0, 1e300]),
    (e.log1p, np.log1p, [-1.0, -1e-20, 1e-20, 3.0]),
    (e.exp, np.exp, [-1e4, -1e-20, 1.0, 709.0, 710.0]),
    (e.expm1, np.expm1, [-1e4, 1e-20, 1.0, 709.0, 710.0]),
]


@pytest.mark.parametrize(("ours", "numpys", "values"), CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_numbers_stay_python_floats_and_agree_with_numpy(ours, numpys, values):
    for value in values:
        for number in (value, np.float64(value)):
            result = ours(number)
            assert type(result) is float
            with np.errstate(all="ignore"):
                expected = float(numpys(np.float64(value)))
            assert result == expected or abs(result - expected) <= 4e-16 * abs(expected), (ours, value)
    assert ours(np.ones(3, np.float32)).dtype == np.float32


def test_a_python_float_leaves_float32_alone():
    x = np.ones(3, np.float32)
    assert (e.sqrt(0.5) * x).dtype == np.float32
    assert (np.sqrt(0.5) * x).dtype == np.float64  # what the module is there to prevent


def test_outside_the_domain():
    assert math.isnan(e.log(-1.0)) and math.isnan(e.log1p(-2.0))
    assert all(math.isnan(f(math.nan)) for f in (e.sqrt, e.log, e.log1p, e.exp, e.expm1, e.sigmoid))
    assert e.exp(math.inf) == e.expm1(math.inf) == math.inf and e.exp(-math.inf) == 0


def test_last_axes_must_agree():
    e.require_last_axis(x=np.zeros((5, 2)), y=np.zeros(2))
    with pytest.raises(ValueError, match=r"y has shape \(3,\); its last axis must match that of x"):
        e.require_last_axis(x=np.zeros((5, 2)), y=np.zeros(3))


@pytest.mark.parametrize("a", [-700.0, -40.0, -0.3, -1e-300, 0.0, 1e-9, 2.5, 40.0, 700.0, 1e5])
def test_sigmoid_of_a_number_and_of_an_array_is_accurate_to_three_ulp(a):
    exact = 1 / (1 + mpmath.exp(-mpmath.mpf(a)))
    for value in (e.sigmoid(a), e.sigmoid(np.array([a]))[0]):
        assert abs(mpmath.mpf(float(value)) / exact - 1) < 3 * np.finfo(float).eps
    assert type(e.sigmoid(a)) is float
    assert e.sigmoid(np.float32([a])).dtype == np.float32


def test_sigmoid_has_every_derivative_at_zero_and_no_nan_far_out():
    x = np.array([-1e4, -800.0, -2.0, 0.0, 2.0, 800.0, 1e4])
    value = e.sigmoid(x)
    first, second = elementwise_grad(e.sigmoid)(x), elementwise_grad(elementwise_grad(e.sigmoid))(x)
    np.testing.assert_allclose(first, value * (1 - value), rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(second, value * (1 - value) * (1 - 2 * value), rtol=1e-13, atol=1e-300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.all(np.isfinite(e.sigmoid(np.float32(x))))
    assert e.sigmoid(-np.inf) == 0 and e.sigmoid(np.inf) == 1 and math.isnan(e.sigmoid(math.nan))


@pytest.mark.parametrize("a", [-740.0, -40.0, -0.3, -1e-300, 0.0, 1e-9, 2.5, 40.0, 1e5])
def test_softplus_of_a_number_and_of_an_array_is_accurate_to_three_ulp(a):
    exact = mpmath.log1p(mpmath.exp(mpmath.mpf(a)))
    for value in (e.softplus(a), e.softplus(np.array([a]))[0]):
        assert abs(mpmath.mpf(float(value)) / exact - 1) < 3 * max(np.finfo(float).eps, 5e-324 / float(exact))
    assert type(e.softplus(a)) is float
    assert e.softplus(np.float32([a])).dtype == np.float32


def test_softplus_has_every_derivative_at_zero_and_does_not_overflow():
    x = np.array([-1e4, -800.0, -2.0, 0.0, 2.0, 800.0, 1e4])
    first, second = elementwise_grad(e.softplus)(x), elementwise_grad(elementwise_grad(e.softplus))(x)
    third = elementwise_grad(elementwise_grad(elementwise_grad(e.softplus)))(x)
    value = e.sigmoid(x)
    np.testing.assert_allclose(first, value, rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(second, value * (1 - value), rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(third, value * (1 - value) * (1 - 2 * value), rtol=1e-12, atol=1e-300)
    with np.errstate(all="raise", under="ignore"):
        assert np.all(np.isfinite(e.softplus(np.float32(x))))
    assert e.softplus(-np.inf) == 0 and e.softplus(np.inf) == np.inf and math.isnan(e.softplus(math.nan))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_exponentials_neither_overflow_nor_lose_precision(dtype):
    a = np.array([[1e4, 1e4 + 1, -1e4], [-3e4, -3e4, -3e4 + 2]], dtype)
    mpmath.mp.dps = 50
    total = [mpmath.log(sum(mpmath.exp(mpmath.mpf(float(v))) for v in row)) for row in a]
    shares = [[mpmath.exp(mpmath.mpf(float(v)) - t) for v in row] for row, t in zip(a, total, strict=True)]
    eps = np.finfo(dtype).eps
    with np.errstate(all="raise", under="ignore"):
        found, parts = e.log_sum_exp(a), e.softmax(a)
    assert found.dtype == parts.dtype == dtype
    np.testing.assert_allclose(found, np.array(total, float), rtol=4 * eps)
    np.testing.assert_allclose(parts, np.array(shares, float), rtol=8 * eps, atol=1e-30)
    np.testing.assert_array_equal(e.log_sum_exp(a.T, axis=0), found)
    np.testing.assert_array_equal(e.softmax(a.T, axis=0), parts.T)


def test_logarithms_of_shares_are_finite_and_lose_nothing_to_a_common_constant():
    a = np.array([0.3, -2.0, -900.0])
    found = e.log_softmax(a)
    np.testing.assert_allclose(found, a - np.log(np.exp(0.3) + np.exp(-2.0)), rtol=1e-14)
    np.testing.assert_allclose(e.log_softmax(a - 2.0**40), found, rtol=1e-4)  # what is left of a itself
    exact = e.log_softmax((a - 2.0**40) + 2.0**40)
    np.testing.assert_allclose(e.log_softmax(a - 2.0**40), exact, rtol=1e-14)
    np.testing.assert_allclose(np.exp(e.log_softmax(a[:, None] - [[0, 1e5]], axis=0)).sum(0), 1, rtol=1e-15)


def test_the_slope_of_a_log_sum_is_the_softmax():
    a = np.array([[0.3, -2.0, 5.0, 5.0], [1.0, 1.0, -1e3, 2.0]])
    np.testing.assert_allclose(elementwise_grad(e.log_sum_exp)(a), e.softmax(a), rtol=1e-12, atol=1e-300)


def test_identity_like_has_the_size_of_the_last_axis_and_the_precision():
    one = e.identity_like(np.ones((4, 3, 2), np.float32))
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, np.diag([1, 1]))
