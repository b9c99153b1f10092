"""A hierarchical variational autoencoder in which each level sees all others on its side.    [HVAE-1, HVAE-6]

Source: Sonderby et al. 2016; Luo 2022, where a Markovian one is the special case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refgen.models.mhvae import ENCODERS, MHVAE

__all__ = ["ENCODERS", "HVAE"]


@dataclass(frozen=True)
class HVAE(MHVAE):
    r"""A stack of variational autoencoders, x = z_0 below z_1, ..., z_T; not Markovian.

    .. math:: q(z_{1:T}\mid x)=\prod_tq(z_t\mid z_{t-1},\dots,z_1,x),\qquad
              p(x,z_{1:T})=p(z_T)\prod_tp(z_{t-1}\mid z_t,\dots,z_T)

    Each encoder sees the data and the levels below its own, each decoder all levels above; with one level, or
    where a network does not look further than the next, it is the Markovian one. For the options see there.
    """

    markov: ClassVar[bool] = False
