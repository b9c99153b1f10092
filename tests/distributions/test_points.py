"""The fast denoiser of points is the formula, whatever the layout, the precision and the level."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from refgen.backend import Stream
from refgen.distributions import GaussianMixture
from refgen.distributions.points import at_level, mean_of_points
from refgen.formulas import mixture


@pytest.mark.parametrize(("n", "count"), [(1, 1), (3, 40), (40, 3), (7, 7)])
@pytest.mark.parametrize("dim", [1, 2, 8, 9, 20])
@pytest.mark.parametrize(("signal", "std"), [(0.8, 0.6), (1.0, 0.01), (0.0, 1.0)])
def test_it_is_the_posterior_mean_of_variance_0(n, count, dim, signal, std):
    rng = Stream(n, str(dim))
    points, weights = rng.normal(count, dim), rng.uniform(count) + 0.1
    weights /= weights.sum()
    x = signal * points[rng.integers(0, count, n)] + std * rng.normal(n, dim)
    expected = mixture.posterior_mean(x, weights, points, 0.0, signal, std)
    for exact in (True, False):
        found = mean_of_points(x, at_level(weights, points, signal, np.full(dim, std), exact))
        assert_allclose(found, expected, rtol=1e-11, atol=1e-11 if exact else 1e-9)


@pytest.mark.parametrize("dim", [3, 8])
@pytest.mark.parametrize("std", [0.6, 0.02])
def test_float32_loses_little_by_products_since_they_are_used_where_points_are_near(dim, std):
    """Two clouds 8 apart, each as wide as the noise: at std 0.6 products serve, at 0.02 they would be off by
    a thousandth of it and more."""
    rng = Stream(dim)
    points = std * rng.normal(400, dim)
    points[:, 0] += np.where(np.arange(400) % 2, -4, 4)
    law = GaussianMixture(points, 0.0)
    x = (law.sample(rng, 200) + std * rng.normal(200, dim)).astype(np.float32)
    error = law.posterior_mean(x, 1.0, std) - law.posterior_mean(x.astype(np.float64), 1.0, std)
    assert np.max(np.abs(error)) < 4e-4 * std


def test_every_coordinate_may_have_its_own_std():
    rng = Stream(1)
    points, x, std = rng.normal(20, 2), rng.normal(5, 2), np.array([0.2, 3.0])
    weights = np.full(20, 1 / 20)
    expected = mixture.posterior_mean(x / std, weights, points / std, 0.0, 0.7, 1.0) * std
    assert_allclose(mean_of_points(x, at_level(weights, points, 0.7, std)), expected, rtol=1e-11)


def test_far_away_the_nearest_point_is_the_answer():
    points, weights = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([0.5, 0.5])
    for dtype in (np.float32, np.float64):
        level = at_level(weights.astype(dtype), points.astype(dtype), 1.0, np.full(2, 1e-3, dtype))
        found = mean_of_points(np.array([[1e3, 1e3], [-50.0, 0.2]], dtype), level)
        assert_allclose(found, [[1, 0], [0, 0]], atol=1e-30)


def test_float32_loses_nothing_near_a_point_at_small_std():
    """Two points 2e-3 apart at distance 100 from the origin and std 1e-3: products would say anything."""
    points = np.array([[100.0, 0.0], [100.0, 2**-9]])
    law, x = GaussianMixture(points, 0.0), points[:1] + np.array([[0.0, 2**-11]])
    assert_allclose(
        law.posterior_mean(x.astype(np.float32), 1.0, 1e-3), law.posterior_mean(x, 1.0, 1e-3), rtol=1e-6
    )
    assert_allclose(
        law.noisy_score(x.astype(np.float32), 1.0, 1e-3), law.noisy_score(x, 1.0, 1e-3), rtol=1e-4, atol=1
    )


@pytest.mark.parametrize("covs", [0.0, 0.3, [0.2, 0.9]])
def test_a_mixture_uses_it_at_one_level_after_the_other(covs):
    rng = Stream(2)
    law, x = GaussianMixture(rng.normal(9, 2), covs, rng.uniform(9) + 0.1), rng.normal(4, 2)
    for signal, std in [(0.8, 0.6), (0.5, 0.6), (0.5, 0.2), (0.8, 0.6)]:
        parameters = law.weights, law.means, law.covs
        assert_allclose(
            law.posterior_mean(x, signal, std),
            mixture.posterior_mean(x, *parameters, signal, std),
            rtol=1e-11,
        )
        expected = law.diffused(signal, std).score(x)
        assert_allclose(law.noisy_score(x, signal, std), expected, rtol=1e-9, atol=1e-11)
