"""Pictures, in one look: exact things blue, learned things orange, data grey, densities in one colour map.

Every function returns a matplotlib Figure and draws no random numbers; `save` writes it. All points are in
the model's coordinates (standardised data).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from refgen.checkpoints import replace_file
from refgen.denoisers import Denoiser
from refgen.distributions.base import Distribution
from refgen.formulas.forward import diffuse
from refgen.schedules import Schedule

__all__ = [
    "cloud",
    "data_sets",
    "forward_process",
    "limit_of",
    "loss_curve",
    "overview",
    "reverse_animation",
    "reverse_process",
    "samples",
    "save",
    "score_fields",
]

EXACT, LEARNED, DATA, INK = "#0072B2", "#D55E00", "#6b6b6b", "#222222"

# One hue whose lightness falls evenly, from the white of the paper: perceptually uniform, for all eyes.
_GREYS = [(1 - 0.62 * s, 1 - 0.58 * s, 1 - 0.50 * s) for s in np.linspace(0, 1, 32)]
DENSITY = LinearSegmentedColormap.from_list("refgen-density", _GREYS)

_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.edgecolor": "#bbbbbb",
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
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
    return _write(path, buffer.getvalue())


def _write(path: str | Path, content: bytes) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda file: file.write(content))
    return path


def limit_of(points: np.ndarray, at_least: float = 2.6) -> float:
    """Half the side of a square about zero that holds nearly all points."""
    return max(at_least, 1.12 * float(np.quantile(np.abs(points), 0.9995)))


def _panels(rows: int, columns: int, width: float = 9.0, top: float = 0.34) -> tuple[Figure, np.ndarray]:
    """A grid of square panels, `width` inches wide, with room for a title line above each row."""
    gap, side = 0.07, (width - 0.07 * (columns + 1)) / columns
    height = rows * (side + top) + gap
    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        axes = np.empty((rows, columns), dtype=object)
        for i in range(rows):
            for j in range(columns):
                left = (gap + j * (side + gap)) / width
                bottom = 1 - ((i + 1) * (side + top)) / height
                axes[i, j] = figure.add_axes((left, bottom, side / width, side / height))
    return figure, axes


def _frame(ax: Any, limit: float, title: str = "") -> None:
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")
    ax.set_title(title, pad=4, fontsize=9, color=INK)
    for spine in ax.spines.values():
        spine.set_color("#cccccc")


def _scatter(ax: Any, points: np.ndarray, colour: str) -> None:
    """Points small and translucent enough, in a panel of this size, that density shows."""
    side = ax.figure.get_size_inches()[0] * ax.get_position().width
    crowd = len(points) / (250 * side**2)  # points per twentieth of an inch squared, about
    size, alpha = 2.0 + 5.0 / (1 + crowd), min(0.85, 0.35 + 0.5 / (1 + crowd))
    ax.scatter(points[:, 0], points[:, 1], s=size, alpha=alpha, color=colour, linewidths=0)


def _grid(limit: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    axis = np.linspace(-limit, limit, n)
    return axis, np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)


def _density(ax: Any, law: Distribution, limit: float, n: int = 160) -> None:
    """The density, as its square root so that thin places show."""
    _, grid = _grid(limit, n)
    density = np.sqrt(np.exp(law.log_prob(grid))).reshape(n, n)
    extent = (-limit, limit, -limit, limit)
    ax.imshow(density, origin="lower", extent=extent, cmap=DENSITY, interpolation="bilinear", vmin=0)


def forward_process(
    points: np.ndarray, noise: np.ndarray, schedule: Schedule, times: Sequence[int]
) -> Figure:
    """Data becoming noise: the same points at a few times, with how much signal is left.

    points, noise: (n, 2). times: from clean to noisy. Where no signal is lost, as in a ladder of noise, the
    std of the noise is written.
    """
    figure, axes = _panels(1, len(times))
    limit = max(limit_of(points), 3.2)
    for ax, t in zip(axes[0], times, strict=True):
        signal, std = schedule.level(t)
        shown = f"std {std:.2f}" if schedule.level(schedule.T)[0] == 1 else f"signal {signal:.2f}"
        _frame(ax, limit, f"t = {t}, {shown}")
        _scatter(ax, diffuse(points, noise, signal, std), DATA)
    return figure


def score_fields(
    learned: Denoiser,
    exact: Denoiser,
    law: Distribution,
    schedule: Schedule,
    errors: Mapping[int, float],
) -> Figure:
    """Exact score (above) and learned score (below) over the exact density, at the times of `errors`.

    errors: the relative error of the learned score by time, written above its panel. Arrows have one scale in
    the two panels of a time; they grow like the root of the score, so that the long ones far out do not
    bury the others.
    """
    figure, axes = _panels(2, len(errors))
    noisiest = law.diffused(*schedule.level(max(errors)))
    limit = limit_of(np.sqrt(np.diag(np.maximum(noisiest.cov, law.cov))) * 3.0)
    _, grid = _grid(0.94 * limit, 19)
    for column, (t, error) in enumerate(errors.items()):
        level = schedule.level(t)
        truth, guess = exact.score(grid, *level), learned.score(grid, *level)
        longest = float(np.quantile(np.linalg.norm(truth, axis=1), 0.9))
        _frame(axes[0, column], limit, f"exact score, t = {t}, std {level[1]:.2f}")
        _frame(axes[1, column], limit, f"learned score, relative error {error:.2f}")
        for ax, field, colour in [(axes[0, column], truth, EXACT), (axes[1, column], guess, LEARNED)]:
            _density(ax, law.diffused(*level), limit)
            length = np.linalg.norm(field, axis=1, keepdims=True)
            arrows = field / np.maximum(np.sqrt(length * longest), 1e-12)
            ax.quiver(*grid.T, *arrows.T, color=colour, scale=22, width=0.0055, headwidth=3.6, pivot="mid")
    return figure


def samples(exact: np.ndarray, learned: np.ndarray, title: str = "samples of the model") -> Figure:
    """Exact points beside those of a model, with the same limits."""
    figure, axes = _panels(1, 2, width=7.0)
    limit = limit_of(exact)
    for ax, points, colour, text in [
        (axes[0, 0], exact, EXACT, "exact"),
        (axes[0, 1], learned, LEARNED, title),
    ]:
        _frame(ax, limit, f"{text}, {len(points):,} points")
        _scatter(ax, points, colour)
    return figure


def cloud(points: np.ndarray) -> Figure:
    """Points (n, 2) in one panel, in their own units. Raises ValueError for points of another dimension."""
    if points.shape[1] != 2:
        raise ValueError(f"points have dimension {points.shape[1]}; a picture needs 2")
    with rc_context(_STYLE):
        figure = Figure(figsize=(5, 5), layout="constrained")
        FigureCanvasAgg(figure)
        ax = figure.add_subplot()
        ax.set_title(f"{len(points):,} points")
        _scatter(ax, points, LEARNED)
        x_spread, y_spread = points.std(axis=0)
        if x_spread < 10 * y_spread and y_spread < 10 * x_spread:  # else one axis would be a line
            ax.set_aspect("equal", adjustable="datalim")
    return figure


def data_sets(points: Mapping[str, np.ndarray]) -> Figure:
    """Points (n, 2) of several data sets by name, five in a row, each in limits of its own."""
    figure, axes = _panels(-(-len(points) // 5), min(5, len(points)))
    for ax in axes.flat[len(points) :]:
        ax.set_axis_off()
    for ax, (name, x) in zip(axes.flat, points.items(), strict=False):
        _frame(ax, limit_of(x), name)
        _scatter(ax, x, DATA)
    return figure


def loss_curve(step: np.ndarray, loss: np.ndarray, title: str = "training loss") -> Figure:
    """Loss against training step: each logged mean, and its running mean over a tenth of them."""
    with rc_context(_STYLE):
        figure = Figure(figsize=(7, 3.2), layout="constrained")
        FigureCanvasAgg(figure)
        ax = figure.add_subplot()
        ax.plot(step, loss, color=LEARNED, alpha=0.3, linewidth=0.8)
        width = max(1, len(loss) // 10)
        if len(loss) > 2 * width:
            smooth = np.convolve(loss, np.ones(width) / width, mode="valid")
            ax.plot(step[width // 2 :][: len(smooth)], smooth, color=LEARNED, linewidth=1.8)
        ax.set(xlabel="training step", ylabel="loss", title=title)
        if len(loss):
            ax.set_ylim(*_range(loss))
        ax.spines[["top", "right"]].set_visible(False)
        ax.margins(x=0.01)
    return figure


def _range(values: np.ndarray) -> tuple[float, float]:
    """Limits that a few large values at the start do not stretch."""
    low, high = float(np.min(values)), float(np.quantile(values, 0.98))
    pad = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return low - pad, high + 2 * pad


def reverse_process(kept: Mapping[int, np.ndarray], shown: Sequence[int], paths: int = 12) -> Figure:
    """Noise becoming samples: the points at the shown times, and in the last panel the paths of a few.

    kept: points (n, 2) by time, of which `shown` are panels and all are stations of the paths.
    """
    figure, axes = _panels(1, len(shown) + 1)
    times = sorted(kept, reverse=True)
    limit = max(limit_of(kept[times[-1]]), 3.2)
    for ax, t in zip(axes[0], shown, strict=False):
        _frame(ax, limit, f"t = {t}")
        _scatter(ax, kept[t], LEARNED)
    ax = axes[0, -1]
    tracks = np.stack([kept[t][:paths] for t in times], axis=1)
    _frame(ax, limit, f"paths of {len(tracks)} points")
    ax.add_collection(LineCollection(list(tracks), colors=LEARNED, linewidths=0.6, alpha=0.5))
    ax.scatter(*tracks[:, -1].T, s=9, color=INK, linewidths=0, zorder=3)
    return figure


def overview(
    points: np.ndarray,
    law: Distribution | None,
    learned: np.ndarray,
    title: str,
) -> Figure:
    """One picture of a run: the data, the exact density, and the samples of the model."""
    figure, axes = _panels(1, 3 if law is not None else 2, width=9.0)
    limit = limit_of(points)
    _frame(axes[0, 0], limit, f"data, {len(points):,} points")
    _scatter(axes[0, 0], points, DATA)
    if law is not None:
        _frame(axes[0, 1], limit, "exact density")
        _density(axes[0, 1], law, limit, n=240)
    _frame(axes[0, -1], limit, title)
    _scatter(axes[0, -1], learned, LEARNED)
    return figure


def reverse_animation(kept: Mapping[int, np.ndarray], path: str | Path, fps: int = 20) -> Path:
    """A GIF of the reverse process, a frame for each kept time; the last is held a second and a half."""
    from PIL import Image

    times = sorted(kept, reverse=True)
    limit = max(limit_of(kept[times[-1]]), 3.2)
    frames = []
    for t in times:
        figure, axes = _panels(1, 1, width=4.2)
        _frame(axes[0, 0], limit, f"reverse process, t = {t}")
        _scatter(axes[0, 0], kept[t], LEARNED)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=100)
        frames.append(
            Image.open(buffer).convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
        )
    durations = [1000 // fps] * (len(frames) - 1) + [1500]
    buffer = io.BytesIO()
    frames[0].save(buffer, format="gif", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return _write(path, buffer.getvalue())
