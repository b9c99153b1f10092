"""A score that is linear in its parameters, so that every way of score matching is solved in closed form.

The log-density is, but for its normalising constant, a sum of bumps, a slope and one curvature. So the score
is a sum of fixed fields: the gradients of the bumps, the axes, and x itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refgen.distributions.base import Distribution
from refgen.distributions.mixture import GaussianMixture
from refgen.formulas import denoising, score_matching, sliced
from refgen.formulas.forward import diffuse
from refgen.plots import grid

__all__ = ["Fields", "clean_error", "fit_denoising", "fit_implicit", "fit_sliced", "law", "on_a_grid"]


def law() -> GaussianMixture:
    """The two Gaussians of the lectures, weights 0.8 and 0.2, with their modes so near that they touch."""
    return GaussianMixture([[1.4, 1.4], [-1.4, -1.4]], 0.65**2, [0.8, 0.2])


class Fields(NamedTuple):
    """The fields of a score in d dimensions: k = K bumps at centres (K, d) of one width, then d + 1 more."""

    centres: np.ndarray
    width: float

    @property
    def size(self) -> int:
        """How many parameters."""
        return sum(self.centres.shape) + 1

    def values(self, x: np.ndarray) -> np.ndarray:
        """All fields at x (n, d), (n, d, k): a score is `values(x) @ theta`."""
        z, bumps = self._bumps(x)
        axes = np.broadcast_to(np.eye(x.shape[1]), (*x.shape, x.shape[1]))
        slopes = -np.swapaxes(z * bumps[..., None], 1, 2) / self.width
        return np.concatenate([slopes, axes, x[..., None]], axis=2)

    def jacobians(self, x: np.ndarray) -> np.ndarray:
        """Their Jacobians by x (n, d), (n, k, d, d)."""
        z, bumps = self._bumps(x)
        n, d = x.shape
        outer = z[..., :, None] * z[..., None, :] - np.eye(d)
        last = np.broadcast_to(np.eye(d), (n, 1, d, d))
        return np.concatenate(
            [bumps[..., None, None] * outer / self.width**2, np.zeros((n, d, d, d)), last], axis=1
        )

    def _bumps(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        z = (x[:, None] - self.centres) / self.width
        return z, np.exp(-0.5 * np.sum(z * z, axis=-1))


def on_a_grid(side: int = 5, limit: float = 2.5, width: float = 1.2) -> Fields:
    """Bumps on a square grid in two dimensions."""
    return Fields(grid(limit, side)[1], width)


def fit_implicit(fields: Fields, x: np.ndarray) -> np.ndarray:
    """The parameters (k,) of least implicit loss on points x, (n, d)."""
    traces = np.trace(fields.jacobians(x), axis1=-2, axis2=-1)
    return score_matching.minimiser(fields.values(x), traces)


def fit_sliced(fields: Fields, x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The parameters (k,) of least sliced loss on points x (n, d), along directions v (m, n, d)."""
    values, jacobians = fields.values(x), fields.jacobians(x)
    along = [np.einsum("nd,ndk->nk", one, values)[:, None] for one in v]
    traces = [sliced.trace_along(one[:, None], jacobians) for one in v]
    return score_matching.minimiser(np.concatenate(along), np.concatenate(traces))


def fit_denoising(fields: Fields, x: np.ndarray, eps: np.ndarray, std: float) -> np.ndarray:
    """The parameters (k,) of least denoising loss on points x with noise std eps, both (n, d)."""
    x_noisy = diffuse(x, eps, 1.0, std)
    values = fields.values(x_noisy)
    # Least squares: the target along each field stands where the implicit objective has minus a trace.
    target = denoising.kernel_score(x, x_noisy, std)
    return score_matching.minimiser(values, -np.einsum("ndk,nd->nk", values, target))


def clean_error(fields: Fields, theta: np.ndarray, law: Distribution) -> np.ndarray:
    """The Fisher divergence of fitted scores to that of a 2-D law, by quadrature on a grid.

    theta: (..., k). Returns (...).
    """
    places = grid(5.5, 111)[1]
    mass = np.exp(law.log_prob(places))
    places, mass = places[mass > 1e-12], mass[mass > 1e-12] / np.sum(mass)
    values, exact = fields.values(places), law.score(places)
    each = [score_matching.explicit(values @ one, exact) @ mass for one in theta.reshape(-1, fields.size)]
    return np.reshape(each, theta.shape[:-1])
