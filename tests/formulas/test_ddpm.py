"""Algorithm 1's target and weights: one loss for all targets, against 50 digits."""

import mpmath
import numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.formulas import ddpm

mpmath.mp.dps = 50
EPS = np.finfo(float).eps
mpf = mpmath.mpf
TARGETS = ("eps", "x_0", "score", "v")
ANGLES = [1e-8, 0.01, 0.6435, 1.0, 1.57]


@pytest.mark.parametrize("angle", ANGLES)
def test_factors_and_weights_against_fifty_digits(angle):
    signal, std = float(mpmath.cos(angle)), float(mpmath.sin(angle))
    a, s = mpf(signal), mpf(std)
    for target, exact in zip(TARGETS, [mpf(1), (a / s) ** 2, s**2, a**2], strict=True):
        assert abs(ddpm.eps_error_factor(target, signal, std) / exact - 1) <= 10 * EPS
    for gamma in (0.1, 5.0, 1e9):
        exact = min(mpf(1), gamma * (s / a) ** 2)
        assert abs(ddpm.min_snr_weight(signal, std, gamma) / exact - 1) <= 10 * EPS


@pytest.mark.parametrize("d", [1, 2, 100])
def test_weighted_losses_of_all_targets_agree(d):
    """A network that is off by some noise predicts the wrong x_0, score and v; its loss is the same."""
    rng = np.random.default_rng(d)
    x_0, eps, wrong = rng.normal(size=(3, 6, d))
    signal, std = 0.6, 0.8
    x_t = signal * x_0 + std * eps
    wrong_x_0 = (x_t - std * wrong) / signal
    losses = []
    for target in TARGETS:
        true = ddpm.training_target(target, x_0, eps, signal, std)
        predicted = ddpm.training_target(target, wrong_x_0, wrong, signal, std)
        factor = ddpm.eps_error_factor(target, signal, std)
        losses.append(factor * ddpm.squared_error(true, predicted))
        assert losses[-1].shape == (6,)
    for loss in losses:
        np.testing.assert_allclose(loss, np.sum((eps - wrong) ** 2, axis=-1), rtol=1e-12)


def test_squared_error_sums_over_coordinates_and_keeps_float32():
    error = ddpm.squared_error(np.full((3, 4), 2.0), np.zeros((3, 4)))
    np.testing.assert_array_equal(error, np.full(3, 16.0))
    narrow = np.ones((3, 4), np.float32)
    assert ddpm.squared_error(narrow, 0 * narrow).dtype == np.float32
    for target in TARGETS:
        assert ddpm.training_target(target, narrow, narrow, 0.6, 0.8).dtype == np.float32
    assert ddpm.min_snr_weight(narrow, narrow).dtype == np.float32
    check_grads(ddpm.squared_error, modes=["rev"], order=2)(np.array([[0.3, -1.0]]), np.array([[1.0, 2.0]]))


def test_bad_input_is_named():
    points = np.zeros((3, 2))
    with pytest.raises(ValueError, match=r"^prediction has shape \(3, 1\)"):
        ddpm.squared_error(points, points[:, :1])
    for call in (
        lambda: ddpm.training_target("epsilon", points, points, 0.6, 0.8),
        lambda: ddpm.eps_error_factor("epsilon", 0.6, 0.8),
    ):
        with pytest.raises(ValueError, match=r"^target is 'epsilon'; it must be one of eps, x_0, score, v"):
            call()
