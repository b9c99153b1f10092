"""The pictures of a run: overview, forward process, scores, samples, reverse process, loss curve, energy.

A model of one noise level learns the data under that noise: there all is shown of the noisy law, the reverse
process is its chain, from the start to the end, and there is no forward process to show. A model without a
denoiser has neither levels of noise nor a score: there are its samples and its loss.
"""

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

__all__ = ["NAMES", "animate", "names_of", "pictures"]

POINTS = 2000
FRAMES = 60


def _one_level(model: Any) -> bool:
    return getattr(model, "of_noisy_data", False)


def _in_stages(model: Any) -> bool:
    """Whether the chain changes its law stage by stage and draws the points anew, so that none has a path."""
    return hasattr(model, "stages")


def _label(model: Any) -> str:
    """How a time of the model's chain is written."""
    if not _one_level(model):
        return "t = {t:,}"
    return "{t:,} stages to go" if _in_stages(model) else "{t:,} steps to go"


def _truth(run: Run, law: Distribution) -> tuple[Distribution, str]:
    """The law that the model learns, and what it is called."""
    if not _one_level(run.model):
        return law, "data"
    signal, std = run.model.levels.level(1)
    return law.diffused(signal, std), f"data, noise {std:.2g}"


def _times(model: Any) -> set[int]:
    """A few times between clean data and noise, where there is something to see."""
    levels, T = model.levels, model.chain
    if _one_level(model):  # with one law for all steps, most happens at first
        shares = (0, 0.25, 0.5, 0.75, 1) if _in_stages(model) else (0, 0.01, 0.05, 0.3, 1)
        return {T - round(T * done) for done in shares}
    if levels.level(T)[0] < 1:
        return {0, T // 10, T // 4, T // 2, T}
    # A ladder spends most of its levels on noise that nobody sees.
    return {0, T, *(int(np.argmin(np.abs(levels.std[1:] - std))) + 1 for std in (0.2, 0.6, 1.5))}


def _overview(run: Run, law: Distribution, rng: Stream) -> Figure:
    truth, data = _truth(run, law)
    smooth = None if truth.entropy == -np.inf else truth
    learned = run.model.sample(run.params, POINTS, rng, x_0=law.sample(rng.spawn("data"), POINTS))
    title = f"samples of {run.config['model']}, {run.state.step:,} steps of training"
    return plots.overview(truth.sample(rng.spawn("data"), POINTS), smooth, learned, title, data)


def _forward(run: Run, law: Distribution, rng: Stream) -> Figure:
    times = sorted(_times(run.model))
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
    exact = _truth(run, law)[0].sample(rng.spawn("data"), POINTS)
    data = law.sample(rng.spawn("data"), POINTS)
    learned = run.model.sample(run.params, POINTS, rng, x_0=data)
    return plots.samples(exact, learned)


def _loss(run: Run, law: Distribution | None = None, rng: Stream | None = None) -> Figure:
    rows = np.loadtxt(run.folder / "metrics.csv", delimiter=",", skiprows=1, ndmin=2)
    if not len(rows):
        raise ValueError(f"{run.folder / 'metrics.csv'} has no rows yet; train for at least 100 steps")
    return plots.loss_curve(rows[:, 0], rows[:, 1], note=getattr(run.model, "loss_is", ""))


def _reverse(run: Run, law: Distribution, rng: Stream) -> Figure:
    T = run.model.chain
    shown = sorted(_times(run.model), reverse=True)
    kept = _walk(run, law, rng, 1000, sorted({*shown, *np.linspace(0, T, 101).astype(int).tolist()}))
    return plots.reverse_process(kept, shown, 0 if _in_stages(run.model) else 12, _label(run.model))


def _walk(run: Run, law: Distribution, rng: Stream, n: int, times: list[int]) -> dict[int, np.ndarray]:
    """Points of the model on their way from noise to data, by time."""
    kept: dict[int, Any] = dict.fromkeys(times)
    run.model.sample(run.params, n, rng, x_0=law.sample(rng.spawn("data"), POINTS), trajectory=kept)
    return kept


def _energy(run: Run, law: Distribution, rng: Stream) -> Figure:
    truth = _truth(run, law)[0]
    limit = plots.limit_of(truth.sample(rng.spawn("data"), POINTS))
    _, places = plots.grid(limit, 160)
    learned = run.model.log_prob(run.params, places.astype(run.params.dtype), rng)
    return plots.log_densities(truth.log_prob(places), learned, limit)


_PICTURES: dict[str, Callable[[Run, Distribution, Stream], Figure]] = {
    "overview": _overview,
    "forward": _forward,
    "score": _score,
    "samples": _samples,
    "reverse": _reverse,
    "energy": _energy,
    "loss": _loss,
}

NAMES = tuple(_PICTURES)


def names_of(model: Any) -> list[str]:
    """The pictures that there are of a run of this model; of data that are not 2-D, the loss alone."""
    if model.dim != 2:
        return ["loss"]
    if not hasattr(model, "denoiser"):
        return ["overview", "samples", "loss"]
    missing = {"forward"} if _one_level(model) else set()
    if not _one_level(model) or getattr(model, "log_prob_is", "") != "exact":
        missing.add("energy")
    return [name for name in NAMES if name not in missing]


def _why_not(model: Any, name: str) -> str:
    if not hasattr(model, "denoiser"):
        return "has no score and no levels of noise"
    return "has no density" if name == "energy" else "has one level of noise, no process"


def pictures(
    run: Run, law: Distribution | None, names: list[str], folder: str | Path, seed: int = 0
) -> Iterator[Path]:
    """Draw pictures of a run of 2-D data into a folder; yields each file's path when it is written.

    law: the exact law of the model's (standardised) data; None will do for "loss". Raises ValueError for data
    that are not 2-D, where a picture is of points, and for a picture that there is not of this model.
    """
    of_points = [name for name in names if name != "loss"]
    if of_points and run.model.dim != 2:
        raise ValueError(f"{run.folder} has data of dimension {run.model.dim}; pictures but loss need 2")
    there = names_of(run.model)
    for name in names:
        if name not in there:
            why, model = _why_not(run.model, name), run.config["model"]
            raise ValueError(f"no picture {name!r} of {model}, which {why}; there are {', '.join(there)}")
    if of_points and law is None:
        raise ValueError(f"law is None; {', '.join(of_points)} need the law of the data")
    for name in names:
        rng = Stream(seed, "picture", name)
        figure = _loss(run) if law is None else _PICTURES[name](run, law, rng)
        yield plots.save(figure, Path(folder) / f"{name}.png")


def animate(run: Run, law: Distribution, path: str | Path, seed: int = 0, n: int = 1500) -> Path:
    """Write a GIF of the reverse process. Raises ValueError for data that are not 2-D, and for a model that
    has no such process."""
    if run.model.dim != 2:
        raise ValueError(f"{run.folder} has data of dimension {run.model.dim}; a picture needs 2")
    if not hasattr(run.model, "denoiser"):
        raise ValueError(
            f"{run.folder} has nothing to animate: a {run.config['model']} has no levels of noise, no chain"
        )
    T, power, label = run.model.chain, 2, f"reverse process, {_label(run.model)}"
    if _one_level(run.model):
        power, label = 1 if _in_stages(run.model) else 3, _label(run.model)
    # More frames where things happen: towards the data, but at the start of a chain with one law.
    shares = [(i / (FRAMES - 1)) ** power for i in range(FRAMES)]
    times = sorted({T - int(T * share) if _one_level(run.model) else int(T * share) for share in shares})
    kept = _walk(run, law, Stream(seed, "animate"), n, times)
    return plots.reverse_animation(kept, path, label=label)
