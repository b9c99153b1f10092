"""Models side by side on the same data with the same budget: the numbers of their runs, a table, a figure.

It is the lectures' taxonomy made measurable: which family has a likelihood or a bound, what its samples are
worth, what it costs to train and to sample. What the columns mean: docs/compare.md.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.distributions.base import Distribution
from refgen.runs import Run

__all__ = ["figure", "measured", "numbers", "summary", "table_lines", "title"]

POINTS = 2000

# The columns: key, heading, width, and how a number is written.
COLUMNS: list[tuple[str, str, int, Callable[[float], str]]] = [
    ("x_floor", "x floor", 15, lambda x: _short(x, 2)),
    ("gap", "NLL - entropy", 17, lambda x: _short(x, 3)),
    ("nll", "NLL, nats", 17, lambda x: _short(x, 3)),
    ("modes", "modes", 8, lambda x: f"{x:.3g}"),
    ("params", "params", 10, lambda x: f"{x:,.0f}"),
    ("train_seconds", "train s", 13, lambda x: _seconds(x)),
    ("sample_seconds", "sample s", 13, lambda x: _seconds(x)),
    ("nfe", "NFE", 7, lambda x: f"{x:,.0f}"),
]
NAME, WIDTH = 17, 100


def _short(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if abs(value) < 1000 else f"{value:.2g}"


def _seconds(value: float) -> str:
    digits = sum(value < limit for limit in (0.0995, 9.995, 99.95))
    return f"{value:,.{digits}f}"


def numbers(run: Run, report: Mapping[str, Any]) -> dict[str, Any]:
    """What a comparison keeps of a run and of its evaluation; plain JSON, null where there is no such number.

    modes: how many are covered. gap: NLL, or its bound, minus the entropy, in nats of the standardised data.
    """
    rows = np.loadtxt(run.folder / "metrics.csv", delimiter=",", skiprows=1, ndmin=2)
    return measured(report, int(run.params.size), float(rows[-1, 2]) if len(rows) else None)


def measured(report: Mapping[str, Any], params: int, train_seconds: float | None) -> dict[str, Any]:
    """The same of an evaluation alone, and of what is not in it."""
    nll, modes = report.get("nll") or {}, report.get("modes")
    return {
        "x_floor": report["samples"]["times_floor"],
        "distance": report["samples"]["distance"],
        "floor": report["floor"]["max"],
        "nll": nll.get("bound"),
        "entropy": nll.get("entropy"),
        "gap": nll.get("gap"),
        "modes": sum(modes["covered"]) if modes else None,
        "params": params,
        "train_seconds": train_seconds,
        "sample_seconds": report["seconds"],
        "nfe": report["calls"],
    }


def summary(model: str, kind: str | None, noise: float, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One model of a comparison: its runs, those that failed included, and mean, low and high of each number.

    kind: of its likelihood: "exact", "bound", or None. noise: std of what it learns along with the data.
    """
    done = [run for run in runs if run["status"] == "done"]
    of: dict[str, Any] = {"mean": {}, "low": {}, "high": {}}
    for key, *_ in COLUMNS:
        values = [run[key] for run in done if run[key] is not None]
        of["mean"][key] = float(np.mean(values)) if values else None
        of["low"][key], of["high"][key] = (min(values), max(values)) if values else (None, None)
    return {"model": model, "nll_kind": kind, "noise": noise, **of, "runs": list(runs)}


def table_lines(comparison: Mapping[str, Any]) -> list[str]:
    """A comparison as a table at most 100 wide, with a second line a model for the range over its seeds."""
    models, seeds, n = comparison["models"], comparison["seeds"], comparison["n"]
    shown = [column for column in COLUMNS if _has(column[0], models)]
    range_said = "; mean, and below it the range" if seeds > 1 else ""
    lines = [
        f"{comparison['data']}: {_budget(comparison)}, {seeds} seed{'s' * (seeds > 1)}{range_said}",
        "",
        f"{'model':<{NAME}}" + "".join(f"{heading:>{width}}" for _, heading, width, _ in shown),
    ]
    for row in models:
        lines += _rows(row, shown, comparison["modes"])
    lines += ["", f"x floor: sliced Wasserstein distance of {n:,} points, in multiples of that of exact ones"]
    kinds = {row["nll_kind"] for row in models}
    if "bound" in kinds:
        lines.append("<=: an upper bound on the NLL, so what the bound itself loses is in it")
    for noise in sorted({row["noise"] for row in models if row["noise"]}):
        lines.append(
            f"*: learns the data under noise of std {noise:g}, and is measured against that noisy law"
        )
    lines.append(f"sample s: for {n:,} points; NFE: evaluations of the network for a point")
    if comparison["steps"] is None and models and all("steps" in row for row in models):
        said = "training steps: " + ", ".join(f"{row['model']} {row['steps']:,}" for row in models)
        lines += textwrap.wrap(said, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    failed = [(row["model"], run) for row in models for run in row["runs"] if run["status"] == "failed"]
    for model, run in failed:
        said = f"failed: {model}, seed {run['seed']}: {run['error']}"
        lines += textwrap.wrap(said, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return lines


def _budget(comparison: Mapping[str, Any]) -> str:
    """What each model was trained with; None for steps or batch is each model's usual."""
    steps, batch = comparison["steps"], comparison["batch"]
    if steps is None and batch is None:
        return "each model's usual training"
    text = "each model's usual steps" if steps is None else f"{steps:,} steps"
    return f"{text} of {'its usual batch' if batch is None else f'{batch:,} points'} each"


def _has(key: str, models: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a column is shown: the NLL itself only where no entropy can be taken off."""
    there = {name: any(row["mean"][name] is not None for row in models) for name in ("gap", "nll", "modes")}
    if key == "nll":
        return there["nll"] and not there["gap"]
    if key == "gap":
        return there["gap"] or not there["nll"]
    return there.get(key, True)


def _rows(row: Mapping[str, Any], shown: Sequence[tuple], modes: int | None) -> list[str]:
    mean, low, high = row["mean"], row["low"], row["high"]
    name = f"{row['model']}{'*' if row['noise'] else ''}"
    if mean["x_floor"] is None:
        return [f"{name:<{NAME}}{'failed':>{shown[0][2]}}"]
    first, second = f"{name:<{NAME}}", " " * NAME
    for key, _, width, write in shown:
        text, span = "-", ""
        if mean[key] is not None:
            mark = "<= " if key in ("gap", "nll") and row["nll_kind"] == "bound" else ""
            text = mark + write(mean[key]) + (f"/{modes}" if key == "modes" else "")
            ends = write(low[key]), write(high[key])
            span = "" if ends[0] == ends[1] else f"{ends[0]}..{ends[1]}"
        first, second = first + f"{text:>{width}}", second + f"{span:>{width}}"
    return [first, *([second.rstrip()] if second.strip() else [])]


def figure(
    comparison: Mapping[str, Any],
    runs: Mapping[str, Run],
    law: Distribution,
    seed: int = 0,
    say: Callable[[str], None] = lambda stage: None,
) -> Figure:
    """Exact samples, and those of each model beside them with its mean numbers; 2-D data.

    runs: one of each model that has one. law: of the standardised data; where a model learns the data under
    noise, exact samples of that law are shown too.
    """
    rng, rows = Stream(seed, "compare"), {row["model"]: row for row in comparison["models"]}
    exact, learned = {}, {}
    for noise in sorted({0.0, *(rows[model]["noise"] for model in runs)}):
        truth = law.diffused(1.0, noise) if noise else law
        name = f"exact, with noise {noise:g}" if noise else f"exact, {comparison['data']}"
        exact[name] = truth.sample(rng.spawn(name), POINTS)
    for model, run in runs.items():
        say(f"samples of {model}")
        data = law.sample(rng.spawn("data"), POINTS)
        points = run.model.sample(run.params, POINTS, rng.spawn(model), x_0=data)
        learned[title(rows[model], comparison["modes"])] = points
    return plots.comparison(exact, learned)


def title(row: Mapping[str, Any], modes: int | None) -> str:
    """Two lines about a model, of a row that `summary` made: its name and modes, its mean numbers."""
    mean, has = row["mean"], row["mean"]["gap"] is not None
    sign = "≤" if row["nll_kind"] == "bound" else "="
    covered = "" if mean["modes"] is None else f", {mean['modes']:.3g} of {modes} modes"
    gap = f", NLL - H {sign} {_short(mean['gap'], 2)}" if has else ""
    return f"{row['model']}{'*' if row['noise'] else ''}{covered}\n{_short(mean['x_floor'], 2)} x floor{gap}"
