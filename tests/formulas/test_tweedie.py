"""Tweedie's formulas against 50 digits and against Gaussians, where everything is known."""

import mpmath
import numpy as np
import pytest

from refgen.formulas import tweedie

mpmath.mp.dps = 50
EPS = np.finfo(float).eps
mpf = mpmath.mpf
LEVELS = [(0.6, 0.8), (1.0, 1e-8), (1e-8, 1.0), (1.0, 80.0), (4.5e-5, 1.0)]


@pytest.mark.parametrize(("signal", "std"), LEVELS)
@pytest.mark.parametrize("value", [0.0, -1.3, 1e-9, 4e5])
def test_accuracy_against_fifty_digits(signal, std, value):
    a, s, v = mpf(signal), mpf(std), mpf(value)
    one, x = np.array([[value]]), np.array([1.7])
    for got, terms in [
        (tweedie.denoised(x, one[0], signal, std)[0], [mpf(1.7) / a, s**2 * v / a]),
        (tweedie.cov_from_hessian(one, signal, std)[0, 0], [(s / a) ** 2, (s / a) ** 2 * s**2 * v]),
        (tweedie.cov_from_jacobian(one, signal, std)[0, 0], [s**2 / a * v]),
        (tweedie.posterior_mean(x, one[0], np.array([[std]]))[0], [mpf(1.7), s * v]),
        (tweedie.mean_square_error(np.array([[std]]), abs(one)), [s, -(s**2) * abs(v)]),
    ]:
        assert abs(mpf(float(got)) - sum(terms)) <= 10 * EPS * sum(map(abs, terms))


@pytest.mark.parametrize("d", [1, 2, 100])
def test_gaussian_data_in_any_dimension(d):
    """Prior N(0, P), noise C: the posterior mean is P (P + C)^-1 z and its covariance P (P + C)^-1 C."""
    rng = np.random.default_rng(d)
    prior, noise = (a @ np.swapaxes(a, 0, 1) / d + np.eye(d) for a in rng.normal(size=(2, d, d)))
    z = rng.normal(size=(4, 3, d))
    information = np.linalg.inv(prior + noise)
    mean = tweedie.posterior_mean(z, -z @ information, noise)
    np.testing.assert_allclose(mean, z @ (prior @ information).T, atol=1e-11)
    error = tweedie.mean_square_error(noise, information)
    assert error == pytest.approx(np.trace(prior @ information @ noise), rel=1e-11)
    signal, std = 0.6, 0.8
    noisy = np.linalg.inv(signal**2 * prior + std**2 * np.eye(d))
    exact = std**2 * np.linalg.solve(signal**2 * prior + std**2 * np.eye(d), prior)
    np.testing.assert_allclose(tweedie.cov_from_hessian(-noisy, signal, std), exact, atol=1e-12)
    np.testing.assert_allclose(
        tweedie.cov_from_jacobian(signal * prior @ noisy, signal, std), exact, atol=1e-12
    )
    np.testing.assert_allclose(
        tweedie.denoised(z, -z @ noisy, signal, std), signal * z @ (prior @ noisy).T, atol=1e-12
    )


def test_float32_stays_and_a_level_for_each_point():
    x, square = np.ones((5, 2), np.float32), np.ones((5, 2, 2), np.float32)
    cov = np.eye(2, dtype=np.float32)
    results = [
        tweedie.posterior_mean(x, x, cov),
        tweedie.denoised(x, x, 0.6, 0.8),
        tweedie.cov_from_hessian(square, 0.6, 0.8),
        tweedie.cov_from_jacobian(square, 0.6, 0.8),
        tweedie.mean_square_error(cov, square),
    ]
    assert all(r.dtype == np.float32 for r in results)
    column = np.full((5, 1), 0.8)
    np.testing.assert_allclose(tweedie.denoised(x, x, 0.6, column), results[1], rtol=1e-6)
    level = np.full((5, 1, 1), 0.8)
    np.testing.assert_allclose(tweedie.cov_from_hessian(square, 0.6, level), results[2], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: tweedie.posterior_mean(a, a[:, :1], np.eye(2)), r"score has shape \(3, 1\)"),
        (lambda a: tweedie.posterior_mean(a, a, np.eye(3)), r"noise_cov has shape \(3, 3\)"),
        (lambda a: tweedie.denoised(a, a[:, :1], 0.6, 0.8), r"score has shape \(3, 1\)"),
        (lambda a: tweedie.cov_from_hessian(a, 0.6, 0.8), r"hessian has shape \(3, 2\); it must be"),
        (lambda a: tweedie.cov_from_jacobian(a[0], 0.6, 0.8), r"jacobian has shape \(2,\); it must be"),
        (lambda a: tweedie.mean_square_error(np.eye(2), np.eye(3)), r"fisher has shape \(3, 3\)"),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(np.zeros((3, 2)))
