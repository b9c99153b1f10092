r"""Guided denoisers: conditional samples from any sampler, of a law or of a network.               [GUIDE]

One convention of the scale s: 0 is the unconditional denoiser, 1 the conditional one exactly, more leans
further towards the class. In terms of the other common one, w, it is s = 1 + w.

Guided denoisers answer at each level for the law :math:`q_t(x)\,p(c\mid x_t=x)^s`; where s is neither 0 nor
1, these are not one law of clean data under noise, and what comes out at the end depends on the sampler.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

from refgen.denoisers import Denoiser
from refgen.formulas import guidance

__all__ = ["ClassifierGuided", "Guided", "guided", "with_classifier"]

Array = Any


class Guided(Denoiser):
    """What `guided` makes."""

    def __init__(self, conditional: Denoiser, unconditional: Denoiser, s: float):
        self.conditional, self.unconditional, self.s = conditional, unconditional, _checked(s)
        self.has_density = conditional.has_density and unconditional.has_density

    def _both(self, answer: str, x: Array, signal: Array, std: Array) -> Array:
        """One answer of both denoisers, joined; of one of them alone where the other does not count."""
        if self.s in (0, 1):
            return getattr(self.conditional if self.s else self.unconditional, answer)(x, signal, std)
        conditional = getattr(self.conditional, answer)(x, signal, std)
        return guidance.guided(conditional, getattr(self.unconditional, answer)(x, signal, std), self.s)

    def eps(self, x: Array, signal: Array, std: Array) -> Array:
        return self._both("eps", x, signal, std)

    def x_0(self, x: Array, signal: Array, std: Array) -> Array:
        return self._both("x_0", x, signal, std)

    def score(self, x: Array, signal: Array, std: Array) -> Array:
        return self._both("score", x, signal, std)

    def v(self, x: Array, signal: Array, std: Array) -> Array:
        return self._both("v", x, signal, std)

    def log_prob(self, x: Array, signal: float, std: float) -> Array:
        """The log-density whose gradient the score is, (n,), up to a constant."""
        return self._both("log_prob", x, signal, std)


class ClassifierGuided(Denoiser):
    """What `with_classifier` makes."""

    def __init__(self, denoiser: Denoiser, log_prob_c: Callable[..., Array], s: float):
        self.denoiser, self.log_prob_c, self.s = denoiser, log_prob_c, _checked(s)
        self.has_density = denoiser.has_density

    def _gradient(self, x: Array, signal: Array, std: Array) -> Array:
        return guidance.class_score(lambda x: self.log_prob_c(x, signal, std), x)

    def eps(self, x: Array, signal: Array, std: Array) -> Array:
        eps = self.denoiser.eps(x, signal, std)
        if self.s == 0:
            return eps
        return guidance.eps_with_classifier(eps, self._gradient(x, signal, std), std, self.s)

    def x_0(self, x: Array, signal: Array, std: Array) -> Array:
        x_0 = self.denoiser.x_0(x, signal, std)
        if self.s == 0:
            return x_0
        return guidance.x_0_with_classifier(x_0, self._gradient(x, signal, std), signal, std, self.s)

    def score(self, x: Array, signal: Array, std: Array) -> Array:
        score = self.denoiser.score(x, signal, std)
        return score if self.s == 0 else guidance.tilted(score, self._gradient(x, signal, std), self.s)

    def v(self, x: Array, signal: Array, std: Array) -> Array:
        v = self.denoiser.v(x, signal, std)
        if self.s == 0:
            return v
        return guidance.v_with_classifier(v, self._gradient(x, signal, std), signal, std, self.s)

    def log_prob(self, x: Array, signal: float, std: float) -> Array:
        """The log-density whose gradient the score is, (n,), up to a constant."""
        log_prob = self.denoiser.log_prob(x, signal, std)
        return log_prob if self.s == 0 else guidance.tilted(log_prob, self.log_prob_c(x, signal, std), self.s)


def guided(conditional: Denoiser, unconditional: Denoiser, s: float) -> Guided:
    """A denoiser guided without a classifier: unconditional + s (conditional - unconditional).    [GUIDE-1]

    s: a finite number, 1 + w (ValueError). Each answer asks both, at s = 0 and 1 only the one that counts.
    The two may be one network told the label and not told; then it is asked twice.
    """
    return Guided(conditional, unconditional, s)


def with_classifier(denoiser: Denoiser, log_prob_c: Callable[..., Array], s: float) -> ClassifierGuided:
    """A denoiser guided by a classifier: score + s grad log p(c | x_t).                           [GUIDE-2]

    log_prob_c: (x (n, d), signal, std) -> log p(c | x_t), (n,), for the wanted class, differentiable in x; it
    must know the level of noise: one of clean data alone is wrong at every other. s: a finite number
    (ValueError). Each answer asks the denoiser once and the classifier, with its gradient, once.
    """
    return ClassifierGuided(denoiser, log_prob_c, s)


def _checked(s: float) -> float:
    if not (isinstance(s, Real) and math.isfinite(s)):
        raise ValueError(f"s is {s!r}; the scale of guidance must be a finite number")
    return float(s)
