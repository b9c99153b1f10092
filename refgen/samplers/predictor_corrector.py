r"""A predictor and a corrector: a step of the reverse SDE, then Langevin steps at the level reached.  [SDE-7]

For k = T, ..., 2, the first line once and the second M times:

.. math:: x&\leftarrow x-\big[f\,x-g^2s_\theta(x,k)\big]\Delta t+\sqrt{g^2\Delta t}\;z\\
          x&\leftarrow x+c\,s_\theta(x,k-1)+\sqrt{2c}\;z

The corrector leaves the law of its level as it is, for small c, so it takes off what the predictor did wrong.
c is c_k = step std^2, or such that drift and noise have the ratio snr. Source: Song et al. 2021, app. G.
"""

from __future__ import annotations

import math
from typing import Any

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.annealed import annealed_step
from refgen.formulas.corrector import snr_step
from refgen.formulas.langevin import ula_step
from refgen.processes import Levels
from refgen.samplers.euler_maruyama import reverse_sde_step
from refgen.samplers.langevin import check_steps
from refgen.samplers.steps import noises, require_levels, walk

__all__ = ["predictor_corrector"]

Array = Any


def predictor_corrector(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    steps: int = 1,
    snr: float = 0.16,
    step: float | None = None,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from x_T, (n, d), drawn from N(0, std_T^2 I).

    Costs (T - 1)(steps + 1) + 1 calls of the denoiser. denoiser: asked for its score, at level 1 for x_0,
    where the chain ends. levels: a Grid, a Schedule or a Ladder. rng: gives the noise, in x_T's dtype and
    where x_T is, as the result will be. steps: M >= 1 of the corrector at each level below T. snr: r > 0, see
    `corrector.snr_step`; all points share the step, at most std^2, with which few points or a small score do
    no harm. step: c in units of the level's noise variance, in (0, 2), in place of snr. trajectory: a dict
    whose keys are the levels to keep; its values become x at the end of the level, or x_0 at 0. Raises
    ValueError for steps that are none, a snr or a step out of range, and a kept level that is not there.
    """
    require_levels(levels)
    check_steps(1.0 if step is None else step, steps)
    if not 0 < snr < math.inf:
        raise ValueError(f"snr is {snr}; it must be a finite number > 0")
    if step is None and len(x_T) == 0:
        step = 1.0  # no lengths to take a mean of, and nothing to move
    noise = noises(rng, x_T, (levels.T - 1) * (steps + 1))

    def predict_and_correct(x: Array, k: int) -> Array:
        x = reverse_sde_step(denoiser, levels, x, next(noise), k)
        signal, std = levels.level(k - 1)
        for _ in range(steps):
            score, z = denoiser.score(x, signal, std), next(noise)
            size = snr_step(score, z, snr, std**2) if step is None else annealed_step(step, std, 1.0)
            x = ula_step(x, score, z, size)
        return x

    return walk(denoiser, levels, x_T, trajectory, predict_and_correct)
