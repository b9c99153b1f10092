"""Density and score in one picture: each measure against a law with a known answer, and one it fails."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.distributions.mixture import GaussianMixture
from refgen.experiments import density_and_score as experiment
from refgen.experiments.outcome import surprises


def test_every_claim_is_as_expected_and_the_picture_has_two_panels():
    outcome = experiment.run(Stream(1), lambda *now: None, points=300)
    assert len(outcome.claims) == 7 and not surprises(outcome)
    assert all(claim.holds for claim in outcome.claims)
    assert len(outcome.figure.axes) == 2


def test_newton_finds_the_zero_between_equal_modes_and_its_curvature():
    law = GaussianMixture([[2.0, 0.0], [-2.0, 0.0]], 1.0)
    found, curvature = experiment.zeros(law, np.array([[0.1, 0.2]]))
    assert found == pytest.approx(np.zeros((1, 2)), abs=1e-12)
    # Along the line of the modes responsibilities turn: the slope there is |m|^2 - 1.
    assert curvature == pytest.approx(np.array([[-1.0, 3.0]]), abs=1e-9)


def test_angles_and_slopes_see_a_score_that_is_bent():
    law, x = experiment.LAW, Stream(2).normal(50, 2)
    score = law.score(x)
    slope = experiment.density_slope(law, x)
    assert np.max(experiment.angles(score, slope)) < 1e-20
    assert np.allclose(slope, score, rtol=1e-10)
    turn = np.array([[np.cos(0.01), -np.sin(0.01)], [np.sin(0.01), np.cos(0.01)]])
    assert experiment.angles(score @ turn, slope) == pytest.approx(np.full(50, 1 - np.cos(0.01)), rel=1e-9)
    assert np.max(np.abs(experiment.differences(law.log_prob, x) - score)) < 1e-7
    assert np.max(np.abs(experiment.differences(law.log_prob, x) - 1.001 * score)) > 1e-4


def test_the_steepest_way_is_the_nearest_of_those_tried():
    law = GaussianMixture([[0.0, 0.0]], 1.0)
    x = -np.array([[np.cos(0.3), np.sin(0.3)], [3.0, 0.0]])
    found = experiment.steepest(law, x, ways=4)
    assert found == pytest.approx(np.array([[1.0, 0.0], [1.0, 0.0]]), abs=1e-12)
    finer = experiment.steepest(law, x, ways=64)
    assert np.arccos(np.sum(finer[0] * -x[0])) <= np.pi / 64 + 1e-9
