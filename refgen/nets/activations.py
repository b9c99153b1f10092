"""SiLU, z sigmoid(z), and its slope: through one tanh, which neither overflows nor leaves float32."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy as onp

import refgen.autodiff  # noqa: F401  tanh' without overflow

__all__ = ["silu", "silu_gate", "silu_slope"]

Array = Any


def silu(z: Array) -> Array:
    """z / (1 + exp(-z)), differentiable any number of times."""
    u = 0.5 * z
    return u * (1 + np.tanh(u))


def silu_gate(u: Array, gate: Array) -> None:
    """In place: gate becomes 1 + tanh u and u becomes silu(2 u) = u (1 + tanh u)."""
    onp.tanh(u, out=gate)
    gate += 1
    u *= gate


def silu_slope(activation: Array, gate: Array, spare: Array) -> None:
    """In place: from what `silu_gate` left, gate becomes d silu(2 u) / du = gate + activation (2 - gate)."""
    onp.subtract(2, gate, out=spare)
    spare *= activation
    gate += spare
