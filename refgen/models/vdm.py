"""Variational diffusion: the noise schedule is learned with the network.                      [SNR-4, SNR-7]

The loss is the bound itself, in nats. With endless steps it depends on the schedule by its ends alone; what
is in between decides how much an estimate from random times varies, and is trained to make that little.
Source: Kingma et al. 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np
import numpy as onp
from autograd.core import make_vjp

from refgen.autodiff import array_module
from refgen.backend import CPU, Stream, to_host
from refgen.denoisers import Denoiser
from refgen.formulas import elbo, snr
from refgen.formulas.ddpm import squared_error
from refgen.formulas.elementary import exp, softplus
from refgen.formulas.gaussian import log_normaliser
from refgen.models.bound import Bound, sum_of_steps
from refgen.models.continuous import Continuous, noisy, require_sizes, spread
from refgen.nets.layout import segment
from refgen.nets.monotone import Monotone
from refgen.processes import through
from refgen.samplers.ancestral import ancestral, step_variances
from refgen.schedules import Schedule, from_log_snr

__all__ = ["OBJECTIVES", "VDM"]

Array = Any

OBJECTIVES = ("endless", "steps")
LEAST_T = 2  # a schedule has two ends


@dataclass(frozen=True)
class VDM(Continuous):
    r"""A diffusion model of standardised data that learns its noise schedule.

    .. math:: -\log p(x)\le L_T+\tfrac12\int_0^1\omega'(t)\,E\lVert\epsilon-\hat\epsilon(x_t)\rVert^2dt+L_0,
              \qquad\mathrm{SNR}(t)=e^{-\omega(t)}

    Here omega(t), minus the log-SNR at time t, is a monotone network that rises from the data (t = 0) to the
    noise (t = 1), so that any parameters give a schedule. Both its ends are learned, by the loss. objective:
    "endless" is this loss in continuous time, that of endlessly many steps. It does not depend on omega
    between the ends; there omega is trained so that the loss of a random time varies little. "steps" is the
    loss of T steps, which depends on all of omega. `bound` gives the bound with T steps, of the learned
    schedule or another; `log_prob` is the density of the flow.
    """

    usual: ClassVar[dict[str, Any]] = dict(steps=7000, cool=0.5)

    dim: int = 2
    objective: str = "endless"  # endless, steps
    T: int = 500  # of the sampler, the bound, and the loss by steps; 50 to 1000
    log_snr_high: float = 9.0  # at the data, where training begins
    log_snr_low: float = -8.0  # at the noise, where training begins
    density_steps: int = 40  # of the integrator, for log_prob
    hidden: int = 128  # 128; 64 to 512
    layers: int = 3  # 3; 2 to 5
    features: int = 64  # 64; an even number

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective is {self.objective!r}; it must be one of {', '.join(OBJECTIVES)}")
        require_sizes(self)
        if self.T < LEAST_T:
            raise ValueError(f"T is {self.T}; a schedule that is learned has two levels or more")
        if not -20 <= self.log_snr_low < self.log_snr_high - 1 <= 24:
            raise ValueError(
                f"log_snr_low is {self.log_snr_low}, log_snr_high {self.log_snr_high}; the log-SNR must "
                "fall by more than 1, within [-20, 25]"
            )
        _ = self.net, self.levels

    @cached_property
    def monotone(self) -> Monotone:
        """The network of the schedule."""
        return Monotone()

    @cached_property
    def levels(self) -> Schedule:  # type: ignore[override]
        """The schedule before training, even in the log-SNR; `levels_at` is the learned one."""
        return from_log_snr(onp.linspace(self.log_snr_high, self.log_snr_low, self.T), "before training")

    def init(self, rng: Stream) -> Array:
        """Parameters before training: of the network, the lower end and the width, the monotone network."""
        width = self.log_snr_high - self.log_snr_low
        ends = rng.xp.asarray(onp.array([self.log_snr_low, width + onp.log(-onp.expm1(-width))], onp.float32))
        return rng.xp.concatenate([self.net.init(rng), ends, self.monotone.init(rng.spawn("schedule"))])

    def output(self, params: Array, x: Array, log_snr: Array) -> Array:
        return super().output(segment(params, 0, self.net.size), x, log_snr)

    def ends(self, schedule: Array) -> tuple[Array, Array]:
        """The highest and the lowest log-SNR, (1,) each, from the parameters of the schedule."""
        low, width = (segment(schedule, k, k + 1) for k in range(2))
        return low + softplus(width), low

    def schedule(self, params: Array) -> Array:
        """The parameters that are not the network's: the lower end, the width, and what is between."""
        return segment(params, self.net.size, self.net.size + 2 + self.monotone.size)

    def log_snr(self, params: Array, t: Array) -> Array:
        """The learned log-SNR, (n,), at times t, (n,), in [0, 1]: it falls.     [SNR-4]"""
        schedule = self.schedule(params)
        high, low = self.ends(schedule)
        return -self.monotone.between(segment(schedule, 2, len(schedule)), t, -high, -low)

    def _at(self, schedule: Array, places: Array) -> Array:
        """At times in [0, 1), (n,): the log-SNR, and omega's slope or the log-SNR a step before; (2, n)."""
        (high, low), inner = self.ends(schedule), segment(schedule, 2, len(schedule))
        if self.objective == "endless":
            omega, slope = self.monotone.between_and_slope(inner, places, -high, -low)
            return np.stack([-omega, slope])
        s = np.floor(places * (self.T - 1)) / (self.T - 1)
        both = np.concatenate([s + 1 / (self.T - 1), s])
        return np.reshape(-self.monotone.between(inner, both, -high, -low), (2, -1))

    def _term(self, params: Array, at: Array, x: Array, rng: Stream) -> Array:
        """The loss of a random time for each point, (n,). params: the network's.        [SNR-7]"""
        x_t, eps = noisy(x, at[0], rng)
        error = squared_error(eps, super().output(params, x_t, at[0]))
        if self.objective == "endless":
            return snr.continuous_term(at[1], error)
        return (self.T - 1) * snr.diffusion_term(at[0], at[1], error)

    def _of_ends(self, x: Array, high: Array, low: Array) -> Array:
        """L_T and L_0 together, (n,)."""
        return elbo.l_T(x, snr.alpha_bar_from_log_snr(low)) + self._l_0(high)

    def _l_0(self, high: Array) -> Array:
        """Of a decoder with the variance 1 / SNR about x_1 / signal, in its mean."""
        return log_normaliser(exp(-high), self.dim) + self.dim / 2

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """Minus the bound, in nats per point, of a batch x, (n, dim): one time a point."""
        schedule = self.schedule(params)
        at = self._at(schedule, spread(rng, len(x), x.dtype))
        term = self._term(segment(params, 0, self.net.size), at, x, rng)
        return np.mean(term + self._of_ends(x, *self.ends(schedule)))

    def update(self, state: Any, batch: Array, rng: Stream) -> None:
        """One step of Adam, in place, along the gradient of the loss.

        But with endless steps what is between the ends follows the gradient of the mean square of the terms,
        since their mean does not depend on it. The slopes by each point's log-SNR serve both.
        Source: Kingma et al. 2021, app. H.
        """
        x, places, n, split = batch, spread(rng, len(batch), batch.dtype), len(batch), self.net.size
        network, schedule = state.params[:split], state.params[split:]
        to_schedule, at = make_vjp(lambda s: self._at(s, places), schedule)
        to_both, term = make_vjp(lambda both: self._term(both[0], both[1], x, rng), (network, at))
        to_ends, of_ends = make_vjp(lambda s: np.mean(self._of_ends(x, *self.ends(s))), schedule)
        of_network, of_at = to_both(array_module(x).full(n, 1 / n, x.dtype))
        of_schedule = to_schedule(of_at) + to_ends(np.ones_like(of_ends))
        if self.objective == "endless":
            of_schedule[2:] = to_schedule(2 * term * of_at)[2:]
        state.adam.update(state.params, np.concatenate([of_network, of_schedule]))
        loss = np.mean(term) + of_ends
        state.loss = float(loss) if rng.device is CPU else loss.astype(onp.float64)

    def levels_at(self, params: Array, steps: int) -> Schedule:
        """The learned schedule with as many steps, even in t, on the host; one step is the noisy end."""
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"steps is {steps!r}; it must be an integer >= 1")
        t = array_module(params).linspace(0.0, 1.0, steps) if steps > 1 else array_module(params).ones(1)
        log_snr = to_host(self.log_snr(params.astype(onp.float64), t))
        return from_log_snr(log_snr, "learned")

    def flow(self, params: Array) -> Any:
        """The process through the learned schedule."""
        return through(self.levels_at(params, self.T))

    def walk(
        self, denoiser: Denoiser, levels: Any, x_T: Array, rng: Stream, trajectory: dict[int, Array] | None
    ) -> Array:
        """The reverse chain, with the variance of the posterior.    [DDPM-2]"""
        return ancestral(denoiser, levels, x_T, rng, "small", trajectory)

    def bound(self, params: Array, x: Array, rng: Stream, levels: Schedule | None = None) -> Bound:
        """Minus the bound with all its steps at points (n, dim), each with noise drawn anew.    [DELBO-7]

        levels: a schedule of T >= 1 steps, the learned one of T if None. Costs T - 1 calls of the network.
        """
        levels = levels or self.levels_at(params, self.T)
        x = array_module(params).asarray(x, params.dtype)
        l_steps = sum_of_steps(self.denoiser(params), levels, x, step_variances(levels), rng)
        l_0 = array_module(x).full(len(x), float(self._l_0(float(levels.log_snr[1]))))
        return Bound(l_0, l_steps, elbo.l_T(x, float(levels.alpha_bar[-1])))
