"""Cards of determinants: their definition, and their rules (FLOW-2 to FLOW-5)."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from refgen.autodiff import array_module
from refgen.cards import equation, mutant
from refgen.cards.strategies import rungs, together
from refgen.derivations.directions import matrices
from refgen.derivations.flow_maps import triangles
from refgen.formulas import determinant
from refgen.sources import SJTU

RULES = [SJTU("'Preliminary'")]
FLOWS = [SJTU("'Normalizing Flows'")]


def norms(m):
    """The product of the lengths of the rows, which no determinant exceeds (Hadamard)."""
    return float(np.prod(np.linalg.norm(m, axis=1)))


def permanent(m):
    n = m.shape[-1]
    return sum(math.prod(m[i, p[i]] for i in range(n)) for p in itertools.permutations(range(n)))


# ---- FLOW-2: the definition
@equation(
    "FLOW-2",
    title="the determinant as a sum over permutations",
    formula=determinant.by_permutations,
    latex=r"\det M=\sum_{j_1\dots j_n}(-1)^{\tau(j_1\dots j_n)}a_{1j_1}\cdots a_{nj_n}",
    sources=RULES,
    evidence="algebra",
    how="the product of the pivots of elimination, with its row exchanges",
    given=rungs(lambda n: together(m=matrices(n, n)), 1, 2, 3, 4, 5),
    tolerance=1e-13,
    examples=40,
)
def sum_over_permutations_is_the_product_of_pivots(by_permutations, m):
    return by_permutations(m), np.linalg.det(m), norms(m)


@mutant("permanent", of="FLOW-2", why="all signs plus: that is the permanent")
def determinant_without_signs(m):
    return permanent(m)


@mutant("first", of="FLOW-2", why="the sign by j_1 alone, as if it told the inversions")
def determinant_with_sign_of_first(m):
    n = m.shape[-1]
    orders = itertools.permutations(range(n))
    return sum((-1) ** p[0] * math.prod(m[i, p[i]] for i in range(n)) for p in orders)


# ---- FLOW-3: when there is an inverse
def integers(n):
    """Matrices of small integers times a power of two: many are singular, all sums and products exact."""
    whole = st.lists(st.integers(-2, 2), min_size=n * n, max_size=n * n)
    return st.builds(
        lambda a, k: np.reshape(np.array(a, float), (n, n)) * 2.0**k, whole, st.sampled_from([0, -3, -12])
    )


def rank(m):
    """The rank, by elimination with fractions."""
    rows, found = [[Fraction(v) for v in row] for row in m.tolist()], 0
    for column in range(len(rows)):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for i in range(found + 1, len(rows)):
            ratio = rows[i][column] / rows[found][column]
            rows[i] = [a - ratio * b for a, b in zip(rows[i], rows[found], strict=True)]
        found += 1
    return found


@equation(
    "FLOW-3",
    title="a matrix has an inverse where its determinant is not 0",
    formula=determinant.invertible,
    latex=r"\det M=0\iff M\text{ is not invertible}",
    sources=RULES,
    evidence="algebra",
    kind="claim",
    how="the rank, by elimination with exact fractions",
    given=rungs(lambda n: together(m=integers(n)), 1, 2, 3, 4),
    examples=60,
)
def invertible_means_of_full_rank(invertible, m):
    return invertible(m), rank(m) == len(m)


@mutant("small", of="FLOW-3", why="small taken for 0: that of I / 4096 is small, and its inverse 4096 I")
def invertible_if_not_small(m):
    return np.abs(np.linalg.det(m)) > 1e-8


@mutant("diagonal", of="FLOW-3", why="no 0 on the diagonal: true of triangular matrices only")
def invertible_by_the_diagonal(m):
    return np.all(np.diagonal(m) != 0)


@equation(
    "FLOW-3/adjugate",
    title="a matrix times its adjugate is the determinant",
    formula=determinant.adjugate,
    latex=r"M\,\mathrm{adj}(M)=\det M\;I",
    sources=RULES,
    evidence="algebra",
    how="the determinant by elimination, on the diagonal and nothing else; half of the matrices are singular",
    given=rungs(lambda n: together(m=st.one_of(integers(n), matrices(n, n))), 1, 2, 3, 4),
    tolerance=1e-12,
    examples=40,
)
def adjugate_is_the_inverse_times_the_determinant(adjugate, m):
    scale = np.sum(np.abs(m)) ** len(m)
    return m @ adjugate(m), np.linalg.det(m) * np.eye(len(m)), scale


@mutant("untransposed", of="FLOW-3/adjugate", why="the cofactors where they stand, not transposed")
def adjugate_not_transposed(m):
    return determinant.adjugate(m).T


@mutant("signless", of="FLOW-3/adjugate", why="minors without the chessboard of signs")
def adjugate_without_signs(m):
    index = array_module(m).arange(len(m))
    chessboard = (-1) ** (index[:, None] + index)
    return determinant.adjugate(m) * chessboard.astype(m.dtype)


# ---- FLOW-4, FLOW-5: the rules that flows live by
@equation(
    "FLOW-4",
    title="the determinant of a product",
    formula=determinant.by_permutations,
    latex=r"\det(AB)=\det A\,\det B",
    sources=RULES,
    evidence="algebra",
    how="both determinants by elimination, and their product",
    given=rungs(lambda n: together(a=matrices(n, n), b=matrices(n, n)), 1, 2, 3, 4),
    tolerance=1e-12,
    examples=40,
)
def determinant_of_a_product(by_permutations, a, b):
    scale = norms(a) * max(1e-300, float(np.linalg.norm(b))) ** len(b)
    return by_permutations(a @ b), np.linalg.det(a) * np.linalg.det(b), scale


@mutant("permanent", of="FLOW-4", why="the permanent, which has no such rule")
def permanent_of_a_product(m):
    return permanent(m)


@mutant(
    "diagonal", of="FLOW-4", why="the product of the diagonal: true where both are triangular the same way"
)
def diagonal_of_a_product(m):
    return np.prod(np.diagonal(m))


@equation(
    "FLOW-5",
    title="the determinant of an inverse",
    formula=determinant.by_permutations,
    latex=r"\det(M^{-1})=\det(M)^{-1}",
    sources=FLOWS,
    evidence="algebra",
    how="one over the determinant of a product of two triangular matrices, from their diagonals",
    given=rungs(lambda n: together(lower=triangles(n), upper=triangles(n)), 1, 2, 3, 4),
    tolerance=1e-11,
    examples=40,
)
def determinant_of_an_inverse(by_permutations, lower, upper):
    inverse = np.linalg.inv(lower @ upper.T)
    derived = 1 / (np.prod(np.diagonal(lower)) * np.prod(np.diagonal(upper)))
    return by_permutations(inverse), derived, norms(inverse)


@mutant("same", of="FLOW-5", why="det M: a flow that forgot which way its Jacobian goes")
def determinant_of_the_matrix(m):
    return 1 / np.linalg.det(m)


@mutant("size", of="FLOW-5", why="its size without its sign: enough for a density, not for the rule")
def determinant_without_sign(m):
    return abs(np.linalg.det(m))
