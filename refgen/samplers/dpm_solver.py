r"""DPM-Solver: the probability-flow ODE by single steps of order 1, 2 or 3 in half the log-SNR.   [SDE-12]

The linear part of the ODE is solved exactly. What is left is the noise along the step, a constant (order 1,
which is DDIM), its value halfway (order 2), or a line through values at two points (order 3). Between the
levels the denoiser is asked at levels of its own, at 1/2, or at 1/3 and 2/3 of the step in log-SNR. The last
step, to clean data, has no log-SNR to go to: it returns x_0(x_1). Source: Lu et al. 2022 (DPM-Solver).

An error of the noise grows by e^h in a step of h. So two steps from all noise to the data end far astray with
orders 2 and 3; below some twenty calls `dpm_multistep`, which knows x_0, is the better choice.
"""

from __future__ import annotations

from typing import Any

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.ddim import Level
from refgen.formulas.solvers import level_between, noise_step, noise_step_linear
from refgen.samplers.langevin import Levels
from refgen.samplers.steps import walk

__all__ = ["check_order", "dpm_solver"]

Array = Any


def check_order(order: int) -> None:
    """Raise ValueError unless there is a solver of that order."""
    if isinstance(order, bool) or not isinstance(order, int) or order not in (1, 2, 3):
        raise ValueError(f"order is {order!r}; it must be 1, 2 or 3")


def dpm_solver(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    order: int = 2,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from the noise x_T, (n, d), in T steps; order (T - 1) + 1 calls of the denoiser.

    denoiser: asked for eps at the levels and between them, at the end for x_0. x_T: from N(0, std_T^2 I).
    rng: not used, there is no noise. order: 1, 2 or 3. trajectory: a dict whose keys are the levels to keep;
    its values become x_k. Raises ValueError for another order and a kept level that is not there.
    """
    check_order(order)

    def step(x: Array, k: int) -> Array:
        return _step(denoiser, x, levels.level(k), levels.level(k - 1), order)

    return walk(denoiser, levels, x_T, trajectory, step)


def _step(denoiser: Denoiser, x: Array, level_t: Level, level_s: Level, order: int) -> Array:
    eps = denoiser.eps(x, *level_t)
    if order == 1:
        return noise_step(x, eps, level_t, level_s)
    if order == 2:
        middle = level_between(level_t, level_s, 1 / 2)
        halfway = denoiser.eps(noise_step(x, eps, level_t, middle), *middle)
        return noise_step(x, halfway, level_t, level_s)
    third, two_thirds = (level_between(level_t, level_s, share) for share in (1 / 3, 2 / 3))
    early = denoiser.eps(noise_step(x, eps, level_t, third), *third)
    late = denoiser.eps(noise_step_linear(x, eps, early, 1 / 2, level_t, two_thirds), *two_thirds)
    return noise_step_linear(x, eps, late, 2 / 3, level_t, level_s)
