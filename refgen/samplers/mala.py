r"""Langevin dynamics with Metropolis' test: no bias, where the density is known.                 [LAN-4]

.. math:: x'=x_i+c\,\nabla\log q_t(x_i)+\sqrt{2c}\,z_i,\qquad x_{i+1}=x'\ \text{with probability}\
          \min\Big(1,\frac{q_t(x')\,q(x_i\mid x')}{q_t(x_i)\,q(x'\mid x_i)}\Big),\ \text{else}\ x_i

A long step only costs proposals that are refused. The weights of modes that are well apart stay those of the
start, as without the test. Source: Roberts & Tweedie 1996.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.annealed import annealed_step
from refgen.formulas.langevin import mala_log_accept, ula_step
from refgen.samplers.langevin import Levels, check_level
from refgen.samplers.steps import kept_times, noises, require_count

__all__ = ["adjusted", "mala"]

Array = Any


def mala(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    t: int = 1,
    step: float = 0.5,
    steps: int = 100,
    denoise: bool = True,
    trajectory: dict[int, Array] | None = None,
    shares: list[Array] | None = None,
) -> Array:
    """x_0, (n, d), from x_T, (n, d), any points, in so many steps at level t.

    denoiser: asked for its log_prob and its score together, steps + 1 times. rng: gives the noise, in x_T's
    dtype and where x_T is, as the result will be. step: c in units of the level's noise variance, > 0; good
    ones accept half to three quarters. denoise, trajectory: as for `langevin`. shares: a list, to which the
    share of accepted proposals is added, an array of no axes. Raises ValueError where the denoiser has no
    density, and as `langevin`.
    """
    check_level(levels, t)
    signal, std = levels.level(t)
    kept = kept_times(trajectory, steps)
    x, share = adjusted(
        lambda x: denoiser.log_prob_and_score(x, signal, std),
        x_T,
        rng,
        annealed_step(step, std, 1.0),
        steps,
        kept,
    )
    if shares is not None:
        shares.append(share)
    x = denoiser.x_0(x, signal, std) if denoise else x
    if 0 in kept:
        kept[0] = x
    return x


def adjusted(
    density: Callable[[Array], tuple[Array, Array]],
    x: Array,
    rng: Stream,
    step: float,
    steps: int,
    trajectory: dict[int, Array] | None = None,
) -> tuple[Array, Array]:
    """Points (n, d) after so many Metropolis-adjusted steps from x, and the share accepted.       [LAN-4]

    density: (n, d) -> the log-density there up to a constant, (n,), and its gradient, (n, d); asked steps + 1
    times. step: c > 0. No bias: where x comes from the law, so does the result, at any step. The share is an
    array of no axes. trajectory: as for `langevin`. Raises ValueError for a step that is not > 0 and steps
    that are none.
    """
    if not 0 < step < math.inf:
        raise ValueError(f"step is {step}; it must be a finite number > 0")
    require_count("steps", steps)
    kept = kept_times(trajectory, steps)
    (log_p, s), accepted = density(x), 0.0
    for left, z in zip(range(steps, 0, -1), noises(rng, x, steps), strict=True):
        if left in kept:
            kept[left] = x
        x_new = ula_step(x, s, z, step)
        log_p_new, s_new = density(x_new)
        log_u = np.log(1 - rng.uniform(x.shape[0], dtype=x.dtype))  # (0, 1], since 0 has no logarithm
        moves = log_u <= mala_log_accept(x, x_new, log_p, log_p_new, s, s_new, step)
        x, s = np.where(moves[:, None], x_new, x), np.where(moves[:, None], s_new, s)
        log_p = np.where(moves, log_p_new, log_p)
        accepted = accepted + np.mean(moves) / steps
    if 0 in kept:
        kept[0] = x
    return x, accepted
