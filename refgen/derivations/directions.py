"""Laws of random directions as a few nodes with weights, exact for the powers that a trace estimate has.

Also a small model of a score whose Jacobian is written out. No cards; other files use it.
"""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from refgen.cards.strategies import points, together

__all__ = [
    "LAWS",
    "clouds",
    "expect",
    "features",
    "jacobian",
    "matrices",
    "model",
    "models",
    "nodes",
    "spread",
]

LAWS = st.sampled_from(["rademacher", "gaussian", "sphere"])


def nodes(law, d):
    """Directions (K, d) and weights (K,) that give the mean of any polynomial up to degree 7; d = 1, 2, 3."""
    if law == "rademacher":
        v = np.array(list(itertools.product([1.0, -1.0], repeat=d)))
        return v, np.full(len(v), 1 / len(v))
    if law == "gaussian":
        x, w = np.polynomial.hermite_e.hermegauss(5)
        v = np.array(list(itertools.product(x, repeat=d)))
        return v, np.prod(np.array(list(itertools.product(w / np.sum(w), repeat=d))), axis=1)
    if d == 1:
        return np.array([[1.0], [-1.0]]), np.array([0.5, 0.5])
    angle = 2 * np.pi * np.arange(10) / 10
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if d == 2:
        return np.sqrt(2) * circle, np.full(10, 0.1)
    height, w = np.polynomial.legendre.leggauss(5)
    ring = np.sqrt(1 - height**2)[:, None, None] * circle
    upright = np.broadcast_to(height[:, None, None], (5, 10, 1))
    return np.sqrt(3) * np.concatenate([ring, upright], axis=2).reshape(-1, 3), np.repeat(w / 2, 10) / 10


def expect(weights, values):
    """The mean of values (K, ...)."""
    return np.tensordot(weights, values, axes=1)


def spread(weights, values):
    """The variance of values (K, ...)."""
    return expect(weights, (values - expect(weights, values)) ** 2)


def matrices(rows, columns, low=-2, high=2):
    """Any matrices (rows, columns)."""
    return points(rows * columns, low, high).map(lambda a: a.reshape(rows, columns))


def models(d, hidden=2, low=-1, high=1):
    """Weights of s(x) = tanh(x w + b) u."""
    return together(
        w=matrices(d, hidden, low, high), b=points(hidden, low, high), u=matrices(hidden, d, low, high)
    )


def features(net, x):
    """tanh(x w + b), (n, hidden)."""
    return np.tanh(x @ net["w"] + net["b"])


def model(net, x):
    """s(x), (n, d)."""
    return features(net, x) @ net["u"]


def jacobian(net, x):
    """ds_i/dx_j, (n, d, d), by the chain rule."""
    return np.einsum("ki,nk,jk->nij", net["u"], 1 - features(net, x) ** 2, net["w"])


def clouds(n, d):
    """Points (n, d)."""
    return st.lists(points(d, -2, 2), min_size=n, max_size=n).map(np.stack)
