"""How each sampler is driven by `sample` and `evaluate`: a row a sampler.

What stands nowhere here is as the sampler's function has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from refgen.commands.levels import few_like, respaced

__all__ = ["WAYS", "Way", "needs_density"]


@dataclass(frozen=True)
class Way:
    """How a sampler is driven.

    fits: whether a model's levels and a denoiser will do. calls: of the denoiser, by the number of levels and
    the sampler's arguments. options: of the command, and which argument each is; "" for one that names
    levels. usual: arguments, where they are not the sampler's own. of_model: arguments that a model may have
    as an attribute. levels: chooses them; None for one level. steps: how many, where that is not told, 0 for
    all. spacing: the usual one. grid: whether they must be of a process in continuous time. data: whether it
    wants points of the data.
    """

    fits: Callable[[Any, Any], bool]
    calls: Callable[[int, Mapping[str, Any]], int]
    options: Mapping[str, str] = field(default_factory=dict)
    usual: Mapping[str, Any] = field(default_factory=dict)
    of_model: Mapping[str, str] = field(default_factory=dict)
    levels: Callable[..., tuple[Any, str]] | None = respaced
    steps: int = 0
    spacing: str = "model"
    grid: bool = False
    data: bool = False


def _chain(levels: Any, denoiser: Any) -> bool:
    return hasattr(levels, "alpha_bar")


def _score(levels: Any, denoiser: Any) -> bool:
    return True


def _many(levels: Any, denoiser: Any) -> bool:
    return levels.T > 1


def needs_density(levels: Any, denoiser: Any) -> bool:
    return denoiser.has_density


FLOW_CALLS = {"euler": (1, 0), "heun": (2, 1), "rk4": (4, 3), "rk45": (12, 0)}  # the last only about
SPACED = {"spacing": ""}
ONE = {"step": "step", "level": "", "std": ""}
WALK: dict[str, Any] = {"options": ONE, "usual": {"step": 0.5, "steps": 1000}, "levels": None}

WAYS = {
    "ancestral": Way(_chain, lambda T, told: T),
    "ddim": Way(_many, lambda T, told: T, {"eta": "eta"} | SPACED, steps=50),
    "dpm_solver": Way(
        _many,
        lambda T, told: told["order"] * (T - 1) + 1,
        {"order": "order"} | SPACED,
        steps=20,
        spacing="log_snr",
    ),
    "dpm_multistep": Way(_many, lambda T, told: T, {"order": "order"} | SPACED, steps=20, spacing="log_snr"),
    "analytic": Way(_many, lambda T, told: 2 * T, SPACED, steps=50, data=True),
    "annealed_langevin": Way(
        _many,
        lambda T, told: T * told["steps"] + 1,
        {"step": "step", "per_level": "steps"},
        usual={"step": 0.1, "steps": 50},
        of_model={"step": "langevin_step", "steps": "per_level"},
        levels=few_like,
    ),
    "euler_maruyama": Way(_many, lambda T, told: T, SPACED),
    "predictor_corrector": Way(
        _many,
        lambda T, told: (T - 1) * (told["steps"] + 1) + 1,
        {"step": "step", "per_level": "steps", "snr": "snr"} | SPACED,
    ),
    "probability_flow": Way(
        _many,
        lambda T, told: FLOW_CALLS[told["method"]][0] * T - FLOW_CALLS[told["method"]][1],
        {"method": "method"} | SPACED,
        steps=50,
        spacing="log_snr",
        grid=True,
    ),
    "edm": Way(_many, lambda T, told: 2 * T - 1, {"churn": "churn"} | SPACED, steps=20, spacing="edm"),
    "langevin": Way(_score, lambda T, told: told["steps"] + told["denoise"], **WALK),
    "underdamped": Way(_score, lambda T, told: told["steps"] + told["denoise"], **WALK),
    "mala": Way(needs_density, lambda T, told: told["steps"] + 1 + told["denoise"], **WALK),
    "smc": Way(
        needs_density,
        lambda T, told: told["steps"] * (told["per_stage"] + 2) + told["denoise"],
        ONE | {"per_level": "per_stage"},
        levels=None,
    ),
}
