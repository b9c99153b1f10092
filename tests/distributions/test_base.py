"""What every distribution inherits: pieces, precisions, levels and standard form."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from refgen.backend import Stream
from refgen.distributions import Gaussian, GaussianMixture
from refgen.distributions.base import EXACT_IN_FLOAT32

LAW = GaussianMixture([[0.0, 1.0], [3.0, -1.0]], 0.4, [3, 1])


class Pieces(GaussianMixture):
    """The same law, worked on three points at a time, which it counts."""

    seen: list[int]

    @property
    def _rows(self):
        return 3

    _rows_of_cov = _rows

    def _score(self, x):
        self.seen = [*getattr(self, "seen", []), len(x)]
        return super()._score(x)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_pieces_are_put_together_in_order_and_shape(monkeypatch, threads):
    monkeypatch.setenv("REFGEN_THREADS", threads)
    law, x = Pieces([[0.0, 1.0], [3.0, -1.0]], 0.4, [3, 1]), Stream(0).normal(2, 4, 2)
    assert_allclose(law.score(x), LAW.score(x), rtol=1e-14)
    assert sorted(law.seen) == [2, 3, 3]
    assert_allclose(law.log_prob(x), LAW.log_prob(x), rtol=1e-14)
    assert_allclose(law.posterior_cov(x, 0.8, 0.6), LAW.posterior_cov(x, 0.8, 0.6), rtol=1e-13)
    assert law.score(x[:0]).shape == (0, 4, 2)


def test_lists_and_whole_numbers_are_points():
    expected = LAW.log_prob(np.array([[1.0, 2.0]]))
    assert_array_equal(LAW.log_prob([[1, 2]]), expected)
    assert_array_equal(LAW.log_prob(np.array([[1, 2]])), expected)
    assert_array_equal(LAW.log_prob(np.array([[1, 2]], np.float16)), expected)
    assert LAW.log_prob([1, 2]).shape == ()


def test_float32_points_in_many_dimensions_are_worked_on_in_float64():
    d = EXACT_IN_FLOAT32 + 1
    law = GaussianMixture(100 + Stream(1).normal(20, d), 1e-4)
    x = law.sample(Stream(2), 50).astype(np.float32)
    value = law.score(x)
    assert value.dtype == np.float32
    assert_allclose(value, law.score(x.astype(np.float64)), rtol=1e-6, atol=1e-3)


def test_levels_that_repeat_are_worked_on_together_and_put_back_in_order():
    law, x = Pieces([[0.0, 1.0], [3.0, -1.0]], 0.4, [3, 1]), Stream(3).normal(8, 2)
    signal, std = np.array([[0.9], [0.2]] * 4), np.array([[0.1], [0.8]] * 4)
    whole = law.posterior_mean(x, signal, std)
    for i in range(8):
        assert_allclose(whole[i], LAW.posterior_mean(x[i], signal[i, 0], std[i, 0]), rtol=1e-13)
    assert_allclose(law.posterior_mean(x, 0.9, std)[1], LAW.posterior_mean(x[1], 0.9, 0.8), rtol=1e-13)


def test_without_noise_the_data_are_known():
    x = Stream(4).normal(5, 2)
    assert_array_equal(LAW.posterior_mean(x, 0.5, 0), x / 0.5)
    assert not np.any(LAW.posterior_cov(x, 0.5, 0))


def test_a_coordinate_that_is_constant_is_moved_and_not_scaled():
    points = GaussianMixture([[1.0, 7.0], [3.0, 7.0]], 0.0)
    standard, shift, scale = points.standardised()
    assert shift.tolist() == [2.0, 7.0]
    assert scale.tolist() == [1.0, 1.0]
    assert_allclose(np.diag(standard.cov), [1, 0])
    wide, _, scale = GaussianMixture([[0.0, 7.0], [20.0, 7.0]], 0.0).standardised()
    assert scale.tolist() == [10.0, 1.0]
    assert_allclose(wide.mean, 0)


@pytest.mark.parametrize("x", [np.zeros((3, 1)), np.float64(2.0), np.zeros(3)])
def test_points_of_another_dimension_are_refused(x):
    for method in (LAW.log_prob, LAW.score, lambda x: LAW.posterior_mean(x, 1.0, 0.5)):
        with pytest.raises(ValueError, match="its last axis must be the dimension of the law, 2"):
            method(x)


def test_entropy_is_computed_once():
    law, calls = Gaussian([0.0], 1.0), []
    law._entropy = lambda: calls.append(1) or (np.float64(1.5), 0.25)
    assert (law.entropy, law.entropy_error, law.entropy) == (1.5, 0.25, 1.5)
    assert calls == [1]
    assert type(law.entropy) is float
