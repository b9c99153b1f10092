"""What the samplers share: noise that comes in blocks of any size, the times that are kept, the walk."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import LearnedDenoiser
from refgen.samplers import steps
from refgen.samplers.steps import kept_times, noises, walk
from refgen.schedules import linear


@pytest.mark.parametrize("block", [1, 6, 24, 10**9])
def test_noise_is_drawn_in_blocks_that_do_not_change_it(monkeypatch, block):
    like = np.zeros((3, 2), np.float32)
    whole = Stream(4).normal(11, 3, 2, dtype=np.float32)
    monkeypatch.setattr(steps, "NOISE_BLOCK", block)
    np.testing.assert_array_equal(np.stack(list(noises(Stream(4), like, 11))), whole)


def test_nothing_is_drawn_that_nobody_asks_for():
    rng = Stream(4)
    assert list(noises(rng, np.zeros((3, 2)), 0)) == []
    assert len(list(noises(rng, np.zeros((0, 2)), 3))) == 3
    np.testing.assert_array_equal(rng.normal(5), Stream(4).normal(5))


def test_kept_times_are_the_dict_that_is_filled():
    wanted = {0: None, 5: None}
    assert kept_times(wanted, 5) is wanted
    assert kept_times(None, 5) == {}
    for t in (-1, 6, 1.5):
        with pytest.raises(ValueError, match=f"trajectory asks for t = {t}; times lie in 0..5"):
            kept_times({t: None}, 5)


@pytest.mark.parametrize("T", [1, 2, 5])
def test_the_walk_takes_each_step_once_and_ends_with_x_0(T):
    levels, x_T, took = linear(1000).respaced(T), np.zeros((3, 2)), []
    denoiser = LearnedDenoiser(lambda x, log_snr: -x, "x_0")

    def step(x, k):
        took.append(k)
        return x + 1

    kept = dict.fromkeys(range(T + 1))
    x_0 = walk(denoiser, levels, x_T, kept, step)
    assert took == list(range(T, 1, -1))
    for k in range(1, T + 1):
        np.testing.assert_array_equal(kept[k], x_T + T - k)
    assert kept[0] is x_0
    np.testing.assert_array_equal(x_0, 1 - T)
