"""Backward from a uniform law, as one lecture says, and from N(0, I), where the noise ends.      [ERR-53]

On a line the map of the flow is known by the distribution functions, so what a wrong start costs is a sum
over a table. In the plane it is seen in samples: the flow carries the error of its start to the data, a chain
with fresh noise forgets it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions import Gaussian, GaussianMixture
from refgen.evaluation import CONTROL_BOUND
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.sampler_ways import LAW, LEVELS
from refgen.metrics import directions, sampling_floor, sliced_wasserstein
from refgen.samplers.ancestral import ancestral
from refgen.samplers.ddim import ddim

__all__ = ["LINE", "carried", "ends", "gaps", "run", "shares", "uniform_shares"]

LINE = GaussianMixture([[-1.5], [0.65]], [[[0.04]], [[0.09]]], [0.3, 0.7]).standardised()[0]
EDGE = math.sqrt(3.0)  # of a uniform law with variance 1
TABLE = np.linspace(-9, 9, 18_001)
TIMES = (1000, 600, 300, 100, 0)


def shares(law: Any) -> np.ndarray:
    """The mass of a law on a line below each point of TABLE, by the trapezoidal rule."""
    density = np.exp(law.log_prob(TABLE[:, None]))
    steps = 0.5 * (density[1:] + density[:-1]) * np.diff(TABLE)
    return np.concatenate([[0.0], np.cumsum(steps)])


def uniform_shares() -> np.ndarray:
    """The same of the uniform law with mean 0 and variance 1."""
    return np.clip((TABLE + EDGE) / (2 * EDGE), 0.0, 1.0)


def carried(start: np.ndarray, t: int) -> np.ndarray:
    """The shares below each point of TABLE at time t of what was a start, given by its shares, at T.

    The flow keeps the order of points: x at time t comes from where the law of x_T has the same share.
    """
    here, there = (shares(LINE.diffused(*LEVELS.level(one))) for one in (t, LEVELS.T))
    return np.interp(np.interp(here, there, TABLE), TABLE, start)


def gaps(arrived: np.ndarray, t: int) -> tuple[float, float]:
    """The total variation and W1 between shares and the exact law at time t."""
    exact = shares(LINE.diffused(*LEVELS.level(t)))
    tv = 0.5 * float(np.sum(np.abs(np.diff(arrived) - np.diff(exact))))
    return tv, float(np.sum(np.abs(arrived - exact)) * (TABLE[1] - TABLE[0]))


def ends(n: int, rng: Stream, steps: int = 250) -> dict[str, tuple[np.ndarray, float]]:
    """In the plane: the points (n, 2) that the flow and the chain make of each start, with the exact
    denoiser, and their distance to the data in floors."""
    lines = directions(2, 64, rng.spawn("directions"))
    floor = sampling_floor(LAW, n, lines, rng.spawn("floor"), 10).max
    fresh = LAW.sample(rng.spawn("fresh"), n)
    starts = {
        "uniform": EDGE * (2 * rng.spawn("uniform").uniform(n, 2) - 1),
        "Gaussian": rng.spawn("Gaussian").normal(n, 2),
    }
    found = {}
    for sampler, sample in (("flow", ddim), ("chain", ancestral)):
        for start, x_T in starts.items():
            own = rng.spawn(f"{sampler} {start}")
            points = sample(ExactDenoiser(LAW), LEVELS.respaced(steps), x_T.astype(np.float32), own)
            found[f"{sampler}, {start}"] = points, sliced_wasserstein(fresh, points, lines) / floor
    return found


def run(rng: Stream, say: Callable[..., None], n: int = 20_000) -> Outcome:
    """Both starts on a line by the exact map, and in the plane by samplers."""
    starts = {"uniform": uniform_shares(), "Gaussian": shares(Gaussian([0.0], 1.0))}
    line = {name: {t: gaps(carried(start, t), t) for t in TIMES} for name, start in starts.items()}
    say("samplers in the plane")
    plane = ends(n, rng)
    tvs = [tv for tv, _ in line["uniform"].values()]
    claims = [
        Claim("1-D: total variation of q(x_T) and a uniform law", tvs[0], "<=", 0.01, expected=False),
        Claim("1-D: total variation of q(x_T) and N(0, 1)", line["Gaussian"][LEVELS.T][0], "<=", 1e-3),
        Claim("1-D, flow from uniform: W1 to the data", line["uniform"][0][1], "<=", 0.01, expected=False),
        Claim("1-D, flow from N(0, 1): W1 to the data", line["Gaussian"][0][1], "<=", 0.01),
        Claim(
            "1-D, flow from uniform: total variation to q(x_t), largest / smallest over t",
            max(tvs) / min(tvs),
            "==",
            1.0,
            0.01,
        ),
        Claim(
            "2-D, flow from uniform: distance to the data in floors",
            plane["flow, uniform"][1],
            "<=",
            CONTROL_BOUND,
            expected=False,
        ),
        Claim(
            "2-D, flow from N(0, I): distance to the data in floors",
            plane["flow, Gaussian"][1],
            "<=",
            CONTROL_BOUND,
        ),
        Claim(
            "2-D, chain from uniform: distance to the data in floors",
            plane["chain, uniform"][1],
            "<=",
            CONTROL_BOUND,
        ),
        Claim(
            "2-D, chain from N(0, I): distance to the data in floors",
            plane["chain, Gaussian"][1],
            "<=",
            CONTROL_BOUND,
        ),
    ]
    numbers: dict[str, Any] = {
        "total variation and W1 on a line": line,
        "n": n,
        "distance in floors in the plane": {name: distance for name, (_, distance) in plane.items()},
    }
    return Outcome(
        "One lecture says that the backward process starts from a uniform distribution. That is false for "
        "the flow, and harmless for a chain with fresh noise.",
        claims,
        numbers,
        figure_of(starts, plane),
        f"Gaussian steps end at N(0, 1): a uniform law is {tvs[0]:.2f} from it in total variation, and the "
        f"flow carries that to the data as it is. There W1 is {line['uniform'][0][1]:.3f} from a uniform "
        f"start and {line['Gaussian'][0][1]:.0e} from N(0, 1).",
        "A uniform start does no harm to a chain with fresh noise: at the noisiest levels a step keeps "
        "hardly anything of where it began. The experiment annealed-langevin starts from a uniform law, too. "
        "A floor is the distance of two exact samples of as many points, the largest of ten such distances.",
    )


def figure_of(starts: dict[str, np.ndarray], plane: dict[str, tuple[np.ndarray, float]]) -> Figure:
    """On a line the laws at the start and at the data; in the plane what flow and chain make of them."""
    figure, axes = plots.chart(rows=(2, 4), width=9.0, height=5.4, heights=(1.0, 1.05))
    top, bottom = axes[:2], axes[2:]
    middle = (TABLE[1:] + TABLE[:-1]) / 2
    for ax, t, title in [(top[0], LEVELS.T, "start"), (top[1], 0, "carried to the data by the flow")]:
        exact = np.exp(LINE.diffused(*LEVELS.level(t)).log_prob(middle[:, None]))
        ax.fill_between(middle, exact, color="#d9d9d9", linewidth=0, label="q(x_T)" if t else "data")
        for (name, start), colour in zip(starts.items(), (plots.LEARNED, plots.EXACT), strict=True):
            density = np.diff(carried(start, t)) / (TABLE[1] - TABLE[0])
            ax.plot(middle, density, color=colour, linewidth=1.3, label=name if t else f"from {name}")
        ax.set_title(f"1-D: {title}", fontsize=9)
        ax.set(xlim=(-3.2, 3.2), ylim=(0, None), yticks=[])
        ax.legend(fontsize=8, frameon=False, loc="upper left" if t else "upper right")
    for ax, (name, (points, distance)) in zip(bottom, plane.items(), strict=True):
        plots.frame(ax, 1.9, f"2-D {name}: {distance:.1f} floors")
        ax.spines[:].set_visible(True)
        plots.density(ax, LAW, 1.9)
        colour = plots.LEARNED if "uniform" in name else plots.EXACT
        x, y = points[:2000].T
        ax.scatter(x, y, s=2.5, alpha=0.6, linewidths=0, color=colour)
    return figure
