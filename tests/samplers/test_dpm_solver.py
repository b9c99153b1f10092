"""DPM-Solver: its orders against the exact flow, DDIM at order 1, and levels of every kind."""

import importlib
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, LearnedDenoiser
from refgen.formulas.solvers import noise_step
from refgen.samplers.ddim import ddim
from refgen.samplers.dpm_solver import dpm_solver
from refgen.schedules import NAMES, linear
from refgen.schedules import named as schedule_named
from tests.samplers.flows import LEVELS, LINE, in_other_units, order, walks
from tests.samplers.test_ancestral import COUNT, EXACT, LIMIT, MIXTURE, surprise

module = importlib.import_module("refgen.samplers.dpm_solver")


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("T", [1, 2, 3, 30])
def test_order_one_is_ddim_exactly(levels, T):
    levels = LEVELS[levels].respaced(T)
    x_T = float(levels.std[-1]) * Stream(0).normal(50, 2)
    expected = ddim(EXACT, levels, x_T, Stream(0))
    got = dpm_solver(EXACT, levels, x_T, Stream(0), order=1)
    # what eps loses of x_0 where the signal is small, in DDIM's own line too
    lost = 1e-12 + 1e-15 * np.max(levels.std / levels.signal)
    np.testing.assert_allclose(got, expected, rtol=0, atol=10 * lost)


@pytest.mark.parametrize(("of", "counts"), [(1, (160, 320, 640)), (2, (40, 80, 160)), (3, (20, 40, 80))])
def test_orders_against_the_exact_flow(of, counts):
    assert order(dpm_solver, counts, order=of) == pytest.approx(of, abs=0.2)


def test_a_stage_that_is_not_used_costs_the_order(monkeypatch):
    monkeypatch.setattr(
        module, "noise_step_linear", lambda x, eps, late, share, *levels: noise_step(x, eps, *levels)
    )
    assert order(dpm_solver, (80, 160, 320), order=3) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("T", [1, 2, 3, 9])
@pytest.mark.parametrize("levels", LEVELS)
def test_any_levels_and_any_number_of_steps(levels, T, dtype):
    """In two or three steps across all levels orders 2 and 3 end far astray, at finite points."""
    for of in (1, 2, 3):
        far = 4 if of == 1 or T == 9 else 1e4
        assert walks(dpm_solver, LEVELS[levels], T, dtype, far=far, order=of)[2] == of * (T - 1) + 1
    walks(dpm_solver, LEVELS[levels], T, dtype, law=LINE, n=5, far=1e4)
    assert walks(dpm_solver, LEVELS[levels], T, dtype, n=0)[0].shape == (0, 3)


@pytest.mark.parametrize("name", NAMES)
def test_float32_follows_float64_on_every_schedule(name):
    schedule, x_T = schedule_named(name, 1000).respaced(25), Stream(3).normal(200, 2, dtype=np.float32)
    for of in (2, 3):
        narrow, wide = (dpm_solver(EXACT, schedule, x, Stream(0), of) for x in (x_T, x_T.astype(float)))
        assert np.quantile(np.max(np.abs(narrow - wide), axis=1), 0.9) < 1e-2


@pytest.mark.parametrize("of", [1, 2, 3])
def test_other_units_are_the_same_walk(of):
    assert in_other_units(dpm_solver, order=of) < 1e-9


def test_the_denoiser_is_asked_between_the_levels_and_at_their_power():
    asked = []

    class Asked(ExactDenoiser):
        def eps(self, x, signal, std):
            asked.append((signal, std))
            return super().eps(x, signal, std)

    levels = LEVELS["vp"].respaced(4)
    dpm_solver(Asked(MIXTURE), levels, Stream(0).normal(3, 2), Stream(0), order=3)
    log_snr = [2 * np.log(signal / std) for signal, std in asked]
    ends = levels.log_snr[:0:-1]
    expected = [a + (b - a) * share for a, b in pairwise(ends) for share in (0, 1 / 3, 2 / 3)]
    np.testing.assert_allclose(log_snr, expected, rtol=1e-12)
    np.testing.assert_allclose([np.hypot(*level) for level in asked], 1, rtol=1e-12)
    assert all(type(value) is float for level in asked for value in level)


@pytest.mark.parametrize("target", ["eps", "x_0", "v"])
def test_a_learned_denoiser_is_asked_as_the_exact_one(target):
    def predict(x, log_snr):
        level = [float(np.sqrt(1 / (1 + np.exp(sign * log_snr)))) for sign in (-1, 1)]
        return getattr(EXACT, target)(x, *level)

    levels, x_T = LEVELS["edm"].respaced(10), 80 * Stream(0).normal(20, 2)
    expected = dpm_solver(EXACT, levels, x_T, Stream(0))
    got = dpm_solver(LearnedDenoiser(predict, target), levels, x_T, Stream(0))
    np.testing.assert_allclose(got, expected, atol=1e-8)


@pytest.mark.parametrize("of", [2, 3])
def test_the_exact_denoiser_reproduces_the_prior(of):
    levels = LEVELS["vp"].process.grid(40)
    x = dpm_solver(EXACT, levels, Stream(20).normal(COUNT, 2), Stream(21), of)
    assert surprise(x, MIXTURE) < LIMIT


def test_a_wrong_step_does_not_reproduce_the_prior(monkeypatch):
    def backwards(x, eps, t, s):
        h = np.log(s[0] * t[1] / (t[0] * s[1]))
        return s[0] / t[0] * x + s[1] * float(np.expm1(-h)) * eps

    monkeypatch.setattr(module, "noise_step", backwards)
    levels, x_T = LEVELS["vp"].process.grid(40), Stream(20).normal(COUNT, 2)
    with np.errstate(all="ignore"):
        assert surprise(dpm_solver(EXACT, levels, x_T, Stream(21)), MIXTURE) > 2 * LIMIT


@pytest.mark.parametrize("of", [0, 4, 2.5, 2.0, True, "two"])
def test_refuses_an_order(of):
    with pytest.raises(ValueError, match=r"^order is .*; it must be 1, 2 or 3"):
        dpm_solver(EXACT, linear(5), np.zeros((2, 2)), Stream(0), of)


def test_refuses_to_keep_a_level_that_is_not_there():
    with pytest.raises(ValueError, match=r"^trajectory asks for t = 6; times lie in 0\.\.5"):
        dpm_solver(EXACT, linear(5), np.zeros((2, 2)), Stream(0), trajectory={6: None})


def test_the_stream_is_left_alone():
    rng, twin = Stream(5), Stream(5)
    partial(dpm_solver, order=3)(EXACT, linear(1000).respaced(5), np.ones((3, 2)), rng)
    np.testing.assert_array_equal(rng.normal(3), twin.normal(3))
