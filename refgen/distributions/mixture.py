"""Gaussian mixtures, and the named ones: a ring, a grid, and the two Gaussians of the NCSN paper."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from autograd.tracer import isbox

from refgen.backend import Stream, array_module
from refgen.distributions import entropy
from refgen.distributions.base import Distribution
from refgen.distributions.doors import (
    affine_parameters,
    check_count,
    check_level,
    checked_weights,
    finite_array,
    shown,
)
from refgen.distributions.points import at_level, mean_of_points
from refgen.formulas import mixture
from refgen.formulas.boxes import noise_shares
from refgen.formulas.parametrisation import conditional_score

__all__ = ["GaussianMixture", "grid", "ring", "two_gaussians"]

PARAMETERS = ("weights", "means", "covs")
CACHE = 2**18  # numbers of a piece, some of which still are in the cache when they are used again
NEAR = 8.0  # standard deviations; products of so large numbers are good to 1e-5 in float32
SEPARATED = 6.0  # means this many standard deviations apart are modes of their own


class GaussianMixture(Distribution):
    """A mixture of K Gaussians, with full covariances or with one diagonal covariance that all share.

    means: (K, d). covs: (K, d, d) symmetric positive definite; or a variance, () or (d,), shared by all.
    weights: (K,), > 0, divided by their sum; equal where None. Raises ValueError for anything else.

    >>> GaussianMixture([[-1.0, 0.0], [1.0, 0.0]], 0.25).log_prob([[0.0, 0.0]]).round(4)
    array([-2.4516])
    """

    def __init__(self, means: Any, covs: Any, weights: Any = None):
        self.means = finite_array("means", means, 2)
        if self.means.size == 0:
            raise ValueError(f"means has shape {self.means.shape}; it needs at least one row and one column")
        count, self.dim = self.means.shape
        self.covs = _covariances(covs, count, self.dim)
        self.weights = checked_weights(weights, count)
        for array in (self.means, self.covs, self.weights):
            array.setflags(write=False)
        self._last_level: tuple[Any, Any] = None, None

    def __repr__(self) -> str:
        kind = "full covariances" if self.covs.ndim == 3 else "shared variance"
        return f"{type(self).__name__}(K={len(self.means)}, d={self.dim}, {kind})"

    @cached_property
    def mean(self) -> np.ndarray:
        return mixture.mean(self.weights, self.means)

    @cached_property
    def cov(self) -> np.ndarray:
        return mixture.cov(self.weights, self.means, self.covs)

    @cached_property
    def component_stds(self) -> np.ndarray:
        """The largest standard deviation of each component in any direction, (K,)."""
        if self.covs.ndim == 3:
            return np.sqrt(np.linalg.eigvalsh(self.covs)[:, -1])
        return np.full(len(self.means), math.sqrt(self.covs.max()))

    @cached_property
    def modes(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Means and weights, where there are two to a hundred means, all six standard deviations apart."""
        count = len(self.means)
        if not 2 <= count <= 100 or not self._has_density:
            return None
        apart = np.sqrt(mixture.squared_distances(self.means, self.means))
        apart[np.diag_indices(count)] = np.inf
        return (self.means, self.weights) if apart.min() >= SEPARATED * self.component_stds.max() else None

    def sample(self, rng: Stream, n: int) -> np.ndarray:
        return self.sample_with_components(rng, n)[0]

    def sample_with_components(self, rng: Stream, n: int) -> tuple[np.ndarray, np.ndarray]:
        """As `sample`, and the component that each point is from, (n,) integers in 0..K - 1."""
        n = check_count(n)
        uniform = rng.uniform(n)
        means, ends, roots = self._like(uniform, "means", "_ends", "_roots")
        which: Any = np.searchsorted(ends, uniform, side="right")
        points = means[which]
        if not self._has_density:
            return points, which
        noise = rng.normal(n, self.dim)
        if self.covs.ndim < 3:
            noise *= roots
            points += noise
            return points, which
        for j in range(self.dim):  # by columns of the triangular roots: a matrix for each point is too much
            points[:, j:] += roots[:, j:, j][which] * noise[:, j : j + 1]
        return points, which

    @cached_property
    def _ends(self) -> np.ndarray:
        """Where each component's share of [0, 1) ends, (K,)."""
        ends = np.cumsum(self.weights)
        return ends / ends[-1]

    @cached_property
    def _roots(self) -> np.ndarray:
        """Triangular roots of full covariances, or the shared standard deviations."""
        return np.linalg.cholesky(self.covs) if self.covs.ndim == 3 else np.sqrt(self.covs)

    def diffused(self, signal: float, std: float) -> GaussianMixture:
        signal, std = check_level(signal, std)
        means = mixture.diffused_means(self.means, signal)
        return GaussianMixture(means, mixture.diffused_covs(self.covs, signal, std), self.weights)

    def affine(self, shift: Any, scale: Any) -> GaussianMixture:
        shift, scale = affine_parameters(shift, scale, self.dim)
        squares = scale[:, None] * scale if self.covs.ndim == 3 else scale**2
        return GaussianMixture((self.means - shift) / scale, self.covs / squares, self.weights)

    def _entropy(self) -> tuple[float, float]:
        if not self._has_density:
            return -math.inf, 0.0
        return entropy.of_mixture(self)

    def _log_prob(self, x: np.ndarray) -> np.ndarray:
        self._require_density()
        return mixture.log_prob(x, *self._like(x, *PARAMETERS))

    def noisy_log_prob(self, x_t: Any, signal: float, std: float) -> np.ndarray:
        """Log-density at x_t (..., d) of the law of signal x_0 + std eps, that of `diffused`, which is not
        built. signal, std: numbers >= 0, not both 0 (ValueError)."""
        signal, std = check_level(signal, std)
        if std == 0:
            self._require_density()

        def noisy(x: Any) -> Any:
            weights, means, covs = self._like(x, *PARAMETERS)
            means, covs = mixture.diffused_means(means, signal), mixture.diffused_covs(covs, signal, std)
            return mixture.log_prob(x, weights, means, covs)

        return self._each(noisy, x_t)

    def _score(self, x: np.ndarray) -> np.ndarray:
        self._require_density()
        return mixture.score(x, *self._like(x, *PARAMETERS))

    def _noisy_score(self, x_t: np.ndarray, signal: float, std: float) -> np.ndarray:
        if self._is_pairwise(x_t):
            level, total, _, _ = self._level(x_t, signal, std)
            return conditional_score(x_t, mean_of_points(x_t, level), signal, total)
        weights, means, covs = self._like(x_t, *PARAMETERS)
        covs = mixture.diffused_covs(covs, signal, std)
        return mixture.score(x_t, weights, mixture.diffused_means(means, signal), covs)

    def _posterior_mean(self, x_t: np.ndarray, signal: float, std: float) -> np.ndarray:
        if self._is_pairwise(x_t):
            level, _, gain, keep = self._level(x_t, signal, std)
            return keep * mean_of_points(x_t, level) + gain * x_t
        weights, means, covs = self._like(x_t, *PARAMETERS)
        return mixture.posterior_mean(x_t, weights, means, covs, signal, std)

    def _is_pairwise(self, x: Any) -> bool:
        """Whether `mean_of_points` serves: one variance for all components, and autograd does not trace x."""
        return self.covs.ndim < 3 and not isbox(x)

    @cached_property
    def _reach(self) -> float:
        """How far the means reach from their centre."""
        return float(np.sqrt(np.max(np.sum((self.means - self.means.mean(axis=0)) ** 2, axis=1))))

    def _level(self, x: np.ndarray, signal: float, std: float) -> tuple[Any, ...]:
        """What `mean_of_points` needs, total, gain and keep: x_0 is a mean u plus noise, and given u and x_t
        a Gaussian of mean keep u + gain x_t. The last one asked for is kept: pieces of x ask for the same."""
        key = array_module(x), x.dtype, signal, std
        last, found = self._last_level
        if last != key:
            weights, means, noise = self._like(x, "weights", "means", "_roots")
            total, gain, keep = noise_shares(noise, signal, std)
            # On the host, so that nothing is read from a device.
            near = signal * self._reach < NEAR * math.hypot(signal * self._roots.min(), std)
            exact = self.dim <= 2 or (self.dim <= mixture.SMALL_DIMENSION and not near)
            found = at_level(weights, means, signal, total, exact), total, gain, keep
            self._last_level = key, found
        return found

    def _posterior_cov(self, x_t: np.ndarray, signal: float, std: float) -> np.ndarray:
        weights, means, covs = self._like(x_t, *PARAMETERS)
        return mixture.posterior_cov(x_t, weights, means, covs, signal, std)

    def _require_density(self) -> None:
        if not self._has_density:
            raise ValueError(
                "a law of points has no density and no score at std 0; ask diffused(signal, std)"
            )

    @property
    def _has_density(self) -> bool:
        return bool(self.covs.ndim == 3 or self.covs.min() > 0)

    @property
    def _rows(self) -> int:
        if self.covs.ndim == 3:
            return self._rows_of_cov
        return max(CACHE // len(self.means), 4 if self.dim <= mixture.SMALL_DIMENSION else 16)

    @property
    def _rows_of_cov(self) -> int:
        return max(1, (8 * CACHE if self.covs.ndim == 3 else CACHE) // self.means.size)


def two_gaussians() -> GaussianMixture:
    """0.8 N((5, 5), I) + 0.2 N((-5, -5), I). Source: Song & Ermon 2019, section 3.2.2."""
    return GaussianMixture([[5.0, 5.0], [-5.0, -5.0]], 1.0, [0.8, 0.2])


def ring() -> GaussianMixture:
    """Eight Gaussians on a circle, radius 4 and std 0.5, both over 1.414. Source: Grathwohl et al. 2019."""
    angle = 2 * np.pi * np.arange(8) / 8
    return GaussianMixture(4 / 1.414 * np.stack([np.cos(angle), np.sin(angle)], 1), (0.5 / 1.414) ** 2)


def grid() -> GaussianMixture:
    """Twenty-five Gaussians of std 0.2 on a square grid of step 2, from -4 to 4."""
    line = np.arange(-4.0, 5.0, 2.0)
    return GaussianMixture(np.stack(np.meshgrid(line, line), -1).reshape(-1, 2), 0.2**2)


def _covariances(covs: Any, count: int, dim: int) -> np.ndarray:
    array = finite_array("covs", covs, np.ndim(covs))
    if array.ndim < 2 and array.shape in ((), (dim,)):
        array = np.broadcast_to(array, (dim,)).copy()
        if array.min() < 0 or (array.min() == 0 < array.max()):
            raise ValueError(
                f"covs is {shown(covs)}; a shared variance is positive, or 0 throughout for points"
            )
        return array
    if array.shape != (count, dim, dim):
        raise ValueError(
            f"covs has shape {array.shape}; it must be {(count, dim, dim)}, "
            f"or () or {(dim,)} for a shared variance"
        )
    if not np.allclose(array, np.swapaxes(array, 1, 2), rtol=0, atol=1e-10 * np.abs(array).max()):
        raise ValueError("covs holds a matrix that is not symmetric; covariances are symmetric")
    if np.linalg.eigvalsh(array).min() <= 0:
        raise ValueError("covs holds a matrix with an eigenvalue <= 0; covariances are positive definite")
    return array
