r"""Steps of Runge-Kutta methods, for a point alone or with an integral along its way.         [FLOW, SDE-9]

slopes(now, t) answers what `now` gains a unit of time: arrays, or `Carried`, which holds two. t and dt are
numbers, dt negative back in time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import autograd.numpy as np

from refgen.formulas.elementary import Array

__all__ = ["Carried", "euler", "fourth_order", "heun", "step_error"]

Slopes = Callable[[Any, float], Any]


@dataclass(frozen=True)
class Carried:
    """A point and an integral along its way; or how fast the two grow.

    x: (..., d). gained: of any shape.
    """

    x: Array
    gained: Array = 0.0

    def __add__(self, other: Carried) -> Carried:
        return Carried(self.x + other.x, self.gained + other.gained)

    def __rmul__(self, factor: float) -> Carried:
        return Carried(factor * self.x, factor * self.gained)


def euler(slopes: Slopes, now: Any, t: float, dt: float) -> Any:
    r"""Euler's step, :math:`x+h\,f(x,t)`: order 1, one call.                                [SDE-5]

    now: an array or `Carried`; returns the like.
    """
    return now + dt * slopes(now, t)


def heun(slopes: Slopes, now: Any, t: float, dt: float) -> Any:
    r"""Heun's step: order 2, two calls.                                                     [SDE-9]

    .. math:: x+\tfrac h2(k_1+k_2),\qquad k_1=f(x,t),\quad k_2=f(x+hk_1,\ t+h)

    now: an array or `Carried`; returns the like. Source: Heun 1900.
    """
    k_1 = slopes(now, t)
    k_2 = slopes(now + dt * k_1, t + dt)
    return now + (dt / 2) * (k_1 + k_2)


def fourth_order(slopes: Slopes, now: Any, t: float, dt: float) -> Any:
    r"""Kutta's step: order 4, four calls.                                                   [SDE-9]

    .. math:: x+\tfrac h6\big(k_1+2k_2+2k_3+k_4\big),\qquad k_2=f(x+\tfrac h2k_1,\ t+\tfrac h2),\quad
              k_3=f(x+\tfrac h2k_2,\ t+\tfrac h2),\quad k_4=f(x+hk_3,\ t+h)

    now: an array or `Carried`; returns the like. Source: Kutta 1901.
    """
    k_1 = slopes(now, t)
    k_2 = slopes(now + (dt / 2) * k_1, t + dt / 2)
    k_3 = slopes(now + (dt / 2) * k_2, t + dt / 2)
    k_4 = slopes(now + dt * k_3, t + dt)
    return now + (dt / 6) * (k_1 + 2 * (k_2 + k_3) + k_4)


def step_error(coarse: Array, fine: Array, ratio: float, order: int) -> Array:
    r"""How far off the finer of two results is, from how much they differ.                  [SDE-9]

    .. math:: |a_{h/r}-a|\approx\frac{|a_h-a_{h/r}|}{r^p-1}

    coarse, fine: results of steps h and h / r. ratio: r > 1. order: p, of the method. Broadcastable.
    Source: Richardson 1911.
    """
    return np.abs(coarse - fine) / (ratio**order - 1)
