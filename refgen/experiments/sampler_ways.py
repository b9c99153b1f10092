"""Samplers with the levels that their papers give them, by name, for experiments that compare them.

The data are a ring of eight Gaussians, the levels DDPM's, linear in beta, and their continuation in time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.distributions import named
from refgen.processes import EDM, Levels, through
from refgen.samplers.analytic import analytic
from refgen.samplers.ancestral import ancestral
from refgen.samplers.ddim import ddim
from refgen.samplers.dpm_multistep import dpm_multistep
from refgen.samplers.dpm_solver import dpm_solver
from refgen.samplers.edm import edm
from refgen.samplers.euler_maruyama import euler_maruyama
from refgen.samplers.predictor_corrector import predictor_corrector
from refgen.samplers.probability_flow import probability_flow
from refgen.schedules import linear

__all__ = [
    "COLOURS",
    "FLOW",
    "LARGE",
    "LAW",
    "LEVELS",
    "MARKERS",
    "NOISY",
    "PATHS",
    "SLOW",
    "SMOOTH",
    "WAYS",
    "Way",
]

LAW = named("ring").standardised()[0]
LEVELS = linear(1000)
FLOW = through(LEVELS)
WIDE = EDM(0.01, 80.0)  # down to the noise of LEVELS' first step
DATA_POINTS = 10_000  # for the variances of Analytic-DPM


class Way(NamedTuple):
    """A sampler and its levels. levels: for at most so many calls. sample: (denoiser, levels, x_T, rng) ->
    x_0. ahead: whether it asks the denoiser once a level before it draws any point.
    """

    levels: Callable[[int], Levels]
    sample: Callable[..., Any]
    ahead: bool = False


def _respaced(nfe: int) -> Levels:
    return LEVELS.respaced(nfe)


def _even(nfe: int) -> Levels:
    return FLOW.grid(nfe, "time")


def _in_log_snr(nfe: int) -> Levels:
    return FLOW.grid(nfe)


def _half(levels: Callable[[int], Levels]) -> Callable[[int], Levels]:
    """For samplers with two calls a step, and one at the end."""
    return lambda nfe: levels((nfe + 1) // 2)


def _analytic(denoiser: Denoiser, levels: Levels, x_T: Any, rng: Stream) -> Any:
    data = LAW.sample(rng.spawn("data"), DATA_POINTS).astype(x_T.dtype)
    return analytic(denoiser, levels, x_T, rng, x_0=data)


SLOW, LARGE = "DDPM, variance beta~", "DDPM, variance beta"
NOISY = {
    SLOW: Way(_respaced, ancestral),
    LARGE: Way(_respaced, partial(ancestral, variance="large")),
    "Analytic-DPM": Way(_respaced, _analytic, ahead=True),
    "Euler-Maruyama": Way(_even, euler_maruyama),
    "predictor-corrector": Way(_half(_even), predictor_corrector),
}
SMOOTH = {
    "DDIM": Way(_respaced, ddim),
    "DPM-Solver-2": Way(_half(_in_log_snr), dpm_solver),
    "DPM-Solver++ 2M": Way(_in_log_snr, dpm_multistep),
    "DPM-Solver++ 3M": Way(_in_log_snr, partial(dpm_multistep, order=3)),
    "flow in time, Heun": Way(_half(_even), probability_flow),
    "EDM, Heun": Way(_half(lambda steps: WIDE.grid(steps, "edm")), edm),
}
WAYS = NOISY | SMOOTH
PATHS = {
    "DDIM": SMOOTH["DDIM"],
    "DDIM, levels of DPM-Solver": Way(_in_log_snr, ddim),
    "DPM-Solver-2": SMOOTH["DPM-Solver-2"],
    "DPM-Solver++ 2M": SMOOTH["DPM-Solver++ 2M"],
    "DPM-Solver++ 3M": SMOOTH["DPM-Solver++ 3M"],
    "flow in time, Heun": SMOOTH["flow in time, Heun"],
}
# Colours and marks that tell samplers apart for all eyes; DDPM's two are a pair.
_LOOKS = {
    SLOW: (plots.INK, "o"),
    LARGE: (plots.INK, "s"),
    "Analytic-DPM": ("#009E73", "^"),
    "Euler-Maruyama": ("#CC79A7", "D"),
    "predictor-corrector": ("#8c6d00", "v"),
    "DDIM": (plots.EXACT, "o"),
    "DDIM, levels of DPM-Solver": (plots.EXACT, "s"),
    "DPM-Solver-2": ("#CC79A7", "D"),
    "DPM-Solver++ 2M": ("#E69F00", "^"),
    "DPM-Solver++ 3M": (plots.LEARNED, "v"),
    "flow in time, Heun": ("#56B4E9", "P"),
    "EDM, Heun": (plots.INK, "X"),
}
COLOURS, MARKERS = ({name: look[i] for name, look in _LOOKS.items()} for i in range(2))
