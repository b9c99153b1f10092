r"""Noise in continuous time, and grids of levels on it.                                  [SDE-1]

x_t = signal(t) x_0 + std(t) eps is the law of dx = f(t) x dt + g(t) dw. A `Process` knows signal, std, f and
g^2 at every time; a `Grid` is T of its times, to be used as a `Schedule` or a `Ladder` is.
"""

from __future__ import annotations

import difflib
import inspect

from refgen.formulas import annealed, process
from refgen.ladders import Ladder
from refgen.processes.base import SPACINGS, Grid, Process
from refgen.processes.kinds import EDM, VE, VP, Cosine, Straight, SubVP
from refgen.processes.through import Through, through
from refgen.schedules import Schedule

__all__ = [
    "EDM",
    "NAMES",
    "SPACINGS",
    "VE",
    "VP",
    "Cosine",
    "Grid",
    "Levels",
    "Process",
    "Straight",
    "SubVP",
    "Through",
    "coefficients",
    "increments",
    "named",
    "through",
]

Levels = Grid | Schedule | Ladder


def coefficients(process: Process, t: float) -> tuple[float, float]:
    """(f, g^2) at a time: of what SDE signal(t) x_0 + std(t) eps is the law.                       [SDE-1]"""
    return process.drift(t), process.diffusion_var(t)


def increments(levels: Levels, k: int) -> tuple[float, float]:
    """(f dt, g^2 dt) of the step between levels k - 1 and k, as Python floats: what an Euler step needs.

    Of a grid, f and g^2 at level k; of a schedule, -beta_k / 2 and beta_k [SDE-2]; of a ladder, 0 and the
    variance that is added [SDE-3]. Raises ValueError unless 2 <= k <= T: the step to clean data has no noise
    below it.
    """
    if not 2 <= k <= levels.T:
        raise ValueError(f"k is {k}; it must lie in 2..{levels.T}, a step between two noisy levels")
    if isinstance(levels, Schedule):
        beta = float(levels.beta[k])
        return process.vp_drift(beta), beta
    if isinstance(levels, Ladder):
        return 0.0, annealed.ve_step_var(float(levels.std[k]), float(levels.std[k - 1]))
    t, s = levels.time(k), levels.time(k - 1)
    return levels.process.drift(t) * (t - s), levels.process.diffusion_var(t) * (t - s)


_KINDS: dict[str, type[Process]] = {kind.name: kind for kind in (VE, VP, SubVP, Cosine, EDM, Straight)}
NAMES = tuple(_KINDS)


def named(name: str, **parameters: float) -> Process:
    """The process of that name. Raises ValueError, with the near names, where there is none, and for a
    parameter that it has not."""
    if name not in _KINDS:
        near = difflib.get_close_matches(str(name), NAMES, cutoff=0.4) or NAMES
        raise ValueError(f"no process {name!r}; did you mean {' or '.join(near)}?")
    known = list(inspect.signature(_KINDS[name]).parameters)
    for parameter in parameters:
        if parameter not in known:
            raise ValueError(
                f"process {name} has no {parameter}; it has {', '.join(known) or 'no parameters'}"
            )
    return _KINDS[name](**parameters)
