r"""Gaussians along a curve: moons, circles, rolls, spirals and a pinwheel, with exact densities.

Each set is the law of a point on a curve plus noise N(0, std^2 I). The point is drawn from nodes that lie
closer together than 0.8 standard deviations, so that the law is a mixture of Gaussians of one shared
variance, known exactly, while no eye or test can tell it from the smooth curve: the ripple of nodes h apart
has relative height :math:`2e^{-2\pi^2\mathrm{std}^2/h^2}`, below 1e-13. Shapes and sizes are much like those
in common use (Grathwohl et al. 2019), on about [-4, 4]^2.
"""

from __future__ import annotations

import numpy as np

from refgen.distributions.mixture import GaussianMixture

__all__ = ["circles", "moons", "pinwheel", "swiss_roll", "two_spirals"]


def moons() -> GaussianMixture:
    """Two half circles of radius 2, interleaved, with noise of std 0.2."""
    angle = np.pi * _midpoints(128)
    upper = _polar(1.0, angle)
    lower = np.array([1.0, 0.5]) - upper
    return GaussianMixture(2 * np.concatenate([upper, lower]) - [1.0, 0.5], 0.2**2)


def circles() -> GaussianMixture:
    """Two circles about the origin, radii 3 and 1.5, equally likely, with noise of std 0.24."""
    angle = 2 * np.pi * _midpoints(256)
    return GaussianMixture(np.concatenate([_polar(3.0, angle), _polar(1.5, angle)]), 0.24**2)


def swiss_roll() -> GaussianMixture:
    """A spiral of one and a half turns, radius 0.94 to 2.83, uniform in angle, with noise of std 0.2."""
    angle = 1.5 * np.pi * (1 + 2 * _midpoints(512))
    return GaussianMixture(_polar(angle / 5, angle), 0.2**2)


def two_spirals() -> GaussianMixture:
    """Two arms of one and a half turns from the centre out to radius 3.1, with noise of std 0.1."""
    angle = 3 * np.pi * np.sqrt(_midpoints(512))  # so that the nodes are evenly spaced along the arms
    arm = _polar(angle / 3, angle)
    return GaussianMixture(np.concatenate([arm, -arm]), 0.1**2)


def pinwheel() -> GaussianMixture:
    """Five arms that bend with the radius, denser in the middle of each, with noise of std 0.2."""
    z = 3.5 * (2 * _midpoints(192) - 1)
    radius = 2 * (1 + 0.28 * z)
    arms = [_polar(radius, 2 * np.pi * k / 5 + 0.25 * np.exp(radius / 2)) for k in range(5)]
    return GaussianMixture(np.concatenate(arms), 0.2**2, np.tile(np.exp(-(z**2) / 2), 5))


def _midpoints(count: int) -> np.ndarray:
    """Midpoints of `count` equal parts of [0, 1]."""
    return (np.arange(count) + 0.5) / count


def _polar(radius: np.ndarray | float, angle: np.ndarray) -> np.ndarray:
    """Points (n, 2) from polar coordinates."""
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
