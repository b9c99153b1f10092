"""The normalising constant of an energy in one or two dimensions, by a sum over a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refgen.backend import array_module
from refgen.formulas.energy import log_normaliser

__all__ = ["grid_log_normaliser", "log_normaliser_with_error"]

Array = Any

MOST = {1: 2**16, 2: 2**11}  # nodes along an axis


def log_normaliser_with_error(energy: Array, spacing: float) -> tuple[Array, Array]:
    """log Z from the energies at the nodes of a grid, and a warning; both float64, of no axes.

    energy: (m,) or (m, m), m odd. spacing: of the nodes. The trapezoidal sum over a density that vanishes at
    the border converges faster than any power of the spacing; the warning is what the sum over every
    second node differs by, and the share of the mass in the outer tenth. Near 0 it says that log Z is right;
    it is no bound where much of the mass lies beyond the grid.
    """
    energy = energy.astype(np.float64)
    d, m = energy.ndim, energy.shape[0]
    log_weight = d * float(np.log(spacing))
    fine = log_normaliser(energy.reshape(-1), log_weight)
    coarse = log_normaliser(
        energy[(slice(None, None, 2),) * d].reshape(-1), log_weight + d * float(np.log(2))
    )
    inside = energy[(slice(m // 20, m - m // 20),) * d].reshape(-1)
    return fine, np.abs(fine - coarse) + (fine - log_normaliser(inside, log_weight))


def grid_log_normaliser(
    energy: Callable[[Array], Array], dim: int, reach: float, spacing: float, like: Array
) -> tuple[Array, Array]:
    """log Z of an energy, (n, dim) -> (n,), over the cube [-reach, reach]^dim, and its error, as above.

    spacing: at most so much, unless that took more than 2^16 nodes in 1-D or 2^11 an axis in 2-D. like: gives
    the nodes' precision and where they are. Raises ValueError for dim > 2.
    """
    if dim not in MOST:
        raise ValueError(f"dim is {dim}; log Z takes a grid, which only 1 and 2 dimensions have")
    half = min(int(np.ceil(reach / spacing)), MOST[dim] // 2)
    half += half % 2  # so that every second node has both ends
    xp = array_module(like)
    axis = (xp.arange(2 * half + 1) - half) * (reach / half)
    nodes = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    values = energy(nodes.astype(like.dtype))
    return log_normaliser_with_error(values.reshape((2 * half + 1,) * dim), reach / half)
