"""The exact flow of a mixture on a line, by its distribution functions: x_s = F_s^-1(F_t(x_t)). No cards.

On a line the flow that has the marginals q_t keeps the order of points, so it takes quantiles to quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
from scipy.optimize.elementwise import find_root
from scipy.special import ndtr, ndtri

from refgen.derivations import line

__all__ = ["LAW", "cdf", "order", "quantiles", "vp_level", "vp_rate", "vp_velocity"]

# Two modes of unequal weight and width; they part on the way from the noise.
LAW = line.Law(np.array([0.3, 0.7]), np.array([-1.2, 0.8]), np.array([0.3, 0.5]))
PROBABILITIES = ndtr(np.linspace(-2.0, 2.0, 9))


def cdf(x: np.ndarray, law: line.Law) -> np.ndarray:
    """The distribution function at x (n,)."""
    return ndtr((x[:, None] - law.means) / law.stds) @ law.weights


def quantiles(law: line.Law, probabilities: np.ndarray = PROBABILITIES) -> np.ndarray:
    """The points (n,) with those probabilities."""
    each = law.means + law.stds * ndtri(probabilities)[:, None]
    between = each.min(axis=1) - 1e-3, each.max(axis=1) + 1e-3
    return find_root(lambda x, p: cdf(x, law) - p, between, args=(probabilities,)).x


def order(counts: Sequence[int], errors_of: Callable[[int], Any]) -> float:
    """The order at which the largest error falls with the number of steps: minus the slope of logarithms."""
    errors = [np.max(np.abs(errors_of(n))) for n in counts]
    return float(-np.polyfit(np.log(counts), np.log(errors), 1)[0])


def vp_rate(t: float) -> float:
    """The rate beta of noise of the variance-preserving process at a time in [0, 1]."""
    return 0.1 + 19.9 * t


def vp_level(t: float) -> tuple[float, float]:
    """(signal, std) of it at a time in (0, 1], by the integral of that line: a trapezoid."""
    integral = t * (vp_rate(0.0) + vp_rate(t)) / 2
    return math.exp(-integral / 2), math.sqrt(-math.expm1(-integral))


def vp_velocity(x: Any, t: float, law: line.Law = LAW) -> Any:
    """The velocity at x, of any shape, of its flow, -beta (x + score) / 2. Differentiable in x."""
    signal, std = vp_level(t)
    density, pull = 0.0, 0.0
    for weight, mean, width in zip(*(a.tolist() for a in law), strict=True):
        var = (signal * width) ** 2 + std**2
        share = weight / math.sqrt(var) * anp.exp(-0.5 / var * (x - signal * mean) ** 2)
        density, pull = density + share, pull + share / var * (signal * mean - x)
    return -vp_rate(t) / 2 * (x + pull / density)
