"""The forward process against 50 digits at every noise level, in float32, broadcast, in 1 and 100-D."""

import mpmath as mp
import numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.formulas import forward

EPS = np.finfo(float).eps
RNG = np.random.default_rng(2)
ALPHAS = [1 - 2.0**-53, 1 - 1e-12, 1 - 1e-4, 0.98, 0.5, 1e-3, 1e-12, 1e-300]


@pytest.mark.parametrize("alpha_t", ALPHAS)
def test_one_step_against_50_digits(alpha_t):
    with mp.workdps(50):
        a, x, e = mp.mpf(alpha_t), 1.7, -0.3
        exact = mp.sqrt(a) * x, mp.sqrt(1 - a) * e
        got = forward.step(np.array([x]), np.array([e]), alpha_t)[0]
        assert abs(mp.mpf(float(got)) - sum(exact)) <= 10 * EPS * sum(map(abs, exact))
        assert abs(forward.step_var(alpha_t) / (1 - a) - 1) <= 10 * EPS
        got = forward.diffuse(np.array([x]), np.array([e]), alpha_t**0.5, (1 - alpha_t) ** 0.5)[0]
        assert abs(mp.mpf(float(got)) - sum(exact)) <= 10 * EPS * sum(map(abs, exact))
        for alpha_bar_s in [1.0, *ALPHAS]:
            exact = 1 - a * mp.mpf(alpha_bar_s)
            assert abs(mp.mpf(forward.noise_var(alpha_t, alpha_bar_s)) / exact - 1) <= 10 * EPS


@pytest.mark.parametrize(
    "beta",
    [
        np.full(3, 1e-300),
        np.full(10, 1e-16),
        np.geomspace(1e-12, 0.9, 12),
        np.linspace(1e-4, 0.02, 1000),
        np.full(50, 0.999999),
    ],
)
def test_cumulative_products_against_50_digits(beta):
    with mp.workdps(350):  # 1 - 1e-300 wants 300 digits more
        exact, product = [], mp.mpf(1)
        for b in beta.tolist():
            product *= 1 - mp.mpf(b)
            exact.append(product)
        for got, rest, true in zip(
            forward.alpha_bar(beta), forward.one_minus_alpha_bar(beta), exact, strict=True
        ):
            assert abs(mp.mpf(float(got)) / true - 1) <= 10 * EPS * (1 + abs(mp.log(true)))
            assert abs(mp.mpf(float(rest)) / (1 - true) - 1) <= 10 * EPS


def test_path_density_is_the_sum_of_its_steps_and_reads_no_step_twice():
    alpha, x = np.array([0.9, 0.5, 0.2]), RNG.normal(size=(5, 4, 2))
    terms = [
        -np.sum((x[:, t + 1] - a**0.5 * x[:, t]) ** 2, -1) / (2 * (1 - a)) - np.log(2 * np.pi * (1 - a))
        for t, a in enumerate(alpha)
    ]
    np.testing.assert_allclose(forward.path_log_prob(x, alpha), sum(terms), rtol=1e-13)
    check_grads(lambda x: forward.path_log_prob(x, alpha), modes=["rev"], order=1)(x)


@pytest.mark.parametrize("d", [1, 100])
def test_float32_stays_float32_and_leading_axes_broadcast(d):
    x, eps = RNG.normal(size=(2, 6, d)).astype(np.float32)
    column = np.linspace(0.1, 0.9, 6, dtype=np.float32)[:, None]
    for alpha in (0.7, column):
        for value in (
            forward.step(x, eps, alpha),
            forward.step_mean(x, alpha),
            forward.diffuse(x, eps, alpha, alpha),
        ):
            assert value.dtype == np.float32
            assert value.shape == (6, d)
    beta = np.linspace(1e-4, 0.02, 1000, dtype=np.float32)
    for value in (
        forward.alpha_bar(beta),
        forward.one_minus_alpha_bar(np.stack([beta, beta])),
        forward.noise_var(column, column),
        forward.path_log_prob(x, np.full(5, 0.9, np.float32)),
        forward.reverse_non_gaussianity(column, 0.1),
    ):
        assert value.dtype == np.float32
    assert forward.one_minus_alpha_bar(np.stack([beta, beta])).shape == (2, 1000)
    assert type(forward.noise_var(0.9, 0.8)) is float


def test_only_no_signal_is_the_prior():
    assert forward.is_prior(0.0)
    assert not forward.is_prior(1e-300)
    np.testing.assert_array_equal(forward.is_prior(np.array([0.0, 4e-5])), [True, False])


@pytest.mark.parametrize(
    "call",
    [
        lambda: forward.step(np.zeros((4, 2)), np.zeros((4, 3)), 0.5),
        lambda: forward.diffuse(np.zeros(2), np.zeros(3), 0.5, 0.5),
        lambda: forward.path_log_prob(np.zeros((3, 2)), np.full(3, 0.5)),
    ],
)
def test_shapes_that_do_not_fit_raise(call):
    with pytest.raises(ValueError, match="shape"):
        call()


def test_log_alpha_says_what_beta_cannot_hold():
    log_alpha = np.log1p(-np.array([1e-12, 0.3, 0.5]))
    beta = -np.expm1(log_alpha)
    for formula in (forward.alpha_bar, forward.one_minus_alpha_bar):
        np.testing.assert_allclose(formula(beta), formula(beta, log_alpha), rtol=1e-15)
    assert forward.alpha_bar(np.ones(1), np.array([-100.0]))[0] == pytest.approx(np.exp(-100), rel=1e-14)
    assert forward.one_minus_alpha_bar(np.zeros(1), np.array([-1e-30]))[0] == 1e-30


@pytest.mark.parametrize(("s", "t"), [(0.0, 1e-12), (0.0, 1e-3), (0.3, 0.6), (0.5, 0.5 + 1e-9), (0.1, 0.999)])
def test_cosine_beta_against_50_digits(s, t):
    with mp.workdps(50):
        a, b = ((mp.mpf(time) + mp.mpf("0.008")) / mp.mpf("1.008") * mp.pi / 2 for time in (s, t))
        exact = 1 - mp.cos(b) ** 2 / mp.cos(a) ** 2
        # Twice the rounding of the angles, as a share of their difference.
        assert abs(mp.mpf(float(forward.cosine_beta(s, t))) / exact - 1) < 10 * EPS * (1 + float(b / (b - a)))
