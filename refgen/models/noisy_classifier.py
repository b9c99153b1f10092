"""A classifier of noisy points, told the level of noise, which guides a model without labels.    [GUIDE-2]

Source: Dhariwal & Nichol 2021, section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import autograd.numpy as np
import numpy as onp

from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.formulas import guidance
from refgen.formulas.forward import diffuse
from refgen.formulas.parametrisation import unit_power
from refgen.formulas.snr import log_snr
from refgen.models.checks import require_even_features, require_whole
from refgen.models.conditional_ddpm import one_hot, require_class
from refgen.nets.embedding import embedding
from refgen.nets.mlp import MLP
from refgen.schedules import Schedule, named

__all__ = ["NoisyClassifier"]

Array = Any

WHOLE = {"dim": 10**6, "classes": 10_000, "T": 100_000, "hidden": 10**6, "layers": 1000, "features": 10**6}


@dataclass(frozen=True)
class NoisyClassifier:
    """p(c | x_t) of standardised data with labels 0..classes - 1, at every level of a schedule.

    Trained by cross-entropy on rows (n, dim + 1), the label in the last column. Raises ValueError for a
    hyper-parameter out of range.
    """

    dim: int = 2
    classes: int = 2
    T: int = 1000  # 1000; 100 to 4000
    schedule: str = "linear"  # linear, cosine, quadratic, sigmoid
    hidden: int = 64  # 64; 32 to 256
    layers: int = 2  # 2; 2 to 4
    features: int = 32  # 32; an even number

    def __post_init__(self) -> None:
        require_whole(self, WHOLE)
        require_even_features(self)
        _ = self.net, self.levels

    @cached_property
    def net(self) -> MLP:
        return MLP(self.dim, self.classes, self.features, self.hidden, self.layers)

    @cached_property
    def levels(self) -> Schedule:
        """The noise schedule."""
        return named(self.schedule, self.T)

    @cached_property
    def _tables(self) -> dict[Any, tuple[Array, Array]]:
        return {}

    def _table(self, xp: Any) -> tuple[Array, Array]:
        """signal and std at t = 0..T, each (T + 1, 1) float32, where xp makes its arrays."""
        if xp not in self._tables:
            signal, std = (a[:, None].astype(onp.float32) for a in (self.levels.signal, self.levels.std))
            self._tables[xp] = xp.asarray(signal), xp.asarray(std)
        return self._tables[xp]

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector. All classes are equally likely."""
        return self.net.init(rng)

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """Cross-entropy of rows x, (n, dim + 1): a uniform time and noise for each point.        [GUIDE-7]"""
        points, n = x[:, : self.dim], len(x)
        t = rng.integers(1, self.T + 1, n)
        signal, std = (table[t] for table in self._table(array_module(x)))
        x_t = diffuse(points, rng.normal(*points.shape, dtype=points.dtype), signal, std)
        labels = one_hot(x[:, self.dim], self.classes)
        return np.mean(guidance.cross_entropy(labels, self.log_classes(params, x_t, signal, std)))

    def log_classes(self, params: Array, x: Array, signal: Array, std: Array) -> Array:
        """log p(c | x_t = x) of every class, (n, classes), differentiable in x.

        x: (n, dim). signal, std: numbers or (n, 1), std > 0; of any power, as for `LearnedDenoiser`.
        """
        x, signal, std, _ = unit_power(x, signal, std)
        xp = array_module(params)
        logits = self.net(params, x, embedding(log_snr(signal, std), self.features, xp=xp))
        return guidance.log_class(logits, xp.zeros(self.classes, params.dtype))

    def classifier(self, params: Array, c: int) -> Callable[..., Array]:
        """The classifier of one class, (x, signal, std) -> (n,), as `guidance.with_classifier` takes it.

        Raises ValueError for a number that is no class.
        """
        column = require_class("c", c, self.classes)
        return lambda x, signal, std: self.log_classes(params, x, signal, std)[:, column]
