"""Energy-based models: a density up to its constant, trained in six ways.                       [EBM]

The network tilts a broad Gaussian, so that the constant is finite whatever its parameters are: its output
grows no faster than |x|, the Gaussian's energy as |x|^2. Source: Xie et al. 2016; LeCun et al. 2006.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np
import numpy as onp
from autograd.core import make_vjp
from autograd.tracer import getval

from refgen.autodiff import array_module
from refgen.backend import CPU, Stream
from refgen.denoisers import Denoiser, OneLevelDenoiser
from refgen.formulas import energy as formulas
from refgen.formulas import noise_contrastive
from refgen.formulas.forward import diffuse
from refgen.formulas.gaussian import log_prob_isotropic
from refgen.ladders import Ladder
from refgen.models import score_objectives
from refgen.models.checks import require_whole
from refgen.models.quadrature import grid_log_normaliser
from refgen.nets.mlp import MLP
from refgen.samplers import smc
from refgen.samplers.mala import adjusted

__all__ = ["EBM", "OBJECTIVES"]

Array = Any

CHUNK = 500  # points whose activations stay in cache

OBJECTIVES = ("pcd", "cd", "nce", *score_objectives.OBJECTIVES)

# What the logged loss is, where it is no score's.
_CHAINS = "energy of the data minus that of the chains: about 0 where these are alike, no measure of progress"
_NCE = "logistic loss of telling data from noise: at best what Bayes' rule leaves, above 0"
LOSS_IS = {"pcd": _CHAINS, "cd": _CHAINS, "nce": _NCE}

WHOLE = {"dim": 10**6, "chain_steps": 10**6, "noise_ratio": 10**4, "stages": 10**6, "per_stage": 10**6}
WHOLE |= {"hidden": 10**6, "layers": 1000}


@dataclass(frozen=True)
class EBM:
    """An energy-based model of standardised data under a little noise: the density is exp(-E) / Z.

    E is that of a broad Gaussian minus the network's output, and Z a sum over a grid in 1-D and 2-D.
    Contrastive divergence (cd, pcd) makes the energy low at data and high where a few Langevin steps lead,
    from the data, or from where the steps before had led. Noise-contrastive estimation (nce) tells data from
    draws of the broad Gaussian and learns log Z besides. Score matching (implicit, sliced, denoising) does
    without Z and does not see the weights of modes that are apart. No loss ends at 0: that of cd and pcd, an
    energy minus another, is near it all the time and measures nothing, that of nce stays above what Bayes'
    rule leaves, and score matching's is below 0, but above it for denoising. The usual 10,000 steps in two
    dimensions take 25 s of a core (nce) to 75 s (sliced), but implicit 110 s, and more for each further
    dimension.
    """

    dim: int = 2
    objective: str = "pcd"  # how it is trained
    std: float = 0.05  # of the noise on the data; 0.02 to 0.2
    base_std: float = 2.0  # tau; 1.5 to 3, wider than the data
    chain_steps: int = 1  # 1 to 50, for cd and pcd
    jumps: int = 4  # proposals from the broad Gaussian for each chain in an update, for pcd; 0 for none
    mala_step: float = 2.0  # in units of std^2; 0.5 to 5
    noise_ratio: int = 2  # points of noise for one of data, for nce
    stages: int = 60  # of the sampler, from the broad Gaussian to the model
    per_stage: int = 4  # Langevin steps at each
    hidden: int = 64  # 64 to 256
    layers: int = 3  # 2 to 4

    log_prob_is: ClassVar[str] = "exact"
    of_noisy_data: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_whole(self, WHOLE)
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective is {self.objective!r}; it must be one of {', '.join(OBJECTIVES)}")
        if isinstance(self.jumps, bool) or not isinstance(self.jumps, int) or not 0 <= self.jumps <= 1000:
            raise ValueError(f"jumps is {self.jumps!r}; it must be an integer in 0..1000")
        for name in ("std", "base_std", "mala_step"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be a finite number > 0")
        _ = self.net, self.levels

    @cached_property
    def net(self) -> MLP:
        return MLP(self.dim, 1, 0, self.hidden, self.layers)

    @cached_property
    def levels(self) -> Ladder:
        """The one level of noise."""
        return Ladder(onp.array([0.0, self.std]))

    @property
    def loss_is(self) -> str:
        """What the logged loss is, and where it ends."""
        return LOSS_IS.get(self.objective) or score_objectives.loss_is(self.objective)

    @property
    def knows_density(self) -> bool:
        """Whether log Z can be had, which takes a grid."""
        return self.dim <= 2

    @property
    def chain(self) -> int:
        """How many stages a sample goes through."""
        return self.stages

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector, of the network, and log Z for nce.

        The energy is that of the broad Gaussian.
        """
        params = self.net.init(rng)
        return np.append(params, params[:1] * 0) if self.objective == "nce" else params

    def energy(self, params: Array, x: Array) -> Array:
        """E(x), (n,), at points (n, dim), in the precision of params; differentiable in both."""
        x = x if x.dtype == params.dtype else x.astype(params.dtype)
        return -self._base(x) - self.net(params[: self.net.size], x)[:, 0]

    def _base(self, x: Array) -> Array:
        return log_prob_isotropic(x, np.zeros_like(x), self.base_std**2)

    def score(self, params: Array, x: Array) -> Array:
        """The score, (n, dim), which Z is not in."""
        return formulas.score(lambda x: self.energy(params, x), x)

    def denoiser(self, params: Array) -> OneLevelDenoiser:
        """The model at its level of noise; log_prob is that up to the constant."""
        return OneLevelDenoiser(
            lambda x: self.score(params, x),
            self.std,
            lambda x: -self.energy(params, x),
            lambda x: self.log_prob_and_score(params, x),
        )

    def log_z(self, params: Array) -> tuple[Array, Array]:
        """log Z and how far off it may be, by a sum over a grid.   [EBM-2]

        Numbers of no axes, float64. Raises ValueError for dim > 2.
        """
        return grid_log_normaliser(
            lambda x: self.energy(params, x), self.dim, 6 * self.base_std, self.std / 2, params
        )

    def learned_log_z(self, params: Array) -> Array:
        """log Z as training by nce found it, a number of no axes. Raises ValueError for another objective."""
        if self.objective != "nce":
            raise ValueError(f"objective is {self.objective!r}; only nce learns log Z")
        return params[-1]

    def log_prob(self, params: Array, x: Array, rng: Stream | None = None, x_0: Array | None = None) -> Array:
        """Log-density, (n,), in nats, by the sum over a grid. rng and x_0: not needed.

        Raises ValueError for dim > 2.
        """
        log_z, _ = self.log_z(params)
        return formulas.log_prob(self.energy(params, x), log_z.astype(params.dtype))

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """The objective's loss of a batch x, (n, dim); pcd, which has no chains here, is cd."""
        if self.objective in score_objectives.OBJECTIVES:
            return score_objectives.score_loss(
                self.objective, lambda x: self.score(params, x), x, rng, self.std
            )
        x = diffuse(x, rng.normal(*x.shape, dtype=x.dtype), 1.0, self.std)
        if self.objective == "nce":
            return self._noise_contrastive(params, x, rng)
        return self._contrastive(params, x, self.moved(getval(params), x, rng))

    def _contrastive(self, params: Array, data: Array, model: Array) -> Array:
        energies = self.energy(params, np.concatenate([data, model]))
        return formulas.contrastive_loss(energies[: len(data)], energies[len(data) :])

    def _noise_contrastive(self, params: Array, x: Array, rng: Stream) -> Array:
        noise = self.base_std * rng.normal(self.noise_ratio * len(x), self.dim, dtype=x.dtype)
        both = np.concatenate([x, noise])
        log_model = formulas.log_prob(self.energy(params, both), params[-1])
        odds = noise_contrastive.log_odds(log_model, self._base(both), self.noise_ratio)
        return noise_contrastive.loss(odds[: len(x)], odds[len(x) :], self.noise_ratio)

    def moved(self, params: Array, x: Array, rng: Stream) -> Array:
        """Where `chain_steps` Langevin steps with Metropolis' test lead from the points x, (n, dim)."""
        step = self.mala_step * self.std**2
        x, _ = adjusted(lambda x: self.log_prob_and_score(params, x), x, rng, step, self.chain_steps)
        return x

    def jumped(self, params: Array, x: Array, rng: Stream) -> Array:
        r"""The points x, (n, dim), or others from the broad Gaussian, by Metropolis' test, `jumps` times.

        .. math:: \min\big(1, e^{f_\theta(x')-f_\theta(x)}\big),\qquad x'\sim\mathcal N(0,\tau^2I)

        No Langevin step crosses between modes that are apart; this does, where dimensions are few. It leaves
        the model's law as it is, as those steps do.
        """
        if not self.jumps:
            return x
        n = len(x)
        new = self.base_std * rng.normal(self.jumps * n, self.dim, dtype=x.dtype)
        tilt = self.net(params, np.concatenate([x, new]))[:, 0]
        u = rng.uniform(self.jumps * n, dtype=x.dtype)
        here = tilt[:n]
        for k in range(self.jumps):
            part = slice(k * n, k * n + n)
            there = tilt[n:][part]
            goes = u[part] < np.exp(np.minimum(there - here, 0))
            x, here = np.where(goes[:, None], new[part], x), np.where(goes, there, here)
        return x

    def log_prob_and_score(self, params: Array, x: Array) -> tuple[Array, Array]:
        """The log-density up to its constant, (n,), and the score, (n, dim): one pass through the network."""
        size = CHUNK if array_module(x) is onp else max(1, len(x))
        energies, scores = [], []
        for k in range(0, max(1, len(x)), size):
            backward, energy = make_vjp(lambda x: self.energy(params, x), x[k : k + size])
            energies.append(energy)
            scores.append(-backward(np.ones_like(energy)))
        return -np.concatenate(energies), np.concatenate(scores)

    def update(self, state: Any, batch: Array, rng: Stream) -> None:
        """One Adam step, in place. The chains of pcd go on from where they were, in state.extra["chains"].

        Source: Tieleman 2008.
        """
        if self.objective == "pcd":
            x = diffuse(batch, rng.normal(*batch.shape, dtype=batch.dtype), 1.0, self.std)
            chains = self.jumped(state.params, state.extra.get("chains", x), rng)
            chains = state.extra["chains"] = self.moved(state.params, chains, rng)
            backward, loss = make_vjp(lambda params: self._contrastive(params, x, chains), state.params)
        else:
            backward, loss = make_vjp(lambda params: self.loss(params, batch, rng), state.params)
        state.adam.update(state.params, backward(np.ones_like(loss)))
        state.loss = float(loss) if rng.device is CPU else loss.astype(onp.float64)

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the denoiser: for its log_prob, or for that and the score in one pass."""
        return (steps or self.stages) * (self.per_stage + 2)

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
        """n points, (n, dim), in the dtype of params and on their device, by way of the broad Gaussian.

        steps: stages of `smc`; 0 for the model's own. x_0: not needed. denoiser: asked in place of the
        network, for instance an exact one; it must have a log_prob. trajectory: a dict whose keys are stages
        still to go.
        """
        return smc.drawn(
            denoiser or self.denoiser(params),
            self.levels,
            (n, self.dim),
            rng,
            params.dtype,
            self.base_std,
            trajectory,
            step=self.mala_step,
            steps=steps or self.stages,
            per_stage=self.per_stage,
            denoise=False,
        )
