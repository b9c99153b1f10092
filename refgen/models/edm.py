"""The diffusion model of Karras et al. 2022: a preconditioned denoiser and Heun's steps.           [EDM]

A network learns what is missing from the best linear guess of x_0, scaled so that what goes in and what comes
out have variance one at every noise. Source: Karras et al. 2022, table 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from refgen import processes
from refgen.autodiff import array_module
from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas import edm as formulas
from refgen.formulas.elementary import exp
from refgen.formulas.snr import unit_level
from refgen.models.continuous import Continuous, noisy, require_sizes
from refgen.models.error import weighted_error
from refgen.samplers.edm import edm

__all__ = ["EDM"]

Array = Any

DATA_STD = 1.0  # of standardised data


@dataclass(frozen=True)
class EDM(Continuous):
    r"""A denoiser of standardised data at any noise.

    .. math:: D(x;\sigma)=c_{skip}\,x+c_{out}\,F_\theta(c_{in}\,x;\,c_{noise}),\qquad
              \log\sigma\sim\mathcal N(-1.2,\,1.2^2)

    The weight of the error in x_0 is 1 / c_out^2, so that all noises have the same loss, and how often each
    is trained is said by the law of sigma alone. Sampling follows the flow by Heun's steps along levels that
    are finer near the data: T of them ask the network 2 T - 1 times.
    """

    usual: ClassVar[dict[str, Any]] = dict(steps=15_000, cool=0.5)
    target: ClassVar[str] = "x_0"
    spacing: ClassVar[str] = "edm"

    dim: int = 2
    T: int = 32  # 18 to 40
    smallest: float = 0.002  # 0.002
    largest: float = 80.0  # 80; far above the data
    noise_mean: float = -1.2  # of log sigma in training
    noise_std: float = 1.2  # of log sigma in training
    density_steps: int = 40  # of the integrator, for log_prob
    hidden: int = 128  # 128; 64 to 512
    layers: int = 3  # 3; 2 to 5
    features: int = 64  # 64; an even number

    def __post_init__(self) -> None:
        require_sizes(self)
        if not -20 < self.noise_mean < 20:
            raise ValueError(f"noise_mean is {self.noise_mean}; it must lie in (-20, 20)")
        if not 0 < self.noise_std < 20:
            raise ValueError(f"noise_std is {self.noise_std}; it must lie in (0, 20)")
        _ = self.net, self.levels

    @cached_property
    def noise(self) -> processes.EDM:
        """Noise of which the time is the std."""
        return processes.EDM(self.smallest, self.largest)

    def _answer(self, output: Array, x: Array, log_snr: Array) -> Array:
        """The denoised point D. x is c_in times the noisy one, which is x / signal.          [EDM-1]"""
        if not isinstance(log_snr, int | float):
            log_snr = array_module(x).asarray(log_snr, x.dtype).reshape(-1, 1)
        signal, _ = unit_level(log_snr)
        return formulas.denoised(x / signal, output, exp(-log_snr / 2), DATA_STD)

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        r"""The loss of a batch x, (n, dim): a noise of log-normal size for each point.      [EDM-1, EDM-2]

        .. math:: \mathbb E\,\lambda(\sigma)\lVert D(x_0+\sigma\epsilon;\sigma)-x_0\rVert^2
                  =\mathbb E\,\Big\lVert F_\theta-\frac{x_0-c_{skip}\,x_t}{c_{out}}\Big\rVert^2
        """
        n, xp = len(x), array_module(x)
        log_std = self.noise_mean + self.noise_std * rng.normal(n, 1, dtype=x.dtype)
        x_t, _ = noisy(x, -2 * log_std, rng)
        signal, _ = unit_level(-2 * log_std)
        target = formulas.network_target(x_t / signal, x, exp(log_std), DATA_STD)
        return weighted_error(xp.full(n, 1 / n, x.dtype), target, self.output(params, x_t, -2 * log_std))

    def calls(self, steps: int = 0) -> int:
        """How often `sample` asks the denoiser."""
        return 2 * (steps or self.T) - 1

    def walk(
        self, denoiser: Denoiser, levels: Any, x_T: Array, rng: Stream, trajectory: dict[int, Array] | None
    ) -> Array:
        """Heun's steps without churn.                                              [EDM-3]"""
        return edm(denoiser, levels, x_T, rng, trajectory=trajectory)
