"""The pictures of a run: overview, forward process, score fields, samples, reverse process, loss curve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions.base import Distribution
from refgen.metrics import score_error
from refgen.runs import Run

__all__ = ["NAMES", "animate", "pictures"]

POINTS = 2000
FRAMES = 60


def _times(levels: Any) -> set[int]:
    """A few times between clean data and noise, where there is something to see."""
    T = levels.T
    if levels.level(T)[0] < 1:
        return {0, T // 10, T // 4, T // 2, T}
    # A ladder spends most of its levels on noise that nobody sees.
    return {0, T, *(int(np.argmin(np.abs(levels.std[1:] - std))) + 1 for std in (0.2, 0.6, 1.5))}


def _overview(run: Run, law: Distribution, rng: Stream) -> Figure:
    smooth = None if law.entropy == -np.inf else law
    learned = run.model.sample(run.params, POINTS, rng, x_0=law.sample(rng.spawn("data"), POINTS))
    title = f"samples of {run.config['model']}, {run.state.step:,} steps of training"
    return plots.overview(law.sample(rng.spawn("data"), POINTS), smooth, learned, title)


def _forward(run: Run, law: Distribution, rng: Stream) -> Figure:
    times = sorted(_times(run.model.levels))
    points, noise = law.sample(rng.spawn("data"), POINTS), rng.normal(POINTS, law.dim)
    return plots.forward_process(points, noise, run.model.levels, times)


def _score(run: Run, law: Distribution, rng: Stream) -> Figure:
    levels, denoiser = run.model.levels, run.model.denoiser(run.params)
    # Where the noise is a tenth, half and nearly all of the whole.
    times = sorted({int(np.argmin(np.abs(levels.std[1:] - std))) + 1 for std in (0.1, 0.5, 0.95)})
    errors = {}
    for t in times:
        signal, std = levels.level(t)
        errors[t] = score_error(denoiser, law, signal, std, rng.spawn(f"{t}"))
    return plots.score_fields(denoiser, ExactDenoiser(law), law, levels, errors)


def _samples(run: Run, law: Distribution, rng: Stream) -> Figure:
    exact = law.sample(rng.spawn("data"), POINTS)
    learned = run.model.sample(run.params, POINTS, rng, x_0=exact)
    return plots.samples(exact, learned)


def _loss(run: Run, law: Distribution | None = None, rng: Stream | None = None) -> Figure:
    rows = np.loadtxt(run.folder / "metrics.csv", delimiter=",", skiprows=1, ndmin=2)
    if not len(rows):
        raise ValueError(f"{run.folder / 'metrics.csv'} has no rows yet; train for at least 100 steps")
    return plots.loss_curve(rows[:, 0], rows[:, 1])


def _reverse(run: Run, law: Distribution, rng: Stream) -> Figure:
    T = run.model.levels.T
    shown = sorted(_times(run.model.levels), reverse=True)
    kept = _walk(run, law, rng, 1000, sorted({*shown, *np.linspace(0, T, 101).astype(int).tolist()}))
    return plots.reverse_process(kept, shown)


def _walk(run: Run, law: Distribution, rng: Stream, n: int, times: list[int]) -> dict[int, np.ndarray]:
    """Points of the model on their way from noise to data, by time."""
    kept: dict[int, Any] = dict.fromkeys(times)
    run.model.sample(run.params, n, rng, x_0=law.sample(rng.spawn("data"), POINTS), trajectory=kept)
    return kept


_PICTURES: dict[str, Callable[[Run, Distribution, Stream], Figure]] = {
    "overview": _overview,
    "forward": _forward,
    "score": _score,
    "samples": _samples,
    "reverse": _reverse,
    "loss": _loss,
}

NAMES = tuple(_PICTURES)


def pictures(
    run: Run, law: Distribution | None, names: list[str], folder: str | Path, seed: int = 0
) -> Iterator[Path]:
    """Draw pictures of a run of 2-D data into a folder; yields each file's path when it is written.

    law: the exact law of the model's (standardised) data; None will do for "loss". Raises ValueError for data
    that are not 2-D, where a picture is of points.
    """
    of_points = [name for name in names if name != "loss"]
    if of_points and run.model.dim != 2:
        raise ValueError(f"{run.folder} has data of dimension {run.model.dim}; pictures but loss need 2")
    if of_points and law is None:
        raise ValueError(f"law is None; {', '.join(of_points)} need the law of the data")
    for name in names:
        rng = Stream(seed, "picture", name)
        figure = _loss(run) if law is None else _PICTURES[name](run, law, rng)
        yield plots.save(figure, Path(folder) / f"{name}.png")


def animate(run: Run, law: Distribution, path: str | Path, seed: int = 0, n: int = 1500) -> Path:
    """Write a GIF of the reverse process. Raises ValueError for data that are not 2-D."""
    if run.model.dim != 2:
        raise ValueError(f"{run.folder} has data of dimension {run.model.dim}; a picture needs 2")
    T = run.model.levels.T
    # More frames towards the data, where things happen.
    times = sorted({int(T * (i / (FRAMES - 1)) ** 2) for i in range(FRAMES)})
    return plots.reverse_animation(_walk(run, law, Stream(seed, "animate"), n, times), path)
