"""log Z over a grid: Gaussians, whose constant is known, and an error that says when not to trust it."""

import numpy as np
import pytest

from refgen.models.quadrature import grid_log_normaliser

LIKE = np.zeros(1, np.float32)


def gaussian_energy(std, at=0.0):
    return lambda x: np.sum((x.astype(float) - at) ** 2, axis=-1) / (2 * std**2) - 700.0


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("std", [0.2, 1.0])
def test_the_constant_of_a_gaussian_far_from_one(dim, std):
    log_z, error = grid_log_normaliser(gaussian_energy(std, 0.3), dim, 8.0, 0.1, LIKE)
    exact = 700 + dim / 2 * np.log(2 * np.pi * std**2)
    assert abs(log_z - exact) <= 1e-6  # of nodes in float32
    assert error <= 0.05 and log_z.dtype == np.float64


def test_the_error_covers_a_spacing_too_wide_and_warns_of_a_reach_too_short():
    for reach, spacing, std, share in [(8.0, 0.5, 0.2, 1.0), (1.5, 0.05, 1.0, 0.25)]:
        log_z, error = grid_log_normaliser(gaussian_energy(std), 2, reach, spacing, LIKE)
        off = abs(log_z - 700 - np.log(2 * np.pi * std**2))
        assert 1e-3 < share * off <= error


def test_more_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"^dim is 3; log Z takes a grid"):
        grid_log_normaliser(gaussian_energy(1.0), 3, 1.0, 0.1, LIKE)
