"""What the samplers share: noise that comes in blocks of any size, the times that are kept, the walk."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, LearnedDenoiser
from refgen.distributions import named as law_named
from refgen.ladders import geometric
from refgen.processes import VP
from refgen.samplers import NAMES, named, steps
from refgen.samplers.steps import kept_times, noises, require_count, require_levels, walk
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


@pytest.mark.parametrize("name", NAMES)
def test_a_process_has_no_levels_to_walk_down(name):
    sampler, x_T = named(name), np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"^(levels|schedule) is a VP; .* (Schedule|Grid)"):
        sampler(LearnedDenoiser(lambda x, log_snr: -x, "x_0"), VP(), x_T, Stream(0))
    for levels in (linear(5), geometric(5, 2.0, 0.1), VP().grid(5)):
        require_levels(levels)


@pytest.mark.parametrize("name", ["ancestral", "euler_maruyama", "langevin", "mala"])
def test_noise_is_not_added_to_integers(name):
    exact, x_T = ExactDenoiser(law_named("two_gaussians")), np.zeros((2, 2), dtype=int)
    with pytest.raises(ValueError, match=r"^x_T has dtype int64; .* must be floats"):
        named(name)(exact, linear(5), x_T, Stream(0))


@pytest.mark.parametrize("value", [0, -1, 1.5, "2"])
def test_a_count_is_an_integer(value):
    require_count("steps", 1)
    require_count("steps", np.int64(3))
    with pytest.raises(ValueError, match=f"^steps is {value!r}; it must be an integer >= 1"):
        require_count("steps", value)
