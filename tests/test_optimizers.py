"""Adam against the formula written out, and its state."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.optimizers import Adam


def test_it_is_the_algorithm_as_printed():
    rng = Stream(0)
    params, printed = rng.normal(7), None
    printed = params.copy()
    adam, m, v = Adam.of(params, lr=0.02, beta1=0.8, beta2=0.95, eps=1e-3), np.zeros(7), np.zeros(7)
    for k in range(1, 30):
        g = rng.normal(7)
        adam.update(params, g)
        m = 0.8 * m + 0.2 * g
        v = 0.95 * v + 0.05 * g**2
        printed = printed - 0.02 * (m / (1 - 0.8**k)) / (np.sqrt(v / (1 - 0.95**k)) + 1e-3)
    np.testing.assert_allclose(params, printed, rtol=1e-12)


def test_the_first_step_has_the_size_of_the_learning_rate_whatever_the_gradient():
    params = np.zeros(3, np.float32)
    Adam.of(params, lr=0.01).update(params, np.array([1e-3, -5, 1e4], np.float32))
    np.testing.assert_allclose(params, [-0.01, 0.01, -0.01], rtol=1e-4)


def test_it_works_in_place_in_float32_and_leaves_the_gradient_alone():
    params, gradient = np.ones(4, np.float32), np.full(4, 2, np.float32)
    adam = Adam.of(params)
    same = params
    adam.update(params, gradient)
    assert params is same
    assert params.dtype == adam.m.dtype == adam.v.dtype == np.float32
    assert gradient.tolist() == [2] * 4


def test_a_copied_state_continues_bit_for_bit():
    rng = Stream(1)
    params = rng.normal(50, dtype=np.float32)
    adam = Adam.of(params)
    gradients = rng.normal(20, 50, dtype=np.float32)
    for g in gradients[:10]:
        adam.update(params, g)
    again, copy = params.copy(), Adam(adam.m.copy(), adam.v.copy(), adam.step)
    for g in gradients[10:]:
        adam.update(params, g)
        copy.update(again, g)
    assert np.array_equal(params, again)


def test_it_finds_the_minimum_of_a_badly_scaled_parabola():
    params, curvature = np.array([3.0, -2.0, 1.0]), np.array([1e-2, 1.0, 1e2])
    adam = Adam.of(params, lr=0.02)
    for _ in range(3000):
        adam.update(params, curvature * (params - [1, 2, 3]))
    np.testing.assert_allclose(params, [1, 2, 3], atol=1e-3)


@pytest.mark.parametrize(
    ("option", "value"), [("lr", 0), ("lr", np.nan), ("beta1", 1), ("beta2", -1), ("eps", 0)]
)
def test_an_option_out_of_range_is_named(option, value):
    with pytest.raises(ValueError, match=f"{option} is {value}; it must be"):
        Adam.of(np.zeros(2), **{option: value})
