"""Train a score network by score matching, then sample by Langevin dynamics.                 [EXP-6, SYS-13]

The pipeline of Song's tutorial in panels: data, learned score beside the exact one, chains, samples. The law
is in one piece, so that chains come everywhere and its weights are found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream, to_host
from refgen.denoisers import Denoiser, ExactDenoiser
from refgen.distributions import Distribution, GaussianMixture
from refgen.evaluation import CONTROL_BOUND, MODEL_BOUND
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.trained import trained
from refgen.metrics import directions, sampling_floor, score_error, sliced_wasserstein
from refgen.models.score_net import ScoreNet

__all__ = ["LAW", "run", "times_floor"]

ANGLES = 2 * np.pi * np.arange(8) / 8
# Eight hills in a ring, near enough that each runs into the next, of weights from 1 to 3.
LAW = GaussianMixture(
    np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1), 0.28**2, 2 + np.cos(ANGLES - 3)
).standardised()[0]
MODEL = ScoreNet(std=0.1, objective="sliced", chain=1000)
LIMIT = 2.7


def times_floor(points: Any, law: Distribution, lines: Any, rng: Stream) -> float:
    """The distance of points (n, 2) to exact ones, as a multiple of the largest that exact ones have."""
    n = len(points)
    floor = sampling_floor(law, n, lines, rng.spawn("floor")).max
    return sliced_wasserstein(law.sample(rng.spawn("fresh"), n), points, lines) / floor


def run(rng: Stream, say: Callable[..., None], n: int = 4000, train_steps: int = 1500) -> Outcome:
    """The pipeline, and how far its samples are from exact ones."""
    params = trained(MODEL, LAW, rng, train_steps, say, cool=0.5)
    exact, learned, noisy = ExactDenoiser(LAW), MODEL.denoiser(params), LAW.diffused(1.0, MODEL.std)
    lines = directions(2, 128, rng.spawn("directions"))
    kept: dict[int, Any] = dict.fromkeys(range(MODEL.chain, -1, -1))
    say("Langevin dynamics, learned score")
    points = to_host(MODEL.sample(params, n, rng.spawn("samples"), trajectory=kept))
    say("Langevin dynamics, exact score")
    control = MODEL.sample(params, n, rng.spawn("control"), denoiser=exact)
    error = score_error(learned, LAW, 1.0, MODEL.std, rng.spawn("error"))
    truth = rng.spawn("truth")
    numbers: dict[str, Any] = {
        "objective": MODEL.objective,
        "n": n,
        "steps of training": train_steps,
        "steps of the chains": MODEL.chain,
        "relative error of the learned score": error,
        "distance in floors, learned score": times_floor(points, noisy, lines, truth),
        "distance in floors, exact score": times_floor(control, noisy, lines, truth),
    }
    claims = [
        Claim(
            "learned score: distance to exact samples, in floors",
            numbers["distance in floors, learned score"],
            "<=",
            MODEL_BOUND,
        ),
        Claim(
            "exact score: distance to exact samples, in floors",
            numbers["distance in floors, exact score"],
            "<=",
            CONTROL_BOUND,
        ),
    ]
    chains = np.stack([kept[t] for t in sorted(kept, reverse=True)], axis=1)
    return Outcome(
        "A score network trained by score matching, and Langevin dynamics that follow it, draw from the law "
        "of the data.",
        claims,
        numbers,
        figure_of(noisy, exact, learned, error, chains, points, noisy.sample(rng.spawn("shown"), n)),
        "Sliced score matching sees data alone and finds the arrows; chains that follow them, from anywhere, "
        "become samples. No normalised density was needed.",
        f"The law is that of data under noise of std {MODEL.std:g}, and must be in one piece: see "
        "lost-weights for what happens where it is not.",
    )


def figure_of(
    law: Distribution, exact: Denoiser, learned: Denoiser, error: float, chains: Any, points: Any, data: Any
) -> Figure:
    """The panels, in two rows. chains: (n, times, 2), from the start on."""
    figure, axes = plots.panels(2, 3, width=9.0)
    titles = [f"data, noise {MODEL.std:g}", "exact score", f"learned score, relative error {error:.2f}"]
    titles += ["eight Langevin chains, 200 steps", "samples of the chains", "exact samples"]
    for ax, title in zip(axes.flat, titles, strict=True):
        plots.frame(ax, LIMIT, title)
    places = plots.grid(0.94 * LIMIT, 19)[1]
    shown = min(1500, len(points) // 2)
    plots.scatter(axes[0, 0], data[-shown:], plots.DATA)
    truth = exact.score(places, 1.0, MODEL.std)
    longest = float(np.quantile(np.linalg.norm(truth, axis=1), 0.9))
    for ax, field, colour in [
        (axes[0, 1], truth, plots.EXACT),
        (axes[0, 2], learned.score(places.astype(np.float32), 1.0, MODEL.std), plots.LEARNED),
    ]:
        plots.density(ax, law, LIMIT)
        plots.arrows(ax, places, field, colour, longest)
    plots.density(axes[1, 0], law, LIMIT)
    tracks = chains[:8, :201]
    axes[1, 0].add_collection(LineCollection(list(tracks), colors=plots.LEARNED, linewidths=0.5, alpha=0.7))
    axes[1, 0].scatter(
        *tracks[:, 0].T, s=22, facecolors="white", edgecolors=plots.INK, linewidths=0.9, zorder=3
    )
    axes[1, 0].scatter(*tracks[:, -1].T, s=22, color=plots.INK, linewidths=0, zorder=3)
    plots.scatter(axes[1, 1], points[:shown], plots.LEARNED)
    plots.scatter(axes[1, 2], data[:shown], plots.EXACT)
    return figure
