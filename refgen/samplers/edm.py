r"""Heun's second-order steps with churn: the sampler of EDM.                    [EDM-3, EDM-4, EDM-5]

Algorithm 2 of Karras et al. 2022, for levels t_0 > t_1 > ... > t_N = 0 of the noise itself:

.. math:: \hat t_i=(1+\gamma_i)\,t_i,\qquad \hat x_i=x_i+\sqrt{\hat t_i^2-t_i^2}\;S_{noise}\,z\\
          d_i=\frac{\hat x_i-D(\hat x_i;\hat t_i)}{\hat t_i},\qquad
          x_{i+1}=\hat x_i+(t_{i+1}-\hat t_i)\,d_i\\
          d_i'=\frac{x_{i+1}-D(x_{i+1};t_{i+1})}{t_{i+1}},\qquad
          x_{i+1}=\hat x_i+(t_{i+1}-\hat t_i)\,\tfrac12(d_i+d_i')\quad(t_{i+1}\ne0)

Without churn it follows the flow, and is deterministic. Churn adds fresh noise before each step, as much as
takes the point to a noisier level, and so forgets the errors of the steps before.

It works at signal 1, with x / signal and std / signal, so any levels will do; the paper's are
`EDM().grid(steps, spacing="edm")`. Index k runs down from T here, so that t_i is the noise of level T - i.
"""

from __future__ import annotations

import math
from typing import Any

from refgen.backend import Stream
from refgen.denoisers import Denoiser
from refgen.formulas.edm import churn as with_churn
from refgen.formulas.edm import churn_rate, euler_step, heun_step
from refgen.samplers.langevin import Levels
from refgen.samplers.steps import kept_times, noises, require_levels

__all__ = ["edm"]

Array = Any


def edm(
    denoiser: Denoiser,
    levels: Levels,
    x_T: Array,
    rng: Stream,
    churn: float = 0.0,
    churn_low: float = 0.0,
    churn_high: float = math.inf,
    churn_noise: float = 1.0,
    trajectory: dict[int, Array] | None = None,
) -> Array:
    """x_0, (n, d), from x_T, (n, d), drawn from N(0, std_T^2 I), in T steps; 2 T - 1 calls of the denoiser.

    denoiser: asked for x_0, at levels of signal 1. rng: gives the noise of churn, in x_T's dtype and where
    x_T is, as the result will be; without churn nothing is drawn. churn: S_churn >= 0, shared by the steps; 0
    for none, up to 80 in the paper. churn_low, churn_high: S_tmin and S_tmax, the range of std / signal where
    there is churn. churn_noise: S_noise > 0; 1.003 makes up for a network that takes off too much.
    trajectory: a dict whose keys are the levels to keep; its values become x there, before churn. Raises
    ValueError for a churn below 0, a range of none, a churn_noise that is not > 0, and a kept level that is
    not there.
    """
    if not 0 <= churn < math.inf:
        raise ValueError(f"churn is {churn}; it must be a finite number >= 0")
    if not 0 < churn_noise < math.inf:
        raise ValueError(f"churn_noise is {churn_noise}; it must be a finite number > 0")
    if not 0 <= churn_low <= churn_high:
        raise ValueError(
            f"churn_low is {churn_low}, churn_high {churn_high}; 0 <= churn_low <= churn_high is needed"
        )
    require_levels(levels)
    kept, T = kept_times(trajectory, levels.T), levels.T
    noise = noises(rng, x_T, T if churn else 0)
    signal, std_k = levels.level(T)
    x, std = x_T / signal, std_k / signal
    for k in range(T, 0, -1):
        if k in kept:
            kept[k] = x_T if k == T else x * signal
        rate = churn_rate(std, churn, T, churn_low, churn_high)
        if churn:
            x, std = with_churn(x, next(noise), std, rate, churn_noise)
        x_0 = denoiser.x_0(x, 1.0, std)
        if k == 1:
            break
        signal, std_k = levels.level(k - 1)
        std_s = std_k / signal
        x_s = euler_step(x, x_0, std, std_s)
        x, std = heun_step(x, x_0, x_s, denoiser.x_0(x_s, 1.0, std_s), std, std_s), std_s
    if 0 in kept:
        kept[0] = x_0
    return x_0
