"""How well implicit, sliced and denoising score matching estimate the score of clean data.

First with a score that is linear in its parameters, where all three are solved exactly and only the
objectives differ; then with a network, trained by the losses that the models use. The error is the Fisher
divergence to the exact score. Source: Song et al. 2019; Dong-A notes, 'Results: Sliced Score Matching for
EBMs'.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots, training
from refgen.backend import Stream
from refgen.experiments.linear_score import (
    clean_error,
    fit_denoising,
    fit_implicit,
    fit_sliced,
    law,
    on_a_grid,
)
from refgen.experiments.outcome import Claim, Outcome
from refgen.formulas.score_matching import explicit
from refgen.formulas.sliced import directions
from refgen.models.score_objectives import score_loss
from refgen.nets.mlp import MLP

__all__ = ["closed_form", "network_error", "run"]

POINTS, SEEDS, STDS = 4000, 16, (0.1, 0.2, 0.3, 0.5)
COUNTS, SEEDS_EACH = (500, 1000, 2000, 4000, 8000), 8
SLICED = {
    "SSM, normals": (1, "gaussian"),
    "SSM, signs": (1, "rademacher"),
    "SSM, ten": (10, "gaussian"),
}
NETWORKS = {"SM": ("implicit", 0.01), "SSM": ("sliced", 0.01)} | {
    f"DSM {std}": ("denoising", std) for std in (0.1, 0.2, 0.3)
}
STEPS, BATCH, RATE = 500, 128, 3e-3


def closed_form(
    points: int, seeds: int, rng: Stream, ways: dict[str, tuple[int, str]], side: int = 5
) -> dict[str, np.ndarray]:
    """Clean errors of fits to so many points, (seeds,) for each way; of DSM at each of `STDS`.

    ways: by label, how many directions for each point, and their law. side: bumps along a side of the grid.
    """
    truth, fields = law(), on_a_grid(side)
    fits: dict[str, list[np.ndarray]] = {}
    for seed in range(seeds):
        one = rng.spawn(f"{seed}")
        x = truth.sample(one.spawn("data"), points)
        eps = one.spawn("noise").normal(points, 2)
        found = {"SM": fit_implicit(fields, x)}
        for label, (count, kind) in ways.items():
            v = directions(one.spawn(label).normal(count, points, 2), kind)
            found[label] = fit_sliced(fields, x, v)
        for std in STDS:
            found[f"DSM {std}"] = fit_denoising(fields, x, eps, std)
        for label, theta in found.items():
            fits.setdefault(label, []).append(theta)
    return {label: clean_error(fields, np.stack(theta), truth) for label, theta in fits.items()}


def best_denoising(errors: dict[str, np.ndarray]) -> str:
    """The label of the noise whose mean error is least."""
    return min((label for label in errors if label.startswith("DSM")), key=lambda one: np.mean(errors[one]))


@dataclass(frozen=True)
class _Network:
    """A network that is the score itself, for `training.fit`."""

    objective: str
    std: float

    @cached_property
    def net(self) -> MLP:
        return MLP(2, 2, hidden=64, layers=2)

    def init(self, rng: Stream) -> Any:
        return self.net.init(rng)

    def loss(self, params: Any, x: Any, rng: Stream) -> Any:
        return score_loss(self.objective, lambda z: self.net(params, z), x, rng, self.std)


def network_error(objective: str, std: float, rng: Stream, steps: int = STEPS, batch: int = BATCH) -> float:
    """The clean error of a network after so many steps on fresh data, over 20,000 exact points.

    Implicit and sliced score matching see noise of that std as well; where it is small, hardly any.
    """
    model, truth = _Network(objective, std), law()
    state = training.start(model, rng.spawn("training"), lr=RATE)
    for _ in training.fit(model, truth, state, steps, batch, ema=0.99):
        pass
    x = truth.sample(rng.spawn("test"), 20_000)
    return float(np.mean(explicit(model.net(state.ema, x).astype(np.float64), truth.score(x))))


def _bars(ax: Any, heights: dict[str, float], spread: list[float] | None, title: str) -> None:
    colours = [{"SM": plots.LEARNED, "SS": plots.EXACT, "DS": plots.INK}[label[:2]] for label in heights]
    ax.bar(range(len(heights)), list(heights.values()), color=colours, width=0.65, yerr=spread)
    for place, height in enumerate(heights.values()):
        up = height + (spread[place] if spread else 0)
        ax.annotate(f"{height:.3f}", (place, up), (0, 3), textcoords="offset points", ha="center")
    ax.set_xticks(
        range(len(heights)), [label.replace(", ", ",\n").replace("DSM ", "DSM\nstd ") for label in heights]
    )
    ax.set(title=title)
    ax.margins(y=0.14)


def _figure(
    errors: dict[str, np.ndarray], lines: dict[str, list[float]], networks: dict[str, float]
) -> Figure:
    figure, (left, middle, right) = plots.chart(3, width=11.0, height=3.6)
    best = best_denoising(errors)
    shown = {label: e for label, e in errors.items() if label == best or not label.startswith("DSM")}
    means = {label: float(np.mean(e)) for label, e in shown.items()}
    _bars(left, means, [_error_of_mean(e) for e in shown.values()], f"linear score, {POINTS:,} points")
    left.set_ylabel("Fisher divergence to the clean score")
    for label, values in lines.items():
        colour = {"SM": plots.LEARNED, "SS": plots.EXACT, "DS": plots.INK}[label[:2]]
        middle.loglog(COUNTS, values, color=colour, marker="o", markersize=4)
        middle.annotate(label, (COUNTS[-1], values[-1]), (5, -3), textcoords="offset points", color=colour)
    middle.set_xlim(400, 30_000)
    middle.set_xticks([500, 2000, 8000], ["500", "2,000", "8,000"])
    middle.set_yticks([0.05, 0.1, 0.2, 0.5], ["0.05", "0.1", "0.2", "0.5"])
    middle.minorticks_off()
    middle.set(xlabel="points", title="linear score, more points")
    _bars(right, networks, None, f"a network, {STEPS} steps of {BATCH}")
    return figure


def _error_of_mean(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def run(rng: Stream, say: Callable[..., None]) -> Outcome:
    """Fit at several sizes, train a network by each objective, and compare with the exact score."""
    fields = on_a_grid()
    zero = float(clean_error(fields, np.zeros(fields.size), law()))
    say("fitting in closed form")
    errors = closed_form(POINTS, SEEDS, rng.spawn("fits"), SLICED)
    best = best_denoising(errors)
    finer = closed_form(POINTS, SEEDS_EACH, rng.spawn("finer"), {}, side=6)
    by_size = float(np.mean(finer[best_denoising(finer)]) / np.mean(finer["SM"]))
    lines: dict[str, list[float]] = {"SM": [], "SSM, signs": [], "DSM, best std": []}
    for done, points in enumerate(COUNTS):
        found = closed_form(
            points, SEEDS_EACH, rng.spawn(f"points {points}"), {"SSM, signs": SLICED["SSM, signs"]}
        )
        chosen = ("SM", "SSM, signs", best_denoising(found))
        for line, label in zip(lines, chosen, strict=True):
            lines[line].append(float(np.mean(found[label])))
        say("fitting to more points", done + 1, len(COUNTS))
    networks = {}
    for done, (label, (objective, std)) in enumerate(NETWORKS.items()):
        networks[label] = network_error(objective, std, rng.spawn("network"))
        say("training networks", done + 1, len(NETWORKS))
    mean = {label: float(np.mean(e)) for label, e in errors.items()}
    least = min(e for label, e in networks.items() if label.startswith("DSM"))
    few = lines["DSM, best std"][0] / lines["SM"][0]
    claims = [
        Claim("error of SM, linear score", mean["SM"], "<=", 0.1),
        Claim("SSM over SM, one normal direction a point", mean["SSM, normals"] / mean["SM"], "<=", 2.5),
        Claim("signs over normals", mean["SSM, signs"] / mean["SSM, normals"], "<=", 1.0),
        Claim("SSM over SM, 10 directions a point", mean["SSM, ten"] / mean["SM"], "<=", 1.3),
        Claim("DSM at its best noise over SM", mean[best] / mean["SM"], ">=", 1.5),
        Claim(f"the same with {COUNTS[0]} points", few, "<=", 1.0),
        Claim("network: SSM over SM", networks["SSM"] / networks["SM"], "<=", 1.5),
        Claim("network: DSM at its best noise over SM", least / networks["SM"], ">=", 1.5),
    ]
    numbers = dict(
        zero_model=zero,
        errors={
            label: dict(mean=mean[label], standard_error=_error_of_mean(e)) for label, e in errors.items()
        },
        points=list(COUNTS),
        error_by_points=lines,
        networks=networks,
        denoising_over_SM_with_36_bumps=by_size,
    )
    return Outcome(
        "Sliced score matching estimates the score about as well as score matching; denoising score matching "
        "does worse on clean data, because of the noise it adds.",
        claims,
        numbers,
        _figure(errors, lines, networks),
        f"A score of zero would be {zero:.2f} off. One random direction a point costs some accuracy, ten "
        f"cost little; denoising, at the best noise, is {mean[best] / mean['SM']:.1f} times as far off as "
        "score matching.",
        "That DSM is worse is said of the score of clean data and of enough points. Its noise, here of std "
        f"{best[4:]}, chosen by the exact score, leaves a bias that more points do not remove; but it calms "
        f"the fit: with {COUNTS[0]} points its error is {few:.2f} times that of SM. And it is worse by less "
        f"where the model has more to fit: with 36 bumps in place of 25, {by_size:.1f} times.",
    )
