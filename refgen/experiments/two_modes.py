"""One score network of two Gaussians far apart, from 5000 points, and how far off it is where. It serves
`low_density`, `noising` and `noise_levels`, which ask it at different levels of noise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.distributions.base import Distribution
from refgen.distributions.empirical import Empirical
from refgen.distributions.mixture import two_gaussians
from refgen.experiments.trained import trained
from refgen.models.ncsn import NCSN

__all__ = ["FAR", "LAW", "LIMIT", "MODEL", "Error", "errors", "estimated", "likely", "regions", "tolerable"]

# The two Gaussians of Song & Ermon 2019 in other units: the modes, 0.8 and 0.2 of the mass, are
# at (3, 3) and (-3, -3) and have std 0.6.
LAW = two_gaussians().affine(0.0, 5 / 3)
LIMIT = 6.0  # half the side of the pictures

MODEL = NCSN(T=10, largest=6.0, smallest=0.3)
POINTS, STEPS = 5000, 4000
FAR = 40.0  # from the origin


class Error(NamedTuple):
    """Root mean square error of a score over some places, and the same in units of the score there."""

    rmse: float
    relative: float


@cache
def _data(seed: int, points: int) -> Empirical:
    return Empirical(LAW.sample(Stream(seed, "two modes"), points))


def estimated(
    rng: Stream, say: Callable[..., None], model: NCSN = MODEL, steps: int = STEPS, points: int = POINTS
) -> Denoiser:
    """The network after so many steps on so many points, drawn once; of rng the seed alone counts."""
    data = _data(rng.seed, points)
    return model.denoiser(trained(model, data, rng, steps, say, ema=0.995, cool=0.3))


def _disc(centre: np.ndarray, radius: float, n: int = 41) -> np.ndarray:
    """The places of an n x n grid that lie in a disc, (m, 2)."""
    side = np.linspace(-radius, radius, n)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    return centre + grid[np.sum(grid**2, axis=1) <= radius**2]


def regions(std: float) -> dict[str, np.ndarray]:
    """Places (m, 2) under noise of that std, by name.

    modes: within one std of the noisy modes about both, counted alike. valley: within 1 of the midpoint.
    beside: within 1 of the two corners (3, -3) and (-3, 3), where no mode is. far: a circle of radius 40.
    """
    spread = float(np.sqrt(LAW.component_stds[0] ** 2 + std**2))
    aside = LAW.means * [1.0, -1.0]
    angle = 2 * np.pi * np.arange(256) / 256
    return {
        "modes": np.concatenate([_disc(mean, spread) for mean in LAW.means]),
        "valley": _disc(LAW.means.mean(axis=0), 1.0),
        "beside": np.concatenate([_disc(mean, 1.0) for mean in aside]),
        "far": FAR * np.stack([np.cos(angle), np.sin(angle)], axis=1),
    }


def likely(law: Distribution, rng: Stream, n: int, share: float = 0.95) -> np.ndarray:
    """Of n points of a law the given share where it is densest, (m, 2)."""
    points = law.sample(rng, n)
    log_p = law.log_prob(points)
    return points[log_p >= np.quantile(log_p, 1 - share)]


def errors(denoiser: Denoiser, std: float, places: np.ndarray) -> Error:
    """How far a denoiser's score is from the exact one of the data under noise of that std, over places."""
    exact = LAW.noisy_score(places, 1.0, std)
    off = denoiser.score(places, 1.0, std) - exact
    rmse = float(np.sqrt(np.mean(np.sum(off**2, axis=1))))
    return Error(rmse, rmse / float(np.sqrt(np.mean(np.sum(exact**2, axis=1)))))


def tolerable(std: float) -> float:
    """The error, in length, up to which a score is called accurate here: a fifth of the score that a mode
    has one (noisy) std from its middle."""
    return 0.2 / float(np.sqrt(LAW.component_stds[0] ** 2 + std**2))
