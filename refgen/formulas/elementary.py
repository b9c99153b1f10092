"""Elementary functions that leave precision alone, and the shape rule that all formulas share.

`np.sqrt(0.5)` is a `np.float64`, and a `np.float64` turns float32 work into float64. A Python float
does not. So a number that is a Python float (or a NumPy scalar of that kind) stays one here, and
everything else goes to NumPy through autograd's wrapper.
"""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as np

from refgen import autodiff
from refgen.autodiff import array_module

__all__ = [
    "exp",
    "expm1",
    "identity_like",
    "log",
    "log1p",
    "log_softmax",
    "log_sum_exp",
    "require_last_axis",
    "sigmoid",
    "softmax",
    "softplus",
    "sqrt",
]

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
        return math.inf if a >= 709.78 else math.exp(a)  # nan stays nan
    return np.exp(a)


def expm1(a: Array) -> Array:
    """exp(a) - 1, accurate for small a."""
    if isinstance(a, int | float):
        return math.inf if a >= 709.78 else math.expm1(a)
    return np.expm1(a)


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)) of a number or an array of them, to full relative accuracy at both ends."""
    if isinstance(a, int | float):
        small = math.exp(-abs(a))
        return (small if a < 0 else 1.0) / (1 + small)
    return autodiff.sigmoid(a)


def softplus(a: Array) -> Array:
    """log(1 + exp(a)) of a number or an array of them: without overflow, every derivative right, at 0 too."""
    if isinstance(a, int | float):
        return max(a, 0.0) + math.log1p(math.exp(-abs(a)))
    return autodiff.softplus(a)


def log_sum_exp(a: Array, axis: int = -1) -> Array:
    """log sum_k exp(a_k) along an axis of an array, without overflow. Returns its shape without the axis."""
    largest = np.max(a, axis=axis, keepdims=True)
    total = np.sum(np.exp(_not_too_low(a - largest)), axis=axis)
    return np.reshape(largest, np.shape(total)) + np.log(total)


def softmax(a: Array, axis: int = -1) -> Array:
    """exp(a_k) / sum_l exp(a_l) along an axis of an array, without overflow. Returns its shape."""
    share = np.exp(_not_too_low(a - np.max(a, axis=axis, keepdims=True)))
    return share / np.sum(share, axis=axis, keepdims=True)


def log_softmax(a: Array, axis: int = -1) -> Array:
    """a_k - log sum_l exp(a_l) along an axis of an array: finite where a share underflows. Returns its shape.

    The largest is taken off first, so a constant that all share costs no digits.
    """
    a = a - np.max(a, axis=axis, keepdims=True)
    return a - np.log(np.sum(np.exp(_not_too_low(a)), axis=axis, keepdims=True))


def _not_too_low(exponent: Array) -> Array:
    """Exponents kept where exp gives normal numbers: below, it is several times slower and no more exact."""
    low = -80 if exponent.dtype == "float32" else -700
    return np.clip(exponent, low, 1)  # none is above 0; a clip is three times as fast as a maximum


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
