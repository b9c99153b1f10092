"""A uniform start: the exact map on a line, samples in the plane, the whole run."""

import numpy as np
import pytest
from scipy.special import ndtr

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions import Gaussian
from refgen.experiments import wrong_start
from refgen.experiments.outcome import surprises
from refgen.experiments.wrong_start import LEVELS, LINE, TABLE
from refgen.samplers.dpm_multistep import dpm_multistep


def test_shares_are_distribution_functions():
    np.testing.assert_allclose(wrong_start.shares(Gaussian([0.3], 0.25)), ndtr((TABLE - 0.3) * 2), atol=1e-6)
    uniform = wrong_start.uniform_shares()
    assert uniform[0] == 0 and uniform[-1] == 1
    middle, mass = (TABLE[1:] + TABLE[:-1]) / 2, np.diff(uniform)
    assert [mass @ middle, mass @ middle**2] == pytest.approx([0, 1], abs=1e-4)


def test_the_exact_law_is_carried_to_the_exact_law_and_the_gap_of_a_start_is_kept():
    exact = wrong_start.shares(LINE.diffused(*LEVELS.level(1000)))
    for t in (1000, 300, 0):
        assert max(wrong_start.gaps(wrong_start.carried(exact, t), t)) < 1e-8
        tv, w1 = wrong_start.gaps(wrong_start.carried(wrong_start.uniform_shares(), t), t)
        assert tv == pytest.approx(0.1977, abs=1e-3) and w1 > 0.1


def test_gaps_of_a_law_that_is_moved():
    law = LINE.diffused(*LEVELS.level(1000))  # as good as N(0, 1)
    moved = np.interp(TABLE - 0.2, TABLE, wrong_start.shares(law))
    tv, w1 = wrong_start.gaps(moved, 1000)
    assert w1 == pytest.approx(0.2, abs=1e-3) and tv == pytest.approx(2 * ndtr(0.1) - 1, abs=1e-3)


def test_the_map_is_that_of_the_solver():
    x_T = np.linspace(-2, 2, 9)[:, None]
    x_0 = dpm_multistep(ExactDenoiser(LINE), LEVELS, x_T, Stream(0), 3)
    there = np.interp(x_T[:, 0], TABLE, wrong_start.shares(LINE.diffused(*LEVELS.level(1000))))
    arrived = np.interp(x_0[:, 0], TABLE, wrong_start.shares(LINE))
    np.testing.assert_allclose(arrived, there, atol=2e-3)


def test_the_flow_keeps_a_wrong_start_and_the_chain_forgets_it():
    found = {name: distance for name, (_, distance) in wrong_start.ends(20_000, Stream(1), 60).items()}
    assert found["flow, uniform"] > 2
    assert found["chain, uniform"] < 1.7 and found["flow, Gaussian"] < 1.7


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    assert not surprises(wrong_start.run(Stream(0), lambda *stage: None))
