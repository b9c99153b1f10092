r"""What is the noise in x_t? One object that answers, exact or learned.

A denoiser is asked for eps, x_0, the score or v at a level (signal, std), where x_t = signal x_0 + std eps.
An exact distribution and a trained network are both denoisers, so every sampler runs on either. Some know the
density of x_t, too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from refgen.backend import to_host
from refgen.distributions.base import Distribution
from refgen.formulas import parametrisation, velocity
from refgen.formulas.snr import log_snr

__all__ = [
    "TARGETS",
    "Counted",
    "Denoiser",
    "ExactDenoiser",
    "LearnedDenoiser",
    "OneLevelDenoiser",
    "counted",
]

Array = Any

TARGETS = ("eps", "x_0", "score", "v")


class Denoiser(ABC):
    """The interface. A subclass writes `eps`; the other three follow by the parametrisation formulas.

    All take x: (n, d) and the level (signal, std): Python floats, or arrays (n, 1) for a level a point, both
    above 0. All return (n, d) in x's dtype, where x is.
    """

    has_density = False  # whether log_prob answers

    @abstractmethod
    def eps(self, x: Array, signal: Array, std: Array) -> Array:
        """E[eps | x_t = x]."""

    def x_0(self, x: Array, signal: Array, std: Array) -> Array:
        """E[x_0 | x_t = x]."""
        return parametrisation.x_0_from_eps(x, self.eps(x, signal, std), signal, std)

    def score(self, x: Array, signal: Array, std: Array) -> Array:
        """The gradient of log q_t at x."""
        return parametrisation.score_from_eps(self.eps(x, signal, std), std)

    def v(self, x: Array, signal: Array, std: Array) -> Array:
        """E[signal eps - std x_0 | x_t = x]."""
        return parametrisation.v_from_eps(x, self.eps(x, signal, std), signal, std)

    def log_prob(self, x: Array, signal: float, std: float) -> Array:
        """log q_t(x), (n,), up to a constant. Raises ValueError where a subclass does not know it."""
        raise ValueError(
            f"{type(self).__name__} has no density; the exact one has, and an energy-based model"
        )

    def log_prob_and_score(self, x: Array, signal: float, std: float) -> tuple[Array, Array]:
        """Both at the same points, (n,) and (n, d): one pass through a network whose score is a gradient."""
        return self.log_prob(x, signal, std), self.score(x, signal, std)


class ExactDenoiser(Denoiser):
    """The best denoiser there is, from the exact law of the data.

    Nothing is divided by a small signal or std: x_0 is the law's posterior mean, the score that of the
    diffused law, eps comes from the score and v from eps and x_0.
    """

    has_density = True

    def __init__(self, distribution: Distribution):
        self.distribution = distribution
        self._noisy: tuple[tuple[float, float], Distribution] | None = None  # the last level asked for

    def score(self, x: Array, signal: Array, std: Array) -> Array:
        return self.distribution.noisy_score(x, signal, std)

    def eps(self, x: Array, signal: Array, std: Array) -> Array:
        return parametrisation.eps_from_score(self.score(x, signal, std), std)

    def x_0(self, x: Array, signal: Array, std: Array) -> Array:
        return self.distribution.posterior_mean(x, signal, std)

    def v(self, x: Array, signal: Array, std: Array) -> Array:
        return velocity.v_from_x_0_and_eps(self.x_0(x, signal, std), self.eps(x, signal, std), signal, std)

    def log_prob(self, x: Array, signal: float, std: float) -> Array:
        """The noisy law's log-density in nats, its constant too; ValueError for a law that has none."""
        if self._noisy is None or self._noisy[0] != (signal, std):
            self._noisy = (signal, std), self.distribution.diffused(signal, std)
        return self._noisy[1].log_prob(x)


class OneLevelDenoiser(Denoiser):
    """The score of x_0 + std eps for one std, as an energy-based model or a plain score network knows it.

    score: (n, d) -> (n, d). std: > 0 (ValueError). log_prob: (n, d) -> (n,), up to a constant, where the
    score is the gradient of a known one; both: (n, d) -> (log_prob, score), where one pass gives the two.
    Asked at another level than (1, std), each method raises ValueError.
    """

    def __init__(
        self,
        score: Callable[[Array], Array],
        std: float,
        log_prob: Callable[[Array], Array] | None = None,
        both: Callable[[Array], tuple[Array, Array]] | None = None,
    ):
        if not 0 < std < float("inf"):
            raise ValueError(f"std is {std}; it must be a finite number > 0")
        self.std, self.has_density = std, log_prob is not None
        self._score, self._log_prob, self._both = score, log_prob, both

    def _check(self, signal: Array, std: Array) -> None:
        near = [np.all(abs(to_host(a) - b) <= 1e-6 * b) for a, b in ((signal, 1.0), (std, self.std))]
        if not all(near):
            raise ValueError(
                f"the level is signal {_shown(signal)}, std {_shown(std)}; this model knows one level only, "
                f"signal 1, std {self.std:g}"
            )

    def score(self, x: Array, signal: Array, std: Array) -> Array:
        self._check(signal, std)
        return self._score(x)

    def eps(self, x: Array, signal: Array, std: Array) -> Array:
        return parametrisation.eps_from_score(self.score(x, signal, std), std)

    def log_prob(self, x: Array, signal: float, std: float) -> Array:
        if self._log_prob is None:
            raise ValueError("this model has no density, only a score")
        self._check(signal, std)
        return self._log_prob(x)

    def log_prob_and_score(self, x: Array, signal: float, std: float) -> tuple[Array, Array]:
        if self._both is None:
            return super().log_prob_and_score(x, signal, std)
        self._check(signal, std)
        return self._both(x)


def _shown(level: Array) -> str:
    """A level, or the range of the levels of many points."""
    low, high = np.min(to_host(level)), np.max(to_host(level))
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


class LearnedDenoiser(Denoiser):
    """A trained network as a denoiser.

    predict: (x, log_snr) -> (n, d), the network, which knows levels of unit power, signal^2 + std^2 = 1; at
    others, those of a ladder of noise say, it is asked at the same level scaled to that. target: what it was
    trained to predict, "eps", "x_0", "score" or "v"; that is returned as it is, and the others by the formula
    that amplifies its error least. Raises ValueError for another target.
    """

    def __init__(self, predict: Callable[[Array, Array], Array], target: str = "eps"):
        if target not in TARGETS:
            raise ValueError(f"target is {target!r}; it must be one of {', '.join(TARGETS)}")
        self.predict, self.target = predict, target

    def _ask(self, x: Array, signal: Array, std: Array) -> Array:
        return self.predict(x, log_snr(signal, std))

    def eps(self, x: Array, signal: Array, std: Array) -> Array:
        x, signal, std, _ = _at_unit_power(x, signal, std)
        answer = self._ask(x, signal, std)
        if self.target == "x_0":
            return parametrisation.eps_from_x_0(x, answer, signal, std)
        if self.target == "score":
            return parametrisation.eps_from_score(answer, std)
        if self.target == "v":
            return parametrisation.eps_from_v(x, answer, signal, std)
        return answer

    def x_0(self, x: Array, signal: Array, std: Array) -> Array:
        if self.target not in ("x_0", "v"):
            return super().x_0(x, signal, std)
        x, signal, std, _ = _at_unit_power(x, signal, std)
        answer = self._ask(x, signal, std)
        return answer if self.target == "x_0" else velocity.x_0_from_v(x, answer, signal, std)

    def score(self, x: Array, signal: Array, std: Array) -> Array:
        if self.target != "score":
            return super().score(x, signal, std)
        x, signal, std, scale = _at_unit_power(x, signal, std)
        answer = self._ask(x, signal, std)
        return answer if _is_one(scale) else answer / scale

    def v(self, x: Array, signal: Array, std: Array) -> Array:
        if self.target not in ("x_0", "v"):
            return super().v(x, signal, std)
        x, signal, std, scale = _at_unit_power(x, signal, std)
        answer = self._ask(x, signal, std)
        if self.target == "x_0":
            eps = parametrisation.eps_from_x_0(x, answer, signal, std)
            answer = velocity.v_from_x_0_and_eps(answer, eps, signal, std)
        return answer if _is_one(scale) else answer * scale


def _at_unit_power(x: Array, signal: Array, std: Array) -> tuple[Array, Array, Array, Array]:
    """`unit_power`, which leaves a variance-preserving level to the bit as it is."""
    scaled = parametrisation.unit_power(x, signal, std)
    return (x, signal, std, 1.0) if _is_one(scaled[3]) else scaled


def _is_one(scale: Array) -> bool:
    return isinstance(scale, float) and abs(scale - 1) < 1e-6


class Counted(Denoiser):
    """A denoiser that counts in `calls` how often the one inside was asked (NFE).

    A question for density and score together is one.
    """

    def __init__(self, denoiser: Denoiser):
        self.denoiser, self.calls = denoiser, 0
        self.has_density = denoiser.has_density

    def eps(self, x: Array, signal: Array, std: Array) -> Array:
        self.calls += 1
        return self.denoiser.eps(x, signal, std)

    def x_0(self, x: Array, signal: Array, std: Array) -> Array:
        self.calls += 1
        return self.denoiser.x_0(x, signal, std)

    def score(self, x: Array, signal: Array, std: Array) -> Array:
        self.calls += 1
        return self.denoiser.score(x, signal, std)

    def v(self, x: Array, signal: Array, std: Array) -> Array:
        self.calls += 1
        return self.denoiser.v(x, signal, std)

    def log_prob(self, x: Array, signal: float, std: float) -> Array:
        self.calls += 1
        return self.denoiser.log_prob(x, signal, std)

    def log_prob_and_score(self, x: Array, signal: float, std: float) -> tuple[Array, Array]:
        self.calls += 1
        return self.denoiser.log_prob_and_score(x, signal, std)


def counted(denoiser: Denoiser) -> Counted:
    """The same denoiser with a count of its calls: `counted(d).calls`."""
    return Counted(denoiser)
