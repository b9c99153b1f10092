"""Unions of boxes, the checkerboard among them, clean or with Gaussian noise."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from refgen.backend import Stream
from refgen.distributions import entropy
from refgen.distributions.base import Distribution
from refgen.distributions.doors import (
    affine_parameters,
    check_count,
    check_level,
    checked_weights,
    finite_array,
)
from refgen.formulas import boxes

__all__ = ["Boxes", "checkerboard"]

BOXES = ("weights", "low", "high")
CACHE = 2**17


class Boxes(Distribution):
    """Uniform in box k with probability w_k, plus Gaussian noise.

    low, high: (K, d), opposite corners, low < high. weights: (K,), > 0, divided by their sum; as the
    volumes where None. noise: the std of the noise, () or (d,), 0 throughout or > 0; with noise, boxes may be
    points and may overlap. Raises ValueError for anything else.

    Without noise there is no score on an edge or outside (ValueError), and log_prob is -inf outside.
    """

    def __init__(self, low: Any, high: Any, weights: Any = None, noise: Any = 0.0):
        self.low, self.high = finite_array("low", low, 2), finite_array("high", high, 2)
        if self.low.shape != self.high.shape or self.low.size == 0:
            raise ValueError(
                f"low and high have shapes {self.low.shape} and {self.high.shape}; both must be (K, d)"
            )
        count, self.dim = self.low.shape
        spread = finite_array("noise", noise, np.ndim(noise))
        if spread.shape not in ((), (self.dim,)) or spread.min() < 0 or spread.min() == 0 < spread.max():
            raise ValueError(f"noise is {noise!r}; it must be positive, or 0 throughout, of shape () or (d,)")
        self.noise = spread * np.ones(self.dim)
        if not np.all(self.low <= self.high if self.noisy else self.low < self.high):
            raise ValueError(
                "a box of low and high is turned inside out or has no volume; low < high is needed"
            )
        if not self.noisy and _overlap(self.low, self.high):
            raise ValueError("two boxes of low and high overlap; they may only touch")
        by_volume = np.prod(self.high - self.low, axis=1) if weights is None else weights
        self.weights = checked_weights(by_volume, count)
        for array in (self.low, self.high, self.noise, self.weights):
            array.setflags(write=False)

    def __repr__(self) -> str:
        return f"Boxes(K={len(self.low)}, d={self.dim}, noise={self.noise.tolist()})"

    @property
    def noisy(self) -> bool:
        """Whether there is noise, hence a score everywhere."""
        return bool(self.noise[0] > 0)

    @cached_property
    def mean(self) -> np.ndarray:
        return self.weights @ ((self.low + self.high) / 2)

    @cached_property
    def cov(self) -> np.ndarray:
        centred = (self.low + self.high) / 2 - self.mean
        inside = self.weights @ (self.high - self.low) ** 2 / 12
        return np.diag(inside + self.noise**2) + (centred.T * self.weights) @ centred

    def sample(self, rng: Stream, n: int) -> np.ndarray:
        n = check_count(n)
        uniform = rng.uniform(n)
        ends, low, high, noise = self._like(uniform, "_ends", "low", "high", "noise")
        which = np.searchsorted(ends, uniform, side="right")
        low, high = low[which], high[which]
        points = low + (high - low) * rng.uniform(n, self.dim)
        if not self.noisy:
            return np.minimum(points, np.nextafter(high, low))  # a box does not have its upper edges
        return points + noise * rng.normal(n, self.dim)

    @cached_property
    def _ends(self) -> np.ndarray:
        """Where each box's share of [0, 1) ends, (K,)."""
        ends = np.cumsum(self.weights)
        return ends / ends[-1]

    def diffused(self, signal: float, std: float) -> Boxes:
        signal, std = check_level(signal, std)
        return Boxes(signal * self.low, signal * self.high, self.weights, np.hypot(signal * self.noise, std))

    def affine(self, shift: Any, scale: Any) -> Boxes:
        shift, scale = affine_parameters(shift, scale, self.dim)
        return Boxes(
            (self.low - shift) / scale, (self.high - shift) / scale, self.weights, self.noise / scale
        )

    def _entropy(self) -> tuple[float, float]:
        return entropy.of_boxes(self)

    def _log_prob(self, x: np.ndarray) -> np.ndarray:
        if not self.noisy:
            return boxes.clean_log_prob(x, *self._like(x, *BOXES))
        weights, low, high, noise = self._like(x, *BOXES, "noise")
        return boxes.log_prob(x, weights, low, high, 1.0, noise)

    def _score(self, x: np.ndarray) -> np.ndarray:
        if self.noisy:
            return self._noisy_score(x, 1.0, 0.0)
        low, high = self._like(x, "low", "high")
        inside = np.all((low < x[:, None]) & (x[:, None] < high), axis=-1).any(axis=-1)
        if not np.all(inside):
            where = x[int(np.argmin(inside))].tolist()
            raise ValueError(f"at std 0 a box has a score only inside, and {where} is on an edge or outside")
        return np.zeros_like(x)

    def _noisy_score(self, x_t: np.ndarray, signal: float, std: float) -> np.ndarray:
        weights, low, high, noise = self._like(x_t, *BOXES, "noise")
        return boxes.score(x_t, weights, low, high, signal, boxes.noise_shares(noise, signal, std)[0])

    def _posterior_mean(self, x_t: np.ndarray, signal: float, std: float) -> np.ndarray:
        """x_0 is a point u of a box plus noise: given u and x_t a Gaussian, of mean keep u + gain x_t."""
        weights, low, high, noise = self._like(x_t, *BOXES, "noise")
        total, gain, keep = boxes.noise_shares(noise, signal, std)
        return keep * boxes.posterior_mean(x_t, weights, low, high, signal, total) + gain * x_t

    def _posterior_cov(self, x_t: np.ndarray, signal: float, std: float) -> np.ndarray:
        weights, low, high, noise = self._like(x_t, *BOXES, "noise")
        total, _, keep = boxes.noise_shares(noise, signal, std)
        cov = boxes.posterior_cov(x_t, weights, low, high, signal, total)
        return keep[:, None] * cov * keep + np.diag(keep * noise**2)

    @property
    def _rows(self) -> int:
        return max(1, CACHE // (self.low.size * boxes.NODE_COUNT))

    @property
    def _rows_of_cov(self) -> int:
        return self._rows


def checkerboard() -> Boxes:
    """The eight dark squares, of side 2, of a 4 by 4 board on [-4, 4]^2: area 32, entropy log 32."""
    corners = [(-4.0 + 2 * i, -4.0 + 2 * j) for i in range(4) for j in range(4) if (i + j) % 2 == 0]
    return Boxes(corners, np.array(corners) + 2)


def _overlap(low: np.ndarray, high: np.ndarray) -> bool:
    """Whether the insides of any two boxes meet, beyond rounding."""
    slack = 1e-9 * (high - low).min(axis=0)
    common = np.all((low[:, None] + slack < high) & (low < high[:, None] - slack), axis=-1)
    return bool(common.sum() > len(low))
