import warnings
from itertools import pairwise

import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.formulas import snr
from refgen.formulas.posterior import posterior_var

EPS = np.finfo(float).eps
mpmath.mp.dps = 50


@pytest.mark.parametrize("log_snr", [-700.0, -300.5, -40.0, -1.0, -1e-9, 0.0, 0.3, 40.0, 700.0])
def test_both_sigmoids_are_relatively_accurate(log_snr):
    exact = 1 / (1 + mpmath.exp(-mpmath.mpf(log_snr)))
    rest = 1 / (1 + mpmath.exp(mpmath.mpf(log_snr)))
    for got, true in (
        (snr.alpha_bar_from_log_snr(log_snr), exact),
        (snr.one_minus_alpha_bar_from_log_snr(log_snr), rest),
    ):
        assert type(got) is float
        assert abs(mpmath.mpf(got) / true - 1) < 10 * EPS
    # Subtracting one sigmoid from one would not do.
    if log_snr > 30:
        assert abs((1 - snr.alpha_bar_from_log_snr(log_snr)) / rest - 1) > 1e-5


def test_sigmoids_keep_float32_and_raise_no_warning():
    log_snr = np.float32([-700, -80, 0, 80, 700])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        both = snr.alpha_bar_from_log_snr(log_snr), snr.one_minus_alpha_bar_from_log_snr(log_snr)
    assert all(a.dtype == np.float32 and np.all(np.isfinite(a)) for a in both)
    np.testing.assert_allclose(both[0], both[1][::-1])


def test_snr_and_log_snr_are_inverse_of_the_sigmoid():
    log_snr = np.linspace(-30, 30, 61)
    alpha_bar = snr.alpha_bar_from_log_snr(log_snr)
    rest = snr.one_minus_alpha_bar_from_log_snr(log_snr)
    np.testing.assert_allclose(snr.log_snr(np.sqrt(alpha_bar), np.sqrt(rest)), log_snr, rtol=0, atol=1e-14)
    low = log_snr < 0
    np.testing.assert_allclose(snr.snr(alpha_bar[low]), np.exp(log_snr[low]), rtol=1e-13)
    np.testing.assert_allclose(snr.unit_level(log_snr), np.sqrt([alpha_bar, rest]), rtol=1e-15)
    assert all(type(a) is float for a in snr.unit_level(-3.0))
    assert snr.log_snr(1.0, 0.0) == np.inf
    assert snr.log_snr(0.0, 1.0) == -np.inf


@pytest.mark.parametrize(
    ("t", "s"),
    [(3.0, 3.0 + 1e-9), (-12.0, 9.0), (-600.0, 650.0), (9.0, np.inf), (20.0, 20.5), (300.0, 301.0)],
)
def test_beta_between_two_levels_cancels_nothing(t, s):
    def alpha_bar(level):
        return 1 / (1 + mpmath.exp(-mpmath.mpf(level)))

    with mpmath.workdps(400):
        exact = 1 - alpha_bar(t) / alpha_bar(s)
        assert abs(mpmath.mpf(snr.beta_from_log_snr(t, s)) / exact - 1) < 10 * EPS


def test_a_rising_log_snr_gives_a_negative_variance():
    """The misprint's own numbers: without 'increasing omega' a step has alpha_t > 1."""
    assert snr.beta_from_log_snr(1.0, 0.5) < 0


def test_denoising_weight_is_half_the_fall_of_the_snr_even_for_a_tiny_beta():
    for beta in (0.5, 1e-3, 1e-9):
        alpha_t, alpha_bar_s = 1 - beta, 0.37
        a, s = mpmath.mpf(alpha_t), mpmath.mpf(alpha_bar_s)
        exact = (s / (1 - s) - a * s / (1 - a * s)) / 2
        got = snr.denoising_weight(alpha_t, alpha_bar_s)
        assert abs(mpmath.mpf(got) / exact - 1) < 10 * EPS
        var = posterior_var(alpha_t, alpha_bar_s)
        printed = alpha_bar_s * (1 - alpha_t) ** 2 / (2 * var * (1 - alpha_t * alpha_bar_s) ** 2)
        assert got == pytest.approx(printed, rel=1e-12)


def test_gradients():
    check_grads(snr.alpha_bar_from_log_snr, modes=["rev"], order=2)(anp.array([-3.0, 0.0, 2.0]))
    check_grads(snr.beta_from_log_snr, modes=["rev"], order=2)(anp.array([-3.0, 0.0]), anp.array([1.0, 2.0]))
    check_grads(snr.denoising_weight, order=2)(anp.array([0.3, 0.9]), anp.array([0.5, 0.2]))
    check_grads(snr.log_snr, order=2)(anp.array([0.3, 0.9]), anp.array([0.5, 0.2]))


@pytest.mark.parametrize("T", [1, 2, 5])
def test_a_schedule_falls_strictly(T):
    falling = np.linspace(3.0, -3.0, T)
    assert bool(snr.is_schedule(falling)) is True
    if T > 1:
        for wrong in (falling[::-1], np.zeros(T), np.where(np.arange(T) == T - 1, 9.0, falling)):
            assert bool(snr.is_schedule(wrong)) is False


def test_diffusion_loss_against_fifty_digits_and_its_shapes():
    log_snr = np.array([600.0, 12.0, 3.0, 3.0 - 1e-12, -20.0, -650.0])
    error = np.array([7.0, 1e-6, 0.3, 0.3, 1.0, 2.0])
    falls = [mpmath.exp(mpmath.mpf(s)) - mpmath.exp(mpmath.mpf(t)) for s, t in pairwise(log_snr)]
    exact = sum(f * e for f, e in zip(falls, map(mpmath.mpf, error[1:]), strict=True)) / 2
    assert abs(mpmath.mpf(float(snr.diffusion_loss(log_snr, error))) / exact - 1) < 10 * EPS
    several = snr.diffusion_loss(log_snr[1:], np.stack([error[1:], 2 * error[1:]]))
    assert several.shape == (2,)
    assert several[1] == pytest.approx(2 * several[0])
    assert snr.diffusion_loss(np.float32([1, 0]), np.float32([1, 1])).dtype == np.float32
    assert snr.diffusion_loss(np.array([1.0]), np.array([1.0])) == 0  # one level: L_0 alone
    check_grads(snr.diffusion_loss, modes=["rev"], order=2)(
        anp.array([2.0, 0.5, -1.0]), anp.array([0.1, 0.4, 1.0])
    )


@pytest.mark.parametrize("log_snr", [-700.0, -3.0, 0.0, 2.5, 40.0, 700.0])
def test_log_alpha_bar_is_relatively_accurate(log_snr):
    with mpmath.workdps(400):
        exact = -mpmath.log1p(mpmath.exp(-mpmath.mpf(log_snr)))
        assert abs(mpmath.mpf(float(snr.log_alpha_bar_from_log_snr(log_snr))) / exact - 1) < 10 * EPS
    assert snr.log_alpha_bar_from_log_snr(np.array([np.inf]))[0] == 0


def test_gaussian_square_error_is_the_posteriors_variance_and_the_limit_its_integral():
    data_var, ends = np.array([1.7, 0.3]), (2.0, -3.0)
    signal, std = np.sqrt(snr.alpha_bar_from_log_snr(0.7)), np.sqrt(snr.one_minus_alpha_bar_from_log_snr(0.7))
    given = data_var - (signal * data_var) ** 2 / (signal**2 * data_var + std**2)  # conditioning x_0 on x_t
    assert snr.gaussian_square_error(np.array(0.7), data_var) == pytest.approx(given.sum(), rel=1e-13)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    log_snr = (ends[0] + ends[1]) / 2 + (ends[0] - ends[1]) / 2 * nodes
    error = snr.gaussian_square_error(log_snr, data_var) * np.exp(log_snr)  # d SNR = SNR d log SNR
    integral = 0.5 * weights @ error * (ends[0] - ends[1]) / 2
    assert snr.gaussian_loss_limit(*ends, data_var) == pytest.approx(integral, rel=1e-12)
