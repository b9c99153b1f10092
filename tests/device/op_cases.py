"""Operations that models need, each a function of (xp, arrays...), and the shapes of its arrays.

Some would not be differentiable on a device, or not in float32, by autograd's own rules.
"""

from __future__ import annotations

import autograd.numpy as np

__all__ = ["CASES", "FORWARD"]


def _positive(x):
    return x * x + 0.5


def _spd(xp, x):
    return x @ np.swapaxes(x, -1, -2) + xp.eye(x.shape[-1], dtype=x.dtype)


def _logsumexp(x):
    top = np.max(x, axis=-1, keepdims=True)
    return top + np.log(np.sum(np.exp(x - top), axis=-1, keepdims=True))


def _spline(xp, x):
    """The knots' values looked up by searchsorted, as a spline does."""
    knots = np.cumsum(np.exp(x), axis=1)
    bins = xp.stack([xp.searchsorted(row, row[:1] + 0.5) for row in _raw(knots)])
    return np.take_along_axis(knots, np.minimum(bins, 3), 1)


def _raw(x):
    while hasattr(x, "_value"):
        x = x._value
    return x


M = (3, 4)
CASES = {
    "add": (lambda xp, x, y: x + y, M, (4,)),
    "subtract": (lambda xp, x, y: 1.5 - x - y, M, (3, 1)),
    "multiply": (lambda xp, x, y: 2 * x * y, M, (4,)),
    "divide": (lambda xp, x, y: x / _positive(y), M, (4,)),
    "constant first": (lambda xp, x: xp.ones((2, 3), dtype=x.dtype) @ x + xp.ones(4, dtype=x.dtype), M),
    "power": (lambda xp, x, y: x**2 + _positive(x) ** 0.5 + _positive(x) ** y, M, (4,)),
    "exp log": (lambda xp, x: np.exp(x) + np.log(_positive(x)) + np.log1p(x * x) + np.expm1(-x), M),
    "sin cos": (lambda xp, x: np.sin(x) + np.cos(x), M),
    "tanh": (lambda xp, x: np.tanh(x), M),
    "sqrt": (lambda xp, x: np.sqrt(_positive(x)), M),
    "square abs": (lambda xp, x: np.square(x) + np.abs(x), M),
    "softplus": (lambda xp, x: np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))), M),
    "logaddexp": (lambda xp, x, y: np.logaddexp(x, y), M, M),
    "maximum": (lambda xp, x, y: np.maximum(x, y) + np.maximum(0.0, x), M, (4,)),
    "minimum": (lambda xp, x, y: np.minimum(x, y) + np.minimum(x, 0.5), M, (4,)),
    "clip": (lambda xp, x: np.clip(x, -0.5, 0.5), M),
    "where": (lambda xp, x, y: np.where(x > 0, x * y, 0.1) + np.where(x > y, y, x), M, (4,)),
    "sum": (lambda xp, x: np.sum(x * x), M),
    "sum axes": (lambda xp, x: np.sum(x * x, axis=(0, -1)) + x.sum(), (3, 4, 2)),
    "sum keepdims": (lambda xp, x: np.sum(x * x, axis=0, keepdims=True), M),
    "mean": (lambda xp, x: np.mean(x * x) + x.mean(axis=0), M),
    "prod": (lambda xp, x: np.prod(_positive(x), axis=0), M),
    "var": (lambda xp, x: np.var(x, axis=0) + np.var(x, ddof=1), M),
    "std": (lambda xp, x: np.std(x, axis=0) + x.std(), M),
    "max min": (lambda xp, x: np.max(x * x, axis=1) + np.min(x) + x.max(), M),
    "logsumexp": (lambda xp, x: x - _logsumexp(x), M),
    "norm": (lambda xp, x: np.linalg.norm(x, axis=-1) + np.linalg.norm(x), M),
    "reshape": (lambda xp, x: np.reshape(x, (4, 3)) ** 2 + x.reshape((4, -1)), M),
    "ravel": (lambda xp, x: np.ravel(x) * x.flatten(), M),
    "transpose": (lambda xp, x: np.transpose(x, (1, 2, 0)) ** 2, (3, 4, 2)),
    "T": (lambda xp, x: x.T * np.swapaxes(x, 0, 1), M),
    "moveaxis": (lambda xp, x: np.moveaxis(x, 0, -1) ** 2, (3, 4, 2)),
    "expand squeeze": (lambda xp, x: np.squeeze(np.expand_dims(x, 1) ** 2, axis=1), M),
    "broadcast_to": (lambda xp, x: np.broadcast_to(x, (3, 4)) ** 2, (1, 4)),
    "broadcast_to new axes": (lambda xp, x: np.broadcast_to(x, (2, 3, 4)) ** 2, (4,)),
    "concatenate": (
        lambda xp, x, y: np.concatenate([x, y, xp.ones((3, 1), dtype=x.dtype)], axis=1) ** 2,
        M,
        (3, 2),
    ),
    "stack": (lambda xp, x, y: np.stack([x, y], axis=-1) ** 2, M, M),
    "hstack vstack": (lambda xp, x, y: np.hstack([x, y]) * np.vstack([x, y]).reshape((3, 8)), M, M),
    "array": (lambda xp, x: np.array([x[0, 0], x[1, 1] * x[0, 1]]), M),
    "append": (lambda xp, x: np.append(x[0], x[1]) ** 2, M),
    "split": (lambda xp, x: np.split(x, 2, axis=1)[0] * np.split(x, 2, axis=1)[1], M),
    "slices": (lambda xp, x: x[:, :2] * x[:, ::-1][:, :2] + x[0, 1] * x[..., :2] + x[0, None, :2], M),
    "index": (lambda xp, x: x[xp.asarray([0, 2, 2, 1])] ** 2, M),
    "index pair": (lambda xp, x: x[xp.arange(3), xp.asarray([0, 2, 2])] ** 2, M),
    "mask": (lambda xp, x: x[xp.asarray([True, False, True])] ** 2, M),
    "take_along_axis": (lambda xp, x: np.take_along_axis(x, xp.asarray([[0], [2], [2]]), 1) ** 2, M),
    "spline": (_spline, M),
    "repeat tile": (lambda xp, x: np.repeat(x, 2, axis=1) * np.tile(x, (1, 2)), M),
    "roll pad": (lambda xp, x: np.pad(np.roll(x, 1, axis=1) * x, ((0, 0), (1, 1)), mode="constant"), M),
    "cumsum diff": (lambda xp, x: np.cumsum(x, axis=1)[:, 1:] * np.diff(x, axis=1), M),
    "triu tril": (lambda xp, x: np.triu(x) @ np.tril(x), (4, 4)),
    "diag": (lambda xp, x: np.diag(x * x), (4,)),
    "diagonal": (lambda xp, x: np.diagonal(x * x, axis1=-1, axis2=-2) + np.diagonal(x[0]), (3, 4, 4)),
    "trace": (lambda xp, x: np.trace(x * x, axis1=-2, axis2=-1) + np.trace(x[0]), (3, 4, 4)),
    "matmul": (lambda xp, x, y: x @ y @ y.T, (5, 3, 4), (4, 2)),
    "matmul vector": (lambda xp, x, y: x @ y * (y @ y), M, (4,)),
    "tensordot": (lambda xp, x, y: np.tensordot(x, y, axes=1), M, (4, 2)),
    "einsum": (lambda xp, x, y: np.einsum("ab,bc->ac", x, y), M, (4, 2)),
    "einsum weights": (lambda xp, x, y: np.einsum("k,kij->ij", x, y), (3,), (3, 2, 2)),
    "einsum sum": (lambda xp, x, y: np.einsum("ab,cb->a", x, y) + np.einsum("ab->a", x * x), M, (2, 4)),
    "det": (lambda xp, x: np.linalg.det(_spd(xp, x)), (3, 4, 4)),
    "slogdet": (lambda xp, x: np.linalg.slogdet(_spd(xp, x))[1], (3, 4, 4)),
    "inv": (lambda xp, x: np.linalg.inv(_spd(xp, x)), (3, 4, 4)),
    "solve": (lambda xp, x, y: np.linalg.solve(_spd(xp, x), y), (3, 4, 4), (3, 4, 2)),
    "solve vector": (lambda xp, x, y: np.linalg.solve(_spd(xp, x), y), (4, 4), (4,)),
    "cholesky": (lambda xp, x: np.linalg.cholesky(_spd(xp, x)), (3, 4, 4)),
}
# Those that autograd or the bridge differentiates forward, too.
FORWARD = set(CASES) - {"det", "slogdet", "inv", "solve", "solve vector", "cholesky", "var", "std", "norm"}
