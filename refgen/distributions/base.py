"""What every distribution offers, and the doors where points and levels are checked.

A distribution writes its mathematics for an array of points (n, d) in `_log_prob`, `_score`,
`_posterior_mean` and `_posterior_cov`, each one call of a formula. This base class checks the input, works
through it in pieces that fit the cache, and keeps shapes and precision.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import autograd.numpy as np
import numpy as onp
from numpy import ndarray

from refgen.backend import Stream, array_module, to_host
from refgen.distributions.doors import check_level
from refgen.threads import share

__all__ = ["Distribution"]

# glibc keeps freed memory for the next array only up to about the size of the largest array freed so far.
# Freeing one of 32 MiB, never touched, spares the pieces below their page faults: twice as fast.
np.empty(2**22 - 2**13)

EXACT_IN_FLOAT32 = 8  # in more dimensions float32 squared distances lose too many digits
ON_DEVICE = 64  # a GPU works on pieces so many times larger: it has the memory, and each call has its price


class Distribution(ABC):
    """A law on R^d whose density, score and denoiser are known exactly at every noise level.

    Attributes: dim, the d; mean (d,); cov (d, d); entropy, in nats; modes, the pair of means (K, d) and
    weights (K,) of well separated modes, or None. Objects never change, and their arrays are float64 on the
    host.

    Methods take points x of shape (..., d), float64 or float32, on any device, and answer in the same
    precision and there. They raise ValueError for another last axis, and where the law has no density or no
    score. Samples lie where the stream's numbers do.
    """

    dim: int

    @cached_property
    def _copies(self) -> dict[tuple[str, Any, Any], Any]:
        return {}

    def _like(self, x: Any, *names: str) -> Any:
        """The arrays of those names in the precision of x and where x is, each copied there once."""
        xp, found = array_module(x), []
        for key in ((name, xp, x.dtype) for name in names):
            if key not in self._copies:
                self._copies[key] = xp.asarray(getattr(self, key[0]).astype(x.dtype, copy=False))
            found.append(self._copies[key])
        return tuple(found)

    @property
    @abstractmethod
    def mean(self) -> ndarray:
        """The mean, (d,)."""

    @property
    @abstractmethod
    def cov(self) -> ndarray:
        """The covariance, (d, d)."""

    @property
    def modes(self) -> tuple[ndarray, ndarray] | None:
        """Means (K, d) and weights (K,) of the modes, where the law has well separated ones."""
        return None

    @abstractmethod
    def sample(self, rng: Stream, n: int) -> ndarray:
        """n independent points, (n, d) float64, drawn from rng alone, on its device. n: >= 0 (ValueError)."""

    @abstractmethod
    def diffused(self, signal: float, std: float) -> Distribution:
        """The exact law of signal x_0 + std eps.                                          [FWD-11]

        signal, std: finite numbers >= 0, not both 0 (ValueError).
        """

    @abstractmethod
    def affine(self, shift: Any, scale: Any) -> Distribution:
        """The exact law of (x - shift) / scale. shift, scale > 0: numbers or (d,) (ValueError)."""

    @abstractmethod
    def _entropy(self) -> tuple[float, float]: ...

    @cached_property
    def _entropy_and_error(self) -> tuple[float, float]:
        value, error = self._entropy()
        return float(value), float(error)

    @property
    def entropy(self) -> float:
        """Differential entropy -E[log p(x)] in nats: the floor of any negative log-likelihood.

        In closed form, or by quadrature in one or two dimensions; elsewhere by Monte Carlo from a fixed
        stream. `entropy_error` says how far off it can be. -inf for a law of points.
        """
        return self._entropy_and_error[0]

    @property
    def entropy_error(self) -> float:
        """0 for a closed form, 1e-6 for a quadrature, or one standard error of a Monte Carlo mean."""
        return self._entropy_and_error[1]

    def log_prob(self, x: Any) -> ndarray:
        """Log-density in nats at x (..., d), as (...); -inf where the density is zero."""
        return self._each(self._log_prob, x)

    def score(self, x: Any) -> ndarray:
        """Gradient of the log-density at x (..., d), as (..., d)."""
        return self._each(self._score, x)

    def noisy_score(self, x_t: Any, signal: Any, std: Any) -> ndarray:
        """Score at x_t of the law of signal x_0 + std eps, that of `diffused`, which is not built. [FWD-11]

        Arguments as for `posterior_mean`.
        """
        return self._at_levels(self._noisy_score, self._score_without_noise, x_t, signal, std)

    def _score_without_noise(self, x: ndarray, signal: float) -> ndarray:
        return self.diffused(signal, 0.0)._score(x)

    def posterior_mean(self, x_t: Any, signal: Any, std: Any) -> ndarray:
        """E[x_0 | x_t], the exact denoiser, for this law as that of x_0.          [FWD-11, TWE-2]

        x_t: (..., d). signal, std: numbers >= 0, not both 0; or arrays broadcastable against (n, 1), where
        x_t is (n, d), which are read on the host. At std 0 it is x_t / signal. Returns the shape of x_t.
        """
        return self._at_levels(self._posterior_mean, lambda x, signal: x / signal, x_t, signal, std)

    def posterior_cov(self, x_t: Any, signal: Any, std: Any) -> ndarray:
        """Cov[x_0 | x_t], (..., d, d); arguments as for `posterior_mean`. Zero at std 0.  [TWE-4]"""
        return self._at_levels(
            self._posterior_cov,
            lambda x, signal: array_module(x).zeros((*x.shape, self.dim), x.dtype),
            x_t,
            signal,
            std,
            True,
        )

    def standardised(self) -> tuple[Distribution, ndarray, ndarray]:
        """This law with mean 0 and variance 1 in each coordinate, and the shift (d,) and scale (d,) back.

        x = shift + scale * (standardised x). A coordinate that is constant is moved to 0 and not scaled.
        """
        shift, scale = self.mean, np.sqrt(np.diag(self.cov))
        scale = np.where(scale > 1e-12 * np.abs(shift), scale, 1.0)
        return self.affine(shift, scale), shift, scale

    # What a distribution writes, for points (n, d) of one precision.

    @abstractmethod
    def _log_prob(self, x: ndarray) -> ndarray: ...

    @abstractmethod
    def _score(self, x: ndarray) -> ndarray: ...

    @abstractmethod
    def _noisy_score(self, x_t: ndarray, signal: float, std: float) -> ndarray: ...

    @abstractmethod
    def _posterior_mean(self, x_t: ndarray, signal: float, std: float) -> ndarray: ...

    @abstractmethod
    def _posterior_cov(self, x_t: ndarray, signal: float, std: float) -> ndarray: ...

    @property
    @abstractmethod
    def _rows(self) -> int:
        """How many points to work on at a time."""

    @property
    @abstractmethod
    def _rows_of_cov(self) -> int:
        """How many points to work on at a time for a matrix each."""

    def _each(self, function: Callable[[ndarray], ndarray], x: Any, cov: bool = False) -> ndarray:
        """function over the points of x (..., d), a piece at a time, in the precision of x."""
        x = self._checked(x)
        narrow = x.dtype == np.float32
        points = np.reshape(x, (math.prod(x.shape[:-1]), self.dim))
        if narrow and self.dim > EXACT_IN_FLOAT32:
            points = points.astype(np.float64)
        rows = self._rows_of_cov if cov else self._rows
        if array_module(x) is not onp:
            rows *= ON_DEVICE
        starts = range(0, max(len(points), 1), rows)
        pieces = share(lambda i: function(points[i : i + rows]), starts)
        result = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        result = result.astype(np.float32) if narrow else result
        return np.reshape(result, (*x.shape[:-1], *result.shape[1:]))

    def _at_levels(
        self, noisy: Callable, clean: Callable, x_t: Any, signal: Any, std: Any, cov: bool = False
    ) -> ndarray:
        """noisy(x, signal, std) at every level, and clean(x, signal) where std is 0."""
        if np.ndim(signal) == 0 and np.ndim(std) == 0:
            s, sigma = check_level(signal, std)
            if sigma == 0:
                return self._each(lambda x: clean(x, s), x_t, cov)
            return self._each(lambda x: noisy(x, s, sigma), x_t, cov)
        x_t = self._checked(x_t)
        if x_t.ndim != 2 or any(np.shape(a) not in ((), (1,), (1, 1), (len(x_t), 1)) for a in (signal, std)):
            raise ValueError(
                f"signal and std have shapes {np.shape(signal)} and {np.shape(std)}; beside points of shape "
                f"{x_t.shape} they must be numbers or columns (n, 1)"
            )
        if len(x_t) == 0:
            return self._each(lambda x: clean(x, 1.0), x_t, cov)
        columns = [onp.broadcast_to(to_host(a), (len(x_t), 1))[:, 0] for a in (signal, std)]
        distinct, which = onp.unique(onp.stack(columns, axis=1), axis=0, return_inverse=True)
        order = onp.argsort(which, kind="stable")
        ends = onp.cumsum(onp.bincount(which, minlength=len(distinct))).tolist()
        xp = array_module(x_t)
        x_t = x_t[xp.asarray(order)]
        parts = [
            self._at_levels(noisy, clean, x_t[start:end], level[0], level[1], cov)
            for level, start, end in zip(distinct.tolist(), [0, *ends], ends, strict=False)
        ]
        return np.concatenate(parts)[xp.asarray(onp.argsort(order))]

    def _checked(self, x: Any) -> Any:
        if not hasattr(x, "dtype"):
            x = np.array(x, dtype=np.float64)
        if x.dtype not in (np.float32, np.float64):
            x = x.astype(np.float64)
        if x.ndim == 0 or x.shape[-1] != self.dim:
            raise ValueError(
                f"x has shape {tuple(x.shape)}; its last axis must be the dimension of the law, {self.dim}"
            )
        return x
