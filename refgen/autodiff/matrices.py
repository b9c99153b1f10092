"""Derivatives of linear algebra: trace, diagonal, inv, solve, cholesky, einsum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
import numpy as onp
from autograd.extend import defvjp

from refgen.autodiff.arrays import array_module, defvjp_for, primitive_of

__all__: list[str] = []

Array = Any


def _t(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


def _eye(x: Array, rows: int, columns: int, offset: int = 0) -> Array:
    """The identity where x lives, of its dtype."""
    return array_module(x).eye(rows, columns, offset, dtype=np.result_type(x))


def _trace_vjp(
    ans: Array, x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1
) -> Callable[[Array], Array]:
    eye = _eye(x, np.shape(x)[axis1], np.shape(x)[axis2], offset)
    return lambda g: np.moveaxis(g[..., None, None] * eye, (-2, -1), (axis1, axis2))


def _diagonal_vjp(
    ans: Array, x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1
) -> Callable[[Array], Array]:
    size = np.shape(x)[axis1]
    if offset != 0 or size != np.shape(x)[axis2]:
        raise NotImplementedError("np.diagonal has a derivative for the main diagonal of square matrices")
    eye = _eye(x, size, size)
    return lambda g: np.moveaxis(g[..., None] * eye, (-2, -1), (axis1, axis2))


# autograd's take the identity from the host, in float64; its trace knows no axes, its diagonal the last two.
defvjp(primitive_of(onp.trace), _trace_vjp)
defvjp(primitive_of(onp.diagonal), _diagonal_vjp)

# autograd's multiply matrices by einsum, which is slow and (below) does not differentiate again on a device.
defvjp(primitive_of(onp.linalg.inv), lambda ans, x: lambda g: -(_t(ans) @ g @ _t(ans)))


def _solve_vjp(argnum: int, ans: Array, a: Array, b: Array) -> Callable[[Array], Array]:
    def vjp(g: Array) -> Array:
        by_b = np.linalg.solve(_t(a), g)
        if argnum == 1:
            return by_b
        return -(by_b[..., None] * ans) if np.ndim(b) == 1 else -(by_b @ _t(ans))

    return vjp


defvjp_for(primitive_of(onp.linalg.solve), lambda a, b: np.ndim(b) in (1, np.ndim(a)), _solve_vjp)


def _cholesky_vjp(ans: Array, a: Array) -> Callable[[Array], Array]:
    def vjp(g: Array) -> Array:
        inverse = np.linalg.inv(ans)
        lower = np.tril(_t(ans) @ g)
        lower = lower - 0.5 * lower * _eye(a, np.shape(a)[-1], np.shape(a)[-1])
        whole = _t(inverse) @ lower @ inverse
        return 0.5 * (whole + _t(whole))

    return vjp


# autograd's takes an identity from the host, in float64.
defvjp(primitive_of(onp.linalg.cholesky), _cholesky_vjp)


def _is_plain(subscripts: Any, *operands: Any, **kwargs: Any) -> bool:
    """Explicit subscripts as in "ab,bc->ac": no ellipsis, no letter twice in a term, no axis broadcast."""
    if not isinstance(subscripts, str) or "->" not in subscripts or "." in subscripts or kwargs:
        return False
    terms = subscripts.replace(" ", "").split("->")[0].split(",")
    sizes = {
        pair for term, x in zip(terms, operands, strict=True) for pair in zip(term, np.shape(x), strict=True)
    }
    return (
        all(len(set(term)) == len(term) for term in terms)
        and len({letter for letter, _ in sizes}) == len(sizes)
        and not any(np.iscomplexobj(x) for x in operands)
    )


def _einsum_vjp(argnum: int, ans: Array, subscripts: str, *operands: Array) -> Callable[[Array], Array]:
    left, output = subscripts.replace(" ", "").split("->")
    terms, shape = left.split(","), np.shape(operands[argnum - 1])
    target = terms.pop(argnum - 1)
    others = operands[: argnum - 1] + operands[argnum:]
    known = set(output).union(*terms)  # the other letters of the operand were summed out of it alone
    kept = "".join(letter for letter in target if letter in known)

    def vjp(g: Array) -> Array:
        part = np.einsum(f"{','.join([output, *terms])}->{kept}", g, *others)
        if kept == target:
            return part
        ones = tuple(n if letter in known else 1 for letter, n in zip(target, shape, strict=True))
        return np.broadcast_to(np.reshape(part, ones), shape)

    return vjp


# autograd's parses the operands as arrays of the host, and multiplies by ones from there, in float64.
defvjp_for(primitive_of(onp.einsum), _is_plain, _einsum_vjp)
