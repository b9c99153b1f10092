"""Distributions with exact density, score and denoiser at every noise level."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import lru_cache

from refgen.distributions import boxes, curves, files, gaussian, mixture
from refgen.distributions.base import Distribution
from refgen.distributions.boxes import Boxes
from refgen.distributions.empirical import Empirical
from refgen.distributions.gaussian import Gaussian
from refgen.distributions.mixture import GaussianMixture

__all__ = [
    "DESCRIPTIONS",
    "NAMES",
    "Boxes",
    "Distribution",
    "Empirical",
    "Gaussian",
    "GaussianMixture",
    "load",
    "named",
]

_MAKERS: dict[str, tuple[Callable[[], Distribution], str]] = {
    "gaussian": (gaussian.correlated, "one correlated Gaussian"),
    "two_gaussians": (
        mixture.two_gaussians,
        "0.8 N((5,5), I) + 0.2 N((-5,-5), I), as in the NCSN paper",
    ),
    "ring": (mixture.ring, "8 Gaussians on a circle"),
    "grid": (mixture.grid, "25 Gaussians on a square grid"),
    "moons": (curves.moons, "two interleaved half circles"),
    "circles": (curves.circles, "two circles, one inside the other"),
    "swiss_roll": (curves.swiss_roll, "a spiral of one and a half turns"),
    "two_spirals": (curves.two_spirals, "two spiral arms from the centre"),
    "pinwheel": (curves.pinwheel, "five bent arms"),
    "checkerboard": (boxes.checkerboard, "the dark squares of a 4 by 4 board"),
}

NAMES = tuple(_MAKERS)
DESCRIPTIONS = {name: text for name, (_, text) in _MAKERS.items()}


@lru_cache
def named(name: str) -> Distribution:
    """The distribution of that name, one of `NAMES`. Raises ValueError that suggests near names.

    >>> named("moon")
    Traceback (most recent call last):
    ValueError: no data set "moon"; did you mean moons?
    """
    if name not in _MAKERS:
        near = difflib.get_close_matches(str(name), NAMES, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(NAMES)}"
        raise ValueError(f'no data set "{name}"; {hint}')
    return _MAKERS[name][0]()


def load(name_or_file: str) -> Distribution:
    """A named distribution, or the law of the points in a file (.csv, .tsv, .txt, .npy or .npz).

    Raises ValueError for an unknown name, or where the file is no table of finite numbers.
    """
    if name_or_file not in NAMES and files.is_file_name(name_or_file):
        return Empirical(files.read_points(name_or_file))
    return named(name_or_file)
