"""How many levels of noise annealed Langevin dynamics need: 10, 100 or 1000?                       [TAX-2]

With the exact score of two Gaussians, so that only the sampler's own error is seen: at an equal number of
calls of the score, and at equal steps at each level. Source: CS167, 'Noise Conditional Score-Based Model';
Song & Ermon 2019 (10 levels of 100 steps) and 2020 (hundreds of levels of 5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.evaluation import MODEL_BOUND
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.two_gaussians import LAW, WEIGHT, share
from refgen.ladders import geometric
from refgen.metrics import directions, sampling_floor, sliced_wasserstein
from refgen.samplers.annealed_langevin import annealed_langevin

__all__ = ["accuracy", "run"]

LARGEST, SMALLEST, STEP = 4.0, 0.02, 0.1  # of NCSN, whose step is in units of the level's variance
COUNTS = (2, 3, 5, 10, 30, 100, 300, 1000)
CALLS, PER_LEVEL = 1000, 5


def accuracy(
    T: int, per_level: int, n: int, rng: Stream, floor: float, lines: Any, runs: int = 3
) -> dict[str, float]:
    """Annealed Langevin dynamics of n points at T levels, `per_level` steps each, a few times over.

    floor: what distances are divided by. lines: see `metrics.directions`. Keys: T, per_level, calls;
    times_floor, the mean distance to exact points; share, the mean share of the large mode; off, the mean
    distance of a share from its weight.
    """
    levels, distances, shares = geometric(T, LARGEST, SMALLEST), [], []
    for i in range(runs):
        own = rng.spawn(str(i))
        x_T = LARGEST * own.normal(n, 2, dtype=np.float32)
        points = annealed_langevin(ExactDenoiser(LAW), levels, x_T, own, STEP, per_level)
        distances.append(sliced_wasserstein(LAW.sample(own.spawn("fresh"), n), points, lines))
        shares.append(share(points))
    return {
        "T": T,
        "per_level": per_level,
        "calls": T * per_level + 1,
        "times_floor": float(np.mean(distances)) / floor,
        "share": float(np.mean(shares)),
        "off": float(np.mean(np.abs(np.array(shares) - WEIGHT))),
    }


def run(rng: Stream, say: Callable[..., None], n: int = 4000, counts: Sequence[int] = COUNTS) -> Outcome:
    """Both curves. counts: numbers of levels, 10, 100 and 1000 among them."""
    lines = directions(2, 128, rng.spawn("directions"))
    floor = sampling_floor(LAW, n, lines, rng.spawn("floor")).max

    def curve(steps_of: Callable[[int], int]) -> dict[int, dict[str, float]]:
        found = {}
        for T in counts:
            say(f"{T} levels, steps at each: {steps_of(T)}")
            found[T] = accuracy(T, steps_of(T), n, rng.spawn(str(T)), floor, lines)
        return found

    calls, steps = curve(lambda T: max(1, CALLS // T)), curve(lambda T: PER_LEVEL)
    equal = [calls[T]["times_floor"] for T in (10, 100, 1000)]
    growing = [steps[T]["times_floor"] for T in (10, 100, 1000)]
    claims = [
        Claim("1000 calls: worst of 10, 100 and 1000 levels, in floors", max(equal), "<=", MODEL_BOUND),
        Claim("1000 calls: 10 levels against 1000, ratio of distances", equal[0] / equal[2], "<=", 2.0),
        Claim("5 steps a level: 10 levels against 100", growing[0] / growing[1], ">=", 3.0),
        Claim("5 steps a level: distance at 1000 levels, in floors", growing[2], "<=", 2.0),
        Claim("1000 calls: distance at 2 levels, in floors", calls[2]["times_floor"], ">=", 10.0),
    ]
    numbers: dict[str, Any] = {
        "n": n,
        "floor": floor,
        "equal calls": list(calls.values()),
        "equal steps a level": list(steps.values()),
    }
    return Outcome(
        "Noise-conditional score networks use 100 or 1000 levels of noise.",
        claims,
        numbers,
        figure_of(list(calls.values()), list(steps.values())),
        "At 1000 calls of the score 10, 100 or 1000 levels do about equally well, 2 or 3 do not. At 5 steps "
        "a level more levels are better, for they are more calls.",
        "This is what the exact score of a law in two dimensions needs. It says nothing of images, nor of "
        "what a network learns more easily.",
    )


def figure_of(calls: list[dict[str, float]], steps: list[dict[str, float]]) -> Figure:
    """Distance, and share of the large mode, against the number of levels."""
    figure, axes = plots.chart(2, width=9.0, height=3.4)
    for rows, text, style in [
        (calls, f"{CALLS} calls in all", dict(color=plots.EXACT, marker="o")),
        (steps, f"{PER_LEVEL} steps a level", dict(color=plots.INK, marker="s", linestyle="--")),
    ]:
        T = [row["T"] for row in rows]
        for ax, key in zip(axes, ("times_floor", "share"), strict=True):
            ax.plot(T, [row[key] for row in rows], label=text, linewidth=1.4, markersize=4, **style)
    axes[0].axhline(1, color=plots.DATA, linewidth=0.8, linestyle=":")
    axes[0].text(2, 0.94, "two exact samples", fontsize=8, color=plots.DATA, va="top")
    axes[1].axhline(WEIGHT, color=plots.DATA, linewidth=0.8, linestyle=":")
    axes[1].text(2, WEIGHT + 0.004, "exact", fontsize=8, color=plots.DATA, va="bottom")
    axes[0].set_title("distance to exact samples, in sampling floors", fontsize=9)
    axes[1].set_title("share of the large mode", fontsize=9)
    axes[0].set(yscale="log", ylim=(0.45, None))
    for ax in axes:
        ax.set(xscale="log", xlabel="levels of noise", xticks=[2, 5, 10, 30, 100, 300, 1000])
        ax.set_xticklabels(["2", "5", "10", "30", "100", "300", "1000"])
        ax.minorticks_off()
    axes[0].legend(frameon=False)
    return figure
