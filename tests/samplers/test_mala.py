"""Metropolis-adjusted Langevin: the law stays, by quadrature over a step; no bias, and what is refused."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import Denoiser, ExactDenoiser, OneLevelDenoiser, counted
from refgen.distributions import Gaussian
from refgen.formulas.annealed import annealed_step
from refgen.formulas.langevin import ula_stationary_var
from refgen.samplers.mala import adjusted, mala
from tests.samplers.joined import check_joined_modes
from tests.samplers.test_langevin import levels


class Given:
    """A stream that hands out the numbers it was given."""

    def __init__(self, z, u):
        self.z, self.u = z, u

    def normal(self, count, n, d, dtype):
        return np.broadcast_to(self.z[:, None], (count, n, d)).astype(dtype)

    def uniform(self, n, dtype):
        return self.u.astype(dtype)


def test_one_step_leaves_the_second_moment_of_the_law_as_it_is():
    """No sampling: quadrature over x, z and u of one step, 0.8, on N(0, 1); unadjusted it is off by 0.64."""
    x, z, u = (np.linspace(-8, 8, 201), np.linspace(-7, 7, 141), (np.arange(400) + 0.5) / 400)
    grid = [a.ravel() for a in np.meshgrid(x, z, indexing="ij")]
    density = np.exp(-0.5 * (grid[0] ** 2 + grid[1] ** 2))
    density /= density.sum()
    moved = 0.0
    for level in u:
        after, _ = adjusted(
            lambda x: (-0.5 * np.sum(x**2, axis=-1), -x),
            grid[0][:, None],
            Given(grid[1], np.full(len(density), level)),
            0.8,
            1,
        )
        moved += np.sum(density * after[:, 0] ** 2) / len(u)
    assert moved == pytest.approx(1.0, abs=1e-4)


def test_a_draw_of_zero_has_a_logarithm_and_what_is_sure_is_never_refused():
    """The law is flat: every proposal has the ratio 1. Then a wall: every other one has the ratio 0."""
    x = np.zeros((3, 1), np.float32)
    stream = Given(np.array([1.0, -1.0, 2.0]), np.array([0.0, 0.5, 1 - 2**-24]))
    with np.errstate(all="raise"):
        after, share = adjusted(lambda x: (0 * x[:, 0], 0 * x), x, stream, 0.5, 1)
        wall, _ = adjusted(lambda x: (np.where(x[:, 0] > 0, -np.inf, 0), 0 * x), x, stream, 0.5, 1)
    np.testing.assert_allclose(after[:, 0], [1, -1, 2])
    assert share == pytest.approx(1)
    np.testing.assert_allclose(wall[:, 0], [0, -1, 0])


def test_metropolis_test_removes_the_bias():
    """N(0, 1) at the step 0.5, where the unadjusted chain settles at 4/3; from the law and from far."""
    n, rng = 20_000, Stream(1)
    law = Gaussian([0.0], [[0.36]])
    std = 0.8  # the noisy law is N(0, 1)
    wide = float(ula_stationary_var(1.0, 0.5))
    for start in (rng.normal(n, 1), np.full((n, 1), 3.0)):
        shares = []
        x = mala(ExactDenoiser(law), levels(std), start, rng, 1, 0.5 / std**2, 60, False, shares=shares)
        assert 0.7 < shares[0] < 1
        error = np.sqrt(2 / n)
        assert abs(np.mean(x**2) - 1) < 4 * error
        assert abs(np.mean(x**2) - wide) > 10 * error
        assert abs(np.mean(x)) < 4 / np.sqrt(n)


def test_samples_of_joined_modes_are_as_good_as_exact_ones():
    check_joined_modes(mala, step=1.0, steps=60)


def test_end_kept_points_calls_and_precision():
    law = Gaussian([0.0, 0.0], np.eye(2))
    denoiser = counted(ExactDenoiser(law))
    x_T, kept = Stream(2).normal(5, 2, dtype=np.float32), dict.fromkeys([3, 1, 0])
    result = mala(denoiser, levels(0.1, 0.5), x_T, Stream(3), 2, 0.2, 3, trajectory=kept)
    assert denoiser.calls == (3 + 1) + 1
    noisy = mala(denoiser, levels(0.1, 0.5), x_T, Stream(3), 2, 0.2, 3, denoise=False)
    np.testing.assert_allclose(result, denoiser.x_0(noisy, 1.0, 0.5), rtol=1e-6)
    assert kept[3] is x_T
    assert kept[0] is result
    assert result.dtype == kept[1].dtype == np.float32
    size = annealed_step(0.2, 0.5, 1.0)
    exact = law.diffused(1.0, 0.5)
    again, _ = adjusted(lambda x: (exact.log_prob(x), exact.score(x)), x_T, Stream(3), size, 3)
    np.testing.assert_array_equal(noisy, again)


class NoDensity(Denoiser):
    def eps(self, x, signal, std):
        return x


@pytest.mark.parametrize("denoiser", [NoDensity(), OneLevelDenoiser(lambda x: -x, 0.1)])
def test_a_score_alone_is_not_enough(denoiser):
    with pytest.raises(ValueError, match="has no density"):
        mala(denoiser, levels(0.1), np.zeros((3, 1)), Stream(0))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(t=0), r"t is 0; it must lie in 1\.\.2"),
        (dict(step=0.0), r"step is 0\.0; it must be a finite number > 0"),
        (dict(step=np.inf), r"step is inf; it must be a finite number > 0"),
        (dict(steps=0), "steps is 0; it must be an integer >= 1"),
        (dict(steps=4, trajectory={5: None}), r"trajectory asks for t = 5; times lie in 0\.\.4"),
    ],
)
def test_bad_arguments_are_named(wrong, message):
    denoiser = ExactDenoiser(Gaussian([0.0], [[1.0]]))
    with pytest.raises(ValueError, match=f"^{message}"):
        mala(denoiser, levels(0.1, 0.2), np.zeros((3, 1)), Stream(0), **wrong)
