"""Denoising diffusion probabilistic models.                                              [DDPM]

A network learns the noise in x_t (or x_0, the score, v) at T levels; sampling walks the levels back.
Source: Ho, Jain and Abbeel 2020. The network is told the log-SNR, not t, so the same one serves any
sampler and any grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np
import numpy as onp

from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.denoisers import TARGETS, Denoiser, LearnedDenoiser
from refgen.formulas import ddpm, elbo
from refgen.formulas.forward import diffuse
from refgen.formulas.snr import unit_level
from refgen.models.bound import Bound, sum_of_steps
from refgen.models.checks import require_even_features, require_whole
from refgen.models.error import weighted_error
from refgen.models.loss_table import LossTable, loss_table
from refgen.nets.embedding import embedding
from refgen.nets.mlp import MLP
from refgen.samplers.ancestral import ancestral, optimal_variances, step_variances
from refgen.schedules import Schedule, named

__all__ = ["DDPM"]

Array = Any

WEIGHTINGS = ("simple", "snr", "elbo")
VARIANCES = ("small", "large", "optimal")
WHOLE = {"dim": 10**6, "T": 100_000, "hidden": 10**6, "layers": 1000, "features": 10**6}  # 1 to these


@dataclass(frozen=True)
class DDPM:
    """A denoising diffusion model of standardised data.

    target: what the network predicts; for "x_0" and "score" see `predict`. weighting, of the squared error in
    eps (so all targets have one and the same loss): "simple", none, is L_simple; "snr" is min(SNR, 5) / SNR,
    the SNR weight of x_0, capped; "elbo" is the bound itself, one random time a point, in nats. variance, of
    the reverse step: "large" is beta; "small" is the posterior's, which is half of what the last steps
    need and costs nearly a nat of the bound in two dimensions; "optimal" is estimated from data, which
    `sample` and `log_prob` then need. decoder_var: s_0^2 of p(x_0 | x_1), 0 for the variance
    (1 - alpha_bar_1) / alpha_bar_1 that suits a smooth density.
    """

    dim: int = 2
    T: int = 1000  # 1000; 100 to 4000
    schedule: str = "linear"  # linear, cosine, quadratic, sigmoid
    target: str = "eps"  # eps; x_0, score or v
    weighting: str = "simple"  # simple; snr or elbo
    variance: str = "large"  # large; small or optimal
    decoder_var: float = 0.0  # 0: by the schedule, about 1e-4
    hidden: int = 128  # 128; 64 to 512
    layers: int = 3  # 3; 2 to 5
    features: int = 64  # 64; an even number

    log_prob_is: ClassVar[str] = "bound"

    def __post_init__(self) -> None:
        for name, known in [("target", TARGETS), ("weighting", WEIGHTINGS), ("variance", VARIANCES)]:
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}")
        require_whole(self, WHOLE)
        require_even_features(self)
        if not 0 <= self.decoder_var < float("inf"):
            raise ValueError(f"decoder_var is {self.decoder_var}; it must be > 0, or 0 for the schedule's")
        if self.weighting == "elbo" and self.variance == "optimal":
            raise ValueError(
                "variance is 'optimal', which is known after training; weighting 'elbo' needs another"
            )
        _ = self.net, self.levels

    @cached_property
    def net(self) -> MLP:
        return MLP(self.dim, self.dim, self.features, self.hidden, self.layers)

    @cached_property
    def levels(self) -> Schedule:
        """The noise schedule."""
        return named(self.schedule, self.T)

    @property
    def chain(self) -> int:
        """How many steps `sample` keeps points of."""
        return self.T

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector. The network returns zeros."""
        return self.net.init(rng)

    def predict(self, params: Array, x: Array, log_snr: Array, told: Array | None = None) -> Array:
        """The target at x, (n, dim). log_snr: a number, or an array (n, 1) or (n,).

        It is the network's output for "eps" and "v", the output over std for "score", and signal x + std
        output for "x_0". told: what else the network is told, (n, k) or (1, k), where it is a label's.
        """
        features = _joined(embedding(log_snr, self.features, xp=array_module(params)), told)
        output = self.net(params, x, features)
        if self.target in ("eps", "v"):
            return output
        return self._guess(output, x, *unit_level(_column(log_snr)))

    def _guess(self, output: Array, x: Array, signal: Array, std: Array) -> Array:
        """The target from the network's output, which is of size one at every level whatever the target is.

        A score grows as 1 / std. And x_0 is nearly x itself at small noise, so the network gives what is
        missing from the best linear guess for standardised data, as in Karras et al. 2022, section 5.
        """
        if self.target == "score":
            return output / std
        return diffuse(x, output, signal, std) if self.target == "x_0" else output

    def denoiser(self, params: Array) -> Denoiser:
        """The model as a denoiser."""
        return LearnedDenoiser(lambda x, log_snr: self.predict(params, x, log_snr), self.target)

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """The loss of a batch x, (n, dim): a uniform time and noise for each point.     [DDPM-1]

        With weighting "elbo" its expectation is minus the bound in nats per point: the sum of T terms is T
        times their mean, so one time a point is unbiased [DELBO-15].
        """
        return self._loss(params, x, rng)

    def _loss(self, params: Array, x: Array, rng: Stream, told: Array | None = None) -> Array:
        table, n = self._table_of(array_module(x)), len(x)
        t = rng.integers(1, self.T + 1, n)
        eps = rng.normal(*x.shape, dtype=x.dtype)
        signal, std = table.signal[t], table.std[t]
        x_t = diffuse(x, eps, signal, std)
        guess = self._guess(self.net(params, x_t, _joined(table.features[t], told)), x_t, signal, std)
        target = ddpm.training_target(self.target, x, eps, signal, std)
        loss = weighted_error(table.weight[t] * (1 / n), target, guess)
        if self.weighting != "elbo":
            return loss
        return loss + (table.constant + np.mean(elbo.l_T(x, float(self.levels.alpha_bar[-1]))))

    def _table_of(self, xp: Any) -> LossTable:
        """The table where xp makes its arrays, moved there once."""
        if xp not in self._tables:
            self._tables[xp] = self._table.on(xp)
        return self._tables[xp]

    @cached_property
    def _tables(self) -> dict[Any, LossTable]:
        return {onp: self._table}

    @cached_property
    def _table(self) -> LossTable:
        var = self.variances() if self.weighting == "elbo" else None
        return loss_table(self.levels, self.target, self.features, self.weighting, self.dim, var)

    def variances(
        self, params: Array | None = None, x_0: Array | None = None, rng: Stream | None = None
    ) -> onp.ndarray:
        """The variance of each reverse step, (T + 1,): 0, the decoder's at t = 1, then as `variance` says.

        params, x_0, rng: needed where variance is "optimal", which is estimated at data x_0, (n, dim);
        ValueError where they are missing.
        """
        denoiser = None if params is None else self.denoiser(params)
        data = x_0 if params is None or x_0 is None else _beside(params, x_0)
        var = self._step_variances(self.levels, denoiser, data, rng).copy()
        var[1] = self.decoder_var or elbo.decoder_var(
            self.levels.alpha_bar[1], self.levels.one_minus_alpha_bar[1]
        )
        return var

    def _step_variances(
        self, levels: Schedule, denoiser: Denoiser | None, x_0: Array | None, rng: Stream | None
    ) -> onp.ndarray:
        """The variance of each reverse step between these levels, as `variance` says."""
        if self.variance != "optimal":
            return step_variances(levels, self.variance)
        if denoiser is None or x_0 is None or rng is None:
            raise ValueError("variance 'optimal' is estimated from data: give x_0, points (n, dim)")
        return optimal_variances(denoiser, levels, x_0, rng)

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the denoiser."""
        return steps or self.T

    def sample(
        self,
        params: Array,
        n: int,
        rng: Stream,
        steps: int = 0,
        x_0: Array | None = None,
        denoiser: Denoiser | None = None,
        trajectory: dict[int, Array] | None = None,
    ) -> Array:
        """n points, (n, dim), in the dtype of params and on their device, by the ancestral sampler.  [DDPM-2]

        steps: of the T levels, evenly spaced; 0 for all. x_0: data, needed where variance is "optimal".
        denoiser: asked in place of the network, for instance an exact one. trajectory: a dict whose keys are
        the times to keep, in 0..steps; its values become x_t. Raises ValueError for data or a time that is
        missing.
        """
        levels = self.levels.respaced(steps) if steps else self.levels
        denoiser = denoiser or self.denoiser(params)
        data = None if x_0 is None else _beside(params, x_0)
        variance = self._step_variances(levels, denoiser, data, rng)
        x_T = rng.normal(n, self.dim, dtype=params.dtype)
        return ancestral(denoiser, levels, x_T, rng, variance, trajectory)

    def bound(self, params: Array, x: Array, rng: Stream, x_0: Array | None = None) -> Bound:
        """Minus the bound on log p, term by term: all T terms, each with noise drawn anew.    [DELBO-7]

        Unbiased for each point; with no time left out, the noise alone makes it vary. Costs T calls of the
        network. x: (n, dim). x_0: data, needed where variance is "optimal".
        """
        levels, var, denoiser = self.levels, self.variances(params, x_0, rng), self.denoiser(params)
        x, level = _beside(params, x), levels.level(1)
        l_steps = sum_of_steps(denoiser, levels, x, var, rng)
        x_1 = diffuse(x, rng.normal(*x.shape, dtype=x.dtype), *level)
        l_0 = elbo.l_0_gaussian(x, denoiser.x_0(x_1, *level), float(var[1]))
        return Bound(l_0, l_steps, elbo.l_T(x, float(levels.alpha_bar[-1])))

    def log_prob(self, params: Array, x: Array, rng: Stream, x_0: Array | None = None) -> Array:
        """A lower bound on log p(x) in nats for each point, (n,), unbiased for the bound: see `bound`."""
        return -self.bound(params, x, rng, x_0).total


def _beside(params: Array, x: Array) -> Array:
    """Points where params are, in their precision."""
    return array_module(params).asarray(x, params.dtype)


def _joined(features: Array, told: Array | None) -> Array:
    """Features of the level and what else is told, side by side; either may be one row for all points."""
    if told is None:
        return features
    n = max(len(features), len(told))
    return np.concatenate([a if len(a) == n else np.repeat(a, n, axis=0) for a in (features, told)], axis=1)


def _column(log_snr: Array) -> Array:
    return log_snr if isinstance(log_snr, int | float) else np.reshape(log_snr, (-1, 1))
