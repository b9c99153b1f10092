"""The array types that autograd may trace, and how its primitives are found and given rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as onp
from autograd.core import primitive_vjps
from autograd.extend import defvjp_argnums
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vspaces import ArrayVSpace
from autograd.tracer import getval, trace_primitives_map

__all__ = ["PRIVATE", "array_module", "defvjp_for", "primitive_of", "register"]

Array = Any

# What the package uses beyond autograd's public interface: a new version of autograd may move it.
PRIVATE = {
    "autograd.core": ("primitive_vjps",),
    "autograd.tracer": ("getval", "trace_primitives_map"),
    "autograd.numpy.numpy_boxes": ("ArrayBox",),
    "autograd.numpy.numpy_jvps": ("fwd_grad_concatenate_args",),
    "autograd.numpy.numpy_vjps": ("grad_concatenate_args", "unbroadcast_f"),
    "autograd.numpy.numpy_vspaces": ("ArrayVSpace",),
    "autograd.numpy.numpy_wrapper": ("array", "concatenate_args"),
}

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


def primitive_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """autograd's primitive for a function of NumPy (it hides some behind wrappers of its own)."""
    return trace_primitives_map[function]


def defvjp_for(primitive: Any, handles: Callable[..., bool], rule: Callable[..., Any]) -> None:
    """Give a primitive `rule(argnum, ans, *args, **kwargs)` for the calls whose arguments `handles` accepts.

    The others keep autograd's own.
    """
    theirs = primitive_vjps[primitive]

    def vjp_argnums(argnums: tuple[int, ...], ans: Array, args: Any, kwargs: Any) -> Any:
        if not handles(*args, **kwargs):
            return theirs(argnums, ans, args, kwargs)
        vjps = [rule(argnum, ans, *args, **kwargs) for argnum in argnums]
        return lambda g: [vjp(g) for vjp in vjps]

    defvjp_argnums(primitive, vjp_argnums)
