r"""Underdamped Langevin dynamics at one level of noise: points with a velocity.               [LAN-1, LAN-5]

.. math:: \ddot X=\nabla\log q_t(X)-\gamma\dot X+\sqrt{2\gamma}\,R

of which each step is split into a kick, two half drifts, and friction with noise between them (Leimkuhler &
Matthews 2013). With little friction a point keeps its direction, so a wide law is crossed in far fewer steps
than by `langevin`, and on a Gaussian the points that it settles in are not too wide. Under strong friction
it moves as `langevin` does, but each noise is shared by two steps, which keeps a Gaussian's width. Modes
that are well apart stay apart here, too.
"""

from __future__ import annotations

import math
from typing import Any

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.annealed import annealed_step
from refgen.formulas.langevin import underdamped_step
from refgen.samplers.langevin import Levels, check_level, check_steps
from refgen.samplers.steps import kept_times, noises

__all__ = ["underdamped"]

Array = Any


def underdamped(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    t: int = 1,
    step: float = 0.1,
    steps: int = 100,
    friction: float = 2.0,
    denoise: bool = True,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from x_T, (n, d), any points, in so many steps at level t; a call of the denoiser each.

    denoiser, rng, denoise, trajectory: as for `langevin`. The velocities are at first standard normal. step:
    c in units of the level's noise variance, in (0, 2), of time steps sqrt(2 c): then under strong friction
    the mean moves as by `langevin` with the step c. friction: gamma > 0 in units of
    1 / sqrt(signal^2 + std^2): at 2 a law that wide, as that of standardised data is, is approached fastest.
    Raises ValueError as `langevin`, and
    for a friction that is not > 0.
    """
    check_level(levels, t)
    check_steps(step, steps)
    if not 0 < friction < math.inf:
        raise ValueError(f"friction is {friction}; it must be a finite number > 0")
    kept = kept_times(trajectory, steps)
    signal, std = levels.level(t)
    dt = math.sqrt(2 * annealed_step(step, std, 1.0))
    rate = friction / math.hypot(signal, std)
    noise = noises(rng, x_T, steps + 1)
    x, velocity = x_T, next(noise)
    for left in range(steps, 0, -1):
        if left in kept:
            kept[left] = x
        x, velocity = underdamped_step(
            x, velocity, denoiser.score(x, signal, std), next(noise), dt, 1.0, rate, 1.0
        )
    x = denoiser.x_0(x, signal, std) if denoise else x
    if 0 in kept:
        kept[0] = x
    return x
