"""RealNVP: a flow of affine couplings, inverted as easily as it is applied.                [FLOW-12, FLOW-13]

Source: Dinh, Sohl-Dickstein and Bengio 2017; couplings without a scale, Dinh et al. 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np

from refgen.backend import Stream
from refgen.formulas import flow
from refgen.models.checks import require_whole
from refgen.models.coupling_flow import CouplingFlow, require_couplings
from refgen.nets.coupling import Couplings

__all__ = ["RealNVP"]

Array = Any

# Of a log-scale: no coupling stretches by more than e. With e^3 training on the checkerboard broke away and
# ended 1.4 nats above the entropy, now 0.16; on the ring of Gaussians 0.08, now 0.06.
LIMIT = 1.0
WHOLE = {"dim": 10**6, "hidden": 10**6, "layers": 1000}


@dataclass(frozen=True)
class RealNVP(CouplingFlow):
    r"""A flow of affine couplings, exact both ways: density and samples each in one pass.

    .. math:: x_2=z_2\,e^{s(z_1)}+t(z_1),\qquad x_1=z_1

    for z_1 and z_2 the two halves of the coordinates. The density is exact. A map is continuous, so modes
    that are apart stay joined by a thin bridge. Without couplings the model is a Gaussian.
    """

    dim: int = 2
    couplings: int = 12  # 4 to 16; 0 for the affine map alone
    hidden: int = 32  # 32 to 128
    layers: int = 2  # 1 to 3

    usual: ClassVar[dict[str, Any]] = dict(steps=8000, lr=5e-3, cool=0.5)

    def __post_init__(self) -> None:
        require_whole(self, WHOLE)
        require_couplings(self.couplings)
        _ = self.nets

    @cached_property
    def nets(self) -> Couplings:  # type: ignore[override]
        """The networks that say shift and log-scale, and the affine map."""
        return Couplings(self.dim, 2, self.couplings, self.hidden, self.layers)

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector. The map is the identity."""
        return self.nets.init(rng)

    def _said(self, net: Array, k: int, x: Array) -> tuple[Array, Array, Array]:
        """Shift and log-scale of coupling k, (n, dim) each, and which coordinates they are for, (dim,)."""
        said = self.nets.said(net, k, x)
        return said[:, :, 0], LIMIT * np.tanh(said[:, :, 1] / LIMIT), self.nets.mask(k, net)

    def coupling(self, net: Array, k: int, z: Array) -> tuple[Array, Array]:
        """Coupling k of z, (n, dim), and its log |det|, (n,)."""
        shift, log_scale, changed = self._said(net, k, z)
        return flow.coupling(z, shift, log_scale, changed), flow.coupling_log_det(log_scale, changed)

    def uncoupling(self, net: Array, k: int, x: Array) -> tuple[Array, Array]:
        """What coupling k made x of, (n, dim), and its log |det| there, (n,)."""
        shift, log_scale, changed = self._said(net, k, x)
        return flow.coupling_inverse(x, shift, log_scale, changed), flow.coupling_log_det(log_scale, changed)
