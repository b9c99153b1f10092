r"""The signal-to-noise ratio: one number that says how noisy a level is.                  [SNR]

SNR = signal^2 / std^2. It falls with t, and any falling log-SNR is a noise schedule; alpha_bar and
1 - alpha_bar are its two sigmoids, each accurate where the other is close to one.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, exp, expm1, log, sigmoid, softplus, sqrt
from refgen.formulas.forward import noise_var

__all__ = [
    "alpha_bar_from_log_snr",
    "beta_from_log_snr",
    "continuous_term",
    "denoising_weight",
    "diffusion_loss",
    "diffusion_term",
    "gaussian_loss_limit",
    "gaussian_square_error",
    "is_schedule",
    "log_alpha_bar_from_log_snr",
    "log_snr",
    "one_minus_alpha_bar_from_log_snr",
    "snr",
    "unit_level",
]


def snr(alpha_bar: Array) -> Array:
    r"""Signal-to-noise ratio of data with unit power.                                [SNR-1]

    .. math:: \mathrm{SNR}(t)=\frac{\bar\alpha_t}{1-\bar\alpha_t}

    alpha_bar: in [0, 1). Data of mean square m have m times this ratio.
    Source: Kingma et al. 2021, section 3.1; Luo 2022, 'Learning Diffusion Noise Parameters';
    Kim, 'Diffusion Model'.
    """
    return alpha_bar / (1 - alpha_bar)


def log_snr(signal: Array, std: Array) -> Array:
    r"""Logarithm of the SNR of a level, 2 log(signal / std).                         [SNR-1]

    signal, std: >= 0, broadcastable, not both zero. Plus infinity at std 0, minus infinity at signal 0.
    """
    return 2 * (log(signal) - log(std))


def alpha_bar_from_log_snr(log_snr: Array) -> Array:
    r"""alpha_bar = sigmoid(log SNR).                                          [SNR-4, SNR-5]

    .. math:: \bar\alpha_t=\mathrm{sigmoid}(-\omega(t)),\qquad \mathrm{SNR}(t)=e^{-\omega(t)}

    log_snr: any real; full relative accuracy down to -700, where alpha_bar is 1e-304.
    Source: Kingma et al. 2021, section 3.2; Luo 2022, 'Learning Diffusion Noise Parameters';
    Kim, 'Diffusion Model'.
    """
    return sigmoid(log_snr)


def one_minus_alpha_bar_from_log_snr(log_snr: Array) -> Array:
    r"""1 - alpha_bar = sigmoid(-log SNR), to full relative accuracy.                  [SNR-6]

    log_snr: any real; up to 700, where 1 - alpha_bar is 1e-304.
    Source: Luo 2022, 'Learning Diffusion Noise Parameters'; Kim, 'Diffusion Model'.
    """
    return sigmoid(-log_snr)


def unit_level(log_snr: Array) -> tuple[Array, Array]:
    """signal and std of unit power at a log-SNR, a number or an array of any shape.     [SNR-5, SNR-6]"""
    return sqrt(alpha_bar_from_log_snr(log_snr)), sqrt(one_minus_alpha_bar_from_log_snr(log_snr))


def log_alpha_bar_from_log_snr(log_snr: Array) -> Array:
    r"""log alpha_bar, :math:`-\log(1+e^{-\log\mathrm{SNR}})`, to full relative accuracy.     [SNR-5]

    log_snr: any real, or plus infinity, where it is 0.
    """
    return -softplus(-log_snr)


def beta_from_log_snr(log_snr_t: Array, log_snr_s: Array) -> Array:
    r"""Variance of the forward step between two levels, without a subtraction.

    .. math:: \beta_t = 1-\frac{\bar\alpha_t}{\bar\alpha_s}
              = (1-\bar\alpha_t)\Big(1-\frac{\mathrm{SNR}(t)}{\mathrm{SNR}(s)}\Big)

    log_snr_t < log_snr_s, broadcastable; log_snr_s may be infinite (clean data). Where log_snr_t is the
    larger the result is negative: no variance at all.
    """
    return one_minus_alpha_bar_from_log_snr(log_snr_t) * -expm1(log_snr_t - log_snr_s)


def denoising_weight(alpha_t: Array, alpha_bar_s: Array) -> Array:
    r"""Weight of :math:`\lVert\hat x_0-x_0\rVert^2` in the bound's term of step t, s = t - 1.     [SNR-2]

    .. math:: \frac{1}{2\sigma_q^2(t)}\frac{\bar\alpha_s(1-\alpha_t)^2}{(1-\bar\alpha_t)^2}
              = \tfrac12\big(\mathrm{SNR}(s)-\mathrm{SNR}(t)\big)
              = \frac{\bar\alpha_s(1-\alpha_t)}{2(1-\bar\alpha_s)(1-\bar\alpha_t)}

    The last form is the one computed: nothing cancels. alpha_t, alpha_bar_s: broadcastable, in (0, 1).
    Source: Luo 2022, 'Learning Diffusion Noise Parameters'; Kingma et al. 2021, section 4; Kim.
    """
    return alpha_bar_s * (1 - alpha_t) / (2 * (1 - alpha_bar_s) * noise_var(alpha_t, alpha_bar_s))


def is_schedule(log_snr: Array) -> Array:
    r"""Whether log-SNRs at t = 1..T are those of a noise schedule: they must fall.      [SNR-3, SNR-4]

    A learned :math:`\mathrm{SNR}(t)=e^{-\omega(t)}` needs an increasing omega, or some step has
    :math:`\alpha_t=\bar\alpha_t/\bar\alpha_s\ge1` and no variance. log_snr: (T,).
    Source: Kingma et al. 2021 (a monotone network); Kim, 'Diffusion Model', corrected.
    """
    return np.all(log_snr[1:] < log_snr[:-1])


def diffusion_loss(log_snr: Array, square_error: Array) -> Array:
    r"""The bound's terms of steps t >= 2 through the SNR alone, in nats.                       [SNR-7]

    .. math:: \sum_{t=2}^T L_{t-1}
              = \tfrac12\sum_{t=2}^T\big(\mathrm{SNR}(t-1)-\mathrm{SNR}(t)\big)\,
                \mathbb E\lVert\hat x_0(x_t)-x_0\rVert^2

    Holds where the reverse step has the posterior's variance. Differentiable, so a schedule can be learned.
    log_snr: (..., T), at t = 1..T, falling. square_error: (..., T), the mean squared error of x_0 at those
    t; that at t = 1 belongs to L_0 and is not used. Returns (...).
    Source: Kingma et al. 2021; Luo 2022, eq. 108; Kim, 'Diffusion Model'.
    """
    t, s = log_snr[..., 1:], log_snr[..., :-1]
    return -0.5 * np.sum(np.exp(s) * np.expm1(t - s) * square_error[..., 1:], axis=-1)


def diffusion_term(log_snr_t: Array, log_snr_s: Array, eps_error: Array) -> Array:
    r"""One term of `diffusion_loss`, from the squared error in eps.                            [SNR-7]

    .. math:: L_{t-1}=\tfrac12\Big(\frac{\mathrm{SNR}(s)}{\mathrm{SNR}(t)}-1\Big)\,
              \lVert\epsilon-\hat\epsilon(x_t)\rVert^2,\qquad s=t-1

    log_snr_t < log_snr_s. eps_error: >= 0. Broadcastable. Source: Kingma et al. 2021, eq. 14.
    """
    return 0.5 * expm1(log_snr_s - log_snr_t) * eps_error


def continuous_term(slope: Array, eps_error: Array) -> Array:
    r"""What `diffusion_loss` becomes with endless steps, at one time of its integral.          [SNR-7]

    .. math:: L_\infty=\tfrac12\int_0^1\omega'(t)\,\mathbb E\lVert\epsilon-\hat\epsilon(x_t)\rVert^2dt
              =\tfrac12\int_{\lambda_{\min}}^{\lambda_{\max}}
              \mathbb E\lVert\epsilon-\hat\epsilon\rVert^2d\lambda

    slope: omega', minus the derivative of the log-SNR, > 0. eps_error: >= 0. Broadcastable. The integral
    depends on the ends alone, not on how omega rises in between; the spread of the integrand does, and with
    it that of an estimate from random times. Source: Kingma et al. 2021, eqs. 17 and 18.
    """
    return 0.5 * slope * eps_error


def gaussian_square_error(log_snr: Array, data_var: Array) -> Array:
    r"""Mean squared error of the exact denoiser of Gaussian data, the least there is.

    .. math:: \mathbb E\lVert\mathbb E[x_0\mid x_t]-x_0\rVert^2=\sum_i\frac{v_i}{1+\mathrm{SNR}(t)\,v_i}

    log_snr: (...). data_var: (d,), the variances v_i >= 0 along the principal axes. Returns (...).
    """
    ratio = np.exp(log_snr)[..., None]
    return np.sum(data_var / (1 + ratio * data_var), axis=-1)


def gaussian_loss_limit(log_snr_high: Array, log_snr_low: Array, data_var: Array) -> Array:
    r"""What `diffusion_loss` of Gaussian data falls to with endless steps: the integral over the SNR.

    .. math:: \tfrac12\int\sum_i\frac{v_i}{1+\rho v_i}\,d\rho
              =\tfrac12\sum_i\log\frac{1+\mathrm{SNR}_{\max}v_i}{1+\mathrm{SNR}_{\min}v_i}

    log_snr_high, log_snr_low: numbers, its two ends. data_var: (d,), as in `gaussian_square_error`.
    """
    high, low = (np.log1p(exp(end) * data_var) for end in (log_snr_high, log_snr_low))
    return 0.5 * np.sum(high - low)
