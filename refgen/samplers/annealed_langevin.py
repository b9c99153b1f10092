r"""Annealed Langevin dynamics: from the noisiest level to the least, some steps at each.    [NCSN-5]

Algorithm 1 of Song & Ermon 2019, for t = T, ..., 1 and m = 1, ..., M, each level from the end of the last:

.. math:: x \leftarrow x + c_t\,s_\theta(x, \sigma_t) + \sqrt{2c_t}\,z,\qquad c_t = c\,\sigma_t^2

Where the largest sigma joins the modes, their weights are found, which `langevin` does not. The noise of the
last level is taken off at the end: x_0(x).

The points go from level to level as they are, whatever the signals are. Where power is preserved that suits
standardised data, which are as wide at every level. Multiplied by the ratio of the signals they would walk as
on a ladder of signal 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.annealed import annealed_step
from refgen.formulas.langevin import ula_step
from refgen.formulas.parametrisation import unit_power
from refgen.samplers.langevin import Levels, check_steps
from refgen.samplers.steps import kept_times, noises, require_levels

__all__ = ["UnitPower", "annealed_langevin"]

Array = Any


@dataclass(frozen=True)
class UnitPower:
    """Levels with the same signal-to-noise ratios as those given, and signal^2 + std^2 = 1."""

    levels: Levels

    @property
    def T(self) -> int:
        """The number of levels."""
        return self.levels.T

    def level(self, t: int) -> tuple[float, float]:
        """(signal, std) of level t as Python floats."""
        _, signal, std, _ = unit_power(0.0, *self.levels.level(t))
        return signal, std


def annealed_langevin(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    step: float = 0.1,
    steps: int = 5,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from x_T, (n, d), in `steps` steps at each level; T steps calls of the denoiser, and one.

    denoiser: asked for its score, at the end for x_0. x_T: from N(0, std_T^2 I), or any broad law. rng: gives
    the noise, in x_T's dtype and where x_T is, as the result will be. step: c_t in units of std_t^2, in
    (0, 2). steps: more where there are few levels, 100 for 10. trajectory: a dict whose keys are the times to
    keep; its values become the points at the end of level t, or x_0 at t = 0. Raises ValueError for steps
    that are none and a kept time that is not there.
    """
    require_levels(levels)
    kept = kept_times(trajectory, levels.T)
    check_steps(step, steps)
    x, noise = x_T, noises(rng, x_T, levels.T * steps)
    for t in range(levels.T, 0, -1):
        signal, std = levels.level(t)
        size = annealed_step(step, std, 1.0)
        for _ in range(steps):
            x = ula_step(x, denoiser.score(x, signal, std), next(noise), size)
        if t in kept:
            kept[t] = x
    x_0 = denoiser.x_0(x, signal, std)
    if 0 in kept:
        kept[0] = x_0
    return x_0
