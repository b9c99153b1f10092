"""What `sample` and `evaluate` draw with: a model's own sampler, or another, at which levels, from where.

A sampler is a row of `ways.WAYS`; the rest is the same for all.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from refgen.commands.levels import one_level, wide
from refgen.commands.ways import WAYS, Way, needs_density

__all__ = ["Asked", "Drawing", "check_fits", "drawing", "needs_data"]

Draw = Callable[[Any, int, Any], Any]  # (denoiser, how many, stream) -> points


@dataclass(frozen=True)
class Asked:
    """What is to be drawn from, and by what.

    sampler: None for the model's own. name: the model's. given: the options by name, None where they are not.
    denoiser: what will be asked; None for a model that has none. exact: whether it knows all levels. data:
    points, where `needs_data`.
    """

    sampler: str | None
    name: str
    model: Any
    params: Any
    given: Mapping[str, Any]
    denoiser: Any = None
    exact: bool = False
    data: Any = None


@dataclass(frozen=True)
class Drawing:
    """How points are drawn.

    denoiser: what is asked, None for a model that asks none. calls: how often, about. about: at which levels,
    with which steps. independent: whether points know nothing of each other. shares: what Metropolis' test
    has accepted.
    """

    draw: Draw
    denoiser: Any
    calls: int
    about: str
    independent: bool = True
    shares: list[Any] = field(default_factory=list)


def needs_data(sampler: str | None, model: Any) -> bool:
    """Whether points of the data are wanted, for a variance that is estimated."""
    own = sampler in (None, "ancestral")
    return getattr(model, "variance", "") == "optimal" if own else WAYS[str(sampler)].data


def drawing(asked: Asked) -> Drawing:
    """What draws. Raises ValueError, one line, for what does not fit the model or each other."""
    _check_options(asked.sampler, asked.given)
    if asked.sampler is None:
        return _own(asked)
    check_fits(asked.sampler, asked.name, asked.model, asked.denoiser)
    if asked.sampler == "ancestral":
        return _own(asked)
    return _at_one_level(asked) if WAYS[asked.sampler].levels is None else _down(asked)


# What walks along a velocity, whether or not that is the flow of a score.
ALONG_A_VELOCITY = ("ddim", "dpm_solver", "dpm_multistep", "probability_flow", "edm")


def check_fits(sampler: str, name: str, model: Any, denoiser: Any) -> None:
    """Raise ValueError, with what would do, where the model has not what the sampler needs."""
    from refgen import samplers

    needs, way = samplers.needs(sampler), WAYS[sampler]
    if denoiser is None or not hasattr(model, "levels"):
        raise ValueError(f"--sampler {sampler} needs {needs}; this {name} has its own only, and no score")
    if not way.fits(model.levels, denoiser):
        would = [known for known, other in WAYS.items() if other.fits(model.levels, denoiser)]
        exact = f", and {sampler} itself with --exact" if way.fits is needs_density else ""
        raise ValueError(
            f"--sampler {sampler} needs {needs}, which this {name} has not; "
            f"{', '.join(would[:-1])} or {would[-1]} would do{exact}"
        )
    if not getattr(model, "has_score", True) and sampler not in ALONG_A_VELOCITY:
        would = [known for known in ALONG_A_VELOCITY if known != "edm"]
        raise ValueError(
            f"--sampler {sampler} needs a score, and this {name} has a velocity only; "
            f"{', '.join(would)} or edm would do"
        )


def _check_options(sampler: str | None, given: Mapping[str, Any]) -> None:
    """Raise ValueError for an option that does not go with the sampler, and for two levels."""
    for name, value in given.items():
        if value is None or name == "steps" or (sampler and name in WAYS[sampler].options):
            continue
        fits = [known for known, way in WAYS.items() if name in way.options]
        said = f"not for {sampler}" if sampler else "and none is named: add --sampler"
        raise ValueError(f"--{name.replace('_', '-')} is for {', '.join(fits)}, {said}")
    if given["level"] is not None and given["std"] is not None:
        raise ValueError("--level and --std both name a level of noise; give one of them")


def _own(asked: Asked) -> Drawing:
    """The model's own sampler."""
    model, steps, data = asked.model, asked.given["steps"], asked.data
    levels = getattr(model, "levels", None)
    if asked.denoiser is None or levels is None:
        if asked.exact:
            raise ValueError(
                f"--exact puts the exact denoiser in the network's place; this {asked.name} asks for none"
            )
        if steps is not None:
            raise ValueError(f"--steps is {steps}; this {asked.name} has no levels of noise and no chain")
    elif steps and 1 < levels.T < steps and not hasattr(model, "levels_at"):
        raise ValueError(f"--steps is {steps}; the model has {levels.T} levels")

    def draw(denoiser: Any, count: int, stream: Any) -> Any:
        return model.sample(asked.params, count, stream, steps or 0, data, denoiser)

    calls = model.calls(steps or 0) * (1 + needs_data(None, model))
    return Drawing(draw, asked.denoiser, calls, "the model's own sampler", not hasattr(model, "stages"))


def _down(asked: Asked) -> Drawing:
    """A sampler that goes down many levels, from a normal law as wide as the data at the last."""
    from refgen import samplers

    model, params, given = asked.model, asked.params, asked.given
    way, walk = WAYS[str(asked.sampler)], samplers.named(str(asked.sampler))
    assert way.levels is not None
    spacing = given.get("spacing") or way.spacing
    levels, about = way.levels(model, params, given["steps"], spacing, way.steps, way.grid)
    arguments = _arguments(way, asked) | ({"x_0": asked.data} if way.data else {})
    told = _defaults(walk) | arguments

    def draw(denoiser: Any, count: int, stream: Any) -> Any:
        x_T = wide(levels.level(levels.T)) * stream.normal(count, model.dim, dtype=params.dtype)
        return walk(denoiser, levels, x_T, stream, **arguments)

    about = f"{asked.sampler}, {about}{_shown(way, told)}"
    return Drawing(draw, asked.denoiser, way.calls(levels.T, told), about)


def _at_one_level(asked: Asked) -> Drawing:
    """A walk at one level, from a normal law as wide as the noisy data; for smc twice as wide."""
    from refgen import samplers
    from refgen.samplers import smc

    model, dtype, sampler = asked.model, asked.params.dtype, str(asked.sampler)
    way, walk = WAYS[sampler], samplers.named(sampler)
    levels, t, about = one_level(model, asked.params, asked.given, asked.exact)
    arguments = _arguments(way, asked) | {"t": t, "denoise": not getattr(model, "of_noisy_data", False)}
    if asked.given["steps"]:
        arguments["steps"] = asked.given["steps"]
    told, width = _defaults(walk) | arguments, wide(levels.level(t))
    shares: list[Any] = []
    if sampler == "mala":
        arguments["shares"] = shares

    def draw(denoiser: Any, count: int, stream: Any) -> Any:
        if sampler == "smc":
            return smc.drawn(denoiser, levels, (count, model.dim), stream, dtype, 2 * width, **arguments)
        x_T = width * stream.normal(count, model.dim, dtype=dtype)
        return walk(denoiser, levels, x_T, stream, **arguments)

    about = f"{sampler}, {about}, {told['steps']:,} {'stages' if sampler == 'smc' else 'steps'}"
    about += _shown(way, told)
    return Drawing(draw, asked.denoiser, way.calls(1, told), about, sampler != "smc", shares)


def _arguments(way: Way, asked: Asked) -> dict[str, Any]:
    """The sampler's arguments: as asked for, else the model's, else the usual."""
    own = {name: getattr(asked.model, attribute, None) for name, attribute in way.of_model.items()}
    given = {name: asked.given.get(option) for option, name in way.options.items() if name}
    told = [(name, value) for some in (own, given) for name, value in some.items() if value is not None]
    return dict(way.usual) | dict(told)


def _defaults(walk: Callable[..., Any]) -> dict[str, Any]:
    return {name: parameter.default for name, parameter in inspect.signature(walk).parameters.items()}


def _shown(way: Way, told: Mapping[str, Any]) -> str:
    """The arguments that an option could have set, as `, eta 0`."""
    values = {option.replace("_", " "): told[name] for option, name in way.options.items() if name}
    return "".join(
        f", {option} {value if isinstance(value, str) else format(value, 'g')}"
        for option, value in values.items()
        if value is not None
    )
