"""The look of every picture: exact things blue, learned things orange, data grey, densities in one colour
map; and the parts that pictures are made of. Nothing here draws random numbers.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from refgen.checkpoints import replace_file
from refgen.distributions.base import Distribution

__all__ = [
    "DATA",
    "DENSITY",
    "EXACT",
    "INK",
    "LEARNED",
    "STYLE",
    "arrows",
    "chart",
    "density",
    "frame",
    "grid",
    "image",
    "limit_of",
    "panels",
    "save",
    "scatter",
    "write",
]

EXACT, LEARNED, DATA, INK = "#0072B2", "#D55E00", "#6b6b6b", "#222222"

# One hue whose lightness falls evenly, from the white of the paper: perceptually uniform, for all eyes.
_GREYS = [(1 - 0.62 * s, 1 - 0.58 * s, 1 - 0.50 * s) for s in np.linspace(0, 1, 32)]
DENSITY = LinearSegmentedColormap.from_list("refgen-density", _GREYS)

STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.edgecolor": "#bbbbbb",
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}

_DPI = 150


def save(figure: Figure, path: str | Path) -> Path:
    """Write the picture, PNG or what the suffix says, beside its place and rename it there."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=Path(path).suffix.lstrip(".") or "png", dpi=_DPI)
    return write(path, buffer.getvalue())


def write(path: str | Path, content: bytes) -> Path:
    """Write a file beside its place and rename it there, with the folders that it needs."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda file: file.write(content))
    return path


def limit_of(points: np.ndarray, at_least: float = 2.6) -> float:
    """Half the side of a square about zero that holds nearly all points."""
    return max(at_least, 1.12 * float(np.quantile(np.abs(points), 0.9995)))


def panels(rows: int, columns: int, width: float = 9.0, top: float = 0.34) -> tuple[Figure, np.ndarray]:
    """A grid of square panels, `width` inches wide, with room for a title line above each row.

    Returns the figure and its axes, (rows, columns); give each a `frame`.
    """
    gap, side = 0.07, (width - 0.07 * (columns + 1)) / columns
    height = rows * (side + top) + gap
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        axes = np.empty((rows, columns), dtype=object)
        for i in range(rows):
            for j in range(columns):
                left = (gap + j * (side + gap)) / width
                bottom = 1 - ((i + 1) * (side + top)) / height
                axes[i, j] = figure.add_axes((left, bottom, side / width, side / height))
                axes[i, j].spines[:].set_visible(True)
    return figure, axes


def chart(
    columns: int = 1,
    width: float = 7.0,
    height: float = 3.2,
    rows: Sequence[int] | None = None,
    heights: Sequence[float] | None = None,
) -> tuple[Figure, np.ndarray]:
    """Axes for lines and bars, (columns,), in a row, in a figure of this size in inches.

    rows: in place of columns, how many axes each row has, from the top; they come in one array, row after
    row. heights: the shares of the rows; equal if None.
    """
    counts = rows or (columns,)
    finest = math.lcm(*counts)
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        places = figure.add_gridspec(len(counts), finest, height_ratios=heights)
        spans = [(i, j * finest // n, (j + 1) * finest // n) for i, n in enumerate(counts) for j in range(n)]
        axes = [figure.add_subplot(places[i, left:right]) for i, left, right in spans]
    return figure, np.array(axes, dtype=object)


def frame(ax: Any, limit: float, title: str = "") -> None:
    """A square panel about zero without ticks, with equal axes and its title above."""
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")
    ax.set_title(title, pad=4, fontsize=9, color=INK)
    for spine in ax.spines.values():
        spine.set_color("#cccccc")


def scatter(ax: Any, points: np.ndarray, colour: str) -> None:
    """Points small and translucent enough, in a panel of this size, that density shows."""
    side = ax.figure.get_size_inches()[0] * ax.get_position().width
    crowd = len(points) / (250 * side**2)  # points per twentieth of an inch squared, about
    size, alpha = 2.0 + 5.0 / (1 + crowd), min(0.85, 0.35 + 0.5 / (1 + crowd))
    ax.scatter(points[:, 0], points[:, 1], s=size, alpha=alpha, color=colour, linewidths=0)


def grid(limit: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """n places on an axis from -limit to limit, (n,), and the points of their square grid, (n n, 2)."""
    axis = np.linspace(-limit, limit, n)
    return axis, np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)


def image(ax: Any, values: np.ndarray, limit: float, colours: Any = DENSITY, **options: Any) -> Any:
    """Values on the grid of `grid(limit, n)`, (n, n) or (n n,), as colours. Returns matplotlib's image."""
    n = round(np.size(values) ** 0.5)
    extent = (-limit, limit, -limit, limit)
    return ax.imshow(
        np.reshape(values, (n, n)),
        origin="lower",
        extent=extent,
        cmap=colours,
        interpolation="bilinear",
        **options,
    )


def density(ax: Any, law: Distribution, limit: float, n: int = 160) -> None:
    """The density, as its square root so that thin places show."""
    image(ax, np.sqrt(np.exp(law.log_prob(grid(limit, n)[1]))), limit, vmin=0)


def arrows(ax: Any, places: np.ndarray, field: np.ndarray, colour: str, longest: float = 0.0) -> None:
    """A vector field (n, 2) at places (n, 2), as arrows that grow like the root of its length.

    So the long ones far out do not bury the others. longest: the length whose arrow is of full size, the same
    in panels that are compared; 0 for the 0.9 quantile of this field.
    """
    length = np.linalg.norm(field, axis=1, keepdims=True)
    longest = longest or float(np.quantile(length, 0.9))
    shown = field / np.maximum(np.sqrt(length * longest), 1e-12)
    ax.quiver(*places.T, *shown.T, color=colour, scale=22, width=0.0055, headwidth=3.6, pivot="mid")
