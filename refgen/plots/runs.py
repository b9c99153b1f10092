"""Pictures of data, runs and samples.

Every function returns a matplotlib Figure and draws no random numbers. All points are in the model's
coordinates (standardised data).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from refgen.denoisers import Denoiser
from refgen.distributions.base import Distribution
from refgen.formulas.forward import diffuse
from refgen.plots.style import (
    DATA,
    EXACT,
    LEARNED,
    arrows,
    chart,
    density,
    frame,
    grid,
    image,
    limit_of,
    panels,
    scatter,
)
from refgen.schedules import Schedule

__all__ = [
    "cloud",
    "comparison",
    "data_sets",
    "forward_process",
    "log_densities",
    "loss_curve",
    "overview",
    "samples",
    "score_fields",
]


def forward_process(
    points: np.ndarray, noise: np.ndarray, schedule: Schedule, times: Sequence[int]
) -> Figure:
    """Data becoming noise: the same points at a few times, with how much signal is left.

    points, noise: (n, 2). times: from clean to noisy. Where no signal is lost, as in a ladder of noise, the
    std of the noise is written.
    """
    figure, axes = panels(1, len(times))
    limit = max(limit_of(points), 3.2)
    for ax, t in zip(axes[0], times, strict=True):
        signal, std = schedule.level(t)
        shown = f"std {std:.2f}" if schedule.level(schedule.T)[0] == 1 else f"signal {signal:.2f}"
        frame(ax, limit, f"t = {t}, {shown}")
        scatter(ax, diffuse(points, noise, signal, std), DATA)
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
    bury the others, and stop at twice the 0.9 quantile of the exact one.
    """
    figure, axes = panels(2, len(errors), width=9.0 if len(errors) > 1 else 4.8)
    noisiest = law.diffused(*schedule.level(max(errors)))
    limit = limit_of(np.sqrt(np.diag(np.maximum(noisiest.cov, law.cov))) * 3.0)
    _, places = grid(0.94 * limit, 19)
    for column, (t, error) in enumerate(errors.items()):
        level = schedule.level(t)
        truth, guess = exact.score(places, *level), learned.score(places, *level)
        longest = float(np.quantile(np.linalg.norm(truth, axis=1), 0.9))
        time = f"t = {t}, " if schedule.T > 1 else ""
        frame(axes[0, column], limit, f"exact score, {time}std {level[1]:.2f}")
        frame(axes[1, column], limit, f"learned score, relative error {error:.2f}")
        for ax, field, colour in [(axes[0, column], truth, EXACT), (axes[1, column], guess, LEARNED)]:
            density(ax, law.diffused(*level), limit)
            length = np.linalg.norm(field, axis=1, keepdims=True)
            arrows(
                ax, places, field * np.minimum(1, 2 * longest / np.maximum(length, 1e-12)), colour, longest
            )
    return figure


def samples(exact: np.ndarray, learned: np.ndarray, title: str = "samples of the model") -> Figure:
    """Exact points beside those of a model, with the same limits."""
    figure, axes = panels(1, 2, width=7.0)
    limit = limit_of(exact)
    for ax, points, colour, text in [
        (axes[0, 0], exact, EXACT, "exact"),
        (axes[0, 1], learned, LEARNED, title),
    ]:
        frame(ax, limit, f"{text}, {len(points):,} points")
        scatter(ax, points, colour)
    return figure


def cloud(points: np.ndarray) -> Figure:
    """Points (n, 2) in one panel, in their own units. Raises ValueError for points of another dimension."""
    if points.shape[1] != 2:
        raise ValueError(f"points have dimension {points.shape[1]}; a picture needs 2")
    figure, (ax,) = chart(1, 5, 5)
    ax.set_title(f"{len(points):,} points")
    scatter(ax, points, LEARNED)
    x_spread, y_spread = points.std(axis=0)
    if x_spread < 10 * y_spread and y_spread < 10 * x_spread:  # else one axis would be a line
        ax.set_aspect("equal", adjustable="datalim")
    return figure


def data_sets(points: Mapping[str, np.ndarray]) -> Figure:
    """Points (n, 2) of several data sets by name, five in a row, each in limits of its own."""
    figure, axes = panels(-(-len(points) // 5), min(5, len(points)))
    for ax in axes.flat[len(points) :]:
        ax.set_axis_off()
    for ax, (name, x) in zip(axes.flat, points.items(), strict=False):
        frame(ax, limit_of(x), name)
        scatter(ax, x, DATA)
    return figure


def comparison(exact: Mapping[str, np.ndarray], learned: Mapping[str, np.ndarray]) -> Figure:
    """Exact points, then those of several models, by titles of one or two lines, with the same limits."""
    colours = [*[EXACT] * len(exact), *[LEARNED] * len(learned)]
    titles, points = [*exact, *learned], [*exact.values(), *learned.values()]
    columns = 3 if len(points) in (3, 5, 6) else min(len(points), 4)
    figure, axes = panels(-(-len(points) // columns), columns, width=min(9.0, 3.2 * columns), top=0.48)
    limit = max(map(limit_of, exact.values()))
    for ax in axes.flat[len(points) :]:
        ax.set_axis_off()
    for ax, title, x, colour in zip(axes.flat, titles, points, colours, strict=False):
        frame(ax, limit, title)
        scatter(ax, x, colour)
    return figure


def loss_curve(step: np.ndarray, loss: np.ndarray, title: str = "training loss", note: str = "") -> Figure:
    """Loss against training step: each logged mean, and its running mean over a tenth of them.

    note: what this loss is, written under the axis.
    """
    figure, (ax,) = chart()
    ax.plot(step, loss, color=LEARNED, alpha=0.3, linewidth=0.8)
    width = max(1, len(loss) // 10)
    if len(loss) > 2 * width:
        smooth = np.convolve(loss, np.ones(width) / width, mode="valid")
        ax.plot(step[width // 2 :][: len(smooth)], smooth, color=LEARNED, linewidth=1.8)
    below = "\n" + "\n".join(textwrap.wrap(note, 78)) if note else ""
    ax.set(xlabel=f"training step{below}", ylabel="loss", title=title)
    if len(loss):
        ax.set_ylim(*_range(loss))
    ax.margins(x=0.01)
    return figure


def _range(values: np.ndarray) -> tuple[float, float]:
    """Limits that a few large values at the start do not stretch."""
    low, high = float(np.min(values)), float(np.quantile(values, 0.98))
    pad = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return low - pad, high + 2 * pad


def overview(
    points: np.ndarray,
    law: Distribution | None,
    learned: np.ndarray,
    title: str,
    data: str = "data",
) -> Figure:
    """One picture of a run: the data, the exact density, and the samples of the model.

    data: what the points are called.
    """
    figure, axes = panels(1, 3 if law is not None else 2, width=9.0)
    limit = limit_of(points)
    frame(axes[0, 0], limit, f"{data}, {len(points):,} points")
    scatter(axes[0, 0], points, DATA)
    if law is not None:
        frame(axes[0, 1], limit, "exact density")
        density(axes[0, 1], law, limit, n=240)
    frame(axes[0, -1], limit, title)
    scatter(axes[0, -1], learned, LEARNED)
    return figure


def log_densities(exact: np.ndarray, learned: np.ndarray, limit: float, depth: float = 15.0) -> Figure:
    """Exact and learned log-density on the grid of `grid(limit, n)`, (n n,) each, in the same colours.

    They are shown from the highest exact value down to `depth` nats below; what lies lower is white.
    """
    figure, axes = panels(1, 2, width=7.0)
    top = float(exact.max())
    for ax, values, text in [(axes[0, 0], exact, "exact"), (axes[0, 1], learned, "learned")]:
        frame(ax, limit, f"{text} log-density, in steps of 3 nats")
        shown = np.clip(values, top - depth, top)
        image(ax, shown, limit, vmin=top - depth, vmax=top)
        axis, _ = grid(limit, round(len(values) ** 0.5))
        side = (len(axis), len(axis))
        colour = EXACT if text == "exact" else LEARNED
        contours = top - np.arange(depth, 0, -3)
        ax.contour(
            axis, axis, values.reshape(side), contours, colors=colour, linewidths=0.7, linestyles="solid"
        )
    return figure
