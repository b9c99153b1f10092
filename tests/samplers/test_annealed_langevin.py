"""Annealed Langevin dynamics: by exact linear algebra on Gaussians, and on two modes of unequal weight."""

import types

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.distributions import Gaussian, GaussianMixture
from refgen.formulas.annealed import annealed_moments
from refgen.samplers.annealed_langevin import UnitPower, annealed_langevin
from refgen.schedules import linear
from tests.samplers.test_langevin import Impulses, levels


def falling(largest, smallest, count):
    return levels(*np.geomspace(smallest, largest, count).tolist())


@pytest.mark.parametrize(("var", "count", "steps"), [(1.0, 1, 1), (0.2, 3, 2), (4.0, 4, 5)])
def test_law_on_a_gaussian_is_known_exactly(var, count, steps):
    """No sampling: the chain is affine in its inputs, which are unit vectors here."""
    grid = falling(3.0, 0.3, count) if count > 1 else levels(0.3)
    std, step = np.array([grid.level(t)[1] for t in range(count, 0, -1)]), 0.2
    x_T = np.zeros((count * steps + 1, 1))
    x_T[0] = 1
    kept = {1: None, 0: None}
    x_0 = annealed_langevin(
        ExactDenoiser(Gaussian([0.0], [[var]])), grid, x_T, Impulses(), step, steps, trajectory=kept
    )
    response = kept[1][:, 0]
    slope, spread = annealed_moments(1.0, 0.0, 0.0, var, std, step * std[-1] ** 2, steps)
    assert response[0] == pytest.approx(slope, rel=1e-12)
    assert response[1:] @ response[1:] == pytest.approx(spread, rel=1e-12)
    np.testing.assert_allclose(x_0[:, 0], response * var / (var + std[-1] ** 2), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(x_0, kept[0])


@pytest.mark.parametrize("weight", [0.8, 0.3])
def test_weights_of_the_modes_are_found_where_the_largest_noise_joins_them(weight):
    law = GaussianMixture([[5.0, 5.0], [-5.0, -5.0]], [np.eye(2)] * 2, [weight, 1 - weight])
    rng, n, shares = Stream(5), 4000, []
    for largest in (10.0, 1.0):
        x_T = 16 * rng.uniform(n, 2, dtype=np.float32) - 8
        x = annealed_langevin(ExactDenoiser(law), falling(largest, 0.5, 10), x_T, rng, 0.05, 100)
        assert x.dtype == np.float32
        shares.append(np.mean(x.sum(1) > 0))
    assert abs(shares[0] - weight) < 0.04
    assert abs(shares[1] - 0.5) < 0.04  # too little noise: the weights of the start


def test_calls_and_few_levels():
    denoiser = counted(ExactDenoiser(Gaussian([0.0, 0.0], np.eye(2))))
    x_T = Stream(2).normal(5, 2)
    for count in (1, 2, 3):
        denoiser.calls = 0
        x = annealed_langevin(
            denoiser, levels(*(0.1 * np.arange(1, count + 1)).tolist()), x_T, Stream(3), 0.1, 4
        )
        assert x.shape == (5, 2)
        assert denoiser.calls == 4 * count + 1
    assert annealed_langevin(denoiser, linear(20), x_T, Stream(3)).shape == (5, 2)


def test_levels_of_unit_power_are_the_same_levels():
    """The law at such a level is that of the other, scaled; standardised data are as wide at every level."""
    grid = falling(5.0, 0.02, 6)
    scaled = UnitPower(grid)
    assert scaled.T == 6
    for t in range(1, 7):
        signal, std = scaled.level(t)
        assert signal**2 + std**2 == pytest.approx(1, rel=1e-14)
        assert std / signal == pytest.approx(grid.level(t)[1], rel=1e-14)
        assert type(signal) is type(std) is float
    # so a start that is as wide stays so, at small steps, however few they are
    steps, step = 2, 0.01
    x_T = np.zeros((6 * steps + 1, 1))
    x_T[0] = 1
    kept = {1: None}
    exact = ExactDenoiser(Gaussian([0.0], [[1.0]]))
    annealed_langevin(exact, scaled, x_T, Impulses(), step, steps, trajectory=kept)
    assert kept[1][:, 0] @ kept[1][:, 0] == pytest.approx(1, abs=step)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(step=-1.0), r"step is -1\.0; it must lie in \(0, 2\)"),
        (dict(steps=0), "steps is 0; it must be an integer >= 1"),
        (dict(trajectory={3: None}), r"trajectory asks for t = 3; times lie in 0\.\.2"),
    ],
)
def test_bad_arguments_are_named(wrong, message):
    grid = types.SimpleNamespace(T=2, level=levels(0.1, 0.2).level)
    with pytest.raises(ValueError, match=f"^{message}"):
        annealed_langevin(ExactDenoiser(Gaussian([0.0], [[1.0]])), grid, np.zeros((3, 1)), Stream(0), **wrong)
