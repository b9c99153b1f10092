r"""DPM-Solver++: the probability-flow ODE by steps that remember what the denoiser said before.   [SDE-12]

What is integrated is x_0 along the step: a constant (order 1, DDIM), or the line (2M) or the parabola (3M)
through this prediction and the last ones, in half the log-SNR. So any order costs one call a level. The first
steps have less to remember and are of lower order, which costs little where there is no signal yet; the last,
to clean data, returns x_0(x_1).

The levels should be nearly even in log-SNR. A step several times as long as the last looks far beyond what is
remembered: even in time, ten steps of 3M go further astray than DDIM's.
Source: Lu et al. 2022 (DPM-Solver++), algorithm 2.
"""

from __future__ import annotations

from typing import Any

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.ddim import ddim_mean
from refgen.formulas.solvers import multistep_2, multistep_3
from refgen.samplers.dpm_solver import check_order
from refgen.samplers.langevin import Levels
from refgen.samplers.steps import walk

__all__ = ["dpm_multistep"]

Array = Any


def dpm_multistep(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    order: int = 2,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from the noise x_T, (n, d), in T steps; T calls of the denoiser.

    denoiser: asked for x_0 at each level. x_T: from N(0, std_T^2 I). rng: not used, there is no noise. order:
    1, 2 or 3. trajectory: a dict whose keys are the levels to keep; its values become x_k. Raises ValueError
    for another order and a kept level that is not there.
    """
    check_order(order)
    said: list[Array] = []  # the last predictions of x_0, the newest first, and the levels that they are for
    at: list[tuple[float, float]] = []

    def step(x: Array, k: int) -> Array:
        level_t, level_s = levels.level(k), levels.level(k - 1)
        said[:], at[:] = [denoiser.x_0(x, *level_t), *said][:order], [level_t, *at][:order]
        if len(said) == 1:
            return ddim_mean(x, said[0], level_t, level_s)
        if len(said) == 2:
            return multistep_2(x, said[0], said[1], at[1], level_t, level_s)
        return multistep_3(x, said[0], said[1], said[2], at[2], at[1], level_t, level_s)

    return walk(denoiser, levels, x_T, trajectory, step)
