"""The models, by name. A model's file is imported when it is asked for."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import fields
from typing import Any

__all__ = ["NAMES", "model_class", "name_of", "named"]

_WHERE = {
    "ddpm": ("refgen.models.ddpm", "DDPM"),
    "ncsn": ("refgen.models.ncsn", "NCSN"),
    "score_sde": ("refgen.models.score_sde", "ScoreSDE"),
    "edm": ("refgen.models.edm", "EDM"),
    "vdm": ("refgen.models.vdm", "VDM"),
    "flow_matching": ("refgen.models.flow_matching", "FlowMatching"),
    "ebm": ("refgen.models.ebm", "EBM"),
    "score_net": ("refgen.models.score_net", "ScoreNet"),
    "gan": ("refgen.models.gan", "GAN"),
    "autoregressive": ("refgen.models.autoregressive", "Autoregressive"),
    "vae": ("refgen.models.vae", "VAE"),
    "mhvae": ("refgen.models.mhvae", "MHVAE"),
    "hvae": ("refgen.models.hvae", "HVAE"),
    "planar": ("refgen.models.planar", "Planar"),
    "realnvp": ("refgen.models.realnvp", "RealNVP"),
    "spline": ("refgen.models.spline_flow", "SplineFlow"),
    "cnf": ("refgen.models.cnf", "CNF"),
    "conditional_ddpm": ("refgen.models.conditional_ddpm", "ConditionalDDPM"),
}

NAMES = tuple(_WHERE)


def model_class(name: str) -> Any:
    """The class of that name. Raises ValueError, with the near names, where there is none."""
    if name not in _WHERE:
        near = difflib.get_close_matches(str(name), NAMES, cutoff=0.4) or NAMES
        raise ValueError(f"no model {name!r}; did you mean {' or '.join(near)}?")
    module, attribute = _WHERE[name]
    return getattr(importlib.import_module(module), attribute)


def named(name: str, **options: Any) -> Any:
    """The model of that name with these hyper-parameters. Raises ValueError for a name or option there is
    not."""
    kind = model_class(name)
    known = [field.name for field in fields(kind)]
    for option in options:
        if option not in known:
            raise ValueError(f"model {name} has no option {option!r}; it has {', '.join(known)}")
    return kind(**options)


def name_of(model: Any) -> str:
    """The name under which `named` makes this kind of model. Raises ValueError for any other object."""
    kind = type(model)
    for name, where in _WHERE.items():
        if where == (kind.__module__, kind.__qualname__):
            return name
    raise ValueError(f"model is a {kind.__qualname__}; it must be one of {', '.join(NAMES)}")
