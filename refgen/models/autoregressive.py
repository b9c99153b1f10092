"""An autoregressive model: each coordinate a mixture of Gaussians, given those before it.          [TAX-5]

Source: the chain rule with a network, Bengio & Bengio 2000; one masked network for all coordinates, Germain
et al. 2015; mixtures whose parameters a network tells, Bishop 2006, section 5.6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np
import numpy as onp

from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.formulas import autoregressive as formulas
from refgen.formulas.elementary import softplus
from refgen.models.checks import require_whole
from refgen.nets.masked import Masked

__all__ = ["Autoregressive"]

Array = Any

WHOLE = {"dim": 10**6, "components": 10**4, "hidden": 10**6, "layers": 1000}


@dataclass(frozen=True)
class Autoregressive:
    r"""One coordinate after the other, each a mixture of Gaussians given those before it.

    .. math:: p(x)=\prod_{i=1}^dp(x_i\mid x_1,\dots,x_{i-1})

    The density is exact and needs no constant: every factor has the integral 1. It is found in one pass
    through the network; a sample takes d passes, since each coordinate waits for those before it. There is
    no noise and no score to be denoised.
    """

    dim: int = 2
    components: int = 10  # 5 to 30; of each coordinate's mixture
    least_std: float = 0.01  # 0.001 to 0.03; below the finest detail of the data
    hidden: int = 64  # 64 to 256
    layers: int = 3  # 2 to 4

    log_prob_is: ClassVar[str] = "exact"

    def __post_init__(self) -> None:
        require_whole(self, WHOLE)
        if not 0 < self.least_std < math.inf:
            raise ValueError(f"least_std is {self.least_std}; it must be a finite number > 0")
        _ = self.net

    @cached_property
    def net(self) -> Masked:
        return Masked(self.dim, 3 * self.components, self.hidden, self.layers)

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector.

        The components of each coordinate lie evenly between -2 and 2, overlap, and do not look at what was
        before: equal ones would stay equal.
        """
        params, k = self.net.init(rng), self.components
        bias = self.net.net.layout.views(params)[-1].reshape(self.dim, 3 * k)
        bias[:, k : 2 * k] = rng.xp.linspace(-2, 2, k, dtype=onp.float32) if k > 1 else 0.0
        bias[:, 2 * k :] = math.log(4 / k) if k > 4 else 0.0
        return params

    def conditionals(self, params: Array, x: Array) -> tuple[Array, Array, Array]:
        """Logits, means and log_stds, (n, dim, components), of every coordinate given those before it.

        x: (n, dim). In the precision of params; differentiable in both.
        """
        logits, means, widths = np.split(self.net(params, x), 3, axis=-1)
        low = math.log(self.least_std)
        return logits, means, low + softplus(widths - low)  # std = least_std + exp(width)

    def log_prob(self, params: Array, x: Array, rng: Stream | None = None, x_0: Array | None = None) -> Array:
        """Exact log-density, (n,), in nats, at points (n, dim). rng and x_0: not needed."""
        x = x if x.dtype == params.dtype else x.astype(params.dtype)
        return formulas.log_prob(x, *self.conditionals(params, x))

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """The negative log-likelihood of a batch x, (n, dim), in nats a point. rng: not needed."""
        return -np.mean(self.log_prob(params, x))

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the network: once for each coordinate. steps: not needed."""
        return self.dim

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
        """n points, (n, dim), in the dtype of params and on their device, one coordinate after the other.

        steps, x_0, denoiser and trajectory: not needed; they are there for all models' sake.
        """

        def conditional(before: Array) -> tuple[Array, ...]:
            i = before.shape[1]
            rest = array_module(params).zeros((n, self.dim - i), params.dtype)
            told = self.conditionals(params, np.concatenate([before, rest], axis=1))
            return tuple(part[:, i] for part in told)

        u, eps = (draw(n, self.dim, dtype=params.dtype) for draw in (rng.uniform, rng.normal))
        return formulas.ancestral(u, eps, conditional)
