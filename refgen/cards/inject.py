"""What stands around the formula that is injected into a check: copies, another precision, another device.

Only the formula is wrapped. The derivation stays in float64 on the host, whatever the formula runs on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval

from refgen.backend import CPU, Device, Stream, array_module, to_host

__all__ = ["each", "in_precision", "on_copies", "on_device"]

Formula = Callable[..., Any]


def each(change: Callable[[Any], Any], value: Any) -> Any:
    """The value with everything in its lists, tuples and dicts changed."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(each(change, v) for v in value))
    if type(value) in (list, tuple):
        return type(value)(each(change, v) for v in value)
    if type(value) is dict:
        return {key: each(change, v) for key, v in value.items()}
    return change(value)


def on_copies(formula: Formula) -> Formula:
    """The formula on copies of its arrays: one that changes them in place leaves the derivation alone."""

    def copied(a: Any) -> Any:
        return a.copy() if isinstance(a, np.ndarray) else a

    def on_copies(*args: Any, **kwargs: Any) -> Any:
        return formula(*each(copied, args), **each(copied, kwargs))

    return on_copies


def in_precision(formula: Formula, precision: str) -> Formula:
    """The formula with its arrays, in lists too, cast to float32 and its result brought back to float64.

    Python floats stay as they are, as schedules hand them out. A result that is not float32 although an array
    went in is an error.
    """
    if precision == "float64":
        return formula

    def narrowed(*args: Any, **kwargs: Any) -> Any:
        cast = [False]

        def down(a: Any) -> Any:
            if isinstance(a, np.ndarray) and a.dtype == np.float64:
                cast[0] = True
                return a.astype(np.float32)
            return a

        def up(a: Any) -> Any:
            if isinstance(a, np.ndarray | np.floating):
                if cast[0] and a.dtype == np.float64:
                    raise TypeError("float32 arrays went in and float64 came out")
                return a.astype(np.float64)
            return a

        return each(up, formula(*each(down, args), **each(down, kwargs)))

    return narrowed


def on_device(formula: Formula, device: Device) -> Formula:
    """The formula with its arrays, and its random streams, on the device, and its result brought home.

    Numbers stay numbers where there is an array beside them; a formula of numbers alone is given them as
    arrays without axes. It may be differentiated: derivatives run on the device too.
    """
    if device is CPU:
        return formula
    there, home = _moves(device)

    def move(a: Any) -> Any:
        if isinstance(getval(a), np.ndarray):
            return there(a)
        if isinstance(a, Stream):
            moved = Stream(a.seed, *a.path, device=device)
            moved.restore(a.state)
            return moved
        if hasattr(a, "xp"):  # what stands in for a stream
            a = copy.copy(a)
            a.xp = device.xp
        return a

    def lift(a: Any) -> Any:
        return there(a) if isinstance(getval(a), float) else a

    def back(a: Any) -> Any:
        return home(a) if array_module(a) is device.xp else a

    def moved(*args: Any, **kwargs: Any) -> Any:
        arrays: list[Any] = []
        each(lambda a: arrays.append(a) if isinstance(getval(a), np.ndarray) else None, [args, kwargs])
        there_or_lifted = move if arrays else lift
        return each(back, formula(*each(there_or_lifted, args), **each(there_or_lifted, kwargs)))

    return moved


@cache
def _moves(device: Device) -> tuple[Formula, Formula]:
    """There and home; what autograd traces through one of them comes back, as a derivative, by the other."""

    @primitive
    def there(a: Any) -> Any:
        return device.xp.asarray(a)

    @primitive
    def home(a: Any) -> Any:
        return to_host(a)[()]  # a number where there is no axis, as NumPy's reductions return it

    defvjp(there, lambda ans, a: home)
    defvjp(home, lambda ans, a: there)
    return there, home
