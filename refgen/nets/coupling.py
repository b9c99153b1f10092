"""The networks of a flow of couplings, and the affine map at its end, on one flat vector of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import autograd.numpy as np
import numpy as onp

from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.nets.layout import Layout
from refgen.nets.mlp import MLP

__all__ = ["Couplings"]

Array = Any


@dataclass(frozen=True)
class Couplings:
    """`count` networks, which see one half of the coordinates, in turn, and an affine map x = b + L z.

    A network says `outputs` numbers of every coordinate, of which those of the other half are of use. In one
    dimension there are no halves: all is changed, and nothing seen. Untrained, the networks return zeros and
    the affine map is the identity. Raises ValueError where a number is out of range.
    """

    dim: int
    outputs: int
    count: int
    hidden: int = 64
    layers: int = 2

    @cached_property
    def net(self) -> MLP:
        """One of the networks."""
        return MLP(self.dim, self.dim * self.outputs, 0, self.hidden, self.layers)

    @cached_property
    def layout(self) -> Layout:
        """b, what L is made of, and the networks one after the other."""
        return Layout([(self.dim,), (self.dim, self.dim), *[(self.net.size,)] * self.count])

    @property
    def size(self) -> int:
        """How many parameters."""
        return self.layout.size

    def init(self, rng: Stream) -> Array:
        """Parameters of the identity, float32."""
        nets = [self.net.init(rng) for _ in range(self.count)]
        return rng.xp.concatenate([rng.xp.zeros(self.dim + self.dim**2, onp.float32), *nets])

    def changed(self, k: int) -> slice:
        """Which coordinates network k does not see."""
        half = self.dim // 2
        return slice(half, self.dim) if k % 2 == 0 or half == 0 else slice(0, half)

    def mask(self, k: int, like: Array) -> Array:
        """The same as a vector, (dim,), of ones where a coordinate is changed and zeros where it is kept."""
        part = self.changed(k)
        return _mask(self.dim, part.start, part.stop, array_module(like), onp.dtype(like.dtype))

    def said(self, params: Array, k: int, x: Array) -> Array:
        """What network k makes of the kept coordinates of x, (n, dim): (n, dim, outputs)."""
        seen = x * (1 - self.mask(k, params))
        return np.reshape(self.net(params, seen), (-1, self.dim, self.outputs))

    def affine(self, shift: Array, free: Array) -> tuple[Array, Array]:
        """b and the triangular L, its diagonal e^ of what is free there, (dim,) and (dim, dim)."""
        below, one = _triangle(self.dim, array_module(free), onp.dtype(free.dtype))
        return shift, free * below + np.exp(free * one) * one


@cache
def _mask(dim: int, start: int, stop: int, xp: Any, dtype: Any) -> Array:
    mask = onp.zeros(dim, dtype)
    mask[start:stop] = 1
    return xp.asarray(mask)


@cache
def _triangle(dim: int, xp: Any, dtype: Any) -> tuple[Array, Array]:
    return xp.asarray(onp.tri(dim, k=-1, dtype=dtype)), xp.asarray(onp.eye(dim, dtype=dtype))
