import itertools

import numpy as np
import pytest
from mpmath import mp, mpf

from refgen.formulas import posterior_density

mp.dps = 50
EPS = np.finfo(float).eps
ALPHAS = [1 - 1e-6, 0.9, 0.5, 1e-3]
ALPHA_BARS = [1 - 2e-9, 0.9, 0.3, 2e-9]
RNG = np.random.default_rng(1)
X_S, X_T, X_0 = RNG.normal(size=(3, 4, 3))


def exact_squares(x_s, x_t, x_0, alpha_t, alpha_bar_s):
    """The bracket and the sum of the magnitudes of its terms, multiplied out."""
    a, b = mpf(alpha_t), mpf(alpha_bar_s)
    total = size = mpf(0)
    for s, t, clean in zip(x_s, x_t, x_0, strict=True):
        s, t, clean = mpf(s), mpf(t), mpf(clean)
        for sign, x, y, scale, var in (
            (1, t, s, mp.sqrt(a), 1 - a),
            (1, s, clean, mp.sqrt(b), 1 - b),
            (-1, t, clean, mp.sqrt(a * b), 1 - a * b),
        ):
            total += sign * (x - scale * y) ** 2 / var
            size += (abs(x) + scale * abs(y)) ** 2 / var
    return total, size


@pytest.mark.parametrize("name", ["bracket", "bracket_expanded", "bracket_collected"])
def test_brackets_against_fifty_digits(name):
    for alpha_t, alpha_bar_s in itertools.product(ALPHAS, ALPHA_BARS):
        result = getattr(posterior_density, name)(X_S, X_T, X_0, alpha_t, alpha_bar_s)
        for got, *points in zip(result, X_S, X_T, X_0, strict=True):
            exact, size = exact_squares(*points, alpha_t, alpha_bar_s)
            assert abs(mpf(float(got)) - exact) <= 10 * EPS * size


def test_log_posterior_against_fifty_digits():
    for alpha_t, alpha_bar_s in itertools.product(ALPHAS, ALPHA_BARS):
        a, b = mpf(alpha_t), mpf(alpha_bar_s)
        result = posterior_density.log_posterior(X_S, X_T, X_0, alpha_t, alpha_bar_s)
        logs = [mp.log(2 * mp.pi * v) for v in (1 - a, 1 - b, 1 - a * b)]
        for got, *points in zip(result, X_S, X_T, X_0, strict=True):
            squares, size = exact_squares(*points, alpha_t, alpha_bar_s)
            exact = -(squares + 3 * (logs[0] + logs[1] - logs[2])) / 2
            size += 3 * sum(map(abs, logs))
            assert abs(mpf(float(got)) - exact) <= 10 * EPS * size


FUNCTIONS = [getattr(posterior_density, name) for name in posterior_density.__all__]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("d", [1, 100])
def test_shapes_precision_and_errors(function, d):
    x_s, x_t, x_0 = np.random.default_rng(0).normal(size=(3, 6, 5, d))
    levels = np.linspace(0.2, 0.8, 6).reshape(6, 1, 1)
    batch = function(x_s, x_t, x_0, levels, 0.3)
    assert batch.shape == (6, 5)
    assert batch[2, 1] == pytest.approx(
        function(x_s[2, 1], x_t[2, 1], x_0[2, 1], float(levels[2, 0, 0]), 0.3)
    )
    narrow = function(*(x.astype(np.float32) for x in (x_s, x_t, x_0)), 0.8, 0.3)
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, function(x_s, x_t, x_0, 0.8, 0.3), rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="x_0 has shape"):
        function(x_s, x_t, x_0[..., :0], 0.8, 0.3)
