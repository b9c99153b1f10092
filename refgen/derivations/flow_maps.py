"""Invertible maps for the cards of flows: bent ones, triangular ones, and some of a line. No cards here.

They are made of Python floats, so that they take arrays of any precision, of any device, and complex ones:
the derivative of an analytic f is the imaginary part of f(x + ih) / h, exact to rounding, also where f is
the inverse of another map that is found by bisection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from hypothesis import strategies as st

from refgen.cards.strategies import points, positives, reals

__all__ = [
    "LINES",
    "Bent",
    "Line",
    "Triangular",
    "bents",
    "lines",
    "matrix_times",
    "normal",
    "size",
    "slope_of_inverse",
    "triangles",
    "triangulars",
]

Map = Callable[[Any], Any]
TINY = 1e-30


def normal(z: Any) -> Any:
    """Log-density of N(0, I) at z (..., d)."""
    return sum(-0.5 * (z[..., j] ** 2 + float(np.log(2 * np.pi))) for j in range(np.shape(z)[-1]))


def size(z: np.ndarray, jacobian: np.ndarray) -> float:
    """The scale of a log-density at one point: the square, the constant and a log-determinant."""
    d = z.shape[-1]
    spread = np.sum(np.abs(np.log(np.linalg.svd(jacobian)[1])))
    return float(d + 0.5 * np.sum(np.abs(z) ** 2) + spread)


def matrix_times(a: np.ndarray, b: np.ndarray) -> Map:
    """z -> a z + b."""
    rows, shift = a.tolist(), b.tolist()
    return lambda z: anp.stack(
        [sum(r * z[..., j] for j, r in enumerate(row)) + c for row, c in zip(rows, shift, strict=True)],
        axis=-1,
    )


def triangles(d: int) -> st.SearchStrategy:
    """Lower triangular matrices, their diagonals of either sign in 1/2 to 2."""
    signs = st.lists(st.sampled_from([1.0, -1.0]), min_size=d, max_size=d)
    sizes = st.lists(positives(0.5, 2.0), min_size=d, max_size=d)
    low = points(d * d, -1, 1).map(lambda a: np.tril(np.reshape(a, (d, d)), -1))
    return st.builds(lambda s, a, b: np.diag(np.array(s) * np.array(a)) + b, signs, sizes, low)


class Bent(NamedTuple):
    """x = A (z + u tanh(w^T z)), with w^T u > -0.9: not triangular, and no inverse in closed form."""

    a: np.ndarray
    u: np.ndarray
    w: np.ndarray

    def forward(self) -> Map:
        turn = matrix_times(self.a, 0 * self.u)
        u, w = self.u.tolist(), self.w.tolist()

        def f(z: Any) -> Any:
            bend = anp.tanh(sum(v * z[..., j] for j, v in enumerate(w)))
            return turn(anp.stack([z[..., j] + v * bend for j, v in enumerate(u)], axis=-1))

        return f

    def invert(self, x: np.ndarray) -> np.ndarray:
        """z at x (d,), real or complex."""
        y, along = np.linalg.solve(self.a, x), float(self.u @ self.w)
        a = _solve(lambda t: t + along * np.tanh(t), lambda t: 1 + along / np.cosh(t) ** 2, self.w @ y)
        return y - self.u * np.tanh(a)


def bents(d: int) -> st.SearchStrategy:
    """Any bent maps of d dimensions."""

    def tame(a: np.ndarray, b: np.ndarray, u: np.ndarray, w: np.ndarray) -> Bent:
        return Bent(a @ b.T, u if u @ w > -0.9 else -u, w)

    return st.builds(tame, triangles(d), triangles(d), points(d, -1, 1), points(d, -1, 1))


class Triangular(NamedTuple):
    """x_i = a_i exp(h_i / 2) z_i + b_i h_i, with h_i the tanh of a sum over the z before it."""

    a: np.ndarray
    b: np.ndarray
    w: np.ndarray

    def forward(self) -> Map:
        a, b, _ = (part.tolist() for part in self)

        def f(z: Any) -> Any:
            bends = [self._bend(i, [z[..., j] for j in range(i)], z) for i in range(len(a))]
            rows = [
                a[i] * anp.exp(0.5 * h) * z[..., i] + b[i] * h if i else a[0] * z[..., 0]
                for i, h in enumerate(bends)
            ]
            return anp.stack(rows, axis=-1)

        return f

    def inverse(self) -> Map:
        a, b, _ = (part.tolist() for part in self)

        def g(x: Any) -> Any:
            z: list[Any] = []
            for i in range(len(a)):
                h = self._bend(i, z, x)
                z.append((x[..., i] - b[i] * h) * anp.exp(-0.5 * h) / a[i])
            return anp.stack(z, axis=-1)

        return g

    def _bend(self, i: int, before: list[Any], like: Any) -> Any:
        row = self.w[i].tolist()
        return anp.tanh(sum((row[j] * v for j, v in enumerate(before)), 0 * like[..., 0]))


def triangulars(d: int) -> st.SearchStrategy:
    """Any triangular maps of d dimensions."""
    square = points(d * d, -1, 1).map(lambda a: np.reshape(a, (d, d)))
    return st.builds(Triangular, triangles(d).map(np.diag), points(d, -1, 1), square)


class Line(NamedTuple):
    """x = shift + sign g(scale z) for a rising g."""

    kind: str
    sign: float
    scale: float
    shift: float

    def forward(self, z: Any) -> Any:
        return self.shift + self.sign * LINES[self.kind][0](self.scale * z)

    def inverse(self, x: Any) -> Any:
        """z at x, real or complex."""
        f, slope = LINES[self.kind]
        return _solve(f, slope, self.sign * (x - self.shift)) / self.scale


# g and its slope.
LINES: dict[str, tuple[Map, Map]] = {
    "linear": (lambda z: 1.0 * z, lambda z: 1.0 + 0 * z),
    "cubic": (lambda z: z + z * z * z / 3, lambda z: 1 + z * z),
    "tanh": (lambda z: z - 0.8 * anp.tanh(z), lambda z: 1 - 0.8 * (1 - anp.tanh(z) ** 2)),
    "exp": (lambda z: anp.exp(z), lambda z: anp.exp(z)),
    "sinh": (lambda z: anp.sinh(z), lambda z: anp.cosh(z)),
}


def lines(*kinds: str) -> st.SearchStrategy:
    """Maps of a line of these kinds, or of all, that rise or fall."""
    return st.builds(
        Line,
        st.sampled_from(kinds or tuple(LINES)),
        st.sampled_from([1.0, -1.0]),
        positives(0.5, 2.0),
        reals(-2, 2),
    )


def slope_of_inverse(line: Line, x: Any) -> Any:
    """dz/dx at x."""
    return np.imag(line.inverse(x + 1j * TINY)) / TINY


def _solve(f: Map, slope: Map, y: Any) -> Any:
    """t with f(t) = y for a rising f: bisection, and Newton's steps, which follow the imaginary part."""
    low, high = np.full(np.shape(y), -40.0), np.full(np.shape(y), 40.0)
    for _ in range(40):
        middle = 0.5 * (low + high)
        below = f(middle) < np.real(y)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    t = 0.5 * (low + high)
    for _ in range(3):
        t = t - (f(t) - y) / slope(t)
    return t
