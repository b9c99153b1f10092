"""SiLU, z sigmoid(z), and its slope: through one tanh, which neither overflows nor leaves float32."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from autograd.extend import defjvp, defvjp, primitive
from numpy.polynomial import Polynomial

__all__ = ["silu", "silu_gate", "silu_slope"]

Array = Any


def silu(z: Array) -> Array:
    """z / (1 + exp(-z)), differentiable any number of times."""
    return _derivative(z, 0)


@primitive
def _derivative(z: Array, n: int) -> Array:
    """The nth derivative of silu, as one operation: faster where that is differentiated again.

    With u = z / 2, silu = u (1 + tanh u), and 2^n times the derivative is u T_n + n T_(n-1), T_n that of tanh
    by u.
    """
    u = 0.5 * z
    t = np.tanh(u)
    if n == 0:
        return u * (1 + t)
    slope = (1 - t) * (1 + t)
    before = 1 + t if n == 1 else slope * _polynomial(n - 1, t)
    return 0.5**n * (u * (slope * _polynomial(n, t)) + n * before)


@cache
def _coefficients(n: int) -> tuple[float, ...]:
    """Of P in T_n = (1 - t^2) P(t), t = tanh u, the highest power first; n >= 1."""
    p = Polynomial([1.0])
    for _ in range(n - 1):
        p = (Polynomial([1.0, 0.0, -1.0]) * p).deriv()
    return tuple(p.coef[::-1].tolist())


def _polynomial(n: int, t: Array) -> Array:
    value, *others = _coefficients(n)
    for coefficient in others:
        value = value * t + coefficient
    return value


defvjp(_derivative, lambda ans, z, n: lambda g: g * _derivative(z, n + 1), argnums=(0,))
defjvp(_derivative, lambda g, ans, z, n: g * _derivative(z, n + 1), argnums=(0,))


def silu_gate(u: Array, gate: Array) -> None:
    """In place: gate becomes 1 + tanh u and u becomes silu(2 u) = u (1 + tanh u)."""
    np.tanh(u, out=gate)
    gate += 1
    u *= gate


def silu_slope(activation: Array, gate: Array, spare: Array) -> None:
    """In place: from what `silu_gate` left, gate becomes d silu(2 u) / du = gate + activation (2 - gate)."""
    np.subtract(2, gate, out=spare)
    spare *= activation
    gate += spare
