"""The doors: where points, levels and parameters from outside are checked, each with one clear line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["affine_parameters", "check_count", "check_level", "checked_weights", "finite_array", "shown"]

SMALLEST_STD = 1e-100  # its square is still a number; below, std must be exactly 0


def check_level(signal: Any, std: Any) -> tuple[float, float]:
    """The level as two Python floats. Raises ValueError unless both are finite, >= 0 and not both 0."""
    for name, value in (("signal", signal), ("std", std)):
        if np.ndim(value) != 0 or not math.isfinite(value) or value < 0:
            raise ValueError(f"{name} is {value!r}; it must be a finite number >= 0")
    signal, std = float(signal), float(std)
    if signal == 0 and std == 0:
        raise ValueError("signal and std are both 0; at least one must be positive")
    if 0 < std < SMALLEST_STD:
        raise ValueError(f"std is {std!r}; it must be 0 or at least {SMALLEST_STD}")
    return signal, std


def affine_parameters(shift: Any, scale: Any, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """shift and scale as float64 (d,). Raises ValueError for another shape, NaN, infinity, scale <= 0."""
    vectors = []
    for name, value in (("shift", shift), ("scale", scale)):
        vector = np.array(value, dtype=np.float64)
        if vector.shape not in ((), (1,), (dim,)) or not np.all(np.isfinite(vector)):
            raise ValueError(f"{name} is {value!r}; it must be a finite number, or {dim} of them")
        vectors.append(np.ones(dim) * vector)
    if not np.all(vectors[1] > 0):
        raise ValueError(f"scale is {scale!r}; it must be positive")
    return vectors[0], vectors[1]


def check_count(n: int) -> int:
    """n as an int. Raises ValueError unless it is a whole number >= 0."""
    if isinstance(n, bool) or not hasattr(n, "__index__") or n < 0:
        raise ValueError(f"n is {n!r}; it must be a whole number >= 0")
    return int(n)


def finite_array(name: str, value: Any, ndim: int) -> np.ndarray:
    """value as a new float64 array of that many axes. Raises ValueError unless all numbers are finite."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is not an array of numbers with rows of equal length") from None
    if array.ndim != ndim:
        raise ValueError(f"{name} has shape {array.shape}; it must have {ndim} axes")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} holds a NaN or an infinity; all numbers must be finite")
    return array


def shown(value: Any) -> str:
    """One short line that shows a value."""
    return " ".join(repr(value).split())[:60]


def checked_weights(weights: Any, count: int) -> np.ndarray:
    """count positive numbers of sum 1; equal where None. Raises ValueError for anything else."""
    if weights is None:
        return np.full(count, 1 / count)
    array = finite_array("weights", weights, 1)
    if array.shape != (count,) or not np.all(array > 0):
        raise ValueError(f"weights is {shown(weights)}; it must be {count} positive numbers, one a component")
    return array / array.sum()
