"""Minus the bound on log p of a chain with T steps, term by term.                            [DELBO-7]"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas import elbo
from refgen.formulas.forward import diffuse
from refgen.schedules import Schedule

__all__ = ["Bound", "sum_of_steps"]

Array = Any


class Bound(NamedTuple):
    """The terms of minus the bound for each point, (n,) nats each: L_0, the sum of L_1..L_{T-1}, and L_T."""

    l_0: Array
    l_steps: Array
    l_T: Array

    @property
    def total(self) -> Array:
        """Minus the bound, (n,)."""
        return self.l_0 + self.l_steps + self.l_T


def sum_of_steps(denoiser: Denoiser, levels: Schedule, x: Array, var: np.ndarray, rng: Stream) -> Array:
    """L_1 + ... + L_{T-1} at points (n, d), (n,) nats, each with noise drawn anew, from t = T down to 2.

    Unbiased for each point; with no time left out, the noise alone makes it vary. var: of the reverse steps,
    (T + 1,); what is at 0 and 1 does not count. Costs T - 1 calls of the denoiser.
    """
    total = array_module(x).zeros(len(x))
    for t in range(levels.T, 1, -1):
        eps = rng.normal(*x.shape, dtype=x.dtype)
        level = levels.level(t)
        guess = denoiser.eps(diffuse(x, eps, *level), *level)
        alphas = float(levels.alpha[t]), float(levels.alpha_bar[t - 1])
        total += elbo.l_step(eps, guess, *alphas, float(var[t]))
    return total
