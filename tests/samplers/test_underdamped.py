"""Underdamped Langevin: by exact linear algebra on Gaussians, and against what langevin does."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.distributions import Gaussian
from refgen.formulas.langevin import ula_moments, ula_stationary_var
from refgen.samplers.langevin import langevin
from refgen.samplers.underdamped import underdamped
from tests.samplers.impulses import Impulses
from tests.samplers.joined import check_joined_modes
from tests.samplers.test_langevin import levels


def spread(sampler, var, std, step, steps, **options):
    """(slope, variance) of the last point, given the first: the chain is affine in its inputs."""
    x_T = np.zeros((steps + 2, 1))
    x_T[0] = 1
    response = sampler(
        ExactDenoiser(Gaussian([0.0], [[var]])),
        levels(std),
        x_T,
        Impulses(),
        step=step,
        steps=steps,
        denoise=False,
        **options,
    )[:, 0]
    return response[0], response[1:] @ response[1:]


@pytest.mark.parametrize("friction", [0.5, 2.0, 5.0])
@pytest.mark.parametrize(("var", "step"), [(0.0001, 1.9), (0.0001, 0.5), (0.36, 0.7), (3.0, 1.0)])
def test_at_rest_a_gaussian_is_exactly_as_wide_as_it_is(var, step, friction):
    """At any step that is stable; langevin's step c makes it wider by 1 / (1 - c / 2 var)."""
    std, wide = 0.8, var + 0.64
    slope, settled = spread(underdamped, var, std, step, 700, friction=friction)
    assert slope == pytest.approx(0, abs=1e-10)
    assert settled == pytest.approx(wide, rel=1e-10)
    _, unadjusted = spread(langevin, var, std, step, 700)
    assert unadjusted == pytest.approx(ula_stationary_var(wide, step * std**2), rel=1e-10)
    assert unadjusted > 1.05 * wide


def test_strong_friction_makes_langevin_of_it():
    """The mean moves as langevin's; the noise of two neighbouring steps is shared, hence no bias."""
    slope, _ = spread(underdamped, 0.36, 0.8, 0.3, 7, friction=1e4)
    exact, _ = ula_moments(1.0, 0.0, 0.0, 1.0, 0.3 * 0.64, 7)
    assert slope == pytest.approx(exact, rel=1e-10)


def test_a_wide_law_is_crossed_in_fewer_steps():
    """Noise 0.05 on N(0, 1): how much of the start is left after 150 steps of the same size."""
    left, _ = spread(underdamped, 1.0, 0.05, 0.5, 150)
    slow, _ = spread(langevin, 1.0, 0.05, 0.5, 150)
    assert abs(left) < 0.05
    assert slow > 0.8


def test_samples_of_joined_modes_are_as_good_as_exact_ones():
    check_joined_modes(underdamped, step=0.3, steps=80)


def test_end_kept_points_calls_and_precision():
    denoiser = counted(ExactDenoiser(Gaussian([0.0, 0.0], np.eye(2))))
    x_T, kept = Stream(2).normal(5, 2, dtype=np.float32), dict.fromkeys([3, 2, 0])
    result = underdamped(denoiser, levels(0.1, 0.5), x_T, Stream(3), 2, 0.2, 3, trajectory=kept)
    assert denoiser.calls == 3 + 1
    noisy = underdamped(denoiser, levels(0.1, 0.5), x_T, Stream(3), 2, 0.2, 3, denoise=False)
    np.testing.assert_allclose(result, denoiser.x_0(noisy, 1.0, 0.5), rtol=1e-6)
    assert kept[3] is x_T
    assert kept[0] is result
    assert result.dtype == kept[2].dtype == np.float32
    first = underdamped(denoiser, levels(0.1, 0.5), x_T, Stream(3), 2, 0.2, 1, denoise=False)
    np.testing.assert_array_equal(kept[2], first)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(t=3), r"t is 3; it must lie in 1\.\.2"),
        (dict(step=2.0), r"step is 2\.0; it must lie in \(0, 2\)"),
        (dict(steps=0), "steps is 0; it must be an integer >= 1"),
        (dict(friction=0.0), r"friction is 0\.0; it must be a finite number > 0"),
        (dict(steps=4, trajectory={5: None}), r"trajectory asks for t = 5; times lie in 0\.\.4"),
    ],
)
def test_bad_arguments_are_named(wrong, message):
    denoiser = ExactDenoiser(Gaussian([0.0], [[1.0]]))
    with pytest.raises(ValueError, match=f"^{message}"):
        underdamped(denoiser, levels(0.1, 0.2), np.zeros((3, 1)), Stream(0), **wrong)
