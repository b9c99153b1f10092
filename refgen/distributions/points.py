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
    """What all pieces of x share: x is moved by centre, (d,) or None, and scaled by scale, (d,).

    points: (d, K), so treated, with a row of their squares where there is a centre. sums: w_k (m_k, 1).
    """

    centre: Array | None
    scale: Array
    points: Array
    sums: Array


def at_level(weights: Array, points: Array, signal: float, std: Array, exact: bool = True) -> Level:
    """For `mean_of_points`. weights: (K,), sum 1. points: (K, d). signal: >= 0. std: (d,), > 0.

    exact: form exponents from differences, which lose nothing where x is near a point; else from products
    about the points' mean. Their cost hardly grows with d, but their rounding error does with the square of
    the points' reach in units of std.
    """
    xp, (count, d), scale = array_module(points), points.shape, math.sqrt(0.5) / std
    sums = xp.ones((count, d + 1), points.dtype)
    sums[:, :-1] = points
    sums *= weights[:, None]
    if exact:
        return Level(None, scale, (signal * scale * points).T.copy(), sums)
    centre = points.mean(axis=0)
    there = (signal * scale) * (points - centre)
    both = xp.concatenate([-2 * there, (there * there).sum(axis=1, keepdims=True)], axis=1)
    return Level(signal * centre, scale, both.T.copy(), sums)


def mean_of_points(x: Array, level: Level) -> Array:
    """E[u | x], (n, d), where x = signal u + std eps and u is one of the points, by their weights.

    x: (n, d), of one precision and on one device with the level.
    """
    exponent = _differences(x, level) if level.centre is None else _products(x, level)
    np.subtract(exponent.min(axis=1, keepdims=True), exponent, out=exponent)
    np.clip(exponent, LOWEST[x.dtype.itemsize], 1, out=exponent)
    np.exp(exponent, out=exponent)
    total = exponent @ level.sums
    return total[:, :-1] / total[:, -1:]


def _differences(x: Array, level: Level) -> Array:
    """q_k, (n, K), coordinate by coordinate."""
    xp, shape, here = array_module(x), (len(x), len(level.sums)), x * level.scale
    order = "F" if shape[1] < shape[0] else "C"  # the longer axis is contiguous
    q, square = (xp.empty(shape, x.dtype, order) for _ in range(2))
    for j, there in enumerate(level.points):
        out = square if j else q
        np.subtract(here[:, j : j + 1], there, out=out)
        np.multiply(out, out, out=out)
        if j:
            q += square
    return q


def _products(x: Array, level: Level) -> Array:
    """q_k, (n, K), up to a number that all k share."""
    here = (x - level.centre) * level.scale
    return array_module(x).concatenate([here, np.ones_like(here[:, :1])], axis=1) @ level.points
