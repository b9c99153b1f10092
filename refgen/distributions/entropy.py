"""Entropy by quadrature on a grid in one or two dimensions, and by Monte Carlo in more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from refgen.backend import Stream
from refgen.formulas.boxes import interval_log_prob
from refgen.formulas.gaussian import log_prob_isotropic

if TYPE_CHECKING:
    from refgen.distributions.base import Distribution
    from refgen.distributions.boxes import Boxes
    from refgen.distributions.mixture import GaussianMixture

__all__ = ["by_monte_carlo", "of_boxes", "of_mixture"]

REACH = 9.0  # standard deviations beyond the outermost means; the mass outside is below 1e-18
FINENESS = 4.0  # grid points in one standard deviation of the narrowest component
MOST_POINTS = 2e7
MOST_WORK = 2e10  # multiplications of grid points and components
QUADRATURE_ERROR = 1e-6
DRAWS = 100_000
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(8)


def of_mixture(law: GaussianMixture) -> tuple[float, float]:
    """Entropy of a mixture with a density, and its error: closed form, quadrature or Monte Carlo."""
    if len(law.means) == 1:
        log_det = np.linalg.slogdet(law.cov)[1]
        return 0.5 * float(law.dim * math.log(2 * math.pi * math.e) + log_det), 0.0
    full = law.covs.ndim == 3
    reach = REACH * np.sqrt(np.diagonal(law.covs, axis1=1, axis2=2) if full else law.covs)
    low, high = np.min(law.means - reach, axis=0), np.max(law.means + reach, axis=0)
    step = np.sqrt(np.linalg.eigvalsh(law.covs).min() if full else law.covs) / FINENESS * np.ones(law.dim)
    counts = np.ceil((high - low) / step) + 1
    points = math.prod(counts)
    work = points * len(law.means) * (200 if full else 1)
    if law.dim > 2 or points > MOST_POINTS or work > MOST_WORK:
        return by_monte_carlo(law)
    axes = [a + h * np.arange(int(n)) for a, h, n in zip(low, step, counts, strict=True)]
    if full:
        # One row of the grid at a time.
        columns = axes[1] if law.dim == 2 else np.zeros(0)
        density = (
            np.exp(law.log_prob(np.stack([np.full_like(columns, x), columns], 1) if law.dim == 2 else [[x]]))
            for x in axes[0]
        )
        return sum(_of_grid(p) for p in density) * math.prod(step), QUADRATURE_ERROR
    # With a shared diagonal covariance a component is a product over the axes, and the grid a matrix product.
    factors = [
        np.exp(log_prob_isotropic(axis[:, None, None], law.means[:, j, None], float(law.covs[j])))
        for j, axis in enumerate(axes)
    ]
    last = factors[1].T if law.dim == 2 else np.ones((len(law.means), 1))
    rows = max(1, int(2**20 // last.shape[1]))
    weighted = factors[0] * law.weights
    pieces = (weighted[i : i + rows] @ last for i in range(0, len(weighted), rows))
    return sum(_of_grid(p) for p in pieces) * math.prod(step), QUADRATURE_ERROR


def of_boxes(law: Boxes) -> tuple[float, float]:
    """Entropy of boxes, and its error: closed form without noise, else quadrature or Monte Carlo."""
    if not law.noisy:
        return -float(law.weights @ np.log(law.weights / np.prod(law.high - law.low, axis=1))), 0.0
    if law.dim > 2:
        return by_monte_carlo(law)
    # The density is a sum of products over the axes, flat except near the edges: panels of 1.5 std there.
    axes, panels = [], np.linspace(-REACH, REACH, 13)
    for j in range(law.dim):
        edges = np.unique([law.low[:, j], law.high[:, j]])
        ends = np.unique(edges[:, None] + law.noise[j] * panels)
        axes.append((_gauss(ends, NODES), _gauss(ends, NODES, NODE_WEIGHTS)))
    if math.prod(len(points) for points, _ in axes) > MOST_POINTS:
        return by_monte_carlo(law)
    factors = [
        np.exp(interval_log_prob(points[:, None], law.low[:, j], law.high[:, j], law.noise[j]))
        for j, (points, _) in enumerate(axes)
    ]
    last, last_weights = (
        (factors[1], axes[1][1]) if law.dim == 2 else (np.ones((1, len(law.low))), np.ones(1))
    )
    density = (factors[0] * law.weights) @ last.T
    return -float(axes[0][1] @ _p_log_p(density) @ last_weights), QUADRATURE_ERROR


def _of_grid(density: np.ndarray) -> float:
    """The sum of -p log p over a grid of densities."""
    return -float(np.sum(_p_log_p(density)))


def _p_log_p(density: np.ndarray) -> np.ndarray:
    """p log p, where 0 log 0 is 0."""
    return density * np.log(np.maximum(density, 1e-300))


def _gauss(ends: np.ndarray, nodes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Gauss-Legendre nodes in each panel between the ends, or their weights, as one array."""
    half = np.diff(ends)[:, None] / 2
    return (half * weights if weights is not None else ends[:-1, None] + half * (nodes + 1)).ravel()


def by_monte_carlo(law: Distribution) -> tuple[float, float]:
    """Mean of -log p over 100,000 draws of a stream of its own, always the same, and its standard error."""
    values = -law.log_prob(law.sample(Stream(0, "entropy"), DRAWS))
    return float(values.mean()), float(values.std()) / math.sqrt(DRAWS)
