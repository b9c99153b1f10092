r"""DDIM: from level to level with as much fresh noise as one likes, none by default.         [SDE-12]

For k = T, ..., 2, with sigma^2 = eta^2 times the variance of q(x_s | x_t, x_0) and s = k - 1:

.. math:: x_s=\mathrm{signal}_s\,\hat x_0+\sqrt{\mathrm{std}_s^2-\sigma^2}\,\hat\epsilon+\sigma z

The last step returns x_0(x_1), which is what the line says for std_s = 0. With eta = 0 the points move along
the probability-flow ODE, an error of order 1; with eta = 1 it is the ancestral sampler of DDPM. Any levels
do, so any sub-grid of a schedule: a step knows its two levels and no time.
Source: Song, Meng & Ermon 2021, eq. 12.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.ddim import ddim_mean, ddim_var
from refgen.formulas.elementary import sqrt
from refgen.samplers.langevin import Levels
from refgen.samplers.steps import noises, require_levels, walk

__all__ = ["ddim"]

Array = Any


def ddim(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    eta: float = 0.0,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from the noise x_T, (n, d), in T steps; T calls of the denoiser.

    denoiser: asked for x_0 at each level (see `respaced` for fewer). x_T: from N(0, std_T^2 I). rng: gives
    the noise, in x_T's dtype and where x_T is, as the result will be; asked for none where eta is 0. eta: in
    [0, 1], the share of the ancestral sampler's noise. trajectory: a dict whose keys are the levels to keep;
    its values become x_k. Raises ValueError for another eta and a kept level that is not there.
    """
    if not (isinstance(eta, Real) and 0 <= eta <= 1):
        raise ValueError(f"eta is {eta!r}; it must lie in [0, 1], from no fresh noise to that of DDPM")
    require_levels(levels)
    noise = noises(rng, x_T, levels.T - 1)

    def step(x: Array, k: int) -> Array:
        level_t, level_s = levels.level(k), levels.level(k - 1)
        mean = ddim_mean(x, denoiser.x_0(x, *level_t), level_t, level_s, float(eta))
        if eta == 0:
            return mean
        return mean + sqrt(ddim_var(level_t, level_s, float(eta))) * next(noise)

    return walk(denoiser, levels, x_T, trajectory, step)
