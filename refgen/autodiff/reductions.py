"""Derivatives of sum, mean, prod, var, std, max and min.

autograd's spread the gradient by adding zeros from the host, and all but sum and prod divide by a NumPy
integer or by a sum of booleans, which makes float64 of everything behind them.
"""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as np
import numpy as onp
from autograd.extend import defjvp, defvjp

from refgen.autodiff.arrays import primitive_of

__all__: list[str] = []

Array = Any
Axis = int | tuple[int, ...] | None
Shape = tuple[int, ...]


def _axes(shape: Shape, axis: Axis) -> set[int]:
    if axis is None:
        return set(range(len(shape)))
    return {a % len(shape) for a in (axis if isinstance(axis, tuple) else (axis,))}


def _count(shape: Shape, axis: Axis) -> int:
    return math.prod(shape[a] for a in _axes(shape, axis))  # a Python integer: NumPy's would make float64


def _kept(g: Array, shape: Shape, axis: Axis) -> Array:
    """What a reduction of that shape gave, with the reduced axes as ones."""
    axes = _axes(shape, axis)
    return np.reshape(g, tuple(1 if a in axes else n for a, n in enumerate(shape)))


def _spread(g: Array, shape: Shape, axis: Axis) -> Array:
    """What a reduction of that shape gave, broadcast back (a view: nothing is allocated)."""
    return np.broadcast_to(_kept(g, shape, axis), shape)


def _sum_vjp(ans, x, axis=None, dtype=None, out=None, keepdims=False, initial=0, where=True):
    def vjp(g):
        spread = _spread(g, np.shape(x), axis)
        return spread if where is True else np.where(where, spread, 0.0)  # autograd's forgets the mask

    return vjp


def _mean_vjp(ans, x, axis=None, dtype=None, out=None, keepdims=False):
    return lambda g: _spread(g / _count(np.shape(x), axis), np.shape(x), axis)


def _prod_vjp(ans, x, axis=None, dtype=None, out=None, keepdims=False):
    return lambda g: _spread(g * ans, np.shape(x), axis) / x


def _var_vjp(ans, x, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    def vjp(g):
        centred = x - np.mean(x, axis=axis, keepdims=True)
        centred = np.conj(centred) if np.iscomplexobj(x) else centred
        return _kept(g, np.shape(x), axis) * (2.0 / (_count(np.shape(x), axis) - ddof)) * centred

    return vjp


def _std_vjp(ans, x, axis=None, dtype=None, out=None, ddof=0, keepdims=False):
    var_vjp = _var_vjp(ans, x, axis, dtype, out, ddof, keepdims)
    if _count(np.shape(x), axis) <= 1:  # a single number does not spread: 0, not 0 / 0
        return lambda g: _spread(0.0 * g, np.shape(x), axis)
    return lambda g: var_vjp(0.5 * g / ans)


def _shares(ans, x, axis):
    """1 where x is the extremum, shared where several are; of x's dtype, and no part of the trace."""
    hit = np.equal(x, _kept(ans, np.shape(x), axis)).astype(np.result_type(x))
    return hit / np.sum(hit, axis=axis, keepdims=True)


def _extremum_vjp(ans, x, axis=None, out=None, keepdims=False):
    return lambda g: _kept(g, np.shape(x), axis) * _shares(ans, x, axis)


def _extremum_jvp(g, ans, x, axis=None, out=None, keepdims=False):
    return np.sum(g * _shares(ans, x, axis), axis=axis, keepdims=keepdims)


defvjp(primitive_of(onp.sum), _sum_vjp)
defvjp(primitive_of(onp.mean), _mean_vjp)
defvjp(primitive_of(onp.prod), _prod_vjp)
defvjp(primitive_of(onp.var), _var_vjp)
defvjp(primitive_of(onp.std), _std_vjp)
for extremum in (onp.max, onp.min):
    defvjp(primitive_of(extremum), _extremum_vjp)
    defjvp(primitive_of(extremum), _extremum_jvp)
