"""Distances between samples and the truth.

A distance of samples is for tables and pictures; evidence for a formula comes from exact quantities. Each
number here has a floor or a null: what exact samples themselves would score.

Points may be on any device. Distances are computed on the host, where points are moved at the door; errors of
a denoiser where its points are. Results are host numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from refgen.backend import Stream, to_host
from refgen.denoisers import Denoiser
from refgen.distributions.base import Distribution
from refgen.threads import share

__all__ = [
    "Floor",
    "ModeWeights",
    "auc",
    "directions",
    "mmd",
    "mode_weights",
    "sampling_floor",
    "score_error",
    "sliced_wasserstein",
]

Array = Any

# Work is done in pieces of at most so many numbers, which fit the cache, whatever the sample size.
CHUNK = 2**18
FAR = 30.0  # bandwidths from the mean; beyond, squares in float32 lose too many digits


class Floor(NamedTuple):
    """The largest and the mean distance between two exact samples."""

    max: float
    mean: float


class ModeWeights(NamedTuple):
    """Fractions of points nearest each mode, (K,), and their z-scores, (K,)."""

    fractions: np.ndarray
    z: np.ndarray


def auc(higher: Array, lower: Array) -> float:
    """Share of pairs of which the first is the larger, ties by half: 1 where numbers tell two sets apart
    without an error, 1/2 where not at all. Of log-densities of data and of outliers, say.     [SYS-43]

    higher, lower: (n,) and (m,), n and m >= 1 (ValueError); infinite ones may be there, but no NaN
    (ValueError). It is the area under the curve of true against false positives. Source: Mann & Whitney 1947.
    """
    higher, lower = (to_host(a).astype(np.float64, copy=False) for a in (higher, lower))
    for name, values in (("higher", higher), ("lower", lower)):
        if values.ndim != 1 or len(values) == 0 or np.any(np.isnan(values)):
            raise ValueError(f"{name} has shape {values.shape}; it must be (n,) with n >= 1, without NaN")
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, side="left") + np.searchsorted(ordered, higher, side="right")
    return float(np.mean(below) / (2 * len(lower)))


def directions(dim: int, n: int, rng: Stream) -> np.ndarray:
    """n directions drawn uniformly from the unit sphere, as the columns of (dim, n), on the host."""
    if dim < 1 or n < 1:
        raise ValueError(f"dim is {dim}, n is {n}; both must be >= 1")
    drawn = to_host(rng.normal(n, dim)).T
    return drawn / np.linalg.norm(drawn, axis=0)


def sliced_wasserstein(x: Array, y: Array, directions: np.ndarray) -> float:
    r"""Sliced 1-Wasserstein distance of two samples of equal size.

    .. math:: \frac1m\sum_{j=1}^m\frac1n\sum_{i=1}^n
              \big|(x\theta_j)_{(i)}-(y\theta_j)_{(i)}\big|

    the mean over directions of the distance between sorted projections. x, y: (n, d), float32 or float64,
    computed in float32 about the mean of x. directions: (d, m), unit columns, see `directions`.
    Raises ValueError where the shapes differ. Source: Bonneel et al. 2015.
    """
    x, y, directions = to_host(x), to_host(y), to_host(directions)
    if x.ndim != 2 or x.shape != y.shape or len(x) == 0:
        raise ValueError(f"x has shape {x.shape}, y {y.shape}; both must be (n, d) with equal n >= 1 and d")
    if directions.ndim != 2 or len(directions) != x.shape[1]:
        raise ValueError(f"directions has shape {directions.shape}; it must be ({x.shape[1]}, m)")
    centre = x.mean(axis=0)
    x_columns, y_columns = ((points - centre).astype(np.float32).T for points in (x, y))
    rows = np.ascontiguousarray(directions.T, dtype=np.float32)
    at_once = max(1, CHUNK // 2 // len(x))

    def distance(start: int) -> float:
        # (m, n): each direction's projections lie side by side in memory, where sorting is fast.
        piece = rows[start : start + at_once]
        x_sorted, y_sorted = piece @ x_columns, piece @ y_columns
        x_sorted.sort(axis=-1)
        y_sorted.sort(axis=-1)
        x_sorted -= y_sorted
        np.abs(x_sorted, out=x_sorted)
        return float(x_sorted.mean(axis=-1).sum(dtype=np.float64))

    return sum(share(distance, range(0, len(rows), at_once))) / len(rows)


def sampling_floor(
    distribution: Distribution, n: int, directions: np.ndarray, rng: Stream, draws: int = 5
) -> Floor:
    """The sliced Wasserstein distance that two exact samples of n points have, by `draws` draws of two."""
    if draws < 1:
        raise ValueError(f"draws is {draws}; it must be >= 1")
    pairs = [(distribution.sample(rng, n), distribution.sample(rng, n)) for _ in range(draws)]
    distances = [sliced_wasserstein(x, y, directions) for x, y in pairs]
    return Floor(max(distances), sum(distances) / draws)


def mmd(x: Array, y: Array, bandwidth: float = 1.0) -> float:
    r"""Squared maximum mean discrepancy of two samples, unbiased, so that it can be below zero.

    .. math:: \frac{\sum_{i\ne j}k(x_i,x_j)}{n(n-1)}+\frac{\sum_{i\ne j}k(y_i,y_j)}{m(m-1)}
              -\frac{2\sum_{i,j}k(x_i,y_j)}{nm},\qquad k(a,b)=e^{-\lVert a-b\rVert^2/2h^2}

    x: (n, d), y: (m, d), n and m >= 2. bandwidth: h > 0, in the units of the points. Computed as products
    about the mean, in float32 unless a point is further than 30 bandwidths from it; no k is off by more
    than 1e-4, and their means by far less.
    Raises ValueError for other shapes, a bandwidth that is not positive and points that are not finite.
    Source: Gretton et al. 2012, eq. 3.
    """
    x, y = to_host(x), to_host(y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(f"x has shape {x.shape}, y {y.shape}; need (n, d) and (m, d) with n, m >= 2")
    if not 0 < bandwidth < np.inf:
        raise ValueError(f"bandwidth is {bandwidth!r}; it must be positive and finite")
    n, m = len(x), len(y)
    joined = np.concatenate([x, y]).astype(np.float64)
    if not np.all(np.isfinite(joined)):
        raise ValueError("x or y has points that are not finite; they have no distance")
    joined = (joined - joined.mean(axis=0)) / bandwidth
    half_squares = (joined**2).sum(axis=1, keepdims=True) / 2
    dtype = np.float32 if half_squares.max() < FAR**2 / 2 else np.float64
    ones = np.ones((n + m, 1))
    # (left @ right) is minus half the squared distance of each pair.
    left = np.concatenate([joined, -half_squares, ones], axis=1).astype(dtype)
    right = np.concatenate([joined, ones, -half_squares], axis=1).T.astype(dtype, order="C")
    within_x, within_y = _kernel_sum(left[:n], right[:, :n], True), _kernel_sum(left[n:], right[:, n:], True)
    between = _kernel_sum(left[:n], right[:, n:], False)
    return within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * between / (n * m)


def _kernel_sum(left: np.ndarray, right: np.ndarray, within: bool) -> float:
    """The sum of exp(left @ right), in pieces that fit the cache; within one sample, without i = j.

    There the matrix is symmetric, and of each piece of rows only what lies right of the diagonal is computed.
    """
    rows = max(1, CHUNK // right.shape[1])
    lowest = -80.0 if left.dtype == np.float32 else -700.0  # below, exp gives no normal numbers

    def piece_sum(start: int) -> float:
        kernel = left[start : start + rows] @ right[:, start if within else 0 :]
        np.clip(kernel, lowest, 0, out=kernel)
        np.exp(kernel, out=kernel)
        piece = float(kernel.sum(axis=1).sum(dtype=np.float64))
        if within:
            square = kernel[:, : len(kernel)]
            piece = 2 * piece - float(square.sum(dtype=np.float64)) - float(np.trace(square))
        return piece

    return sum(share(piece_sum, range(0, len(left), rows)))


def mode_weights(samples: Array, means: Array, weights: Array) -> ModeWeights:
    r"""The share of points nearest each mode, and how surprising it is.

    .. math:: z_k=\frac{N_k-n w_k}{\sqrt{n w_k(1-w_k)}}

    z is standard normal for large n where the samples come from the truth and the modes do not overlap.
    samples: (n, d). means: (K, d). weights: (K,), sum 1. Raises ValueError for other shapes and for points
    that are not finite, which have no nearest mode. A mode of weight 0 or 1 has z = 0 or infinity.
    """
    samples, means, weights = to_host(samples), to_host(means), to_host(weights).astype(np.float64)
    if samples.ndim != 2 or means.ndim != 2 or samples.shape[1] != means.shape[1] or len(samples) == 0:
        raise ValueError(f"samples has shape {samples.shape}, means {means.shape}; need (n, d) and (K, d)")
    if weights.shape != means.shape[:1] or np.any(weights < 0) or abs(weights.sum() - 1) > 1e-6:
        raise ValueError(f"weights is {weights}; it must be {len(means)} numbers >= 0 with sum 1")
    if not np.all(np.isfinite(samples)):
        raise ValueError("samples has points that are not finite; they have no nearest mode")
    n, counts, at_once = len(samples), np.zeros(len(means)), max(1, CHUNK // len(means))
    centre = means.mean(axis=0)  # about it, products of large numbers lose no digits
    means = means - centre
    half_squares = (means**2).sum(axis=1) / 2
    for start in range(0, n, at_once):
        nearest = np.argmax((samples[start : start + at_once] - centre) @ means.T - half_squares, axis=1)
        counts += np.bincount(nearest, minlength=len(means))
    spread = np.sqrt(n * weights * (1 - weights))
    off = counts - n * weights
    certain = np.where(np.abs(off) < 0.5, 0.0, np.copysign(np.inf, off))  # weight 0 or 1: no spread at all
    return ModeWeights(counts / n, np.divide(off, spread, out=certain, where=spread > 0))


def score_error(
    denoiser: Denoiser, distribution: Distribution, signal: float, std: float, rng: Stream, n: int = 10_000
) -> float:
    r"""Relative error of a denoiser's score at one level, weighted by the exact density.

    .. math:: \sqrt{\mathbb E_{q_t}\lVert\hat s(x_t)-s(x_t)\rVert^2\ /\ \mathbb E_{q_t}\lVert s(x_t)\rVert^2}

    with n points x_t drawn from the exact law q_t of signal x_0 + std eps, where rng draws. 0 is exact, 1 is
    no better than a score of zero.
    """
    law = distribution.diffused(signal, std)
    x_t = law.sample(rng, n)
    exact = law.score(x_t)
    error = denoiser.score(x_t, signal, std) - exact
    return float(np.sqrt(np.mean(error**2) / np.mean(exact**2)))
