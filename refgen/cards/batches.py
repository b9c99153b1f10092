"""Two points at once: a user's formula must do on stacked points what it does on each.

Cards draw single points, (d,), on which axis 0 is the last axis too. Where the library's formula takes points
as (..., d), the user's is called with two of them as (2, d) beside each alone, and the rows must be the same.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from refgen.backend import array_module, to_host
from refgen.cards.inject import each
from refgen.cards.judge import Refused

__all__ = ["on_batches"]

Formula = Callable[..., Any]


def on_batches(formula: Formula, library: Formula) -> Formula:
    """The formula; it raises Refused where stacked points give it other rows than single ones.

    library: the formula in whose place it stands, which decides what of its arguments can be stacked.
    """

    def checked(*args: Any, **kwargs: Any) -> Any:
        stacked = _what_can_be_stacked(library, args, kwargs)
        alone = formula(*args, **kwargs)
        if not stacked:
            return alone
        try:
            same = _same_rows(formula, args, kwargs, stacked)
        except Exception as error:
            said = f"raised {type(error).__name__}: {error}"
            raise Refused(f"runs for one point, and for two points at once, as (2, d), {said}") from None
        if not same:
            raise Refused(
                "two points at once, as (2, d), do not give the two answers that it gives one by one; "
                "is something summed over all axes, or over axis 0, and not over the last?"
            )
        return alone

    return checked


def _what_can_be_stacked(library: Formula, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[int]:
    """The places of the points among the arguments; none where they are not single points, as (d,).

    Points are what the library's documentation calls (..., d), or laws (..., K); and stacked they must do.
    """
    named = _points(library)
    places = [i for i in named if i < len(args)]
    single = all(isinstance(args[i], array_module(args[i]).ndarray) and args[i].ndim == 1 for i in places)
    if not places or len(places) < len(named) or not single:
        return []
    try:
        return places if _same_rows(library, args, kwargs, places) else []
    except (
        ValueError,
        IndexError,
    ):  # the other arguments are not made for it: a level for each coordinate, say
        return []


@cache
def _points(library: Formula) -> list[int]:
    """The places of the arguments that the docstring calls (..., d) or (..., K)."""
    text = library.__doc__ or ""
    for other in re.findall(r"[Aa]rguments as for `(\w+)`", text):
        text += getattr(inspect.getmodule(library), other).__doc__ or ""
    found = re.findall(r"((?:\w+, )*\w+): \(\.\.\., [dK]\)", text)
    names = {name for group in found for name in group.split(", ")}
    return [i for i, name in enumerate(inspect.signature(library).parameters) if name in names]


def _same_rows(formula: Formula, args: tuple[Any, ...], kwargs: dict[str, Any], places: list[int]) -> bool:
    """Whether the formula on the points and the same backwards, stacked, gives what it gives on each."""

    def call(change: Callable[[Any], Any]) -> list[np.ndarray]:
        leaves: list[np.ndarray] = []
        result = formula(*(change(a) if i in places else a for i, a in enumerate(args)), **kwargs)
        each(lambda leaf: leaves.append(np.asarray(to_host(leaf))), result)
        return leaves

    there, back = call(lambda a: a.copy()), call(lambda a: a[::-1].copy())
    both = call(lambda a: np.stack([a, a[::-1]]))
    return len(both) == len(there) and all(map(_is_stack, both, there, back))


def _is_stack(both: np.ndarray, first: np.ndarray, second: np.ndarray) -> bool:
    """Whether the first is the other two, stacked, or all are one value, which no point moves."""
    rows = np.stack([first, second])
    if both.shape != rows.shape and not (both.shape == first.shape and np.array_equal(first, second)):
        return False
    if both.dtype.kind not in "fc":
        return bool(np.all(both == rows))
    accuracy = 1e-3 if both.dtype == np.float32 else 1e-7
    scale = np.max(np.abs(rows[np.isfinite(rows)]), initial=0)
    return np.allclose(both, rows, rtol=accuracy, atol=accuracy * scale, equal_nan=True)
