"""A masked network: of a point's coordinates, what it says of each one is made of those before it alone."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import autograd.numpy as np
import numpy as onp

from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.nets.mlp import MLP

__all__ = ["Masked"]

Array = Any


@dataclass(frozen=True)
class Masked:
    """x (n, dim) -> (n, dim, outputs), where [:, i] depends on x[:, :i] alone: all coordinates in one pass.

    Every hidden unit has a degree and sees the inputs up to that one: a weight from a lower or equal degree
    to a higher or equal one is kept, all others are multiplied by zero. The outputs of coordinate i see the
    units of a degree below i, those of the first coordinate none: they are the biases. The rest is an `MLP`,
    with the same flat vector of parameters. Source: Germain et al. 2015, section 4.

    Raises ValueError where a number is out of range, or hidden < dim - 1: no unit would see all that are
    before the last.

    >>> net = Masked(dim=3, outputs=2, hidden=8)
    >>> net(np.zeros(net.size), np.zeros((5, 3))).shape
    (5, 3, 2)
    """

    dim: int
    outputs: int
    hidden: int = 64
    layers: int = 3

    def __post_init__(self) -> None:
        for name in ("dim", "outputs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be an integer >= 1")
        if self.hidden < self.dim - 1:
            raise ValueError(f"hidden is {self.hidden}; it must be at least dim - 1, {self.dim - 1}")
        _ = self.net

    @cached_property
    def net(self) -> MLP:
        """The network without its mask."""
        return MLP(self.dim, self.dim * self.outputs, 0, self.hidden, self.layers)

    @property
    def size(self) -> int:
        """How many parameters, with those that the mask takes out."""
        return self.net.size

    def masks(self) -> list[onp.ndarray]:
        """0 or 1 for each weight, a matrix (in, out) for each layer."""
        inputs = 1 + onp.arange(self.dim)
        units = 1 + onp.arange(self.hidden) % max(1, self.dim - 1)
        degrees = [inputs, *[units] * self.layers]
        between = [below[:, None] <= above for below, above in itertools.pairwise(degrees)]
        return [*between, units[:, None] < onp.repeat(inputs, self.outputs)]

    def init(self, rng: Stream) -> Array:
        """Parameters of an untrained network, float32: it returns zeros.

        rng: gives the weights, and the device. The variance of a weight is one over what its unit sees.
        """
        params = self.net.init(rng)
        for weight, mask in zip(self.net.layout.views(params)[:-2:2], self.masks()[:-1], strict=True):
            seen = onp.maximum(mask.sum(axis=0), 1)
            weight *= rng.xp.asarray(onp.sqrt(len(mask) / seen), onp.float32)
        return params

    def __call__(self, params: Array, x: Array) -> Array:
        self.net.layout.require(params)
        masked = params * _mask(self, array_module(params), onp.dtype(params.dtype))
        return np.reshape(self.net(masked, x), (-1, self.dim, self.outputs))


@cache
def _mask(net: Masked, xp: Any, dtype: Any) -> Array:
    """The masks as one vector, with ones for the biases, moved there once."""
    flat = onp.ones(net.size, dtype)
    for weight, mask in zip(net.net.layout.views(flat)[::2], net.masks(), strict=True):
        weight[:] = mask
    return xp.asarray(flat)
