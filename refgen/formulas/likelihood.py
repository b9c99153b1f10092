r"""Likelihood along the flow of a diffusion: the density of any point, by the score alone.  [SDE-9, SYS-43]

The probability-flow ODE moves points as the forward process moves their law. Along it the log-density falls
by the divergence of the velocity, and at the end the law is known: that of noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as np

from refgen.formulas import sde
from refgen.formulas.elementary import Array
from refgen.formulas.runge_kutta import Carried, fourth_order, heun

__all__ = ["METHODS", "Moment", "code_length", "flow_divergence", "kl_bound", "log_prob"]

METHODS = {"rk4": (fourth_order, 4, 4), "heun": (heun, 2, 2)}  # a step, its order, its calls


class Moment(NamedTuple):
    """What the flow needs at one time. f and g2 belong to the variable that is stepped in: for another one
    than t they are multiplied by the derivative of t."""

    f: float
    g2: float
    level: tuple[float, float]  # (signal, std)


def flow_divergence(f: Array, g2: Array, div_score: Array, d: int) -> Array:
    r"""Divergence of the flow's velocity, :math:`f x-\tfrac12g^2s(x)`.                        [SDE-9]

    .. math:: \nabla\cdot\Big(f\,x-\tfrac12g^2\,s(x)\Big)=f\,d-\tfrac12g^2\,\nabla\cdot s(x)

    f: the drift over x. g2: >= 0. div_score: the trace of the score's Jacobian, or an estimate of it, v^T J v
    (`sliced.trace_along`): the result is then unbiased, too. d: the dimension. Broadcastable.
    Source: Song et al. 2021, app. D.2.
    """
    return f * d - 0.5 * g2 * div_score


def log_prob(
    x: Array,
    score: Callable[[Array, tuple[float, float]], tuple[Array, Array]],
    prior: Callable[[Array], Array],
    moment: Callable[[float], Moment],
    start: float,
    end: float,
    steps: int,
    method: str = "rk4",
) -> Array:
    r"""Log-density by the instantaneous change of variables along the probability flow.          [SDE-9]

    .. math:: \log p_{t_0}(x)=\log p_T(x_T)+\int_{t_0}^T\nabla\cdot v(x_t,t)\,dt,\qquad
              \frac{dx_t}{dt}=v(x_t,t)=f\,x_t-\tfrac12g^2s(x_t,t),\quad x_{t_0}=x

    the density of x_{t_0}: of the data under the noise of t_0. It is exact but for the steps where s is the
    score of p_t and the prior is p_T.

    x: (..., d). score: (x, (signal, std)) -> s, (..., d), and its divergence or an estimate, (...). prior:
    x_T -> log p_T, (...). moment: what is known of a time. start, end: t_0 and T. steps: >= 1, even in time.
    method: "rk4" or "heun", of order 4 and 2. Returns (...), in nats.
    Source: Chen et al. 2018, theorem 1; Song et al. 2021, eq. 39.
    """
    d, h, step = np.shape(x)[-1], (end - start) / steps, METHODS[method][0]

    def slopes(now: Carried, t: float) -> Carried:
        f, g2, level = moment(t)
        s, div_score = score(now.x, level)
        return Carried(sde.flow_velocity(now.x, s, f, g2), flow_divergence(f, g2, div_score, d))

    now = Carried(x)
    for k in range(steps):
        now = step(slopes, now, start + k * h, h)
    return prior(now.x) + now.gained


def kl_bound(g2: Array, square_error: Array, weights: Array, prior_kl: Array) -> Array:
    r"""Bound on the divergence of a reverse SDE's samples from the data: the loss weighted by g^2.   [SYS-44]

    .. math:: D_{KL}(p_0\Vert p_0^{\mathrm{SDE}})\le
              \tfrac12\int_0^Tg^2(t)\,\mathbb E_{p_t}\lVert s_\theta-s\rVert^2dt+D_{KL}(p_T\Vert\pi)

    The right side is the divergence of the paths. The two are equal where s_theta is the score of some law
    under the same noise and pi that law at T. It says nothing of the flow's density, only of the SDE's.

    g2, weights: (..., T), the diffusion and a quadrature rule's weights at its times. square_error: the mean
    of the squared distance of the scores there, (..., T). prior_kl: (...). Returns (...), in nats.
    Source: Song, Durkan, Murray & Ermon 2021, theorems 1 and 2.
    """
    return 0.5 * np.sum(weights * g2 * square_error, axis=-1) + prior_kl


def code_length(log_prob: Array, width: float, d: int) -> Array:
    r"""Bits in which a lossless code of the model's sends a point that was rounded to bins.       [SYS-43]

    .. math:: -\log_2\big(p(x)\,w^d\big)

    the bin's probability by the density at its centre: for bins that are narrow beside what the density
    varies over. In the mean it is at best the entropy of the rounded data. log_prob: in nats. width: of the
    bins, > 0. d: the dimension. Source: Shannon 1948.
    """
    return -(log_prob + d * math.log(width)) / math.log(2)
