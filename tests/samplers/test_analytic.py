"""Analytic-DPM: ancestral with the best variances, at the levels of any process."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.distributions import Gaussian
from refgen.formulas.gaussian import kl_variances
from refgen.samplers.analytic import analytic, analytic_variances
from refgen.samplers.ancestral import ancestral, optimal_variances, step_variances
from refgen.schedules import from_log_snr, linear
from tests.samplers.flows import LEVELS, LINE, SPACE, in_other_units, walks
from tests.samplers.test_ancestral import COUNT, EXACT, LIMIT, MIXTURE, surprise

DATA = SPACE.sample(Stream(50), 500)


def test_on_a_schedule_it_is_ancestral_with_the_optimal_variances():
    schedule, x_T, data = linear(1000).respaced(20), Stream(0).normal(30, 2), MIXTURE.sample(Stream(1), 400)
    variance = optimal_variances(EXACT, schedule, data, Stream(2).spawn("variances"))
    expected = ancestral(EXACT, schedule, x_T, Stream(2), variance)
    np.testing.assert_array_equal(analytic(EXACT, schedule, x_T, Stream(2), data), expected)
    np.testing.assert_array_equal(analytic(EXACT, schedule, x_T, Stream(2), variance=variance), expected)


@pytest.mark.parametrize("levels", LEVELS)
def test_variances_of_standard_normal_data_are_beta_and_the_law_is_kept(levels):
    """Known exactly: for N(0, I) the best variance is 1 - alpha of the same SNRs, and no step is wrong."""
    levels, law = LEVELS[levels].respaced(12), Gaussian([0.0], [[1.0]])
    data = law.sample(Stream(3), 20_000)
    found = analytic_variances(ExactDenoiser(law), levels, data, Stream(4))
    np.testing.assert_allclose(found[1:], from_log_snr(levels.log_snr).beta[1:], rtol=0.05)
    x_T = np.hypot(levels.signal[-1], levels.std[-1]) * Stream(5).normal(20_000, 1)
    kept = {1: None}
    analytic(ExactDenoiser(law), levels, x_T, Stream(6), variance=found, trajectory=kept)
    assert np.var(kept[1]) == pytest.approx(levels.signal[1] ** 2 + levels.std[1] ** 2, rel=0.06)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("T", [1, 2, 3, 9])
@pytest.mark.parametrize("levels", LEVELS)
def test_any_levels_and_any_number_of_steps(levels, T, dtype):
    assert walks(analytic, LEVELS[levels], T, dtype, x_0=DATA.astype(dtype))[2] == 2 * T
    walks(analytic, LEVELS[levels], T, dtype, law=LINE, n=5, x_0=LINE.sample(Stream(7), 50).astype(dtype))
    assert walks(analytic, LEVELS[levels], T, dtype, n=0, x_0=DATA.astype(dtype))[0].shape == (0, 3)


def test_other_units_are_the_same_walk():
    assert in_other_units(analytic, x_0=DATA) < 1e-9


def test_the_exact_denoiser_reproduces_the_prior_and_wrong_variances_do_not():
    schedule, x_T = linear(1000).respaced(100), Stream(20).normal(COUNT, 2)
    variance = analytic_variances(EXACT, schedule, MIXTURE.sample(Stream(8), 5_000), Stream(9))
    assert surprise(analytic(EXACT, schedule, x_T, Stream(21), variance=variance), MIXTURE) < LIMIT
    as_std = analytic(EXACT, schedule, x_T, Stream(21), variance=variance**2)
    assert surprise(as_std, MIXTURE) > 2 * LIMIT


@pytest.mark.parametrize("steps", [10, 50])
def test_both_named_variances_cost_nats_that_the_best_does_not(steps):
    schedule = linear(1000).respaced(steps)
    best = analytic_variances(EXACT, schedule, MIXTURE.sample(Stream(8), 10_000), Stream(9))[2:]
    excess = {
        name: 2 * np.sum(kl_variances(best, step_variances(schedule, name)[2:]))
        for name in ("small", "large")
    }
    assert excess["small"] > 0.3
    assert excess["large"] > 0.005
    assert np.all(best >= step_variances(schedule, "small")[2:])
    assert np.all(best <= (schedule.beta / schedule.alpha)[2:])


def test_ten_steps_have_the_width_of_the_data():
    """The variance of the samples, where the small variance makes them too narrow and the large too wide."""
    schedule, x_T = linear(1000).respaced(10), Stream(20).normal(20_000, 1)
    exact, spread = ExactDenoiser(LINE), {}
    data = LINE.sample(Stream(8), 20_000)
    for name in ("small", "large", analytic_variances(exact, schedule, data, Stream(9))):
        given = step_variances(schedule, name)
        kept = {1: None}
        analytic(exact, schedule, x_T, Stream(21), variance=given, trajectory=kept)
        spread[str(name)[:5]] = float(np.var(kept[1])) / float(LINE.diffused(*schedule.level(1)).cov[0, 0])
    small, large, best = spread.values()
    assert small < best - 0.01 and abs(best - 1) < 0.03
    assert large > best - 0.03


def test_variances_are_estimated_from_data_of_either_precision_without_moving_the_noise():
    denoiser = counted(EXACT)
    schedule, x_T = linear(1000).respaced(5), Stream(0).normal(4, 2, dtype=np.float32)
    data = MIXTURE.sample(Stream(1), 100).astype(np.float32)
    first = analytic(denoiser, schedule, x_T, Stream(2), data)
    again = analytic(EXACT, schedule, x_T, Stream(2), data[:50])
    assert denoiser.calls == 10
    assert np.max(np.abs(first - again)) < 1  # the same noise, other variances
    assert np.any(first != again)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"^x_0 is missing; analytic takes its variances from data, or is given them"),
        ({"x_0": np.zeros((0, 2))}, r"^x_0 has shape \(0, 2\); the variances are means over one point"),
        ({"variance": np.ones(3)}, r"^variance has shape \(3,\); it must be \(6,\)"),
        (
            {"x_0": np.zeros((3, 2)), "trajectory": {6: None}},
            r"^trajectory asks for t = 6; times lie in 0\.\.5",
        ),
    ],
)
def test_refuses(given, message):
    with pytest.raises(ValueError, match=message):
        analytic(EXACT, linear(5), np.zeros((2, 2)), Stream(0), **given)
