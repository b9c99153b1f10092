"""A learned schedule: the exact bound, schedules of equal ends, the whole run."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import learned_snr
from refgen.experiments.learned_snr import LAW, between, excess
from refgen.experiments.outcome import surprises
from refgen.schedules import from_log_snr, linear

EVEN = from_log_snr(np.linspace(5.0, -9.0, 400))


def test_schedules_between_the_same_ends():
    bent = between(EVEN, 2.0)
    np.testing.assert_allclose(between(EVEN, 1.0).log_snr[1:], EVEN.log_snr[1:], atol=1e-9)
    assert bent.log_snr[[1, -1]] == pytest.approx(EVEN.log_snr[[1, -1]]) and bent.T == EVEN.T
    assert np.max(bent.log_snr[1:] - EVEN.log_snr[1:]) == pytest.approx(14 / 4, abs=0.01)


def test_bounds_are_above_the_entropy_and_with_many_steps_depend_on_the_ends_alone():
    x = LAW.sample(Stream(0), 2000)
    even, bent = (excess(one, x, Stream(1)) for one in (EVEN, between(EVEN, 2.0)))
    assert even[0] > 5 * even[1] > 0
    assert abs(even[0] - bent[0]) < 0.06
    few = [excess(between(EVEN.respaced(10), power), x, Stream(1))[0] for power in (1.0, 2.0)]
    assert abs(few[0] - few[1]) > 0.5 and min(few) > even[0] + 0.5
    assert excess(linear(20), x, Stream(1))[0] > 3


def test_a_network_and_the_exact_denoiser_have_the_same_ends():
    x, rng = LAW.sample(Stream(0), 50), Stream(1)
    short = from_log_snr(np.array([-6.0]))
    exact = learned_snr.EXACT.bound(learned_snr.EXACT.init(rng), x, rng, short)
    model = learned_snr.MODEL
    np.testing.assert_allclose(exact, model.bound(model.init(rng), x, rng, short), rtol=1e-6)


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    assert not surprises(learned_snr.run(Stream(0), lambda *stage: None))
