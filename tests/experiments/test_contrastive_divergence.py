"""Contrastive divergence on a line: quadrature, gradients of chains, and KL that falls with their length."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import contrastive_divergence as cd
from refgen.experiments.outcome import surprises
from refgen.formulas import energy

SKEWED = np.array([0.4, -1.0, 0.6])


def test_the_data_are_of_the_density_that_quadrature_finds():
    p = np.exp(cd.exact(cd.TRUTH)[0]) * cd.SPACING
    assert np.sum(p) == pytest.approx(1, abs=1e-12)
    assert np.sum(p[: len(p) // 2]) == pytest.approx(0.68, abs=0.005)  # as the file says
    x = cd.data(Stream(0), 20_000)
    for power in (1, 2, 4):
        exact, square = (p @ cd.LINE[:, 0] ** (k * power) for k in (1, 2))
        assert abs(np.mean(x**power) - exact) < 5 * np.sqrt((square - exact**2) / len(x))


def test_chains_from_the_law_stay_in_it_and_the_gradient_at_the_truth_is_nothing():
    at_truth = cd.gradient(Stream(1), cd.TRUTH, 3, 4000)
    assert np.all(np.abs(at_truth.found) < 6 * at_truth.error)
    assert cd.divergence(cd.TRUTH) == pytest.approx(0, abs=1e-14)


def test_long_chains_find_the_gradient_of_the_likelihood_and_short_ones_do_not():
    long, short = (cd.gradient(Stream(2), SKEWED, k, 1500) for k in (400, 1))
    assert long.z < 5 < short.z
    h, x = 1e-5, cd.data(Stream(2), 1500)  # the same data again, and minus log p by differences

    def loss(theta):
        return -np.mean(energy.log_prob(cd.well(theta, x), cd.exact(theta)[1]))

    slopes = [(loss(SKEWED + step) - loss(SKEWED - step)) / (2 * h) for step in h * np.eye(3)]
    np.testing.assert_allclose(long.exact, slopes, atol=1e-8)


def test_longer_chains_come_nearer_in_as_many_updates():
    ends = [cd.learned(Stream(3), k, 120, 300)[1][-20:].mean() for k in (1, 8)]
    start = cd.divergence(cd.START)
    assert ends[1] < 0.3 * ends[0] < 0.3 * start


def test_draws_of_a_broad_law_estimate_the_constant():
    found, error = cd.importance(Stream(4), SKEWED, 4000)
    assert abs(found - cd.exact(SKEWED)[1]) < 5 * error < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_every_claim_is_as_expected(seed):
    outcome = cd.run(Stream(seed, "reproduce"), lambda *stage: None)
    assert not surprises(outcome)
    assert outcome.numbers["nce_divergence"] < 5e-3
