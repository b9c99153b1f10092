"""A score model that is linear in its weights, so that denoising score matching is least squares. No cards.

Two modes on a line at -4 and 4, of std 1/2; noise is added; radial bumps as wide as the noisy modes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from refgen.derivations import line

__all__ = ["PLACES", "claimed_and_true", "fitted"]

COUNT, RIDGE = 5000, 1e-6
CLEAN = line.Law(np.array([0.5, 0.5]), np.array([-4.0, 4.0]), np.array([0.5, 0.5]))
PLACES = {"modes": (3.7, 4.3), "valley": (-0.5, 0.5), "far": (13.0, 15.0)}
GOOD = 0.3  # in units of the law's own std: an error of the noise, which has std 1


@cache
def fitted(noise: float) -> Callable[[np.ndarray], np.ndarray]:
    """The score model of the noisy law that fits -z / noise best, on a fixed draw of points."""
    rng = np.random.default_rng(0)
    x_0 = rng.choice(CLEAN.means, COUNT) + CLEAN.stds[0] * rng.normal(size=COUNT)
    z = rng.normal(size=COUNT)
    width = math.hypot(noise, float(CLEAN.stds[0]))
    centres = np.arange(-16.0, 16.01, width)

    def bumps(x: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * ((x[:, None] - centres) / width) ** 2)

    features = bumps(x_0 + noise * z)
    gram = features.T @ features / COUNT + RIDGE * np.eye(len(centres))
    weights = np.linalg.solve(gram, features.T @ (-z / noise) / COUNT)
    return lambda x: bumps(x) @ weights


def claimed_and_true(is_learnable: Callable[..., Any], place: str, noise: float) -> tuple[bool, bool]:
    """What the predicate says about the middle of a place, and whether the fit is good throughout it."""
    law, x = line.noisy(CLEAN, 1.0, noise), np.linspace(*PLACES[place], 31)
    width = float(law.stds[0])
    error = width * math.sqrt(np.mean((fitted(noise)(x) - line.score(x, law)) ** 2))
    claimed = is_learnable(line.log_density(x[15:16], law), COUNT, width)
    return bool(np.all(claimed)), error < GOOD
