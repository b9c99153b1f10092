"""The monotone network rises for any parameters, and its gradients are right."""

import autograd.numpy as np
import pytest
from autograd import elementwise_grad
from autograd.test_util import check_grads
from hypothesis import given
from hypothesis import strategies as st

from refgen.backend import Stream
from refgen.formulas.snr import beta_from_log_snr
from refgen.nets.monotone import Monotone
from refgen.schedules import from_log_snr

NET = Monotone(hidden=8)


@given(seed=st.integers(0, 10**6), size=st.sampled_from([0.1, 1.0, 3.0]), T=st.integers(2, 300))
def test_any_parameters_give_a_noise_schedule_with_every_alpha_in_0_1(seed, size, T):
    params = size * Stream(seed).normal(NET.size)
    omega = NET.between(params, np.linspace(0, 1, T), -9.0, 11.0)
    assert omega[0] == -9
    assert omega[-1] == pytest.approx(11, abs=1e-9)
    assert np.all(np.diff(omega) > 0)
    beta = beta_from_log_snr(-omega[1:], -omega[:-1])
    assert np.all((beta > 0) & (beta < 1))
    schedule = from_log_snr(-omega)
    assert np.all((schedule.alpha[1:] > 0) & (schedule.alpha[1:] < 1))


def test_a_network_whose_weights_are_not_kept_positive_does_not_rise():
    """The negative control: without softplus the same shape falls somewhere."""
    params = Stream(0).normal(NET.size)
    _, slope, weights, _, _ = NET.layout.views(params)
    slope[:], weights[:] = -2, -2
    t = np.linspace(0, 1, 50)
    assert np.all(np.diff(NET(params, t)) > 0)
    assert np.all(np.diff(slope * t + np.sum(weights[:, None] * t, axis=0)) < 0)


def test_gradients_are_right():
    params = Stream(1).normal(NET.size)
    check_grads(NET, order=2)(params, np.linspace(0, 1, 5))
    check_grads(lambda p: NET.between(p, np.linspace(0, 1, 5), -3.0, 2.0), order=1)(params)


def test_the_slope_is_the_derivative():
    params, t = Stream(1).normal(NET.size), np.linspace(0, 1, 9)
    value, slope = NET.between_and_slope(params, t, -3.0, 2.0)
    assert value == pytest.approx(NET.between(params, t, -3.0, 2.0), abs=1e-12)
    derivative = elementwise_grad(lambda t: NET.between(params, t, -3.0, 2.0))(t)
    assert slope == pytest.approx(derivative, rel=1e-12)
    check_grads(lambda p: NET.between_and_slope(p, t, -3.0, 2.0)[1], order=1)(params)
    assert NET.between_and_slope(params.astype(np.float32), t.astype(np.float32), -3.0, 2.0)[1].dtype == "f4"


def test_float32_parameters_start_as_nearly_a_line():
    params = Monotone().init(Stream(0))
    assert params.dtype == np.float32
    t = np.linspace(0, 1, 11)
    assert np.max(np.abs(Monotone().between(params, t, 0.0, 1.0) - t)) < 0.1


def test_a_wrong_size_is_named():
    with pytest.raises(ValueError, match="hidden is 0"):
        Monotone(hidden=0)
    with pytest.raises(ValueError, match="params has shape"):
        NET(np.zeros(3), np.zeros(2))
