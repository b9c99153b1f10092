"""Elementary functions that leave precision alone, and the shape rule that all formulas share.

`np.sqrt(0.5)` is a `np.float64`, and a `np.float64` turns float32 work into float64. A Python float
does not. So a number that is a Python float (or a NumPy scalar of that kind) stays one here, and
everything else goes to NumPy through autograd's wrapper.
"""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as np

from refgen.autodiff import array_module

__all__ = ["exp", "expm1", "identity_like", "log", "log1p", "require_last_axis", "sigmoid", "sqrt"]

Array = Any


def sqrt(a: Array) -> Array:
    """Square root of a number or an array of them, a >= 0."""
    return math.sqrt(a) if isinstance(a, int | float) else np.sqrt(a)


def log(a: Array) -> Array:
    """Natural logarithm of a number or an array of them; log 0 is minus infinity."""
    if isinstance(a, int | float):
        return math.log(a) if a > 0 else -math.inf if a == 0 else math.nan
    return np.log(a)


def log1p(a: Array) -> Array:
    """log(1 + a), accurate for small a; -inf at a = -1."""
    if isinstance(a, int | float):
        return math.log1p(a) if a > -1 else -math.inf if a == -1 else math.nan
    return np.log1p(a)


def exp(a: Array) -> Array:
    """Exponential of a number or an array of them; overflow is infinity."""
    if isinstance(a, int | float):
        return math.exp(a) if a < 709.78 else math.inf
    return np.exp(a)


def expm1(a: Array) -> Array:
    """exp(a) - 1, accurate for small a."""
    if isinstance(a, int | float):
        return math.expm1(a) if a < 709.78 else math.inf
    return np.expm1(a)


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)) of a number or an array of them, to full relative accuracy at both ends."""
    if isinstance(a, int | float):
        small = math.exp(-abs(a))
        return (small if a < 0 else 1.0) / (1 + small)
    small = np.exp(np.where(a < 0, a, -a))  # not -abs(a), whose derivative at 0 is 0
    return np.where(a < 0, small, 1) / (1 + small)


def identity_like(a: Array) -> Array:
    """The identity matrix of a's last axis, (d, d), in a's precision and on its device."""
    return array_module(a).eye(np.shape(a)[-1], dtype=a.dtype)


def require_last_axis(**named: Array) -> None:
    """Raise ValueError unless all named arrays have the same last axis (the dimension d of the data).

    >>> require_last_axis(x_t=np.zeros((5, 2)), x_0=np.zeros((5, 3)))
    Traceback (most recent call last):
    ValueError: x_0 has shape (5, 3); its last axis must match that of x_t, shape (5, 2)
    """
    (first, reference), *others = named.items()
    for name, array in others:
        if np.shape(array)[-1:] != np.shape(reference)[-1:]:
            raise ValueError(
                f"{name} has shape {np.shape(array)}; its last axis must match that of {first}, "
                f"shape {np.shape(reference)}"
            )
