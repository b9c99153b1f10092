"""Diffusion destroys a swiss roll, and its reversal restores it.      [EXP-13, EXP-14, EXP-15, TAX-6, SYS-16]

The picture of Sohl-Dickstein et al. 2015: like dye in water the data spread until nothing is left of their
shape. Forward step by step, backward with the exact denoiser and with a network's, and the drift that leads
back. Source: Sohl-Dickstein et al. 2015, figure 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import Denoiser, ExactDenoiser
from refgen.distributions import Gaussian, named
from refgen.distributions.base import Distribution
from refgen.evaluation import MODEL_BOUND
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.trained import trained
from refgen.formulas.forward import step
from refgen.formulas.posterior import posterior_mean
from refgen.metrics import directions, sampling_floor, score_error, sliced_wasserstein
from refgen.models.ddpm import DDPM
from refgen.samplers.ancestral import ancestral
from refgen.schedules import Schedule

__all__ = ["LAW", "Left", "drift", "forward", "from_noise", "left", "residuals", "run"]

LAW = named("swiss_roll").standardised()[0]
MODEL = DDPM(hidden=96)
STEPS = 200  # of the reverse chain
TIMES = (0, 100, 300, 500, 1000)  # T/2 and T among them, as in the paper
LIMIT = 2.9
HEADINGS = (
    "Forward, left to right. Colour: how far out a point was at t = 0. TV: total variation to N(0, I)",
    "Back from N(0, I) with the exact denoiser, right to left",
    "Back from N(0, I) with the learned denoiser, right to left",
    "Learned drift over the exact density: the mean of $x_{t-1}$, less $x_t$. No step leads back from t = 0; "
    "t = 20 stands for it",
)
_NOTE: Any = dict(fontsize=8, color=plots.INK, bbox=dict(facecolor="white", alpha=0.8, linewidth=0, pad=1.0))


class Left(NamedTuple):
    """How far a law is from N(0, I): total variation, and by how much the sum that it comes from misses 1."""

    tv: float
    off: float


def left(law: Distribution, limit: float = 6.0, n: int = 181) -> Left:
    """Total variation between a law in the plane and N(0, I), as a sum over a grid of n n places."""
    axis, places = plots.grid(limit, n)
    cell = (axis[1] - axis[0]) ** 2
    density = np.exp(law.log_prob(places))
    off = np.abs(density - np.exp(Gaussian(np.zeros(2), 1.0).log_prob(places)))
    return Left(float(np.sum(off) * cell / 2), float(abs(np.sum(density) * cell - 1)))


def forward(levels: Schedule, x_0: Any, rng: Stream, times: Sequence[int]) -> dict[int, Any]:
    """The chain step by step from x_0, (n, 2): its points at the times, 0..T."""
    x, kept = x_0, {0: x_0}
    for t in range(1, levels.T + 1):
        x = step(x, rng.normal(*x.shape), float(levels.alpha[t]))
        if t in times:
            kept[t] = x
    return kept


def residuals(levels: Schedule, kept: dict[int, Any]) -> float:
    """How far stored points are from x_t = signal x_0 + std eps: the largest of the standard scores of the
    mean and the variance of eps and of its covariance with x_0, over times and coordinates."""
    x_0, scores = kept[0], []
    for t, x_t in kept.items():
        if t:
            signal, std = levels.level(t)
            eps = (x_t - signal * x_0) / std
            n = len(eps)
            scores += [np.mean(eps, axis=0) * np.sqrt(n), (np.mean(eps**2, axis=0) - 1) * np.sqrt(n / 2)]
            scores.append(np.mean(eps * (x_0 - x_0.mean(axis=0)), axis=0) * np.sqrt(n) / x_0.std(axis=0))
    return float(np.max(np.abs(scores)))


def from_noise(denoiser: Denoiser, n: int, rng: Stream, dtype: Any = np.float32) -> dict[int, Any]:
    """n points by the reverse chain in STEPS steps, at TIMES."""
    scale = MODEL.T // STEPS
    kept: dict[int, Any] = dict.fromkeys(t // scale for t in TIMES)
    x_T = rng.normal(n, 2).astype(dtype)
    ancestral(denoiser, MODEL.levels.respaced(STEPS), x_T, rng, "small", kept)
    return {t * scale: points for t, points in kept.items()}


def drift(denoiser: Denoiser, t: int, x_t: Any) -> Any:
    """Where a reverse step leads, without its noise: the mean of x_{t-1} less x_t, (n, 2); t >= 1."""
    levels = MODEL.levels
    alphas = float(levels.alpha[t]), float(levels.alpha_bar[t - 1])
    return posterior_mean(x_t, denoiser.x_0(x_t, *levels.level(t)), *alphas) - x_t


def run(rng: Stream, say: Callable[..., None], n: int = 50_000, train_steps: int = 5000) -> Outcome:
    """The strips, what is left of the data at twenty times, and how near the ends come.

    n: points of the learned chain, so many that mere noise is far beyond the bound; of the others n // 5.
    """
    params = trained(MODEL, LAW, rng, train_steps, say, batch=256, cool=0.5)
    exact, learned, levels = ExactDenoiser(LAW), MODEL.denoiser(params), MODEL.levels
    say("forward")
    kept = forward(levels, LAW.sample(rng.spawn("data"), n // 5), rng.spawn("forward"), TIMES)
    times = [t * levels.T // 20 for t in range(21)]
    remains = {t: left(LAW.diffused(*levels.level(t))) for t in times}
    tvs = [one.tv for one in remains.values()]
    say("backward")
    ways = {
        "exact": from_noise(exact, n // 5, rng.spawn("exact")),
        "learned": from_noise(learned, n, rng.spawn("learned")),
    }
    lines = directions(2, 64, rng.spawn("directions"))
    floor = {m: sampling_floor(LAW, m, lines, rng.spawn(f"floor {m}"), 10).max for m in (n // 5, n)}
    fresh = LAW.sample(rng.spawn("fresh"), n)
    last = {"exact": ways["exact"][0], "learned": ways["learned"][0], "noise": ways["learned"][levels.T]}
    ends = {name: sliced_wasserstein(fresh[: len(x)], x, lines) / floor[len(x)] for name, x in last.items()}
    errors = {
        t: score_error(learned, LAW, *levels.level(t), rng.spawn(f"error {t}"), 2000) for t in TIMES[1:]
    }
    largest = residuals(levels, kept)
    claims = [
        Claim(
            "how often the total variation to N(0, I) rises, of 20 spans of time",
            int(np.sum(np.diff(tvs) >= 0)),
            "==",
            0,
        ),
        Claim("total variation to N(0, I) at t = 0", tvs[0], ">=", 0.5),
        Claim("total variation to N(0, I) at t = T", tvs[-1], "<=", 1e-2),
        Claim("stored paths against signal x_0 + std eps: largest z", largest, "<=", 4.5),
        Claim("back with the exact denoiser: distance to the data in floors", ends["exact"], "<=", 2.0),
        Claim(
            "back with the learned denoiser: distance to the data in floors",
            ends["learned"],
            "<=",
            MODEL_BOUND,
        ),
        Claim(
            "the noise itself, not led back: distance to the data in floors",
            ends["noise"],
            ">=",
            3 * MODEL_BOUND,
        ),
    ]
    numbers: dict[str, Any] = {
        "n": n,
        "floor": {str(m): value for m, value in floor.items()},
        "distance to the data in floors": ends,
        "total variation to N(0, I)": {str(t): one._asdict() for t, one in remains.items()},
        "largest z of the stored paths": largest,
        "relative error of the learned score": errors,
    }
    return Outcome(
        "Diffusion takes any data to a law that is known, N(0, I); its reversal, exact or learned, takes "
        "that law to the data in finite time.",
        claims,
        numbers,
        figure_of(kept, ways, learned, remains),
        f"The total variation to N(0, I) falls from {tvs[0]:.2f} to {tvs[-1]:.1e}, all the way down. The "
        f"chain back ends {ends['exact']:.1f} floors from the roll with the exact denoiser, "
        f"{ends['learned']:.1f} with the learned one.",
        f"The total variation is an integral on a grid, right to {max(r.off for r in remains.values()):.0e}. "
        "N(0, I), not a uniform law, is where Gaussian steps end. A floor is the distance of two exact "
        "samples of as many points, the largest of ten such distances.",
    )


def figure_of(
    kept: dict[int, Any],
    ways: dict[str, dict[int, Any]],
    learned: Denoiser,
    remains: dict[int, Left],
    shown: int = 2000,
) -> Figure:
    """Rows: forward, with the dye by where a point began; back, exact; back, learned; the learned drift."""
    figure, axes = plots.panels(4, len(TIMES), top=0.56)
    for ax, heading in zip(axes[:, 0], HEADINGS, strict=True):
        ax.annotate(heading, (0, 1), (0, 21), "axes fraction", "offset points", fontsize=9, color=plots.INK)
    angle = np.hypot(*kept[0][:shown].T)  # the radius grows along the roll
    for i, t in enumerate(TIMES):
        law = LAW.diffused(*MODEL.levels.level(t))
        text = f"t = {t:,}"
        plots.frame(axes[0, i], LIMIT, text)
        axes[0, i].scatter(*kept[t][:shown].T, c=angle, cmap="viridis", s=3, linewidths=0, alpha=0.8)
        for ax, (name, points) in zip(axes[1:3, i], ways.items(), strict=True):
            plots.frame(ax, LIMIT, text)
            plots.scatter(ax, points[t][:shown], plots.EXACT if name == "exact" else plots.LEARNED)
        ax, shown_at = axes[3, i], max(t, 20)  # no step leads back from t = 0
        plots.frame(ax, LIMIT, f"t = {shown_at:,}")
        plots.density(ax, law if t else LAW.diffused(*MODEL.levels.level(20)), LIMIT)
        places = plots.grid(0.93 * LIMIT, 15)[1].astype(np.float32)
        plots.arrows(ax, places, drift(learned, shown_at, places), plots.LEARNED)
        axes[0, i].text(-0.95 * LIMIT, -0.93 * LIMIT, f"TV {remains[t].tv:.2g}", **_NOTE)
    return figure
