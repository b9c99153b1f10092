"""What the models in continuous time share: a network at any noise level, a walk along levels, a density.

The network sees points scaled to unit power and is told the log-SNR, so that it knows all levels of every
process; a `Grid` of T of them is where its sampler stops. The density is that of the probability-flow ODE.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np

from refgen import likelihood
from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.denoisers import Denoiser, LearnedDenoiser
from refgen.formulas.forward import diffuse
from refgen.formulas.snr import unit_level
from refgen.models.checks import require_even_features, require_whole
from refgen.nets.embedding import embedding
from refgen.nets.mlp import MLP
from refgen.processes import Grid, Process

__all__ = ["Continuous", "noisy", "require_sizes", "spread"]

Array = Any

WHOLE = {"dim": 10**6, "T": 100_000, "hidden": 10**6, "layers": 1000, "features": 10**6}
WHOLE |= {"density_steps": 10**6}


class Continuous:
    """A network that is trained at noise levels drawn from a continuum.

    A subclass is a frozen dataclass with these fields, and says `noise`, the process, `loss` and `walk`; and
    `target` and `_answer` where the network predicts another thing than eps.
    """

    log_prob_is: ClassVar[str] = "exact"
    target: ClassVar[str] = "eps"
    spacing: ClassVar[str] = "time"
    dim: int
    T: int
    density_steps: int  # of Runge and Kutta's method, even in the log-SNR; >= 2
    hidden: int
    layers: int
    features: int
    noise: Any  # the Process

    @cached_property
    def net(self) -> MLP:
        return MLP(self.dim, self.dim, self.features, self.hidden, self.layers)

    @cached_property
    def levels(self) -> Grid:
        """Where the sampler stops: T levels of the process."""
        return self.noise.grid(self.T, self.spacing)

    @property
    def chain(self) -> int:
        """How many steps `sample` keeps points of."""
        return self.T

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector. The network returns zeros."""
        return self.net.init(rng)

    def output(self, params: Array, x: Array, log_snr: Array) -> Array:
        """What the network says at points of unit power, (n, dim). log_snr: a number, (n,) or (n, 1)."""
        features = embedding(log_snr, self.features, params.dtype, array_module(params))
        return self.net(params, x, features)

    def _answer(self, output: Array, x: Array, log_snr: Array) -> Array:
        """The target from the network's output at points x of unit power."""
        return output

    def predict(self, params: Array, x: Array, log_snr: Array) -> Array:
        """The target at points x of unit power, (n, dim). log_snr: a number, (n,) or (n, 1)."""
        return self._answer(self.output(params, x, log_snr), x, log_snr)

    def denoiser(self, params: Array) -> LearnedDenoiser:
        """The model as a denoiser, at levels of any power."""
        return LearnedDenoiser(lambda x, log_snr: self.predict(params, x, log_snr), self.target)

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the denoiser."""
        return steps or self.T

    def walk(
        self, denoiser: Denoiser, levels: Any, x_T: Array, rng: Stream, trajectory: dict[int, Array] | None
    ) -> Array:
        """From noise at the last level to data: the model's own sampler."""
        raise NotImplementedError

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
        """n points, (n, dim), in the dtype of params and on their device, by the model's own sampler.

        steps: how many levels it stops at, spaced as its T are; 0 for T. x_0: not needed. denoiser: asked in
        place of the network, for instance an exact one. trajectory: a dict whose keys are the levels to keep,
        in 0..steps; its values become x there.
        """
        levels = self.levels_at(params, steps or self.T)
        x_T = levels.level(levels.T)[1] * rng.normal(n, self.dim, dtype=params.dtype)
        return self.walk(denoiser or self.denoiser(params), levels, x_T, rng, trajectory)

    def levels_at(self, params: Array, steps: int) -> Any:
        """Where the sampler stops with as many steps."""
        return self.levels if steps == self.T else self.noise.grid(steps, self.spacing)

    def flow(self, params: Array) -> Process:
        """The process along which `log_prob` goes."""
        return self.noise

    def log_prob(self, params: Array, x: Array, rng: Stream | None = None, x_0: Array | None = None) -> Array:
        """Log-density of points (n, dim) in nats, (n,), by the probability-flow ODE.     [SDE-9]

        It is that of the model under the noise of the process's first level, which is little, and exact but
        for the integrator's error, `log_prob_error`. Nothing is drawn; rng and x_0: not needed.
        """
        return self._log_prob(params, x)[0]

    def log_prob_error(self, params: Array, x: Array) -> Array:
        """How far off log_prob is at points (n, dim), because the steps are finite: (n,), in nats."""
        return self._log_prob(params, x)[1]

    def _log_prob(self, params: Array, x: Array) -> tuple[Array, Array]:
        x = array_module(params).asarray(x, params.dtype)
        return likelihood.log_prob(self.denoiser(params), self.flow(params), x, steps=self.density_steps)


def require_sizes(model: Continuous) -> None:
    """Raise ValueError for a size that the models in continuous time share and that is out of range."""
    require_whole(model, WHOLE)
    require_even_features(model)
    if model.density_steps < 2:
        raise ValueError(
            f"density_steps is {model.density_steps}; it must be >= 2, since half of them tell the error"
        )


def noisy(x: Array, log_snr: Array, rng: Stream) -> tuple[Array, Array]:
    """x_t of unit power and the noise in it, (n, dim) each, for points x at log-SNRs (n,), or at one."""
    signal, std = unit_level(log_snr if isinstance(log_snr, float) else np.reshape(log_snr, (-1, 1)))
    eps = rng.normal(*x.shape, dtype=x.dtype)
    return diffuse(x, eps, signal, std), eps


def spread(rng: Stream, n: int, dtype: Any) -> Array:
    """n uniform numbers in [0, 1), (n,), one in each n-th of it: a mean over them varies less.

    One number is drawn, and the others follow at equal distances. Source: Kingma et al. 2021, app. I.1.
    """
    places = rng.uniform(1, dtype=dtype) + rng.xp.arange(n, dtype=dtype) / n
    return places - np.floor(places)
