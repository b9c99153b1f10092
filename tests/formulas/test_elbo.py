"""The terms of the bound against 50 digits, and the numbers quoted for the usual schedule."""

import itertools

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.test_util import check_grads
from mpmath import mp, mpf

from refgen.formulas import elbo

mp.dps = 50
EPS = np.finfo(float).eps
ALPHAS = [1 - 1e-6, 0.99, 0.5, 1e-3]
ALPHA_BARS = [1 - 2e-9, 0.999, 0.5, 2e-9]
X, Y = np.random.default_rng(3).normal(size=(2, 5, 3))


def error_in_ulp(got, exact, size=None):
    return abs(mpf(float(got)) - exact) / (size or abs(exact)) / EPS


def test_weights_and_gap_against_fifty_digits():
    for alpha_t, alpha_bar_s, var in itertools.product(ALPHAS, ALPHA_BARS, [1e-9, 0.3, 7.0]):
        a, b, v = mpf(alpha_t), mpf(alpha_bar_s), mpf(var)
        x_0 = b * (1 - a) ** 2 / (2 * v * (1 - a * b) ** 2)
        eps = (1 - a) ** 2 / (2 * v * a * (1 - a * b))
        ratio = (1 - a) * (1 - b) / (1 - a * b) / v
        assert error_in_ulp(elbo.x_0_weight(alpha_t, alpha_bar_s, var), x_0) < 10
        assert error_in_ulp(elbo.eps_weight(alpha_t, alpha_bar_s, var), eps) < 10
        size = (ratio + 1 + abs(mp.log(ratio))) / 2
        gap = elbo.variance_gap(alpha_t, alpha_bar_s, var)
        assert error_in_ulp(gap, (ratio - 1 - mp.log(ratio)) / 2, size) < 10


def test_ends_against_fifty_digits():
    for alpha_bar in [0.0, 4e-5, 0.5, 0.999, 1 - 1e-12]:
        for got, x in zip(elbo.l_T(X, alpha_bar), X, strict=True):
            b, square = mpf(alpha_bar), sum(mpf(c) ** 2 for c in x)
            log = mp.log(1 - b)
            size = (b * square + 3 * b + 3 * abs(log)) / 2
            assert abs(mpf(float(got)) - (b * square - 3 * b - 3 * log) / 2) <= 10 * EPS * size
    for var in [1e-12, 1e-4, 1.0, 1e6]:
        for got, x, y in zip(elbo.l_0_gaussian(X, Y, var), X, Y, strict=True):
            square = sum((mpf(c) - mpf(e)) ** 2 for c, e in zip(x, y, strict=True)) / (2 * mpf(var))
            log = mpf(3) / 2 * mp.log(2 * mp.pi * mpf(var))
            assert error_in_ulp(got, square + log, square + abs(log)) < 10
        assert (
            error_in_ulp(elbo.l_0_eps_weight(0.8, 0.6, var), (mpf(0.6) / mpf(0.8)) ** 2 / (2 * mpf(var))) < 10
        )


def test_numbers_of_the_linear_schedule():
    beta = np.linspace(1e-4, 0.02, 1000)
    assert elbo.weight_spread(beta) == pytest.approx(120.4, abs=0.05)
    alpha_bar = np.cumprod(1 - beta)
    assert elbo.l_T(np.ones(1), float(alpha_bar[-1])) == pytest.approx(2.018e-5, rel=1e-3)


def test_dropping_the_weights_can_reverse_a_ranking():
    """Two models: A is wrong at the first noisy step only, B everywhere; the simple loss prefers A."""
    beta = np.linspace(1e-4, 0.02, 1000)
    alpha_bar = np.cumprod(1 - beta)
    alpha_t, alpha_bar_s = 1 - beta[1:], alpha_bar[:-1]
    weights = elbo.eps_weight(alpha_t, alpha_bar_s, (1 - alpha_t) * (1 - alpha_bar_s) / (1 - alpha_bar[1:]))
    a, b = np.zeros(999), np.full(999, 1e-3)
    a[0] = 0.5
    assert a.mean() < b.mean()
    assert weights @ a > weights @ b


def test_decoder_without_a_variance_has_no_likelihood():
    x_0, near = np.array([0.5]), np.array([0.49])
    assert elbo.l_0_gaussian(x_0, near, 1e-4) == pytest.approx(-3.186, abs=1e-3)
    assert elbo.l_0_gaussian(x_0, near, 1e-20) == pytest.approx(5e15, rel=1e-3)


def test_one_term_estimate_is_unbiased_for_every_point():
    terms = np.random.default_rng(0).normal(size=(7, 4))
    mean = np.mean([elbo.one_term_estimate(terms, t) for t in range(1, 8)], axis=0)
    np.testing.assert_allclose(mean, terms.sum(0), rtol=1e-13)


@pytest.mark.parametrize("d", [1, 100])
def test_shapes_precision_and_errors(d):
    x, y = (a.astype(np.float32) for a in np.random.default_rng(0).normal(size=(2, 6, d)))
    step = (0.9, 0.4, 0.05)
    for result in (elbo.l_T(x, 0.1), elbo.l_0_gaussian(x, y, 0.1), elbo.l_step(x, y, *step)):
        assert (result.shape, result.dtype) == ((6,), np.float32)
    each = elbo.l_step(x, y, np.full(6, 0.9), 0.4, np.full(6, 0.05))
    np.testing.assert_allclose(each, elbo.l_step(x, y, *step), rtol=1e-5)
    assert elbo.weight_spread(np.float32([0.1, 0.2, 0.3])).dtype == np.float32
    for call in (lambda: elbo.l_step(x, y[:, :0], *step), lambda: elbo.l_0_gaussian(x, y[:, :0], 0.1)):
        with pytest.raises(ValueError, match="its last axis must match"):
            call()


def test_gradients():
    check_grads(lambda e: elbo.l_step(anp.array(X), e, 0.9, 0.4, 0.05), modes=["rev"], order=2)(Y)
    check_grads(lambda v: elbo.variance_gap(0.9, 0.4, v), modes=["rev"], order=2)(anp.array([0.02, 0.5]))


@pytest.mark.parametrize("alpha_bar", [0.3, 0.5, 1 - 1e-9, 1 - 1e-15])
def test_l_T_with_the_noise_given_keeps_the_digits_that_the_subtraction_loses(alpha_bar):
    noise_var = 1e-20 if alpha_bar == 1 - 1e-15 else float(1 - mpf(alpha_bar))
    exact = (mpf(alpha_bar) * (mpf(4) - 1) - mp.log(mpf(noise_var))) / 2
    assert error_in_ulp(elbo.l_T(np.array([2.0]), alpha_bar, noise_var), exact) < 10
    assert elbo.l_T(np.float32(X), alpha_bar, noise_var).dtype == np.float32


def test_the_decoders_variance_is_that_of_x_0_given_x_1_for_wide_data():
    signal, std, wide = 0.6, 0.8, 1e8
    of_gaussian_data = 1 / (1 / wide**2 + signal**2 / std**2)
    assert elbo.decoder_var(signal**2, std**2) == pytest.approx(of_gaussian_data, rel=1e-12)
