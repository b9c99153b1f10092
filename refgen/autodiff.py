"""Lets autograd differentiate any array type that speaks NumPy's protocols, CuPy's among them.

autograd's primitives call NumPy functions, and NumPy hands those calls to the array's own library (NEP 13,
NEP 18), so that a CuPy array flows forward unaided. Backward it does not: some of autograd's rules build
arrays on the host, and some turn float32 into float64.
"""

from __future__ import annotations

from typing import Any

import numpy as onp
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vspaces import ArrayVSpace
from autograd.tracer import getval

__all__ = ["array_module", "register"]

Array = Any

_MODULES: dict[type, Any] = {}


def array_module(x: Array) -> Any:
    """The library that owns x, which autograd may be tracing: numpy, or cupy for a CuPy array."""
    return _MODULES.get(type(getval(x)), onp)


def register(array_type: type, xp: Any) -> None:
    """Let autograd trace arrays of that type; xp is the module that makes them."""
    if array_type in _MODULES:
        return

    class DeviceVSpace(ArrayVSpace):
        def __init__(self, value: Array):
            self.shape, self.dtype = value.shape, value.dtype

        def zeros(self) -> Array:
            return xp.zeros(self.shape, dtype=self.dtype)

        def ones(self) -> Array:
            return xp.ones(self.shape, dtype=self.dtype)

        def standard_basis(self) -> Any:
            for index in onp.ndindex(*self.shape):
                vector = self.zeros()
                vector[index] = 1
                yield vector

    _MODULES[array_type] = xp
    ArrayBox.register(array_type)
    DeviceVSpace.register(array_type)
