"""The density back from its score, by line integrals; and where the score does not know it.       [EBM-9]"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.distributions.base import Distribution
from refgen.distributions.boxes import Boxes
from refgen.experiments.density_and_score import LAW
from refgen.experiments.outcome import Claim, Outcome
from refgen.formulas.energy import free_weights, line_integral, log_normaliser, log_prob

__all__ = [
    "ONE",
    "OTHER",
    "Grid",
    "cells",
    "in_pieces",
    "recovered",
    "run",
    "square",
    "total_variation",
    "work",
]

LIMIT, POINTS, NODES = 8.0, 129, 8
LOW, HIGH = np.array([[-3.0, -1.5], [1.0, -1.5]]), np.array([[-1.0, 1.5], [3.0, 1.5]])
ONE, OTHER = Boxes(LOW, HIGH, [0.2, 0.8]), Boxes(LOW, HIGH, [0.8, 0.2])
NOISE = 0.5  # the gap between the boxes is four times as wide
LITTLE = 0.3  # noise that does not join them

Field = Callable[[np.ndarray], np.ndarray]


class Grid(NamedTuple):
    """Evenly spaced places: x (n,), y (m,)."""

    x: np.ndarray
    y: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """All of them, (m, n, 2)."""
        return np.stack(np.meshgrid(self.x, self.y), axis=-1)

    @property
    def cell(self) -> float:
        """The area that each stands for."""
        return float((self.x[1] - self.x[0]) * (self.y[1] - self.y[0]))


def square(limit: float, n: int) -> Grid:
    """n x n places from -limit to limit."""
    return Grid(*[np.linspace(-limit, limit, n)] * 2)


def cells(low: np.ndarray, high: np.ndarray, n: int) -> Grid:
    """The middles of the n x n cells of a box with corners low and high, (2,)."""
    share = (np.arange(n) + 0.5) / n
    return Grid(*[a + (b - a) * share for a, b in zip(low, high, strict=True)])


@cache
def _rule(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss and Legendre's places in (0, 1), (nodes, 1), and their weights, (nodes,)."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    return 0.5 * (places[:, None] + 1), 0.5 * weights


def work(score: Field, a: np.ndarray, b: np.ndarray, bend: Any = 0.0, nodes: int = NODES) -> np.ndarray:
    """log p(b) - log p(a), (...), from the score alone, along a path from a to b, (..., d) each.

    The path is straight, but for half a wave of the vector `bend`, (d,), on its way.
    """
    u, weight = _rule(nodes)
    a, b = a[..., None, :], b[..., None, :]
    velocity = (b - a) + np.pi * np.cos(np.pi * u) * np.asarray(bend)
    return line_integral(score(_path(a, b, bend, u)), velocity, weight)


def _path(a: np.ndarray, b: np.ndarray, bend: Any, u: np.ndarray) -> np.ndarray:
    return a + u * (b - a) + np.sin(np.pi * u) * np.asarray(bend)


def recovered(score: Field, grid: Grid, nodes: int = NODES) -> np.ndarray:
    """The log-density on a grid, (m, n), from the score alone: along the lowest row, then up every column.

    At the end it is divided by its sum over the grid, which must hold nearly all of the mass.
    """
    at = grid.points
    row = np.concatenate([[0.0], np.cumsum(work(score, at[0, :-1], at[0, 1:], nodes=nodes))])
    up = np.cumsum(work(score, at[:-1], at[1:], nodes=nodes), axis=0)
    energy = -row - np.concatenate([np.zeros((1, len(row))), up])
    return log_prob(energy, log_normaliser(energy.ravel(), np.log(grid.cell)))


def total_variation(log_p: np.ndarray, law: Distribution, grid: Grid) -> float:
    """The total variation distance of a density from a law's, both on a grid."""
    return float(0.5 * np.sum(np.abs(np.exp(log_p) - np.exp(law.log_prob(grid.points)))) * grid.cell)


def in_pieces(score: Field, masses: Any, law: Boxes, n: int = 60) -> float:
    """Total variation distance from a law on boxes of what the score gives on each box by itself, where no
    integral leaves the box, put together with these masses, (k,)."""
    grids = [cells(low, high, n) for low, high in zip(law.low, law.high, strict=True)]
    return sum(
        total_variation(recovered(score, grid) + np.log(mass), law, grid)
        for mass, grid in zip(masses, grids, strict=True)
    )


def run(rng: Stream, say: Callable[..., None], points: int = POINTS) -> Outcome:
    """A mixture recovered; two laws on two boxes that the score cannot tell apart; and one under noise."""
    grid = square(LIMIT, points)
    say("line integrals over a grid")
    density = recovered(LAW.score, grid)
    a, b = LAW.sample(rng.spawn("a"), 200), LAW.sample(rng.spawn("b"), 200)
    ways = [work(LAW.score, a, b, bend, 200) for bend in (0.0, [2.0, -2.0])]
    exact = LAW.log_prob(b) - LAW.log_prob(a)
    say("two boxes")
    inside = np.concatenate([cells(*ends, 40).points.reshape(-1, 2) for ends in zip(LOW, HIGH, strict=True)])
    apart = {std: _apart(inside, std) for std in (LITTLE, NOISE)}
    noisy = ONE.diffused(1.0, NOISE)
    back = recovered(noisy.score, grid)
    left = np.where(grid.x < 0, 1.0, np.where(grid.x > 0, 0.0, 0.5))
    numbers = {
        "mixture, total variation": total_variation(density, LAW, grid),
        "two paths, largest difference": float(np.max(np.abs(ways[0] - ways[1]))),
        "a path, largest error": float(max(np.max(np.abs(way - exact)) for way in ways)),
        "boxes under little noise, largest difference of the scores": apart[LITTLE],
        "boxes under noise, largest difference of the scores": apart[NOISE],
        "boxes, total variation between the laws": in_pieces(ONE.score, ONE.weights, OTHER),
        "boxes, numbers left open": int(free_weights(LOW[:, 0], HIGH[:, 0])),
        # Whatever masses are guessed, for one of the two laws the guess is at least so far off.
        "boxes, total variation with masses guessed": in_pieces(ONE.score, [0.5, 0.5], ONE),
        "boxes, total variation with masses told": in_pieces(ONE.score, ONE.weights, ONE),
        "noisy boxes, total variation": total_variation(back, noisy, grid),
        "noisy boxes, mass on the left": float(np.sum(np.exp(back) * left) * grid.cell),
        "noise on the boxes": NOISE,
        "little noise": LITTLE,
    }
    found = list(numbers.values())
    claims = [
        Claim("mixture: total variation", found[0], "<=", 1e-6),
        Claim("sums along two paths differ by", found[1], "<=", 1e-10),
        Claim("and from log p(b) - log p(a) by", found[2], "<=", 1e-10),
        Claim(f"boxes .2/.8 and .8/.2, noise {LITTLE}: scores differ by", found[3], "<=", 1e-6),
        Claim(f"under noise {NOISE}, which joins them, by", found[4], ">=", 1e-3),
        Claim("their total variation distance", found[5], "==", 0.6, 1e-6),
        Claim("numbers that their score leaves open", found[6], "==", 1),
        Claim("boxes: total variation", found[7], "<=", 1e-6, expected=False),
        Claim("boxes, with the masses told", found[8], "<=", 1e-6),
        Claim("boxes under noise", found[9], "<=", 1e-6),
    ]
    return Outcome(
        "The score keeps all that is in the density: integrals along lines bring the density back.",
        claims,
        numbers,
        _picture(density, noisy, back, numbers["noisy boxes, mass on the left"]),
        "Above: along every path the score sums to the same, and gives the density back. Below: two laws on "
        "two boxes have one and the same score, 0; which mass each box has is not in it. Noise that joins "
        "the boxes brings the masses back.",
        "It holds on a connected support. Of separate pieces the score knows the shapes and not the masses: "
        "within uniform boxes it is 0 whatever they are, and under little noise the scores of the two laws "
        "are still alike to the last digits of a float32.",
    )


def _apart(places: np.ndarray, std: float) -> float:
    """How far the scores of the two laws on boxes are apart at most, over places, both under noise."""
    one, other = (law.diffused(1.0, std).score(places) for law in (ONE, OTHER))
    return float(np.max(np.abs(one - other)))


def _picture(density: np.ndarray, noisy: Boxes, back: np.ndarray, left: float, view: float = 4.2) -> Figure:
    """Above the mixture, its score and what comes back; below the boxes, and what comes back under noise."""
    figure, axes = plots.panels(2, 3)
    coarse = plots.grid(0.93 * view, 15)[1]
    cloud = np.sqrt(np.exp(LAW.log_prob(square(LIMIT, len(density)).points)))
    a, b = np.array([-2.4, -1.0]), np.array([2.4, 1.6])
    sums = [float(work(LAW.score, a, b, bend, 200)) for bend in (0.0, [1.2, -1.6])]
    plots.frame(axes[0, 0], view, "a density")
    plots.image(axes[0, 0], cloud, LIMIT, vmin=0)
    plots.frame(axes[0, 1], view, f"its score: two sums, {sums[0]:.4f} and {sums[1]:.4f}")
    plots.arrows(axes[0, 1], coarse, LAW.score(coarse), plots.EXACT)
    for bend, style in (0.0, "-"), ([1.2, -1.6], "--"):
        path = _path(a, b, bend, np.linspace(0, 1, 80)[:, None])
        axes[0, 1].plot(*path.T, style, color=plots.INK, linewidth=1.8)
    for x, name in (a, "a"), (b, "b"):
        axes[0, 1].plot(*x, "o", color=plots.INK, markersize=5)
        axes[0, 1].annotate(name, x, (5, 5), textcoords="offset points", fontweight="bold", fontsize=11)
    plots.frame(axes[0, 2], view, "the density, from the score alone")
    plots.image(axes[0, 2], np.sqrt(np.exp(density)), LIMIT, vmin=0, vmax=float(cloud.max()))
    darkest = float(np.sqrt(np.max(ONE.weights / np.prod(HIGH - LOW, axis=1))))
    for ax, law in (axes[1, 0], ONE), (axes[1, 1], OTHER):
        plots.frame(ax, view, f"masses {law.weights[0]:.1f} and {law.weights[1]:.1f}: the same score, 0")
        _boxes(ax, law, darkest)
    plots.frame(axes[1, 2], view, f"0.2 and 0.8 with noise, back: left {left:.3f}")
    plots.image(axes[1, 2], np.sqrt(np.exp(back)), LIMIT, vmin=0, vmax=darkest)
    plots.arrows(axes[1, 2], coarse, noisy.score(coarse), plots.EXACT)
    return figure


def _boxes(ax: Any, law: Boxes, darkest: float) -> None:
    """The boxes with sharp edges, in the shades of `plots.density`, with dots for arrows of no length."""
    for low, high, weight in zip(law.low, law.high, law.weights, strict=True):
        shade = plots.DENSITY(np.sqrt(weight / np.prod(high - low)) / darkest)
        ax.fill([low[0], high[0], high[0], low[0]], [low[1], low[1], high[1], high[1]], color=shade, lw=0)
        ax.plot(*cells(low, high, 5).points.reshape(-1, 2).T, ".", color=plots.EXACT, markersize=3)
