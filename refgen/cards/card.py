"""Equation cards: a claim, the formula that implements it, and a second way to the same number.

A check is one function. It is given the formula (injected, so that a misprint, a mutant or a user's own
function can take its place) and the drawn inputs, and returns what the formula claims and what the
derivation finds. A third value, if there is one, is the scale to which their difference is compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from refgen.sources import Citation

__all__ = ["CARDS", "EVIDENCE", "KINDS", "Card", "Wrong", "definition", "equation", "misprint", "mutant"]

KINDS = ("equation", "inequality", "claim", "definition", "experiment", "reported")

EVIDENCE = {
    "algebra": "exact linear algebra or arithmetic",
    "chain": "exact sums over a small discrete chain",
    "autodiff": "automatic differentiation, or a full Jacobian",
    "quadrature": "numerical integration",
    "oracle": "an exact Gaussian mixture",
    "order": "the order at which an error vanishes",
    "monte carlo": "z-scores at fixed seeds",
    "cards": "the cards and tests that depend on it",
}

CARDS: dict[str, Card] = {}

Strategy = st.SearchStrategy[Any]

_ID = re.compile(r"[A-Za-z][A-Za-z0-9-]*(/[A-Za-z0-9._-]+)?")


@dataclass(frozen=True)
class Wrong:
    """A form of a formula that its card must reject: printed somewhere (misprint) or plausible (mutant)."""

    id: str
    of: str
    formula: Callable[..., Any]
    kind: str
    why: str
    printed: str = ""
    correct: str = ""
    source: Citation | None = None


@dataclass(frozen=True, eq=False)
class Card:
    """One claim and the way it is checked. Made by `equation` and `definition`, never by hand."""

    id: str
    title: str
    kind: str
    evidence: str
    how: str
    latex: str
    sources: tuple[Citation, ...]
    formula: Callable[..., Any] | None = None
    check: Callable[..., tuple[Any, ...]] | None = None
    given: tuple[st.SearchStrategy[dict[str, Any]], ...] = ()
    cases: tuple[dict[str, Any], ...] = ()
    tolerance: float = 1e-9
    relative: bool = True
    relation: str = "=="
    reject_at: float = 1e-8
    examples: int = 100
    tolerance32: float | None = 1e-4
    shown_by: tuple[str, ...] = ()
    module: str = ""
    wrong: list[Wrong] = field(default_factory=list)

    @property
    def row(self) -> str:
        """The row that this card is a part of: POST-5 for POST-5/mean."""
        return self.id.partition("/")[0]

    @property
    def topic(self) -> str:
        """The letters of the ID: POST for POST-5/mean."""
        return self.row.partition("-")[0]

    @property
    def formula_name(self) -> str:
        """module:function of the formula, or '' where there is none."""
        return f"{self.formula.__module__}:{self.formula.__name__}" if self.formula else ""


def _register(card: Card) -> None:
    known = CARDS.get(card.id)
    if known is not None and known.module != card.module:
        raise ValueError(f"card {card.id!r} stands already in {known.module}; an ID stands once")
    if not _ID.fullmatch(card.id):
        raise ValueError(f"card ID is {card.id!r}; it must be letters-number, perhaps with /part")
    CARDS[card.id] = card


def equation(
    id: str,
    *,
    title: str,
    formula: Callable[..., Any],
    latex: str,
    sources: Sequence[Citation],
    evidence: str,
    how: str,
    given: Mapping[str, Strategy] | Strategy | Sequence[Strategy] = (),
    cases: Iterable[dict[str, Any]] = (),
    kind: str = "",
    tolerance: float | None = None,
    relative: bool = True,
    relation: str = "==",
    reject_at: float | None = None,
    examples: int = 100,
    tolerance32: float | None = 1e-4,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated check as the card of an equation, an inequality or a claim.

    id: 'POST-5' or, for one of several numbers of a row, 'POST-5/mean'.
    given: Hypothesis strategies by argument name, or one strategy that yields the whole dict, or several such
        from the simplest up (dimension 1, 2, ...): a counterexample is sought on the lowest rung first.
    cases: instead of given, a fixed list of inputs (orders of convergence, seeds of a Monte Carlo check).
    tolerance: largest |claimed - derived| / scale that passes, the scale being |derived| or what the check
        returns third; with relative=False, largest |claimed - derived|. Default 1e-9; 0 for a claim.
    relation: '==', or '<=' for an inequality claimed <= derived.
    reject_at: error from which a wrong form is rejected; default 10 tolerances (0.5 for a claim).
    tolerance32: the tolerance when the formula runs on float32 arrays; None where that has no meaning
        (orders of convergence, z-scores, derivatives by differences, formulas that take no arrays): such a
        formula is run in float64 on the host alone.
    """
    kind = kind or ("inequality" if relation == "<=" else "equation")
    if kind == "claim":
        relative, tolerance = False, 0.0 if tolerance is None else tolerance
        reject_at = 0.5 if reject_at is None else reject_at
    tolerance = 1e-9 if tolerance is None else tolerance
    cases = tuple(dict(case) for case in cases)
    if evidence not in EVIDENCE:
        raise ValueError(f"{id}: evidence is {evidence!r}; it must be one of {', '.join(EVIDENCE)}")
    if kind not in KINDS or relation not in ("==", "<="):
        raise ValueError(f"{id}: kind {kind!r}, relation {relation!r}; known: {', '.join(KINDS)}; ==, <=")
    if isinstance(given, Mapping):
        given = st.fixed_dictionaries(dict(given)) if given else ()
    rungs = (given,) if isinstance(given, st.SearchStrategy) else tuple(given)
    if bool(rungs) == bool(cases) or any(not case for case in cases):
        raise ValueError(f"{id}: needs either given= (strategies) or cases= (dicts that are not empty)")

    def register(check: Callable[..., Any]) -> Callable[..., Any]:
        _register(
            Card(
                id=id,
                title=title,
                kind=kind,
                evidence=evidence,
                how=how,
                latex=latex,
                sources=tuple(sources),
                formula=formula,
                check=check,
                given=rungs,
                cases=cases,
                tolerance=tolerance,
                relative=relative,
                relation=relation,
                reject_at=10 * tolerance if reject_at is None else reject_at,
                examples=examples,
                tolerance32=None if evidence in ("order", "monte carlo") else tolerance32,
                module=check.__module__,
            )
        )
        return check

    return register


def definition(
    id: str,
    *,
    title: str,
    latex: str,
    sources: Sequence[Citation],
    shown_by: Sequence[str],
    how: str = "",
    kind: str = "definition",
    module: str,
) -> None:
    """Register a row that computes nothing of its own: a definition, a convention, an experiment.

    shown_by: IDs of the cards, and names of the tests (tests/file.py::test) or experiments, that show it;
    it passes when all those cards pass. module: `__name__` of the file that calls this.
    """
    if not shown_by and kind != "reported":
        raise ValueError(f"{id}: a {kind} names the cards or tests that show it")
    how = how or "shown by " + ", ".join(shown_by)
    sources, shown = tuple(sources), tuple(shown_by)
    _register(Card(id, title, kind, "cards", how, latex, sources, shown_by=shown, module=module))


def _attach(wrong: Wrong) -> None:
    card = CARDS.get(wrong.of)
    if card is None or card.formula is None:
        raise ValueError(f"{wrong.id}: there is no card {wrong.of!r} with a formula for it to be rejected by")
    card.wrong[:] = [other for other in card.wrong if other.id != wrong.id] + [wrong]


def misprint(
    id: str, *, of: str, printed: str, correct: str, source: Citation, why: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Attach the decorated function, the form as it was printed, to the card `of`, which must reject it.

    id: 'ERR-18', or 'ERR-8/reading' for one reading of an unclear print. printed, correct: LaTeX.
    """

    def register(formula: Callable[..., Any]) -> Callable[..., Any]:
        _attach(Wrong(id, of, formula, "misprint", why, printed, correct, source))
        return formula

    return register


def mutant(name: str, *, of: str, why: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Attach the decorated function, a plausible slip that nobody need have printed, to the card `of`."""

    def register(formula: Callable[..., Any]) -> Callable[..., Any]:
        _attach(Wrong(f"{of}:{name}", of, formula, "mutant", why))
        return formula

    return register


def where(function: Callable[..., Any]) -> str:
    """file:line of a function, relative to the package where it is part of it."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    path = Path(code.co_filename)
    root = Path(__file__).parents[2]
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    return f"{shown}:{code.co_firstlineno}"
