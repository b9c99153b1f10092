"""Searching a card's inputs: for the worst error of a formula, and for the smallest input that refutes it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, find, given, seed, settings, target
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from hypothesis.internal.conjecture import providers

from refgen.cards.card import Card
from refgen.cards.judge import Verdict, judge, plain

__all__ = ["counterexample", "simplest_first", "worst_case"]

_QUIET: dict[str, Any] = {
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "print_blob": False,
}


@contextlib.contextmanager
def _nothing_from_outside() -> Iterator[None]:
    """Hypothesis also tries the constants that it reads in the code of whatever modules are loaded from
    outside of site-packages, so one seed would draw other inputs in another program. Here it does not."""
    names = [name for name in _PRIVATE if hasattr(providers, name)]
    theirs = {name: getattr(providers, name) for name in names}
    for name in names:
        setattr(providers, name, _PRIVATE[name])
    try:
        yield
    finally:
        for name in names:
            setattr(providers, name, theirs[name])


# Not Hypothesis's public interface, hence looked up: the constants of modules, and what it keeps of them.
_NONE = providers.Constants()
_PRIVATE: dict[str, Any] = {
    "_get_local_constants": lambda: _NONE,
    "CONSTANTS_CACHE": type(providers.CONSTANTS_CACHE)(1024),
}


def worst_case(
    card: Card, formula: Callable[..., Any], *, examples: int | None = None, random_seed: int = 0
) -> tuple[Verdict, dict[str, Any], list[dict[str, Any]]]:
    """The largest error over the drawn inputs, towards which the search is steered, where it was, and all
    the inputs."""
    worst: list[tuple[Verdict, dict[str, Any]]] = []
    drawn: list[dict[str, Any]] = []

    def examine(inputs: dict[str, Any]) -> float:
        drawn.append(inputs)
        verdict = judge(card, formula, inputs)
        if not worst or verdict.error > worst[0][0].error or (verdict.fault and not worst[0][0].fault):
            worst[:] = [(verdict, inputs)]
        return verdict.error

    if not card.given:
        for case in card.cases:
            examine(case)
        return *worst[0], drawn

    @seed(random_seed)
    @settings(max_examples=examples or card.examples, phases=(Phase.generate, Phase.target), **_QUIET)
    @given(st.one_of(*card.given))
    def steered(inputs: dict[str, Any]) -> None:
        error = examine(inputs)
        if np.isfinite(error):
            target(error)

    with _nothing_from_outside():
        steered()
    return *worst[0], drawn


def simplest_first(drawn: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Inputs in the order of how much there is to write of them; of equal ones, the first drawn first."""
    return sorted(drawn, key=lambda inputs: len(str(plain(inputs))))


class _Enough(KeyboardInterrupt):
    """Raised inside Hypothesis to end a search whose budget is used up."""


def counterexample(
    card: Card,
    formula: Callable[..., Any],
    threshold: float,
    *,
    drawn: Iterable[dict[str, Any]] = (),
    examples: int = 400,
    shrinks: int | None = None,
    random_seed: int = 0,
) -> tuple[Verdict, dict[str, Any]] | None:
    """The smallest inputs on which the error exceeds the threshold, or None.

    The rungs of the card (dimension 1, 2, ...) are searched one after the other, so the first hit is on
    the lowest. A finite error is preferred to one where the values cannot be compared: it has two numbers.
    drawn: inputs that are tried before; the first with a finite error above the threshold is taken as it is,
    and nothing is searched. examples: for each rung. shrinks: how many inputs may be tried after the first
    hit; None for no limit.
    """
    other = None
    for inputs in drawn if card.given else card.cases:
        verdict = judge(card, formula, inputs)
        if verdict.error > threshold and np.isfinite(verdict.error):
            return verdict, inputs
        if verdict.error > threshold and other is None:
            other = verdict, inputs
    if not card.given:
        return other
    for finite in (True, False):
        for rung in card.given:
            found = _smallest(card, rung, formula, threshold, examples, shrinks, random_seed, finite)
            if found is not None:
                return found
    return None


def _smallest(
    card: Card,
    rung: st.SearchStrategy[dict[str, Any]],
    formula: Callable[..., Any],
    threshold: float,
    examples: int,
    shrinks: int | None,
    random_seed: int,
    finite: bool,
) -> tuple[Verdict, dict[str, Any]] | None:
    best: list[tuple[Verdict, dict[str, Any]]] = []
    tried = 0

    def refutes(inputs: dict[str, Any]) -> bool:
        nonlocal tried
        tried += bool(best)
        if shrinks is not None and tried > shrinks:
            raise _Enough
        verdict = judge(card, formula, inputs)
        if not verdict.error > threshold or (finite and not np.isfinite(verdict.error)):
            return False
        best[:] = [(verdict, inputs)]
        return True

    with contextlib.suppress(NoSuchExample, _Enough), _nothing_from_outside():
        find(
            rung,
            refutes,
            random=Random(random_seed),
            settings=settings(max_examples=examples, phases=(Phase.generate, Phase.shrink), **_QUIET),
        )
    return best[0] if best else None
