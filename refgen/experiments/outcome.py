"""What an experiment finds: claims with their numbers, a figure, and the text that goes with them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

__all__ = ["Claim", "Outcome", "claim_lines", "outcome_lines", "surprises", "to_json"]

WIDTH = 100


class Claim(NamedTuple):
    """One measured number and what is claimed of it.

    what: a few words. relation: "<=", ">=" or "==", the last to within `within`. expected: False for a
    claim that is known not to hold, so that to find it hold would be the surprise.
    """

    what: str
    measured: float
    relation: str
    bound: float
    within: float = 0.0
    expected: bool = True

    @property
    def holds(self) -> bool:
        """Whether the measured number is as claimed; never for one that is not finite."""
        if not np.isfinite(self.measured):
            return False
        if self.relation == "<=":
            return bool(self.measured <= self.bound)
        if self.relation == ">=":
            return bool(self.measured >= self.bound)
        if self.relation == "==":
            return bool(abs(self.measured - self.bound) <= self.within)
        raise ValueError(f"relation is {self.relation!r}; it must be one of <=, >=, ==")

    @property
    def margin(self) -> str:
        """By how much it holds or does not, in words; "" where that says nothing."""
        if self.relation == "==":
            off = abs(self.measured - self.bound)
            return f"off by {off:.2g}" if off else "exactly"
        if self.bound == 0 or self.measured == 0 or self.measured * self.bound < 0:
            return ""
        return f"{self.measured / self.bound:.2g} x bound"


@dataclass(frozen=True)
class Outcome:
    """An experiment done.

    statement: what the lectures claim. claims: the numbers it was reduced to. numbers: everything measured,
    plain JSON. caption: what to conclude from the figure. qualified: where the statement needs a condition.
    """

    statement: str
    claims: list[Claim]
    numbers: dict[str, Any] = field(repr=False)
    figure: Figure = field(repr=False)
    caption: str
    qualified: str = ""


def surprises(outcome: Outcome) -> list[Claim]:
    """The claims that did not come out as is known of them, or not as a number."""
    return [claim for claim in outcome.claims if _surprises(claim)]


def _surprises(claim: Claim) -> bool:
    return claim.holds != claim.expected or not np.isfinite(claim.measured)


def claim_lines(claim: Claim) -> list[str]:
    """A claim for a terminal: the verdict, what, the number, its bound, by how much; "!" marks a surprise."""
    surprise = "!" if _surprises(claim) else " "
    verdict = "holds" if claim.holds else "does not hold"
    known = "" if claim.holds or claim.expected or _surprises(claim) else " (known not to hold)"
    within = f" +- {claim.within:.2g}" if claim.relation == "==" and claim.within else ""
    bound = f"{claim.relation} {claim.bound:.4g}{within}"
    first, *rest = textwrap.wrap(claim.what + known, 42)
    number = f"{claim.measured:>10.4g} {bound:<17} {claim.margin}"
    lines = [f"{surprise} {verdict:<14}{first:<42}{number}".rstrip()]
    return lines + [f"  {'':<16}{part}" for part in rest]


def outcome_lines(ids: str, outcome: Outcome) -> list[str]:
    """An outcome as text for a terminal, 100 columns wide."""
    lines = textwrap.wrap(f"{ids}  {outcome.statement}", WIDTH, subsequent_indent="  ")
    for claim in outcome.claims:
        lines += claim_lines(claim)
    for text in (outcome.qualified, outcome.caption):
        if text:
            lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
    return lines


def to_json(outcome: Outcome) -> dict[str, Any]:
    """All but the figure, as plain JSON; numbers that are not finite become null."""
    claims = [claim._asdict() | {"holds": claim.holds} for claim in outcome.claims]
    found = {
        "statement": outcome.statement,
        "claims": claims,
        "qualified": outcome.qualified,
        "caption": outcome.caption,
        "numbers": outcome.numbers,
    }
    return _plain(found)


def _plain(value: Any) -> Any:
    """Arrays and NumPy numbers as lists and numbers of Python."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
