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
        rise = self._rise(params, t)
        return self.layout.parts(params)[0] + rise

    def _rise(self, params: Array, t: Array) -> Array:
        """Without the bias b."""
        self.layout.require(params)
        _, slope, weights, steepness, centres = self.layout.parts(params)
        inner = STEEPNESS * softplus(steepness) * (np.reshape(t, (-1, 1)) - centres)
        rises = softplus(weights) * sigmoid(inner)
        return softplus(slope) * t + np.sum(rises, axis=1)

    def between(self, params: Array, t: Array, low: float, high: float) -> Array:
        """The same rise, stretched to go from low at t = 0 to high at t = 1 exactly. t: (n,) in [0, 1]."""
        value = self._rise(params, _with_ends(t))  # the bias would cancel, its slope but for rounding
        start, end = value[-2], value[-1]
        return low + (high - low) * ((value[:-2] - start) / (end - start))

    def between_and_slope(self, params: Array, t: Array, low: float, high: float) -> tuple[Array, Array]:
        """`between` and its derivative by t, which is > 0: (n,) each."""
        self.layout.require(params)
        _, slope, weights, steepness, centres = self.layout.parts(params)
        rate, weights, slope = STEEPNESS * softplus(steepness), softplus(weights), softplus(slope)
        rises, t = sigmoid(rate * (np.reshape(_with_ends(t), (-1, 1)) - centres)), _with_ends(t)
        value = slope * t + rises @ weights
        by_t = slope + (rises * (1 - rises)) @ (weights * rate)
        start, stretch = value[-2], (high - low) / (value[-1] - value[-2])
        return low + stretch * (value[:-2] - start), stretch * by_t[:-2]


def _with_ends(t: Array) -> Array:
    """t, and 0 and 1 behind it."""
    return np.concatenate([t, array_module(t).arange(2, dtype=t.dtype)])
