"""The two Gaussians of Song & Ermon's figure, 0.8 N((5, 5), I) + 0.2 N((-5, -5), I), and where chains start.

Models see the law standardised, which is what LAW is; pictures show it in its own units, as OWN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import brentq

from refgen.backend import Stream
from refgen.distributions import Distribution
from refgen.distributions.mixture import two_gaussians
from refgen.metrics import mode_weights

__all__ = [
    "LAW",
    "OWN",
    "SCALE",
    "WEIGHT",
    "basin_share",
    "in_own_units",
    "large_side",
    "share",
    "uniform_start",
    "watershed",
    "write_shares",
]

Array = Any

OWN = two_gaussians()
LAW, SHIFT, SCALE = OWN.standardised()
WEIGHT = float(OWN.weights[0])  # of the mode at (5, 5)
REACH = 8.0  # chains start on the square from -8 to 8


def in_own_units(points: Array) -> Array:
    """Standardised points (n, 2) in the units of OWN."""
    return SHIFT + SCALE * points


def uniform_start(rng: Stream, n: int) -> Array:
    """n standardised points, (n, 2) float32, uniform on the square from (-8, -8) to (8, 8) of OWN."""
    return ((REACH * (2 * rng.uniform(n, 2) - 1) - SHIFT) / SCALE).astype(np.float32)


def share(points: Array) -> float:
    """The share of standardised points (n, 2) that is nearest the large mode."""
    return float(mode_weights(points, (OWN.means - SHIFT) / SCALE, OWN.weights).fractions[0])


def watershed(law: Distribution = OWN) -> float:
    """Where on the diagonal, at (u, u), a law with these modes in OWN's units has its saddle."""
    return float(brentq(lambda u: law.score(np.array([[u, u]]))[0, 0], -3.0, 3.0, xtol=1e-14))


def large_side(points: Array, saddle: float) -> Array:
    """Which standardised points (n, 2) lie in the basin of the large mode, booleans (n,).

    The score of two round Gaussians of one size points away from the line through the saddle at a right
    angle to the diagonal, so that line parts the basins.
    """
    return in_own_units(points).sum(axis=-1) > 2 * saddle


def basin_share(saddle: float) -> float:
    """The share of the starting square that lies in the basin of the large mode, exactly."""
    other = 0.5 * (1 - abs(saddle) / REACH) ** 2  # the triangle beyond the line, on its smaller side
    return other if saddle > 0 else 1 - other


def write_shares(ax: Any, large: float) -> None:
    """In a panel in OWN's units, the share of points at the large mode, and of the others at the small."""
    ax.text(1.4, 5.0, f"{large:.0%}", ha="right", va="center", fontsize=11)
    ax.text(-1.4, -5.0, f"{1 - large:.0%}", ha="left", va="center", fontsize=11)
