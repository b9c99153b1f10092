"""The posterior against 50 digits over the whole domain: tiny and large steps, clean data to noise."""

import itertools

import numpy as np
import pytest
from autograd.test_util import check_grads
from mpmath import mp, mpf

from refgen.formulas import posterior

mp.dps = 50
EPS = np.finfo(float).eps
ALPHAS = [1 - 1e-12, 1 - 1e-6, 0.99, 0.5, 0.2, 1e-3, 1e-9]
ALPHA_BARS = [1 - 1e-15, 1 - 2e-9, 0.999, 0.5, 0.04, 2e-9, 1e-30]
LEVELS = list(itertools.product(ALPHAS, ALPHA_BARS))
X_T, X_0 = np.array([1.7, -0.3, 0.0]), np.array([-2.2, 0.4, 1.0])


def exact_parts(alpha_t, alpha_bar_s):
    """alpha_t, alpha_bar_s, beta_t, 1 - alpha_bar_s, 1 - alpha_bar_t."""
    a, b = mpf(alpha_t), mpf(alpha_bar_s)
    return a, b, 1 - a, 1 - b, 1 - a * b


def terms(name, a, b, beta, var_s, var_t):
    """The terms, of x_t and of the other argument, that the result is the sum of."""
    precision = a / beta + 1 / var_s
    return {
        "posterior_mean": (mp.sqrt(a) * var_s / var_t, mp.sqrt(b) * beta / var_t),
        "mean_from_precisions": (mp.sqrt(a) / beta / precision, mp.sqrt(b) / var_s / precision),
        "mean_from_var": (mp.sqrt(a) / beta / precision, mp.sqrt(b) / var_s / precision),
        "mean_from_eps": (1 / mp.sqrt(a), -beta / mp.sqrt(var_t) / mp.sqrt(a)),
    }[name]


@pytest.mark.parametrize("name", ["posterior_mean", "mean_from_precisions", "mean_from_var", "mean_from_eps"])
def test_means_against_fifty_digits(name):
    for alpha_t, alpha_bar_s in LEVELS:
        of_x_t, of_other = terms(name, *exact_parts(alpha_t, alpha_bar_s))
        result = getattr(posterior, name)(X_T, X_0, alpha_t, alpha_bar_s)
        for got, x_t, other in zip(result, X_T, X_0, strict=True):
            exact = of_x_t * mpf(x_t) + of_other * mpf(other)
            size = abs(of_x_t * mpf(x_t)) + abs(of_other * mpf(other))
            assert abs(mpf(float(got)) - exact) <= 10 * EPS * size, (alpha_t, alpha_bar_s)


def test_variances_and_weights_to_ten_ulp():
    for alpha_t, alpha_bar_s in LEVELS:
        a, b, beta, var_s, var_t = exact_parts(alpha_t, alpha_bar_s)
        var = beta * var_s / var_t
        for got in (
            posterior.posterior_var(alpha_t, alpha_bar_s),
            posterior.var_from_precisions(alpha_t, alpha_bar_s),
        ):
            assert type(got) is float
            assert abs(mpf(got) / var - 1) < 10 * EPS
        weights = mp.sqrt(a) * var_s / var_t, mp.sqrt(b) * beta / var_t
        for got, exact in zip(posterior.mean_coefficients(alpha_t, alpha_bar_s), weights, strict=True):
            assert abs(mpf(got) / exact - 1) < 10 * EPS


def test_mean_from_score_against_fifty_digits():
    for alpha_t in ALPHAS:
        a = mpf(alpha_t)
        for got, x, s in zip(posterior.mean_from_score(X_T, X_0, alpha_t), X_T, X_0, strict=True):
            size = (abs(mpf(x)) + (1 - a) * abs(mpf(s))) / mp.sqrt(a)
            assert abs(mpf(float(got)) - (mpf(x) + (1 - a) * mpf(s)) / mp.sqrt(a)) <= 10 * EPS * size


def test_first_step_and_no_signal_are_exact():
    np.testing.assert_array_equal(posterior.posterior_mean(X_T, X_0, 0.75, 1.0), X_0)
    assert posterior.posterior_var(0.3, 1.0) == 0
    assert posterior.posterior_var(0.75, 0.0) == 0.25
    np.testing.assert_allclose(posterior.posterior_mean(X_T, X_0, 0.64, 0.0), 0.8 * X_T, rtol=1e-15)


def test_variances_of_the_linear_schedule():
    """The numbers that every implementation with betas 1e-4..0.02 and T = 1000 has."""
    beta = np.linspace(1e-4, 0.02, 1000)
    alpha_bar = np.concatenate([[1.0], np.cumprod(1 - beta)])
    var = posterior.posterior_var(1 - beta, alpha_bar[:-1])
    assert var[0] == 0
    assert var[487] == pytest.approx(0.00979, abs=2e-5)
    assert var[-1] == pytest.approx(0.02, abs=1e-6)
    assert np.all(var <= beta)


@pytest.mark.parametrize(
    "function",
    [
        posterior.posterior_mean,
        posterior.mean_from_precisions,
        posterior.mean_from_var,
        posterior.mean_from_eps,
    ],
)
@pytest.mark.parametrize("d", [1, 100])
def test_shapes_precision_and_errors(function, d):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 6, 5, d))
    levels = rng.uniform(0.1, 0.9, (6, 1, 1))
    batch = function(x, y, levels, 0.3)
    assert batch.shape == (6, 5, d)
    np.testing.assert_allclose(
        batch[2, 3], function(x[2, 3], y[2, 3], float(levels[2, 0, 0]), 0.3), rtol=1e-14
    )
    narrow = function(x.astype(np.float32), y.astype(np.float32), 0.8, 0.3)
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, function(x, y, 0.8, 0.3), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match=r"last axis must match that of x_t, shape \(6, 5, "):
        function(x, np.zeros((5, d + 1)), 0.8, 0.3)


def test_steps_of_a_grid_and_of_score_keep_precision():
    alpha_bar = np.float32([1, 0.9, 0.5, 0.1])
    alpha_t, alpha_bar_s = posterior.steps_of_grid(alpha_bar, np.array([3, 1, 0]))
    np.testing.assert_allclose(alpha_t, [0.1 / 0.9, 0.9], rtol=1e-6)
    np.testing.assert_allclose(alpha_bar_s, [0.9, 1.0], rtol=1e-6)
    assert alpha_t.dtype == alpha_bar_s.dtype == np.float32
    x = X_T.astype(np.float32)
    assert posterior.mean_from_score(x, x, 0.5).dtype == np.float32
    with pytest.raises(ValueError, match="score has shape"):
        posterior.mean_from_score(x, x[:2], 0.5)


def test_gradients():
    check_grads(posterior.posterior_mean, modes=["rev"], order=2)(X_T, X_0, 0.7, 0.4)
    check_grads(posterior.mean_from_eps, modes=["rev"], order=2)(X_T, X_0, 0.7, 0.4)
