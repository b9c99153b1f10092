"""Streams: same seed same numbers, named sub-streams independent, a saved state continues to the bit."""

import numpy as np
import pytest

from refgen.backend import Stream, to_host


def test_same_seed_same_numbers():
    assert np.array_equal(Stream(3, "a").normal(5, 2), Stream(3, "a").normal(5, 2))
    assert np.array_equal(Stream(3).spawn("a").normal(5), Stream(3, "a").normal(5))


@pytest.mark.parametrize(
    "other", [Stream(4), Stream(3, "a"), Stream(3, "a", "b"), Stream(3, "ab"), Stream(3, "b")]
)
def test_other_names_are_other_streams(other):
    x, y = Stream(3).normal(4000), other.normal(4000)
    assert abs(np.mean(x * y)) < 4.5 / np.sqrt(4000)  # uncorrelated, as independent normals are
    assert not np.array_equal(Stream(3, "a", "b").normal(5), Stream(3, "ab").normal(5))


def test_a_saved_state_continues_to_the_bit():
    stream = Stream(0, "x")
    stream.normal(7)
    saved = stream.state
    ahead = stream.normal(10), stream.uniform(3), stream.integers(0, 9, 4)
    stream.restore(saved)
    for x, y in zip(ahead, (stream.normal(10), stream.uniform(3), stream.integers(0, 9, 4)), strict=True):
        assert np.array_equal(x, y)


def test_dtypes_and_ranges():
    stream = Stream(1)
    assert stream.normal(3, 2, dtype=np.float32).dtype == np.float32
    assert stream.uniform(5, dtype=np.float32).dtype == np.float32
    drawn = stream.integers(2, 5, 1000)
    assert drawn.min() == 2 and drawn.max() == 4
    u = stream.uniform(1000)
    assert u.min() >= 0 and u.max() < 1


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True, None])
def test_a_seed_is_an_integer(seed):
    with pytest.raises(ValueError, match="it must be an integer >= 0"):
        Stream(seed)


@pytest.mark.parametrize("state", ["", "{}", "nonsense", '{"bit_generator": "MT19937"}'])
def test_a_state_that_is_none(state):
    with pytest.raises(ValueError, match="not the state"):
        Stream(0).restore(state)


def test_to_host_copies_nothing_on_the_host():
    x = np.ones(3)
    assert to_host(x) is x
