"""Langevin dynamics do not find the weights of modes that are well apart.            [EXP-9, LAN-7, NCSN-9]

Song & Ermon's figure: exact samples of two Gaussians, Langevin dynamics with the exact score, here also with
a network's score, and annealed Langevin dynamics. Source: Song & Ermon 2019, figure 3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import Denoiser, ExactDenoiser
from refgen.distributions import Distribution
from refgen.experiments.annealed_langevin import MODEL, TRAIN_STEPS
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.trained import trained
from refgen.experiments.two_gaussians import (
    LAW,
    OWN,
    SCALE,
    WEIGHT,
    basin_share,
    in_own_units,
    large_side,
    share,
    uniform_start,
    watershed,
    write_shares,
)
from refgen.formulas.langevin import mean_passage_time
from refgen.samplers.annealed_langevin import annealed_langevin
from refgen.samplers.langevin import langevin

__all__ = ["passage_steps", "run", "walk"]

LEVEL = 3  # of the network's ladder: noise of std 0.2, where a mode has 1
STEP, STEPS = 1.0, 1000  # a step is 0.04 of the variance of a mode
LIMIT = 8.5


def walk(denoiser: Denoiser, start: Any, rng: Stream, steps: int = STEPS) -> dict[str, Any]:
    """Langevin dynamics from standardised points (n, 2): where they end, their share, and who crosses.

    Keys: points (n, 2); share, of the end nearest the large mode; switches, how many chains were within three
    stds of both modes, looked at every 20 steps.
    """
    kept: dict[int, Any] = dict.fromkeys(range(0, steps + 1, 20))
    end = langevin(denoiser, MODEL.levels, start, rng, LEVEL, STEP, steps, denoise=False, trajectory=kept)
    on_way = in_own_units(np.stack(list(kept.values())))[:, :, None]  # (times, n, 1, 2)
    near = np.linalg.norm(on_way - OWN.means, axis=-1) < 3
    return {"points": end, "share": share(end), "switches": int(np.sum(near.any(axis=0).all(axis=-1)))}


def passage_steps(law: Distribution, step: float) -> float:
    """How many steps of a size chains need on average from the small mode of a law in OWN's units to the
    large, by the mean passage time along the diagonal, to which the other direction adds nothing."""
    far = np.linspace(-14.0, float(np.linalg.norm(OWN.means[0])), 40_001)
    places = far[:, None] / np.sqrt(2.0) * np.ones(2)
    times = mean_passage_time(law.log_prob(places), far[1] - far[0])
    return float(times[np.argmin(np.abs(far + far[-1]))] / step)


def run(rng: Stream, say: Callable[..., None], n: int = 4000, train_steps: int = TRAIN_STEPS) -> Outcome:
    """Four samples of the two Gaussians, and their weights."""
    params = trained(MODEL, LAW, rng, train_steps, say, cool=0.5)
    exact, learned = ExactDenoiser(LAW), MODEL.denoiser(params)
    std = float(MODEL.levels.std[LEVEL] * SCALE[0])
    noisy = OWN.diffused(1.0, std)
    saddle = watershed(noisy)
    start, basin = uniform_start(rng.spawn("start"), n), basin_share(saddle)
    say("Langevin dynamics")
    walks = {
        "exact": walk(exact, start, rng.spawn("exact")),
        "learned": walk(learned, start, rng.spawn("learned")),
    }
    say("annealed Langevin dynamics")
    annealed = annealed_langevin(exact, MODEL.levels, start, rng.spawn("annealed"), 0.1, MODEL.per_level)
    drawn = LAW.sample(rng.spawn("drawn"), n)
    found = {name: {"share": one["share"], "switches": one["switches"]} for name, one in walks.items()}
    numbers: dict[str, Any] = {
        "n": n,
        "steps": STEPS,
        "step, in variances of a mode": STEP * std**2,
        "weight of the large mode": WEIGHT,
        "its basin's share of the start": basin,
        "its share of the start": float(large_side(start, saddle).mean()),
        "its share of exact samples": share(drawn),
        "langevin": found,
        "annealed": share(annealed),
        "steps to cross, expected": passage_steps(noisy, STEP * std**2),
    }
    ends = found["exact"]["share"], found["learned"]["share"]
    crossed = found["learned"]["switches"] / n
    claims = [
        Claim("exact score: share in the large mode, basin's share", ends[0], "==", basin, 0.03),
        Claim("exact score: share below the weight 0.8 by", WEIGHT - ends[0], ">=", 0.2),
        Claim("exact score: chains that change modes", found["exact"]["switches"], "==", 0.0),
        Claim("exact score: steps to cross, expected", numbers["steps to cross, expected"], ">=", 1e6),
        Claim("learned score: share below the weight 0.8 by", WEIGHT - ends[1], ">=", 0.1),
        Claim("learned score: part of the chains that change modes", crossed, "<=", 0.02),
        Claim("annealed, exact score: share in the large mode", numbers["annealed"], "==", WEIGHT, 0.04),
    ]
    clouds = [
        ("exact samples", drawn, plots.EXACT),
        ("Langevin, exact score", walks["exact"]["points"], plots.EXACT),
        ("Langevin, learned score", walks["learned"]["points"], plots.LEARNED),
        ("annealed Langevin, exact score", annealed, plots.EXACT),
    ]
    return Outcome(
        "Langevin dynamics do not reflect the weights of a mixture (0.8 and 0.2 here).",
        claims,
        numbers,
        figure_of(clouds),
        f"From a uniform start {ends[0]:.0%} of the chains end in the mode that has 80% of the mass: as many "
        "as began in its basin. The score does not tell the weights of modes so far apart, whether it is "
        "exact or learned. Annealed Langevin dynamics find them.",
        "The modes must be far apart: where chains cross often, the weights are found. Between the modes a "
        "learned score is a guess, and so is where it parts the basins; its share is that of no weight.",
    )


def figure_of(clouds: list[tuple[str, Any, str]], shown: int = 1500) -> Figure:
    """Points (n, 2) side by side, with the share at each mode beside it."""
    figure, axes = plots.panels(1, len(clouds))
    for ax, (title, points, colour) in zip(axes[0], clouds, strict=True):
        plots.frame(ax, LIMIT, title)
        plots.scatter(ax, in_own_units(points[:shown]), colour)
        write_shares(ax, share(points))
    return figure
