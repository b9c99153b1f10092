"""Annealed Langevin dynamics, level by level, on two Gaussians of unequal weight.    [EXP-11, NCSN-5, NCSN-9]

The strip of Song's tutorial: chains follow the score of data under less and less noise. With the exact score
and with a network's, and where they fail: with a largest noise that does not join the modes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import Denoiser, ExactDenoiser
from refgen.distributions import Distribution
from refgen.evaluation import MODEL_BOUND
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.trained import trained
from refgen.experiments.two_gaussians import (
    LAW,
    OWN,
    SCALE,
    WEIGHT,
    in_own_units,
    share,
    uniform_start,
    write_shares,
)
from refgen.experiments.two_modes import likely
from refgen.ladders import Ladder, geometric
from refgen.metrics import directions, sampling_floor, score_error, sliced_wasserstein
from refgen.models.ncsn import NCSN
from refgen.samplers.annealed_langevin import annealed_langevin

__all__ = ["Yardstick", "run", "walk", "yardstick"]

MODEL = NCSN(T=10, largest=1.25, smallest=0.02, per_level=300, langevin_step=0.1, hidden=96)
TRAIN_STEPS = 5000
TOO_SMALL = geometric(10, 1 / SCALE[0], 0.02)  # the largest noise is as wide as one mode
SHOWN = (10, 9, 8, 7, 0)  # times of the panels
LIMIT = 12.0

# By time: exact points of the law at that level, and the largest distance that two such samples have.
Yardstick = dict[int, tuple[Any, float]]


def law_at(levels: Ladder, t: int) -> Distribution:
    """The exact law at level t of a ladder, standardised; that of clean data for t = 0."""
    return LAW.diffused(*levels.level(t))


def yardstick(levels: Ladder, n: int, lines: Any, rng: Stream) -> Yardstick:
    """What points at each level are compared with, for times T..0. lines: see `metrics.directions`."""
    measured = {}
    for t in range(levels.T, -1, -1):
        law, own = law_at(levels, t), rng.spawn(str(t))
        measured[t] = law.sample(own, n), sampling_floor(law, n, lines, own).max
    return measured


def walk(
    denoiser: Denoiser, levels: Ladder, start: Any, rng: Stream, exact: Yardstick, lines: Any
) -> tuple[dict[int, Any], list[dict[str, float]]]:
    """Annealed Langevin dynamics from standardised points (n, 2), and how well each level is met.

    Returns the points by time, T..0, and for each time: its std, in OWN's units; times_floor, the distance to
    exact points there as a multiple of the sampling floor; share, the part nearest the large mode.
    """
    kept: dict[int, Any] = dict.fromkeys(range(levels.T, -1, -1))
    annealed_langevin(denoiser, levels, start, rng, MODEL.langevin_step, MODEL.per_level, kept)
    rows = []
    for t, points in kept.items():
        fresh, floor = exact[t]
        distance = sliced_wasserstein(fresh, points, lines)
        std = float(levels.std[t] * SCALE[0])
        rows.append({"t": t, "std": std, "times_floor": distance / floor, "share": share(points)})
    return kept, rows


def run(rng: Stream, say: Callable[..., None], n: int = 2000, train_steps: int = TRAIN_STEPS) -> Outcome:
    """The strip twice, and how far each level is from the truth."""
    params = trained(MODEL, LAW, rng, train_steps, say, cool=0.5)
    exact, learned, levels = ExactDenoiser(LAW), MODEL.denoiser(params), MODEL.levels
    lines = directions(2, 128, rng.spawn("directions"))
    start = uniform_start(rng.spawn("start"), n)
    truth = yardstick(levels, n, lines, rng.spawn("truth"))
    say("annealed Langevin dynamics, exact score")
    exact_points, exact_rows = walk(exact, levels, start, rng.spawn("exact"), truth, lines)
    say("annealed Langevin dynamics, learned score")
    learned_points, learned_rows = walk(learned, levels, start, rng.spawn("learned"), truth, lines)
    say("annealed Langevin dynamics, too little noise")
    little = annealed_langevin(exact, TOO_SMALL, start, rng.spawn("little"), 0.1, MODEL.per_level)
    errors = {
        t: score_error(learned, LAW, *levels.level(t), rng.spawn(f"error {t}"))
        for t in range(1, levels.T + 1)
    }
    numbers: dict[str, Any] = {
        "n": n,
        "steps a level": MODEL.per_level,
        "exact": exact_rows,
        "learned": learned_rows,
        "relative error of the learned score": errors,
        "share from too little noise": share(little),
    }

    densest = {t: _densest_error(learned, t, rng.spawn(f"densest {t}")) for t in errors}
    numbers["the same where the noisy data are densest, 95 %"] = densest

    def worst(rows: Sequence[dict[str, float]]) -> float:
        return max(row["times_floor"] for row in rows)

    ends = exact_rows[-1]["share"], learned_rows[-1]["share"]
    claims = [
        Claim("exact score: distance at the worst level, in floors", worst(exact_rows), "<=", 2.0),
        Claim("exact score: share in the large mode", ends[0], "==", WEIGHT, 0.04),
        Claim(
            "learned score: distance at the worst level, in floors", worst(learned_rows), "<=", MODEL_BOUND
        ),
        Claim("learned score: share in the large mode", ends[1], "==", WEIGHT, 0.04),
        Claim(
            "learned score, densest 95 %: relative error at all levels but the last",
            max(densest[t] for t in densest if t > 1),
            "<=",
            0.1,
        ),
        Claim("the same at the smallest noise", densest[1], "<=", 0.1, expected=False),
        Claim("largest noise 1: share below the weight 0.8 by", WEIGHT - share(little), ">=", 0.2),
    ]
    return Outcome(
        "Annealed Langevin dynamics draw from a mixture of two Gaussians, from the largest noise to the "
        "smallest, each level from where the last has ended.",
        claims,
        numbers,
        figure_of([("exact", exact_points, exact_rows), ("learned", learned_points, learned_rows)]),
        "Under large noise there is one hill, and chains find its shape; as it parts, they share themselves "
        f"out. {ends[0]:.0%} (exact score) and {ends[1]:.0%} (learned) end in the mode that has 80%.",
        "The largest noise must join the modes: with one as wide as a mode, "
        f"{share(little):.0%} end there, about as many as began in its basin.",
    )


def _densest_error(learned: Any, t: int, rng: Stream, n: int = 20_000) -> float:
    """The relative error of the score at a level over the 95 % of the noisy data where they are densest."""
    level = MODEL.levels.level(t)
    places = likely(LAW.diffused(*level), rng, n)
    exact = LAW.noisy_score(places, *level)
    off = learned.score(places.astype(np.float32), *level) - exact
    return float(np.sqrt(np.mean(np.sum(off**2, axis=1)) / np.mean(np.sum(exact**2, axis=1))))


def figure_of(
    strips: Sequence[tuple[str, dict[int, Any], list[dict[str, float]]]], shown: int = 1000
) -> Figure:
    """A strip for each score, from large noise to none, over the exact densities, with the modes' shares."""
    figure, axes = plots.panels(len(strips), len(SHOWN))
    for strip, (name, points, rows) in zip(axes, strips, strict=True):
        for ax, t in zip(strip, SHOWN, strict=True):
            row = next(row for row in rows if row["t"] == t)
            noise = f"noise {row['std']:.1f}" if t else "end"
            plots.frame(ax, LIMIT, f"{name} score, {noise}" if t == SHOWN[0] else noise)
            plots.density(ax, OWN.diffused(1.0, row["std"]), LIMIT)
            colour = plots.EXACT if name == "exact" else plots.LEARNED
            plots.scatter(ax, in_own_units(points[t][:shown]), colour)
            if t == 0:
                write_shares(ax, row["share"])
    return figure
