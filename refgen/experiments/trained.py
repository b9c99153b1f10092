"""Networks that experiments train, each once in a process, however many experiments ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refgen import models, training
from refgen.backend import Stream

__all__ = ["trained"]

_KEPT: dict[tuple[Any, ...], tuple[Any, Any]] = {}


def trained(model: Any, law: Any, rng: Stream, steps: int, say: Callable[..., None], **options: Any) -> Any:
    """The parameters (their moving average) of a model after so many steps of training on a law.

    model: one of `refgen.models`. law: the distribution of its data, as the model is to see them; the same
    object and the same model, steps and seed find what was trained before. rng: gives its seed alone, so that
    experiments share. say: is told `say(stage, done, total)` now and then. options: of `training.fit`.
    """
    key = (model, id(law), steps, rng.seed, *sorted(options.items()))
    if key not in _KEPT:
        name = _name(model)
        state = training.start(model, Stream(rng.seed, "trained", name))
        for _ in training.fit(model, law, state, steps, **options):
            if state.step % max(1, steps // 100) == 0 or state.step == steps:
                say(f"training {name}", state.step, steps)
        _KEPT[key] = (state.ema, law)  # the law too, so that its id is nobody else's
    return _KEPT[key][0]


def _name(model: Any) -> str:
    """That of the registry, or for what only experiments train, that of its class."""
    try:
        return models.name_of(model)
    except ValueError:
        return type(model).__name__
