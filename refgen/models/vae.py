"""A variational autoencoder: a Gaussian decoder, and a Gaussian encoder trained with it.   [ELBO-1 to ELBO-8]

Source: Kingma & Welling 2014; Rezende et al. 2014; Burda et al. 2016 for the bound of several draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np

from refgen.backend import Stream, array_module
from refgen.formulas import latent as formulas
from refgen.models.checks import require_whole
from refgen.models.quadrature import log_normaliser_with_error
from refgen.nets.conditional import Conditional
from refgen.nets.conditionals import Conditionals

__all__ = ["DECODER_STD", "VAE"]

Array = Any

WHOLE = {"dim": 10**6, "latent": 10**6, "draws": 10**4, "bound_draws": 10**6, "hidden": 10**6}

# Of an untrained decoder. One that begins wide explains nothing, the encoder learns to say nothing, and both
# may stay so: on the ring of Gaussians that cost 0.5 nats more.
DECODER_STD = 0.3


@dataclass(frozen=True)
class VAE:
    r"""A decoder p(x | z) of a normal z, and an encoder q(z | x), both Gaussian networks.

    .. math:: \log p(x)\ge E_{q(z\mid x)}[\log p(x\mid z)]-D_{KL}(q(z\mid x)\Vert p(z))

    Training raises this bound where draws is 1, and the tighter one of so many importance weights where it is
    more: its encoder is then a worse posterior and its decoder the better law. On the ring of Gaussians 1 may
    stay 0.85 nats above the entropy, in one of its many bad optima, where 5 comes to 0.03. A sample is a
    draw from p(x | z), not its mean: without the decoder's noise points would lie on too thin a sheet.
    layers 0 makes both linear, and the decoder's variance one number: probabilistic principal components,
    where all is known in closed form. `log_prob` is the importance-weighted bound of `bound_draws`, which
    never falls with more of them, and the bound above with 1. `log_likelihood` is exact, by quadrature.
    """

    dim: int = 2
    latent: int = 2  # dimension of z; 1 to 16
    draws: int = 5  # of z for each point, in training; 1 for the plain bound, to 50
    bound_draws: int = 64  # of z for each point, in log_prob; 1 to 5000
    hidden: int = 64  # of both networks; 64 to 256
    layers: int = 3  # of both; 0 for linear ones
    least_std: float = 0.005  # of the decoder; below the finest detail of the data

    log_prob_is: ClassVar[str] = "bound"
    usual: ClassVar[dict[str, Any]] = dict(steps=8000, lr=4e-3, cool=0.5)

    def __post_init__(self) -> None:
        require_whole(self, WHOLE | ({"layers": 1000} if self.layers else {}))
        _ = self.nets

    @cached_property
    def nets(self) -> Conditionals:
        """The networks of the encoder, q(z | x), and of the decoder, p(x | z)."""
        sizes = self.hidden, self.layers
        encoder = Conditional(self.dim, self.latent, *sizes, "told" if self.layers else "each")
        decoder = Conditional(self.latent, self.dim, *sizes, "told" if self.layers else "one", self.least_std)
        return Conditionals((encoder, decoder))

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector, first the encoder's."""
        return self.nets.init(rng, [1.0, DECODER_STD])

    def encode(self, params: Array, x: Array) -> tuple[Array, Array]:
        """Mean (n, latent) and variances of q(z | x) at points (n, dim), in the precision of params."""
        return self.nets(params, 0, x if x.dtype == params.dtype else x.astype(params.dtype))

    def decode(self, params: Array, z: Array) -> tuple[Array, Array]:
        """Mean (..., dim) and variances of p(x | z) at z, (..., latent)."""
        return self.nets(params, 1, z)

    def loss(self, params: Array, x: Array, rng: Stream) -> Array:
        """Minus the bound of a batch x, (n, dim), in nats a point: of one draw, or of several.     [ELBO-6]

        With one draw the divergence from the prior is in closed form, and only the reconstruction is drawn.
        """
        if self.draws > 1:
            return -np.mean(formulas.importance_bound(self._log_weights(params, x, rng, self.draws), axis=0))
        return -np.mean(self.elbo(params, x, rng))

    def elbo(self, params: Array, x: Array, rng: Stream) -> Array:
        """The evidence lower bound, (n,), at points (n, dim), by one draw of z, without bias.    [ELBO-4]"""
        mean, var = self.encode(params, x)
        z = formulas.draw(mean, var, rng.normal(*mean.shape, dtype=params.dtype))
        return formulas.elbo(x, *self.decode(params, z), mean, var)

    def _log_weights(self, params: Array, x: Array, rng: Stream, draws: int) -> Array:
        """Log importance weights of so many draws of z for each point, (draws, n).       [ELBO-2, HVAE-5]"""
        mean, var = self.encode(params, x)
        z = formulas.draw(mean, var, rng.normal(draws, *mean.shape, dtype=params.dtype))
        x_mean, x_var = self.decode(params, z)
        return formulas.log_weight(x, z, x_mean, x_var, mean, var)

    def log_prob(self, params: Array, x: Array, rng: Stream, x_0: Array | None = None) -> Array:
        """The bound of `bound_draws` importance weights, (n,), in nats: below log p(x) on average.  [ELBO-3]

        x: (n, dim). x_0: not needed.
        """
        x = array_module(params).asarray(x, params.dtype)
        if self.bound_draws == 1:
            return self.elbo(params, x, rng)
        each = [self._log_weights(params, x, rng, 1) for _ in range(self.bound_draws)]
        return formulas.importance_bound(np.concatenate(each), axis=0)

    def log_likelihood(
        self, params: Array, x: Array, spacing: float = 0.02, reach: float = 5.5
    ) -> tuple[Array, Array]:
        """log p(x) and how far off it may be, (n,) each: z summed over a grid in [-reach, reach]^latent.

        x: (n, dim). spacing: of the grid, below the width of p(z | x). For a latent of 1 or 2 dimensions
        (ValueError); each point takes a pass over the whole grid.
        """
        if self.latent > 2:
            raise ValueError(f"latent is {self.latent}; a grid has only 1 or 2 dimensions")
        xp, half = array_module(params), 2 * round(reach / (2 * spacing))
        axis = (xp.arange(2 * half + 1) - half) * spacing
        axes = np.meshgrid(*[axis] * self.latent, indexing="ij")
        z = np.stack(axes, axis=-1).reshape(-1, self.latent).astype(params.dtype)
        mean, var = self.decode(params, z)
        found = []
        for point in xp.asarray(x, params.dtype):
            energy = -formulas.log_joint(point + 0 * mean, z, mean, var)
            found.append(log_normaliser_with_error(energy.reshape(axes[0].shape), spacing))
        values, errors = zip(*found, strict=True)
        return np.stack(values), np.stack(errors)

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
        """n points, (n, dim), in the dtype of params and on their device: z normal, then x from p(x | z).

        steps, x_0, denoiser, trajectory: not needed, and not looked at.
        """
        mean, var = self.decode(params, rng.normal(n, self.latent, dtype=params.dtype))
        return formulas.draw(mean, var, rng.normal(n, self.dim, dtype=params.dtype))
