"""What the normalizing flows share: a log-density, a loss and samples from a map and its inverse.  [FLOW]

A map x = f(z) takes standard normal z to the data, and knows its way back. The density is exact, and its
negative logarithm at the data is the loss. There is no noise and no score to be denoised.
"""

from __future__ import annotations

from typing import Any, ClassVar

import autograd.numpy as np

from refgen.backend import Stream
from refgen.formulas import flow as formulas
from refgen.formulas.gaussian import log_prob_isotropic

__all__ = ["Flow"]

Array = Any


class Flow:
    """A model that is a chain of invertible maps. It has a field `dim`, and `forward` and `inverse`."""

    log_prob_is: ClassVar[str] = "exact"
    dim: int

    def forward(self, params: Array, z: Array) -> tuple[Array, list[Array]]:
        """x = f(z), (n, dim), and log |det| of each map at what it was given, a list of (n,)."""
        raise NotImplementedError

    def inverse(self, params: Array, x: Array) -> tuple[Array, list[Array]]:
        """z of x, and log |det| of each map as in `forward`, of the way from z to x, in any order."""
        raise NotImplementedError

    def log_prob(self, params: Array, x: Array, rng: Stream | None = None, x_0: Array | None = None) -> Array:
        """Exact log-density, (n,), in nats, at points (n, dim).     [FLOW-12]

        In the precision of params; differentiable in both. rng and x_0: not needed.
        """
        x = x if x.dtype == params.dtype else x.astype(params.dtype)
        return self._log_prob(*self.inverse(params, x))

    def _log_prob(self, z: Array, log_dets: list[Array]) -> Array:
        return formulas.chain_log_prob(log_prob_isotropic(z, np.zeros_like(z), 1.0), log_dets)

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """The negative log-likelihood of a batch x, (n, dim), in nats a point.     [FLOW-14]

        rng: not needed.
        """
        return formulas.negative_log_likelihood(self.log_prob(params, x))

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks for the map: once. steps: not needed."""
        return 1

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
        """n points, (n, dim), in the dtype of params and on their device: f of normal z.

        steps, x_0, denoiser and trajectory: not needed; they are there for all models' sake.
        """
        return self.forward(params, rng.normal(n, self.dim, dtype=params.dtype))[0]
