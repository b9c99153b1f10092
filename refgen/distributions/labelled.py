"""Mixtures whose components belong to classes: points with labels, and p(c | x_t) at every noise level."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import autograd.numpy as np
import numpy as onp

from refgen.backend import Stream, array_module
from refgen.distributions import NAMES, named
from refgen.distributions.mixture import GaussianMixture
from refgen.formulas.guidance import log_class

__all__ = ["CLASSES", "Labelled", "labelled"]

Array = Any

# How many classes a named law has, in equal runs of its components.
CLASSES = {
    "two_gaussians": 2,  # the two Gaussians
    "ring": 2,  # its halves, so that a class has modes to lose
    "grid": 5,  # its rows
    "moons": 2,
    "circles": 2,
    "two_spirals": 2,
    "pinwheel": 5,  # its arms
}


class Labelled:
    """A mixture, and the class of each of its components.

    law: of the points, whatever their class. classes: (K,) integers, one for each component; each of
    0..count - 1 at least once. Raises ValueError for anything else. Attributes: law, classes, count (C),
    prior (C,), dim. Objects never change.

    >>> law = Labelled(GaussianMixture([[-1.0], [0.0], [1.0]], 0.01), [0, 1, 1])
    >>> law.prior.round(3), law.conditional(1).mean
    (array([0.333, 0.667]), array([0.5]))
    """

    def __init__(self, law: GaussianMixture, classes: Any):
        if not isinstance(law, GaussianMixture):
            raise ValueError(f"law is a {type(law).__name__}; labels need a GaussianMixture")
        given = onp.asarray(classes)
        if given.shape != law.weights.shape or given.dtype.kind not in "iu":
            raise ValueError(
                f"classes has shape {given.shape}, {given.dtype}; it must be {len(law.weights)} integers, "
                "one for each component"
            )
        found = onp.unique(given)
        if not onp.array_equal(found, onp.arange(len(found))):
            raise ValueError(f"classes has the labels {found.tolist()}; they must be 0, 1, ... without a gap")
        self.law, self.classes, self.count, self.dim = law, given.astype(onp.int64), len(found), law.dim
        self.classes.setflags(write=False)
        self.prior = onp.bincount(self.classes, law.weights)
        self._priors: dict[tuple[Any, Any], Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.law!r}, C={self.count})"

    @cached_property
    def _conditionals(self) -> list[GaussianMixture]:
        full, found = self.law.covs.ndim == 3, []
        for c in range(self.count):
            mine = self.classes == c
            covs = self.law.covs[mine] if full else self.law.covs
            found.append(GaussianMixture(self.law.means[mine], covs, self.law.weights[mine]))
        return found

    def conditional(self, c: int) -> GaussianMixture:
        """The exact law of the points of class c. Raises ValueError where there is none."""
        if not 0 <= c < self.count:
            raise ValueError(f"c is {c}; the classes are 0..{self.count - 1}")
        return self._conditionals[c]

    def sample(self, rng: Stream, n: int) -> tuple[Array, Array]:
        """n points (n, d) float64, those of `law.sample`, and their labels (n,), where rng draws."""
        x, components = self.law.sample_with_components(rng, n)
        return x, array_module(x).asarray(self.classes)[components]

    def log_classes(self, x: Array, signal: float = 1.0, std: float = 0.0) -> Array:
        """log p(c | x_t = x) of every class at the level (signal, std), exactly.                  [GUIDE-4]

        x: (n, d). signal, std: numbers >= 0, not both 0. Returns (n, C), in x's precision and where x is;
        differentiable in x.
        """
        laws = self._conditionals
        likelihoods = np.stack([law.noisy_log_prob(x, signal, std) for law in laws], axis=-1)
        return log_class(likelihoods, self._log_prior(likelihoods))

    def _log_prior(self, x: Array) -> Array:
        """log p(c), (C,), in the precision of x and where x is, copied there once."""
        key = array_module(x), x.dtype
        if key not in self._priors:
            self._priors[key] = key[0].asarray(onp.log(self.prior).astype(x.dtype))
        return self._priors[key]

    def classifier(self, c: int) -> Callable[..., Array]:
        """The exact classifier of one class: (x (n, d), signal, std) -> log p(c | x_t), (n,)."""
        self.conditional(c)
        return lambda x, signal, std: self.log_classes(x, signal, std)[:, c]

    def diffused(self, signal: float, std: float) -> Labelled:
        """The law of signal x_0 + std eps with the labels of x_0."""
        return Labelled(self.law.diffused(signal, std), self.classes)

    def standardised(self) -> tuple[Labelled, onp.ndarray, onp.ndarray]:
        """As `Distribution.standardised`: the labelled law, the shift (d,) and the scale (d,) back."""
        _, shift, scale = self.law.standardised()
        return Labelled(self.law.affine(shift, scale), self.classes), shift, scale

    @cached_property
    def rows(self) -> Rows:
        """What a network is trained on: points with their labels as the last column."""
        return Rows(self)


class Rows:
    """`sample(rng, n)` gives (n, d + 1): x, and its label as a number."""

    def __init__(self, law: Labelled):
        self.law = law

    def sample(self, rng: Stream, n: int) -> Array:
        x, c = self.law.sample(rng, n)
        return np.concatenate([x, c[:, None].astype(x.dtype)], axis=1)


def labelled(name: str) -> Labelled:
    """A named law with its usual classes, one of `CLASSES`. Raises ValueError for any other name."""
    law = named(name)
    if name not in CLASSES:
        known = ", ".join(key for key in NAMES if key in CLASSES)
        raise ValueError(f"{name} has no classes; there are {known}")
    assert isinstance(law, GaussianMixture)
    return Labelled(law, onp.arange(len(law.weights)) * CLASSES[name] // len(law.weights))
