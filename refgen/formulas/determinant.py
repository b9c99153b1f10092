r"""Determinants by their definition, and what a triangular matrix saves.                           [FLOW]"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import autograd.numpy as np

from refgen.formulas.elementary import Array
from refgen.formulas.tweedie import require_square

__all__ = [
    "adjugate",
    "by_permutations",
    "elimination_products",
    "invertible",
    "triangular_inverse",
    "triangular_log_det",
]

LARGEST = 8  # 8! is 40320 terms


def by_permutations(m: Array) -> Array:
    r"""Determinant as the sum over all permutations, n! terms.                      [FLOW-2, FLOW-4, FLOW-5]

    .. math:: \det M=\sum_{j_1\dots j_n}(-1)^{\tau(j_1\dots j_n)}\,a_{1j_1}a_{2j_2}\cdots a_{nj_n}

    where tau counts the inversions, the pairs that stand in the wrong order. m: (..., n, n), n from 1 to 8.
    Returns (...). It is the definition, and a check; `np.linalg.slogdet` takes n^3 steps, not n!.
    Raises ValueError where m is not square or n is larger. Source: SJTU tutorial, 'Preliminary'.
    """
    _require_small(m)
    n = np.shape(m)[-1]
    return _signed_sum([[m[..., i, j] for j in range(n)] for i in range(n)])


def adjugate(m: Array) -> Array:
    r"""The matrix of cofactors, transposed: M times it is det M on the diagonal.                    [FLOW-3]

    .. math:: \mathrm{adj}(M)_{ij}=(-1)^{i+j}\det M_{\setminus j,\setminus i},\quad M\mathrm{adj}(M)=\det M\,I

    So M has an inverse, adj(M) / det M, exactly where det M is not 0. m: (..., n, n), n from 1 to 8, M
    without row j and column i in the formula. Returns (..., n, n). Source: SJTU tutorial, 'Preliminary',
    with its proof.
    """
    _require_small(m)
    n = np.shape(m)[-1]
    if n == 1:
        return np.ones_like(m)
    entries = [[m[..., i, j] for j in range(n)] for i in range(n)]

    def cofactor(i: int, j: int) -> Array:
        minor = [row[:j] + row[j + 1 :] for row in entries[:i] + entries[i + 1 :]]
        return (-1) ** (i + j) * _signed_sum(minor)

    return np.stack([np.stack([cofactor(j, i) for j in range(n)], axis=-1) for i in range(n)], axis=-2)


def invertible(m: Array) -> Array:
    r"""Whether a matrix of integers has an inverse: whether its determinant is not 0.               [FLOW-3]

    .. math:: M^{-1}\text{ exists}\iff\det M\ne0

    m: (..., n, n), n from 1 to 8, integers times one power of two, so that the sum over the permutations is
    exact. Returns booleans, (...). How small the determinant is says nothing: that of 0.001 I is 1e-9 for n
    = 3. Source: SJTU tutorial, 'Preliminary'.
    """
    return by_permutations(m) != 0


def triangular_log_det(jacobian: Array) -> Array:
    r"""log |det| of a triangular Jacobian, from its diagonal alone: d terms.                       [FLOW-13]

    .. math:: \log\lvert\det J\rvert=\sum_{i=1}^d\log\lvert J_{ii}\rvert

    jacobian: (..., d, d), lower or upper triangular; the rest is not looked at. Returns (...).
    Source: SJTU tutorial, 'Normalizing Flows'.
    """
    require_square(jacobian=jacobian)
    return np.sum(np.log(np.abs(np.diagonal(jacobian, axis1=-2, axis2=-1))), axis=-1)


def triangular_inverse(x: Array, lower: Array, shift: Array) -> Array:
    r"""The z with lower z + shift = x, by substitution: d^2 steps, no inverse.             [FLOW-9, FLOW-13]

    .. math:: z_i=\frac{x_i-b_i-\sum_{j<i}L_{ij}z_j}{L_{ii}}

    x: (..., d). lower: (d, d), lower triangular, no 0 on the diagonal. shift: (d,). Returns (..., d).
    `gaussian.reparametrise` is the way back. Source: SJTU tutorial, 'Normalizing Flows'.
    """
    d = np.shape(lower)[-1]
    if np.shape(lower) != (d, d) or np.shape(x)[-1] != d:
        raise ValueError(f"lower has shape {np.shape(lower)}; x, shape {np.shape(x)}, needs (d, d) of its d")
    z: list[Array] = []
    for i in range(d):
        known = sum((lower[i, j] * z[j] for j in range(i)), x[..., i] * 0)
        z.append((x[..., i] - shift[i] - known) / lower[i, i])
    return np.stack(z, axis=-1)


def elimination_products(d: Array, triangular: bool = False) -> Array:
    r"""How many multiplications and divisions a determinant takes by elimination.                  [FLOW-13]

    .. math:: \tfrac13(d-1)(d^2+d+3)\quad\text{for a full matrix},\qquad d-1\quad\text{for a triangular one}

    d: the size, a number or an array of them, >= 1. Returns its shape. Source: SJTU tutorial, 'Normalizing
    Flows' (that it must be cheap); the count is that of Gaussian elimination without a search for pivots.
    """
    return d - 1 if triangular else (d - 1) * (d * d + d + 3) / 3


def _signed_sum(entries: Sequence[Sequence[Array]]) -> Array:
    """The sum over permutations of products of one entry from each row."""
    terms = []
    for order in itertools.permutations(range(len(entries))):
        inversions = sum(a > b for a, b in itertools.combinations(order, 2))
        terms.append((-1) ** inversions * math.prod(row[j] for row, j in zip(entries, order, strict=True)))
    return sum(terms[1:], terms[0])


def _require_small(m: Array) -> None:
    require_square(m=m)
    if not 1 <= np.shape(m)[-1] <= LARGEST:
        raise ValueError(f"m has shape {np.shape(m)}; the sum over permutations is for n from 1 to {LARGEST}")
