"""The conversions against 50 digits, at every level; shapes, dtypes and the gap of the two score losses."""

import mpmath
import numpy as np
import pytest

from refgen.formulas import parametrisation as par

mpmath.mp.dps = 50
EPS = np.finfo(float).eps
mpf = mpmath.mpf


def power(a, s):
    return mpf(a) ** 2 + mpf(s) ** 2


# name: arguments after which signal and std come (a = signal, s = std), the exact value, the sum of its terms
EXACT = {
    "x_0_from_eps": (2, lambda x, e, a, s: [x / a, -s * e / a]),
    "eps_from_x_0": (2, lambda x, x_0, a, s: [x / s, -a * x_0 / s]),
    "conditional_score": (2, lambda x, x_0, a, s: [a * x_0 / s**2, -x / s**2]),
    "v_from_eps": (2, lambda x, e, a, s: [power(a, s) * e / a, -s * x / a]),
    "eps_from_v": (2, lambda x, v, a, s: [a * v / power(a, s), s * x / power(a, s)]),
    "score_from_eps": (1, lambda e, s: [-e / s]),
    "eps_from_score": (1, lambda score, s: [-s * score]),
}
LEVELS = [(0.6, 0.8), (1.0, 1e-8), (1e-8, 1.0), (1.0, 80.0), (0.9999999999999999, 1.5e-8), (4.5e-5, 1.0)]
POINTS = [(0.7, -1.3), (3.0, 3.0), (1e-12, 1.0), (-2.5, 1e6)]


@pytest.mark.parametrize("name", EXACT)
def test_accuracy_against_fifty_digits(name):
    count, terms = EXACT[name]
    for signal, std in LEVELS:
        for point in POINTS:
            arguments = [np.array([p]) for p in point[:count]]
            level = (signal, std) if count == 2 else (std,)
            got = getattr(par, name)(*arguments, *level)
            parts = terms(*map(mpf, point[:count]), *map(mpf, level))
            error = abs(mpf(float(got[0])) - sum(parts))
            assert error <= 10 * EPS * sum(map(abs, parts)), (signal, std, point)


@pytest.mark.parametrize("name", EXACT)
def test_float32_shapes_and_leading_axes(name):
    count, _ = EXACT[name]
    rng = np.random.default_rng(0)
    function = getattr(par, name)
    for shape in [(1,), (100,), (5, 2), (3, 4, 2)]:
        arrays = rng.normal(size=(count, *shape))
        level = (0.6, 0.8) if count == 2 else (0.8,)
        whole = function(*arrays, *level)
        assert whole.shape == shape
        narrow = function(*arrays.astype(np.float32), *level)
        assert narrow.dtype == np.float32
        np.testing.assert_allclose(narrow, whole, rtol=1e-5, atol=1e-5)
        if len(shape) > 1:  # one level for each point
            column = tuple(np.full((*shape[:-1], 1), value) for value in level)
            np.testing.assert_allclose(function(*arrays, *column), whole, rtol=1e-15)
    if count == 2:
        with pytest.raises(ValueError, match=r"has shape \(5, 3\); its last axis must match that of x_t"):
            function(np.zeros((5, 2)), np.zeros((5, 3)), 0.6, 0.8)


@pytest.mark.parametrize(("signal", "std"), LEVELS)
def test_round_trips(signal, std):
    x_0, eps = np.random.default_rng(1).normal(size=(2, 7, 3))
    x_t = signal * x_0 + std * eps
    np.testing.assert_allclose(par.eps_from_score(par.score_from_eps(eps, std), std), eps, rtol=1e-14)
    v = par.v_from_eps(x_t, eps, signal, std)
    size = abs(x_t).max() * (signal + std) / min(signal, 1) + abs(v).max()
    np.testing.assert_allclose(par.eps_from_v(x_t, v, signal, std), eps, rtol=0, atol=1e-14 * size)
    score = par.conditional_score(x_t, x_0, signal, std)
    atol = 1e-14 * (signal * abs(x_0).max() / std + abs(eps).max())
    np.testing.assert_allclose(par.eps_from_score(score, std), eps, rtol=0, atol=atol)


def test_gap_of_the_score_losses_is_that_of_gaussian_data():
    """Of data N(0, v): 1/std^2 - 1/(signal^2 v + std^2), zero for a point, never negative."""
    for signal, std, var in [(0.6, 0.8, 1.0), (0.9, 0.1, 4.0), (1.0, 2.0, 0.0)]:
        noisy = signal**2 * var + std**2
        gap = par.score_loss_gap(1 / noisy, std)
        assert gap == pytest.approx(signal**2 * var / (std**2 * noisy), abs=1e-15)
    assert par.score_loss_gap(np.float32([0.5]), 1.0).dtype == np.float32
