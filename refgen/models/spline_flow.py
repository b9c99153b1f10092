"""A flow of couplings by rational-quadratic splines: each bends what an affine one can stretch. [FLOW-13]

Source: Durkan, Bekasov, Murray and Papamakarios 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import autograd.numpy as np

from refgen.backend import Stream
from refgen.formulas import spline
from refgen.models.checks import require_whole
from refgen.models.coupling_flow import CouplingFlow, require_couplings
from refgen.nets.coupling import Couplings

__all__ = ["SplineFlow"]

Array = Any

LEAST = 1e-3  # of a bin, as a part of the whole, and of a slope
WHOLE = {"dim": 10**6, "hidden": 10**6, "layers": 1000}


@dataclass(frozen=True)
class SplineFlow(CouplingFlow):
    r"""A flow of rational-quadratic spline couplings, exact both ways.

    Each coordinate of one half goes through a rising map of [-bound, bound] onto itself, of `bins` pieces,
    which a network draws from the other half; beyond the bound it stays as it is. The density is exact, and
    the inverse as cheap as the map. Without couplings the model is a Gaussian.
    """

    dim: int = 2
    couplings: int = 4  # 2 to 10; 0 for the affine map alone
    bins: int = 8  # 4 to 32
    bound: float = 4.0  # 3 to 10, in stds of the data
    hidden: int = 64  # 32 to 256
    layers: int = 2  # 1 to 3

    usual: ClassVar[dict[str, Any]] = dict(steps=3000, lr=5e-3, cool=0.3)

    def __post_init__(self) -> None:
        require_whole(self, WHOLE)
        require_couplings(self.couplings)
        if isinstance(self.bins, bool) or not isinstance(self.bins, int) or not 2 <= self.bins <= 500:
            raise ValueError(f"bins is {self.bins!r}; it must be an integer in 2..500")
        if not 0 < self.bound < math.inf:
            raise ValueError(f"bound is {self.bound}; it must be a finite number > 0")
        _ = self.nets

    @cached_property
    def nets(self) -> Couplings:  # type: ignore[override]
        """The networks that say widths, heights and slopes, and the affine map."""
        return Couplings(self.dim, 3 * self.bins - 1, self.couplings, self.hidden, self.layers)

    def init(self, rng: Stream) -> Array:
        """Parameters before training: one flat float32 vector. The map is the identity: all slopes are 1."""
        params, one = self.nets.init(rng), math.log(math.expm1(1 - LEAST))
        for net in self.nets.layout.views(params)[2:]:
            said = self.nets.net.layout.views(net)[-1].reshape(self.dim, -1)
            said[:, 2 * self.bins :] = one
        return params

    def coupling(self, net: Array, k: int, z: Array) -> tuple[Array, Array]:
        """Coupling k of z, (n, dim), and its log |det|, (n,)."""
        return self._bent(spline.forward, net, k, z)

    def uncoupling(self, net: Array, k: int, x: Array) -> tuple[Array, Array]:
        """What coupling k made x of, (n, dim), and its log |det| there, (n,)."""
        z, log_det = self._bent(spline.inverse, net, k, x)
        return z, -log_det

    def _bent(self, bend: Callable, net: Array, k: int, a: Array) -> tuple[Array, Array]:
        """The points a with one half bent, and the sum of the log-slopes."""
        part, bins = self.nets.changed(k), self.bins
        said = self.nets.said(net, k, a)[:, part]
        widths, heights, slopes = said[..., :bins], said[..., bins : 2 * bins], said[..., 2 * bins :]
        bent, log_slope = bend(a[:, part], *spline.knots(widths, heights, slopes, self.bound, LEAST))
        sides = [a[:, : part.start], bent, a[:, part.stop :]]
        return np.concatenate(sides, axis=1), np.sum(log_slope, axis=-1)
