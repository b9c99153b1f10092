"""Noise on the data makes the estimated score accurate between the modes; not everywhere. [NCSN-8]"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refgen import plots
from refgen.backend import Stream
from refgen.experiments.low_density import STD as LITTLE
from refgen.experiments.low_density import strip
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.two_modes import FAR, LIMIT, errors, estimated, regions, tolerable

__all__ = ["STD", "run"]

STD = 2.0
WIDE = 44.0  # half the side of the panel that shows what lies far out


def run(rng: Stream, say: Callable[..., None], **training: Any) -> Outcome:
    """The network of `low_density`, asked under much noise: between the modes, beside them, far out."""
    denoiser = estimated(rng, say, **training)
    before, after = (
        {name: errors(denoiser, std, places) for name, places in regions(std).items()}
        for std in (LITTLE, STD)
    )
    numbers = {
        f"std {std:g}": {name: error._asdict() for name, error in found.items()}
        for std, found in [(LITTLE, before), (STD, after)]
    }
    claims = [
        Claim(f"relative error in the valley, std {LITTLE:g}", before["valley"].relative, ">=", 0.5),
        Claim(f"relative error in the valley, std {STD:g}", after["valley"].relative, "<=", 0.1),
        Claim(f"relative error beside the modes, std {STD:g}", after["beside"].relative, "<=", 0.1),
        Claim(f"'everywhere': the same at |x| = {FAR:g}", after["far"].relative, "<=", 0.1, expected=False),
    ]
    figure = strip(denoiser, STD, "perturbed", WIDE)
    ax = figure.axes[3]
    side, angle = LIMIT * np.array([-1, 1, 1, -1, -1]), np.linspace(0, 2 * np.pi, 200)
    ax.plot(side, np.roll(side, 1), color=plots.INK, linewidth=0.8, linestyle=":")
    ax.plot(FAR * np.cos(angle), FAR * np.sin(angle), color=plots.INK, linewidth=0.8, linestyle="--")
    title = f"its error; dashed: |x| = {FAR:g}\nline, and tint: above {tolerable(STD):.2g}"
    ax.set_title(title, pad=4, fontsize=9)
    return Outcome(
        "With noise on the data the estimated score is accurate (almost) everywhere.",
        claims,
        numbers,
        figure,
        "The noise fills the valley with data, and the estimate becomes accurate there. Far out, where "
        f"even noisy data are rare, it is off by {after['far'].relative:.0%}, at the modes by "
        f"{after['modes'].relative:.0%} (the dotted square is that of the other panels).",
        "It holds where the noisy density has mass, between the modes for one, and not far from all data.",
    )
