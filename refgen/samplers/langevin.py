r"""Langevin dynamics at one level of noise, from its score alone.                    [LAN-2, LAN-6]

.. math:: x_{i+1} = x_i + c\,\nabla\log q_t(x_i) + \sqrt{2c}\,z_i,\qquad z_i\sim\mathcal N(0, I)

The chain does not notice when it has arrived; it settles in a law that is too wide by a share of c, and the
weights of modes that are well apart stay those of the start. `adjusted` mends the first with a density.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.annealed import annealed_step
from refgen.formulas.langevin import mala_log_accept, ula_step
from refgen.samplers.steps import noises

__all__ = ["Levels", "adjusted", "check_steps", "langevin"]

Array = Any


class Levels(Protocol):
    """Levels of noise 1..T, such as a Schedule."""

    @property
    def T(self) -> int: ...

    def level(self, t: int) -> tuple[float, float]: ...


def check_steps(step: float, steps: int) -> None:
    """Raise ValueError unless a step and a number of them make sense."""
    if not 0 < step < 2:
        raise ValueError(f"step is {step}; it must lie in (0, 2), or the chain flies apart")
    if steps < 1:
        raise ValueError(f"steps is {steps}; there must be at least 1")


def langevin(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    t: int = 1,
    step: float = 0.1,
    steps: int = 100,
    denoise: bool = True,
) -> Array:
    """x_0, (n, d), from x_T, (n, d), any points, in so many steps at level t; a call of the denoiser each.

    denoiser: asked for its score. rng: gives the noise, in x_T's dtype and where x_T is, as the result will
    be. step: c in units of the level's noise variance, in (0, 2). denoise: end with the mean of x_0 given the
    last point, one call more, or with that point, a draw from the noisy law. Raises ValueError for a level
    that is not in 1..T, and for steps that are none.
    """
    if not 1 <= t <= levels.T:
        raise ValueError(f"t is {t}; it must lie in 1..{levels.T}")
    check_steps(step, steps)
    signal, std = levels.level(t)
    size, x = annealed_step(step, std, 1.0), x_T
    for z in noises(rng, x_T, steps):
        x = ula_step(x, denoiser.score(x, signal, std), z, size)
    return denoiser.x_0(x, signal, std) if denoise else x


def adjusted(
    log_prob: Callable[[Array], Array],
    score: Callable[[Array], Array],
    x: Array,
    rng: Stream,
    step: float,
    steps: int,
) -> tuple[Array, Array]:
    """Points (n, d) after so many Metropolis-adjusted steps from x, and the share accepted.       [LAN-4]

    log_prob: (n, d) -> (n,), up to a constant. score: its gradient, (n, d) -> (n, d). step: c > 0. No bias:
    where x comes from the law, so does the result, at any step. The share is an array of no axes.
    """
    log_p, s, accepted = log_prob(x), score(x), 0.0
    for z in noises(rng, x, steps):
        x_new = ula_step(x, s, z, step)
        log_p_new, s_new = log_prob(x_new), score(x_new)
        log_u = np.log(rng.uniform(x.shape[0], dtype=x.dtype))
        moves = log_u < mala_log_accept(x, x_new, log_p, log_p_new, s, s_new, step)
        x, s = np.where(moves[:, None], x_new, x), np.where(moves[:, None], s_new, s)
        log_p = np.where(moves, log_p_new, log_p)
        accepted = accepted + np.mean(moves) / steps
    return x, accepted
