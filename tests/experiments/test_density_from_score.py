"""The density from its score: exact on a connected support, blind to the masses of separate pieces."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.distributions.boxes import Boxes
from refgen.distributions.mixture import GaussianMixture
from refgen.experiments import density_from_score as experiment
from refgen.experiments.outcome import surprises

LAW = GaussianMixture([[1.0, 0.5], [-1.0, 0.0]], 0.5, [0.3, 0.7])
GRID = experiment.square(6.0, 61)


def test_every_claim_is_as_expected_and_one_fails():
    outcome = experiment.run(Stream(1), lambda *now: None, points=81)
    assert not surprises(outcome)
    failing = [claim for claim in outcome.claims if not claim.holds]
    assert [claim.what for claim in failing] == ["boxes: total variation"]
    assert failing[0].measured == pytest.approx(0.3)
    assert outcome.numbers["noisy boxes, mass on the left"] == pytest.approx(0.2, abs=0.01)
    assert len(outcome.figure.axes) == 6
    little, much = outcome.claims[3:5]
    assert 0 < little.measured < 1e-6 < 1e-3 < much.measured  # neither is what the boxes make it be


def test_the_density_comes_back_from_a_score_and_not_from_a_wrong_one():
    back = experiment.recovered(LAW.score, GRID)
    assert back == pytest.approx(LAW.log_prob(GRID.points), abs=1e-6)  # log-densities down to -60
    assert experiment.total_variation(back, LAW, GRID) < 1e-6
    wrong = experiment.recovered(lambda x: 1.05 * LAW.score(x), GRID)
    assert 0.01 < experiment.total_variation(wrong, LAW, GRID) < 0.1


def test_work_of_a_score_forgets_the_path_and_that_of_another_field_does_not():
    a, b = Stream(2).normal(20, 2), Stream(3).normal(20, 2)
    straight = experiment.work(LAW.score, a, b, nodes=100)
    bent = experiment.work(LAW.score, a, b, [1.0, -2.0], nodes=100)
    assert straight == pytest.approx(LAW.log_prob(b) - LAW.log_prob(a), abs=1e-10)
    assert bent == pytest.approx(straight, abs=1e-10)

    def around(x):
        return np.stack([-x[..., 1], x[..., 0]], axis=-1)

    closed = experiment.work(around, a, b, [1.0, -2.0], 100) - experiment.work(around, a, b, nodes=100)
    assert np.max(np.abs(closed)) > 1


def test_masses_of_separate_pieces_must_be_told():
    law = Boxes([[-2.0, 0.0], [1.0, 0.0]], [[-1.0, 1.0], [3.0, 1.0]], [0.3, 0.7])
    assert experiment.in_pieces(law.score, [0.3, 0.7], law, n=8) < 1e-12
    assert experiment.in_pieces(law.score, [0.5, 0.5], law, n=8) == pytest.approx(0.2)
    with pytest.raises(ValueError, match="on an edge or outside"):  # no path leads from one to the other
        experiment.work(law.score, np.array([-1.5, 0.5]), np.array([2.0, 0.5]))


def test_cells_fill_their_box():
    grid = experiment.cells(np.array([0.0, 1.0]), np.array([2.0, 2.0]), 4)
    assert grid.x == pytest.approx([0.25, 0.75, 1.25, 1.75])
    assert grid.points.shape == (4, 4, 2) and grid.cell * 16 == pytest.approx(2.0)
