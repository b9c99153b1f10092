"""A velocity field that changes with time, with the trace of its Jacobian from the same pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import autograd.numpy as np

from refgen.backend import Stream
from refgen.nets.mlp import MLP

__all__ = ["Field"]

Array = Any
Velocity = Callable[[Array, int], tuple[Array, Array]]


@dataclass(frozen=True)
class Field:
    """x (n, dim) and features of the time -> velocity (n, dim), by layers of tanh.

    tanh is smooth and bounded, so that solutions exist for all time and fixed steps are enough. Derivatives
    along directions are carried forward through the layers beside the values, in autograd's own operations:
    they can be differentiated again. The vector of parameters is that of an `MLP`.

    >>> field = Field(dim=2, features=1)
    >>> velocity = field.over(np.zeros(field.net.size), np.zeros((3, 1)))
    >>> [part.shape for part in velocity(np.zeros((5, 2)), 0)]
    [(5, 2), (5,)]
    """

    dim: int
    features: int
    hidden: int = 64
    layers: int = 1

    @cached_property
    def net(self) -> MLP:
        """Where the parameters lie in their vector."""
        return MLP(self.dim, self.dim, self.features, self.hidden, self.layers)

    def init(self, rng: Stream) -> Array:
        """Parameters of an untrained network, float32: no velocity anywhere."""
        return self.net.init(rng)

    def over(self, params: Array, features: Array, v: Array | None = None) -> Velocity:
        r"""The field at a few times: (x, k) -> velocity, (n, dim), and the trace of its Jacobian, (n,).

        features: of the times, (times, features); k counts them. v: directions, (n, dim); then the function
        gives :math:`v^\top J v` in place of the trace, whose mean is the trace where the v have mean zero and
        covariance one (Hutchinson). Without it the trace is exact, by dim directions: as many times the work,
        but for a single hidden layer. What is the same for all x and k is done once.
        """
        first, bias, *others, last, end = self.net.layout.parts(params)
        inner, between = first[: self.dim], list(zip(others[::2], others[1::2], strict=True))
        offsets = features @ first[self.dim :] + bias
        # Directions in front of the layers and behind them: (dim, 1, hidden), or (1, n, hidden) along v.
        ahead = inner[:, None, :] if v is None else (v @ inner)[None]
        back = np.transpose(last)[:, None, :] if v is None else (v @ np.transpose(last))[None]
        both = None if between else np.sum(ahead * back, axis=0)

        def velocity(x: Array, k: int) -> tuple[Array, Array]:
            value, along = np.tanh(x @ inner + offsets[k]), ahead
            slope = 1 - value * value
            for weight, bias in between:
                value, along = np.tanh(value @ weight + bias), (slope * along) @ weight
                slope = 1 - value * value
            trace = np.sum(slope * (np.sum(along * back, axis=0) if both is None else both), axis=-1)
            return value @ last + end, trace

        return velocity
