"""The two Gaussians: where the basins part, and how much of the start lies in each."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions.mixture import GaussianMixture
from refgen.experiments import two_gaussians as two


def test_chains_without_noise_run_to_the_mode_on_their_side_of_the_watershed():
    saddle = two.watershed()
    x = start = two.uniform_start(Stream(0), 400)
    for _ in range(400):
        x = x + 0.02 * two.LAW.score(x)
    near = np.linalg.norm(two.in_own_units(x)[:, None] - two.OWN.means, axis=-1)
    assert near.min(axis=1).max() < 0.1
    assert np.array_equal(near[:, 0] < near[:, 1], two.large_side(start, saddle))


@pytest.mark.parametrize("weight", [0.5, 0.8, 0.02])
def test_the_basins_share_of_the_start_is_an_area(weight):
    law = GaussianMixture(two.OWN.means, 4.0, [weight, 1 - weight])
    saddle = two.watershed(law)
    assert np.abs(law.score(np.array([saddle, saddle]))).max() < 1e-10
    start = two.uniform_start(Stream(1), 200_000)
    assert two.large_side(start, saddle).mean() == pytest.approx(two.basin_share(saddle), abs=0.006)
    if weight == 0.5:
        assert saddle == pytest.approx(0, abs=1e-12) and two.basin_share(saddle) == pytest.approx(0.5)


def test_the_start_fills_the_square_and_shares_are_of_the_nearest_mode():
    start = two.in_own_units(two.uniform_start(Stream(2), 5000))
    assert -8.001 < start.min() < -7.9 and 7.9 < start.max() < 8.001
    assert two.uniform_start(Stream(2), 3).dtype == np.float32
    drawn = two.LAW.sample(Stream(3), 20_000)
    assert two.share(drawn) == pytest.approx(two.WEIGHT, abs=0.015)
    noisy = two.OWN.diffused(1.0, 2.0).sample(Stream(4), 9).astype(float)
    score = ExactDenoiser(two.LAW).score((noisy - two.SHIFT) / two.SCALE, 1.0, 2.0 / two.SCALE[0])
    np.testing.assert_allclose(score, two.OWN.diffused(1.0, 2.0).score(noisy) * two.SCALE, rtol=1e-9)
