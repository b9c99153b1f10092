"""DPM-Solver++: its orders against the exact flow, its memory, and levels of every kind."""

import importlib

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.formulas.ddim import ddim_mean
from refgen.samplers.ddim import ddim
from refgen.samplers.dpm_multistep import dpm_multistep
from refgen.schedules import NAMES, linear
from refgen.schedules import named as schedule_named
from tests.samplers.flows import LEVELS, LINE, in_other_units, order, walks
from tests.samplers.test_ancestral import COUNT, EXACT, LIMIT, MIXTURE, surprise

module = importlib.import_module("refgen.samplers.dpm_multistep")


@pytest.mark.parametrize("T", [1, 2, 3, 30])
def test_order_one_is_ddim(T):
    levels, x_T = linear(1000).respaced(T), Stream(0).normal(50, 2)
    expected = ddim(EXACT, levels, x_T, Stream(0))
    np.testing.assert_array_equal(dpm_multistep(EXACT, levels, x_T, Stream(0), order=1), expected)


def algorithm_2(denoiser, levels, x):
    """Lu et al. 2022 (DPM-Solver++), algorithm 2, as it is printed, and x_0 at the end."""
    lam, before = levels.log_snr / 2, None
    for i in range(levels.T, 1, -1):
        x_0, h = denoiser.x_0(x, *levels.level(i)), lam[i - 1] - lam[i]
        D = x_0
        if i < levels.T:
            r = (lam[i] - lam[i + 1]) / h
            D = (1 + 1 / (2 * r)) * x_0 - 1 / (2 * r) * before
        x = levels.std[i - 1] / levels.std[i] * x - levels.signal[i - 1] * np.expm1(-h) * D
        before = x_0
    return denoiser.x_0(x, *levels.level(1))


@pytest.mark.parametrize("T", [1, 2, 3, 30])
@pytest.mark.parametrize("levels", LEVELS)
def test_order_two_is_the_papers_algorithm(levels, T):
    levels = LEVELS[levels].respaced(T)
    x_T = float(levels.std[-1]) * Stream(0).normal(50, 2)
    expected = algorithm_2(EXACT, levels, x_T)
    np.testing.assert_allclose(dpm_multistep(EXACT, levels, x_T, Stream(0)), expected, rtol=0, atol=1e-9)


# The first steps are of lower order, at a noise where x_0 hardly moves yet.
@pytest.mark.parametrize(("of", "counts"), [(1, (160, 320, 640)), (2, (40, 80, 160)), (3, (60, 120, 240))])
def test_orders_against_the_exact_flow(of, counts):
    assert order(dpm_multistep, counts, order=of) == pytest.approx(of, abs=0.15)


def test_a_memory_of_the_wrong_level_costs_the_order(monkeypatch):
    def wrong(x_t, x_0, x_0_before, level_before, level_t, level_s):
        """std_t for std_s in the weight of what is remembered."""
        weight = (level_s[0] - level_t[0]) / 2
        return ddim_mean(x_t, x_0, level_t, level_s) + weight * (x_0 - x_0_before)

    monkeypatch.setattr(module, "multistep_2", wrong)
    assert order(dpm_multistep, (40, 80, 160)) < 1.3


def test_a_memory_in_the_wrong_order_costs_the_order(monkeypatch):
    right = module.multistep_3

    def wrong(x_t, x_0, x_0_before, x_0_first, level_first, level_before, *two):
        return right(x_t, x_0, x_0_first, x_0_before, level_first, level_before, *two)

    monkeypatch.setattr(module, "multistep_3", wrong)
    assert order(dpm_multistep, (60, 120, 240), order=3) < 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("T", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("levels", LEVELS)
def test_any_levels_and_any_number_of_steps(levels, T, dtype):
    for of in (1, 2, 3):
        assert walks(dpm_multistep, LEVELS[levels], T, dtype, order=of)[2] == T
    walks(dpm_multistep, LEVELS[levels], T, dtype, law=LINE, n=5)
    assert walks(dpm_multistep, LEVELS[levels], T, dtype, n=0)[0].shape == (0, 3)


@pytest.mark.parametrize("name", NAMES)
def test_float32_follows_float64_on_every_schedule(name):
    schedule, x_T = schedule_named(name, 1000).respaced(25), Stream(3).normal(200, 2, dtype=np.float32)
    for of in (2, 3):
        narrow, wide = (dpm_multistep(EXACT, schedule, x, Stream(0), of) for x in (x_T, x_T.astype(float)))
        assert np.quantile(np.max(np.abs(narrow - wide), axis=1), 0.9) < 1e-3


@pytest.mark.parametrize("of", [2, 3])
def test_other_units_are_the_same_walk(of):
    assert in_other_units(dpm_multistep, order=of) < 1e-9


@pytest.mark.parametrize("of", [2, 3])
def test_the_exact_denoiser_reproduces_the_prior(of):
    levels = LEVELS["vp"].process.grid(60)
    x = dpm_multistep(EXACT, levels, Stream(20).normal(COUNT, 2), Stream(21), of)
    assert surprise(x, MIXTURE) < LIMIT


def test_a_wrong_step_does_not_reproduce_the_prior(monkeypatch):
    right = module.multistep_2
    monkeypatch.setattr(module, "multistep_2", lambda x, new, old, *three: right(x, new, 0 * old, *three))
    levels, x_T = LEVELS["vp"].process.grid(60), Stream(20).normal(COUNT, 2)
    assert surprise(dpm_multistep(EXACT, levels, x_T, Stream(21)), MIXTURE) > 2 * LIMIT


def test_refuses_an_order_and_a_level_that_is_not_there():
    with pytest.raises(ValueError, match=r"^order is 4; it must be 1, 2 or 3"):
        dpm_multistep(EXACT, linear(5), np.zeros((2, 2)), Stream(0), 4)
    with pytest.raises(ValueError, match=r"^trajectory asks for t = 6; times lie in 0\.\.5"):
        dpm_multistep(EXACT, linear(5), np.zeros((2, 2)), Stream(0), trajectory={6: None})
