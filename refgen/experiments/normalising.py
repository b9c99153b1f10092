"""A density must keep its area while it moves; a score is free of that.     [EBM-1, EBM-7]"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import autograd.numpy as np
from autograd import elementwise_grad
from matplotlib.figure import Figure
from scipy.integrate import quad

from refgen import plots
from refgen.backend import Stream
from refgen.experiments.outcome import Claim, Outcome
from refgen.formulas.energy import log_normaliser, log_prob, score

__all__ = ["FRAMES", "area", "energy", "log_z", "run", "score_of_density", "slope_in_theta"]

FRAMES = (-0.6, -0.3, 0.0, 0.3, 0.6)
REACH = 7.0  # beyond, the density is below 1e-100
FACTORS = (1e-5, 1e5)


def energy(x: Any, theta: float) -> Any:
    """E of a double well that theta tilts, (...) for x (..., 1)."""
    return (x[..., 0] ** 2 - 4) ** 2 / 8 - theta * x[..., 0]


def log_z(theta: float, n: int = 4001) -> float:
    """log Z on n even places, a sum that for such a density is exact to rounding."""
    x = np.linspace(-REACH, REACH, n)
    return float(log_normaliser(energy(x[:, None], theta), np.log(x[1] - x[0])))


def area(theta: float, log_area: float) -> float:
    """The integral of exp(-E) / exp(log_area), by Gauss and Kronrod's adaptive rule."""
    p = lambda x: float(np.exp(log_prob(energy(np.array([x]), theta), log_area)))  # noqa: E731
    return sum(quad(p, *ends, epsabs=0, epsrel=1e-12, limit=200)[0] for ends in [(-REACH, 0), (0, REACH)])


def _score(x: Any, theta: float, constant: float = 0.0) -> Any:
    """The score of E plus a constant, (n, 1), for x (n, 1)."""
    return score(lambda z: energy(z, theta) + constant, x)


def score_of_density(x: Any, theta: float, factor: float) -> Any:
    """The slope of factor exp(-E) over its value, (n, 1), for x (n, 1): the score, without its logarithm."""
    p = lambda z: factor * np.exp(-energy(z, theta))  # noqa: E731
    return elementwise_grad(p)(x) / p(x)[:, None]


def slope_in_theta(x: Any, theta: float, h: float = 1e-4) -> Any:
    """How the density at x, (n, 1), grows with theta, (n,), by central differences."""
    above, below = (np.exp(log_prob(energy(x, t), log_z(t))) for t in (theta + h, theta - h))
    return (above - below) / (2 * h)


def run(rng: Stream, say: Callable[..., None], frames: tuple[float, ...] = FRAMES) -> Outcome:
    """The well tilts, frame by frame."""
    x = np.linspace(-4.0, 4.0, 801)[:, None]
    wide = np.linspace(-REACH, REACH, 4001)[:, None]
    spread = float(wide[1, 0] - wide[0, 0])
    constants = [log_z(theta) for theta in frames]
    areas = [area(theta, constant) for theta, constant in zip(frames, constants, strict=True)]
    exact = [-x * (x**2 - 4) / 2 + theta for theta in frames]
    rescaled = [
        float(np.max(np.abs(score_of_density(x, theta, factor) - score_of_density(x, theta, 1.0))))
        for theta in frames
        for factor in FACTORS
    ]
    shifted = [
        float(np.max(np.abs(_score(x, theta, shift) - truth)))
        for theta, truth in zip(frames, exact, strict=True)
        for shift in (0.0, *(-math.log(factor) for factor in FACTORS))
    ]
    moves = [slope_in_theta(wide, theta) for theta in frames]
    moved = [float(np.sum(np.abs(move)) * spread) for move in moves]
    numbers = {
        "theta": list(frames),
        "Z": np.exp(constants),
        "area of p": areas,
        "area of exp(-E) times a factor, by factor": {f"{c:g}": area(0.0, -math.log(c)) for c in FACTORS},
        "largest change of the score by a factor": max(rescaled),
        "largest error of the score of E plus a constant": max(shifted),
        "what p gains and loses by theta, in absolute value": moved,
    }
    claims = [
        Claim("area of p - 1, worst frame", max(abs(one - 1) for one in areas), "<=", 1e-10),
        Claim("Z, largest / smallest of the frames", math.exp(max(constants) - min(constants)), ">=", 1.5),
        Claim("p times 1e-5 and 1e5: score changes by", max(rescaled), "<=", 1e-12),
        Claim("E plus a constant: error of the score", max(shifted), "<=", 1e-12),
        Claim("what p gains and loses while it moves, least", min(moved), ">=", 0.1),
    ]
    return Outcome(
        "The area under a density must be 1, so what grows here shrinks there; a score has no such bond.",
        claims,
        numbers,
        _picture(frames, constants, areas),
        "The area under p (blue) stays 1 only because Z is computed anew for every theta; left as it "
        "was (dashed), the area is another. The score does not know Z: theta lifts it as a whole.",
    )


def _picture(frames: tuple[float, ...], constants: list[float], areas: list[float]) -> Figure:
    """A column a frame: above the density with its area, and dashed what it would be if Z stood still; below
    the score."""
    figure, axes = plots.panels(2, len(frames))
    x, still = np.linspace(-4.2, 4.2, 400), min(constants)
    for (top, low), theta, constant, size in zip(axes.T, frames, constants, areas, strict=True):
        e = energy(x[:, None], theta)
        p = np.exp(log_prob(e, constant))
        top.fill_between(x, p, color=plots.EXACT, alpha=0.3, linewidth=0)
        top.plot(x, p, color=plots.EXACT, linewidth=1.6)
        top.plot(x, np.exp(log_prob(e, still)), "--", color=plots.INK, linewidth=0.9)
        side = 1 if theta <= 0 else -1
        text = f"Z left as it was:\narea {math.exp(constant - still):.2f}"
        top.text(3.9 * side, 1.2, text, ha="right" if side > 0 else "left", va="top", fontsize=8)
        low.axhline(0, color="#cccccc", linewidth=0.8)
        low.plot(x, _score(x[:, None], theta)[:, 0], color=plots.EXACT, linewidth=1.6)
        top.set(ylim=(0, 1.3))
        low.set(ylim=(-5, 5))
        for ax, title in (top, f"$\\theta$ = {theta:g}: area {size:.3f}"), (low, "its score"):
            ax.set(xlim=(-4.2, 4.2), xticks=[], yticks=[])
            ax.set_title(title, pad=4, fontsize=9, color=plots.INK)
            for spine in ax.spines.values():
                spine.set_color("#cccccc")
    return figure
