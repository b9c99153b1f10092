"""Mixtures of Gaussians on a line, tabulated: every expectation is a sum over a grid.

The trapezoid rule over the whole line is exact to rounding for smooth densities as soon as its step is half
the smallest standard deviation in the integrand, so these sums are integrals. No cards; other files use it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd import elementwise_grad
from autograd.scipy.special import logsumexp
from hypothesis import strategies as st

from refgen.cards.strategies import laws, positives, reals, rungs, together

__all__ = ["Law", "joint", "lines", "log_density", "noisy", "posterior", "score", "tabulated"]


class Law(NamedTuple):
    """A mixture on the line: three arrays (K,)."""

    weights: np.ndarray
    means: np.ndarray
    stds: np.ndarray


def lines(*counts: int, narrowest: float = 0.3, **more: st.SearchStrategy) -> list[st.SearchStrategy]:
    """Rungs that yield a `law` of so many components, (1, 2, 3) by default, and what else is named."""

    def of(k: int) -> st.SearchStrategy:
        def arrays(numbers: st.SearchStrategy) -> st.SearchStrategy:
            return st.lists(numbers, min_size=k, max_size=k).map(np.array)

        law = st.builds(Law, laws(k), arrays(reals(-3, 3)), arrays(positives(narrowest, 2.0)))
        return together(law=law, **more)

    return rungs(of, *(counts or (1, 2, 3)))


def log_density(x: Any, law: Law) -> Any:
    """Log-density at x (n,), as (n,); differentiable in x."""
    z = (x[:, None] - law.means) / law.stds
    return logsumexp(np.log(law.weights / law.stds) - 0.5 * (z**2 + np.log(2 * np.pi)), axis=1)


def score(x: np.ndarray, law: Law) -> np.ndarray:
    """The derivative of the log-density at x (n,), by automatic differentiation."""
    return elementwise_grad(log_density)(anp.array(x), law)


def noisy(law: Law, signal: float, std: float) -> Law:
    """The law of signal x_0 + std eps: means scale, variances add."""
    return Law(law.weights, signal * law.means, np.sqrt(signal**2 * law.stds**2 + std**2))


def _grid(low: float, high: float, finest: float) -> np.ndarray:
    return np.linspace(low, high, int(np.ceil((high - low) / (0.5 * finest))) + 1)


def tabulated(law: Law, finest: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
    """Points (n,) and their masses (n,), which sum to one; finest: the smallest scale of the integrand."""
    low, high = np.min(law.means - 9 * law.stds), np.max(law.means + 9 * law.stds)
    x = _grid(low, high, min(finest, float(np.min(law.stds))))
    return x, np.exp(log_density(x, law)) * (x[1] - x[0])


def posterior(x_t: float, law: Law, signal: float, std: float) -> tuple[np.ndarray, np.ndarray]:
    """The law of x_0 given x_t: points (n,) and masses (n,), by Bayes' rule on the grid."""
    width = std / signal
    margin = 9 * min(width, float(np.max(law.stds)))
    low = min(np.min(law.means - 9 * law.stds), x_t / signal - margin)
    high = max(np.max(law.means + 9 * law.stds), x_t / signal + margin)
    x_0 = _grid(low, high, min(width, float(np.min(law.stds))))
    log_mass = log_density(x_0, law) - 0.5 * ((x_t - signal * x_0) / std) ** 2
    mass = np.exp(log_mass - np.max(log_mass))
    return x_0, mass / np.sum(mass)


def joint(law: Law, signal: float, std: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x_0 (n,), x_t (m,) and the mass (n, m) of each pair, which sum to one."""
    x_0, mass = tabulated(law, std / signal)
    x_t, _ = tabulated(noisy(law, signal, std), std)
    kernel = np.exp(-0.5 * ((x_t - signal * x_0[:, None]) / std) ** 2) / np.sqrt(2 * np.pi * std**2)
    return x_0, x_t, mass[:, None] * kernel * (x_t[1] - x_t[0])
