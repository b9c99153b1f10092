"""A model without a denoiser and without levels of noise: a Gaussian with independent coordinates."""

from dataclasses import dataclass
from typing import ClassVar

import autograd.numpy as np
import numpy as onp

from refgen import models


@dataclass(frozen=True)
class Direct:
    """A Gaussian fitted by maximum likelihood: params are its means and the logarithms of its stds."""

    dim: int = 2
    hidden: int = 4  # of no use here
    shift: float = 0.0  # of its samples: how wrong they are

    log_prob_is: ClassVar[str] = "exact"

    def init(self, rng):
        return onp.zeros(2 * self.dim, onp.float32)

    def loss(self, params, x, rng):
        return -np.mean(self.log_prob(params, x, rng))

    def log_prob(self, params, x, rng, x_0=None):
        mean, log_std = params[: self.dim], params[self.dim :]
        z = (x - mean) * np.exp(-log_std)
        return -0.5 * np.sum(z**2 + onp.log(2 * onp.pi), axis=1) - np.sum(log_std)

    def calls(self, steps=0):
        return 1

    def sample(self, params, n, rng, steps=0, x_0=None, denoiser=None, trajectory=None):
        z = rng.normal(n, self.dim, dtype=params.dtype)
        return params[: self.dim] + onp.exp(params[self.dim :]) * z + onp.float32(self.shift)


def register(monkeypatch):
    """Have the model known under the name `direct`."""
    monkeypatch.setitem(models._WHERE, "direct", (__name__, "Direct"))
