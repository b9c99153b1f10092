"""A Markovian hierarchical variational autoencoder: a chain of latent variables.       [HVAE-1 to HVAE-6]

With fixed linear encoders that only add noise it is a diffusion model. Source: Kingma et al. 2016; Luo 2022.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np

from refgen.backend import Stream, array_module
from refgen.formulas import hierarchical as formulas
from refgen.formulas import latent as one_level
from refgen.models.checks import require_whole
from refgen.models.vae import DECODER_STD
from refgen.nets.conditional import Conditional
from refgen.nets.conditionals import Conditionals
from refgen.schedules import Schedule, named

__all__ = ["ENCODERS", "MHVAE"]

Array = Any

ENCODERS = ("learned", "fixed")
WHOLE = {"dim": 10**6, "depth": 1000, "latent": 10**6, "draws": 10**4, "bound_draws": 10**6, "hidden": 10**6}


@dataclass(frozen=True)
class MHVAE:
    r"""Latent variables in a row, x = z_0, z_1, ..., z_T: an encoder goes up, a decoder down.

    .. math:: q(z_{1:T}\mid x)=\prod_tq(z_t\mid z_{t-1}),\qquad p(x,z_{1:T})=p(z_T)\prod_tp(z_{t-1}\mid z_t)

    All factors are Gaussian networks, each with its own parameters, and p(z_T) = N(0, I). encoder "fixed":
    nothing is learned upwards, z_t is z_{t-1} shrunk and with noise added as `schedule` says, and the bound
    is that of diffusion; it needs latent = dim. layers 0: linear networks, one variance each. depth 1 is the
    variational autoencoder. All levels are drawn at once, `draws` times in training; with 1 it raises the
    plain bound, and may well stay in a bad optimum.
    """

    dim: int = 2
    depth: int = 2  # T, the levels of latent variables; 1 to 5, more with fixed encoders
    latent: int = 2  # dimension of each level; 1 to 16
    encoder: str = "learned"  # learned, fixed
    schedule: str = "cosine"  # of fixed encoders: linear, cosine, quadratic, sigmoid
    draws: int = 5  # of all levels for each point, in training; 1 for the plain bound, to 50
    bound_draws: int = 64  # of all levels for each point, in log_prob; 1 to 5000
    hidden: int = 64  # of every network; 64 to 256
    layers: int = 2  # of every network; 0 for linear ones
    least_std: float = 0.005  # of a decoder; below the finest detail of the data

    log_prob_is: ClassVar[str] = "bound"
    usual: ClassVar[dict[str, Any]] = dict(steps=6000, lr=4e-3, cool=0.5)
    markov: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_whole(self, WHOLE | ({"layers": 1000} if self.layers else {}))
        if self.encoder not in ENCODERS:
            raise ValueError(f"encoder is {self.encoder!r}; it must be one of {', '.join(ENCODERS)}")
        if self.encoder == "fixed" and self.latent != self.dim:
            raise ValueError(f"latent is {self.latent}; with fixed encoders it must be dim, {self.dim}")
        _ = self.factors, self.levels_of_noise

    @cached_property
    def levels_of_noise(self) -> Schedule | None:
        """How much noise each fixed encoder adds."""
        return named(self.schedule, self.depth) if self.encoder == "fixed" else None

    @cached_property
    def factors(self) -> Conditionals:
        """The networks: of q(z_t | .), t = 1..T, where they are learned, then of p(z_{t-1} | .)."""
        widths = [self.dim, *[self.latent] * self.depth]
        spread, found = "told" if self.layers else "one", []
        for t in range(1, self.depth + 1) if self.encoder == "learned" else ():
            below = widths[t - 1] if self.markov else sum(widths[:t])
            found.append(Conditional(below, widths[t], self.hidden, self.layers, spread))
        for t in range(1, self.depth + 1):
            above = widths[t] if self.markov else sum(widths[t:])
            found.append(Conditional(above, widths[t - 1], self.hidden, self.layers, spread, self.least_std))
        return Conditionals(tuple(found))

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector, the encoders' first."""
        count = len(self.factors.nets)
        return self.factors.init(rng, [DECODER_STD if i == count - self.depth else 1.0 for i in range(count)])

    def _given(self, levels: Sequence[Array]) -> Array:
        """What a factor depends on, of the levels on its side, the nearest first."""
        if self.markov or len(levels) == 1:
            return levels[0]
        return np.concatenate([level + 0 * levels[0][..., :1] for level in levels], axis=-1)

    def up(self, params: Array, below: Sequence[Array]) -> tuple[Array, Array]:
        """Mean and variance of q(z_t | .) given the levels z_0, ..., z_{t-1}, (..., width) each."""
        t = len(below)
        if self.levels_of_noise is None:
            return self.factors(params, t - 1, self._given(below[::-1]))
        beta = float(self.levels_of_noise.beta[t])
        return math.sqrt(1 - beta) * below[-1], beta

    def down(self, params: Array, above: Sequence[Array]) -> tuple[Array, Array]:
        """Mean and variance of p(z_{t-1} | .) given the levels z_t, ..., z_T, (..., width) each."""
        return self.factors(params, len(self.factors.nets) - len(above), self._given(above))

    def log_weights(self, params: Array, x: Array, rng: Stream, draws: int = 1) -> Array:
        """Log importance weights, (draws, n), of draws of all levels for each point x, (n, dim).

        Their mean is the bound, that of their exponentials the density. The first encoder sees each point
        once, however many draws there are.                                             [HVAE-1, HVAE-5]
        """
        levels, q, p = [x], [], []
        for _ in range(self.depth):
            q.append(self.up(params, levels))
            eps = rng.normal(draws, len(x), self.latent, dtype=params.dtype)
            levels.append(one_level.draw(*q[-1], eps))
        for t in range(1, self.depth + 1):
            p.append(self.down(params, levels[t:]))
        return formulas.log_weight(levels, *zip(*p, strict=True), *zip(*q, strict=True))

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """Minus the bound of a batch x, (n, dim), in nats a point: of one draw, or of several.   [HVAE-1]"""
        return -np.mean(one_level.importance_bound(self.log_weights(params, x, rng, self.draws), axis=0))

    def log_prob(self, params: Array, x: Array, rng: Stream, x_0: Array | None = None) -> Array:
        """The bound of `bound_draws` importance weights, (n,), in nats: below log p(x) on average.  [HVAE-1]

        x: (n, dim). x_0: not needed.
        """
        x = array_module(params).asarray(x, params.dtype)
        each = [self.log_weights(params, x, rng) for _ in range(self.bound_draws)]
        return one_level.importance_bound(np.concatenate(each), axis=0)

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks a network: once a level."""
        return self.depth

    def sample(
        self,
        params: Array,
        n: int,
        rng: Stream,
        steps: int = 0,
        x_0: Array | None = None,
        denoiser: Any = None,
        trajectory: dict[int, Array] | None = None,
    ) -> Array:
        """n points, (n, dim), in the dtype of params and on their device, from z_T down, noise at each level.

        steps, x_0, denoiser, trajectory: not needed, and not looked at.
        """
        above = [rng.normal(n, self.latent, dtype=params.dtype)]
        for _ in range(self.depth):
            mean, var = self.down(params, above)
            above.insert(0, one_level.draw(mean, var, rng.normal(*mean.shape, dtype=params.dtype)))
        return above[0]
