r"""A network's only output, its gradient by x and its Hessian's products, with their derivatives.

Score matching of an energy differentiates a derivative: by x once or twice, then by the parameters. Each step
is a primitive whose derivative is the next one, or written out (see `passes`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
from autograd.core import make_vjp
from autograd.extend import defvjp_argnums, primitive
from autograd.tracer import isbox

from refgen.models.passes import Tape
from refgen.nets.mlp import MLP

__all__ = ["gradient", "hessian_product", "output"]

Array = Any


def _tape(net: MLP, params: Array, x: Array, kept: list) -> Tape:
    if not kept:
        kept.append(Tape(net, params, x))
    return kept[0]


@primitive
def _output(params: Array, x: Array, *, net: MLP, kept: list) -> Array:
    return _tape(net, params, x, kept).value


@primitive
def _gradient(params: Array, x: Array, *, net: MLP, kept: list) -> Array:
    return _tape(net, params, x, kept).backward()


@primitive
def _product(params: Array, x: Array, v: Array, *, net: MLP, kept: list) -> Array:
    return _tape(net, params, x, kept).along(v).product


def output(net: MLP, params: Array, x: Array) -> Array:
    """The network's only output at the points x, (n, inputs), as (n,): differentiable any number of times.

    Raises ValueError where a shape is another.
    """
    x = x if x.dtype == params.dtype else x.astype(params.dtype)
    if not isbox(x):
        return net(params, x)[:, 0]
    net._require(params, x, None)
    return _output(params, x, net=net, kept=[])


def gradient(net: MLP, params: Array, x: Array) -> Array:
    """The gradient of `output` by x, (n, inputs)."""
    x = x if x.dtype == params.dtype else x.astype(params.dtype)
    net._require(params, x, None)
    return _gradient(params, x, net=net, kept=[])


def hessian_product(net: MLP, params: Array, x: Array, v: Array) -> Array:
    """The Hessian of `output` by x at each point, times v, (n, inputs), of that point."""
    net._require(params, x, None)
    return _product(params, x, v, net=net, kept=[])


def _composed_gradient(net: MLP, params: Array, x: Array) -> Array:
    backward, value = make_vjp(lambda z: np.sum(net.compose(params, z)), x)
    return backward(np.ones_like(value))


def _composed_product(net: MLP, params: Array, x: Array, v: Array) -> Array:
    return make_vjp(lambda z: _composed_gradient(net, params, z), x)[0](v)


def _again(function: Callable, argnums: tuple[int, ...], args: tuple, net: MLP, g: Array) -> Any:
    """The derivative in autograd's own operations, where it is itself being differentiated."""

    def of(chosen: tuple) -> Array:
        full = list(args)
        for k, value in zip(argnums, chosen, strict=True):
            full[k] = value
        return function(net, *full)

    return make_vjp(of, tuple(args[k] for k in argnums))[0](g)


def _output_vjp(argnums: tuple[int, ...], ans: Array, args: tuple, kwargs: dict) -> Callable:
    params, x = args

    def backward(g: Array) -> list[Array]:
        found = []
        for k in argnums:
            if k == 1:
                found.append(g[:, None] * _gradient(params, x, **kwargs))
            elif any(map(isbox, (g, *args))):
                composed = lambda net, *a: net.compose(*a)[:, 0]  # noqa: E731
                found.append(_again(composed, (0,), args, kwargs["net"], g)[0])
            else:
                found.append(_tape(kwargs["net"], params, x, kwargs["kept"]).by_params(g))
        return found

    return backward


def _gradient_vjp(argnums: tuple[int, ...], ans: Array, args: tuple, kwargs: dict) -> Callable:
    params, x = args

    def backward(g: Array) -> list[Array]:
        found = []
        for k in argnums:
            if k == 1:
                found.append(_product(params, x, g, **kwargs))
            elif any(map(isbox, (g, *args))):
                found.append(_again(_composed_gradient, (0,), args, kwargs["net"], g)[0])
            else:
                found.append(_tape(kwargs["net"], params, x, kwargs["kept"]).gradient_by_params(g))
        return found

    return backward


def _product_vjp(argnums: tuple[int, ...], ans: Array, args: tuple, kwargs: dict) -> Callable:
    params, x, v = args

    def backward(g: Array) -> list[Array]:
        if any(map(isbox, (g, *args))):
            return list(_again(_composed_product, argnums, args, kwargs["net"], g))
        tape = _tape(kwargs["net"], params, x, kwargs["kept"])
        by_params, by_x = tape.product_by_params(g, v) if argnums != (2,) else (None, None)
        return [(by_params, by_x, tape.along(g).product if k == 2 else None)[k] for k in argnums]

    return backward


defvjp_argnums(_output, _output_vjp)
defvjp_argnums(_gradient, _gradient_vjp)
defvjp_argnums(_product, _product_vjp)
