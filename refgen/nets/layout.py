"""A flat vector of parameters and its parts: one array for the optimiser, many for the network."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from autograd.extend import defjvp, defvjp, primitive

from refgen.autodiff import array_module

__all__ = ["Layout", "segment"]

Array = Any


@primitive
def segment(flat: Array, start: int, stop: int) -> Array:
    """flat[start:stop], with a gradient that costs one copy (autograd's own slicing costs ten times more)."""
    return flat[start:stop]


@primitive
def _embed(part: Array, start: int, size: int) -> Array:
    """The transpose of `segment`: the part in a vector of zeros."""
    whole = array_module(part).zeros(size, part.dtype)
    whole[start : start + part.shape[0]] = part
    return whole


defvjp(segment, lambda ans, flat, start, stop: lambda g: _embed(g, start, flat.shape[0]))
defvjp(_embed, lambda ans, part, start, size: lambda g: segment(g, start, start + part.shape[0]))
defjvp(segment, lambda g, ans, flat, start, stop: segment(g, start, stop))
defjvp(_embed, lambda g, ans, part, start, size: _embed(g, start, size))


class Layout:
    """The shapes that lie one after another in a flat vector.

    >>> layout = Layout([(2, 3), (3,)])
    >>> layout.size, [part.shape for part in layout.views(np.zeros(9))]
    (9, [(2, 3), (3,)])
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]]):
        self.shapes = tuple(tuple(shape) for shape in shapes)
        edges = np.cumsum([0, *(math.prod(shape) for shape in self.shapes)]).tolist()
        self.spans = tuple(itertools.pairwise(edges))
        self.size: int = edges[-1]

    def require(self, flat: Array) -> None:
        """Raise ValueError unless flat is a vector of this layout's size."""
        if np.shape(flat) != (self.size,):
            raise ValueError(f"params has shape {np.shape(flat)}; this layout holds ({self.size},)")

    def views(self, flat: Array) -> list[Array]:
        """The parts of an ordinary vector, as views: writing to a part writes to the vector."""
        return [flat[a:b].reshape(shape) for (a, b), shape in zip(self.spans, self.shapes, strict=True)]

    def parts(self, flat: Array) -> list[Array]:
        """The parts of a vector that autograd may be tracing."""
        return [
            segment(flat, a, b).reshape(shape) for (a, b), shape in zip(self.spans, self.shapes, strict=True)
        ]
