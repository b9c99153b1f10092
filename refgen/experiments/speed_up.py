"""Quality against calls of the denoiser, for every sampler.          [EXP-24, TAX-1, SYS-25, SYS-26, SYS-27]

Ten to a thousand steps of DDPM, DDIM, Analytic-DPM and DPM-Solver, as the lectures list them, and of the
samplers of continuous time, on a ring of eight Gaussians: with the exact denoiser, where what is left is the
sampler's error alone, and with a network's. Each sampler has the levels that its paper gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import Denoiser, ExactDenoiser, counted
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.sampler_ways import (
    COLOURS,
    FLOW,
    LARGE,
    LAW,
    LEVELS,
    MARKERS,
    NOISY,
    PATHS,
    SLOW,
    SMOOTH,
    WAYS,
    Way,
)
from refgen.experiments.trained import trained
from refgen.metrics import directions, sampling_floor, sliced_wasserstein
from refgen.models.ddpm import DDPM
from refgen.samplers.dpm_solver import dpm_solver

__all__ = ["Row", "needed", "path_errors", "quality", "run"]

MODEL = DDPM(hidden=64, T=LEVELS.T)
CALLS = (5, 10, 15, 20, 30, 50)
THREE = (10, 20, 50)
SEEDS, MORE = 3, 6  # MORE where samplers are held against each other
COMPARED = (SLOW, LARGE, "DDIM", "Analytic-DPM")


class Row(NamedTuple):
    """calls: of the denoiser for each point. floors: the distance to exact points by seed, in floors."""

    calls: int
    floors: list[float]

    @property
    def mean(self) -> float:
        return float(np.mean(self.floors))


def quality(
    way: Way, denoiser: Denoiser, nfe: int, n: int, floor: float, lines: Any, rng: Stream, seeds: int = SEEDS
) -> Row:
    """n points of a sampler against as many exact ones, once for each seed, with at most `nfe` calls.

    The start and the exact points of a seed are the same for all samplers. The calls that take the variances
    of Analytic-DPM are not counted: once is enough, before any point is drawn.
    """
    levels, found = way.levels(nfe), []
    for i in range(seeds):
        own, asked = rng.spawn(str(i)), counted(denoiser)
        x_T = float(levels.std[-1]) * own.spawn("start").normal(n, 2, dtype=np.float32)
        points = way.sample(asked, levels, x_T, own)
        found.append(sliced_wasserstein(LAW.sample(own.spawn("exact"), n), points, lines) / floor)
    return Row(asked.calls - (levels.T if way.ahead else 0), found)


def needed(rows: Sequence[Row], floors: float) -> float:
    """How many calls bring a sampler within so many floors, by a line between logarithms; inf if none do."""
    for above, below in zip([None, *rows], rows, strict=False):
        if below.mean <= floors:
            if above is None:
                return float(below.calls)
            share = np.log(above.mean / floors) / np.log(above.mean / below.mean)
            return float(above.calls * (below.calls / above.calls) ** share)
    return float("inf")


def path_errors(calls: Sequence[int], n: int, rng: Stream) -> dict[str, dict[int, float]]:
    """By way along the flow and number of calls: how far from the flow's end a point is, root mean square.

    That end is found from the same start by 300 steps of DPM-Solver-3, which is off by 1e-6.
    """
    denoiser, x_T = ExactDenoiser(LAW), rng.normal(n, 2)
    exact = dpm_solver(denoiser, FLOW.grid(300), x_T, rng, 3)
    found: dict[str, dict[int, float]] = {}
    for name, way in PATHS.items():
        ends = {nfe: way.sample(denoiser, way.levels(nfe), x_T, rng) for nfe in calls}
        found[name] = {
            nfe: float(np.sqrt(np.mean(np.sum((end - exact) ** 2, axis=1)))) for nfe, end in ends.items()
        }
    return found


def run(
    rng: Stream, say: Callable[..., None], n: int = 20_000, few: int = 8000, train_steps: int = 4000
) -> Outcome:
    """All samplers with the exact denoiser (n points) and a network's (few), and the flow's errors."""
    params = trained(MODEL, LAW, rng, train_steps, say, batch=256, cool=0.5)
    lines = directions(2, 64, rng.spawn("directions"))
    floors = {m: sampling_floor(LAW, m, lines, rng.spawn("floor"), 10).max for m in (n, few)}
    exact, network = ExactDenoiser(LAW), MODEL.denoiser(params)

    def measured(name: str, denoiser: Denoiser, m: int, calls: Sequence[int]) -> list[Row]:
        say(f"{name}, {'exact' if denoiser is exact else 'learned'} denoiser")
        own = rng.spawn(f"draw {m}")

        def row(nfe: int) -> Row:
            seeds = MORE if name in COMPARED and nfe in THREE else SEEDS
            return quality(WAYS[name], denoiser, nfe, m, floors[m], lines, own, seeds)

        return [row(nfe) for nfe in calls]

    more = {SLOW: (*CALLS, 100, 1000), "DDIM": (*CALLS, 100)}
    rows = {name: measured(name, exact, n, more.get(name, CALLS)) for name in WAYS}
    learned = {name: measured(name, network, few, (5, *THREE)) for name in WAYS}
    say("errors along the flow")
    paths = path_errors((*CALLS, 100), 500, rng.spawn("paths"))
    reach = {name: {str(m): needed(of, m) for m in (1.5, 3.0)} for name, of in rows.items()}
    numbers: dict[str, Any] = {
        "n": n,
        "floors": {str(m): floor for m, floor in floors.items()},
        "exact": {name: [row._asdict() for row in of] for name, of in rows.items()},
        "learned": {name: [row._asdict() for row in of] for name, of in learned.items()},
        "calls to reach 1.5 and 3 floors": reach,
        "error along the flow": paths,
    }
    order = [round(reach[name]["1.5"]) for name in (SLOW, "DDIM", "Analytic-DPM", "DPM-Solver++ 3M")]
    return Outcome(
        "Good samples take DDPM 1000 steps, DDIM 100, Analytic-DPM 40 to 60, and DPM-Solver about 10.",
        _claims(rows, learned, reach, paths),
        numbers,
        figure_of(rows, learned, paths),
        f"Within 1.5 floors come DDPM after {order[0]} calls, DDIM after {order[1]}, Analytic-DPM after "
        f"{order[2]} and DPM-Solver++ after {order[3]}: in the order of the lectures.",
        "The lectures' numbers are those of networks for images; this ring needs far fewer. Two things are "
        "otherwise than often said. DDPM with the variance beta, not beta~, is ahead of DDIM, and level with "
        "Analytic-DPM. And at 10 calls DPM-Solver of order 2 is far off; there the multistep solvers are "
        "good, or order 1, which is DDIM.",
    )


def _claims(
    rows: dict[str, list[Row]],
    learned: dict[str, list[Row]],
    reach: dict[str, dict[str, float]],
    paths: dict[str, dict[int, float]],
) -> list[Claim]:
    def at(name: str, nfe: int, of: dict[str, list[Row]] = rows) -> float:
        calls = (5, *THREE) if of is learned else (*CALLS, 100, 1000)
        return of[name][calls.index(nfe)].mean

    def worst(better: str, worse: str, of: dict[str, list[Row]] = rows) -> float:
        return max(at(better, nfe, of) / at(worse, nfe, of) for nfe in THREE)

    calls = {name: reach[name]["1.5"] for name in rows}
    second, first = paths["DPM-Solver-2"], paths["DDIM, levels of DPM-Solver"]
    return [
        Claim("Analytic-DPM / DDIM, worst of 10, 20, 50", worst("Analytic-DPM", "DDIM"), "<=", 1.0),
        Claim("DDIM / DDPM with beta~, the same", worst("DDIM", SLOW), "<=", 1.0),
        Claim("DDIM / DDPM with beta, the same", worst("DDIM", LARGE), "<=", 1.0, expected=False),
        Claim("learned: DDIM / DDPM with beta~, the same", worst("DDIM", SLOW, learned), "<=", 1.0),
        Claim("DDPM, 1000 steps: distance in floors", at(SLOW, 1000), "<=", 1.5),
        Claim("DDIM, 100 steps", at("DDIM", 100), "<=", 1.5),
        Claim("Analytic-DPM, 50 steps", at("Analytic-DPM", 50), "<=", 1.5),
        Claim("DPM-Solver-2, 10 calls", at("DPM-Solver-2", 10), "<=", 3.0, expected=False),
        Claim("DPM-Solver++ 3M, 10 calls", at("DPM-Solver++ 3M", 10), "<=", 3.0),
        Claim("calls to 1.5 floors: DDIM / DDPM", calls["DDIM"] / calls[SLOW], "<=", 1.0),
        Claim("Analytic-DPM / DDIM", calls["Analytic-DPM"] / calls["DDIM"], "<=", 1.0),
        Claim("DPM-Solver++ 3M / Analytic-DPM", calls["DPM-Solver++ 3M"] / calls["Analytic-DPM"], "<=", 1.0),
        Claim(
            "error along the flow, DPM-Solver-2 / DDIM at the same levels, worst of 20, 30, 50 calls",
            max(second[nfe] / first[nfe] for nfe in (20, 30, 50)),
            "<=",
            1.0,
        ),
        Claim("the same at 10 calls", second[10] / first[10], "<=", 1.0, expected=False),
    ]


def figure_of(
    rows: dict[str, list[Row]], learned: dict[str, list[Row]], paths: dict[str, dict[int, float]]
) -> Figure:
    """Distance against calls: with fresh noise, along the flow, with a network; and the flow's own error."""
    figure, axes = plots.chart(rows=(2, 2, 1), width=9.0, height=10.5)
    parts = [
        (axes[0], "exact denoiser, steps with fresh noise", {name: rows[name] for name in NOISY}),
        (axes[1], "exact denoiser, along the flow", {name: rows[name] for name in SMOOTH}),
        (axes[2], "learned denoiser, steps with fresh noise", {name: learned[name] for name in NOISY}),
        (axes[3], "learned denoiser, along the flow", {name: learned[name] for name in SMOOTH}),
    ]
    for ax, title, part in parts:
        for name, of in part.items():
            calls = [row.calls for row in of]
            low, high = [min(row.floors) for row in of], [max(row.floors) for row in of]
            ax.plot(calls, [row.mean for row in of], label=_label(name), **_style(name))
            ax.fill_between(calls, low, high, color=COLOURS[name], alpha=0.2, linewidth=0)
        ax.axhline(1, color=plots.DATA, linewidth=0.8, linestyle=":")
        ax.text(4.6, 1.05, "two exact samples", fontsize=8, color=plots.DATA, va="bottom")
        ax.set_title(f"{title}: distance in floors", fontsize=9)
        ax.set_ylim(0.4, 50)
    for name, errors in paths.items():
        axes[4].plot(list(errors), list(errors.values()), label=_label(name), **_style(name))
    axes[4].set_title("exact denoiser, along the flow: error of a point", fontsize=9)
    axes[4].set_ylim(3e-4, 3)
    for ax in axes:
        ax.set(xscale="log", yscale="log", xlim=(4.4, 130), xlabel="calls of the denoiser")
        ax.set_xticks([5, 10, 20, 50, 100], ["5", "10", "20", "50", "100"])
        ax.minorticks_off()
        ax.legend(fontsize=8, frameon=False)
    for ax in axes[:4]:
        ax.set_yticks([0.5, 1, 3, 10, 30], ["0.5", "1", "3", "10", "30"])
    last = rows[SLOW][-1].mean
    axes[0].text(118, last, f"at 1000: {last:.2f}", fontsize=8, ha="right", va="center")
    return figure


def _style(name: str) -> dict[str, Any]:
    dashed = "--" if name in (LARGE, "DDIM, levels of DPM-Solver") else "-"
    return dict(color=COLOURS[name], marker=MARKERS[name], markersize=4, linewidth=1.3, linestyle=dashed)


def _label(name: str) -> str:
    return name.replace("beta~", r"$\tilde\beta$").replace("variance beta", r"variance $\beta$")
