"""A plain score network: one little noise, its score, and Langevin dynamics.                     [LAN-6]

Trained by implicit, sliced or denoising score matching, of which the last takes no derivative by x. Source:
Hyvarinen 2005; Vincent 2011; Song et al. 2019; what goes wrong with it: Song & Ermon 2019, section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np
import numpy as onp

from refgen.backend import Stream
from refgen.denoisers import Denoiser, OneLevelDenoiser
from refgen.formulas.parametrisation import score_from_eps
from refgen.ladders import Ladder
from refgen.models.checks import require_whole
from refgen.models.score_objectives import OBJECTIVES, loss_is, require_objective, score_loss
from refgen.nets.mlp import MLP
from refgen.samplers.langevin import langevin

__all__ = ["OBJECTIVES", "ScoreNet"]

Array = Any

WHOLE = {"dim": 10**6, "projections": 1000, "chain": 10**6, "hidden": 10**6, "layers": 1000}


@dataclass(frozen=True)
class ScoreNet:
    """A score network of standardised data under noise of one std.

    The network predicts the noise, that is -std times the score, whatever the objective, and the loss has the
    weight std^2, so that all three losses are alike but for d / 2 and their noise. Sampling is Langevin
    dynamics from N(0, start^2 I); its samples keep the noise. Between modes that are well apart there are no
    data, the score there is a guess, and no chain crosses: their weights are those of the guess's basins.
    A step of denoising is five times as fast as one of sliced, and its gradient noisier: give it more steps.
    There is no log_prob: a network's field need not be a gradient. The loss does not go to 0: at best it is
    -std^2/2 times the mean square of the score, and d/2 more for denoising, since noise cannot all be told.
    """

    of_noisy_data: ClassVar[bool] = True
    usual: ClassVar[dict[str, Any]] = dict(cool=0.5)  # else denoising ends in the noise of its gradient

    dim: int = 2
    std: float = 0.05  # of the noise on the data; 0.02 to 0.5
    objective: str = "sliced"  # sliced, denoising, implicit
    projections: int = 1  # of "sliced", for each point; 1 to 10
    law: str = "rademacher"  # of the projections: rademacher, gaussian, sphere
    reduced: bool = True  # "sliced" with the square of the score exact
    chain: int = 2000  # Langevin steps; 100 to 10000
    langevin_step: float = 1.0  # in units of std^2; 0.1 to 1
    start: float = 2.0  # std of where chains begin; wider than the data
    hidden: int = 64  # 64; 64 to 256
    layers: int = 3  # 3; 2 to 5

    def __post_init__(self) -> None:
        require_whole(self, WHOLE)
        require_objective(self.objective, self.projections, self.law)
        for name in ("std", "start"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be > 0")
        if not 0 < self.langevin_step < 2:
            raise ValueError(f"langevin_step is {self.langevin_step}; it must lie in (0, 2)")

    @property
    def loss_is(self) -> str:
        """What the logged loss is, and where it ends."""
        return loss_is(self.objective, "std^2")

    @cached_property
    def net(self) -> MLP:
        return MLP(self.dim, self.dim, 0, self.hidden, self.layers)

    @cached_property
    def levels(self) -> Ladder:
        """The one level of noise."""
        return Ladder(onp.array([0.0, self.std]))

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector. The network returns zeros."""
        return self.net.init(rng)

    def score(self, params: Array, x: Array) -> Array:
        """The score of the noisy data at x, (n, dim)."""
        return score_from_eps(self.net(params, x) + self._beyond(x) / self.std, self.std)

    def _beyond(self, x: Array) -> Array:
        """A smooth pull back into the ball of radius 3 sqrt(dim), which holds nearly all standardised data.

        A network knows nothing there, and may well point outwards. Where there are data it learns the rest.
        """
        length = np.sqrt(np.sum(x**2, axis=1, keepdims=True) + 1e-12)
        over = np.maximum(length - 3 * math.sqrt(self.dim), 0.0)
        return x * (over**2 / (length * (1 + over)))

    def denoiser(self, params: Array) -> OneLevelDenoiser:
        """The model as a denoiser, at its one level."""
        return OneLevelDenoiser(lambda x: self.score(params, x), self.std)

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """std^2 times the objective at a batch x, (n, dim).           [SM-7, SSM-5, SSM-11, DSM-12]"""
        options = self.projections, self.law, self.reduced
        loss = score_loss(self.objective, lambda z: self.score(params, z), x, rng, self.std, *options)
        return loss if self.objective == "denoising" else self.std**2 * loss

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the denoiser."""
        return steps or self.chain

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
        """n noisy points, (n, dim), in the dtype of params and on their device, by Langevin.       [LAN-2]

        steps: of the chain; 0 for `chain`. x_0: not needed. denoiser: asked in place of the network, for
        instance an exact one. trajectory: a dict whose keys are steps still to go, in 0..steps.
        """
        x_T = self.start * rng.normal(n, self.dim, dtype=params.dtype)
        denoiser, steps = denoiser or self.denoiser(params), steps or self.chain
        return langevin(
            denoiser,
            self.levels,
            x_T,
            rng,
            step=self.langevin_step,
            steps=steps,
            denoise=False,
            trajectory=trajectory,
        )
