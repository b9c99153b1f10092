"""The smallest game: its best discriminator, the errors that are measured, and where it ends."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.distributions.gaussian import Gaussian
from refgen.experiments import gan_gaussian as small
from refgen.experiments.outcome import surprises


@pytest.mark.parametrize("seed", [0, 1])
def test_the_best_quadratic_is_the_log_ratio_of_the_densities(seed):
    generator = Stream(seed).normal(6)
    A, x = generator[:4].reshape(2, 2), Stream(2).normal(20, 2)
    ratio = small.LAW.log_prob(x) - Gaussian(generator[4:], A @ A.T).log_prob(x)
    np.testing.assert_allclose(small.logits(small.best(generator), x), ratio, rtol=1e-8, atol=1e-8)


def test_no_error_where_the_generator_is_the_data():
    A = np.linalg.cholesky(small.LAW.cov)
    exact = np.concatenate([A.ravel(), small.LAW.mean])
    assert small.errors(exact) == pytest.approx((0, 0), abs=1e-12)
    x = small.generated(exact, Stream(0).normal(100_000, 2))
    assert np.cov(x.T) == pytest.approx(small.LAW.cov, abs=0.03)
    twice = np.concatenate([np.sqrt(2) * A.ravel(), small.LAW.mean + np.array([3.0, 4.0])])
    assert small.errors(twice) == pytest.approx((5.0, 1.0))


def test_a_game_comes_near_the_data():
    found = small.play(Stream(0), 0.5, 500, n=128)
    before = small.errors(small.START)
    assert found.path.shape == (50, 2)
    assert found.mean < 0.2 * before[0] and found.cov < 0.5 * before[1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_every_claim_is_as_expected(seed):
    assert not surprises(small.run(Stream(seed, "reproduce"), lambda *stage: None))
