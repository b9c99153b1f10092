"""What flows of couplings share: halves of the coordinates that take turns, and an affine map at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refgen.formulas.determinant import triangular_inverse, triangular_log_det
from refgen.formulas.gaussian import reparametrise
from refgen.models.flow import Flow
from refgen.nets.coupling import Couplings

__all__ = ["CouplingFlow"]

Array = Any


class CouplingFlow(Flow):
    r"""x = b + L y, and y from z by couplings: each changes one half as a network of the other half says.

    Forth or back, the network sees the half that stays, so both ways cost the same. Each map's Jacobian is
    triangular. Without couplings the model is the Gaussian N(b, L L^T).

    It has `nets`, and `coupling` and `uncoupling`: (params of network k, k, points (n, dim)) -> points after
    coupling k or before it, and log |det| of the way from z to x, (n,).
    """

    nets: Couplings
    coupling: Callable[[Array, int, Array], tuple[Array, Array]]
    uncoupling: Callable[[Array, int, Array], tuple[Array, Array]]

    def forward(self, params: Array, z: Array) -> tuple[Array, list[Array]]:
        """x = f(z), (n, dim), and log |det| of each map, a list of (n,) and a last one of no axes."""
        shift, free, *nets = self.nets.layout.parts(params)
        log_dets = []
        for k, net in enumerate(nets):
            z, log_det = self.coupling(net, k, z)
            log_dets.append(log_det)
        shift, lower = self.nets.affine(shift, free)
        return reparametrise(shift, lower, z), [*log_dets, triangular_log_det(lower)]

    def inverse(self, params: Array, x: Array) -> tuple[Array, list[Array]]:
        """z of x, (n, dim), and log |det| of each map of the way from z to x, the last map first."""
        shift, free, *nets = self.nets.layout.parts(params)
        shift, lower = self.nets.affine(shift, free)
        z, log_dets = triangular_inverse(x, lower, shift), [triangular_log_det(lower)]
        for k, net in reversed(list(enumerate(nets))):
            z, log_det = self.uncoupling(net, k, z)
            log_dets.append(log_det)
        return z, log_dets


def require_couplings(count: Any) -> None:
    """Raise ValueError unless there are from 0 to 1000 couplings."""
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= 1000:
        raise ValueError(f"couplings is {count!r}; it must be an integer in 0..1000")
