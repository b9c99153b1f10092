"""What must hold of autograd with refgen's rules; each check fails with an exception of any kind."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import autograd.numpy as np
import numpy as onp
from autograd import elementwise_grad, grad, jacobian
from autograd.core import make_jvp, make_vjp

from refgen.backend import CPU, Device
from tests.device import DOUBLE, same
from tests.device.double import DeviceArray
from tests.device.op_cases import CASES, FORWARD

__all__ = ["CHECKS", "check_case", "derivatives", "no_float64"]

Array = Any


def _numbers(shape: tuple[int, ...], seed: int, xp: Any, dtype: Any = onp.float32) -> Array:
    return xp.asarray(onp.random.default_rng(seed).standard_normal(shape).astype(dtype))


def derivatives(
    function: Callable[..., Array], forward: bool, xp: Any, *shapes: tuple[int, ...]
) -> list[Array]:
    """The value, its gradient, the gradient of that along a direction, and a derivative forward."""
    inputs = tuple(_numbers(shape, i, xp) for i, shape in enumerate(shapes))
    along = tuple(_numbers(shape, 10 + i, xp) for i, shape in enumerate(shapes))

    def gradient(t: Any) -> Any:
        vjp, value = make_vjp(lambda u: function(xp, *u), t)
        return vjp(_numbers(np.shape(value), 20, xp))

    def slope(t: Any) -> Array:
        total = 0.0
        for g, d in zip(gradient(t), along, strict=True):
            total = total + np.sum(g * d)
        return total

    second, start = make_vjp(slope, inputs)
    out = [function(xp, *inputs), *gradient(inputs), start, *second(xp.ones((), dtype=onp.float32))]
    if forward:
        out.append(make_jvp(lambda u: function(xp, *u), inputs)(along)[1])
    return out


@contextmanager
def no_float64() -> Iterator[None]:
    """Fail where a float64 array is made on the double: containers cast their sums back and so hide one."""
    made, init = [], DeviceArray.__init__

    def noted(self: DeviceArray, host: onp.ndarray) -> None:
        init(self, host)
        if host.dtype == onp.float64:
            made.append(host.shape)

    DeviceArray.__init__ = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        DeviceArray.__init__ = init  # type: ignore[method-assign]
    assert not made, f"float64 arrays of shapes {made}"


def check_case(name: str, device: Device = DOUBLE) -> None:
    function, *shapes = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.filterwarnings(
            "ignore", message="Output seems independent"
        )  # the slope of a linear function
        host = derivatives(function, name in FORWARD, CPU.xp, *shapes)
        with no_float64():
            same(host, derivatives(function, name in FORWARD, device.xp, *shapes))
    assert all(x.dtype == onp.float32 for x in host)


def _tanh_far_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = onp.array([-200, 0, 200], onp.float32)
        assert elementwise_grad(np.tanh)(x).tolist() == [0, 1, 0]
        assert make_jvp(np.tanh, x)(onp.ones_like(x))[1].tolist() == [0, 1, 0]


def _sqrt_without_a_power() -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a power is taken")

    x, power = DOUBLE.xp.ones(3, dtype=onp.float32), DeviceArray.__pow__
    DeviceArray.__pow__ = refuse  # type: ignore[attr-defined]
    try:
        make_vjp(np.sqrt, x)[0](x)
        make_jvp(np.sqrt, x)(x)
    finally:
        DeviceArray.__pow__ = power  # type: ignore[attr-defined]


def _where_of_a_broadcast_branch() -> None:
    chosen = onp.array([[True, False, True], [False, True, True]])
    for branch, expected in (
        ((lambda x: np.where(chosen, x, 0.0)), [1, 1, 2]),
        (lambda x: np.where(chosen, 0.0, x), [1, 1, 0]),
    ):
        assert grad(lambda x, f=branch: np.sum(f(x)))(onp.ones(3)).tolist() == expected
    value, slope = make_jvp(lambda x: np.where(chosen, x, 0.0), onp.ones(3))(onp.ones(3))
    assert value.shape == slope.shape


def _sum_of_some() -> None:
    some = onp.array([True, False])
    assert grad(lambda x: np.sum(x * x, where=some))(onp.array([3.0, 4.0])).tolist() == [6, 0]


def _broadcast_to_new_axes() -> None:
    assert grad(lambda x: np.sum(np.broadcast_to(x, (4, 3))))(onp.ones(3)).tolist() == [4, 4, 4]


def _std_of_one_number() -> None:
    assert grad(lambda x: np.sum(np.std(x, axis=0)))(onp.ones((1, 2))).tolist() == [[0, 0]]


def _ties_are_shared() -> None:
    assert grad(lambda x: np.max(x))(onp.ones(4)).tolist() == [0.25] * 4
    for f in (np.maximum, np.minimum):
        assert elementwise_grad(lambda x, f=f: f(x, 0.0))(onp.zeros(2)).tolist() == [0.5, 0.5]


def _trace_along_the_last_axes() -> None:
    x = onp.ones((2, 3, 3))
    assert onp.array_equal(grad(lambda x: np.sum(np.trace(x, axis1=-2, axis2=-1)))(x), x * onp.eye(3))
    assert onp.array_equal(grad(lambda x: np.trace(x, offset=1))(x[0]), onp.eye(3, k=1))


def _bare_arrays_keep_float32() -> None:
    """On the host, where no double watches: one operation each, as a sum would cast back."""
    x = onp.random.default_rng(0).standard_normal((3, 3)).astype(onp.float32)
    spd = x @ x.T + onp.eye(3, dtype=onp.float32)
    operations: dict[str, Callable[[Array], Array]] = {
        "mean": np.mean, "var": np.var, "std": np.std, "max": np.max, "min": np.min, "trace": np.trace,
        "diagonal": lambda x: np.diagonal(x, axis1=-1, axis2=-2), "einsum": lambda x: np.einsum("ij->i", x),
        "maximum": lambda x: np.maximum(x, 0.0), "minimum": lambda x: np.minimum(x, 0.0),
        "where": lambda x: np.where(x > 0, x, 0.0), "cholesky": np.linalg.cholesky,
    }  # fmt: skip
    for name, f in operations.items():
        vjp, value = make_vjp(f, spd if name == "cholesky" else x)
        assert vjp(onp.ones_like(value)).dtype == onp.float32, name


def _jacobian_on_the_device() -> None:
    with no_float64():
        x = DOUBLE.xp.ones(3, dtype=onp.float32)
        same(onp.diag(2 * onp.ones(3, onp.float32)), jacobian(lambda x: x * x)(x))


def _list_index() -> None:
    assert grad(lambda x: np.sum(x[[0, 2, 2]]))(onp.ones(3)).tolist() == [1, 0, 2]
    assert grad(lambda x: np.sum(x[[]]))(onp.ones(3)).tolist() == [0, 0, 0]


def _orders_of_reshape() -> None:
    x, weight = onp.ones((2, 3)), onp.arange(6.0)
    for order in ("C", "F"):
        g = grad(
            lambda x, order=order: np.sum(np.reshape(x, (3, 2), order=order).ravel(order=order) * weight)
        )(x)
        assert onp.array_equal(g, onp.reshape(weight, x.shape, order=order))


def _forward_over_backward_through_an_index() -> None:
    x = onp.arange(1.0, 4.0)
    slope = make_jvp(lambda x: make_vjp(lambda u: u[1:] ** 3, x)[0](onp.ones(2)), x)(onp.ones(3))[1]
    assert slope.tolist() == [0, 12, 18]


SPECIAL = [
    _tanh_far_out, _sqrt_without_a_power, _where_of_a_broadcast_branch, _sum_of_some, _broadcast_to_new_axes,
    _std_of_one_number, _ties_are_shared, _trace_along_the_last_axes, _bare_arrays_keep_float32,
    _jacobian_on_the_device, _list_index, _orders_of_reshape,
    _forward_over_backward_through_an_index,
]  # fmt: skip
CHECKS: dict[str, Callable[[], None]] = {f.__name__.strip("_").replace("_", " "): f for f in SPECIAL}
CHECKS |= {f"case {name}": partial(check_case, name) for name in CASES}
