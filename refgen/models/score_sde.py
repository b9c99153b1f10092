"""Score-based generative modelling through stochastic differential equations.                     [SDE]

A network learns the score of x_t at every time of a noise process; samples run the process back, by its
reverse SDE. Source: Song et al. 2021 (ICLR); Song et al. 2021 (NeurIPS) for the weighting of the likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as onp

from refgen import processes
from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.models.continuous import Continuous, noisy, require_sizes, spread
from refgen.models.error import weighted_error
from refgen.processes import Process
from refgen.samplers.euler_maruyama import euler_maruyama
from refgen.samplers.predictor_corrector import predictor_corrector
from refgen.samplers.probability_flow import probability_flow

__all__ = ["PROCESSES", "SAMPLERS", "WEIGHTINGS", "ScoreSDE"]

Array = Any

PROCESSES = ("vp", "sub-vp", "ve")
WEIGHTINGS = ("simple", "likelihood")
SAMPLERS = ("euler_maruyama", "predictor_corrector", "probability_flow")
NODES = 4096  # between which the log-SNR is a straight line of the time


@dataclass(frozen=True)
class ScoreSDE(Continuous):
    r"""A score network of standardised data at every time of a noise process.

    .. math:: \tfrac12\int w(t)\,E\,\lVert s_\theta(x_t,t)-\nabla\log q(x_t\mid x_0)\rVert^2\,dt

    The network predicts the noise eps, minus std times the score. weighting: "simple" is w = std^2, an error
    in eps that counts alike at all times; "likelihood" is w = g^2, with which the loss bounds the negative
    log-likelihood, in nats, but for a constant. Its times are drawn where g^2 / std^2 is large, so evenly in
    the log-SNR. Samples walk back the reverse SDE, with or without a corrector, or the flow.
    """

    usual: ClassVar[dict[str, Any]] = dict(steps=15_000, cool=0.5)

    dim: int = 2
    process: str = "vp"  # vp, sub-vp, ve
    weighting: str = "simple"  # simple, likelihood
    sampler: str = "euler_maruyama"  # euler_maruyama, predictor_corrector, probability_flow
    T: int = 500  # 100 to 2000
    density_steps: int = 40  # of the integrator, for log_prob
    hidden: int = 128  # 128; 64 to 512
    layers: int = 3  # 3; 2 to 5
    features: int = 64  # 64; an even number

    def __post_init__(self) -> None:
        for name, known in [
            ("process", PROCESSES),
            ("weighting", WEIGHTINGS),
            ("sampler", SAMPLERS),
        ]:
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}")
        require_sizes(self)
        _ = self.net, self.levels

    @cached_property
    def noise(self) -> Process:
        """The noise process."""
        return processes.named(self.process)

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """The loss of a batch x, (n, dim): a time and noise for each point.    [SDE-4, DSM-12]"""
        n, xp = len(x), array_module(x)
        log_snr, weight = self._times(xp, spread(rng, n, x.dtype))
        x_t, eps = noisy(x, log_snr, rng)
        return weighted_error(xp.full(n, weight / n, x.dtype), eps, self.output(params, x_t, log_snr))

    def _times(self, xp: Any, places: Array) -> tuple[Array, float]:
        """log-SNRs, (n,), at places in [0, 1) of the times, and the weight of the squared error in eps.

        Since g^2 / std^2 is minus the slope of the log-SNR, times with that density are even in it.
        """
        line = self._line
        if self.weighting == "likelihood":
            high, low = float(line[0]), float(line[-1])
            return high + (low - high) * places, (high - low) / 2
        if xp not in self._lines:
            self._lines[xp] = xp.asarray(line)
        at = places * NODES
        k = at.astype(onp.int64)
        low, high = self._lines[xp][k], self._lines[xp][k + 1]
        return low + (high - low) * (at - k).astype(places.dtype), 1.0

    @cached_property
    def _line(self) -> onp.ndarray:
        """The log-SNR at even times, from t_min to t_max, float32."""
        times = onp.linspace(self.noise.t_min, self.noise.t_max, NODES + 1)
        return self.noise.log_snr(times).astype(onp.float32)

    @cached_property
    def _lines(self) -> dict[Any, Array]:
        return {}

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the denoiser."""
        steps = steps or self.T
        return steps if self.sampler == "euler_maruyama" else 2 * steps - 1

    def walk(
        self, denoiser: Denoiser, levels: Any, x_T: Array, rng: Stream, trajectory: dict[int, Array] | None
    ) -> Array:
        """By `sampler`, in steps that are even in time; the flow by Heun's method.   [SDE-4, SDE-5, SDE-7]"""
        samplers = euler_maruyama, predictor_corrector, probability_flow
        return samplers[SAMPLERS.index(self.sampler)](denoiser, levels, x_T, rng, trajectory=trajectory)
