r"""Flow matching along straight lines: the velocity from data to noise, and what else it says.          [FM]

.. math:: x_t=(1-t)\,x_0+t\,\epsilon,\qquad \frac{dx_t}{dt}=u=\epsilon-x_0

t = 0 is data and t = 1 is noise, as everywhere here; some papers count the other way, where u has the other
sign. A network learns the mean of u given x_t. A level of another process, x_t = signal x_0 + std eps, is a
point of the straight path times signal + std, at t = std / (signal + std); u is the same there, since eps and
x_0 are. Source: Lipman et al. 2023; Liu et al. 2023; Albergo & Vanden-Eijnden 2023.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, require_last_axis

__all__ = [
    "eps_from_velocity",
    "pairing_cost",
    "score_from_velocity",
    "straight_step",
    "straight_time",
    "target_velocity",
    "v_from_velocity",
    "velocity_from_eps",
    "velocity_from_score",
    "velocity_from_v",
    "velocity_from_x_0",
    "x_0_from_velocity",
]


def target_velocity(x_0: Array, eps: Array) -> Array:
    r"""What the network is trained to say at x_t, :math:`u=\epsilon-x_0`.                [FM-1, FM-2, FM-3]

    The speed of the straight line from x_0 to eps, the same at every t. Its mean given x_t carries the law
    of the data to that of the noise. x_0, eps: (..., d). Source: Lipman et al. 2023, section 4; Liu et al.
    2023, eq. 1.
    """
    require_last_axis(x_0=x_0, eps=eps)
    return eps - x_0


def straight_time(signal: Array, std: Array) -> Array:
    r"""Time of a level on the straight path, :math:`t=\mathrm{std}/(\mathrm{signal}+\mathrm{std})`.    [FM-5]

    signal, std: >= 0, not both 0, broadcastable.
    """
    return std / (signal + std)


def eps_from_velocity(x_t: Array, u: Array, signal: Array, std: Array) -> Array:
    r"""Noise from the straight velocity.                                                       [FM-4]

    .. math:: \epsilon=\frac{x_t+\mathrm{signal}\,u}{\mathrm{signal}+\mathrm{std}}
              \;\overset{\text{straight}}=\;x_t+(1-t)\,u

    x_t, u: (..., d). signal, std: >= 0, not both 0, broadcastable. Nothing is divided by a small number.
    """
    require_last_axis(x_t=x_t, u=u)
    return (x_t + signal * u) / (signal + std)


def x_0_from_velocity(x_t: Array, u: Array, signal: Array, std: Array) -> Array:
    r"""Clean data from the straight velocity.                                                  [FM-4]

    .. math:: x_0=\frac{x_t-\mathrm{std}\,u}{\mathrm{signal}+\mathrm{std}}
              \;\overset{\text{straight}}=\;x_t-t\,u

    Arguments as for `eps_from_velocity`.
    """
    require_last_axis(x_t=x_t, u=u)
    return (x_t - std * u) / (signal + std)


def score_from_velocity(x_t: Array, u: Array, signal: Array, std: Array) -> Array:
    r"""Score from the straight velocity.                                                       [FM-4]

    .. math:: \nabla\log q_t=-\frac{x_t+\mathrm{signal}\,u}{\mathrm{std}\,(\mathrm{signal}+\mathrm{std})}
              \;\overset{\text{straight}}=\;-\frac{x_t+(1-t)\,u}t

    Arguments as for `eps_from_velocity`, std > 0.
    """
    return -eps_from_velocity(x_t, u, signal, std) / std


def v_from_velocity(x_t: Array, u: Array, signal: Array, std: Array) -> Array:
    r"""The velocity signal eps - std x_0 of variance-preserving processes from the straight one.    [FM-4]

    .. math:: v=\frac{(\mathrm{signal}-\mathrm{std})\,x_t+(\mathrm{signal}^2+\mathrm{std}^2)\,u}
                     {\mathrm{signal}+\mathrm{std}}

    Arguments as for `eps_from_velocity`. At unit power an error in u is divided by 1 to 1.42.
    """
    require_last_axis(x_t=x_t, u=u)
    return ((signal - std) * x_t + (signal**2 + std**2) * u) / (signal + std)


def velocity_from_v(x_t: Array, v: Array, signal: Array, std: Array) -> Array:
    r"""The straight velocity from v = signal eps - std x_0.                                    [FM-4]

    .. math:: u=\frac{(\mathrm{signal}+\mathrm{std})\,v+(\mathrm{std}-\mathrm{signal})\,x_t}
                     {\mathrm{signal}^2+\mathrm{std}^2}

    x_t, v: (..., d). signal, std: >= 0, not both 0, broadcastable.
    """
    require_last_axis(x_t=x_t, v=v)
    return ((signal + std) * v + (std - signal) * x_t) / (signal**2 + std**2)


def velocity_from_eps(x_t: Array, eps: Array, signal: Array, std: Array) -> Array:
    r"""The straight velocity from noise.                                                       [FM-4]

    .. math:: u=\frac{(\mathrm{signal}+\mathrm{std})\,\epsilon-x_t}{\mathrm{signal}}
              \;\overset{\text{straight}}=\;\frac{\epsilon-x_t}{1-t}

    x_t, eps: (..., d). signal: > 0, std: >= 0, broadcastable. An error in eps grows as 1 / signal.
    """
    require_last_axis(x_t=x_t, eps=eps)
    return ((signal + std) * eps - x_t) / signal


def velocity_from_x_0(x_t: Array, x_0: Array, signal: Array, std: Array) -> Array:
    r"""The straight velocity from clean data.                                                  [FM-4]

    .. math:: u=\frac{x_t-(\mathrm{signal}+\mathrm{std})\,x_0}{\mathrm{std}}
              \;\overset{\text{straight}}=\;\frac{x_t-x_0}t

    x_t, x_0: (..., d). signal: >= 0, std: > 0, broadcastable. An error in x_0 grows as 1 / std.
    """
    require_last_axis(x_t=x_t, x_0=x_0)
    return (x_t - (signal + std) * x_0) / std


def velocity_from_score(x_t: Array, score: Array, signal: Array, std: Array) -> Array:
    r"""The velocity of the straight process's probability flow, from the score.              [FM-3, SDE-5]

    .. math:: u=-\frac{x_t+(\mathrm{signal}+\mathrm{std})\,\mathrm{std}\,\nabla\log q_t}{\mathrm{signal}}
              \;\overset{\text{straight}}=\;-\frac{x_t+t\,\nabla\log q_t}{1-t}

    x_t, score: (..., d). signal: > 0, std: >= 0, broadcastable. On the straight path that is f x - g^2 score
    / 2 with f = -1 / (1 - t) and g^2 = 2 t / (1 - t): the two terms nearly cancel as t goes to 1.
    """
    require_last_axis(x_t=x_t, score=score)
    return -(x_t + (signal + std) * std * score) / signal


def straight_step(x_t: Array, u: Array, t: float, s: float) -> Array:
    r"""From time t to s along a straight line, :math:`x_s=x_t+(s-t)\,u`: Euler's step.          [FM-1]

    At s = 0 it is the x_0 that u says, at s = 1 the eps. x_t, u: (..., d). t, s: in [0, 1].
    """
    require_last_axis(x_t=x_t, u=u)
    return x_t + (s - t) * u


def pairing_cost(x_0: Array, eps: Array) -> Array:
    r"""Mean squared length of the lines between paired points.                                 [FM-6]

    .. math:: \frac1n\sum_i\lVert\epsilon_i-x_{0,i}\rVert^2

    Any pairing in which both keep their laws trains a flow between them. The less it costs, the fewer lines
    cross and the straighter the flow is; the least is the optimal transport of the batch. x_0, eps: (n, d).
    Source: Tong et al. 2024; Pooladian et al. 2023.
    """
    return np.mean(np.sum(target_velocity(x_0, eps) ** 2, axis=-1))
