"""Several networks that tell Gaussians, one after another on one flat vector of parameters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import autograd.numpy as np

from refgen.backend import Stream
from refgen.nets.conditional import Conditional
from refgen.nets.layout import segment

__all__ = ["Conditionals"]

Array = Any


@dataclass(frozen=True)
class Conditionals:
    """`conditionals(params, i, x)`: mean and variance by the i-th network, at x of any leading axes.

    x: (..., inputs). mean: (..., outputs). var: (..., outputs), (outputs,) or (1,), as the network spreads.
    """

    nets: tuple[Conditional, ...]

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Where each network's parameters begin and end."""
        return list(itertools.pairwise(itertools.accumulate((net.size for net in self.nets), initial=0)))

    @property
    def size(self) -> int:
        """How many parameters."""
        return self.spans[-1][1]

    def init(self, rng: Stream, stds: Sequence[float]) -> Array:
        """Parameters before training, float32: means of size one, and one std for each network."""
        return np.concatenate([net.init(rng, std) for net, std in zip(self.nets, stds, strict=True)])

    def __call__(self, params: Array, i: int, x: Array) -> tuple[Array, Array]:
        net, own = self.nets[i], segment(params, *self.spans[i])
        if len(x.shape) == 2:
            return net(own, x)
        mean, var = net(own, np.reshape(x, (-1, net.inputs)))
        shape = (*x.shape[:-1], net.outputs)
        return np.reshape(mean, shape), np.reshape(var, shape) if len(var.shape) == 2 else var
