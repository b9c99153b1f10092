"""Vector fields projected on random directions: what is close stays close, what is far shows in the mean.

The score of a mixture is compared with two other fields. Along a direction v each becomes a scalar field,
v^T s. Source: Song et al. 2019; Dong-A notes, 'Sliced Score Matching'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.distributions.gaussian import Gaussian
from refgen.experiments.linear_score import law
from refgen.experiments.outcome import Claim, Outcome
from refgen.formulas.score_matching import explicit
from refgen.formulas.sliced import LAWS, directions, divergence

__all__ = ["fields", "hidden", "run", "violations", "z_score"]

Field = Callable[[np.ndarray], np.ndarray]

POINTS, DRAWS, LIMIT = 2000, 400, 3.2


def fields() -> dict[str, Field]:
    """The score of the data; close to it, that with a little noise; far, one Gaussian in its place."""
    truth = law()
    return {
        "data": truth.score,
        "close": truth.diffused(1.0, 0.25).score,
        "far": Gaussian(truth.mean, truth.cov).score,
    }


def violations(v: np.ndarray, a: np.ndarray, b: np.ndarray) -> int:
    """How often |v^T (a - b)| > |v| |a - b|, beyond rounding. v: (m, n, d). a, b: (n, d)."""
    bound = np.sum(v**2, axis=-1) * explicit(a, b)
    return int(np.sum(divergence(v, a, b) > bound * (1 + 1e-12)))


def z_score(v: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """By how many standard errors the mean over directions misses half the squared distance.

    v: (m, n, d), of which each is independent. a, b: (n, d).
    """
    excess = divergence(v, a, b) - explicit(a, b)
    return float(np.mean(excess) / (np.std(excess) / np.sqrt(excess.size)))


def hidden(v: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The share of points and directions where less than a tenth of the distance is seen along v."""
    seen = divergence(v, a, b) / (0.5 * np.sum(v**2, axis=-1) * 2 * explicit(a, b))
    return float(np.mean(seen < 0.1**2))


def _figure(shown: dict[str, Field], v: np.ndarray, numbers: dict[str, Any]) -> Figure:
    """Above the fields in the plane with the direction, below their projections as colours, 0 a line."""
    figure, axes = plots.panels(2, 3, width=9.0)
    places, (axis, fine) = plots.grid(0.92 * LIMIT, 15)[1], plots.grid(LIMIT, 120)
    longest = float(np.quantile(np.linalg.norm(shown["data"](places), axis=1), 0.9))
    largest = float(np.quantile(abs(shown["data"](fine) @ v), 0.98))
    for column, (name, field) in enumerate(shown.items()):
        top, below = axes[:, column]
        far = f", apart by {numbers[name]['distance']:.3f}" if name != "data" else ""
        sliced = f", apart by {numbers[name]['along']:.3f}" if name != "data" else ""
        title = {"data": "score of the data", "close": "a close field", "far": "a far field"}[name]
        plots.frame(top, LIMIT, title + far)
        plots.density(top, law(), LIMIT)
        plots.arrows(top, places, field(places), plots.EXACT if name == "data" else plots.LEARNED, longest)
        start, end = -2.6 * v, 2.6 * v
        arrow = dict(arrowstyle="-|>", color=plots.INK, linewidth=1.8, shrinkA=0, shrinkB=0)
        top.annotate("", end, start, arrowprops=arrow)
        top.annotate("v", end, (6, -2), textcoords="offset points", color=plots.INK, fontsize=11)
        plots.frame(below, LIMIT, ("$v^\\top s$ of it" if name == "data" else "$v^\\top s$") + sliced)
        along = (field(fine) @ v).reshape(len(axis), -1)
        plots.image(below, along, LIMIT, "PuOr", vmin=-largest, vmax=largest)
        below.contour(axis, axis, along, [0], colors=plots.INK)
    return figure


def run(rng: Stream, say: Callable[..., None]) -> Outcome:
    """Project on directions of three laws, check the inequality, compare what is seen with what is there."""
    shown = fields()
    x = law().sample(rng.spawn("points"), POINTS)
    values = {name: field(x) for name, field in shown.items()}
    numbers: dict[str, Any] = {name: {} for name in ("close", "far")}
    broken, z = 0, list[float]()
    for kind in LAWS:
        say(f"directions: {kind}")
        v = directions(rng.spawn(kind).normal(DRAWS, POINTS, 2), kind)
        for name in ("close", "far"):
            pair = values["data"], values[name]
            broken += violations(v, *pair)
            z.append(z_score(v, *pair))
            numbers[name][kind] = dict(
                seen=float(np.mean(divergence(v, *pair))), z=z[-1], hidden=hidden(v, *pair)
            )
    angle = 2 * np.pi * np.arange(24) / 24
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    for name in ("close", "far"):
        numbers[name]["distance"] = float(np.mean(explicit(values["data"], values[name])))
        numbers[name]["by_angle"] = [
            float(np.mean(divergence(v, values["data"], values[name]))) for v in circle
        ]
    times = np.array(numbers["far"]["by_angle"]) / np.array(numbers["close"]["by_angle"])
    close, far = numbers["close"]["distance"], numbers["far"]["distance"]
    chosen = directions(rng.spawn("shown").normal(2), "sphere") / np.sqrt(2)
    for name in ("close", "far"):
        numbers[name]["along"] = float(np.mean(divergence(chosen, values["data"], values[name])))
    claims = [
        Claim("times the projection is longer than the fields apart", broken, "==", 0),
        Claim("largest |z| of its mean square against the distance", max(map(abs, z)), "<=", 5),
        Claim("far over close, in the plane", far / close, ">=", 3),
        Claim("share of 24 directions where it is so too", float(np.mean(times >= 3)), ">=", 0.75),
        Claim(
            "directions among them where far seems closer", int(np.sum(times < 1)), "==", 0, expected=False
        ),
    ]
    return Outcome(
        "If two vector fields are close, their projections on random directions are close too; so a problem "
        "in many dimensions becomes one in one dimension.",
        claims,
        dict(points=POINTS, draws=DRAWS, **numbers),
        _figure(shown, chosen, numbers),
        "Projected on a unit v, the close field keeps the pattern of the data's and the far one does not. "
        "What is written is half the mean square apart.",
        "Close fields are close along every direction, but far ones need not be far along each: across the "
        "line through both modes one Gaussian has the very score of the two. Only the mean over directions "
        "tells, and for directions with E[v v^T] = I it is the distance of the fields.",
    )
