"""A multilayer perceptron with SiLU on one flat vector of parameters."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import autograd.numpy as np
import numpy as onp
from autograd.tracer import isbox

from refgen.backend import Stream
from refgen.nets.activations import silu
from refgen.nets.fused import Tapes, inference, network
from refgen.nets.layout import Layout

__all__ = ["MLP"]

Array = Any


@dataclass(frozen=True)
class MLP:
    """inputs (and features of a condition) -> hidden, `layers` times, with SiLU -> outputs.

    `net(params, x, features)`: params is one vector of `net.size` numbers, x (n, inputs), features
    (n, features), (1, features) where all points share one condition, or None where there are none. Returns
    (n, outputs) in the dtype of params. Raises ValueError where a shape is another.

    >>> net = MLP(inputs=2, outputs=2)
    >>> params = np.zeros(net.size, np.float32)
    >>> net(params, np.zeros((5, 2))).shape
    (5, 2)
    """

    inputs: int
    outputs: int
    features: int = 0
    hidden: int = 128
    layers: int = 3

    def __post_init__(self) -> None:
        for name, least in [("inputs", 1), ("outputs", 1), ("features", 0), ("hidden", 1), ("layers", 1)]:
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be an integer >= {least}")

    @cached_property
    def layout(self) -> Layout:
        """Weights (in, out) and bias (out,) of each layer, in order."""
        widths = [self.inputs + self.features, *[self.hidden] * self.layers, self.outputs]
        pairs = itertools.pairwise(widths)
        return Layout([shape for a, b in pairs for shape in ((a, b), (b,))])

    @cached_property
    def stacked(self) -> Layout:
        """The same vector with the bias of each layer as the last row of its weights: (in + 1, out)."""
        return Layout([(a + 1, b) for a, b in self.layout.shapes[::2]])

    @property
    def size(self) -> int:
        """How many parameters."""
        return self.layout.size

    def init(self, rng: Stream, last: float = 0.0) -> Array:
        """Parameters of an untrained network, float32: normal weights of variance 1 / fan-in, biases zero.

        rng: gives the weights, and the device. last: the scale of the last layer; at 0
        the untrained network returns zeros.
        """
        params = rng.xp.zeros(self.size, onp.float32)
        *hidden, output = self.layout.views(params)[::2]
        for weight in hidden:
            weight[:] = rng.normal(*weight.shape, dtype=onp.float32) / math.sqrt(weight.shape[0])
        output[:] = rng.normal(*output.shape, dtype=onp.float32) * (last / math.sqrt(self.hidden))
        # A few coordinates beside many features would be drowned: each kind of input has its own fan-in.
        hidden[0][: self.inputs] *= math.sqrt(hidden[0].shape[0] / self.inputs)
        hidden[0][self.inputs :] *= math.sqrt(hidden[0].shape[0] / max(1, self.features))
        return params

    def __call__(self, params: Array, x: Array, features: Array | None = None) -> Array:
        self._require(params, x, features)
        x = x if x.dtype == params.dtype else x.astype(params.dtype)
        if features is not None and features.dtype != params.dtype:
            features = features.astype(params.dtype)
        if isbox(params) or isbox(x) or isbox(features):
            return network(params, x, features, net=self, tapes=Tapes())
        return inference(self, params, x, features)

    def compose(self, params: Array, x: Array, features: Array | None = None) -> Array:
        """The same network in autograd's own operations: slower, differentiable any number of times."""
        if features is not None:
            rows = features if features.shape[0] == x.shape[0] else np.repeat(features, x.shape[0], axis=0)
            x = np.concatenate([x, rows], axis=1)
        *hidden, weight, bias = self.layout.parts(params)
        for w, b in zip(hidden[::2], hidden[1::2], strict=True):
            x = silu(x @ w + b)
        return x @ weight + bias

    def _require(self, params: Array, x: Array, features: Array | None) -> None:
        self.layout.require(params)
        if len(x.shape) != 2 or x.shape[1] != self.inputs:
            raise ValueError(f"x has shape {x.shape}; this network takes (n, {self.inputs})")
        n = x.shape[0]
        if (features is None and self.features) or (
            features is not None and features.shape not in ((n, self.features), (1, self.features))
        ):
            shape = None if features is None else features.shape
            raise ValueError(
                f"features has shape {shape}; this network takes ({n}, {self.features}) "
                f"or (1, {self.features})"
            )
