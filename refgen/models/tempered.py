r"""Samples of an energy by way of a broad Gaussian: annealed Langevin steps, Metropolis' test and selection.

.. math:: \log p_\beta(x)=(1-\beta)\log\mathcal N(x;0,\tau^2I)+\beta\log p(x)+\text{const},\qquad\beta:0\to1

At each stage the points are drawn anew by the weights p_new / p_old, which finds the weights of modes that no
Langevin step can cross between, and then move. Source: Neal 2001; Del Moral et al. 2006, section 3.3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.formulas.gaussian import log_prob_isotropic
from refgen.formulas.parametrisation import conditional_score
from refgen.samplers.mala import adjusted
from refgen.samplers.steps import kept_times

__all__ = ["LEAST", "selected", "tempered"]

Array = Any

LEAST = 512  # points that go together, however few are wanted: the weights of modes are shares of them


def selected(log_weight: Array, rng: Stream) -> Array:
    """Which points to keep, (n,) indices, each as often as its weight says, by systematic draws.

    The number of times differs from n times the share by less than one. log_weight: (n,), up to a constant.
    """
    weight = np.exp((log_weight - np.max(log_weight)).astype(np.float64))
    edges = np.cumsum(weight)
    n, xp = len(weight), array_module(weight)
    at = (xp.arange(n) + rng.uniform(1)) * (edges[-1] / n)
    return np.clip(np.searchsorted(edges, at), 0, n - 1)


def tempered(
    log_prob: Callable[[Array], Array],
    score: Callable[[Array], Array],
    base_std: float,
    x: Array,
    rng: Stream,
    step: float,
    stages: int,
    per_stage: int,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """Points, (n, d), of the law whose log_prob, up to a constant, and score are given.

    x: (n, d), drawn from N(0, base_std^2 I); a few hundred at least. step: of Langevin dynamics at the end;
    longer before, as 1 / beta, up to base_std^2 / 4. stages: of beta, which grows as the square. per_stage:
    Langevin steps at each. trajectory: a dict whose keys are stages still to go, in 0..stages; its values
    become the ancestors of the points at that stage. Raises ValueError for a kept stage that is not there.
    """
    kept = kept_times(trajectory, stages)
    met: list[int] = []

    def keep(left: int) -> None:
        if left in kept:
            kept[left] = x
            met.append(left)

    def log_base(x: Array) -> Array:
        return log_prob_isotropic(x, np.zeros_like(x), base_std**2)

    before = 0.0
    for stage in range(1, stages + 1):
        keep(stages - stage + 1)
        beta = (stage / stages) ** 2
        chosen = selected((beta - before) * (log_prob(x) - log_base(x)), rng)
        x = x[chosen]
        for left in met:
            kept[left] = kept[left][chosen]

        def log_mixed(x: Array, beta: float = beta) -> Array:
            return (1 - beta) * log_base(x) + beta * log_prob(x)

        def mixed_score(x: Array, beta: float = beta) -> Array:
            return (1 - beta) * conditional_score(x, np.zeros_like(x), 1.0, base_std) + beta * score(x)

        x, _ = adjusted(log_mixed, mixed_score, x, rng, min(step / beta, base_std**2 / 4), per_stage)
        before = beta
    keep(0)
    return x
