"""Density and score of a mixture of two Gaussians, and what one says of the other.  [EBM-6, EBM-8, EBM-11]"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from autograd import elementwise_grad, jacobian
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.distributions.base import Distribution
from refgen.distributions.mixture import GaussianMixture
from refgen.experiments.outcome import Claim, Outcome
from refgen.formulas.score_matching import density_gradient

__all__ = ["LAW", "angles", "density_slope", "run", "steepest", "zeros"]

LAW = GaussianMixture([[1.6, 1.6], [-1.6, -1.6]], 1.0, [0.6, 0.4])
LIMIT = 4.2
STARTS = np.array([[1.5, 1.5], [-1.5, -1.5], [0.0, 0.0]])  # near both modes and between them


def zeros(law: Distribution, starts: np.ndarray, steps: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Where the score is zero: the points (n, d) that Newton's method finds from starts (n, d), and the
    eigenvalues (n, d) of the log-density's second derivatives there, rising."""
    found, curvature = [], []
    for x in starts:
        for _ in range(steps):
            x = x - np.linalg.solve(jacobian(law.score)(x), law.score(x))
        found.append(x)
        curvature.append(np.linalg.eigvals(jacobian(law.score)(x)).real)
    return np.array(found), np.sort(curvature, axis=1)


def differences(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """The gradient of a function (n, d) -> (n,) at x by central differences, (n, d)."""
    steps = h * np.eye(x.shape[1])
    return np.stack([(function(x + e) - function(x - e)) / (2 * h) for e in steps], axis=1)


def density_slope(law: Distribution, x: np.ndarray) -> np.ndarray:
    """The density's own gradient (n, d), by differentiating exp(log p), which does not ask for the score."""
    p = law.log_prob(x)
    # Divided by the density at x, which turns no arrow, so that nothing underflows far out.
    return elementwise_grad(lambda z: np.exp(law.log_prob(z) - p))(x)


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 - cos of the angle between the rows of a and b, (n,), without loss of digits near 0."""
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
    return 0.5 * np.sum((a - b) ** 2, axis=1)


def steepest(law: Distribution, x: np.ndarray, ways: int = 256, h: float = 1e-5) -> np.ndarray:
    """The unit vectors (n, 2), of so many all around, along which the density grows fastest from x (n, 2)."""
    angle = 2 * np.pi * np.arange(ways) / ways
    around = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    growth = law.log_prob(x[:, None] + h * around) - law.log_prob(x[:, None] - h * around)
    return around[np.argmax(growth, axis=1)]


def run(rng: Stream, say: Callable[..., None], points: int = 2000) -> Outcome:
    """The picture, and whether arrows and contours belong together."""
    x = LIMIT * (2 * rng.uniform(points, 2) - 1)
    score, p = LAW.score(x), np.exp(LAW.log_prob(x))
    flat, curvature = zeros(LAW, STARTS)
    uphill = np.sum(curvature > 0, axis=1).tolist()
    off = angles(score, density_slope(LAW, x))
    slope = differences(LAW.log_prob, x)
    growth = differences(lambda z: np.exp(LAW.log_prob(z)), x)
    turned = float(np.max(np.arccos(1 - angles(score, steepest(LAW, x)))))
    numbers: dict[str, Any] = {
        "zeros": flat,
        "curvature at the zeros": curvature,
        "score at the zeros": np.linalg.norm(LAW.score(flat), axis=1),
        "1 - cos, largest": float(np.max(off)),
        "angle to the steepest of 256 directions, largest": turned,
        "central differences, largest error": float(np.max(np.abs(slope - score))),
        "points": points,
    }
    claims = [
        Claim("|s| at both modes and the saddle", float(np.max(numbers["score at the zeros"])), "<=", 1e-10),
        Claim("modes: all curvatures below 0", uphill.count(0), "==", 2),
        Claim("saddles: one curvature above 0", uphill.count(1), "==", 1),
        Claim("1 - cos(s, grad p), worst of the points", float(np.max(off)), "<=", 1e-10),
        Claim("s against differences of log p", float(np.max(np.abs(slope - score))), "<=", 1e-7),
        Claim(
            "p s against differences of p",
            float(np.max(np.abs(growth - density_gradient(p, score)))),
            "<=",
            1e-7,
        ),
        Claim("angle to the steepest of 256 ways, steps", turned * 256 / (2 * math.pi), "<=", 0.5 + 1e-4),
    ]
    return Outcome(
        "The score points where the density grows fastest; it is zero at the modes and at the saddle.",
        claims,
        numbers,
        picture(LAW, flat, uphill),
        "Arrows stand upright on the contours and point uphill. They vanish at two modes and at the saddle "
        "between them, where a walker without noise would rest, too.",
    )


def picture(law: Distribution, flat: np.ndarray, uphill: list[int]) -> Figure:
    """Density in colour and contours under the score's arrows; beside it how long the arrows are."""
    figure, axes = plots.panels(1, 2)
    left, right = axes[0]
    axis, fine = plots.grid(LIMIT, 160)
    p = np.exp(law.log_prob(fine)).reshape(160, 160)
    plots.frame(left, LIMIT, "density (colour, contours) and score (arrows)")
    plots.image(left, np.sqrt(p), LIMIT, vmin=0)
    levels = float(p.max()) * np.array([0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.9])
    left.contour(axis, axis, p, levels=levels, colors="white", linewidths=0.9)
    _, coarse = plots.grid(0.95 * LIMIT, 19)
    plots.arrows(left, coarse, law.score(coarse), plots.EXACT)
    size = np.linalg.norm(law.score(fine), axis=1).reshape(160, 160)
    plots.frame(right, LIMIT, "length of the score (lines at 0.5, 1, 2, 3): zero at three points")
    plots.image(right, np.sqrt(size), LIMIT, vmin=0)
    right.contour(axis, axis, size, levels=[0.5, 1, 2, 3], colors="white", linewidths=0.9)
    for x, up in zip(flat, uphill, strict=True):
        for ax in (left, right):
            ax.plot(*x, "X" if up else "o", color=plots.INK, markersize=7, markeredgecolor="white")
        right.annotate("saddle" if up else "mode", x, (7, 7), textcoords="offset points", color=plots.INK)
    return figure
