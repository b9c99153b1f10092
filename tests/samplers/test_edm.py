"""Heun's steps with churn: by exact linear algebra, against the exact map on a line, and on the truth."""

import math

import numpy as np
import pytest

from refgen import processes
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.derivations import exact_flow, line
from refgen.distributions import Gaussian, GaussianMixture
from refgen.ladders import Ladder, geometric
from refgen.samplers.edm import edm
from refgen.schedules import linear
from tests.samplers.impulses import Impulses
from tests.samplers.test_ancestral import COUNT, EXACT, LIMIT, MIXTURE, surprise

LAW = exact_flow.LAW
ON_A_LINE = ExactDenoiser(GaussianMixture(LAW.means[:, None], LAW.stds[:, None, None] ** 2, LAW.weights))


@pytest.mark.parametrize("churn", [0.0, 1.5])
@pytest.mark.parametrize("levels", [geometric(6, 8.0, 0.05), processes.VP().grid(6)], ids=["ladder", "vp"])
def test_law_on_a_gaussian_is_known_exactly(levels, churn):
    """No sampling: the chain is affine in its inputs, which are unit vectors here."""
    var, noise, T = 0.3, 1.007, levels.T
    x_T = np.zeros((T + 1, 1))
    x_T[0] = 1
    x_0 = edm(ExactDenoiser(Gaussian([0.0], [[var]])), levels, x_T, Impulses(), churn, 0.1, 4.0, noise)
    std = levels.std[1:] / levels.signal[1:]
    slope, spread = 1 / levels.signal[-1], 0.0
    for k in range(T - 1, -1, -1):
        rate = min(churn / T, math.sqrt(2) - 1) if 0.1 <= std[k] <= 4.0 else 0.0
        hat = (1 + rate) * std[k]
        spread += (hat**2 - std[k] ** 2) * noise**2
        if k == 0:
            a = var / (var + hat**2)  # the denoised point
        else:
            below, h = std[k - 1], std[k - 1] - hat
            euler = 1 + h * hat / (var + hat**2)
            a = 1 + h / 2 * (hat / (var + hat**2) + below / (var + below**2) * euler)
        slope, spread = a * slope, a**2 * spread
    assert x_0[0, 0] == pytest.approx(slope, rel=1e-11)
    assert x_0[1:, 0] @ x_0[1:, 0] == pytest.approx(spread, rel=1e-11, abs=1e-30)


@pytest.mark.parametrize("name", processes.NAMES)
def test_order_two_against_the_exact_flow(name):
    process = processes.named(name)

    def error(count):
        levels = process.grid(count + 1, "edm", process.time(5.0), process.time(-2.5))
        start, end = (exact_flow.quantiles(line.noisy(LAW, *levels.level(k))) for k in (levels.T, 1))
        kept = {1: None}
        edm(ON_A_LINE, levels, start[:, None], Stream(0), trajectory=kept)
        return kept[1][:, 0] - end

    assert exact_flow.order((20, 40, 80), error) == pytest.approx(2, abs=0.3)


def test_calls_and_few_levels():
    denoiser = counted(EXACT)
    for steps in (1, 2, 3, 18):
        levels = processes.EDM().grid(steps, "edm")
        denoiser.calls = 0
        x_T = 80 * Stream(0).normal(5, 2, dtype=np.float32)
        x_0 = edm(denoiser, levels, x_T, Stream(1), churn=10.0)
        assert denoiser.calls == 2 * steps - 1
        assert x_0.shape == (5, 2) and x_0.dtype == np.float32 and np.all(np.isfinite(x_0))
    assert 2 * 18 - 1 == 35  # as in the paper


def test_the_grid_of_the_paper_has_its_ends():
    levels = processes.EDM().grid(18, "edm")
    assert levels.std[-1] == 80 and levels.std[1] == 0.002
    np.testing.assert_allclose(levels.std[:-5:-1], [80.0, 57.586, 40.7856, 28.3748], rtol=1e-5)


def test_without_churn_nothing_is_drawn_and_the_flow_does_not_depend_on_the_scale():
    """The same ratios of signal and noise, the same points, whatever power the levels have."""
    schedule, rng = linear(1000).respaced(30), Stream(5)
    ladder = Ladder(np.concatenate([[0], schedule.std[1:] / schedule.signal[1:]]))
    x_T = Stream(1).normal(40, 2)
    there = edm(EXACT, schedule, x_T, rng)
    here = edm(EXACT, ladder, x_T / schedule.signal[-1], rng)
    np.testing.assert_allclose(there, here, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(rng.normal(3), Stream(5).normal(3))


def test_churn_outside_of_its_range_changes_nothing():
    levels = processes.EDM().grid(10, "edm")
    x_T = 80 * Stream(1).normal(40, 2)
    plain = edm(EXACT, levels, x_T, Stream(2))
    np.testing.assert_array_equal(edm(EXACT, levels, x_T, Stream(2), 5.0, 90.0, 100.0), plain)
    assert np.max(np.abs(edm(EXACT, levels, x_T, Stream(2), 5.0, 1.0, 50.0) - plain)) > 0.1


@pytest.mark.parametrize(("churn", "steps"), [(0.0, 40), (10.0, 80)])
def test_the_exact_denoiser_reproduces_the_mixture(churn, steps):
    levels = processes.EDM(0.002, 20.0).grid(steps, "edm")
    x_T = 20 * Stream(11).normal(COUNT, 2)
    assert surprise(edm(EXACT, levels, x_T, Stream(2), churn), MIXTURE) < LIMIT
    wrong = {"churn": 10.0, "churn_noise": 1.4} if churn else {}
    few = levels if churn else processes.EDM(0.002, 20.0).grid(8, "edm")
    assert surprise(edm(EXACT, few, x_T, Stream(2), **wrong), MIXTURE) > 2 * LIMIT


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(churn=-1.0), r"churn is -1\.0; it must be a finite number >= 0"),
        (dict(churn_noise=0.0), r"churn_noise is 0\.0; it must be a finite number > 0"),
        (dict(churn_low=2.0, churn_high=1.0), r"churn_low is 2\.0, churn_high 1\.0; 0 <= churn_low"),
        (dict(churn_low=np.nan), "churn_low is nan"),
        (dict(trajectory={4: None}), r"trajectory asks for t = 4; times lie in 0\.\.3"),
    ],
)
def test_bad_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        edm(EXACT, geometric(3, 8.0, 0.1), np.zeros((3, 2)), Stream(0), **wrong)
