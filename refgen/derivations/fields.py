"""Smooth vector fields and energies of mixtures, for cards that need any model at all.

They are made of Python floats, so that they take arrays of any precision, of any device, and complex ones:
the derivative of an analytic f is the imaginary part of f(x + ih) / h, exact to rounding. No cards here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from hypothesis import strategies as st

from refgen.cards.strategies import laws, points, positives, reals

__all__ = [
    "Blobs",
    "Field",
    "blobs",
    "density",
    "energy_of",
    "fields",
    "gradient",
    "grid",
    "log_density",
    "vector_field",
]

TINY = 1e-30


class Field(NamedTuple):
    """s(x) = A x + b + c tanh(w^T x): a (d, d), b, c and w (d,)."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    w: np.ndarray


class Blobs(NamedTuple):
    """A mixture of round Gaussians: weights (K,), means (K, d), stds (K,)."""

    weights: np.ndarray
    means: np.ndarray
    stds: np.ndarray


def fields(d: int) -> st.SearchStrategy:
    """Fields whose linear part has any matrix and whose bend is at most of steepness one."""
    square = st.lists(reals(-2, 2), min_size=d * d, max_size=d * d).map(lambda a: np.reshape(a, (d, d)))
    return st.builds(Field, square, points(d, -2, 2), points(d, -2, 2), points(d, -1, 1))


def blobs(d: int, k: int = 2, narrowest: float = 0.5, widest: float = 2.0) -> st.SearchStrategy:
    """Mixtures of k round Gaussians with means in [-2, 2]^d."""
    means = st.lists(points(d, -2, 2), min_size=k, max_size=k).map(np.stack)
    stds = st.lists(positives(narrowest, widest), min_size=k, max_size=k).map(np.array)
    return st.builds(Blobs, laws(k), means, stds)


def vector_field(field: Field) -> Callable[[Any], Any]:
    """The field as a function (..., d) -> (..., d)."""
    a, b, c, w = (part.tolist() for part in field)
    d = len(b)

    def s(x: Any) -> Any:
        bend = anp.tanh(sum(w[j] * x[..., j] for j in range(d)))
        rows = [sum(a[i][j] * x[..., j] for j in range(d)) + b[i] + c[i] * bend for i in range(d)]
        return anp.stack(rows, axis=-1)

    return s


def energy_of(law: Blobs, shift: float = 0.0) -> Callable[[Any], Any]:
    """Minus the log-density plus a shift, as a function (..., d) -> (...) of real x."""
    weights, means, stds = (part.tolist() for part in law)
    d = len(means[0])

    def energy(x: Any) -> Any:
        logs = []
        for w, m, s in zip(weights, means, stds, strict=True):
            square = sum((x[..., j] - m[j]) ** 2 for j in range(d)) / (2 * s**2)
            logs.append(float(np.log(w) - 0.5 * d * np.log(2 * np.pi * s**2)) - square)
        largest = logs[0]
        for one in logs[1:]:
            largest = anp.maximum(largest, one)
        return shift - largest - anp.log(sum(anp.exp(one - largest) for one in logs))

    return energy


def log_density(x: np.ndarray, law: Blobs) -> np.ndarray:
    """The log-density at x (..., d), real or complex."""
    d = x.shape[-1]
    square = np.sum((x[..., None, :] - law.means) ** 2, axis=-1) / (2 * law.stds**2)
    logs = np.log(law.weights) - 0.5 * d * np.log(2 * np.pi * law.stds**2) - square
    largest = np.max(logs.real, axis=-1)
    return largest + np.log(np.sum(np.exp(logs - largest[..., None]), axis=-1))


def density(x: np.ndarray, law: Blobs) -> np.ndarray:
    """The density at x (..., d), real or complex."""
    return np.exp(log_density(x, law))


def gradient(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """The derivatives of an analytic function at x (..., d), as a new last axis.

    (..., d) -> (...) gives gradients (..., d), and (..., d) -> (..., d) Jacobians J_ij = d f_i / d x_j.
    """
    directions = TINY * np.eye(x.shape[-1])
    return np.stack([function(x + 1j * e).imag / TINY for e in directions], axis=-1)


def grid(law: Blobs, fineness: float = 0.125) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, d) and masses (n,) of the trapezoid rule, d = 1 or 2; the step in smallest stds."""
    low = np.min(law.means - 8 * law.stds[:, None], axis=0)
    high = np.max(law.means + 8 * law.stds[:, None], axis=0)
    step = fineness * np.min(law.stds)
    axes = [np.arange(a, b + step, step) for a, b in zip(low, high, strict=True)]
    x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
    mass = density(x, law)
    return x, mass / np.sum(mass)
