"""Likelihoods along a flow: a linear flow's closed form, one step by hand; shapes, dtypes, 50 digits."""

import mpmath
import numpy as np
import pytest

from refgen.formulas import likelihood
from refgen.formulas.likelihood import Moment

mpmath.mp.dps = 50
EPS = np.finfo(float).eps


def log_normal(x, var):
    return -0.5 * np.sum(x**2 / var + np.log(2 * np.pi * var), axis=-1)


@pytest.mark.parametrize("d", [1, 2, 100])
@pytest.mark.parametrize("method", likelihood.METHODS)
def test_normal_data_under_growing_noise_have_their_density(d, method):
    """x_t ~ N(0, 1 + t^2): f = 0, g^2 = 2 t, score -x / (1 + t^2)."""
    x = np.linspace(-1, 2, 3 * d).reshape(3, d)
    found = likelihood.log_prob(
        x,
        lambda x, level: (-x / (1 + level[1] ** 2), -d / (1 + level[1] ** 2) + 0 * x[..., 0]),
        lambda x: log_normal(x, 1 + 3.0**2),
        lambda t: Moment(0.0, 2 * t, (1.0, t)),
        0.5,
        3.0,
        100,
        method,
    )
    np.testing.assert_allclose(found, log_normal(x, 1.25), rtol=3e-4 if method == "heun" else 1e-7)


def test_a_step_of_heun_by_hand_with_any_leading_axes_in_float32():
    f, g2, h = -0.5, 0.8, 0.25
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 3, 2)
    found = likelihood.log_prob(
        x,
        lambda x, level: (x**2, 2 * np.sum(x, axis=-1)),
        lambda x: np.sum(x, axis=-1),
        lambda t: Moment(f, g2, (1.0, 0.0)),
        1.0,
        1.0 + h,
        1,
        "heun",
    )
    one = f * x - g2 / 2 * x**2
    ahead = x + h * one
    two = f * ahead - g2 / 2 * ahead**2
    there = x + h / 2 * (one + two)
    gained = h / 2 * sum(2 * f - g2 * np.sum(z, axis=-1) for z in (x, ahead))
    assert found.dtype == np.float32
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found, np.sum(there, axis=-1) + gained, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("f", [-3.7, 0.0, 1e6])
@pytest.mark.parametrize("div", [-1e9, 2.3e-7, 41.0])
def test_divergence_code_and_bound_to_the_last_digits(f, div):
    mpf = mpmath.mpf
    exact = mpf(f) * 7 - mpf(0.3) * mpf(div) / 2
    assert abs(likelihood.flow_divergence(f, 0.3, div, 7) - exact) <= 4 * EPS * (abs(7 * f) + abs(0.15 * div))
    width = 1e-3 if f else 2.5
    exact = -(mpf(div) + 7 * mpmath.log(mpf(width))) / mpmath.log(2)
    scale = (abs(div) + 7 * abs(float(mpmath.log(width)))) / float(mpmath.log(2))
    assert abs(likelihood.code_length(div, width, 7) - exact) <= 6 * EPS * scale
    g2, error, weights = (
        np.array([[1.0, 2.0, abs(f)]]),
        np.array([abs(div), 1e-9, 2.0]),
        np.array([0.1, 0.5, 0.3]),
    )
    found = likelihood.kl_bound(g2, error, weights, np.array([0.7]))
    terms = [
        mpf(float(a)) * mpf(float(b)) * mpf(float(c)) / 2
        for a, b, c in zip(g2[0], error, weights, strict=True)
    ]
    assert found.shape == (1,)
    assert abs(found[0] - (sum(terms) + mpf(0.7))) <= 6 * EPS * float(sum(terms) + 1)


def test_float32_stays():
    x = np.ones((4, 3), dtype=np.float32)
    results = [
        likelihood.flow_divergence(-0.5, 0.3, x[:, 0], 3),
        likelihood.code_length(x[:, 0], 0.1, 3),
        likelihood.kl_bound(x, x, x, 0.5),
    ]
    assert [(a.dtype, a.shape) for a in results] == [(np.float32, (4,))] * 3
