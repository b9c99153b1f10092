"""--label and --scale: a run whose model is told a class, and what is exact then."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from refgen.commands.data import law_of_run

__all__ = ["exact_denoiser", "guidance_options", "label_of", "require_exact", "told"]

_OPTIONS = [
    click.option(
        "--label",
        type=click.IntRange(0),
        metavar="C",
        help="The class to sample, 0, 1, ..., of a model trained with labels.  [default: all data]",
    ),
    click.option(
        "--scale",
        type=float,
        metavar="S",
        help="Of guidance: 0 is all data, 1 the class; more leans further to the class, and asks the network "
        "twice. It is 1 + w of the other convention.  [default: 1]",
    ),
]


def guidance_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which class is sampled."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def told(run: Any, label: int | None, scale: float | None) -> Any:
    """The run with its model told a class; as it is without a label, and at scale 0, which needs none.

    Raises ValueError, one line, for a class that the model has not, and for a scale without one.
    """
    name, count = run.config["model"], getattr(run.model, "classes", 0)
    if scale is not None and not math.isfinite(scale):
        raise ValueError(f"--scale is {scale}; it must be a finite number")
    if label is None:
        if scale is not None:
            raise ValueError(f"--scale is {scale:g}, of guidance to a class; name it by --label")
        return run
    if not count:
        raise ValueError(f"--label is {label}; this {name} was trained without labels")
    if label >= count:
        raise ValueError(f"--label is {label}; the classes of this {name} are 0 to {count - 1}")
    s = 1.0 if scale is None else scale
    return replace(run, model=run.model.of_class(label, s)) if s else run


def label_of(run: Any) -> int | None:
    """The class that the model of a run is told, None for all data."""
    return getattr(run.model, "label", None)


def require_exact(run: Any) -> None:
    """Raise ValueError, one line, where the law of what is sampled is not known."""
    if getattr(run.model, "s", 1) != 1:
        raise ValueError(
            f"--scale is {run.model.s:g}; exact samples to measure by there are at 0, all data, and 1, the "
            "class: what others end in depends on the sampler (refgen equations GUIDE-6)"
        )


def exact_denoiser(run: Any, law: Any) -> Any:
    """The exact denoiser of a run's data; guided, where its model is told a class. law: of that class."""
    from refgen.denoisers import ExactDenoiser
    from refgen.guidance import guided

    if getattr(run.model, "s", 1) == 1:
        return ExactDenoiser(law)
    return guided(ExactDenoiser(law), ExactDenoiser(law_of_run(run.folder, run.config)), run.model.s)
