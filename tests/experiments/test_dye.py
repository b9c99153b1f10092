"""A swiss roll into noise and back: the measure, the stored paths, the drift, the whole run."""

import numpy as np
import pytest
from scipy.special import ndtr

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions import Gaussian
from refgen.experiments import dye
from refgen.experiments.dye import LAW, MODEL, TIMES
from refgen.experiments.outcome import surprises


def test_total_variation_is_that_of_two_gaussians_and_falls_with_noise():
    moved = dye.left(Gaussian(np.array([0.5, 0.0]), 1.0))
    assert moved.tv == pytest.approx(2 * ndtr(0.25) - 1, abs=1e-4)
    assert moved.off < 1e-6 and dye.left(Gaussian(np.zeros(2), 1.0)).tv < 1e-12
    tvs = [dye.left(LAW.diffused(*MODEL.levels.level(t))).tv for t in TIMES]
    assert np.all(np.diff(tvs) < 0) and tvs[-1] < 1e-4


@pytest.fixture(scope="module")
def kept():
    return dye.forward(MODEL.levels, LAW.sample(Stream(0), 2000), Stream(1), TIMES)


def test_stored_paths_have_the_closed_form_of_their_levels(kept):
    assert set(kept) == set(TIMES)
    assert dye.residuals(MODEL.levels, kept) < 4.5
    late = {t: x_t * 1.1 if t else x_t for t, x_t in kept.items()}
    assert dye.residuals(MODEL.levels, late) > 4.5
    assert dye.residuals(MODEL.levels, kept | {500: kept[300]}) > 10


def test_the_chain_back_ends_at_the_roll_and_has_its_laws_on_the_way():
    found = dye.from_noise(ExactDenoiser(LAW), 500, Stream(2))
    assert set(found) == set(TIMES)
    truth, other = LAW.sample(Stream(3), 500), found[1000].astype(np.float64)
    mean = [float(LAW.log_prob(x.astype(np.float64)).mean()) for x in (truth, found[0], other)]
    assert abs(mean[0] - mean[1]) < 0.2 and mean[2] < mean[0] - 3


def test_the_drift_is_that_of_the_score_to_first_order():
    x, t = Stream(4).normal(20, 2), 400
    beta = float(MODEL.levels.beta[t])
    score = LAW.noisy_score(x, *MODEL.levels.level(t))
    np.testing.assert_allclose(dye.drift(ExactDenoiser(LAW), t, x) / beta, x / 2 + score, atol=0.03)


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    assert not surprises(dye.run(Stream(0), lambda *stage: None))
