"""Langevin dynamics: by exact linear algebra on Gaussians, and against the exact law of the chain."""

import types

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.derivations import langevin_chain
from refgen.distributions import Gaussian, GaussianMixture
from refgen.formulas.langevin import ula_moments
from refgen.samplers.langevin import langevin
from refgen.schedules import linear
from tests.samplers.impulses import Impulses


def levels(*std):
    """Levels of a variance-exploding process, the first the least noisy."""
    return types.SimpleNamespace(T=len(std), level=lambda t: (1.0, std[t - 1]))


@pytest.mark.parametrize(
    ("var", "std", "step", "steps"), [(1.0, 0.5, 0.1, 7), (0.2, 2.0, 1.0, 30), (4.0, 1.0, 1.9, 3)]
)
def test_law_on_a_gaussian_is_known_exactly(var, std, step, steps):
    """No sampling: the chain is affine in its inputs, which are unit vectors here."""
    x_T = np.zeros((steps + 1, 1))
    x_T[0] = 1
    denoiser = ExactDenoiser(Gaussian([0.0], [[var]]))
    response = langevin(denoiser, levels(std), x_T, Impulses(), 1, step, steps, denoise=False)[:, 0]
    c = step * std**2
    slope, spread = ula_moments(1.0, 0.0, 0.0, var + std**2, c, steps)
    assert response[0] == pytest.approx(slope, rel=1e-12)
    assert response[1:] @ response[1:] == pytest.approx(spread, rel=1e-12)
    # by hand, and not what the target or other steps would give
    rate = 1 - c / (var + std**2)
    assert spread == pytest.approx(2 * c * sum(rate ** (2 * i) for i in range(steps)), rel=1e-12)
    clean = langevin(denoiser, levels(std), x_T, Impulses(), 1, step, steps)[:, 0]
    np.testing.assert_allclose(clean, response * var / (var + std**2), rtol=1e-12, atol=1e-14)


def test_weights_of_the_modes_are_those_of_the_start():
    """0.8 and 0.2 at (5, 5) and (-5, -5), from a uniform start: half each, as the exact law of the chain."""
    weight, steps, n = 0.8, 1000, 4000
    law = GaussianMixture([[5.0, 5.0], [-5.0, -5.0]], [0.01 * np.eye(2)] * 2, [weight, 1 - weight])
    chain = langevin_chain.two_modes(weight)
    chain = chain._replace(stds=np.sqrt(0.01 + np.ones(2)))
    start = langevin_chain.uniform_start()
    exact = langevin_chain.right_of(
        0.0, *langevin_chain.advanced(langevin_chain.euler, start, [(chain, 0.1)], steps)
    )
    assert exact == pytest.approx(0.51, abs=0.01)
    rng = Stream(0)
    x_T = 16 * rng.uniform(n, 2) - 8
    x = langevin(ExactDenoiser(law), levels(1.0), x_T, rng, step=0.1, steps=steps, denoise=False)
    share = np.mean(x.sum(1) > 0)
    assert abs(share - exact) < 4 * np.sqrt(exact * (1 - exact) / n)
    assert abs(share - weight) > 10 * np.sqrt(weight * (1 - weight) / n)


def test_kept_points_are_those_on_the_way():
    """By the steps still to go: the last k of them are what k steps fewer leave to do."""
    denoiser, x_T = ExactDenoiser(Gaussian([0.0], [[1.0]])), np.eye(6)[:, :1]
    kept = dict.fromkeys([5, 3, 0])
    result = langevin(denoiser, levels(0.5), x_T, Impulses(), steps=5, trajectory=kept)
    assert kept[5] is x_T
    assert kept[0] is result
    short = langevin(denoiser, levels(0.5), x_T, Impulses(), steps=2, denoise=False)
    np.testing.assert_array_equal(kept[3], short)


def test_every_step_asks_once_and_precision_stays():
    schedule = linear(100)
    denoiser = counted(ExactDenoiser(Gaussian([0.0, 0.0], np.eye(2))))
    x_T = Stream(2).normal(5, 2, dtype=np.float32)
    x = langevin(denoiser, schedule, x_T, Stream(3), t=50, steps=3)
    assert denoiser.calls == 4
    assert x.dtype == np.float32


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(t=0), r"t is 0; it must lie in 1\.\.2"),
        (dict(t=3), r"t is 3; it must lie in 1\.\.2"),
        (dict(step=0.0), r"step is 0\.0; it must lie in \(0, 2\)"),
        (dict(step=2.0), r"step is 2\.0; it must lie in \(0, 2\)"),
        (dict(steps=0), "steps is 0; it must be an integer >= 1"),
        (dict(steps=4, trajectory={5: None}), r"trajectory asks for t = 5; times lie in 0\.\.4"),
    ],
)
def test_bad_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        langevin(
            ExactDenoiser(Gaussian([0.0], [[1.0]])), levels(0.1, 0.2), np.zeros((3, 1)), Stream(0), **wrong
        )
