"""DDIM: the line as it is printed, the ancestral sampler at eta = 1, and the flow at eta = 0."""

import importlib
from itertools import pairwise

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.formulas.ddim import ddim_mean
from refgen.samplers.ancestral import ancestral
from refgen.samplers.ddim import ddim
from refgen.schedules import NAMES, from_log_snr, linear
from refgen.schedules import named as schedule_named
from tests.samplers.flows import LEVELS, LINE, SPACE, in_other_units, order, walks
from tests.samplers.test_ancestral import COUNT, EXACT, LIMIT, MIXTURE, surprise

module = importlib.import_module("refgen.samplers.ddim")


def as_printed(denoiser, alpha_bar, x, rng, eta):
    """Song, Meng & Ermon 2021, eqs. 12 and 16, down a list of alpha_bar that ends with 1."""
    for t, s in pairwise(alpha_bar):
        eps = denoiser.eps(x, float(np.sqrt(t)), float(np.sqrt(1 - t)))
        sigma = eta * np.sqrt((1 - s) / (1 - t)) * np.sqrt(1 - t / s)
        x = np.sqrt(s) * (x - np.sqrt(1 - t) * eps) / np.sqrt(t) + np.sqrt(1 - s - sigma**2) * eps
        if eta > 0 and s < 1:
            x = x + sigma * rng.normal(*x.shape)
    return x


@pytest.mark.parametrize("eta", [0, 0.3, 1.0])
@pytest.mark.parametrize("T", [1, 2, 3, 50])
def test_the_sampler_is_the_line_in_the_paper(T, eta):
    schedule, x_T = linear(1000).respaced(T), Stream(0).normal(40, 2)
    expected = as_printed(EXACT, schedule.alpha_bar[::-1].tolist(), x_T, Stream(1), eta)
    np.testing.assert_allclose(ddim(EXACT, schedule, x_T, Stream(1), eta), expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("T", [1, 2, 3, 40])
def test_eta_one_is_the_ancestral_sampler_point_for_point(name, T):
    schedule, x_T = schedule_named(name, 1000).respaced(T), Stream(0).normal(40, 2)
    expected = ancestral(EXACT, schedule, x_T, Stream(1), "small")
    np.testing.assert_allclose(ddim(EXACT, schedule, x_T, Stream(1), 1.0), expected, rtol=1e-8, atol=1e-8)


def test_a_step_on_an_uneven_sub_grid_is_that_of_its_own_two_levels():
    """Levels 1, 7, 8, 500, 1000: no step may take another for the level before."""
    schedule = linear(1000)
    times = [1, 7, 8, 500, 1000]
    levels, x_T = from_log_snr(schedule.log_snr[times]), Stream(0).normal(20, 2)
    bars = [1.0, *schedule.alpha_bar[times].tolist()][::-1]
    got = ddim(EXACT, levels, x_T, Stream(1), 0.7)
    np.testing.assert_allclose(got, as_printed(EXACT, bars, x_T, Stream(1), 0.7), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("T", [1, 2, 3, 9])
@pytest.mark.parametrize("levels", LEVELS)
def test_any_levels_and_any_number_of_steps(levels, T, dtype):
    for eta in (0.0, 1.0):
        assert walks(ddim, LEVELS[levels], T, dtype, eta=eta)[2] == T
    walks(ddim, LEVELS[levels], T, dtype, law=LINE, n=5)
    assert walks(ddim, LEVELS[levels], T, dtype, n=0)[0].shape == (0, 3)


def test_float32_follows_float64():
    for levels in LEVELS.values():
        levels = levels.respaced(20)
        x_T = float(levels.std[-1]) * Stream(1).normal(200, 3, dtype=np.float32)
        narrow, wide = (ddim(ExactDenoiser(SPACE), levels, x, Stream(2)) for x in (x_T, x_T.astype(float)))
        assert np.quantile(np.max(np.abs(narrow - wide), axis=1), 0.95) < 1e-4


def test_no_noise_is_drawn_for_the_flow():
    rng, twin = Stream(5), Stream(5)
    ddim(EXACT, linear(1000).respaced(5), np.ones((3, 2)), rng)
    np.testing.assert_array_equal(rng.normal(3), twin.normal(3))


def test_order_one_against_the_exact_flow():
    assert order(ddim, (160, 320, 640)) == pytest.approx(1, abs=0.15)


def test_other_units_are_the_same_walk():
    assert in_other_units(ddim) < 1e-9
    assert in_other_units(ddim, eta=1.0) < 1e-9


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_exact_denoiser_reproduces_the_prior(eta):
    x = ddim(EXACT, linear(1000).respaced(300), Stream(20).normal(COUNT, 2), Stream(21), eta)
    assert surprise(x, MIXTURE) < LIMIT


def test_wrong_steps_do_not_reproduce_the_prior(monkeypatch):
    schedule, x_T = linear(1000).respaced(100), Stream(20).normal(COUNT, 2)
    assert surprise(ddim(EXACT, schedule, x_T, Stream(21), 1.0), MIXTURE) < LIMIT
    monkeypatch.setattr(module, "ddim_mean", lambda *args: ddim_mean(*args[:4], 0.0))  # all noise carried
    assert surprise(ddim(EXACT, schedule, x_T, Stream(21), 1.0), MIXTURE) > 2 * LIMIT
    monkeypatch.setattr(module, "ddim_mean", lambda *args: ddim_mean(*args[:4], 1.0))  # none put back
    assert surprise(ddim(EXACT, schedule, x_T, Stream(21), 0.0), MIXTURE) > 2 * LIMIT


@pytest.mark.parametrize("eta", [-0.1, 1.5, float("nan"), "a"])
def test_refuses_an_eta(eta):
    with pytest.raises(ValueError, match=r"^eta is .*; it must lie in \[0, 1\]"):
        ddim(EXACT, linear(5), np.zeros((2, 2)), Stream(0), eta)


def test_refuses_to_keep_a_level_that_is_not_there():
    with pytest.raises(ValueError, match=r"^trajectory asks for t = 6; times lie in 0\.\.5"):
        ddim(EXACT, linear(5), np.zeros((2, 2)), Stream(0), trajectory={6: None})
