"""The corrector's step: against 50 digits, and where there is little to measure."""

import mpmath
import numpy as np
import pytest

from refgen.formulas.corrector import snr_step

mpmath.mp.dps = 50
mpf = mpmath.mpf


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e5])
def test_against_fifty_digits(scale):
    score, z = np.array([[3.0, 4.0], [0.0, 1.0]]) * scale, np.array([[1.0, 0.0], [0.3, 0.4]])
    exact = 2 * (mpf(0.16) * mpf("0.75") / (3 * mpf(scale))) ** 2
    assert snr_step(score, z, 0.16) == pytest.approx(float(exact), rel=1e-15)


def test_the_longest_step_is_kept_to():
    score, z = np.array([[1e-3]]), np.array([[1.0]])
    assert snr_step(score, z, 0.16) == pytest.approx(0.0512e6)
    assert snr_step(score, z, 0.16, 0.25) == 0.25
    assert snr_step(0 * score, z, 0.16, 0.25) == 0.25
    assert snr_step(score, z, 1e-4, 0.25) == pytest.approx(0.02, rel=1e-14)


@pytest.mark.parametrize("d", [1, 100])
def test_pure_noise_gives_the_step_twice_the_square_of_the_ratio_in_units_of_its_variance(d):
    """With the score -z / std of pure noise the step is 2 r^2 std^2."""
    eps = np.random.default_rng(d).normal(size=(500, d)).astype(np.float32)
    size = snr_step(-eps / 3, eps, 0.16)
    assert size.dtype == np.float32 and size.shape == ()
    assert size == pytest.approx(2 * 0.16**2 * 9, rel=1e-5)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"^z has shape \(3, 1\); its last axis must match"):
        snr_step(np.zeros((3, 2)), np.zeros((3, 1)), 0.1)
