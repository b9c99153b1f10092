"""Planar flows: each map moves all points along one direction, by how far along another they lie.  [FLOW-13]

Source: Rezende & Mohamed 2015, section 4.1 and appendix A.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np
import numpy as onp

from refgen.backend import Stream
from refgen.formulas import flow
from refgen.models.checks import require_whole
from refgen.models.flow import Flow
from refgen.nets.layout import Layout

__all__ = ["Planar"]

Array = Any

WHOLE = {"dim": 10**6, "maps": 1000}
HALVINGS = 60  # of a bracket: more than float64 has digits


@dataclass(frozen=True)
class Planar(Flow):
    r"""A chain of planar maps from the data to normal z, each made one-to-one by a constraint on u.

    .. math:: h(x)=x+\hat u\,\tanh(w^\top x+b),\qquad w^\top\hat u>-1

    The inverse of a planar map has no closed form. So the chain runs from the data to the noise, as is usual
    where a density is fitted: log_prob and its gradient are exact and take one pass, and a sample solves
    one equation on a line for each map. Each map bends space along one hyperplane alone, so many are needed.
    """

    dim: int = 2
    maps: int = 16  # 8 to 64

    usual: ClassVar[dict[str, Any]] = dict(steps=5000, lr=1e-2, cool=0.5)

    def __post_init__(self) -> None:
        require_whole(self, WHOLE)

    @cached_property
    def layout(self) -> Layout:
        """u, w and b of every map."""
        return Layout([(self.maps, self.dim), (self.maps, self.dim), (self.maps, 1)])

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector; the maps are drawn, and each moves little."""
        params = rng.xp.zeros(self.layout.size, onp.float32)
        u, w, b = self.layout.views(params)
        w[:] = rng.normal(*w.shape, dtype=onp.float32)
        b[:] = rng.normal(*b.shape, dtype=onp.float32)
        u[:] = 0.1 * rng.normal(*u.shape, dtype=onp.float32)
        return params

    def _maps(self, params: Array) -> list[tuple[Array, Array, Array]]:
        """u, constrained, w, and b of every map, the one at the data first."""
        u, w, b = self.layout.parts(params)
        u = flow.planar_u(u, w)
        return [(u[k], w[k], b[k, 0]) for k in range(self.maps)]

    def inverse(self, params: Array, x: Array) -> tuple[Array, list[Array]]:
        """z of x, (n, dim), in closed form, and log |det| of each map from z to x, a list of (n,)."""
        log_dets = []
        for u, w, b in self._maps(params):
            log_dets.append(-flow.planar_log_det(x, u, w, b))
            x = flow.planar(x, u, w, b)
        return x, log_dets

    def forward(self, params: Array, z: Array) -> tuple[Array, list[Array]]:
        """x = f(z), (n, dim), by a root for each map, and log |det| of each, a list of (n,).

        Not to be differentiated.
        """
        log_dets = []
        for u, w, b in reversed(self._maps(params)):
            z = unmoved(z, u, w, b)
            log_dets.append(-flow.planar_log_det(z, u, w, b))
        return z, log_dets


def unmoved(y: Array, u: Array, w: Array, b: Array) -> Array:
    r"""The x that a planar map moves to y, (n, d): the root of a rising function on a line.

    .. math:: \alpha+w^\top u\,\tanh(\alpha+b)=w^\top y,\qquad x=y-u\,\tanh(\alpha+b)

    It lies no further from w.y than |w.u|, and that bracket is halved down to the last digit; Newton's steps
    would not be safe where the map is nearly flat. u, w: (d,), w.u > -1. b: of no axes. Source: Rezende &
    Mohamed 2015, appendix A.1.
    """
    goal, along = np.sum(w * y, axis=-1, keepdims=True), np.sum(w * u)
    low, high = goal - np.abs(along), goal + np.abs(along)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = middle + along * np.tanh(middle + b) < goal
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return y - u * np.tanh((low + high) / 2 + b)
