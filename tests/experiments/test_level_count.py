"""How many levels: what is counted, and that few levels of few steps do not do."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.experiments import level_count
from refgen.experiments.outcome import surprises
from refgen.experiments.two_gaussians import LAW
from refgen.metrics import directions, sampling_floor


def quiet(*now):
    pass


@pytest.fixture(scope="module")
def measured():
    lines = directions(2, 32, Stream(0))
    floor = sampling_floor(LAW, 1000, lines, Stream(1)).max

    def accuracy(T, per_level):
        return level_count.accuracy(T, per_level, 1000, Stream(2), floor, lines, runs=2)

    return accuracy


def test_enough_steps_find_the_law_and_too_few_do_not(measured):
    good, few = measured(20, 50), measured(10, 5)
    assert good["times_floor"] < 2.5 < 8 < few["times_floor"]
    assert good["off"] < 0.05 < 0.1 < few["off"]
    error = 4 * np.sqrt(0.8 * 0.2 / 2000)  # of a mean share of two runs of 1000 points
    assert abs(good["share"] - 0.8) < error and few["share"] < 0.8 - 2 * error


def test_calls_are_counted_right(measured, monkeypatch):
    asked = []

    def count(law):
        asked.append(counted(ExactDenoiser(law)))
        return asked[-1]

    monkeypatch.setattr(level_count, "ExactDenoiser", count)
    row = measured(7, 3)
    assert [denoiser.calls for denoiser in asked] == [row["calls"]] * 2


def test_more_levels_of_five_steps_are_better_and_two_are_never_enough(measured):
    distances = [measured(T, 5)["times_floor"] for T in (3, 10, 30, 100)]
    assert np.all(np.diff(distances) < 0)
    assert measured(2, 500)["times_floor"] > 10


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    assert not surprises(level_count.run(Stream(0), quiet))
