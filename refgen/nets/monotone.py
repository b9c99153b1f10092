"""A small network that increases whatever its parameters are: for a learned log-SNR."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import autograd.numpy as np
import numpy as onp

from refgen.autodiff import array_module, sigmoid, softplus
from refgen.backend import Stream
from refgen.nets.layout import Layout

__all__ = ["Monotone"]

Array = Any

STEEPNESS = 10.0  # the hidden units are sigmoids of about this slope, spread over [0, 1]


@dataclass(frozen=True)
class Monotone:
    r"""A function of t in [0, 1] that rises strictly.                                   [SNR-4]

    .. math:: \omega(t) = b + w_0 t + \sum_k w_k\,\mathrm{sigmoid}\big(s_k (t - c_k)\big),
              \qquad w_0, w_k, s_k > 0

    Weights that must be positive are softplus of a parameter. `net(params, t)`: params one vector of
    `net.size` numbers, t (n,), returns (n,). Source: after Kingma et al. 2021, appendix H.
    """

    hidden: int = 32

    def __post_init__(self) -> None:
        if self.hidden < 1:
            raise ValueError(f"hidden is {self.hidden}; it must be an integer >= 1")

    @cached_property
    def layout(self) -> Layout:
        """b, w_0, then the w, s and c of the hidden units."""
        return Layout([(1,), (1,), (self.hidden,), (self.hidden,), (self.hidden,)])

    @property
    def size(self) -> int:
        """How many parameters."""
        return self.layout.size

    def init(self, rng: Stream) -> Array:
        """Parameters, float32: nearly a straight line, the centres of the sigmoids drawn uniformly."""
        params = rng.xp.zeros(self.size, onp.float32)
        _, _, weights, _, centres = self.layout.views(params)
        weights[:] = -5.0
        centres[:] = rng.uniform(self.hidden, dtype=onp.float32)
        return params

    def __call__(self, params: Array, t: Array) -> Array:
        self.layout.require(params)
        bias, slope, weights, steepness, centres = self.layout.parts(params)
        inner = STEEPNESS * softplus(steepness) * (np.reshape(t, (-1, 1)) - centres)
        rises = softplus(weights) * sigmoid(inner)
        return bias + softplus(slope) * t + np.sum(rises, axis=1)

    def between(self, params: Array, t: Array, low: float, high: float) -> Array:
        """The same rise, stretched to go from low at t = 0 to high at t = 1 exactly. t: (n,) in [0, 1]."""
        ends = array_module(params).arange(2, dtype=params.dtype)
        start, end = (self(params, ends[k : k + 1]) for k in range(2))
        return low + (high - low) * ((self(params, t) - start) / (end - start))
