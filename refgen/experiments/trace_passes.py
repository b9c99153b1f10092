"""The trace of a Jacobian takes one reverse pass for each entry of its diagonal.

Each pass through a network with random float64 weights gives one more entry;
what the d passes give is compared with the Jacobian from the chain rule, layer by layer forwards.
Source: Dong-A notes, 'Score Matching is not scalable'.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from autograd import elementwise_grad
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.experiments.drawn_network import blank, edges, matrix, neurons, text
from refgen.experiments.outcome import Claim, Outcome
from refgen.nets.activations import silu
from refgen.nets.derivatives import counted_passes, sliced_trace, trace
from refgen.nets.mlp import MLP

__all__ = ["chain_rule", "network", "recovered", "run"]

Array = Any

DIMS = (1, 2, 3, 10, 50)
POINTS = 5


def network(dim: int, rng: Stream) -> tuple[MLP, np.ndarray, np.ndarray]:
    """A network dim -> 4 -> 4 -> dim, its float64 parameters with biases that are not zero, and points."""
    net = MLP(dim, dim, hidden=4, layers=2)
    params = 0.7 * rng.spawn("weights").normal(net.size)
    return net, params, rng.spawn("points").normal(POINTS, dim)


def chain_rule(net: MLP, params: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The Jacobians ds_i/dx_j at points (n, d), (n, d, d), as products of matrices, layer by layer."""
    *hidden, weight, _ = net.layout.parts(params)
    slopes = np.broadcast_to(np.eye(x.shape[1]), (*x.shape, x.shape[1]))  # by input, then by neuron
    for w, b in zip(hidden[::2], hidden[1::2], strict=True):
        z = x @ w + b
        slopes, x = (slopes @ w) * elementwise_grad(silu)(z)[:, None], silu(z)
    return np.swapaxes(slopes @ weight, 1, 2)


def recovered(net: MLP, params: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """The diagonals, (d, n), one entry of all points a pass; and the passes that had run after each entry."""
    entries, passes = [], []
    with counted_passes() as count:
        for i in range(x.shape[1]):
            basis = np.zeros_like(x)
            basis[:, i] = 1
            entries.append(sliced_trace(partial(net, params), x, basis)[1])
            passes.append(count.passes)
    return np.stack(entries), passes


def _figure(jacobian: np.ndarray, diagonal: np.ndarray) -> Figure:
    figure, axes = plots.chart(3, width=9.0, height=4.4)
    shown = np.where(np.eye(3, dtype=bool), diagonal, jacobian)
    for i, ax in enumerate(axes):
        blank(ax, low=-1.3, title=f"reverse pass {i + 1}: from $s_{i + 1}$ to $x_{i + 1}$")
        edges(ax)
        edges(ax, plots.LEARNED, outputs=[i], inputs=[i])
        neurons(ax, {i: plots.LEARNED})
        matrix(ax, shown, i + 1, now=i)
        terms = "".join(f" {'-' if one < 0 else '+'} {abs(one):.3f}" for one in diagonal[: i + 1])
        known = f"{'trace' if i == 2 else 'so far'}: {terms.removeprefix(' + ').strip()}"
        text(ax, 0.5, -1.2, known + (f" = {np.sum(diagonal[: i + 1]):.3f}" if i else ""), fontsize=8)
    return figure


def run(rng: Stream, say: Callable[..., None]) -> Outcome:
    """Recover diagonals in 1 to 50 dimensions and count the passes."""
    say("reverse passes in 1 to 50 dimensions")
    rows: list[dict[str, Any]] = []
    short = []
    for dim in DIMS:
        net, params, x = network(dim, rng.spawn(f"{dim}"))
        exact = chain_rule(net, params, x)
        traces = np.trace(exact, axis1=1, axis2=2)
        diagonal, passes = recovered(net, params, x)
        with counted_passes() as count:
            total = trace(partial(net, params), x)[1]
        rows.append(
            dict(
                dim=dim,
                passes_of_the_trace=count.passes,
                passes_by_entry=passes,
                diagonal_error=float(np.max(abs(diagonal.T - np.diagonal(exact, axis1=1, axis2=2)))),
                trace_error=float(np.max(abs(total - traces))),
            )
        )
        if dim > 1:  # what is still missing one pass before the end
            short.append(float(np.min(np.max(abs(np.sum(diagonal[:-1], axis=0) - traces)))))
        if dim == 3:
            figure = _figure(exact[0], diagonal[:, 0])
    worst = {name: max(row[name] for row in rows) for name in ("diagonal_error", "trace_error")}
    claims = [
        *[
            Claim(f"reverse passes of the trace, d = {r['dim']}", r["passes_of_the_trace"], "==", r["dim"])
            for r in rows
        ],
        Claim(
            "entries that did not come with one pass each",
            sum(r["passes_by_entry"] != list(range(1, r["dim"] + 1)) for r in rows),
            "==",
            0,
        ),
        Claim("largest error of a diagonal entry", worst["diagonal_error"], "<=", 1e-10),
        Claim("largest error of a trace", worst["trace_error"], "<=", 1e-10),
        Claim("least error of the trace after d - 1 passes", min(short), ">=", 1e-3),
    ]
    return Outcome(
        "For the trace of the Jacobian, one backpropagation is needed for each element of the diagonal: "
        "as many as the data have dimensions.",
        claims,
        dict(networks=rows),
        figure,
        "Three outputs, three reverse passes: each fills one box of the diagonal, and their sum is the "
        f"trace, equal to that of the chain rule to {worst['trace_error']:.0e}.",
        "A pass is one for a whole batch: the count does not grow with the points. Networks whose Jacobian "
        "has a known form need fewer.",
    )
