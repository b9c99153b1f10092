"""SiLU, z sigmoid(z), and its slope: through one tanh, which neither overflows nor leaves float32."""

from __future__ import annotations

from typing import Any

import numpy as onp
from autograd.extend import defjvp, defvjp, primitive

__all__ = ["silu", "silu_gate", "silu_slope", "tanh"]

Array = Any


@primitive
def tanh(x: Array) -> Array:
    """tanh with the derivative 1 - tanh^2 (autograd's own divides by cosh^2, which overflows)."""
    return onp.tanh(x)


defvjp(tanh, lambda ans, x: lambda g: g * (1 - ans * ans))
defjvp(tanh, lambda g, ans, x: g * (1 - ans * ans))


def silu(z: Array) -> Array:
    """z / (1 + exp(-z)), differentiable any number of times."""
    u = 0.5 * z
    return u * (1 + tanh(u))


def silu_gate(u: onp.ndarray, gate: onp.ndarray) -> None:
    """In place: gate becomes 1 + tanh u and u becomes silu(2 u) = u (1 + tanh u)."""
    onp.tanh(u, out=gate)
    gate += 1
    u *= gate


def silu_slope(activation: onp.ndarray, gate: onp.ndarray, out: onp.ndarray) -> onp.ndarray:
    """d silu(2 u) / du = gate + activation (2 - gate), from what `silu_gate` left."""
    onp.subtract(2, gate, out=out)
    out *= activation
    out += gate
    return out
