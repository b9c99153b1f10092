"""One Gaussian: the law for which everything is known by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from refgen.distributions.mixture import GaussianMixture

__all__ = ["Gaussian", "correlated"]


class Gaussian(GaussianMixture):
    """N(mean, cov), a mixture of one component. mean: (d,). cov: (d, d), or a variance, () or (d,).

    >>> round(Gaussian([0.0, 0.0], 1.0).entropy, 4)
    2.8379
    """

    def __init__(self, mean: Any, cov: Any):
        cov = np.asarray(cov, dtype=np.float64)
        super().__init__(np.asarray(mean, dtype=np.float64)[None], cov[None] if cov.ndim == 2 else cov)


def correlated() -> Gaussian:
    """A Gaussian with unequal variances 2 and 1 and correlation 0.85 about (1, -0.5)."""
    return Gaussian([1.0, -0.5], [[2.0, 1.2], [1.2, 1.0]])
