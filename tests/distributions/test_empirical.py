"""The exact law of a finite data set."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose

from refgen.backend import Stream
from refgen.distributions import Empirical

POINTS = Stream(0).normal(200, 2) * [1.0, 3.0] + [5.0, -1.0]


def test_no_density_at_std_0():
    law = Empirical(POINTS)
    for method in (law.log_prob, law.score, law.diffused(0.5, 0.0).log_prob):
        with pytest.raises(ValueError, match="a law of points has no density and no score at std 0"):
            method(POINTS)
    assert law.entropy == -np.inf
    assert law.modes is None


def test_moments_and_samples_are_those_of_the_rows():
    law = Empirical(POINTS)
    assert_allclose(law.mean, POINTS.mean(0))
    assert_allclose(law.cov, np.cov(POINTS.T, bias=True), rtol=1e-12)
    rows = {tuple(row) for row in POINTS}
    draws = law.sample(Stream(1), 2000)
    assert {tuple(row) for row in draws} <= rows
    assert len({tuple(row) for row in draws}) > 190


def test_denoiser_is_a_softmax_over_the_points_and_snaps_to_the_nearest():
    law = Empirical(POINTS)
    x = law.diffused(0.8, 0.6).sample(Stream(2), 10)
    softmax = np.exp(-((x[:, None] - 0.8 * POINTS) ** 2).sum(-1) / (2 * 0.36))
    softmax /= softmax.sum(1, keepdims=True)
    assert_allclose(law.posterior_mean(x, 0.8, 0.6), softmax @ POINTS, rtol=1e-11)
    nearest = POINTS[((x[:, None] - 0.8 * POINTS) ** 2).sum(-1).argmin(1)]
    assert_allclose(law.posterior_mean(x, 0.8, 1e-4), nearest, rtol=1e-12)
    assert_allclose(law.posterior_cov(x, 0.8, 1e-4), 0, atol=1e-12)
    assert_allclose(law.posterior_mean(0.8 * POINTS, 0.8, 0.0), POINTS, rtol=1e-12)


def test_noisy_law_integrates_to_one():
    law = Empirical(POINTS[:20]).diffused(1.0, 0.5)
    line = np.arange(-15, 15, 0.1)
    x = np.stack(np.meshgrid(line, line), -1)
    assert np.exp(law.log_prob(x)).sum() * 0.01 == pytest.approx(1, abs=1e-10)
    assert law.entropy == pytest.approx(-np.mean(law.log_prob(law.sample(Stream(3), 40_000))), abs=0.03)


def test_standardised_comes_back():
    standard, shift, scale = Empirical(POINTS).standardised()
    assert isinstance(standard, Empirical)
    assert_allclose(standard.points.mean(0), 0, atol=1e-13)
    assert_allclose(standard.points.std(0), 1, rtol=1e-13)
    assert_allclose(standard.points * scale + shift, POINTS, rtol=1e-13)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_a_constant_column_is_moved_and_not_scaled(value):
    points = np.stack([POINTS[:, 0], np.full(200, value)], 1)
    standard, shift, scale = Empirical(points).standardised()
    assert scale[1] == 1
    assert_allclose(standard.points[:, 1], 0, atol=1e-9)
    assert_allclose(standard.points * scale + shift, points, rtol=1e-13)


def test_one_point_and_one_dimension():
    law = Empirical([[3.0]])
    assert_allclose(law.posterior_mean([[0.0], [100.0]], 0.5, 0.5), 3)
    assert_allclose(law.sample(Stream(0), 4), 3)
    with pytest.raises(ValueError, match="means has shape"):
        Empirical(np.zeros((0, 2)))


def test_many_points_go_in_pieces():
    """A hundred thousand points at a hundred places in float32."""
    law = Empirical(Stream(4).normal(100_000, 2))
    x = np.float32(Stream(5).normal(100, 2))
    mean = law.posterior_mean(x, 0.8, 0.6)
    assert mean.dtype == np.float32
    assert_allclose(mean, 0.8 * x, atol=0.1)  # the posterior mean of the Gaussian they were drawn from


@pytest.mark.parametrize(("dim", "limit"), [(2, 16e6), (9, 80e6)])
def test_memory_is_that_of_a_piece_however_many_queries_there_are(monkeypatch, dim, limit):
    """An array of all pairs would take 120 MB in two dimensions, 240 MB in nine, and there are several. As
    queries are done in pieces, 10,000 of them add to this their own arrays alone, some megabytes."""
    monkeypatch.setenv("REFGEN_THREADS", "1")  # each thread has a piece
    law, x = Empirical(Stream(8).normal(100_000, dim)), Stream(9).normal(300, dim).astype(np.float32)
    methods = [
        (law.posterior_mean, x),
        (law.noisy_score, x),
        (law.posterior_cov, x[:40]),
        (lambda x, signal, std: law.diffused(signal, std).log_prob(x), x[:100]),
    ]
    for method, queries in methods:
        tracemalloc.start()
        method(queries, 0.8, 0.6)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < limit
