r"""The design of Karras et al. 2022: preconditioning, Heun's steps and churn.                        [EDM]

A level is x_0 + std eps: the signal is 1 throughout, and std is the time. Another level (signal, std) is
brought there by dividing both, and the point, by the signal. The levels are those of `process.karras_std`.
"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.elementary import Array, log, require_last_axis, sqrt

__all__ = [
    "c_in",
    "c_noise",
    "c_out",
    "c_skip",
    "churn",
    "churn_rate",
    "denoised",
    "euler_step",
    "heun_step",
    "loss_weight",
    "network_target",
]

MAX_CHURN_RATE = math.sqrt(2) - 1  # at this rate the noise that is added is as much as there was


def c_skip(std: Array, data_std: Array = 0.5) -> Array:
    r"""How much of x_t is passed on to the denoised point.                              [EDM-1]

    .. math:: c_{skip}=\frac{\sigma_{data}^2}{\sigma^2+\sigma_{data}^2}

    the factor for which `c_out` is least, so that the network's errors are amplified least. std: >= 0,
    data_std: > 0, that of each coordinate of the data; broadcastable. Source: Karras et al. 2022, table 1.
    """
    return data_std**2 / (std**2 + data_std**2)


def c_out(std: Array, data_std: Array = 0.5) -> Array:
    r"""Scale of the network's output: the std of what it has to predict.               [EDM-1]

    .. math:: c_{out}=\frac{\sigma\,\sigma_{data}}{\sqrt{\sigma^2+\sigma_{data}^2}}

    std: >= 0. data_std: > 0. Broadcastable. Source: Karras et al. 2022, table 1.
    """
    return std * data_std / sqrt(std**2 + data_std**2)


def c_in(std: Array, data_std: Array = 0.5) -> Array:
    r"""Scale of the network's input, which gives x_t variance one.                      [EDM-1]

    .. math:: c_{in}=\frac1{\sqrt{\sigma^2+\sigma_{data}^2}}

    std: >= 0. data_std: > 0. Broadcastable. Source: Karras et al. 2022, table 1.
    """
    return 1 / sqrt(std**2 + data_std**2)


def c_noise(std: Array) -> Array:
    r"""What the network is told of the level: :math:`c_{noise}=\tfrac14\log\sigma`.     [EDM-1]

    Chosen by hand: any function that tells the levels apart will do. std: > 0.
    Source: Karras et al. 2022, table 1.
    """
    return log(std) / 4


def loss_weight(std: Array, data_std: Array = 0.5) -> Array:
    r"""Weight of :math:`\lVert D(x_t)-x_0\rVert^2`, at which every level counts alike.    [EDM-1]

    .. math:: \lambda=\frac{\sigma^2+\sigma_{data}^2}{(\sigma\,\sigma_{data})^2}=\frac1{c_{out}^2}

    std, data_std: > 0, broadcastable. Source: Karras et al. 2022, table 1.
    """
    return 1 / c_out(std, data_std) ** 2


def denoised(x_t: Array, output: Array, std: Array, data_std: Array = 0.5) -> Array:
    r"""Clean data from what the network F says.                                        [EDM-1]

    .. math:: D(x_t;\sigma)=c_{skip}\,x_t+c_{out}\,F(c_{in}\,x_t;\,c_{noise})

    x_t, output: (..., d). std: >= 0, data_std: > 0, broadcastable. Source: Karras et al. 2022, eq. 7.
    """
    require_last_axis(x_t=x_t, output=output)
    return c_skip(std, data_std) * x_t + c_out(std, data_std) * output


def network_target(x_t: Array, x_0: Array, std: Array, data_std: Array = 0.5) -> Array:
    r"""What the network has to say: it has variance one at every level.                 [EDM-1]

    .. math:: \frac{x_0-c_{skip}\,x_t}{c_{out}}

    x_t, x_0: (..., d). std, data_std: > 0, broadcastable. Source: Karras et al. 2022, eq. 8.
    """
    require_last_axis(x_t=x_t, x_0=x_0)
    return (x_0 - c_skip(std, data_std) * x_t) / c_out(std, data_std)


def euler_step(x_t: Array, x_0: Array, std_t: Array, std_s: Array) -> Array:
    r"""From level t to level s along the slope of the flow at x_t.                       [EDM-3]

    .. math:: x_s=x_t+(\sigma_s-\sigma_t)\,\frac{x_t-D(x_t;\sigma_t)}{\sigma_t}
              =D+\frac{\sigma_s}{\sigma_t}\,(x_t-D)

    The last form is the one computed: at std_s = 0 it is D, to the bit. x_t: (..., d), x_0: (..., d), the
    denoised D. std_t: > 0, std_s: >= 0, broadcastable. Source: Karras et al. 2022, Algorithm 1.
    """
    require_last_axis(x_t=x_t, x_0=x_0)
    return x_0 + std_s / std_t * (x_t - x_0)


def heun_step(x_t: Array, x_0_t: Array, x_s: Array, x_0_s: Array, std_t: Array, std_s: Array) -> Array:
    r"""The same step along the mean of the slopes at its two ends: second order.         [EDM-3]

    .. math:: x_s'=x_t+(\sigma_s-\sigma_t)\,\tfrac12\Big(\frac{x_t-D(x_t;\sigma_t)}{\sigma_t}
              +\frac{x_s-D(x_s;\sigma_s)}{\sigma_s}\Big)

    x_t: (..., d). x_s: where `euler_step` ends. x_0_t, x_0_s: denoised from either. std_t, std_s: > 0,
    broadcastable; at std_s = 0 there is no second slope, and Euler's step is taken.
    Source: Karras et al. 2022, Algorithm 1.
    """
    require_last_axis(x_t=x_t, x_0_t=x_0_t, x_s=x_s, x_0_s=x_0_s)
    turn = (x_s - x_0_s) / std_s - (x_t - x_0_t) / std_t
    return euler_step(x_t, x_0_t, std_t, std_s) + (std_s - std_t) / 2 * turn


def churn_rate(std: Array, churn: Array, steps: int, low: Array = 0.0, high: Array = math.inf) -> Array:
    r"""By what share the std of a point is raised before a step.                         [EDM-4]

    .. math:: \gamma=\begin{cases}\min\big(S_{churn}/N,\ \sqrt2-1\big)&S_{tmin}\le\sigma\le S_{tmax}\\
              0&\text{else}\end{cases}

    so that never more noise is added than there was. std: the level's, an array or a number. churn, low,
    high: S_churn >= 0, S_tmin, S_tmax, numbers. steps: N >= 1. Source: Karras et al. 2022, Algorithm 2.
    """
    rate = min(churn / steps, MAX_CHURN_RATE)
    if isinstance(std, int | float):
        return rate if low <= std <= high else 0.0
    return np.where((std >= low) & (std <= high), rate + 0 * std, 0 * std)


def churn(x_t: Array, z: Array, std: Array, rate: Array, noise: Array = 1.0) -> tuple[Array, Array]:
    r"""A point with fresh noise added, and the std of its new level.                     [EDM-4]

    .. math:: \hat\sigma=(1+\gamma)\,\sigma,\qquad
              \hat x=x_t+\sqrt{\hat\sigma^2-\sigma^2}\;S_{noise}\,z

    x_t, z: (..., d), z standard normal. std: > 0. rate: gamma >= 0. noise: S_noise, 1 for exactly the law of
    the new level; a little more makes up for a network that takes off too much. Broadcastable. Returns
    (x, std). Source: Karras et al. 2022, Algorithm 2.
    """
    require_last_axis(x_t=x_t, z=z)
    return x_t + std * sqrt(rate * (2 + rate)) * noise * z, (1 + rate) * std
