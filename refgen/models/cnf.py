"""A continuous normalizing flow: a neural ODE that carries noise to the data.                        [FLOW]

Source: Chen, Rubanova, Bettencourt and Duvenaud 2018, section 4; Grathwohl et al. 2019 for the trace; Pal et
al. 2021 for a loss in which the integrator's error has a part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar

import autograd.numpy as np
import numpy as onp

from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.formulas import flow
from refgen.formulas.runge_kutta import Carried, fourth_order, step_error
from refgen.models.checks import require_whole
from refgen.models.flow import Flow
from refgen.nets.field import Field

__all__ = ["CNF", "TRACES"]

Array = Any

TRACES = ("exact", "hutchinson")
FINER = 4  # times as many steps are taken for a density and for samples as in training
WAVES = 3  # cosines of the time that the network is told
WHOLE = {"dim": 10**6, "ode_steps": 10**6, "hidden": 10**6, "layers": 1000}


@dataclass(frozen=True)
class CNF(Flow):
    r"""Noise at t = 0 flows to the data at t = 1 along a network's velocity.

    .. math:: \frac{dx}{dt}=f_\theta(x,t),\qquad
              \log p(x(1))=\log\mathcal N(x(0);0,I)-\int_0^1\mathrm{tr}\,\nabla_xf_\theta(x(t),t)\,dt

    Back in time is as easy as forth. Training differentiates through a few fixed steps of Runge and Kutta's
    method; without `smooth`, a weight of their error in the loss, it learns to exploit them. It may replace
    the trace by an unbiased estimate. Density and samples take the exact trace and four times as many steps;
    the density is exact but for their error, which `log_prob_error` tells.
    """

    dim: int = 2
    ode_steps: int = 6  # 4 to 40, of four evaluations each; in training
    trace: str = "exact"  # exact; hutchinson where dim is large
    smooth: float = 10.0  # weight of the integrator's error in the loss; with 1 and 4 steps it is exploited
    hidden: int = 64  # 32 to 256
    layers: int = 1  # 1 to 3

    usual: ClassVar[dict[str, Any]] = dict(steps=3000, batch=256, lr=5e-3, cool=0.4)

    def __post_init__(self) -> None:
        require_whole(self, WHOLE)
        if not 0 <= self.smooth < math.inf:
            raise ValueError(f"smooth is {self.smooth}; it must be a finite number >= 0")
        if self.trace not in TRACES:
            raise ValueError(f"trace is {self.trace!r}; it must be one of {', '.join(TRACES)}")
        _ = self.field

    @cached_property
    def field(self) -> Field:
        """The network that says the velocity."""
        return Field(self.dim, WAVES, self.hidden, self.layers)

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector. Nothing moves."""
        return self.field.init(rng)

    def forward(self, params: Array, z: Array, steps: int = 0) -> tuple[Array, list[Array]]:
        """x(1) from x(0) = z, (n, dim), and the integral of the trace, one (n,). steps: 0 for 4 ode_steps."""
        x, gained, _ = self._integrated(params, z, steps or FINER * self.ode_steps)
        return x, [gained]

    def inverse(self, params: Array, x: Array, steps: int = 0) -> tuple[Array, list[Array]]:
        """x(0) from x(1) = x, (n, dim), and the integral from 0 to 1. steps: 0 for 4 ode_steps."""
        z, gained, _ = self._integrated(params, x, -(steps or FINER * self.ode_steps))
        return z, [-gained]

    def _integrated(
        self, params: Array, x: Array, steps: int, v: Array | None = None
    ) -> tuple[Array, Array, Array]:
        """Runge and Kutta's fourth-order method, over |steps| steps, back in time where steps < 0.

        v: directions of an estimated trace. Returns the end, the integral of the trace, and a sum over the
        steps: of the squared difference to the midpoint rule, (n,) each. Source: Kutta 1901.
        """
        dt = 1 / steps
        velocity = self.field.over(params, _waves(abs(steps), array_module(params), params.dtype), v)
        now, rough, stages = Carried(x), 0.0, []

        def slopes(at: Carried, t: float) -> Carried:
            stages.append(Carried(*velocity(at.x, round(2 * t / abs(dt)))))
            return stages[-1]

        for k in range(abs(steps)):
            stages.clear()
            now = fourth_order(slopes, now, (0 if steps > 0 else 1) + k * dt, dt)
            (k_1, k_2, k_3, k_4), (g_1, g_2, g_3, g_4) = zip(*((s.x, s.gained) for s in stages), strict=True)
            rough = rough + np.sum((k_1 - k_2 - k_3 + k_4) ** 2, axis=1) + (g_1 - g_2 - g_3 + g_4) ** 2
        return now.x, now.gained, (dt / 6) ** 2 * rough

    def log_prob_error(self, params: Array, x: Array) -> Array:
        """How far off log_prob is at points (n, dim), because the steps are finite: (n,), in nats.

        By how much it changes with half the step: the error falls with its fourth power.
        """
        coarse, fine = (self._log_prob(*self.inverse(params, x, k * FINER * self.ode_steps)) for k in (1, 2))
        return 2**4 * step_error(coarse, fine, 2, 4)

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """The negative log-likelihood of a batch x, (n, dim), in nats, and its error, weighed.  [FLOW-14]

        rng: gives signs, one direction a point, for trace "hutchinson": an unbiased estimate where smooth is
        0, and otherwise with a little more weight on the error.
        """
        x, v = x if x.dtype == params.dtype else x.astype(params.dtype), None
        if self.trace == "hutchinson":
            v = (2 * rng.integers(0, 2, *x.shape) - 1).astype(params.dtype)
        z, gained, rough = self._integrated(params, x, -self.ode_steps, v)
        return flow.negative_log_likelihood(self._log_prob(z, [-gained])) + self.smooth * np.mean(rough)

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the network."""
        return 4 * (steps or FINER * self.ode_steps)

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
        """n points, (n, dim), in the dtype of params and on their device: where normal points flow to.

        steps: of the integrator; 0 for 4 ode_steps. x_0, denoiser and trajectory: not needed.
        """
        return self.forward(params, rng.normal(n, self.dim, dtype=params.dtype), steps)[0]


@cache
def _waves(steps: int, xp: Any, dtype: Any) -> Array:
    """What the network is told at times k / (2 steps), k = 0..2 steps: (2 steps + 1, WAVES)."""
    times = onp.arange(2 * steps + 1) / (2 * steps)
    waves = onp.cos(math.pi * times[:, None] * onp.arange(1, WAVES + 1))
    return xp.asarray(waves.astype(dtype))
