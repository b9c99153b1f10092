"""Which levels of noise a sampler goes through, of those that a model knows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["SPACINGS", "few_like", "one_level", "respaced", "wide"]

# How --spacing can be answered, and what is said of it.
SPACINGS = {"model": "", "time": "even in time", "log_snr": "even in log-SNR", "edm": "spaced as in EDM"}

STD = 0.1  # of one level, where the model has many and none is named: small beside the modes

# Of annealed Langevin on a model that has no ladder: as ncsn has it.
LEVELS, LARGEST, SMALLEST = 20, 4.0, 0.02


def respaced(
    model: Any, params: Any, steps: int | None, spacing: str, usual: int, grid: bool = False
) -> tuple[Any, str]:
    """So many of the model's levels, or levels of its noise spaced anew; and what they are, in a few words.

    steps: None for `usual`, or where that is 0 for as many as the model has. grid: whether they must be of a
    process in continuous time.
    """
    from refgen.processes import Grid, through

    levels, any_number = _of(model, params), hasattr(model, "levels_at")
    if spacing == "model":
        most = levels.T
        if steps is not None and steps > most and not any_number:
            raise ValueError(f"--steps is {steps}; the model has {most} levels")
        count = steps or min(usual or most, most)
        of = "all " * (count == most) if any_number or count == most else f"{count:,} of "
        about = f"{count:,} levels" if any_number else f"{of}{most:,} levels"
        if any_number:
            levels = model.levels_at(params, count)
        elif count < most or not grid:
            levels = levels.respaced(count)
        if grid and not isinstance(levels, Grid):
            levels = through(_of(model, params)).grid(count, "time")
        return levels, about
    count = steps or usual or levels.T
    if isinstance(levels, Grid):
        new = levels.process.grid(count, spacing, levels.time(1), levels.time(levels.T))
    else:
        new = through(levels).grid(count, spacing)
    return new, f"{count:,} levels {SPACINGS[spacing]}"


def few_like(
    model: Any, params: Any, steps: int | None, spacing: str, usual: int, grid: bool = False
) -> tuple[Any, str]:
    """For annealed Langevin: the ladder of an ncsn, or one like it of another model's levels."""
    from refgen.ladders import Ladder, geometric
    from refgen.samplers.annealed_langevin import UnitPower

    levels = _of(model, params)
    if isinstance(levels, Ladder):
        return respaced(model, params, steps, "model", 0)
    if steps == 1:
        raise ValueError("--steps is 1; annealed_langevin needs two levels or more of this model")
    least, most = _known(levels)
    ladder = geometric(steps or LEVELS, min(LARGEST, most), max(SMALLEST, least))
    return UnitPower(ladder), f"{ladder.T} levels at a constant ratio"


def one_level(model: Any, params: Any, given: Mapping[str, Any], exact: bool) -> tuple[Any, int, str]:
    """Levels, the one of them that --level or --std names, or the usual, and what it is, in a few words."""
    import numpy as np

    from refgen.ladders import Ladder

    levels, t, std = _of(model, params), given["level"] or 1, given["std"]
    if t > levels.T:
        raise ValueError(f"--level is {t}; the model has level{'s' * (levels.T > 1)} 1 to {levels.T}")
    least, most = _known(levels)
    if std and not exact and not 0.999 * least <= std <= 1.001 * most:
        known = f"{least:.3g}" if levels.T == 1 else f"{least:.3g} to {most:.3g}"
        raise ValueError(f"--std is {std}; the model knows noise of {known} stds of the data")
    if std or (given["level"] is None and levels.T > 1):
        levels, t = Ladder(np.array([0.0, std or STD])), 1
        return levels, t, f"noise of std {levels.level(1)[1]:g}"
    signal, noise = levels.level(t)
    of = f"level {t:,} of {levels.T:,}, " if levels.T > 1 else ""
    return levels, t, f"{of}noise of std {noise / signal:.3g}"


def wide(level: tuple[float, float]) -> float:
    """How wide standardised data are with the noise of a level."""
    return math.hypot(*level)


def _of(model: Any, params: Any) -> Any:
    """All the model's levels. Those of a schedule that is learned stand in the parameters."""
    return model.levels_at(params, model.T) if hasattr(model, "levels_at") else model.levels


def _known(levels: Any) -> tuple[float, float]:
    """The least and the most noise of the levels, at signal 1."""
    (signal, std), (last_signal, last_std) = levels.level(1), levels.level(levels.T)
    return std / signal, last_std / last_signal
