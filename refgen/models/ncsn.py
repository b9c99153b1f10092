"""Noise-conditional score networks.                                                            [NCSN]

One network learns the score of the data under noise of many sizes, by denoising score matching; annealed
Langevin dynamics walk from the largest noise to the smallest. Source: Song & Ermon 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as onp

from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.denoisers import Denoiser, LearnedDenoiser
from refgen.formulas.forward import diffuse
from refgen.formulas.parametrisation import unit_power
from refgen.ladders import Ladder, geometric
from refgen.models.checks import require_even_features, require_whole
from refgen.models.error import weighted_error
from refgen.nets.embedding import embedding
from refgen.nets.mlp import MLP
from refgen.samplers.annealed_langevin import annealed_langevin

__all__ = ["NCSN"]

Array = Any

WHOLE = {"dim": 10**6, "T": 100_000, "per_level": 10**6, "hidden": 10**6, "layers": 1000, "features": 10**6}


class _Table(NamedTuple):
    """What the loss looks up at each level t = 0..T, float32."""

    std: Array
    features: Array


@dataclass(frozen=True)
class NCSN:
    """A score network of standardised data under T levels of noise at a constant ratio.

    The network predicts the noise eps, that is -std times the score. Its squared error is the loss of score
    matching with the weight std^2, under which every level counts alike [DSM-12, NCSN-6]. It sees points
    scaled to unit power and the log-SNR, as a DDPM's network does, so either serves the other's samplers.
    There is no log_prob: a score has no normalised density of its own.
    """

    dim: int = 2
    T: int = 20  # levels of noise; 10 to 1000
    largest: float = 4.0  # at least the distance of the modes; 2 to 50
    smallest: float = 0.02  # 0.01 to 0.05, hardly seen in the data
    per_level: int = 50  # Langevin steps at each level; 5 to 100
    langevin_step: float = 0.1  # in units of std^2; 0.02 to 0.4
    hidden: int = 128  # 128; 64 to 512
    layers: int = 3  # 3; 2 to 5
    features: int = 64  # 64; an even number

    def __post_init__(self) -> None:
        require_whole(self, WHOLE)
        require_even_features(self)
        if not 0 < self.langevin_step < 2:
            raise ValueError(f"langevin_step is {self.langevin_step}; it must lie in (0, 2)")
        _ = self.net, self.levels

    @cached_property
    def net(self) -> MLP:
        return MLP(self.dim, self.dim, self.features, self.hidden, self.layers)

    @cached_property
    def levels(self) -> Ladder:
        """The ladder of noise."""
        return geometric(self.T, self.largest, self.smallest)

    @property
    def chain(self) -> int:
        """How many steps `sample` keeps points of."""
        return self.T

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector. The network returns zeros."""
        return self.net.init(rng)

    def predict(self, params: Array, x: Array, log_snr: Array) -> Array:
        """The noise in x, (n, dim), of unit power. log_snr: a number, or an array (n, 1) or (n,)."""
        return self.net(params, x, embedding(log_snr, self.features, xp=array_module(params)))

    def denoiser(self, params: Array) -> LearnedDenoiser:
        """The model as a denoiser, at levels of any power."""
        return LearnedDenoiser(lambda x, log_snr: self.predict(params, x, log_snr), "eps")

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        r"""The loss of a batch x, (n, dim): a uniform level and noise for each point.   [NCSN-3, DSM-12]

        .. math:: \mathbb E_t\,\sigma_t^2\,\mathbb E\Big\lVert s_\theta(x+\sigma_t\epsilon,\sigma_t)
                  +\frac{\epsilon}{\sigma_t}\Big\rVert^2
        """
        table, n = self._table_of(array_module(x)), len(x)
        t = rng.integers(1, self.T + 1, n)
        eps = rng.normal(*x.shape, dtype=x.dtype)
        std = table.std[t]
        x_t, *_ = unit_power(diffuse(x, eps, 1.0, std), 1.0, std)
        weight = array_module(x).full(n, 1 / n, x.dtype)
        return weighted_error(weight, eps, self.net(params, x_t, table.features[t]))

    def _table_of(self, xp: Any) -> _Table:
        """The table where xp makes its arrays, moved there once."""
        if xp not in self._tables:
            std = self.levels.std.astype(onp.float32)[:, None]
            features = embedding(self.levels.log_snr, self.features)
            self._tables[xp] = _Table(xp.asarray(std), xp.asarray(features))
        return self._tables[xp]

    @cached_property
    def _tables(self) -> dict[Any, _Table]:
        return {}

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the denoiser."""
        return (steps or self.T) * self.per_level + 1

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
        """n points, (n, dim), in the dtype of params and on their device, by annealed Langevin.    [NCSN-5]

        steps: of the T levels, evenly spaced; 0 for all. x_0: not needed. denoiser: asked in place of the
        network, for instance an exact one. trajectory: a dict whose keys are the times to keep, in 0..steps.
        """
        levels = self.levels.respaced(steps) if steps else self.levels
        x_T = self.largest * rng.normal(n, self.dim, dtype=params.dtype)
        denoiser = denoiser or self.denoiser(params)
        return annealed_langevin(denoiser, levels, x_T, rng, self.langevin_step, self.per_level, trajectory)
