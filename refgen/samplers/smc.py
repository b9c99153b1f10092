r"""A sequential Monte Carlo sampler: from a broad Gaussian to the law in stages, with selection.

.. math:: \log p_\beta(x)=(1-\beta)\log\mathcal N(x;0,\tau^2I)+\beta\log q_t(x)+\text{const},\qquad\beta:0\to1

At each stage the points are drawn anew by the weights p_new / p_old, which finds the weights of modes that no
Langevin step can cross between, and then walk by `mala`. The points are no longer independent of each other.
Source: Neal 2001; Del Moral et al. 2006, section 3.3.2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from refgen.backend import Stream, array_module
from refgen.denoisers import Denoiser
from refgen.formulas.annealed import annealed_step
from refgen.formulas.gaussian import log_prob_isotropic
from refgen.formulas.parametrisation import conditional_score
from refgen.samplers.langevin import Levels, check_level
from refgen.samplers.mala import adjusted
from refgen.samplers.steps import kept_times, require_count

__all__ = ["drawn", "selected", "smc"]

Array = Any

LEAST = 512  # points that go together, however few are wanted: the weights of modes are shares of them


def smc(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    t: int = 1,
    step: float = 2.0,
    steps: int = 60,
    per_stage: int = 4,
    base_std: float = 2.0,
    denoise: bool = True,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from x_T, (n, d), drawn from N(0, base_std^2 I), in so many stages at level t.

    Wants a few hundred points, and a base_std > 0 that is wider than the noisy data. denoiser: asked for its
    log_prob once a stage, and for log_prob and score together per_stage + 1 times. rng: gives the noise, in
    x_T's dtype and where x_T is, as the result will be. step: of Langevin dynamics at the end, in units of
    the level's noise variance, > 0; longer before, as 1 / beta, up to base_std^2 / 4. steps: stages; beta
    grows as their square. per_stage: Langevin steps at each. denoise: as for `langevin`. trajectory: a dict
    whose keys are stages still to go, in 0..steps; its values become the ancestors of the points at that
    stage. Raises ValueError as `mala`, for a base_std that is not > 0, and as `selected`.
    """
    check_level(levels, t)
    if not 0 < base_std < float("inf"):
        raise ValueError(f"base_std is {base_std}; it must be a finite number > 0")
    require_count("steps", steps)
    require_count("per_stage", per_stage)
    kept = kept_times(trajectory, steps)
    signal, std = levels.level(t)
    size, x = annealed_step(step, std, 1.0), x_T

    def log_base(x: Array) -> Array:
        return log_prob_isotropic(x, np.zeros_like(x), base_std**2)

    before = 0.0
    for stage in range(1, steps + 1):
        if steps - stage + 1 in kept:
            kept[steps - stage + 1] = x
        beta = (stage / steps) ** 2
        chosen = selected((beta - before) * (denoiser.log_prob(x, signal, std) - log_base(x)), rng)
        x, before = x[chosen], beta
        for left in kept:
            if left > steps - stage:
                kept[left] = kept[left][chosen]

        def mixed(x: Array, beta: float = beta) -> tuple[Array, Array]:
            log_p, score = denoiser.log_prob_and_score(x, signal, std)
            base = conditional_score(x, np.zeros_like(x), 1.0, base_std)
            return (1 - beta) * log_base(x) + beta * log_p, (1 - beta) * base + beta * score

        x, _ = adjusted(mixed, x, rng, min(size / beta, base_std**2 / 4), per_stage)
    x = denoiser.x_0(x, signal, std) if denoise else x
    if 0 in kept:
        kept[0] = x
    return x


def selected(log_weight: Array, rng: Stream) -> Array:
    """Which points to keep, (n,) indices, each as often as its weight says, by systematic draws.

    The number of times differs from n times the share by less than one. log_weight: (n,), up to a constant;
    minus infinity for a point that is not to be kept. Raises ValueError where one is NaN or infinite, and
    where all are minus infinity; to see it reads one number from the device.
    """
    largest = float(np.max(log_weight))
    if not math.isfinite(largest):
        raise ValueError(
            f"the largest log-weight is {largest:g}; there is nothing to choose the points by where a "
            "log-density is NaN or infinite, or minus infinity at all of them"
        )
    weight = np.exp((log_weight - largest).astype(np.float64))
    edges = np.cumsum(weight)
    n, xp = len(weight), array_module(weight)
    at = (xp.arange(n) + rng.uniform(1)) * (edges[-1] / n)
    return np.clip(np.searchsorted(edges, at), 0, n - 1)


def drawn(
    denoiser: Denoiser,
    levels: Levels,
    shape: tuple[int, int],
    rng: Stream,
    dtype: Any = np.float32,
    base_std: float = 2.0,
    trajectory: dict[int, Array] | None = None,
    **options: Any,
) -> Array:
    """Points of a shape (n, d) by `smc`, which is given the start, and more points where n is small."""
    n, d = shape
    count = max(n, LEAST)
    x_T = base_std * rng.normal(count, d, dtype=dtype)
    x = smc(denoiser, levels, x_T, rng, base_std=base_std, trajectory=trajectory, **options)
    chosen = np.argsort(rng.uniform(count))[:n]  # neighbours in the list are of one family
    if trajectory is not None:
        trajectory.update({left: points[chosen] for left, points in trajectory.items()})
    return x[chosen]
