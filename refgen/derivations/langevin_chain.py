"""Langevin chains on a line, tabulated: the whole law of x_K by matrices, and no samples. No cards.

The kernel of a step is read off the step itself: its mean at z = 0, its standard deviation at z = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from refgen.derivations import line

__all__ = ["MODES", "advanced", "euler", "kernel", "right_of", "two_modes", "uniform_start"]

Step = Callable[..., Any]
MODES = 5 * math.sqrt(2)  # modes at -(5, 5) and (5, 5), seen along the line through both


def euler(x, score, z, step):
    """A step of the dynamics, for derivations."""
    return x + step * score + math.sqrt(2 * step) * z


def two_modes(weight: float, half_distance: float = MODES) -> line.Law:
    """Two normal laws of std 1, the right one with the given weight."""
    means = np.array([-half_distance, half_distance])
    return line.Law(np.array([1 - weight, weight]), means, np.ones(2))


def kernel(step_of: Step, law: line.Law, step: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Probabilities (n, m) of a step from each x (n,) into the cell around each y (m,)."""
    slope = line.score(x, law)[:, None]
    centre = step_of(x[:, None], slope, np.zeros((len(x), 1)), step)
    width = step_of(x[:, None], slope, np.ones((len(x), 1)), step) - centre
    density = np.exp(-0.5 * ((y - centre) / width) ** 2) / (math.sqrt(2 * math.pi) * np.abs(width))
    return density * (y[1] - y[0])


def uniform_start(reach: float = 8.0, spacing: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Points and masses: uniform on [-reach, reach]^2, seen along the diagonal, where it is a triangle."""
    x = np.arange(-reach * math.sqrt(2), reach * math.sqrt(2), spacing) + spacing / 2
    mass = reach * math.sqrt(2) - np.abs(x)
    return x, mass / mass.sum()


def advanced(
    step_of: Step,
    start: tuple[np.ndarray, np.ndarray],
    levels: Iterable[tuple[line.Law, float]],
    steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Points and masses after `steps` steps at each of the levels (law, step) in turn."""
    x, mass = start
    levels = list(levels)
    for i, (law, step) in enumerate(levels):
        finest = min(step, levels[min(i + 1, len(levels) - 1)][1])  # the next kernel is summed over this grid
        reach = np.max(np.abs(law.means)) + 8 * np.max(law.stds)
        reach = max(reach, np.max(np.abs(x)) if i == 0 else 0.0)
        spacing = 0.5 * math.sqrt(2 * finest)
        y = np.arange(-reach, reach, spacing) + spacing / 2
        mass = mass @ kernel(step_of, law, step, x, y)
        x = y
        if steps > 1:
            mass = mass @ np.linalg.matrix_power(kernel(step_of, law, step, x, x), steps - 1)
    return x, mass


def right_of(watershed: float, x: np.ndarray, mass: np.ndarray) -> float:
    """The share of the mass beyond a point."""
    return float(mass[x > watershed].sum() / mass.sum())
