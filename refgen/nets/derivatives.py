"""Traces of a Jacobian by reverse passes, exactly or along a direction, and a count of the passes.

For a function that acts on each point alone, one reverse pass gives one row of every point's Jacobian at
once. The trace takes a row for each coordinate, v^T J v one pass for any number of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import autograd.numpy as np
from autograd.core import make_vjp
from autograd.extend import defjvp, defvjp, primitive

from refgen.autodiff import array_module

__all__ = ["Passes", "counted_passes", "sliced_trace", "trace", "watched"]

Array = Any


class Passes:
    """passes: how many reverse passes went through what is watched."""

    def __init__(self) -> None:
        self.passes = 0


_COUNTING: list[Passes] = []


@contextmanager
def counted_passes() -> Iterator[Passes]:
    """Count the reverse passes that run inside, through `trace`, `sliced_trace` and whatever is `watched`.

    >>> with counted_passes() as count:
    ...     _ = trace(np.sin, np.zeros((100, 3)))
    >>> count.passes
    3
    """
    count = Passes()
    _COUNTING.append(count)
    try:
        yield count
    finally:
        _COUNTING.remove(count)


@primitive
def watched(x: Array) -> Array:
    """x itself; a derivative that comes back to it is counted. f(watched(x)) watches f."""
    return x


def _watched_vjp(ans: Array, x: Array) -> Callable[[Array], Array]:
    def counted(g: Array) -> Array:
        for count in _COUNTING:
            count.passes += 1
        return g

    return counted


defvjp(watched, _watched_vjp)
defjvp(watched, "same")


def trace(f: Callable[[Array], Array], x: Array) -> tuple[Array, Array]:
    r"""f(x) and the exact trace of its Jacobian: one reverse pass for each coordinate.    [SM-8, SM-9]

    .. math:: \mathrm{tr}\,\nabla_xf=\sum_{i=1}^d\frac{\partial f_i}{\partial x_i}

    f: (n, d) -> (n, d), each point alone. x: (n, d). Returns (n, d) and (n,), differentiable again.
    Raises ValueError where a shape is another.
    """
    f_x, pull_back = _reverse(f, x)
    total = 0.0
    for i in range(x.shape[1]):
        basis = array_module(f_x).zeros(f_x.shape, f_x.dtype)
        basis[:, i] = 1
        total = total + pull_back(basis)[:, i]
    return f_x, total


def sliced_trace(f: Callable[[Array], Array], x: Array, v: Array) -> tuple[Array, Array]:
    r"""f(x) and :math:`v^\top(\nabla_xf)\,v` at each point: one reverse pass for each v.  [SSM-3, SSM-4]

    f: (n, d) -> (n, d), each point alone. x: (n, d). v: a direction for each point, (n, d), or m of them,
    (m, n, d). Returns (n, d) and (n,) or (m, n), differentiable again.
    Raises ValueError where a shape is another.
    """
    if v.shape[-2:] != x.shape or len(v.shape) > 3:
        raise ValueError(f"v has shape {v.shape}; it must be that of x, {x.shape}, or (m, n, d)")
    f_x, pull_back = _reverse(f, x)
    if len(v.shape) == 2:
        return f_x, np.sum(pull_back(v) * v, axis=-1)
    return f_x, np.stack([np.sum(pull_back(one) * one, axis=-1) for one in v])


def _reverse(f: Callable[[Array], Array], x: Array) -> tuple[Array, Callable[[Array], Array]]:
    """f(x), and g -> g^T J for each point."""
    if len(x.shape) != 2:
        raise ValueError(f"x has shape {x.shape}; it must be (n, d)")
    pull_back, f_x = make_vjp(lambda z: f(watched(z)), x)
    if f_x.shape != x.shape:
        raise ValueError(f"f(x) has shape {f_x.shape}; it must be that of x, {x.shape}")
    return f_x, pull_back
