"""The whole network as one autograd primitive, and its inference path.

Where nothing outside is being traced, the gradient is written out in NumPy and works in buffers that are
used again. Where the gradient itself is being differentiated (Jacobian traces, gradient penalties), it falls
back to `net.compose`, since arrays that a primitive keeps do not carry the outer trace.

With the weights halved, u = z / 2 comes straight from the matrix product, and silu(z) = u (1 + tanh u).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.core import make_jvp, make_vjp
from autograd.extend import defjvp_argnums, defvjp_argnums, primitive
from autograd.tracer import isbox

from refgen.nets.activations import silu_gate, silu_slope
from refgen.nets.workspace import borrow, give_back, run_parts, threads

__all__ = ["Tapes", "inference", "network"]

Array = Any

CHUNK = 1000  # points that go through together where no gradient is wanted: their activations stay in cache
SPLIT = 256  # a batch is shared between threads only where each has at least this many points


class Tapes(list):
    """What one forward pass keeps for its own backward pass, one tape a thread; made anew for every call."""


class _Tape:
    """Halved weights, activations and gates of some rows; the buffers go back when the tape is forgotten."""

    def __init__(self, views: list[np.ndarray]):
        self.views = views
        self.activations: list[np.ndarray] = []
        self.gates: list[np.ndarray] = []

    def __del__(self) -> None:
        for buffer in (*self.activations, *self.gates):
            give_back(buffer)


@primitive
def network(params: Array, x: Array, features: Array | None, *, net: Any, tapes: Tapes) -> np.ndarray:
    """The output of the network; its activations are kept in `tapes`."""
    views = _halved(net, params)
    found = run_parts(_forward, [(net, views, *part) for part in _shares(x, features)])
    tapes[:] = [tape for _, tape in found]
    return found[0][0] if len(found) == 1 else np.concatenate([y for y, _ in found])


def _shares(x: np.ndarray, features: np.ndarray | None) -> list[tuple]:
    """The rows, shared out between the threads."""
    count = min(threads(), max(1, len(x) // SPLIT))
    if count == 1:
        return [(x, features)]
    edges = [len(x) * k // count for k in range(count + 1)]
    rows = [slice(a, b) for a, b in itertools.pairwise(edges)]
    shared = features is None or len(features) == 1
    return [(x[part], features if shared else features[part]) for part in rows]  # type: ignore[index]


def _halved(net: Any, params: np.ndarray) -> list[np.ndarray]:
    """Views of a copy of the parameters with all layers halved but the last."""
    half = params.copy()
    half[: net.layout.spans[-2][0]] *= 0.5
    return net.layout.views(half)


def _forward(net: Any, views: list, x: np.ndarray, features: np.ndarray | None) -> tuple[np.ndarray, _Tape]:
    tape = _Tape(views)
    joined = borrow((len(x), net.inputs + net.features), x.dtype)
    joined[:, : net.inputs] = x
    if features is not None:
        joined[:, net.inputs :] = features
    tape.activations.append(joined)
    for weight, bias in zip(views[:-2:2], views[1:-2:2], strict=True):
        u = np.matmul(tape.activations[-1], weight, out=borrow((len(x), net.hidden), x.dtype))
        u += bias
        gate = borrow(u.shape, u.dtype)
        silu_gate(u, gate)
        tape.activations.append(u)
        tape.gates.append(gate)
    return tape.activations[-1] @ views[-2] + views[-1], tape


def _backward(net: Any, tape: _Tape, g: np.ndarray, argnums: tuple[int, ...]) -> list[np.ndarray]:
    """The gradients of sum(g * output) with respect to the chosen ones of params, x and features."""
    grad = np.empty(net.size, g.dtype)
    grads = net.layout.views(grad)
    ones = np.ones(len(g), g.dtype)
    np.matmul(tape.activations[-1].T, g, out=grads[-2])
    np.matmul(ones, g, out=grads[-1])
    down = np.matmul(g, tape.views[-2].T, out=borrow((len(g), net.hidden), g.dtype))
    spare = borrow(down.shape, down.dtype)
    for k in reversed(range(net.layers)):
        down *= silu_slope(tape.activations[k + 1], tape.gates[k], out=spare)
        np.matmul(tape.activations[k].T, down, out=grads[2 * k])
        np.matmul(ones, down, out=grads[2 * k + 1])
        if k:
            down, spare = np.matmul(down, tape.views[2 * k].T, out=spare), down
    grad[: net.layout.spans[-2][0]] *= 0.5
    found = {0: grad}
    if 1 in argnums:
        found[1] = down @ tape.views[0][: net.inputs].T
    if 2 in argnums:
        found[2] = down @ tape.views[0][net.inputs :].T
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
        rows = np.cumsum([0, *(len(tape.activations[0]) for tape in tapes)])
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


def inference(net: Any, params: np.ndarray, x: np.ndarray, features: np.ndarray | None) -> np.ndarray:
    """The output without a gradient: chunks of points, two buffers, a shared condition added once."""
    views = _halved(net, params)
    out = np.empty((len(x), net.outputs), params.dtype)
    offset = views[1]
    if features is not None and len(features) == 1:
        offset = features[0] @ views[0][net.inputs :] + views[1]
        features = None
    rows = [slice(k, k + CHUNK) for k in range(0, len(x), CHUNK)]
    count = min(threads(), len(rows)) or 1
    parts = [(net, views, x, features, offset, rows[k::count], out) for k in range(count)]
    run_parts(_infer, parts)
    return out


def _infer(
    net: Any,
    views: list[np.ndarray],
    x: np.ndarray,
    features: np.ndarray | None,
    offset: np.ndarray,
    rows: list[slice],
    out: np.ndarray,
) -> None:
    here, there = (borrow((CHUNK, net.hidden), out.dtype) for _ in range(2))
    for part in rows:
        some = x[part]
        u, gate = here[: len(some)], there[: len(some)]
        np.matmul(some, views[0][: net.inputs], out=u)
        if features is not None:
            u += np.matmul(features[part], views[0][net.inputs :], out=gate)
        u += offset
        silu_gate(u, gate)
        for weight, bias in zip(views[2:-2:2], views[3:-2:2], strict=True):
            u, gate = np.matmul(u, weight, out=gate), u
            u += bias
            silu_gate(u, gate)
        np.matmul(u, views[-2], out=out[part])
        out[part] += views[-1]
    give_back(here)
    give_back(there)
