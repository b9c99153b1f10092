"""The formulas of EDM against 50 digits, in every precision and dimension."""

import mpmath
import numpy as np
import pytest

from refgen.formulas import edm
from refgen.formulas.process import karras_std

mpmath.mp.dps = 50
mpf = mpmath.mpf
EPS = np.finfo(float).eps
LEVELS = [1e-8, 2e-3, 0.5, 1.0, 80.0, 1e8]


def close(got, terms, limit=10):
    return abs(mpf(float(got)) - sum(terms)) <= limit * EPS * sum(map(abs, terms))


@pytest.mark.parametrize("std", LEVELS)
@pytest.mark.parametrize("data_std", [0.5, 1.0, 7.0])
@pytest.mark.parametrize("as_array", [False, True])
def test_preconditioning_against_fifty_digits(std, data_std, as_array):
    lift = np.array if as_array else float
    s, d = mpf(std), mpf(data_std)
    power, args = s**2 + d**2, (lift(std), lift(data_std))
    skip, out = d**2 / power, s * d / mpmath.sqrt(power)
    assert close(edm.c_skip(*args), [skip])
    assert close(edm.c_out(*args), [out])
    assert close(edm.c_in(*args), [1 / mpmath.sqrt(power)])
    assert close(edm.c_noise(lift(std)), [mpmath.log(s) / 4])
    assert close(edm.loss_weight(*args), [1 / out**2])
    x, f, x_0 = np.array([1.7]), np.array([-0.4]), np.array([0.3])
    assert close(edm.denoised(x, f, *args)[0], [skip * mpf(1.7), out * mpf(-0.4)])
    assert close(edm.network_target(x, x_0, *args)[0], [mpf(0.3) / out, -skip * mpf(1.7) / out])


def test_at_clean_data_all_is_passed_on():
    x, f = np.array([1.7, 2.0]), np.array([-0.4, 1e300])
    np.testing.assert_array_equal(edm.denoised(x, f, 0.0, 0.5), x)
    assert (edm.c_skip(0.0), edm.c_out(0.0), edm.c_in(0.0)) == (1.0, 0.0, 2.0)


def test_without_another_the_std_of_the_data_is_that_of_the_paper():
    x, y = np.array([1.7, 2.0]), np.array([-0.4, 0.1])
    for formula in (edm.c_skip, edm.c_out, edm.c_in, edm.loss_weight):
        assert formula(0.3) == formula(0.3, 0.5) != formula(0.3, 1.0)
    for formula in (edm.denoised, edm.network_target):
        np.testing.assert_array_equal(formula(x, y, 0.3), formula(x, y, 0.3, 0.5))
    assert edm.churn_rate(1e-9, 1.0, 10) == edm.churn_rate(1e9, 1.0, 10) == 0.1  # at any level


def test_target_and_denoised_are_inverse():
    x_t, x_0 = np.random.default_rng(0).normal(size=(2, 50, 3))
    for std in (2e-3, 1.0, 80.0):
        target = edm.network_target(x_t, x_0, std)
        np.testing.assert_allclose(edm.denoised(x_t, target, std), x_0, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("std_t", "share"), [(80.0, 0.7), (1.0, 1 - 1e-9), (1e-3, 1e-6), (5e4, 1e-4)])
def test_steps_against_fifty_digits(std_t, share):
    std_s = std_t * share
    t, s = mpf(std_t), mpf(std_s)
    x, x_0, x_s, x_0_s = (np.array([a]) for a in (3.1, 2.2, 2.9, 2.4))
    a, b, c, d = (mpf(float(v[0])) for v in (x, x_0, x_s, x_0_s))
    assert close(edm.euler_step(x, x_0, std_t, std_s)[0], [b, s / t * (a - b)])
    assert edm.euler_step(x, x_0, std_t, 0.0)[0] == 2.2
    terms = [a, (s - t) / 2 * (a - b) / t, (s - t) / 2 * (c - d) / s]
    assert close(edm.heun_step(x, x_0, x_s, x_0_s, std_t, std_s)[0], terms)


@pytest.mark.parametrize("rate", [0.0, 1e-12, 0.1, 2**0.5 - 1])
def test_churn_against_fifty_digits(rate):
    x, std = edm.churn(np.array([1.2]), np.array([-0.7]), 0.3, rate, 1.003)
    s, g = mpf(0.3), mpf(rate)
    assert close(std, [s * (1 + g)])
    assert close(x[0], [mpf(1.2), mpmath.sqrt((s * (1 + g)) ** 2 - s**2) * mpf(1.003) * mpf(-0.7)])


def test_rate_of_churn():
    assert edm.churn_rate(1.0, 40.0, 256) == 40 / 256
    assert edm.churn_rate(1.0, 40.0, 18) == pytest.approx(2**0.5 - 1, rel=1e-15)
    assert edm.churn_rate(0.04, 40.0, 256, 0.05, 50.0) == edm.churn_rate(51.0, 40.0, 256, 0.05, 50.0) == 0
    got = edm.churn_rate(np.array([0.04, 0.05, 1, 50, 51], np.float32), 40.0, 256, 0.05, 50.0)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got > 0, [False, True, True, True, False])


def test_the_levels_of_the_paper():
    """18 levels from 80 to 0.002: the first ones, computed by hand from the seventh roots."""
    std = karras_std(np.arange(18) / 17, 80.0, 0.002)
    seventh = [mpf(80) ** (mpf(1) / 7), mpf("0.002") ** (mpf(1) / 7)]
    for i in (0, 1, 2, 9, 16, 17):
        exact = (seventh[0] + mpf(i) / 17 * (seventh[1] - seventh[0])) ** 7
        assert std[i] == pytest.approx(float(exact), rel=1e-13)
    np.testing.assert_allclose(std[:4], [80.0, 57.586, 40.7856, 28.3748], rtol=1e-5)


@pytest.mark.parametrize("d", [1, 100])
def test_float32_stays_and_leading_axes_broadcast(d):
    x, y = np.random.default_rng(d).normal(size=(2, 4, 5, d)).astype(np.float32)
    std = np.array([0.1, 1, 3, 10, 80], np.float32)[:, None]
    for level in (std, 2.0):
        results = [
            edm.denoised(x, y, level),
            edm.network_target(x, y, level),
            edm.euler_step(x, y, level, level / 2),
            edm.heun_step(x, y, x, y, level, level / 2),
            edm.churn(x, y, level, 0.2)[0],
        ]
        assert all(r.dtype == np.float32 and r.shape == x.shape for r in results)
    assert edm.c_in(std).dtype == edm.c_skip(std).dtype == edm.loss_weight(std).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, b: edm.denoised(a, b, 1.0), "output"),
        (lambda a, b: edm.network_target(a, b, 1.0), "x_0"),
        (lambda a, b: edm.euler_step(a, b, 1.0, 0.5), "x_0"),
        (lambda a, b: edm.heun_step(a, a, a, b, 1.0, 0.5), "x_0_s"),
        (lambda a, b: edm.churn(a, b, 1.0, 0.5), "z"),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=rf"^{message} has shape \(3, 1\); its last axis must match"):
        call(np.zeros((3, 2)), np.zeros((3, 1)))
