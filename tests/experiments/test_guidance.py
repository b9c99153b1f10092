"""Guidance on the ring: the target by its grid, exact samples by scale and by sampler."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import guidance
from refgen.experiments.outcome import surprises


def quiet(*now):
    pass


def test_the_target_at_scale_1_is_the_class_and_its_samples_are_its_own():
    law, goal = guidance.LAW.conditional(guidance.CLASS), guidance.target(1.0)
    exact = np.exp(law.log_prob(goal.places))
    np.testing.assert_allclose(goal.masses, exact / exact.sum(), atol=1e-12)
    assert goal.spread == pytest.approx(np.sqrt(np.trace(law.cov)), rel=1e-6)
    points = guidance.target(4.0).sample(Stream(0), 3000)
    found = guidance.measured(points, 4.0, Stream(1))
    assert found.to_target < 1.5 and abs(found.inner - 0.5) < 0.05
    assert found.spread == pytest.approx(guidance.target(4.0).spread, rel=0.05)


def test_guided_samples_by_scale_and_by_sampler():
    found = {
        s: guidance.measured(guidance.draw(guidance._exact(s), Stream(2), 800, 120), s, Stream(3))
        for s in (1.0, 4.0)
    }
    assert found[1.0].to_class < 1.5 and abs(found[1.0].inner - 0.5) < 0.08
    assert found[4.0].inner > 0.65 and found[4.0].spread < 0.9 * found[1.0].spread
    points = guidance.by_sampler(4.0, Stream(4), 600, per_level=8)
    others = {name: guidance.measured(one, 4.0, Stream(3)) for name, one in points.items()}
    assert others["DDIM"].inner > found[4.0].inner + 0.05
    assert abs(others["annealed Langevin"].inner - 0.5) < 0.12


def test_the_guided_score_is_that_of_the_noisy_target_at_the_ends_alone():
    gaps = {(s, std): guidance.score_gap(s, std, Stream(5), 60) for s in (1.0, 4.0) for std in (0.1, 0.7)}
    assert gaps[1.0, 0.1] < 1e-3 and gaps[1.0, 0.7] < 1e-3
    assert gaps[4.0, 0.7] > 0.2 and gaps[4.0, 0.1] < 0.1


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    outcome = guidance.run(Stream(0), quiet)
    assert not surprises(outcome)
    assert len(outcome.figure.axes) == 12
