"""The law of a finite data set: what a network that memorises its data would learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from refgen.distributions.doors import affine_parameters, check_level
from refgen.distributions.mixture import GaussianMixture

__all__ = ["Empirical"]


class Empirical(GaussianMixture):
    """Each of the points, equally likely: a mixture of Gaussians of variance 0.

    points: (n, d), finite. Samples are rows, drawn with replacement. The posterior mean of x_0 is a softmax
    over the points. At std 0 there is no density and no score (ValueError), and the entropy is -inf;
    `diffused` has all.

    >>> Empirical([[0.0, 0.0], [2.0, 2.0]]).posterior_mean([[1.0, 1.0]], 1.0, 0.5)
    array([[1., 1.]])
    """

    def __init__(self, points: Any):
        super().__init__(points, 0.0)

    @property
    def points(self) -> np.ndarray:
        """The data set, (n, d)."""
        return self.means

    def diffused(self, signal: float, std: float) -> GaussianMixture:
        signal, std = check_level(signal, std)
        return Empirical(signal * self.points) if std == 0 else super().diffused(signal, std)

    def affine(self, shift: Any, scale: Any) -> Empirical:
        shift, scale = affine_parameters(shift, scale, self.dim)
        return Empirical((self.points - shift) / scale)
