"""The vocabulary in which cards say what they hold for.

Every strategy is `one_of(a few simple values, the full range)`: Hypothesis shrinks to the simple branch, so a
counterexample reads well, and still tests the edges (log-SNR from -20 to 20). Where there is a dimension or a
number of states, it comes as rungs: a list of strategies, the smallest first, which a card takes as `given`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

__all__ = [
    "alphas",
    "chains",
    "covariances",
    "laws",
    "levels",
    "mixtures",
    "points",
    "positives",
    "reals",
    "rungs",
    "schedules",
    "steps",
    "tables",
    "together",
]

Strategy = st.SearchStrategy[Any]


def together(**named: Strategy) -> Strategy:
    """One strategy that yields the dict of all the named ones; a rung of a card's `given`."""
    return st.fixed_dictionaries(named)


def reals(low: float = -4.0, high: float = 4.0) -> Strategy:
    """Real numbers in [low, high], small integers first."""
    simple = [v for v in (0.0, 1.0, 2.0, -1.0, 3.0) if low <= v <= high] or [low]
    return st.one_of(st.sampled_from(simple), st.floats(low, high, allow_subnormal=False))


def positives(low: float = 1e-3, high: float = 1e3) -> Strategy:
    """Positive numbers in [low, high], evenly in their logarithm; 1, 2, 1/2 first."""
    simple = [v for v in (1.0, 2.0, 0.5, 3.0, 0.1) if low <= v <= high] or [low]
    full = st.floats(math.log(low), math.log(high), allow_subnormal=False)
    return st.one_of(st.sampled_from(simple), full.map(lambda u: min(max(math.exp(u), low), high)))


def levels(log_snr: float = 20.0) -> Strategy:
    """alpha_bar in (0, 1), its log-SNR log(alpha_bar / (1 - alpha_bar)) in [-log_snr, log_snr]."""
    full = st.floats(-log_snr, log_snr, allow_subnormal=False).map(lambda u: 1.0 / (1.0 + math.exp(-u)))
    return st.one_of(st.sampled_from([0.5, 0.25, 0.75, 0.9, 0.1]), full)


def alphas(smallest_beta: float = 1e-6, largest_beta: float = 0.999) -> Strategy:
    """alpha_t = 1 - beta_t of one step, beta_t evenly in its logarithm; 1/2 first."""
    full = st.floats(math.log(smallest_beta), math.log(largest_beta), allow_subnormal=False)
    return st.one_of(st.sampled_from([0.5, 0.75, 0.9, 0.25, 0.99]), full.map(lambda u: 1.0 - math.exp(u)))


def rungs(of: Callable[..., Strategy], *sizes: Any) -> list[Strategy]:
    """The strategies of(size), smallest first: rungs(of, 1, 2, 3), or of tuples (2, 1), (2, 2), ..."""
    return [of(*size) if isinstance(size, tuple) else of(size) for size in sizes]


def points(d: int = 2, low: float = -4.0, high: float = 4.0) -> Strategy:
    """One point: an array of shape (d,)."""
    return st.lists(reals(low, high), min_size=d, max_size=d).map(np.array)


def steps(log_snr: float = 20.0, **more: Strategy) -> list[Strategy]:
    """One diffusion step (alpha_t, alpha_bar_s) with points x_0 and x_t in 1 to 5 dimensions, and more."""

    def of(d: int) -> Strategy:
        return together(x_t=points(d), x_0=points(d), alpha_t=alphas(), alpha_bar_s=levels(log_snr), **more)

    return rungs(of, 1, 2, 5)


def covariances(d: int = 2) -> Strategy:
    """Symmetric positive definite matrices: the identity, then diagonal ones, then full ones."""
    diagonal = st.lists(positives(0.1, 10.0), min_size=d, max_size=d).map(np.diag)
    root = st.lists(reals(-1, 1), min_size=d * d, max_size=d * d).map(lambda a: np.reshape(a, (d, d)))
    return st.one_of(st.just(np.eye(d)), diagonal, root.map(lambda a: a @ a.T + 0.25 * np.eye(d)))


def laws(k: int) -> Strategy:
    """A probability distribution on k states: integers 1 to 9, normalised."""
    return st.lists(st.integers(1, 9), min_size=k, max_size=k).map(lambda w: np.array(w) / sum(w))


def tables(rows: int, columns: int) -> Strategy:
    """A transition table: each row a distribution on the columns."""
    return st.lists(laws(columns), min_size=rows, max_size=rows).map(np.stack)


def mixtures(d: int = 1, k: int = 2) -> Strategy:
    """A Gaussian mixture of k components: dict of weights (k,), means (k, d), covs (k, d, d)."""
    return together(
        weights=laws(k),
        means=st.lists(points(d, -3, 3), min_size=k, max_size=k).map(np.stack),
        covs=st.lists(covariances(d), min_size=k, max_size=k).map(np.stack),
    )


def chains(smallest_T: int = 1) -> list[Strategy]:
    """A discrete diffusion chain on K states with T steps, T up to 4 and K up to 3.

    Yields dicts: forward (T, K, K), tables q(x_t | x_{t-1}) at index t - 1; reverse (T, K, K), tables
    p(x_{t-1} | x_t) at index t - 1; prior (K,), p(x_T); x_0, the clean state.
    """

    def of(k: int, T: int) -> Strategy:
        stacked = st.lists(tables(k, k), min_size=T, max_size=T).map(np.stack)
        return together(forward=stacked, reverse=stacked, prior=laws(k), x_0=st.integers(0, k - 1))

    sizes = [(2, 1), (2, 2), (2, 3), (3, 2), (3, 3), (2, 4)]
    return rungs(of, *[size for size in sizes if size[1] >= smallest_T])


def schedules(smallest_T: int = 2, largest_T: int = 6) -> list[Strategy]:
    """Betas of a whole schedule, (T,), as dicts: short lists first, the usual linear and cosine ones next."""

    def short(T: int) -> Strategy:
        betas = st.lists(alphas(1e-4, 0.9), min_size=T, max_size=T).map(lambda a: 1.0 - np.array(a))
        return together(beta=betas)

    t = np.arange(1001) / 1000
    cosine = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    usual = [np.linspace(1e-4, 0.02, 1000), np.minimum(1 - cosine[1:] / cosine[:-1], 0.999)]
    return [*rungs(short, *range(smallest_T, largest_T + 1)), together(beta=st.sampled_from(usual))]
