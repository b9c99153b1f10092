"""The box formulas against erf in eighty digits, automatic differentiation and quadrature."""

import math

import autograd.numpy as np
import mpmath
import pytest
from autograd import elementwise_grad, hessian
from numpy.testing import assert_allclose
from scipy.special import roots_legendre

from refgen.backend import Stream
from refgen.formulas import boxes

LAW = (
    np.array([0.3, 0.5, 0.2]),
    np.array([[-2.0, 0], [0, -1], [1, 1]]),
    np.array([[-1.0, 0.5], [1, 1], [3, 1.5]]),
)


def by_erf(x, low, high, std):
    """Density and the first two moments of u given x, by the closed form, in digits enough for any tail."""
    with mpmath.workdps(120):
        x, low, high, std = map(mpmath.mpf, (x, low, high, std))
        mirrored = (low + high) / 2 < x  # so that the differences are of small numbers
        a, b = ((x - high) / std, (x - low) / std) if mirrored else ((low - x) / std, (high - x) / std)
        z = (mpmath.erfc(a / mpmath.sqrt(2)) - mpmath.erfc(b / mpmath.sqrt(2))) / 2
        pdf = lambda y: mpmath.exp(-y * y / 2) / mpmath.sqrt(2 * mpmath.pi)  # noqa: E731
        mean = (pdf(a) - pdf(b)) / z
        var = 1 + (a * pdf(a) - b * pdf(b)) / z - mean**2
        return (
            float(mpmath.log(z / (high - low))),
            float(x + (-1 if mirrored else 1) * std * mean),
            float(std**2 * var),
        )


@pytest.mark.parametrize("x", [0.0, 0.7, 1.0, 1.3, -40.0, 1e3, -1e3])
@pytest.mark.parametrize("width", [1e-6, 1e-2, 1.0, 50.0])
@pytest.mark.parametrize("std", [1e-4, 0.1, 1.0, 1e3])
def test_one_interval_against_erf(x, width, std):
    low, high = 1.0 - width, 1.0
    log_density, mean, var = by_erf(x, low, high, std)
    law = np.ones(1), np.array([[low]]), np.array([[high]])
    x_t = np.array([x])
    tolerance = 1e-13 * (1 + abs(x) / std)  # what rounding x itself by an ulp does to (x - high) / std
    assert boxes.interval_log_prob(x_t, low, high, std)[0] == pytest.approx(
        log_density, rel=1e-13, abs=tolerance
    )
    assert boxes.posterior_mean(x_t, *law, 1.0, std)[0] == pytest.approx(mean, rel=1e-13)
    assert boxes.posterior_cov(x_t, *law, 1.0, std)[0, 0] == pytest.approx(var, rel=1e-9)
    assert boxes.score(x_t, *law, 1.0, std)[0] == pytest.approx((mean - x) / std**2, rel=1e-9, abs=1e-9 / std)


@pytest.mark.parametrize("level", [(1.0, 0.1), (0.8, 0.6), (0.01, 1.0), (1.0, 20.0)])
def test_score_is_the_gradient_and_tweedie_holds(level):
    signal, std = level
    x = signal * np.array([[0.5, 0.2], [-1.0, 0.4], [2.0, 3.0], [0.0, 0.0]])
    x = x + std * np.array([0.1, -0.3])
    gradient = elementwise_grad(lambda x: boxes.log_prob(x, *LAW, signal, std))(x)
    score = boxes.score(x, *LAW, signal, std)
    assert_allclose(score, gradient, rtol=1e-9, atol=1e-9)
    mean = boxes.posterior_mean(x, *LAW, signal, std)
    assert_allclose(signal * mean, x + std**2 * score, atol=1e-11 * (1 + std**2))
    curvature = np.array([hessian(lambda y: boxes.log_prob(y, *LAW, signal, std))(y) for y in x])
    cov = boxes.posterior_cov(x, *LAW, signal, std)
    assert_allclose(signal**2 * cov, std**2 * (np.eye(2) + std**2 * curvature), atol=1e-10 * (1 + std**4))


@pytest.mark.parametrize("level", [(1.0, 0.3), (0.8, 0.6), (0.0, 1.0)])
def test_posterior_moments_are_integrals_over_the_boxes(level):
    signal, std = level
    x_t = np.array([0.3, 0.6])
    nodes, node_weights = roots_legendre(40)
    weights, low, high = LAW
    points, p = [], []
    for w, a, b in zip(weights, low, high, strict=True):
        u, v = (a[j] + (b[j] - a[j]) * (nodes + 1) / 2 for j in range(2))
        grid = np.stack(np.meshgrid(u, v, indexing="ij"), -1).reshape(-1, 2)
        points.append(grid)
        likelihood = np.exp(-((x_t - signal * grid) ** 2).sum(-1) / (2 * std**2))
        p.append(w * np.outer(node_weights, node_weights).ravel() / 4 * likelihood)
    points, p = np.concatenate(points), np.concatenate(p)
    density = p.sum() / (2 * np.pi * std**2)
    assert boxes.log_prob(x_t, *LAW, signal, std) == pytest.approx(math.log(density), abs=1e-12)
    mean = p @ points / p.sum()
    assert_allclose(boxes.posterior_mean(x_t, *LAW, signal, std), mean, atol=1e-12)
    cov = (points - mean).T @ ((points - mean) * p[:, None]) / p.sum()
    assert_allclose(boxes.posterior_cov(x_t, *LAW, signal, std), cov, atol=1e-12)


def test_clean_density_and_edges():
    x = np.array([[-1.5, 0.25], [0.5, 0.0], [2.0, 1.2], [5.0, 5.0], [-2.0, 0.0], [-1.0, 0.0]])
    expected = [
        math.log(0.3 / 0.5),
        math.log(0.5 / 2),
        math.log(0.2),
        -math.inf,
        math.log(0.3 / 0.5),
        -math.inf,
    ]
    assert_allclose(boxes.clean_log_prob(x, *LAW), expected, atol=1e-14)


def test_small_noise_inside_is_the_clean_density():
    x = np.array([[-1.5, 0.25], [0.5, 0.0]])
    assert_allclose(boxes.log_prob(x, *LAW, 1.0, 1e-3), boxes.clean_log_prob(x, *LAW), atol=1e-13)


def test_float32_stays():
    x = Stream(0).normal(20, 2)
    narrow = [np.float32(a) for a in LAW]
    for function in (boxes.log_prob, boxes.score, boxes.posterior_mean, boxes.posterior_cov):
        result = function(np.float32(x), *narrow, 0.8, 0.6)
        assert result.dtype == np.float32
        assert_allclose(result, function(x, *LAW, 0.8, 0.6), rtol=1e-4, atol=1e-5)
    assert boxes.clean_log_prob(np.float32(x), *narrow).dtype == np.float32


def test_another_last_axis_is_refused():
    with pytest.raises(ValueError, match=r"x_t has shape \(5, 3\)"):
        boxes.log_prob(np.zeros((5, 3)), *LAW, 1.0, 0.5)


def test_noise_shares_are_those_of_the_conditioned_gaussian():
    noise, signal, std = np.array([0.0, 0.2, 3.0]), 0.7, 0.5
    total, of_x_t, of_box = boxes.noise_shares(noise, signal, std)
    assert_allclose(total**2, signal**2 * noise**2 + std**2, rtol=1e-14)
    gain = signal * noise**2 / (signal**2 * noise**2 + std**2)  # of x_t - signal u in E[x_0 | u, x_t] - u
    assert_allclose(of_x_t, gain, rtol=1e-14)
    assert_allclose(of_box, 1 - signal * gain, rtol=1e-12)
