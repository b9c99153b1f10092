r"""The exact denoiser of weighted points, fast: what `formulas.mixture.posterior_mean` says at variance 0.

.. math:: E[u\mid x]=\frac{\sum_k w_k\,m_k\,e^{-q_k}}{\sum_k w_k\,e^{-q_k}},\qquad
          q_k=\sum_j\frac{(x_j-\mathrm{signal}\,m_{kj})^2}{2\,\mathrm{std}_j^2}

Every pair of a point x and a component costs a handful of operations, so what counts is that they are done in
place, on pieces of x small enough for the cache, and that the softmax is never divided out: the sums above
and below the line come from one matrix product.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from refgen.backend import array_module

__all__ = ["Level", "at_level", "mean_of_points"]

Array = Any

LOWEST = {4: -80.0, 8: -700.0}  # below these exponents exp gives no normal numbers, which can be slow


class Level(NamedTuple):
    """What all pieces of x share: scale (d,), the scaled points (d, K), and w_k (m_k, 1), (K, d + 1)."""

    scale: Array
    points: Array
    sums: Array


def at_level(weights: Array, points: Array, signal: float, std: Array) -> Level:
    """For `mean_of_points`. weights: (K,), sum 1. points: (K, d). signal: >= 0. std: (d,), > 0."""
    scale = math.sqrt(0.5) / std
    sums = array_module(points).ones((len(points), len(scale) + 1), points.dtype)
    sums[:, :-1] = points
    return Level(scale, (signal * scale * points).T.copy(), weights[:, None] * sums)


def mean_of_points(x: Array, level: Level) -> Array:
    """E[u | x], (n, d), where x = signal u + std eps and u is one of the points, by their weights.

    x: (n, d), of one precision and on one device with the level. Exponents are formed from differences, which
    lose nothing where x is near a point.
    """
    xp, shape = array_module(x), (len(x), len(level.sums))
    order = "F" if shape[1] < shape[0] else "C"  # the longer axis is contiguous
    exponent, square = (xp.empty(shape, x.dtype, order) for _ in range(2))
    here = x * level.scale
    for j, there in enumerate(level.points):
        out = square if j else exponent
        np.subtract(here[:, j : j + 1], there, out=out)
        np.multiply(out, out, out=out)
        if j:
            exponent += square
    np.subtract(exponent.min(axis=1, keepdims=True), exponent, out=exponent)
    np.clip(exponent, LOWEST[x.dtype.itemsize], 1, out=exponent)
    np.exp(exponent, out=exponent)
    total = exponent @ level.sums
    return total[:, :-1] / total[:, -1:]
