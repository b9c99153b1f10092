"""Cards of a normalising constant that counts (EBM-5)."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, misprint, mutant
from refgen.cards.strategies import rungs, together
from refgen.formulas import energy
from refgen.sources import (
    SONG_NOTES,
    VALIANT_1979,
)


# ---- EBM-5: to normalise is to count
def formulas(n):
    """Clauses of two or three literals on n variables, as rows of -1, 0, 1."""
    literal = st.tuples(st.integers(0, n - 1), st.sampled_from([1.0, -1.0]))
    clause = st.lists(literal, min_size=1, max_size=min(n, 3), unique_by=lambda pair: pair[0])
    return st.lists(clause.map(dict), min_size=1, max_size=2 * n).map(
        lambda rows: np.array([[row.get(i, 0.0) for i in range(n)] for row in rows])
    )


def all_states(n):
    return np.array(list(product([-1.0, 1.0], repeat=n)))


def violated_by(state, clauses):
    """Clauses none of whose literals the state makes true, one after the other."""
    return sum(not any(c != 0 and c == x for c, x in zip(clause, state, strict=True)) for clause in clauses)


def solutions(clauses):
    states = product([-1.0, 1.0], repeat=clauses.shape[1])
    return sum(violated_by(state, clauses) == 0 for state in states)


SATISFIABILITY = rungs(lambda n: together(clauses=formulas(n)), 1, 2, 3, 5)


@equation(
    "EBM-5/limit",
    title="a normalising constant counts solutions",
    formula=energy.violations,
    latex=r"Z(\lambda)=\sum_xe^{-\lambda\,\#\mathrm{viol}(x)}\to\#\mathrm{SAT}\quad(\lambda\to\infty)",
    sources=[SONG_NOTES("'The key challenge'"), VALIANT_1979()],
    evidence="algebra",
    how="the solutions of small formulas counted one by one; Z at lambda = 30",
    given=SATISFIABILITY,
    relative=False,
    tolerance=1e-8,
    tolerance32=1e-4,
)
def cold_constant_counts(violations, clauses):
    violated = violations(all_states(clauses.shape[1]), clauses)
    return np.sum(np.exp(-30.0 * violated)), float(solutions(clauses))


@mutant("literals", of="EBM-5/limit", why="negations read as the variables themselves")
def violations_without_negation(states, clauses):
    return np.sum(((states[:, None] + 1) * abs(clauses)).sum(-1) == 0, axis=-1)


@mutant("and", of="EBM-5/limit", why="a clause violated as soon as one of its literals is false")
def violations_of_conjunctions(states, clauses):
    return np.sum((states[:, None] * clauses == -1).any(-1), axis=-1)


@equation(
    "EBM-5/count",
    title="what it counts is not a yes or no",
    formula=energy.count_satisfying,
    latex=r"\lim_{\lambda\to\infty}Z(\lambda)=\#\{x:\#\mathrm{viol}(x)=0\}",
    sources=[SONG_NOTES("'The key challenge'"), VALIANT_1979()],
    evidence="algebra",
    how="Z at lambda = 30, from the clauses checked one by one",
    given=SATISFIABILITY,
    relative=False,
    tolerance=1e-8,
)
def counting_is_not_deciding(count_satisfying, clauses):
    states = all_states(clauses.shape[1])
    violated = np.array([violated_by(state, clauses) for state in states], float)
    return float(count_satisfying(violated)), np.sum(np.exp(-30.0 * violated))


@misprint(
    "ERR-34",
    of="EBM-5/count",
    printed=r"\text{computing }Z\text{ is P-complete}",
    correct=r"\text{computing }Z\text{ is \#P-complete}",
    source=SONG_NOTES("'The key challenge'"),
    why="a problem in P is a question that is answered quickly by yes or no, as whether clauses of two "
    "literals have a solution. Z is the number of solutions. Here the answer instead: yes, 1, or no, 0",
)
def decision(violated):
    return np.any(violated == 0, axis=-1)
