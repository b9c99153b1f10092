"""A diffusion model of points with labels: one network, told the label or not.                   [GUIDE-1]

In training the label is left out now and then, so that the network learns both scores, and guidance needs no
classifier. Source: Ho & Salimans 2022, algorithm 1.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as onp

from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.denoisers import Denoiser, LearnedDenoiser
from refgen.guidance import Guided, guided
from refgen.models.checks import require_whole
from refgen.models.ddpm import DDPM, WEIGHTINGS
from refgen.nets.mlp import MLP

__all__ = ["WEIGHTINGS", "ConditionalDDPM", "OfClass", "one_hot", "require_class"]

Array = Any


def one_hot(labels: Array, classes: int) -> Array:
    """Labels (n,), 0..classes - 1, as rows with a single one, (n, classes) float32. Others give zeros."""
    return (labels[:, None] == array_module(labels).arange(classes)).astype(onp.float32)


def require_class(name: str, value: Any, classes: int) -> int:
    """The number of a class. Raises ValueError, with the argument's name, for what is none of them."""
    if isinstance(value, bool) or not isinstance(value, int | onp.integer) or not 0 <= value < classes:
        raise ValueError(f"{name} is {value!r}; it must be an integer in 0..{classes - 1}")
    return int(value)


@dataclass(frozen=True)
class ConditionalDDPM(DDPM):
    """A DDPM of standardised data with labels 0..classes - 1, told the label or not.

    Trained on rows (n, dim + 1), the label in the last column; one that is no class counts as not known.
    Without a label it is a DDPM, and all that a DDPM offers is there: `sample`, `log_prob`. For a class ask
    `model.of_class(3, s=2.0)`, which offers the same.
    """

    classes: int = 2
    dropout: float = 0.1  # 0.1; how often the label is left out, 0.1 to 0.2

    def __post_init__(self) -> None:
        require_whole(self, {"classes": 10_000})
        if not 0 < self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must lie in (0, 1), or one score is not learned")
        super().__post_init__()

    @cached_property
    def net(self) -> MLP:
        return MLP(self.dim, self.dim, self.features + self.classes, self.hidden, self.layers)

    def _told(self, labels: Array) -> Array:
        """Labels as the network is told them, as loud as the level of noise."""
        return math.sqrt(self.features / 2) * one_hot(labels, self.classes)

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """As for DDPM, of rows x, (n, dim + 1); each label is left out with probability `dropout`.

        Raises ValueError for rows of another width.
        """
        if x.shape[1] != self.dim + 1:
            raise ValueError(f"x has shape {x.shape}; it must be (n, {self.dim + 1}), labels last")
        points, labels = x[:, : self.dim], x[:, self.dim]
        known = rng.uniform(len(x), 1) >= self.dropout
        return self._loss(params, points, rng, self._told(labels) * known)

    def denoiser(self, params: Array, label: Any = None) -> Denoiser:
        """The model as a denoiser of one class, of a class for each point, (n,), or of all for None.

        Raises ValueError for a number that is no class.
        """
        xp = array_module(params)
        if label is None:
            told = xp.zeros((1, self.classes), onp.float32)
        else:
            if onp.ndim(label) == 0:
                label = [require_class("label", label, self.classes)]
            told = self._told(xp.asarray(label))
        return LearnedDenoiser(lambda x, log_snr: self.predict(params, x, log_snr, told), self.target)

    def guided(self, params: Array, label: Any, s: float = 1.0) -> Guided:
        """The denoiser of a class, or of a class for each point, (n,), guided: s = 1 is the conditional."""
        return guided(self.denoiser(params, label), self.denoiser(params), s)

    def of_class(self, label: int, s: float = 1.0) -> OfClass:
        """The model of one class, with the same parameters. Raises ValueError for a number that is none."""
        return OfClass(**asdict(self), label=require_class("label", label, self.classes), s=s)


@dataclass(frozen=True)
class OfClass(ConditionalDDPM):
    """A `ConditionalDDPM` told one class, guided: its `denoiser`, `sample`, `log_prob` are of that class.

    Where s is not 1, `log_prob` is a bound on the law of its own ancestral chain, and on no other.
    """

    label: int = 0
    s: float = 1.0

    def denoiser(self, params: Array, label: Any = None) -> Denoiser:
        """The guided denoiser of the class, or of another for a label."""
        told = super().denoiser(params, self.label if label is None else label)
        return guided(told, super().denoiser(params), self.s)
