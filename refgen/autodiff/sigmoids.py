"""The logistic function and its integral: here, where formulas and nets may both take them from."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np

__all__ = ["sigmoid", "softplus"]

Array = Any


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(-a)) of an array, to full relative accuracy at both ends."""
    small = np.exp(np.where(a < 0, a, -a))  # not -abs(a), whose derivative at 0 is 0
    return np.where(a < 0, small, 1) / (1 + small)


def softplus(a: Array) -> Array:
    """log(1 + exp(a)) of an array, without overflow, with every derivative also at 0.

    np.logaddexp(0, a) is many times slower.
    """
    return np.where(a < 0, 0.0, a) + np.log1p(np.exp(np.where(a < 0, a, -a)))
