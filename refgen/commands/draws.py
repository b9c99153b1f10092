"""What `sample` draws with: a model's own sampler, or another with its levels, its start and its steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

__all__ = ["Draw", "annealed", "at_one_level", "by_stages", "check_fits", "own"]

Draw = Callable[[Any, int, Any], Any]  # (denoiser, how many, stream) -> points

# The defaults of samplers of one level: noise small beside the modes, and steps that cross the data.
STD, STEPS, STEP = 0.1, 1000, 0.5

# Of annealed Langevin on a model that has none of its own: the ladder of ncsn.
LEVELS, LARGEST, SMALLEST, PER_LEVEL, LEVEL_STEP = 20, 4.0, 0.02, 50, 0.1

# Of smc: as ebm has them.
STAGES, PER_STAGE, STAGE_STEP = 60, 4, 2.0


def check_fits(sampler: str, name: str, model: Any, denoiser: Any) -> None:
    """Raise ValueError, with what would do, where the model has not what the sampler needs."""
    from refgen import samplers

    if denoiser is None or not hasattr(model, "levels"):
        needs = samplers.needs(sampler)
        raise ValueError(f"--sampler {sampler} needs {needs}; this {name} has its own only, and no score")
    has = {
        "ancestral": hasattr(model.levels, "alpha_bar"),
        "annealed_langevin": model.levels.T > 1,
        "langevin": True,
        "underdamped": True,
        "mala": denoiser.has_density,
        "smc": denoiser.has_density,
    }
    if not has[sampler]:
        would = [known for known, fits in has.items() if fits]
        if sampler in ("mala", "smc"):
            would.append(f"{sampler} with --exact")
        raise ValueError(
            f"--sampler {sampler} needs {samplers.needs(sampler)}, which this {name} has not; "
            f"{', '.join(would[:-1])} or {would[-1]} would do"
        )


def own(model: Any, params: Any, steps: int, data: Any, exact: bool) -> tuple[Draw, int]:
    """The model's own sampler. One with a density asks for energy and score at once where it can."""

    def draw(denoiser: Any, count: int, stream: Any) -> Any:
        asked = exact or not getattr(denoiser, "has_density", True)
        return model.sample(params, count, stream, steps, data, denoiser if asked else None)

    return draw, model.calls(steps)


def annealed(model: Any, dtype: Any, given: dict[str, Any]) -> tuple[Draw, int]:
    """Annealed Langevin dynamics, on the ladder of an ncsn, or on one like it of a ddpm's levels."""
    from refgen.ladders import Ladder, geometric
    from refgen.samplers.annealed_langevin import UnitPower, annealed_langevin

    levels, count = model.levels, given["steps"]
    if isinstance(levels, Ladder):
        if count and count > levels.T:
            raise ValueError(f"--steps is {count}; the model has {levels.T} levels")
        levels = levels.respaced(count) if count else levels
    else:
        if count == 1:
            raise ValueError("--steps is 1; annealed_langevin needs two levels or more of a ddpm")
        least, most = _known(levels)
        levels = UnitPower(geometric(count or LEVELS, min(LARGEST, most), max(SMALLEST, least)))
    step = given["step"] or getattr(model, "langevin_step", LEVEL_STEP)
    steps = given["per_level"] or getattr(model, "per_level", PER_LEVEL)

    def draw(denoiser: Any, count: int, stream: Any) -> Any:
        x_T = _wide(levels.level(levels.T)) * stream.normal(count, model.dim, dtype=dtype)
        return annealed_langevin(denoiser, levels, x_T, stream, step, steps)

    return draw, levels.T * steps + 1


def at_one_level(
    sampler: str, model: Any, dtype: Any, given: dict[str, Any], exact: bool, shares: list[Any]
) -> tuple[Draw, int]:
    """Langevin dynamics at one level; mala adds to shares what it has accepted."""
    from refgen import samplers

    (levels, t), walk = _one_level(model, given, exact), samplers.named(sampler)
    options: dict[str, Any] = {"t": t, "step": given["step"] or STEP, "steps": given["steps"] or STEPS}
    options["denoise"] = not getattr(model, "of_noisy_data", False)
    if sampler == "mala":
        options["shares"] = shares

    def draw(denoiser: Any, count: int, stream: Any) -> Any:
        x_T = _wide(levels.level(t)) * stream.normal(count, model.dim, dtype=dtype)
        return walk(denoiser, levels, x_T, stream, **options)

    calls = options["steps"] + 1 if sampler == "mala" else options["steps"]
    return draw, calls + options["denoise"]


def by_stages(model: Any, dtype: Any, given: dict[str, Any], exact: bool) -> tuple[Draw, int]:
    """smc at one level, from a normal law twice as wide as the noisy data."""
    from refgen.samplers import smc

    levels, t = _one_level(model, given, exact)
    steps, per_stage = given["steps"] or STAGES, given["per_level"] or PER_STAGE
    options: dict[str, Any] = {"t": t, "step": given["step"] or STAGE_STEP, "steps": steps}
    options |= {"per_stage": per_stage, "denoise": not getattr(model, "of_noisy_data", False)}

    def draw(denoiser: Any, count: int, stream: Any) -> Any:
        shape, wide = (count, model.dim), 2 * _wide(levels.level(t))
        return smc.drawn(denoiser, levels, shape, stream, dtype, wide, **options)

    return draw, steps * (per_stage + 2) + options["denoise"]


def _one_level(model: Any, given: dict[str, Any], exact: bool) -> tuple[Any, int]:
    """Levels, and the one of them that --level or --std names, or the usual."""
    import numpy as np

    from refgen.ladders import Ladder

    levels, t, std = model.levels, given["level"] or 1, given["std"]
    if t > levels.T:
        raise ValueError(f"--level is {t}; the model has level{'s' * (levels.T > 1)} 1 to {levels.T}")
    least, most = _known(levels)
    if std and not exact and not 0.999 * least <= std <= 1.001 * most:
        known = f"{least:.3g}" if levels.T == 1 else f"{least:.3g} to {most:.3g}"
        raise ValueError(f"--std is {std}; the model knows noise of {known} stds of the data")
    if std or (given["level"] is None and levels.T > 1):
        levels, t = Ladder(np.array([0.0, std or STD])), 1
    return levels, t


def _known(levels: Any) -> tuple[float, float]:
    """The least and the most noise of the levels, at signal 1."""
    (signal, std), (last_signal, last_std) = levels.level(1), levels.level(levels.T)
    return std / signal, last_std / last_signal


def _wide(level: tuple[float, float]) -> float:
    """How wide standardised data are with the noise of a level."""
    return math.hypot(*level)
