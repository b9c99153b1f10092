"""A learned schedule gains on even steps, never beats the limit, and its loss is the sum of exact KLs."""

import autograd.numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.backend import Stream
from refgen.formulas.posterior import posterior_mean, posterior_var
from refgen.models.learned_snr import gaussian_limit, gaussian_loss, learn, log_snr
from refgen.nets.monotone import Monotone

VAR = np.array([1.7, 0.3])
ENDS = (9.0, -10.0)


@pytest.mark.parametrize("T", [5, 12])
def test_learning_gains_and_stays_above_the_limit(T):
    schedule, before, after = learn(T, VAR, Stream(0))
    limit = gaussian_limit(ENDS, VAR)
    assert limit < after < before - 0.1 * (before - limit)
    assert schedule.T == T
    assert schedule.log_snr[1] == pytest.approx(9, abs=1e-9)
    assert schedule.log_snr[-1] == pytest.approx(-10, abs=1e-9)
    assert np.all((schedule.alpha[1:] > 0) & (schedule.alpha[1:] < 1))
    assert gaussian_loss(schedule.log_snr[1:], VAR) == pytest.approx(after, rel=1e-9)


def test_no_move_of_a_single_level_gains_more():
    """Optimal to second order: the learned levels are near a stationary point of the loss in the levels."""
    schedule, before, after = learn(5, VAR, Stream(0))
    levels = schedule.log_snr[1:].copy()
    for k in (1, 2, 3):
        for move in (-0.3, 0.3):
            moved = levels.copy()
            moved[k] += move
            assert gaussian_loss(moved, VAR) > after - 0.01 * (before - after)


def test_the_limit_is_reached_with_many_even_steps():
    even = gaussian_loss(np.linspace(*ENDS, 20_000), VAR)
    assert even == pytest.approx(gaussian_limit(ENDS, VAR), rel=1e-3)
    assert even > gaussian_limit(ENDS, VAR)


def test_the_loss_is_the_expected_kl_of_every_step():
    """Each step's KL of equal-variance Gaussians, |mean - mean|^2 / (2 var), in expectation, coordinate by
    coordinate."""
    schedule, _, after = learn(6, VAR, Stream(1))
    total = 0.0
    for t in range(2, 7):
        alpha_t, alpha_bar_s, alpha_bar = schedule.alpha[t], schedule.alpha_bar[t - 1], schedule.alpha_bar[t]
        # x_0 - E[x_0 | x_t] has variance v (1 - alpha_bar) / (alpha_bar v + 1 - alpha_bar).
        error = VAR * (1 - alpha_bar) / (alpha_bar * VAR + 1 - alpha_bar)
        at_zero = posterior_mean(np.zeros(1), np.zeros(1), alpha_t, alpha_bar_s)
        slope = posterior_mean(np.zeros(1), np.ones(1), alpha_t, alpha_bar_s) - at_zero
        total += np.sum(slope**2 * error) / (2 * posterior_var(alpha_t, alpha_bar_s))
    assert total == pytest.approx(after, rel=1e-9)


def test_the_gradient_with_respect_to_the_network_is_right():
    net = Monotone(hidden=4)
    check_grads(lambda p: gaussian_loss(log_snr(net, p, 6, ENDS), VAR), order=1)(Stream(2).normal(net.size))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"T": 2}, "T is 2"),
        ({"data_var": [1.0, 0.0]}, r"data_var is \[1\.0, 0\.0\]"),
        ({"ends": (-1.0, 1.0)}, r"ends is \(-1\.0, 1\.0\)"),
    ],
)
def test_a_value_out_of_range_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        learn(**{"T": 5, "data_var": VAR, "rng": Stream(0), **arguments})
