"""Adam, in place on one flat vector, its state an ordinary object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Adam"]

Array = Any


@dataclass
class Adam:
    r"""Adam with bias correction.

    .. math:: m \leftarrow \beta_1 m + (1-\beta_1) g,\quad v \leftarrow \beta_2 v + (1-\beta_2) g^2,\quad
              \theta \leftarrow \theta - \lambda\,\frac{m/(1-\beta_1^k)}{\sqrt{v/(1-\beta_2^k)}+\varepsilon}

    m, v: the moments, of the shape and dtype of the parameters. step: k, the number of updates made.
    The state is all there is: the same state and gradients give the same parameters, bit for bit.
    Source: Kingma & Ba 2015, algorithm 1.
    """

    m: Array
    v: Array
    step: int = 0
    lr: float = 1e-3  # usually 1e-4 to 3e-3
    beta1: float = 0.9
    beta2: float = 0.999  # 0.9 to 0.99 where the loss changes as training goes on (GANs)
    eps: float = 1e-8
    scale: float = 1.0  # a factor of lr, set by who warms up or cools down; not part of the state

    @classmethod
    def of(cls, params: Array, lr: float = 1e-3, **options: float) -> Adam:
        """A fresh state for these parameters. Raises ValueError where lr or another option is out of
        range."""
        state = cls(np.zeros_like(params), np.zeros_like(params), lr=lr, **options)  # type: ignore[arg-type]
        for name, value, good, rule in [
            ("lr", state.lr, 0 < state.lr < math.inf, "> 0"),
            ("beta1", state.beta1, 0 <= state.beta1 < 1, "in [0, 1)"),
            ("beta2", state.beta2, 0 <= state.beta2 < 1, "in [0, 1)"),
            ("eps", state.eps, 0 < state.eps < math.inf, "> 0"),
        ]:
            if not good:
                raise ValueError(f"{name} is {value}; it must be {rule}")
        return state

    def update(self, params: Array, gradient: Array) -> None:
        """One update of params, in place."""
        self.step += 1
        shrink = math.sqrt(1 - self.beta2**self.step)  # sqrt(v / s^2) + eps = (sqrt(v) + eps s) / s
        size = self.lr * self.scale * shrink / (1 - self.beta1**self.step)
        work = gradient * (1 - self.beta1)  # all factors are Python floats: float32 stays float32
        self.m *= self.beta1
        self.m += work
        np.multiply(gradient, gradient, out=work)
        work *= 1 - self.beta2
        self.v *= self.beta2
        self.v += work
        np.sqrt(self.v, out=work)
        work += self.eps * shrink
        np.divide(self.m, work, out=work)
        work *= size
        params -= work
