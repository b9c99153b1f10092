"""Derivatives of what moves elements and computes nothing: shapes, indices, joining."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy as onp
from autograd.extend import SparseObject, defjvp, defjvp_argnum, defvjp, defvjp_argnum, primitive, vspace
from autograd.numpy import numpy_jvps, numpy_vjps, numpy_wrapper
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vjps import unbroadcast_f

from refgen.autodiff.arrays import array_module, primitive_of

__all__: list[str] = []

Array = Any

# autograd passes order=None, which CuPy refuses.
defvjp(
    primitive_of(onp.reshape),
    lambda ans, x, shape, order="C": lambda g: np.reshape(g, np.shape(x), order=order),
)
defvjp(primitive_of(onp.ravel), lambda ans, x, order="C": lambda g: np.reshape(g, np.shape(x), order=order))

# autograd's refuses new leading axes.
defvjp(primitive_of(onp.broadcast_to), lambda ans, x, shape: unbroadcast_f(x, lambda g: g))


def _is_view(index: Any) -> bool:
    """Does the index take each element once at most, by slices, integers and new axes alone?"""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or isinstance(part, int | slice | onp.integer) for part in parts
    )


@primitive
def _untake(g: Array, index: Any, space: Any) -> SparseObject:
    """The adjoint of x[index]: adds g there to an array of that vector space."""
    if isinstance(index, list):  # an empty list would be one of floats
        index = onp.array(index, dtype=onp.int64)

    def mut_add(total: Array) -> Array:
        if _is_view(index):
            total[index] += g
        else:
            array_module(total).add.at(total, index, g)
        return total

    return SparseObject(space, mut_add)


# autograd's adds by NumPy's add.at, which CuPy refuses for slices and which is much slower than += there.
defvjp(ArrayBox.__getitem__, lambda ans, x, index: lambda g: _untake(g, index, vspace(x)))
defvjp(_untake, lambda ans, g, index, space: lambda u: u[index])
defjvp(_untake, "same")


def _along(index: Array, axis: int) -> tuple[Array, ...]:
    """The indices for which x[indices] is take_along_axis(x, index, axis)."""
    xp, dim = array_module(index), index.ndim
    grid = [
        xp.arange(n).reshape(tuple(n if a == b else 1 for b in range(dim))) for a, n in enumerate(index.shape)
    ]
    grid[axis] = index
    return tuple(grid)


# autograd has no rule for it.
defvjp(
    primitive_of(onp.take_along_axis),
    lambda ans, x, index, axis=-1: lambda g: _untake(g, _along(index, axis), vspace(x)),
)
defjvp(primitive_of(onp.take_along_axis), "same")


@primitive
def _joined(axis: int, *arrays: Array) -> Array:
    return onp.concatenate(arrays, axis)


# autograd's concatenate ends in .view(numpy.ndarray), of which CuPy makes an array of objects.
defvjp_argnum(_joined, numpy_vjps.grad_concatenate_args)
defjvp_argnum(_joined, numpy_jvps.fwd_grad_concatenate_args)
numpy_wrapper.concatenate_args = _joined  # behind concatenate, stack, hstack, append, and the rule of split

_array = numpy_wrapper.array


def _on_device(x: Any) -> bool:
    return array_module(x) is not onp


def _array_anywhere(a: Any, *args: Any, **kwargs: Any) -> Array:
    """np.array, but an array of a device stays there, and so does a list that holds some."""
    if _on_device(a) and not args and not kwargs:
        return a
    if isinstance(a, list | tuple) and any(_on_device(part) for part in a):
        return np.stack(a)
    return _array(a, *args, **kwargs)


# autograd's np.array copies to the host, and np.stack, np.append and jacobian call it.
numpy_wrapper.array = np.array = _array_anywhere
