"""Pictures of points on their way from noise to samples.

All points are in the model's coordinates (standardised data).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from refgen.plots.style import INK, LEARNED, frame, limit_of, panels, scatter, write

__all__ = ["reverse_animation", "reverse_process"]


def reverse_process(
    kept: Mapping[int, np.ndarray], shown: Sequence[int], paths: int = 12, label: str = "t = {t:,}"
) -> Figure:
    """Noise becoming samples: the points at the shown times, and in the last panel the paths of a few.

    kept: points (n, 2) by time, of which `shown` are panels and all are stations of the paths. label: how a
    time is written. paths: how many; 0 for no such panel.
    """
    figure, axes = panels(1, len(shown) + (paths > 0))
    times = sorted(kept, reverse=True)
    limit = max(limit_of(kept[times[-1]]), 3.2)
    for ax, t in zip(axes[0], shown, strict=False):
        frame(ax, limit, label.format(t=t))
        scatter(ax, kept[t], LEARNED)
    if not paths:
        return figure
    ax = axes[0, -1]
    tracks = np.stack([kept[t][:paths] for t in times], axis=1)
    frame(ax, limit, f"paths of {len(tracks)} points")
    ax.add_collection(LineCollection(list(tracks), colors=LEARNED, linewidths=0.6, alpha=0.5))
    ax.scatter(*tracks[:, -1].T, s=9, color=INK, linewidths=0, zorder=3)
    return figure


def reverse_animation(
    kept: Mapping[int, np.ndarray], path: str | Path, fps: int = 20, label: str = "reverse process, t = {t:,}"
) -> Path:
    """A GIF of the reverse process, a frame for each kept time; the last is held a second and a half."""
    from PIL import Image

    times = sorted(kept, reverse=True)
    limit = max(limit_of(kept[times[-1]]), 3.2)
    frames = []
    for t in times:
        figure, axes = panels(1, 1, width=4.2)
        frame(axes[0, 0], limit, label.format(t=t))
        scatter(axes[0, 0], kept[t], LEARNED)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=100)
        frames.append(
            Image.open(buffer).convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
        )
    durations = [1000 // fps] * (len(frames) - 1) + [1500]
    buffer = io.BytesIO()
    frames[0].save(buffer, format="gif", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return write(path, buffer.getvalue())
