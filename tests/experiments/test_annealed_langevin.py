"""The strip: how well each level is met, by a sampler that meets it, one that does not, and exact points."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.experiments import annealed_langevin as strip
from refgen.experiments.outcome import surprises
from refgen.experiments.two_gaussians import LAW, SCALE, uniform_start
from refgen.ladders import geometric
from refgen.metrics import directions


def quiet(*now):
    pass


class Shrunk(ExactDenoiser):
    """A score half as large: of a law that is too wide."""

    def score(self, x, signal, std):
        return 0.5 * super().score(x, signal, std)


def test_each_level_is_met_with_the_exact_score_and_not_with_half_of_it():
    levels, lines, n = geometric(6, 1.25, 0.1), directions(2, 32, Stream(0)), 800
    truth = strip.yardstick(levels, n, lines, Stream(1))
    assert list(truth) == [6, 5, 4, 3, 2, 1, 0]
    start = uniform_start(Stream(2), n)
    points, rows = strip.walk(ExactDenoiser(LAW), levels, start, Stream(3), truth, lines)
    assert [row["t"] for row in rows] == list(truth) == list(points)
    assert rows[0]["std"] == pytest.approx(1.25 * SCALE[0]) and rows[-1]["std"] == 0
    assert max(row["times_floor"] for row in rows) < 2.5
    assert abs(rows[-1]["share"] - 0.8) < 0.06
    _, wrong = strip.walk(Shrunk(LAW), levels, start, Stream(3), truth, lines)
    assert max(row["times_floor"] for row in wrong) > 4


def test_the_floor_of_a_level_is_that_of_its_own_law():
    levels, lines = geometric(2, 1.25, 0.1), directions(2, 16, Stream(0))
    truth = strip.yardstick(levels, 500, lines, Stream(1))
    fresh, floor = truth[2]
    assert np.trace(np.cov(fresh.T)) == pytest.approx(2 + 2 * 1.25**2, rel=0.15)
    assert floor > 0.8 * truth[0][1] and np.trace(np.cov(truth[0][0].T)) == pytest.approx(2, rel=0.15)


def test_too_little_noise_keeps_the_share_of_the_start():
    points = strip.annealed_langevin(
        ExactDenoiser(LAW), strip.TOO_SMALL, uniform_start(Stream(0), 600), Stream(1), 0.1, 100
    )
    assert strip.share(points) == pytest.approx(0.51, abs=0.07)


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    outcome = strip.run(Stream(0), quiet)
    assert not surprises(outcome)
    assert len(outcome.figure.axes) == 2 * len(strip.SHOWN)
    errors = outcome.numbers["relative error of the learned score"]
    assert max(errors.values()) < 0.25
