"""A small network drawn as neurons in layers, with the Jacobian that is being recovered."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from refgen import plots

__all__ = ["WIDTHS", "blank", "edges", "matrix", "neuron", "neurons", "places", "text"]

WIDTHS = (3, 4, 4, 3)  # the tutorial's network: x_1..x_3, two hidden layers, s_1..s_3
FAINT = "#c8c8c8"


def blank(ax: Any, title: str, low: float = -0.62, right: float = 1.12) -> None:
    """An empty panel for the network, its neurons about height 0, with room down to `low` and to `right`."""
    ax.set(xlim=(-0.12, right), ylim=(low, 0.55), xticks=[], yticks=[], aspect="equal")
    ax.set_title(title, pad=4, fontsize=9, color=plots.INK)
    ax.spines[:].set_visible(False)


def places(widths: Sequence[int] = WIDTHS) -> list[np.ndarray]:
    """Where the neurons of each layer are, (width, 2)."""
    columns = np.linspace(0, 1, len(widths))
    rows = [(np.arange(width)[::-1] - (width - 1) / 2) * 0.3 for width in widths]
    return [np.stack([np.full(width, x), y], 1) for x, width, y in zip(columns, widths, rows, strict=True)]


def edges(
    ax: Any, colour: str = FAINT, outputs: Sequence[int] | None = None, inputs: Sequence[int] | None = None
) -> None:
    """The connections; from some outputs and to some inputs only where given, as a reverse pass goes."""
    width, last = (0.7 if colour == FAINT else 1.1), len(WIDTHS) - 2
    for layer, (left, right) in enumerate(pairwise(places())):
        for i, start in enumerate(left):
            for j, end in enumerate(right):
                skipped = layer == last and outputs is not None and j not in outputs
                skipped = skipped or (layer == 0 and inputs is not None and i not in inputs)
                if not skipped:
                    ax.plot(*np.stack([start, end]).T, color=colour, linewidth=width, zorder=1)


def neurons(ax: Any, colours: dict[int, str] | None = None) -> None:
    """The neurons, with the names of inputs and outputs in them. colours: of the outputs that are not ink."""
    layers = places()
    for layer, points in enumerate(layers):
        name = {0: "x", len(layers) - 1: "s"}.get(layer)
        for i, place in enumerate(points):
            chosen = (colours or {}).get(i, plots.INK) if name == "s" else plots.INK
            neuron(ax, place, f"${name}_{i + 1}$" if name else "", chosen)


def neuron(ax: Any, place: Any, name: str, colour: str = plots.INK, size: float = 200) -> None:
    """One neuron with its name in it."""
    ax.scatter(*place, s=size, color="white", edgecolors=colour, linewidths=1.3, zorder=3)
    text(ax, place[0], place[1], name, colour, fontsize=8, zorder=4)


def text(ax: Any, x: float, y: float, words: str, colour: str = plots.INK, **options: Any) -> None:
    """Words at a place of the panel."""
    ax.text(x, y, words, **(dict(color=colour, fontsize=9, ha="center", va="center") | options))


def matrix(ax: Any, values: np.ndarray, known: int, now: int | None = None) -> None:
    """The Jacobian below the network: boxes around the `known` first diagonal entries, the others by name."""
    d = len(values)
    for i in range(d):
        for j in range(d):
            x, y = 0.5 + 0.38 * (j - (d - 1) / 2), -0.82 - 0.17 * (i - (d - 1) / 2)
            if i == j and i < known:
                colour = plots.LEARNED if i == now else plots.EXACT
                box = dict(boxstyle="square,pad=0.25", edgecolor=colour, facecolor="white", linewidth=1.2)
                text(ax, x, y, f"{values[i, j]:.3f}", colour, bbox=box, fontsize=8)
            else:
                words = rf"$\partial s_{i + 1}/\partial x_{j + 1}$"
                text(ax, x, y, words, "#8a8a8a" if i != j else plots.INK, fontsize=8)
