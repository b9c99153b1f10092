import itertools

import numpy as np
import pytest
from mpmath import mp, mpf

from refgen.formulas import reverse_kernel

mp.dps = 50
EPS = np.finfo(float).eps
RNG = np.random.default_rng(2)
X_S, X_T, SCORE = RNG.normal(size=(3, 4, 2))
ALPHAS = [1 - 1e-6, 0.9, 0.5, 1e-3]


def test_first_order_density_against_fifty_digits():
    for alpha_t in ALPHAS:
        a = mpf(alpha_t)
        result = reverse_kernel.log_reverse_first_order(X_S, X_T, alpha_t, SCORE)
        for got, *points in zip(result, X_S, X_T, SCORE, strict=True):
            exact = -mp.log(2 * mp.pi * (1 - a))
            size = abs(exact)
            for s, t, score in zip(*[map(mpf, p) for p in points], strict=True):
                exact += -((t - mp.sqrt(a) * s) ** 2) / (2 * (1 - a)) + (s - t) * score
                size += (abs(t) + mp.sqrt(a) * abs(s)) ** 2 / (1 - a) + (abs(s) + abs(t)) * abs(score)
            assert abs(mpf(float(got)) - exact) <= 10 * EPS * size


def test_mean_variance_and_covariance_against_fifty_digits():
    for alpha_t, (x, s) in itertools.product(ALPHAS, [(1.3, -0.4), (-2.0, 5.0)]):
        a = mpf(alpha_t)
        mean, var = reverse_kernel.first_order_mean_and_var(np.array([x]), np.array([s]), alpha_t)
        parts = mpf(x) / mp.sqrt(a), (1 - a) / a * mpf(s)
        assert abs(mpf(float(mean[0])) - sum(parts)) <= 10 * EPS * sum(map(abs, parts))
        assert abs(mpf(var) / ((1 - a) / a) - 1) < 10 * EPS
        cov = reverse_kernel.reverse_cov(alpha_t, np.array([[s]]))
        exact = (1 - a) / a * (1 + (1 - a) * mpf(s))
        assert abs(mpf(float(cov[0, 0])) - exact) <= 10 * EPS * (1 - a) / a * (1 + (1 - a) * abs(mpf(s)))


@pytest.mark.parametrize("d", [1, 100])
def test_shapes_precision_and_errors(d):
    x_s, x_t, score = (x.astype(np.float32) for x in np.random.default_rng(0).normal(size=(3, 6, d)))
    log_q = np.zeros(6, np.float32)
    for result in (
        reverse_kernel.log_reverse(x_s, x_t, 0.9, log_q, log_q),
        reverse_kernel.log_reverse_first_order(x_s, x_t, 0.9, score),
    ):
        assert result.shape == (6,)
        assert result.dtype == np.float32
    mean, _ = reverse_kernel.first_order_mean_and_var(x_t, score, 0.9)
    assert mean.dtype == np.float32
    jacobian = -np.ones((6, d, 1), np.float32) * np.eye(d, dtype=np.float32)
    cov = reverse_kernel.reverse_cov(0.9, jacobian)
    assert (cov.shape, cov.dtype) == ((6, d, d), np.float32)
    np.testing.assert_allclose(cov[0], 0.1 * np.eye(d), rtol=1e-5)  # data N(0, I): the variance is beta
    for call in (
        lambda: reverse_kernel.log_reverse(x_s[:, :0], x_t, 0.9, log_q, log_q),
        lambda: reverse_kernel.log_reverse_first_order(x_s[:, :0], x_t, 0.9, score),
        lambda: reverse_kernel.first_order_mean_and_var(x_t, score[:, :0], 0.9),
    ):
        with pytest.raises(ValueError, match="its last axis must match"):
            call()


def test_only_one_gaussian_stays_gaussian():
    means, variances = np.array([0.3, 0.3]), np.array([0.5, 0.5])
    assert reverse_kernel.is_gaussian(means, variances, 0.9)
    assert not reverse_kernel.is_gaussian(means + np.array([0, 1e-6]), variances, 1e-6)
    assert not reverse_kernel.is_gaussian(means, variances * np.array([1, 2]), 1e-6)
