r"""Noise in continuous time: x_t = signal(t) x_0 + std(t) eps.                            [SDE]

The same law is that of :math:`dx=f(t)\,x\,dt+g(t)\,dw` with :math:`f=\mathrm{signal}'/\mathrm{signal}` and
:math:`g^2=(\mathrm{std}^2)'-2f\,\mathrm{std}^2`. Here stand signal, std, f, g^2 and the inverse of the
log-SNR, for each kind of noise. The variance-preserving ones take beta by its integral B, so any beta does.
"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.elementary import Array, exp, expm1, log, sigmoid, sqrt

__all__ = [
    "beta_integral",
    "cosine_diffusion_var",
    "cosine_drift",
    "cosine_signal",
    "cosine_std",
    "cosine_time",
    "edm_diffusion_var",
    "integral_time",
    "karras_std",
    "linear_beta",
    "log_snr_diffusion_var",
    "straight_diffusion_var",
    "straight_drift",
    "straight_time",
    "sub_vp_diffusion_var",
    "sub_vp_integral",
    "sub_vp_std",
    "unit_power_drift",
    "ve_diffusion_var",
    "ve_time",
    "vp_drift",
    "vp_log_snr",
    "vp_signal",
    "vp_std",
]


def linear_beta(t: Array, beta_min: Array, beta_max: Array) -> Array:
    r"""Rate of noise that grows linearly, :math:`\beta(t)=\beta_{\min}+t(\beta_{\max}-\beta_{\min})`. [SDE-2]

    DDPM's steps are :math:`\beta_i=\beta(i/T)/T`. t: in [0, 1]. beta_min, beta_max: > 0. Broadcastable.
    Source: Song et al. 2021, app. B.
    """
    return beta_min + t * (beta_max - beta_min)


def beta_integral(t: Array, beta_min: Array, beta_max: Array) -> Array:
    r"""Its integral, :math:`B(t)=\int_0^t\beta=\beta_{\min}t+\tfrac12(\beta_{\max}-\beta_{\min})t^2`. [SDE-2]

    t: in [0, 1]. beta_min, beta_max: > 0. Broadcastable. Source: Song et al. 2021, app. C.
    """
    return t * (beta_min + 0.5 * t * (beta_max - beta_min))


def integral_time(integral: Array, beta_min: Array, beta_max: Array) -> Array:
    r"""The time at which a linear beta has that integral, without a subtraction.

    .. math:: t=\frac{2B}{\beta_{\min}+\sqrt{\beta_{\min}^2+2(\beta_{\max}-\beta_{\min})B}}

    integral: B >= 0. beta_min, beta_max: > 0. Broadcastable.
    """
    return 2 * integral / (beta_min + sqrt(beta_min**2 + 2 * (beta_max - beta_min) * integral))


def vp_signal(integral: Array) -> Array:
    r"""What is left of x_0 where noise of rate beta preserves the variance, :math:`e^{-B/2}`.     [SDE-2]

    integral: B >= 0, the integral of beta from 0 to t; its square is the limit of DDPM's alpha_bar.
    Source: Song et al. 2021, eq. 29.
    """
    return exp(-0.5 * integral)


def vp_std(integral: Array) -> Array:
    r"""Its noise, :math:`\sqrt{1-e^{-B}}`, to full relative accuracy near the data.                 [SDE-2]

    integral: B >= 0. Source: Song et al. 2021, eq. 29.
    """
    return sqrt(-expm1(-integral))


def vp_log_snr(integral: Array) -> Array:
    r"""Its log-SNR, :math:`-\log(e^B-1)`, accurate at both ends. integral: B >= 0; infinite at 0."""
    return -integral - log(-expm1(-integral))


def vp_drift(beta: Array) -> Array:
    r"""Drift of both variance-preserving kinds, :math:`f(t)=-\tfrac12\beta(t)`; for the one of DDPM, whose
    variance is preserved, :math:`g^2(t)=\beta(t)`.                                        [SDE-2]

    beta: > 0. Source: Song et al. 2021, eq. 11.
    """
    return -0.5 * beta


def sub_vp_std(integral: Array) -> Array:
    r"""Noise of the sub-VP process, :math:`1-e^{-B}`: never more than `vp_std`.                    [SDE-10]

    The signal is `vp_signal`. integral: B >= 0. Source: Song et al. 2021, eq. 29.
    """
    return -expm1(-integral)


def sub_vp_diffusion_var(beta: Array, integral: Array) -> Array:
    r"""Its diffusion, :math:`g^2(t)=\beta(t)\,(1-e^{-2B(t)})`.                                      [SDE-10]

    beta: > 0. integral: B >= 0. Broadcastable. Source: Song et al. 2021, section 3.4.
    """
    return beta * -expm1(-2 * integral)


def sub_vp_integral(log_snr: Array) -> Array:
    r"""The integral of beta at which it has a log-SNR, :math:`2\,\mathrm{arsinh}(\tfrac12e^{-\lambda/2})`.

    log_snr: > -1400.
    """
    return 2 * np.arcsinh(0.5 * exp(-0.5 * log_snr))


def ve_diffusion_var(std: Array, largest: Array, smallest: Array) -> Array:
    r"""Diffusion of the exploding process whose std is geometric in time.                           [SDE-3]

    .. math:: \sigma(t)=\sigma_{\min}\Big(\frac{\sigma_{\max}}{\sigma_{\min}}\Big)^t,\qquad
              g^2(t)=\frac{d\sigma^2}{dt}=2\,\sigma(t)^2\log\frac{\sigma_{\max}}{\sigma_{\min}}

    There is no drift, f = 0. The std is `annealed.geometric_std` of the fraction 1 - t.
    std: > 0, of the time. 0 < smallest < largest. Broadcastable. Source: Song et al. 2021, app. C.
    """
    return 2 * std**2 * (log(largest) - log(smallest))


def ve_time(log_snr: Array, largest: Array, smallest: Array) -> Array:
    r"""Its time at a log-SNR. log_snr: any real. 0 < smallest < largest. Broadcastable."""
    return (-0.5 * log_snr - log(smallest)) / (log(largest) - log(smallest))


def edm_diffusion_var(t: Array) -> Array:
    r"""Diffusion of the exploding process whose std is the time: :math:`g^2=2t`, and f = 0.      [SDE-3]

    t: >= 0. Source: Karras et al. 2022, section 3.
    """
    return 2 * t


def cosine_signal(t: Array) -> Array:
    r"""Signal of the cosine process, :math:`\cos(\pi t/2)=\sin(\pi(1-t)/2)`, accurate at both ends.

    t: in [0, 1]. Source: Salimans & Ho 2022, section 2.
    """
    return cosine_std(1 - t)


def cosine_std(t: Array) -> Array:
    r"""Its noise, :math:`\sin(\pi t/2)`. t: in [0, 1]."""
    return np.sin(0.5 * math.pi * t)


def cosine_drift(t: Array) -> Array:
    r"""Its drift, :math:`f=-\tfrac\pi2\tan(\pi t/2)`, without bound at t = 1. t: in [0, 1)."""
    return -0.5 * cosine_diffusion_var(t)


def cosine_diffusion_var(t: Array) -> Array:
    r"""Its diffusion, :math:`g^2=\pi\tan(\pi t/2)`. t: in [0, 1)."""
    return math.pi * cosine_std(t) / cosine_signal(t)


def cosine_time(log_snr: Array) -> Array:
    r"""Its time at a log-SNR, :math:`\tfrac2\pi\arctan e^{-\lambda/2}`. log_snr: any real."""
    return 2 / math.pi * np.arctan(exp(-0.5 * log_snr))


def straight_drift(t: Array) -> Array:
    r"""Drift of the straight process, signal 1 - t and std t: :math:`f=-\frac1{1-t}`. t: in [0, 1).

    Source: Lipman et al. 2023 and Liu et al. 2023, whose paths are these, run the other way.
    """
    return -1 / (1 - t)


def straight_diffusion_var(t: Array) -> Array:
    r"""Its diffusion, :math:`g^2=\frac{2t}{1-t}`. t: in [0, 1)."""
    return 2 * t / (1 - t)


def straight_time(log_snr: Array) -> Array:
    r"""Its time at a log-SNR, :math:`\frac1{1+e^{\lambda/2}}`. log_snr: any real."""
    return sigmoid(-0.5 * log_snr)


def log_snr_diffusion_var(std: Array, slope: Array) -> Array:
    r"""Diffusion of any process, from how fast the log-SNR falls.

    .. math:: g^2=(\mathrm{std}^2)'-2f\,\mathrm{std}^2=-\mathrm{std}^2\,\lambda'(t)

    std: >= 0. slope: the derivative of the log-SNR in time, < 0. Broadcastable.
    Source: Kingma et al. 2021, app. E.
    """
    return -(std**2) * slope


def unit_power_drift(std: Array, slope: Array) -> Array:
    r"""Drift where signal^2 + std^2 = 1, :math:`f=\tfrac12\,\mathrm{std}^2\,\lambda'(t)`, that is -g^2/2.

    std: >= 0. slope: the derivative of the log-SNR in time. Broadcastable.
    """
    return 0.5 * std**2 * slope


def karras_std(fraction: Array, largest: Array, smallest: Array, rho: float = 7.0) -> Array:
    r"""Noise levels that are even in a root: finer near the data than near the noise.

    .. math:: \Big(\sigma_{\max}^{1/\rho}+f\,(\sigma_{\min}^{1/\rho}-\sigma_{\max}^{1/\rho})\Big)^\rho

    falls from the largest to the smallest as the fraction f goes from 0 to 1. largest, smallest: > 0, of
    std / signal. rho: > 0; 7. Broadcastable. Source: Karras et al. 2022, eq. 5.
    """
    high, low = largest ** (1 / rho), smallest ** (1 / rho)
    return ((1 - fraction) * high + fraction * low) ** rho
