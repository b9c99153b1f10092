"""The whole network as one autograd primitive, and its inference path.

Where nothing outside is being traced, the gradient is written out in NumPy and works in buffers that are
used again. Where the gradient itself is being differentiated (Jacobian traces, gradient penalties), it falls
back to `net.compose`, since arrays that a primitive keeps do not carry the outer trace.

Two savings. With the weights halved, u = z / 2 comes straight from the matrix product, and silu(z) =
u (1 + tanh u). And every layer's input has a last column of ones, so that a bias is the last row of its
weights: it costs no pass of its own, and its gradient comes with theirs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.core import make_jvp, make_vjp
from autograd.extend import defjvp_argnums, defvjp_argnums, primitive
from autograd.tracer import isbox

from refgen.autodiff import array_module
from refgen.nets.activations import silu_gate, silu_slope
from refgen.nets.workspace import borrow, give_back
from refgen.threads import run_parts, threads

__all__ = ["Tapes", "inference", "network"]

Array = Any

CHUNK = 1000  # points that go through together where no gradient is wanted: their activations stay in cache
DEVICE_CHUNK = 2**24  # numbers a layer of them on a device, where one large call is faster: 64 MiB in float32
SPLIT = 256  # a batch is shared between threads only where each has at least this many points


class Tapes(list):
    """What one forward pass keeps for its own backward pass, one tape a thread; made anew for every call."""


class _Tape:
    """Halved weights, activations and slopes of some rows; the buffers go back when the tape is forgotten."""

    def __init__(self, matrices: list[Array], joined: Array):
        self.matrices = matrices
        self.activations: list[Array] = [joined]
        self.slopes: list[Array] = []

    def __del__(self) -> None:
        for buffer in (*self.activations, *self.slopes):
            give_back(buffer)


@primitive
def network(params: Array, x: Array, features: Array | None, *, net: Any, tapes: Tapes) -> Array:
    """The output of the network; its activations are kept in `tapes`."""
    matrices = _halved(net, params)
    found = run_parts(_forward, [(matrices, *part) for part in _shares(x, features)])
    tapes[:] = [tape for _, tape in found]
    return found[0][0] if len(found) == 1 else np.concatenate([y for y, _ in found])


def _shares(x: Array, features: Array | None) -> list[tuple]:
    """The rows, shared out between the threads; a device needs but one."""
    count = min(threads(), max(1, len(x) // SPLIT)) if array_module(x) is np else 1
    if count == 1:
        return [(x, features)]
    edges = [len(x) * k // count for k in range(count + 1)]
    rows = [slice(a, b) for a, b in itertools.pairwise(edges)]
    shared = features is None or len(features) == 1
    return [(x[part], features if shared else features[part]) for part in rows]  # type: ignore[index]


def _halved(net: Any, params: Array) -> list[Array]:
    """The layers as views (in + 1, out) of a copy of the parameters, all halved but the last."""
    half = params.copy()
    half[: net.stacked.spans[-1][0]] *= 0.5
    return net.stacked.views(half)


def _join(joined: Array, x: Array, features: Array | None) -> Array:
    """The first layer's input: x, the features and a column of ones."""
    joined[:, : x.shape[1]] = x
    if features is not None:
        joined[:, x.shape[1] : -1] = features
    joined[:, -1] = 1
    return joined


def _layer(before: Array, matrix: Array, u: Array, gate: Array) -> None:
    """In u the activations of a layer; in gate, which may be `before`, what `silu_gate` leaves there."""
    u[:, -1] = 0  # whatever the buffer held
    np.matmul(before, matrix, out=u[:, :-1])
    silu_gate(u, gate)
    u[:, -1] = 1


def _forward(matrices: list[Array], x: Array, features: Array | None) -> tuple[Array, _Tape]:
    tape = _Tape(matrices, _join(borrow((len(x), len(matrices[0])), x), x, features))
    shape = len(x), len(matrices[-1])
    spare = borrow(shape, x)
    for matrix in matrices[:-1]:
        u, gate = borrow(shape, x), borrow(shape, x)
        _layer(tape.activations[-1], matrix, u, gate)
        silu_slope(u, gate, spare)  # here, not in the backward pass: u and gate are still in cache
        tape.activations.append(u)
        tape.slopes.append(gate)
    give_back(spare)
    return tape.activations[-1] @ matrices[-1], tape


def _backward(net: Any, tape: _Tape, g: Array, argnums: tuple[int, ...]) -> list[Array]:
    """The gradients of sum(g * output) by the chosen ones of params, x and features, and no others."""
    found, grads, first = {}, [], tape.matrices[0]
    if 0 in argnums:
        found[0] = array_module(g).empty(net.size, g.dtype)
        grads = net.stacked.views(found[0])
        np.matmul(tape.activations[-1].T, g, out=grads[-1])
    down, spare = (borrow(tape.slopes[0].shape, g) for _ in range(2))
    for buffer in (down, spare):
        buffer[:, -1] = 0  # nobody reads it, but what the buffer held could overflow
    np.matmul(g, tape.matrices[-1][:-1].T, out=down[:, :-1])
    for k in reversed(range(net.layers)):
        down *= tape.slopes[k]
        if grads:
            np.matmul(tape.activations[k].T, down[:, :-1], out=grads[k])
        if k:
            np.matmul(down[:, :-1], tape.matrices[k][:-1].T, out=spare[:, :-1])
            down, spare = spare, down
    if grads:
        found[0][: net.stacked.spans[-1][0]] *= 0.5
    if 1 in argnums:
        found[1] = down[:, :-1] @ first[: net.inputs].T
    if 2 in argnums:
        found[2] = down[:, :-1] @ first[net.inputs : -1].T
    give_back(down)
    give_back(spare)
    return [found[k] for k in argnums]


def _composed(net: Any, args: tuple, argnums: tuple[int, ...]) -> Callable:
    """The network as a function of the chosen arguments alone, in autograd's own operations."""

    def function(chosen: tuple) -> Array:
        full = list(args)
        for k, value in zip(argnums, chosen, strict=True):
            full[k] = value
        return net.compose(*full)

    return function


def _network_vjp(argnums: tuple[int, ...], ans: Array, args: tuple, kwargs: dict) -> Callable:
    net, tapes = kwargs["net"], kwargs["tapes"]
    chosen = tuple(args[k] for k in argnums)

    def composed(g: Array) -> Any:
        return make_vjp(_composed(net, args, argnums), chosen)[0](g)

    def written_out(g: Array) -> Any:
        if isbox(g):
            return composed(g)
        rows = np.cumsum([0, *(len(tape.slopes[0]) for tape in tapes)]).tolist()
        parts = [(net, tape, g[a:b], argnums) for tape, a, b in zip(tapes, rows[:-1], rows[1:], strict=True)]
        found = run_parts(_backward, parts)
        joined = []
        for k, *pieces in zip(argnums, *found, strict=True):
            if k == 0:
                joined.append(sum(pieces[1:], start=pieces[0]))
            else:
                whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
                shared = len(args[k]) != len(whole)
                joined.append(np.sum(whole, axis=0, keepdims=True) if shared else whole)
        return joined

    return composed if any(isbox(a) for a in args) else written_out


def _network_jvp(argnums: tuple[int, ...], gs: tuple, ans: Array, args: tuple, kwargs: dict) -> Array:
    chosen = tuple(args[k] for k in argnums)
    return make_jvp(_composed(kwargs["net"], args, argnums), chosen)(tuple(gs))[1]


defvjp_argnums(network, _network_vjp)
defjvp_argnums(network, _network_jvp)


def inference(net: Any, params: Array, x: Array, features: Array | None) -> Array:
    """The output without a gradient: chunks of points, three buffers, a shared condition added once."""
    matrices = _halved(net, params)
    if features is not None and len(features) == 1:
        first = matrices[0]
        offset = features @ first[net.inputs : -1] + first[-1:]
        matrices[0], features = np.concatenate([first[: net.inputs], offset]), None
    xp = array_module(params)
    out = xp.empty((len(x), net.outputs), params.dtype)
    chunk = CHUNK if xp is np else max(1, min(len(x), DEVICE_CHUNK // net.hidden))
    rows = [slice(k, k + chunk) for k in range(0, len(x), chunk)]
    count = (min(threads(), len(rows)) if xp is np else 1) or 1
    run_parts(_infer, [(matrices, x, features, rows[k::count], out, chunk) for k in range(count)])
    return out


def _infer(
    matrices: list[Array], x: Array, features: Array | None, rows: list[slice], out: Array, chunk: int
) -> None:
    joined = borrow((chunk, len(matrices[0])), out)
    here, there = (borrow((chunk, len(matrices[-1])), out) for _ in range(2))
    for part in rows:
        some = x[part]
        before = _join(joined[: len(some)], some, None if features is None else features[part])
        u, gate = here[: len(some)], there[: len(some)]
        for matrix in matrices[:-1]:
            _layer(before, matrix, u, gate)
            before, u, gate = u, gate, u
        np.matmul(before, matrices[-1], out=out[part])
    for buffer in (joined, here, there):
        give_back(buffer)
