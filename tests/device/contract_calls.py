"""Calls that CuPy and its double must answer alike: views, dispatch, signatures, refusals.

Each is a function of `array(shape, dtype)`, which makes an array of zeros, and of the module.
"""

from __future__ import annotations

import autograd.numpy as anp
import numpy as np
from autograd.core import make_vjp

from refgen.autodiff import reductions

__all__ = ["CALLS", "KERNELS", "REFUSALS"]

HOST = np.zeros((3, 4), np.float32)


class Number(float):
    """A number of a type that is not Python's own."""


def _vjp(function, x, g):
    return make_vjp(function, x)[0](g)


VIEWS = {
    "reshape": lambda a, xp: np.reshape(a((3, 4)), (2, 6)),
    "reshape -1": lambda a, xp: a((3, 4)).reshape(2, -1),
    "reshape order None": lambda a, xp: np.reshape(a((3, 4)), (2, 6), order=None),
    "reshape host shape": lambda a, xp: np.reshape(a((3, 4)), np.array([2, 6])),
    "ravel order None": lambda a, xp: np.ravel(a((3, 4)), order=None),
    "transpose": lambda a, xp: np.transpose(a((3, 4, 2)), (1, 2, 0)),
    "transpose host axes": lambda a, xp: np.transpose(a((3, 4, 2)), np.array([1, 2, 0])),
    "swapaxes": lambda a, xp: np.swapaxes(a((3, 4)), 0, 1),
    "moveaxis": lambda a, xp: np.moveaxis(a((3, 4, 2)), 0, -1),
    "expand_dims": lambda a, xp: np.expand_dims(a((3, 4)), 1),
    "squeeze": lambda a, xp: np.squeeze(a((3, 1)), axis=1),
    "broadcast_to": lambda a, xp: np.broadcast_to(a((4,)), (3, 4)),
    "broadcast_arrays": lambda a, xp: np.broadcast_arrays(a((4,)), a((3, 1))),
    "split": lambda a, xp: np.split(a((3, 4)), 2, axis=1),
    "diagonal": lambda a, xp: np.diagonal(a((3, 4, 4)), axis1=-2, axis2=-1),
    "flip": lambda a, xp: np.flip(a((3, 4)), 1),
    "T": lambda a, xp: a((3, 4)).T,
    "mT": lambda a, xp: a((2, 3, 4)).mT,
    "view": lambda a, xp: a((3, 4)).view(np.int32),
    "view ndarray": lambda a, xp: a((3, 4)).view(np.ndarray),
    "slice": lambda a, xp: a((3, 4))[:, 1:3],
    "integers": lambda a, xp: a((3, 4))[1, 2],
    "an element shares memory": lambda a, xp: (lambda x: np.may_share_memory(x, x[1, 2]))(a((3, 4))),
    "a row shares memory": lambda a, xp: (lambda x: np.may_share_memory(x, x[1]))(a((3, 4))),
    "new axis": lambda a, xp: a((3, 4))[:, None],
    "ellipsis": lambda a, xp: a((3, 4))[..., 0],
    "out of range": lambda a, xp: a((3, 4))[5],
    "too many": lambda a, xp: a((3, 4))[0, 0, 0],
    "iterate": lambda a, xp: list(a((3, 4))),
    "iterate 0-d": lambda a, xp: list(a(())),
    "len": lambda a, xp: len(a((3, 4))),
    "len 0-d": lambda a, xp: len(a(())),
}
HOSTLY = {
    "np.asarray": lambda a, xp: np.asarray(a((3,))),
    "np.array of arrays": lambda a, xp: np.array([a(())]),
    "shape": lambda a, xp: np.shape(a((3, 4))),
    "ndim": lambda a, xp: np.ndim(a((3, 4))),
    "size": lambda a, xp: np.size(a((3, 4))),
    "result_type": lambda a, xp: np.result_type(a((3, 4)), 1.0),
    "result_type float64": lambda a, xp: np.result_type(a((3, 4)), np.float64(1)),
    "iscomplexobj": lambda a, xp: np.iscomplexobj(a((3, 4))),
    "bool of many": lambda a, xp: bool(a((3,))),
    "index": lambda a, xp: [1, 2, 3][a((), np.int64)],
    "hash": lambda a, xp: hash(a((3,))),
    "einsum parse": lambda a, xp: np._core.einsumfunc._parse_einsum_input(("ij->i", a((3, 4)))),
}
REFUSALS = {
    "set from host": lambda a, xp: a((3, 4)).__setitem__(slice(0, 2), HOST[:2]),
    "add host": lambda a, xp: a((3, 4)) + HOST,
    "host add": lambda a, xp: HOST + a((3, 4)),
    "host += device": lambda a, xp: HOST.__iadd__(a((3, 4))),
    "device += host": lambda a, xp: a((3, 4)).__iadd__(HOST),
    "matmul host": lambda a, xp: a((3, 4)) @ HOST.T,
    "add list": lambda a, xp: a((3,)).__add__([1, 2, 3]),
    "add subclass": lambda a, xp: a((3,)) + Number(1.0),
    "add longdouble": lambda a, xp: a((3,)) + np.longdouble(1.0),
    "asarray longdouble": lambda a, xp: xp.asarray(np.zeros(3, np.longdouble)),
    "out on host": lambda a, xp: np.exp(a((3, 4)), out=HOST),
    "matmul out on host": lambda a, xp: np.matmul(a((3, 3)), a((3, 4)), out=HOST),
    "add where": lambda a, xp: np.add(a((3, 4)), 1.0, where=True),
    "exp where": lambda a, xp: np.exp(a((3, 4)), where=np.ones((3, 4), bool)),
    "sum where": lambda a, xp: np.sum(a((3, 4)), where=True),
    "sum initial": lambda a, xp: np.sum(a((3, 4)), initial=0.0),
    "method sum where": lambda a, xp: a((3, 4)).sum(where=True),
    "method max initial": lambda a, xp: a((3, 4)).max(initial=0.0),
    "mean where": lambda a, xp: np.mean(a((3, 4)), where=True),
    "max initial": lambda a, xp: np.max(a((3, 4)), initial=0.0),
    "var correction": lambda a, xp: np.var(a((3, 4)), correction=1),
    "clip min": lambda a, xp: np.clip(a((3, 4)), min=0.0),
    "argsort kind order": lambda a, xp: np.argsort(a((3, 4)), -1, "quicksort", None),
    "vecdot": lambda a, xp: np.vecdot(a((3, 4)), a((3, 4))),
    "matvec": lambda a, xp: np.matvec(a((3, 4)), a((4,))),
    "insert": lambda a, xp: np.insert(a((3,)), 0, 1.0),
    "xp.insert": lambda a, xp: xp.insert,
    "geomspace": lambda a, xp: xp.geomspace(1, 2, 3),
    "block": lambda a, xp: np.block([[a((2, 2))]]),
    "multi_dot": lambda a, xp: np.linalg.multi_dot([a((2, 2)), a((2, 2))]),
    "vector_norm": lambda a, xp: np.linalg.vector_norm(a((3,))),
    "linalg.trace": lambda a, xp: np.linalg.trace(a((3, 3))),
    "solve broadcast": lambda a, xp: np.linalg.solve(a((3, 3)), a((2, 3, 1))),
    "inv of host": lambda a, xp: xp.linalg.inv(np.eye(3)),
    "add.at slice": lambda a, xp: np.add.at(a((3, 4)), (slice(None), 0), a((3,))),
    "add.at list": lambda a, xp: np.add.at(a((3, 4)), [0, 1], a((2, 4))),
    "maximum.reduce": lambda a, xp: np.maximum.reduce(a((3, 4))),
    "concatenate with host": lambda a, xp: xp.concatenate([a((3, 4)), HOST]),
    "where host condition": lambda a, xp: xp.where(HOST > 0, a((3, 4)), 0.0),
    "where bool condition": lambda a, xp: xp.where(True, a((3, 4)), 0.0),
    "where one branch": lambda a, xp: xp.where(a((3, 4), bool), a((3, 4))),
    "searchsorted list": lambda a, xp: np.searchsorted(a((3,)), [0.5]),
    "take_along_axis no axis": lambda a, xp: xp.take_along_axis(a((3, 4)), a((3, 1), np.int64)),
    "ones_like subok": lambda a, xp: np.ones_like(a((3, 4)), subok=True),
    "shuffle": lambda a, xp: xp.random.Generator.shuffle,
}
KERNELS = {
    "method argmax keepdims": lambda a, xp: a((3, 4)).argmax(0, keepdims=True),
    "exp": lambda a, xp: np.exp(a((3, 4))),
    "exp out": lambda a, xp: np.exp(a((3, 4)), out=a((3, 4))),
    "add scalar": lambda a, xp: a((3, 4)) + 1.5,
    "add NumPy scalar": lambda a, xp: a((3, 4)) + np.float32(1.5),
    "in place": lambda a, xp: a((3, 4)).__imul__(2.0),
    "compare host 0-d": lambda a, xp: a((3, 4)) > np.array(0.0),
    "matmul out": lambda a, xp: np.matmul(a((3, 4)), a((4, 2)), out=a((3, 2))),
    "sum": lambda a, xp: np.sum(a((3, 4)), axis=1, keepdims=True),
    "method mean": lambda a, xp: a((3, 4)).mean(axis=0),
    "concatenate": lambda a, xp: np.concatenate([a((3, 4)), a((3, 2))], axis=1),
    "where": lambda a, xp: np.where(a((3, 4), bool), a((3, 4)), 0.0),
    "sort": lambda a, xp: np.sort(a((3, 4)), axis=-1),
    "searchsorted scalar": lambda a, xp: np.searchsorted(a((3,)), 0.5),
    "searchsorted": lambda a, xp: np.searchsorted(a((3,)), a((5,)), side="right"),
    "bincount": lambda a, xp: np.bincount(a((3,), np.int64), minlength=4),
    "cumsum": lambda a, xp: np.cumsum(a((3, 4)), axis=1),
    "take_along_axis": lambda a, xp: np.take_along_axis(a((3, 4)), a((3, 1), np.int64), 1),
    "fancy": lambda a, xp: a((3, 4))[a((2,), np.int64)],
    "add.at": lambda a, xp: xp.add.at(a((3, 4)), (a((2,), np.int64), 0), a((2,))),
    "asarray like": lambda a, xp: np.asarray(HOST, like=a((3,))),
    "zeros_like": lambda a, xp: np.zeros_like(a((3, 4))),
    "eye": lambda a, xp: xp.eye(3, 4, 1, dtype=np.float32),
    "einsum": lambda a, xp: np.einsum("ab,bc->ac", a((3, 4)), a((4, 2))),
    "inv": lambda a, xp: np.linalg.inv(a((3, 3))),
    "float": lambda a, xp: float(a(())),
    "get": lambda a, xp: a((3,)).get(),
}
AUTOGRAD = {
    "vjp reshape": lambda a, xp: _vjp(lambda x: anp.reshape(x, (2, 6)), a((3, 4)), a((2, 6))),
    "vjp ravel": lambda a, xp: _vjp(anp.ravel, a((3, 4)), a((12,))),
    "vjp transpose": lambda a, xp: _vjp(lambda x: anp.transpose(x, (1, 2, 0)), a((3, 4, 2)), a((4, 2, 3))),
    "vjp swapaxes": lambda a, xp: _vjp(lambda x: anp.swapaxes(x, 0, 1), a((3, 4)), a((4, 3))),
    "vjp expand_dims": lambda a, xp: _vjp(lambda x: anp.expand_dims(x, 1), a((3, 4)), a((3, 1, 4))),
    "vjp squeeze": lambda a, xp: _vjp(lambda x: anp.squeeze(x, axis=1), a((3, 1)), a((3,))),
    "vjp broadcast_to": lambda a, xp: _vjp(lambda x: anp.broadcast_to(x, (3, 4)), a((3, 4)), a((3, 4))),
    "vjp concatenate": lambda a, xp: _vjp(lambda x: anp.concatenate([x, x]), a((3, 4)), a((6, 4))),
    "vjp stack": lambda a, xp: _vjp(lambda x: anp.stack([x, x]), a((3, 4)), a((2, 3, 4))),
    "vjp slice": lambda a, xp: _vjp(lambda x: x[:, 1:], a((3, 4)), a((3, 3))),
    "spread": lambda a, xp: reductions._spread(a((3,)), (3, 4), 1),
    "box + array": lambda a, xp: make_vjp(lambda x: x + a((3, 4)), a((3, 4))),
    "array + box": lambda a, xp: make_vjp(lambda x: a((3, 4)) + x, a((3, 4))),
    "box * host": lambda a, xp: make_vjp(lambda x: x * HOST, a((3, 4))),
    "host * box": lambda a, xp: make_vjp(lambda x: HOST * x, a((3, 4))),
    "box sum where": lambda a, xp: make_vjp(lambda x: anp.sum(x, where=True), a((3, 4))),
}
CALLS = VIEWS | HOSTLY | REFUSALS | KERNELS | AUTOGRAD
