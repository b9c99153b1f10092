"""What the loss of a DDPM looks up at each t, made once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from refgen.formulas import ddpm, elbo
from refgen.nets.embedding import embedding
from refgen.schedules import Schedule

__all__ = ["LossTable", "loss_table"]

Array = Any


class LossTable(NamedTuple):
    """Of t = 0..T, float32; a loss never asks for t = 0. signal, std: (T + 1, 1). weight: (T + 1,), of the
    squared error. features: what the network is told. constant: what a loss in nats has besides, but L_T."""

    signal: Array
    std: Array
    weight: Array
    features: Array
    constant: float

    def on(self, xp: Any) -> LossTable:
        """The table where xp makes its arrays."""
        columns = {name: xp.asarray(getattr(self, name)) for name in self._fields[:-1]}
        return self._replace(**columns)


def loss_table(
    levels: Schedule, target: str, features: int, weighting: str, dim: int, var: np.ndarray | None
) -> LossTable:
    """The table of these levels. target, features, weighting: as for `DDPM`. dim, and var, (T + 1,), the
    variances of the reverse steps, the decoder's at 1: needed where weighting is "elbo"."""
    signal, std = levels.signal[1:], levels.std[1:]
    constant, weight = 0.0, np.ones(levels.T)
    if weighting == "snr":
        weight = ddpm.min_snr_weight(signal, std)
    elif weighting == "elbo" and var is not None:
        steps = levels.alpha[2:], levels.alpha_bar[1:-1], var[2:]
        weight[0] = elbo.l_0_eps_weight(signal[0], std[0], var[1])
        weight[1:] = elbo.eps_weight(*steps)
        weight *= levels.T
        exact = np.zeros(dim)
        constant = float(elbo.l_0_gaussian(exact, exact, var[1]) + dim * np.sum(elbo.variance_gap(*steps)))
    weight = weight * ddpm.eps_error_factor(target, signal, std)
    columns = [np.concatenate([[0.0], part]).astype(np.float32) for part in (signal, std, weight)]
    told = embedding(levels.log_snr, features)
    return LossTable(columns[0][:, None], columns[1][:, None], columns[2], told, constant)
