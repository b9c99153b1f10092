"""Formulas of adversarial networks: accuracy far out, slopes where a norm has none, precision."""

import mpmath
import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from refgen.formulas import adversarial

mpmath.mp.dps = 50

FAR = np.array([-800.0, -40.0, -1e-9, 0.0, 3.0, 40.0, 800.0])


def test_losses_against_fifty_digits_far_out_too():
    for a in FAR:
        D = 1 / (1 + mpmath.exp(-mpmath.mpf(a)))
        other = 1 / (1 + mpmath.exp(mpmath.mpf(a)))  # 1 - D
        found = adversarial.minimax_loss(a), adversarial.nonsaturating_loss(a)
        assert float(found[0]) == pytest.approx(float(mpmath.log(other)), rel=1e-15, abs=1e-320)
        assert float(found[1]) == pytest.approx(float(-mpmath.log(D)), rel=1e-15, abs=1e-320)


def test_the_best_discriminator_neither_overflows_nor_leaves_the_unit_interval():
    found = adversarial.optimal_discriminator(np.array([-2000.0, 0.0, -5.0]), np.array([0.0, -2000.0, -5.0]))
    assert found.tolist() == [0.0, 1.0, 0.5]
    small = adversarial.optimal_discriminator(np.array(-100.0), np.array(-50.0))
    assert float(small) == pytest.approx(float(1 / (1 + mpmath.exp(50))), rel=1e-14)


def test_a_penalty_has_a_slope_where_the_gradient_is_none():
    for target in (0.0, 1.0):
        slope = grad(lambda g: np.sum(adversarial.gradient_penalty(g, target)))(np.zeros((2, 3)))  # noqa: B023
        assert np.array_equal(slope, np.zeros((2, 3)))
    check_grads(lambda g: adversarial.gradient_penalty(g, 0.7), modes=["rev"], order=2)(
        np.array([[0.3, -1.0], [2.0, 0.5]])
    )


def test_the_value_runs_from_equal_laws_to_laws_apart():
    assert adversarial.game_value(0.0) == pytest.approx(-2 * np.log(2), abs=1e-15)
    assert adversarial.game_value(np.log(2)) == pytest.approx(0, abs=1e-15)


def test_a_critic_that_is_shifted_loses_the_same():
    x, y = np.array([1.0, 4.0, -2.0]), np.array([0.5, 3.0])
    assert adversarial.critic_loss(x, y) == pytest.approx(np.mean(y) - np.mean(x))
    assert adversarial.critic_loss(x + 7, y + 7) == pytest.approx(adversarial.critic_loss(x, y))


def test_float32_stays():
    a = np.linspace(-1, 1, 4, dtype=np.float32)
    for found in (
        adversarial.optimal_discriminator(a, a[::-1]),
        adversarial.minimax_loss(a),
        adversarial.nonsaturating_loss(a),
        adversarial.game_value(a),
        adversarial.critic_loss(a, a),
        adversarial.gradient_penalty(a.reshape(2, 2)),
        adversarial.gradient_penalty(a.reshape(2, 2), 0.0),
    ):
        assert found.dtype == np.float32
