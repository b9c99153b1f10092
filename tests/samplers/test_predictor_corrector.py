"""Predictor and corrector: by exact linear algebra, and on the truth."""

import numpy as np
import pytest

from refgen import processes
from refgen.backend import Stream
from refgen.denoisers import Denoiser, ExactDenoiser
from refgen.distributions import Gaussian
from refgen.formulas.corrector import snr_step
from refgen.samplers.euler_maruyama import euler_maruyama, reverse_sde_step
from refgen.samplers.predictor_corrector import predictor_corrector
from tests.samplers.impulses import Impulses
from tests.samplers.test_ancestral import COUNT, EXACT, LIMIT, MIXTURE, surprise

GRID = processes.VP().grid(8, "time", 0.05)


@pytest.mark.parametrize(("steps", "step"), [(1, 0.1), (3, 0.5)])
def test_law_on_a_gaussian_is_known_exactly(steps, step):
    """No sampling: the chain is affine in its inputs, which are unit vectors here."""
    var, x_T = 0.3, np.zeros(((GRID.T - 1) * (steps + 1) + 1, 1))
    x_T[0] = 1
    kept = {1: None}
    predictor_corrector(
        ExactDenoiser(Gaussian([0.0], [[var]])), GRID, x_T, Impulses(), steps, step=step, trajectory=kept
    )
    slope, spread = 1.0, 0.0
    vars_ = GRID.signal**2 * var + GRID.std**2
    for k in range(GRID.T, 1, -1):
        beta = (0.1 + 19.9 * GRID.times[k]) * (GRID.times[k] - GRID.times[k - 1])
        a = 1 + beta / 2 - beta / vars_[k]
        slope, spread = a * slope, a**2 * spread + beta
        c = step * GRID.std[k - 1] ** 2
        for _ in range(steps):
            a = 1 - c / vars_[k - 1]  # the level that was reached, not the one before
            slope, spread = a * slope, a**2 * spread + 2 * c
    response = kept[1][:, 0]
    assert response[0] == pytest.approx(slope, rel=1e-11)
    assert response[1:] @ response[1:] == pytest.approx(spread, rel=1e-11)


def test_the_corrector_takes_off_what_the_predictor_did_wrong():
    """The variance at the last level, by unit vectors, where steps are few."""
    var, levels = 0.25, processes.VP().grid(21, "time", 0.05)
    true, off = levels.signal[1] ** 2 * var + levels.std[1] ** 2, []
    for sample, given in ((euler_maruyama, {}), (predictor_corrector, {"steps": 2, "step": 0.1})):
        x_T, kept = np.zeros((100, 1)), {1: None}
        x_T[0] = np.sqrt(levels.signal[-1] ** 2 * var + levels.std[-1] ** 2)
        sample(ExactDenoiser(Gaussian([0.0], [[var]])), levels, x_T, Impulses(), trajectory=kept, **given)
        off.append(np.sum(kept[1] ** 2) - true)
    assert 0 < off[1] < 0.8 * off[0]


def test_a_level_is_a_predictor_s_step_and_a_corrector_s():
    levels, x_T = processes.VP().grid(2), Stream(0).normal(40, 2)
    z, y = Stream(1).normal(2, 40, 2)
    kept = {1: None}
    predictor_corrector(EXACT, levels, x_T, Stream(1), snr=0.3, trajectory=kept)
    x = reverse_sde_step(EXACT, levels, x_T, z, 2)
    score = EXACT.score(x, *levels.level(1))
    c = snr_step(score, y, 0.3, levels.std[1] ** 2)
    np.testing.assert_allclose(kept[1], x + c * score + np.sqrt(2 * c) * y, rtol=1e-12, atol=1e-12)
    usual, same = (
        predictor_corrector(EXACT, levels, x_T, Stream(1), **given) for given in ({}, {"snr": 0.16})
    )
    np.testing.assert_array_equal(usual, same)


class Silent(Denoiser):
    """A score of zero at every point."""

    def eps(self, x, signal, std):
        return 0 * x


def test_a_score_of_zero_does_no_harm():
    x_T = Stream(2).normal(3, 1)
    x_0 = predictor_corrector(Silent(), GRID, x_T, Stream(3))
    assert np.all(np.isfinite(x_0))
    assert np.max(np.abs(x_0)) < 1e4  # the drift alone multiplies by up to 1 / signal


class TooWeak(ExactDenoiser):
    """A score that is two fifths too small; the corrector mends what a smaller slip does."""

    def score(self, x, signal, std):
        return 0.6 * super().score(x, signal, std)


def test_the_exact_score_reproduces_the_mixture():
    levels, x_T = processes.VP().grid(100), Stream(1).normal(COUNT, 2)
    for given in ({}, {"step": 0.05, "steps": 2}):
        assert surprise(predictor_corrector(EXACT, levels, x_T, Stream(2), **given), MIXTURE) < LIMIT
    assert surprise(predictor_corrector(TooWeak(MIXTURE), levels, x_T, Stream(2)), MIXTURE) > 2 * LIMIT


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(step=2.0), r"step is 2\.0; it must lie in \(0, 2\)"),
        (dict(steps=0), "steps is 0; it must be an integer >= 1"),
        (dict(snr=0.0), r"snr is 0\.0; it must be a finite number > 0"),
    ],
)
def test_bad_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        predictor_corrector(EXACT, GRID, np.zeros((3, 2)), Stream(0), **wrong)
