"""Three levels of noise: perturbed densities, and their scores, exact and estimated.    [NCSN-1, NCSN-3]"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.two_modes import LAW, errors, estimated, likely

__all__ = ["STDS", "run"]

STDS = (0.3, 1.0, 3.0)
LIMIT = 8.0


def run(rng: Stream, say: Callable[..., None], n: int = 20_000, **training: Any) -> Outcome:
    """One network at three levels, each over the densest 95 % of its noisy data."""
    denoiser = estimated(rng, say, **training)
    found = {
        std: errors(denoiser, std, likely(LAW.diffused(1.0, std), rng.spawn(f"{std}"), n)) for std in STDS
    }
    claims = [
        Claim(f"relative error, std {std:g}, densest 95 %", error.relative, "<=", 0.1)
        for std, error in found.items()
    ]
    return Outcome(
        "One network, told the level, estimates the scores of the data under several levels of noise.",
        claims,
        {f"std {std:g}": error._asdict() for std, error in found.items()},
        _picture(denoiser, {std: error.relative for std, error in found.items()}),
        "With more noise the density fills the plane and its score becomes simple; with less it comes "
        "near to the data. One network follows at each level where its noisy data are.",
    )


def _picture(denoiser: Denoiser, relative: dict[float, float]) -> Figure:
    """A column a level, from little noise to much: density, exact score, estimated score."""
    figure, axes = plots.panels(3, len(relative))
    places = plots.grid(0.94 * LIMIT, 17)[1]
    for i, (column, (std, error)) in enumerate(zip(axes.T, relative.items(), strict=True), 1):
        law = LAW.diffused(1.0, std)
        titles = [
            f"density, noise std$_{i}$ = {std:g}",
            "exact score",
            f"estimated, relative error {error:.3f}",
        ]
        fields = [(law.score(places), plots.EXACT), (denoiser.score(places, 1.0, std), plots.LEARNED)]
        longest = float(np.quantile(np.linalg.norm(fields[0][0], axis=1), 0.9))
        for ax, title in zip(column, titles, strict=True):
            plots.frame(ax, LIMIT, title)
            plots.density(ax, law, LIMIT)
        for ax, (field, colour) in zip(column[1:], fields, strict=True):
            plots.arrows(ax, places, field, colour, longest)
    return figure
