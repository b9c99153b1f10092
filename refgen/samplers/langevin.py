r"""Langevin dynamics at one level of noise, from its score alone.                    [LAN-2, LAN-6]

.. math:: x_{i+1} = x_i + c\,\nabla\log q_t(x_i) + \sqrt{2c}\,z_i,\qquad z_i\sim\mathcal N(0, I)

The chain does not notice when it has arrived; it settles in a law that is too wide by a share of c, and the
weights of modes that are well apart stay those of the start. `mala` mends the first, with a density.
"""

from __future__ import annotations

from typing import Any, Protocol

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.annealed import annealed_step
from refgen.formulas.langevin import ula_step
from refgen.samplers.steps import kept_times, noises, require_count, require_levels

__all__ = ["Levels", "check_level", "check_steps", "langevin"]

Array = Any


class Levels(Protocol):
    """Levels of noise 1..T, such as a Schedule."""

    @property
    def T(self) -> int: ...

    def level(self, t: int) -> tuple[float, float]: ...


def check_level(levels: Levels, t: int) -> None:
    """Raise ValueError unless there is a level t."""
    require_levels(levels)
    if not 1 <= t <= levels.T:
        raise ValueError(f"t is {t}; it must lie in 1..{levels.T}")


def check_steps(step: float, steps: int) -> None:
    """Raise ValueError unless a step and a number of them make sense."""
    if not 0 < step < 2:
        raise ValueError(f"step is {step}; it must lie in (0, 2), or the chain flies apart")
    require_count("steps", steps)


def langevin(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    t: int = 1,
    step: float = 0.1,
    steps: int = 100,
    denoise: bool = True,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from x_T, (n, d), any points, in so many steps at level t; a call of the denoiser each.

    denoiser: asked for its score. rng: gives the noise, in x_T's dtype and where x_T is, as the result will
    be. step: c in units of the level's noise variance, in (0, 2). denoise: end with the mean of x_0 given the
    last point, one call more, or with that point, a draw from the noisy law. trajectory: a dict whose keys
    are the points to keep, by the steps still to go, from `steps`, x_T, to 0, the result; its values become
    these points. Raises ValueError for a level that is not in 1..T, steps that are none, and a kept time that
    is not there.
    """
    check_level(levels, t)
    check_steps(step, steps)
    kept = kept_times(trajectory, steps)
    signal, std = levels.level(t)
    size, x = annealed_step(step, std, 1.0), x_T
    for left, z in zip(range(steps, 0, -1), noises(rng, x_T, steps), strict=True):
        if left in kept:
            kept[left] = x
        x = ula_step(x, denoiser.score(x, signal, std), z, size)
    x = denoiser.x_0(x, signal, std) if denoise else x
    if 0 in kept:
        kept[0] = x
    return x
