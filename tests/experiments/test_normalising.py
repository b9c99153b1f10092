"""A density that keeps its area and a score that needs none: the measures, and what they do not let pass."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from refgen.backend import Stream
from refgen.experiments import normalising
from refgen.experiments.outcome import surprises


def test_every_claim_holds():
    outcome = normalising.run(Stream(0), lambda *now: None)
    assert len(outcome.claims) == 5 and all(claim.holds for claim in outcome.claims)
    assert not surprises(outcome) and len(outcome.figure.axes) == 2 * len(normalising.FRAMES)


def test_frames_that_do_not_move_are_noticed():
    outcome = normalising.run(Stream(0), lambda *now: None, frames=(0.2, 0.2))
    assert [claim.what for claim in surprises(outcome)] == ["Z, largest / smallest of the frames"]


def test_log_z_and_area_are_two_ways_to_one_number():
    whole = quad(lambda x: math.exp(-((x**2 - 4) ** 2) / 8 + 0.3 * x), -6, 6, epsrel=1e-11)[0]
    assert normalising.log_z(0.3) == pytest.approx(math.log(whole), abs=1e-9)
    assert normalising.area(0.3, math.log(whole)) == pytest.approx(1, abs=1e-9)
    assert normalising.area(0.3, normalising.log_z(0.0)) == pytest.approx(whole / 2.821829406, rel=1e-8)
    assert abs(normalising.log_z(0.3, n=15) - math.log(whole)) > 1e-4  # too coarse a sum would be seen


def test_the_score_of_a_density_needs_no_factor():
    x = np.linspace(-3, 3, 13)[:, None]
    plain = normalising.score_of_density(x, 0.5, 1.0)
    assert plain == pytest.approx(-x * (x**2 - 4) / 2 + 0.5, abs=1e-12)
    assert normalising.score_of_density(x, 0.5, 1e7) == pytest.approx(plain, abs=1e-12)


def test_where_the_density_grows_it_is_the_covariance_with_the_tilt():
    x = np.linspace(-7, 7, 4001)[:, None]
    p = np.exp(-normalising.energy(x, 0.4) - normalising.log_z(0.4))
    mean = np.sum(p * x[:, 0]) * (x[1, 0] - x[0, 0])
    assert normalising.slope_in_theta(x, 0.4) == pytest.approx(p * (x[:, 0] - mean), abs=1e-6)
