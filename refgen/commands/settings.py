"""What `refgen train MODEL` would understand: options of one model among many, as `--set` names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import click

from refgen.commands.data import OF_DATA
from refgen.commands.runs import train
from refgen.commands.shared import did_you_mean

__all__ = ["FREE", "own_options", "parsed", "settings_of"]

# What may be set for one model, besides its hyper-parameters; the rest of `refgen train` is the same for all.
FREE = ("lr", "ema", "cool")


def settings_of(settings: Sequence[str], chosen: Sequence[str]) -> dict[str, list[str]]:
    """What each model is given on the command line of `refgen train`."""
    given: dict[str, list[str]] = {model: [] for model in chosen}
    for text in settings:
        target, equals, value = text.partition("=")
        model, dot, option = target.partition(".")
        if not equals or not dot:
            raise ValueError(f"--set is {text!r}; it must be MODEL.OPTION=VALUE, as ebm.objective=nce")
        if model not in chosen:
            raise ValueError(f"--set {text}: {model!r} is not compared; there are {', '.join(chosen)}")
        params = {param.name: param for param in _command(model).params}
        own = [name for name in own_options(model) if name in params] + list(FREE)
        if option not in own:
            near = did_you_mean(option, own) or f"; it has {', '.join(own)}"
            raise ValueError(f"--set {text}: {model} has no option {option!r} to set{near}")
        param: Any = params[option]
        if param.is_flag:
            words = [param.secondary_opts[0] if no else param.opts[0] for no in (False, True)]
            if value not in ("true", "false"):
                raise ValueError(f"--set {text}: {option} is {value!r}; it must be true or false")
            given[model] += [words[value == "false"]]
        else:
            given[model] += [param.opts[0], value]
            parsed(model, ["--data", "moons", param.opts[0], value], f"--set {text}: ")
    return given


def own_options(model: str) -> list[str]:
    from refgen.models import model_class

    return [field.name for field in fields(model_class(model)) if field.name not in OF_DATA]


def _command(model: str) -> click.Command:
    found = train.get_command(click.Context(train), model)
    assert found is not None
    return found


def parsed(model: str, args: list[str], where: str = "") -> dict[str, Any]:
    """What `refgen train MODEL` understands by these arguments. Raises ValueError for what it refuses."""
    try:
        return dict(_command(model).make_context(model, list(args)).params)
    except click.UsageError as error:
        raise ValueError(f"{where}{error.format_message()}") from None
