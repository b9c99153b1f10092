"""Samplers: one function a file, (denoiser, levels, x_T, rng) -> x_0. The register of their names."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["NAMES", "describe", "named", "needs"]

# Each name is the file and the function in it.
_DESCRIPTIONS = {
    "ancestral": "the reverse chain of DDPM, T stochastic steps (Ho et al. 2020, Algorithm 2)",
    "ddim": "from level to level with no fresh noise, or with some (Song, Meng & Ermon 2021)",
    "dpm_solver": "the flow by single steps of order 1, 2 or 3 (Lu et al. 2022, DPM-Solver)",
    "dpm_multistep": "the flow by steps with a memory: 2M and 3M (Lu et al. 2022, DPM-Solver++)",
    "analytic": "ancestral with the best variances, from data (Bao et al. 2022, Analytic-DPM)",
    "euler_maruyama": "the reverse SDE by stochastic steps of Euler and Maruyama (Song et al. 2021)",
    "predictor_corrector": "such a step, then Langevin steps at each level (Song et al. 2021)",
    "probability_flow": "the flow in time, by Euler, Heun, RK4 or RK45 (Song et al. 2021)",
    "edm": "the flow by Heun's steps in the noise, with churn or none (Karras et al. 2022)",
    "annealed_langevin": "Langevin steps at each level, noisiest first (Song & Ermon 2019, Algorithm 1)",
    "langevin": "Langevin steps at one level, from its score alone (Parisi 1981)",
    "underdamped": "Langevin steps with a velocity, for a wide law (Leimkuhler & Matthews 2013)",
    "mala": "Langevin steps with Metropolis' test: no bias (Roberts & Tweedie 1996)",
    "smc": "from a broad Gaussian in stages: finds modes' weights (Del Moral et al. 2006)",
}
NAMES = tuple(_DESCRIPTIONS)

_NEEDS = {
    "ancestral": "the chain of a ddpm",
    "ddim": "scores at many levels",
    "dpm_solver": "scores at any level",
    "dpm_multistep": "scores at many levels",
    "analytic": "scores at many levels, and data",
    "euler_maruyama": "scores at many levels",
    "predictor_corrector": "scores at many levels",
    "probability_flow": "scores at any level, a process",
    "edm": "scores at any level",
    "annealed_langevin": "scores at many levels",
    "langevin": "a score at one level",
    "underdamped": "a score at one level",
    "mala": "a score and a density",
    "smc": "a score and a density",
}


def describe(name: str) -> str:
    """One line about the sampler of that name, without importing it."""
    if name not in _DESCRIPTIONS:
        near = difflib.get_close_matches(str(name), NAMES, cutoff=0.4) or NAMES
        raise ValueError(f"no sampler {name!r}; did you mean {' or '.join(near)}?")
    return _DESCRIPTIONS[name]


def needs(name: str) -> str:
    """What the sampler of that name asks for, in a few words. Raises ValueError as `describe`."""
    describe(name)
    return _NEEDS[name]


def named(name: str) -> Callable[..., Any]:
    """The sampler of that name. Raises ValueError, with the near names, where there is none."""
    describe(name)
    return getattr(import_module(f"refgen.samplers.{name}"), name)
