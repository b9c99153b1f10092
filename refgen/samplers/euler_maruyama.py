r"""The reverse SDE by the method of Euler and Maruyama.                               [SDE-4, SDE-8]

.. math:: x_{k-1}=x_k-\big[f\,x_k-g^2\,s_\theta(x_k)\big]\Delta t+\sqrt{g^2\Delta t}\;z,\qquad
          z\sim\mathcal N(0,I)

with f and g at level k. On DDPM's schedule f dt is -beta_k / 2 and g^2 dt is beta_k: that is ancestral
sampling up to terms in beta^2. On a ladder g^2 dt is the variance that lies between two levels. The moments
are right to first order in the step. Source: Song et al. 2021, app. E and F.
"""

from __future__ import annotations

from typing import Any

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.sde import euler_maruyama_step, reverse_drift
from refgen.processes import Levels, increments
from refgen.samplers.steps import noises, require_levels, walk

__all__ = ["euler_maruyama", "reverse_sde_step"]

Array = Any


def reverse_sde_step(denoiser: Denoiser, levels: Levels, x: Array, z: Array, k: int) -> Array:
    """From level k to level k - 1, (n, d); k >= 2. z: standard normal, (n, d). One call of the denoiser."""
    drift, variance = increments(levels, k)
    change = reverse_drift(x, denoiser.score(x, *levels.level(k)), drift, variance)
    return euler_maruyama_step(x, change, variance, -1.0, z)


def euler_maruyama(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from x_T, (n, d), drawn from N(0, std_T^2 I), in T steps; T calls of the denoiser.

    denoiser: asked for its score, at level 1 for x_0, where the chain ends. levels: a Grid, a Schedule or a
    Ladder. rng: gives the noise, in x_T's dtype and where x_T is, as the result will be. trajectory: a dict
    whose keys are the levels to keep; its values become x there, or x_0 at 0. Raises ValueError for a kept
    level that is not there.
    """
    require_levels(levels)
    noise = noises(rng, x_T, levels.T - 1)

    def step(x: Array, k: int) -> Array:
        return reverse_sde_step(denoiser, levels, x, next(noise), k)

    return walk(denoiser, levels, x_T, trajectory, step)
