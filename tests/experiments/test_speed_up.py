"""Quality against calls: what is counted, who is ahead with few points, the whole run."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.experiments import speed_up
from refgen.experiments.outcome import surprises
from refgen.experiments.sampler_ways import LARGE, LAW, PATHS, SLOW, WAYS
from refgen.experiments.speed_up import Row, needed
from refgen.metrics import directions, sampling_floor

LINES = directions(2, 32, Stream(0))
N = 2000


@pytest.fixture(scope="module")
def floor():
    return sampling_floor(LAW, N, LINES, Stream(1), 10).max


def quality(name, nfe, floor, seeds=2):
    return speed_up.quality(WAYS[name], ExactDenoiser(LAW), nfe, N, floor, LINES, Stream(2), seeds)


@pytest.mark.parametrize("name", WAYS)
def test_no_sampler_takes_more_calls_than_it_is_given_and_all_do_well_with_100(name, floor):
    few, many = quality(name, 10, floor, 1), quality(name, 100, floor)
    assert few.calls in (9, 10) and many.calls in (99, 100)
    assert len(many.floors) == 2 and many.mean < 1.5
    assert few.mean > many.mean


def test_ten_calls_tell_samplers_apart(floor):
    at = {name: quality(name, 10, floor).mean for name in WAYS}
    assert at["DPM-Solver++ 3M"] < at["Analytic-DPM"] < at["DDIM"] < at[SLOW] < at["DPM-Solver-2"]
    assert at[LARGE] < at["DDIM"]


def test_calls_needed_are_read_off_a_line_between_logarithms():
    rows = [Row(10, [8.0]), Row(20, [2.0, 4.0]), Row(40, [0.75])]
    assert needed(rows, 3.0) == pytest.approx(20)
    assert needed(rows, 1.5) == pytest.approx(20 * np.sqrt(2))
    assert needed(rows, 9.0) == 10
    assert needed(rows, 0.5) == np.inf


def test_errors_along_the_flow_fall_as_the_order_of_the_solver_says():
    errors = speed_up.path_errors((20, 80), 100, Stream(3))
    slopes = {name: np.log(of[20] / of[80]) / np.log(4) for name, of in errors.items()}
    assert set(slopes) == set(PATHS)
    assert 0.8 < slopes["DDIM"] < 1.4 and 1.8 < slopes["DPM-Solver++ 2M"] < 3
    assert slopes["DPM-Solver++ 3M"] > 2.5 and slopes["DPM-Solver-2"] > 1.8


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    assert not surprises(speed_up.run(Stream(0), lambda *stage: None))
