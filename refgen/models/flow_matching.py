r"""Flow matching: a network learns the velocity of straight lines from data to noise.                [FM]

t = 0 is data and t = 1 is noise, x_t = (1 - t) x_0 + t eps, and the velocity is eps - x_0; papers that count
from the noise have the other sign. Source: Lipman et al. 2023; Liu et al. 2023; Tong et al. 2024 for pairs by
optimal transport.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as onp

from refgen.autodiff import array_module
from refgen.backend import Stream, to_host
from refgen.denoisers import Denoiser
from refgen.formulas.flow_matching import target_velocity, v_from_velocity
from refgen.formulas.forward import diffuse
from refgen.formulas.mixture import squared_distances
from refgen.formulas.parametrisation import unit_power
from refgen.formulas.snr import log_snr, unit_level
from refgen.models.continuous import Continuous, require_sizes, spread
from refgen.models.error import weighted_error
from refgen.processes import Straight
from refgen.samplers.probability_flow import probability_flow

__all__ = ["METHODS", "PAIRS", "FlowMatching", "optimal_pairing"]

Array = Any

PAIRS = ("random", "transport")
METHODS = ("euler", "heun", "rk4")
CALLS = {"euler": 1, "heun": 2, "rk4": 4}  # of the network in a step
GROUP = 64  # points that are paired among each other: the work grows faster than their number


@dataclass(frozen=True)
class FlowMatching(Continuous):
    r"""A velocity field that carries noise to standardised data, by a few steps of an ODE.

    .. math:: \min_\theta E\,\lVert u_\theta(x_t,t)-(\epsilon-x_0)\rVert^2

    pairs: how noise is paired with data in training: "random", where the flow is that of the straight
    process, which has a score; or by optimal "transport" within groups of 64 points. Then fewer lines cross,
    and fewer steps are enough; but the noise depends on the data, so the field has no score, and as a
    denoiser it serves no sampler but its own and others that follow the flow of the straight process. The
    pairing is SciPy's, on the host, wherever the model is.
    """

    usual: ClassVar[dict[str, Any]] = dict(steps=15_000, cool=0.5)
    target: ClassVar[str] = "v"

    dim: int = 2
    T: int = 20  # 1 to 100
    pairs: str = "random"  # random, transport
    method: str = "heun"  # euler, heun, rk4
    density_steps: int = 40  # of the integrator, for log_prob
    hidden: int = 128  # 128; 64 to 512
    layers: int = 3  # 3; 2 to 5
    features: int = 64  # 64; an even number

    def __post_init__(self) -> None:
        for name, known in [("pairs", PAIRS), ("method", METHODS)]:
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}")
        require_sizes(self)
        _ = self.net, self.levels

    @property
    def has_score(self) -> bool:
        """Whether the velocity says the score of x_t, too: where noise and data are independent."""
        return self.pairs == "random"

    @cached_property
    def noise(self) -> Straight:
        """The straight path."""
        return Straight()

    def _answer(self, output: Array, x: Array, log_snr: Array) -> Array:
        """v from the velocity, which is the network's output.                        [FM-4]"""
        if not isinstance(log_snr, int | float):
            log_snr = array_module(x).asarray(log_snr, x.dtype).reshape(-1, 1)
        return v_from_velocity(x, output, *unit_level(log_snr))

    def velocity(self, params: Array, x: Array, t: float) -> Array:
        """The velocity at points x_t of the straight path, (n, dim), at a time 0 < t < 1."""
        x, signal, std, _ = unit_power(x, 1.0 - t, t)
        return self.output(params, x, log_snr(signal, std))

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """The loss of a batch x, (n, dim): a time in (0, 1) and noise for each point.   [FM-1, FM-2]"""
        n, xp = len(x), array_module(x)
        t = spread(rng, n, x.dtype)[:, None]
        t = self.noise.t_min + (self.noise.t_max - self.noise.t_min) * t
        eps = rng.normal(*x.shape, dtype=x.dtype)
        if self.pairs == "transport":
            eps = eps[optimal_pairing(x, eps)]
        x_t, signal, std, _ = unit_power(diffuse(x, eps, 1 - t, t), 1 - t, t)
        guess = self.output(params, x_t, log_snr(signal, std))
        return weighted_error(xp.full(n, 1 / n, x.dtype), target_velocity(x, eps), guess)

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the denoiser."""
        return CALLS[self.method] * ((steps or self.T) - 1) + 1

    def walk(
        self, denoiser: Denoiser, levels: Any, x_T: Array, rng: Stream, trajectory: dict[int, Array] | None
    ) -> Array:
        """The flow, in steps that are even in time. The last goes straight to x_0."""
        return probability_flow(denoiser, levels, x_T, rng, self.method, trajectory=trajectory)


def optimal_pairing(x_0: Array, eps: Array, group: int = GROUP) -> Array:
    """Rows of eps, (n,), for the rows of x_0, such that the squared distances have the least sum.    [FM-6]

    Among each group of so many rows, which is not the least of all. x_0, eps: (n, d). Done on the host, by
    SciPy; the rows come back to where x_0 is. Source: Tong et al. 2024, section 3.2.
    """
    from scipy.optimize import linear_sum_assignment  # slow to import, and only wanted here

    x, y, rows = to_host(x_0), to_host(eps), onp.arange(len(x_0))
    for start in range(0, len(x), group):
        some = slice(start, start + group)
        rows[some] = start + linear_sum_assignment(squared_distances(x[some], y[some]))[1]
    return array_module(x_0).asarray(rows)
