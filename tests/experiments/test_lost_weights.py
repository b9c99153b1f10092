"""Langevin dynamics between two modes: who crosses, how long it takes, and what is left of the weights."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions.mixture import GaussianMixture
from refgen.experiments import lost_weights, two_gaussians
from refgen.experiments.outcome import surprises


def quiet(*now):
    pass


class Pushed(ExactDenoiser):
    """The exact score, and a push towards the large mode that takes chains over."""

    def score(self, x, signal, std):
        return super().score(x, signal, std) + np.array([20.0, 20.0], x.dtype)


def test_no_chain_crosses_and_a_push_takes_those_of_the_small_mode_over():
    start = two_gaussians.uniform_start(Stream(0), 500)
    exact = lost_weights.walk(ExactDenoiser(two_gaussians.LAW), start, Stream(1), 300)
    basin = two_gaussians.basin_share(two_gaussians.watershed())
    assert exact["switches"] == 0 and exact["share"] == pytest.approx(basin, abs=0.08)
    small = two_gaussians.LAW.sample(Stream(2), 500).astype(np.float32)
    small = small[~two_gaussians.large_side(small, 0.0)]
    pushed = lost_weights.walk(Pushed(two_gaussians.LAW), small, Stream(1), 300)
    assert pushed["share"] > 0.99 and 0.8 * len(small) < pushed["switches"] <= len(small)


def test_passage_by_what_chains_do_where_it_is_short():
    """Between modes a little apart, chains of the small mode that are followed until they arrive."""
    law = GaussianMixture(two_gaussians.OWN.means, 12.0, [0.8, 0.2])
    step = 0.2
    expected = lost_weights.passage_steps(law, step)
    rng, n, limit = np.random.default_rng(0), 600, int(20 * expected)
    x, arrived = np.tile(two_gaussians.OWN.means[1], (n, 1)), np.full(n, -1)
    for i in range(limit):
        x = x + step * law.score(x) + np.sqrt(2 * step) * rng.normal(size=x.shape)
        arrived[(arrived < 0) & (x.sum(axis=1) >= 10)] = i + 1
        if np.all(arrived >= 0):
            break
    assert np.all(arrived >= 0)
    assert arrived.mean() == pytest.approx(expected, rel=0.2)
    assert lost_weights.passage_steps(two_gaussians.OWN, 0.05) > 1e10


def test_a_short_run_loses_the_weights_with_the_exact_score():
    outcome = lost_weights.run(Stream(0), quiet, n=500, train_steps=30)
    holds = {claim.what: claim.holds for claim in outcome.claims}
    assert holds["exact score: share below the weight 0.8 by"]
    assert holds["exact score: chains that change modes"]
    assert len(outcome.figure.axes) == 4
    written = [text.get_text() for text in outcome.figure.axes[1].texts]
    large = two_gaussians.basin_share(two_gaussians.watershed())
    assert abs(int(written[0].rstrip("%")) - 100 * large) < 9


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    assert not surprises(lost_weights.run(Stream(0), quiet))
