r"""v^T (grad s) v takes one neuron more and one reverse pass, whatever the dimension.

.. math:: v^\top\nabla_xs\,v=v^\top\nabla_x(v^\top s)

The inner product with v is a neuron behind the outputs, and one pass from it gives the whole
gradient. Source: Song et al. 2019; Dong-A notes, 'Computing Jacobian-vector products is scalable'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.experiments.drawn_network import blank, edges, neuron, neurons, places, text
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.trace_passes import chain_rule, network
from refgen.formulas.sliced import directions, trace_along
from refgen.nets.derivatives import counted_passes, sliced_trace

__all__ = ["cost", "run"]

Array = Any

DIMS = (1, 2, 3, 10, 50)
NEURON = (1.45, 0.0)


def cost(dim: int, draws: int, rng: Stream) -> dict[str, float]:
    """Forward and reverse passes for v^T J v along so many directions, and the distance to the chain rule."""
    net, params, x = network(dim, rng)
    v = directions(rng.spawn("directions").normal(draws, *x.shape), "gaussian")
    forwards = 0

    def score(z: Array) -> Array:
        nonlocal forwards
        forwards += 1
        return net(params, z)

    with counted_passes() as count:
        _, along = sliced_trace(score, x, v[0] if draws == 1 else v)
    exact = trace_along(v, chain_rule(net, params, x))
    return dict(
        dim=dim, draws=draws, forwards=forwards, passes=count.passes, error=float(np.max(abs(along - exact)))
    )


def _figure(rng: Stream) -> Figure:
    """The four steps for the network, point and direction that are drawn; with their numbers."""
    net, params, x = network(3, rng)
    v = directions(rng.spawn("directions").normal(1, *x.shape), "gaussian")[0]
    s, along = sliced_trace(lambda z: net(params, z), x, v)
    gradient = (v[:, None] @ chain_rule(net, params, x))[0, 0]
    titles = (
        "1  forward: $s(x)$",
        "2  one more neuron: $v^\\top s$",
        "3  one reverse pass",
        "4  inner product",
    )
    figure, axes = plots.chart(4, width=11.0, height=2.4)
    ends = places()[-1]
    for step, (ax, title) in enumerate(zip(axes, titles, strict=True)):
        blank(ax, title, low=-0.84, right=1.62)
        colour = (plots.EXACT, plots.EXACT, plots.LEARNED, plots.INK)[step]
        edges(ax)
        if step in (0, 2):
            edges(ax, colour)
        neurons(ax)
        if step == 0:
            continue
        for i, end in enumerate(ends):
            ax.plot([end[0], NEURON[0]], [end[1], NEURON[1]], color=colour, linewidth=1.1, zorder=1)
            text(ax, 1.2, 0.56 * end[1] + 0.06, f"$v_{i + 1}$", colour, fontsize=8)
        neuron(ax, NEURON, r"$v^\top s$", colour, size=420)
    listed = [", ".join(f"{one:.2f}" for one in values) for values in (s[0], v[0], gradient)]
    under = (
        f"$s$ = ({listed[0]})",
        f"$v$ = ({listed[1]})\n$v^\\top s$ = {v[0] @ s[0]:.3f}",
        f"$\\nabla_x(v^\\top s)$ =\n({listed[2]})",
        f"$v^\\top\\nabla_x(v^\\top s)$ = {along[0]:.3f}",
    )
    for ax, words in zip(axes, under, strict=True):
        text(ax, 0.75, -0.7, words, fontsize=8)
    return figure


def run(rng: Stream, say: Callable[..., None]) -> Outcome:
    """Count passes in 1 to 50 dimensions, for one direction and for four."""
    say("one reverse pass in 1 to 50 dimensions")
    one = [cost(dim, 1, rng.spawn(f"{dim}")) for dim in DIMS]
    four = cost(10, 4, rng.spawn("four"))
    worst = max(row["error"] for row in [*one, four])
    claims = [
        Claim("most forward passes in any dimension", max(row["forwards"] for row in one), "==", 1),
        Claim("fewest reverse passes in any dimension", min(row["passes"] for row in one), "==", 1),
        Claim("most reverse passes in any dimension", max(row["passes"] for row in one), "==", 1),
        Claim("forward passes for four directions", four["forwards"], "==", 1),
        Claim("reverse passes for four directions", four["passes"], "==", 4),
        Claim("largest distance to v^T J v by the chain rule", worst, "<=", 1e-10),
    ]
    return Outcome(
        "v^T (grad s) v = v^T grad (v^T s): one forward pass, one additional neuron, one backpropagation and "
        "one inner product, however many dimensions there are.",
        claims,
        dict(networks=one, four_directions=four),
        _figure(rng.spawn("3")),
        "Four steps and one reverse pass, where the trace takes one for each dimension; in 1 to 50 "
        f"dimensions it equals v^T J v of the chain rule to {worst:.0e}.",
        "It is the trace in the mean over v, not for one v. Each further direction is one more reverse pass; "
        "the forward pass is shared.",
    )
