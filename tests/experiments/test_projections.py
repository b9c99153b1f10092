"""Vector fields along random directions."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import projections
from refgen.experiments.outcome import surprises


@pytest.fixture
def setting():
    return Stream(0).normal(300, 50, 3), Stream(1).normal(50, 3), Stream(2).normal(50, 3)


def test_no_projection_is_longer(setting):
    v, a, b = setting
    assert projections.violations(v, a, b) == 0
    along = np.broadcast_to(a - b, v.shape)  # the equality: v along the difference
    assert projections.violations(along, a, b) == 0


def test_a_projection_that_is_too_long_is_counted(setting, monkeypatch):
    real = projections.divergence
    monkeypatch.setattr(projections, "divergence", lambda v, a, b: real(1.5 * v, a, b))
    assert projections.violations(*setting) > 100


def test_the_mean_square_is_the_distance_for_directions_of_unit_covariance(setting):
    v, a, b = setting
    assert abs(projections.z_score(v, a, b)) < 5
    assert abs(projections.z_score(np.sin(6 * v), a, b)) > 10  # sines, not signs: covariance I / 2


def test_directions_across_hide_a_difference():
    a, b = np.array([[1.0, 0.0]]), np.zeros((1, 2))
    v = np.array([[[0.0, 1.0]], [[0.05, 1.0]], [[1.0, 1.0]], [[1.0, 0.0]]])
    assert projections.hidden(v, a, b) == 0.5


def test_every_claim_is_as_expected_and_one_fails_as_is_known():
    outcome = projections.run(Stream(0, "test"), lambda *_: None)
    assert not surprises(outcome)
    assert [claim.what for claim in outcome.claims if not claim.holds] == [
        "directions among them where far seems closer"
    ]
    assert outcome.numbers["far"]["distance"] > 10 * outcome.numbers["close"]["distance"]
