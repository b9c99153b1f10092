"""Equation cards: how a claim is stated, checked by a second way, and how its wrong forms are rejected."""

from refgen.cards.card import CARDS, Card, Wrong, definition, equation, misprint, mutant
from refgen.cards.judge import Verdict, judge, plain
from refgen.cards.run import CheckError, check, reject, summary, verify, verify_all, z_limit
from refgen.cards.search import counterexample, worst_case

__all__ = [
    "CARDS",
    "Card",
    "CheckError",
    "Verdict",
    "Wrong",
    "check",
    "counterexample",
    "definition",
    "equation",
    "judge",
    "misprint",
    "mutant",
    "plain",
    "reject",
    "summary",
    "verify",
    "verify_all",
    "worst_case",
    "z_limit",
]
