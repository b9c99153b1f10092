"""Cards of triangular Jacobians: what they save, and how they are inverted (FLOW-13)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import rungs, together
from refgen.derivations.directions import matrices
from refgen.derivations.flow_maps import triangles
from refgen.formulas import determinant
from refgen.sources import FIELD, SJTU

FLOWS = [SJTU("'Normalizing Flows'")]


# ---- FLOW-13: what it costs
class Counting:
    """A number that counts the products and quotients that are made of it and its like."""

    made = 0

    def __init__(self, value):
        self.value = value

    def __sub__(self, other):
        return Counting(self.value - other.value)

    def __mul__(self, other):
        Counting.made += 1
        return Counting(self.value * other.value)

    def __truediv__(self, other):
        Counting.made += 1
        return Counting(self.value / other.value)


def counted(d, triangular):
    """Eliminate in a matrix of such numbers, multiply the pivots, and tell how many there were."""
    Counting.made = 0
    m = [[Counting(float(1 + (i == j) * d + (2 * i + j) % 3)) for j in range(d)] for i in range(d)]
    for k in range(0 if triangular else d):
        for i in range(k + 1, d):
            ratio = m[i][k] / m[k][k]
            for j in range(k + 1, d):
                m[i][j] = m[i][j] - ratio * m[k][j]
    product = m[0][0]
    for k in range(1, d):
        product = product * m[k][k]
    return Counting.made


@equation(
    "FLOW-13/cost",
    title="d products for a triangular Jacobian, d^3 / 3 for another",
    formula=determinant.elimination_products,
    latex=r"\tfrac13(d-1)(d^2+d+3)\quad\text{against}\quad d-1",
    sources=[*FLOWS, FIELD("that the determinant is free")],
    evidence="algebra",
    how="an elimination with numbers that count their own products and quotients",
    given=together(d=st.integers(1, 9), triangular=st.booleans()),
    tolerance=1e-13,
    examples=20,
)
def products_are_counted(elimination_products, d, triangular):
    return elimination_products(np.array([float(d)]), triangular), np.array([float(counted(d, triangular))])


@mutant("square", of="FLOW-13/cost", why="one product for each entry: d^2")
def products_as_entries(d, triangular=False):
    return d - 1 if triangular else d * d


@mutant("whole", of="FLOW-13/cost", why="d^3 for a triangular one as well: its Jacobian treated as any other")
def products_as_if_full(d, triangular=False):
    return (d - 1) * (d * d + d + 3) / 3


@equation(
    "FLOW-13/diagonal",
    title="log-determinant of a triangular Jacobian",
    formula=determinant.triangular_log_det,
    latex=r"\log\lvert\det J\rvert=\sum_i\log\lvert J_{ii}\rvert",
    sources=FLOWS,
    evidence="algebra",
    how="the determinant of the whole matrix by elimination; entries of either sign, lower and upper",
    given=rungs(lambda d: together(lower=triangles(d), upper=st.booleans()), 1, 2, 3, 5, 20),
    tolerance=1e-12,
    examples=30,
)
def triangular_determinant_is_its_diagonal(triangular_log_det, lower, upper):
    m = lower.T if upper else lower
    return triangular_log_det(m), np.linalg.slogdet(m)[1], np.sum(np.abs(np.log(np.abs(np.diag(m))))) + 1


@mutant("trace", of="FLOW-13/diagonal", why="the sum of the diagonal, without the logarithm")
def trace_for_log_det(jacobian):
    return np.trace(jacobian)


@mutant("size", of="FLOW-13/diagonal", why="|log J_ii|: right as long as all entries are above 1")
def absolute_of_the_logarithm(jacobian):
    return np.sum(np.abs(np.log(np.abs(np.diagonal(jacobian)))))


@mutant("inverse", of="FLOW-13/diagonal", why="that of the inverse map, the sign that is most often wrong")
def log_det_of_the_inverse(jacobian):
    return -np.sum(np.log(np.abs(np.diagonal(jacobian))))


@equation(
    "FLOW-13/substitution",
    title="a triangular map is inverted by substitution",
    formula=determinant.triangular_inverse,
    latex=r"z_i=\frac{x_i-b_i-\sum_{j<i}L_{ij}z_j}{L_{ii}}",
    sources=FLOWS,
    evidence="algebra",
    how="the point that the map was given",
    given=rungs(
        lambda d: together(z=matrices(2, d), lower=triangles(d), shift=matrices(1, d).map(np.ravel)), 1, 2, 4
    ),
    tolerance=1e-11,
    examples=30,
)
def substitution_undoes_the_map(triangular_inverse, z, lower, shift):
    scale = 1 + np.linalg.norm(np.linalg.inv(lower)) * (np.linalg.norm(lower) * np.linalg.norm(z) + 4)
    return triangular_inverse(z @ lower.T + shift, lower, shift), z, scale


@mutant("diagonal", of="FLOW-13/substitution", why="divided by the diagonal, what lies below it forgotten")
def inverse_of_the_diagonal(x, lower, shift):
    return (x - shift) / np.diagonal(lower)


@mutant("transposed", of="FLOW-13/substitution", why="solved with the transposed matrix")
def inverse_of_the_transpose(x, lower, shift):
    return np.linalg.solve(lower.T, (x - shift).T).T
