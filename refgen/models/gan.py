"""Generative adversarial networks: a sampler without a density, trained against a discriminator.     [GAN]

Source: Goodfellow et al. 2014; Arjovsky et al. 2017 and Gulrajani et al. 2017 for the critic; Mescheder et
al. 2018 for the penalty at the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np
import numpy as onp
from autograd import elementwise_grad
from autograd.core import make_vjp

from refgen.backend import CPU, Stream
from refgen.formulas import adversarial, noise_contrastive
from refgen.models.checks import require_whole
from refgen.nets.mlp import MLP

__all__ = ["GAN", "OBJECTIVES"]

Array = Any

OBJECTIVES = ("nonsaturating", "minimax", "wasserstein")

WHOLE = {"dim": 10**6, "latent": 10**6, "critic_steps": 1000, "penalty_points": 10**6}
WHOLE |= {"hidden": 10**6, "layers": 1000}

BETA2 = 0.99  # of Adam: what a player is up against changes, so old gradients are soon forgotten


@dataclass(frozen=True)
class GAN:
    r"""A generator of standardised data and its opponent, x = G(z) with z normal.       [GAN-1 to GAN-6]

    .. math:: \min_G\max_D\ \mathbb E_p\log D(x)+\mathbb E_z\log\big(1-D(G(z))\big)

    Each update trains the discriminator on a batch and as many fresh points of the generator, then, every
    `critic_steps` updates, the generator. "minimax" is the game itself, over the mean of log D(x) + log(1 -
    D(G(z))); "nonsaturating" has the generator lose -log D; in "wasserstein" a critic takes the
    discriminator's place. The loss that is shown is the discriminator's: 2 log 2 = 1.386 where it cannot
    tell the two apart, but for "wasserstein". Nothing makes the game converge, the players go round each
    other, and modes can be lost. The average of the weights, which is sampled, is the steadier, and makes
    modes a little too narrow; momentum makes that worse. There is no log_prob, and no score.
    """

    dim: int = 2
    objective: str = "nonsaturating"  # nonsaturating, minimax, wasserstein
    latent: int = 4  # dimension of z; 2 to 16
    critic_steps: int = 1  # updates of the discriminator for one of the generator; 1 to 5
    penalty: float = 1.0  # weight of the slope's penalty; 0 to 10; at 0.1 light modes far away are lost
    penalty_points: int = 64  # of the batch, where the slope is looked at
    momentum: float = 0.0  # beta1 of Adam; 0 to 0.5, 0.9 is unsteady
    hidden: int = 64  # of both networks; 64 to 256
    layers: int = 3  # 2 to 4

    # Players that come to rest together end nearer the data: on the ring 1.7 sampling floors in place of 2.4.
    usual: ClassVar[dict[str, Any]] = dict(cool=0.5)

    def __post_init__(self) -> None:
        require_whole(self, WHOLE)
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective is {self.objective!r}; it must be one of {', '.join(OBJECTIVES)}")
        if not 0 <= self.penalty < math.inf:
            raise ValueError(f"penalty is {self.penalty}; it must be a finite number >= 0")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}; it must lie in [0, 1)")

    @cached_property
    def generator(self) -> MLP:
        return MLP(self.latent, self.dim, 0, self.hidden, self.layers)

    @cached_property
    def discriminator(self) -> MLP:
        return MLP(self.dim, 1, 0, self.hidden, self.layers)

    @property
    def parts(self) -> tuple[slice, slice]:
        """Where the generator's and the discriminator's parameters stand in the flat vector."""
        size = self.generator.size
        return slice(0, size), slice(size, size + self.discriminator.size)

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector, first the generator's."""
        players = self.generator.init(rng, last=1.0), self.discriminator.init(rng, last=1.0)
        return np.concatenate(players)

    def logits(self, params: Array, x: Array) -> Array:
        """log D / (1 - D) at points (n, dim), or the critic's values, (n,), from all the parameters."""
        return self._values(params[self.parts[1]], x)

    def _values(self, params: Array, x: Array) -> Array:
        return self.discriminator(params, x)[:, 0]

    def discriminator_loss(self, params: Array, data: Array, fake: Array, rng: Stream) -> Array:
        """What the discriminator loses, by its own parameters alone: at data and at fake points, (n, dim).

        rng: gives the places of a critic's penalty, on the lines between the two.
        """
        values = self._values(params, np.concatenate([data, fake]))
        pair = values[: len(data)], values[len(data) :]
        critic = self.objective == "wasserstein"
        loss = adversarial.critic_loss(*pair) if critic else noise_contrastive.loss(*pair)
        if not self.penalty:
            return loss
        x = data[: self.penalty_points]
        if critic:
            x = x + rng.uniform(len(x), 1, dtype=x.dtype) * (fake[: len(x)] - x)
        slopes = elementwise_grad(lambda x: self._values(params, x))(x)
        return loss + self.penalty * np.mean(adversarial.gradient_penalty(slopes, 1.0 if critic else 0.0))

    def generator_loss(self, params: Array, against: Array, z: Array) -> Array:
        """What the generator loses, by its own parameters alone, at z, (n, latent); against: the other's."""
        values = self._values(against, self.generator(params, z))
        if self.objective == "wasserstein":
            return -np.mean(values)
        loss = {"minimax": adversarial.minimax_loss, "nonsaturating": adversarial.nonsaturating_loss}
        return np.mean(loss[self.objective](values))

    def update(self, state: Any, batch: Array, rng: Stream) -> None:
        """A step of the discriminator and, where it is its turn, of the generator against the new one.

        In place. Nothing is kept but the moments and the step of Adam, which are in the state.
        """
        ours, theirs = self.parts
        params, adam = state.params, state.adam
        fake = self.generator(params[ours], self._latent(len(batch), rng, params))

        def lost(player: Array) -> Array:
            return self.discriminator_loss(player, batch, fake, rng)

        loss = self._step(state, theirs, lost, adam.step)
        adam.step += 1
        if adam.step % self.critic_steps == 0:
            z = self._latent(len(batch), rng, params)
            turn = adam.step // self.critic_steps - 1
            self._step(state, ours, lambda player: self.generator_loss(player, params[theirs], z), turn)
        state.loss = float(loss) if rng.device is CPU else loss.astype(onp.float64)

    def _step(self, state: Any, part: slice, lost: Any, step: int) -> Array:
        """One step of Adam for one player, its `step + 1`st; returns what it had lost."""
        adam = state.adam
        backward, loss = make_vjp(lost, state.params[part])
        own = replace(adam, m=adam.m[part], v=adam.v[part], step=step, beta1=self.momentum, beta2=BETA2)
        own.update(state.params[part], backward(np.ones_like(loss)))
        return loss

    def _latent(self, n: int, rng: Stream, params: Array) -> Array:
        return rng.normal(n, self.latent, dtype=params.dtype)

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the network."""
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
        """n points, (n, dim), in the dtype of params and on their device, by one pass.

        steps, x_0, denoiser, trajectory: not needed, and not looked at.
        """
        return self.generator(params[self.parts[0]], self._latent(n, rng, params))
