"""Where there are no data, an estimated score is wrong.                                      [LAN-9]"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.two_modes import LAW, LIMIT, errors, estimated, regions, tolerable

__all__ = ["STD", "by_density", "error_map", "run", "strip"]

STD = 0.3  # hardly to be seen in modes of std 0.6
ERROR = LinearSegmentedColormap.from_list("refgen-error", ["white", plots.LEARNED, "#5a2700"])


def by_density(denoiser: Denoiser, std: float, parts: int = 10) -> list[float]:
    """RMSE of the score over the picture by its density: of the rarest part of the places to the densest."""
    places = plots.grid(LIMIT, 60)[1]
    order = np.argsort(LAW.diffused(1.0, std).log_prob(places))
    return [errors(denoiser, std, places[part]).rmse for part in np.array_split(order, parts)]


def run(rng: Stream, say: Callable[..., None], **training: Any) -> Outcome:
    """The network under little noise: by region, by density, and as a map."""
    denoiser = estimated(rng, say, **training)
    found = {name: errors(denoiser, STD, places) for name, places in regions(STD).items()}
    tenths = by_density(denoiser, STD)
    drawn = LAW.diffused(1.0, STD).sample(rng.spawn("drawn"), 10_000)
    overall = errors(denoiser, STD, drawn)
    numbers = {
        "std": STD,
        "regions": {name: error._asdict() for name, error in found.items()},
        "weighted by the density": overall._asdict(),
        "RMSE by density, rarest tenth first": tenths,
    }
    claims = [
        Claim("RMSE in the valley / at the modes", found["valley"].rmse / found["modes"].rmse, ">=", 10),
        Claim("RMSE of the rarest tenth / densest tenth", tenths[0] / tenths[-1], ">=", 10),
        Claim("relative error at the modes", found["modes"].relative, "<=", 0.2),
        Claim("relative error, weighted by density", overall.relative, "<=", 0.2),
        Claim("relative error in the valley", found["valley"].relative, ">=", 0.5),
    ]
    return Outcome(
        "Where the density is low there are few data, and the estimated score is inaccurate.",
        claims,
        numbers,
        strip(denoiser, STD, "data"),
        "The network is accurate where the data are, and wrong in the tinted places, between the modes and "
        "beside them. Its loss does not notice: weighted by the density, the error is small.",
    )


def error_map(ax: Any, denoiser: Denoiser, std: float, limit: float) -> None:
    """The length of the error in colour, on a scale of its logarithm, white where it is accurate."""
    axis, grid = plots.grid(limit, 120)
    off = np.linalg.norm(denoiser.score(grid, 1.0, std) - LAW.noisy_score(grid, 1.0, std), axis=1)
    least = tolerable(std)
    plots.image(ax, np.maximum(off, least), limit, ERROR, norm=LogNorm(least, 100 * least))
    ax.contour(axis, axis, off.reshape(120, 120), levels=[least], colors=plots.INK, linewidths=1.0)


def strip(denoiser: Denoiser, std: float, of: str, wide: float = LIMIT) -> Figure:
    """Density, exact and estimated score, tinted where the error is not `tolerable`; and a map of the error,
    of half the side `wide`."""
    figure, axes = plots.panels(1, 4)
    law = LAW.diffused(1.0, std)
    axis, fine = plots.grid(LIMIT, 120)
    off = np.linalg.norm(denoiser.score(fine, 1.0, std) - law.score(fine), axis=1).reshape(120, 120)
    places = plots.grid(0.93 * LIMIT, 15)[1]
    fields = [(law.score(places), plots.EXACT), (denoiser.score(places, 1.0, std), plots.LEARNED)]
    longest = float(np.quantile(np.linalg.norm(fields[0][0], axis=1), 0.9))
    for ax, title in zip(axes[0], [f"{of} density", f"{of} scores", "estimated scores"], strict=False):
        plots.frame(ax, LIMIT, title)
        plots.density(ax, law, LIMIT)
    for ax, (field, colour) in zip(axes[0, 1:], fields, strict=False):
        # Tinted, within the line, where the error is not tolerable.
        wrong = dict(levels=[tolerable(std), np.inf], colors=plots.LEARNED, alpha=0.16)
        ax.contourf(axis, axis, off, **wrong)
        ax.contour(axis, axis, off, levels=[tolerable(std)], colors=plots.INK, linewidths=0.9)
        plots.arrows(ax, places, field, colour, longest)
    plots.frame(axes[0, 3], wide, f"length of the error\nline, and tint: above {tolerable(std):.2g}")
    error_map(axes[0, 3], denoiser, std, wide)
    return figure
