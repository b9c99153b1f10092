"""A network that tells a Gaussian: p(y | x) = N(mean(x), var(x)), one variance for each coordinate of y."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import autograd.numpy as np
import numpy as onp

from refgen.backend import Stream
from refgen.nets.layout import Layout, segment
from refgen.nets.mlp import MLP

__all__ = ["SPREADS", "Conditional"]

Array = Any

SPREADS = ("one", "each", "told")


@dataclass(frozen=True)
class Conditional:
    """p(y | x) on one flat vector of parameters. `conditional(params, x)`: x (n, inputs) -> (mean, var).

    mean: (n, outputs). var: > least_std^2, (1,) where spread is "one" number, (outputs,) where it is one for
    "each" coordinate, (n, outputs) where the network has "told" it. layers: hidden ones; 0 for a linear mean.
    Raises ValueError for a spread that is none of the three, and where a shape is another.
    """

    inputs: int
    outputs: int
    hidden: int = 64
    layers: int = 3
    spread: str = "told"
    least_std: float = 0.0

    def __post_init__(self) -> None:
        if self.spread not in SPREADS:
            raise ValueError(f"spread is {self.spread!r}; it must be one of {', '.join(SPREADS)}")
        if not 0 <= self.least_std < math.inf:
            raise ValueError(f"least_std is {self.least_std}; it must be a finite number >= 0")

    @cached_property
    def net(self) -> MLP | None:
        return MLP(self.inputs, self._told, 0, self.hidden, self.layers) if self.layers else None

    @property
    def _told(self) -> int:
        """How many numbers the network gives."""
        return self.outputs * (2 if self.spread == "told" else 1)

    @property
    def _apart(self) -> int:
        """How many log-variances stand beside the network, at the end of the parameters."""
        return {"one": 1, "each": self.outputs, "told": 0}[self.spread]

    @cached_property
    def linear(self) -> Layout:
        """Weight (inputs, told) and bias of the mean where there are no hidden layers."""
        return Layout([(self.inputs, self._told), (self._told,)])

    @property
    def size(self) -> int:
        """How many parameters."""
        return (self.net or self.linear).size + self._apart

    def init(self, rng: Stream, std: float = 1.0) -> Array:
        """Parameters before training, float32: means of size one, stds of about `std`."""
        params = rng.xp.zeros(self.size, onp.float32)
        inner = params[: self.size - self._apart]
        if self.net:
            inner[:] = self.net.init(rng, last=1.0)
            bias = self.net.layout.views(inner)[-1]
        else:
            weight, bias = self.linear.views(inner)
            weight[:] = rng.normal(*weight.shape, dtype=onp.float32) / math.sqrt(self.inputs)
        log_vars = params[len(inner) :] if self._apart else bias[self.outputs :]
        log_vars[:] = 2 * math.log(std)
        return params

    def __call__(self, params: Array, x: Array) -> tuple[Array, Array]:
        inner = self.size - self._apart
        told = self._map(segment(params, 0, inner), x)
        if self._apart:
            mean, log_var = told, segment(params, inner, self.size)
        else:
            mean, log_var = told[:, : self.outputs], told[:, self.outputs :]
        return mean, self.least_std**2 + np.exp(log_var)

    def _map(self, params: Array, x: Array) -> Array:
        if self.net:
            return self.net(params, x)
        weight, bias = self.linear.parts(params)
        return x @ weight + bias
