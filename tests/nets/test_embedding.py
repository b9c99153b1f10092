"""The embedding of a noise level."""

import autograd.numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.nets.embedding import HIGHEST, LOWEST, embedding, frequencies


def test_shapes_and_dtypes():
    assert embedding(1.5, 8).shape == (1, 8)
    assert embedding(1.5, 8).dtype == np.float32
    assert embedding(np.zeros(5), 8).shape == embedding(np.zeros((5, 1)), 8).shape == (5, 8)
    assert embedding(np.zeros(5), 8, np.float64).dtype == np.float64


def test_a_number_and_an_array_agree_and_the_ends_are_clipped():
    levels = np.array([-np.inf, -20, 3.25, 25, np.inf])
    rows = embedding(levels, 16)
    for level, row in zip(levels, rows, strict=True):
        assert np.array_equal(embedding(float(level), 16)[0], row)
    assert np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[3], rows[4])
    assert np.all(np.isfinite(rows))


def test_every_two_levels_are_told_apart_and_near_ones_are_near():
    rows = embedding(np.linspace(LOWEST, HIGHEST, 451), 32)  # a tenth of a unit apart
    apart = np.sqrt(np.sum((rows[:, None] - rows[None]) ** 2, axis=-1))
    steps = np.diagonal(apart, 1)
    assert np.all(steps < 0.5)
    assert np.all(steps > 0.05)
    np_far = apart[np.triu_indices(451, 40)]
    assert np.min(np_far) > 1


def test_it_is_differentiable():
    check_grads(lambda level: embedding(level, 8, np.float64), order=2)(np.array([-3.0, 0.5, 9.0]))


@pytest.mark.parametrize("width", [0, 7])
def test_an_odd_width_is_refused(width):
    with pytest.raises(ValueError, match=f"width is {width}"):
        frequencies(width)
