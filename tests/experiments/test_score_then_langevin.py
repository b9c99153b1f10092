"""The pipeline: what its distance measures, and that a network that was not trained shows in it."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import score_then_langevin as pipeline
from refgen.experiments.outcome import surprises
from refgen.metrics import directions


def quiet(*now):
    pass


def test_distance_is_in_floors():
    lines, law = directions(2, 32, Stream(0)), pipeline.LAW.diffused(1.0, 0.1)
    drawn = law.sample(Stream(1), 1500)
    assert 0 < pipeline.times_floor(drawn, law, lines, Stream(2)) < 2
    assert pipeline.times_floor(drawn + 0.3, law, lines, Stream(2)) > 4


def test_the_law_is_in_one_piece():
    """On the way round the ring the density never falls below a fifth of its largest value."""
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    raw = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    means = pipeline.LAW.means
    centre, scale = means.mean(axis=0), np.abs(means - means.mean(axis=0)).max(axis=0)
    density = np.exp(pipeline.LAW.log_prob(centre + scale * raw))
    assert density.min() > 0.2 * density.max()


def test_no_training_is_not_enough():
    outcome = pipeline.run(Stream(0), quiet, n=1000, train_steps=0)
    learned, exact = (outcome.numbers[f"distance in floors, {name} score"] for name in ("learned", "exact"))
    assert exact < 2 < learned and not outcome.claims[0].holds
    assert len(outcome.figure.axes) == 6


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    assert not surprises(pipeline.run(Stream(0), quiet))
