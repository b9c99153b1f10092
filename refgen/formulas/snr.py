r"""The signal-to-noise ratio: one number that says how noisy a level is.                  [SNR]

SNR = signal^2 / std^2. It falls with t, and any falling log-SNR is a noise schedule; alpha_bar and
1 - alpha_bar are its two sigmoids, each accurate where the other is close to one.
"""

from __future__ import annotations

from autograd.scipy.special import expit

from refgen.formulas.elementary import Array, expm1, log
from refgen.formulas.forward import noise_var

__all__ = [
    "alpha_bar_from_log_snr",
    "beta_from_log_snr",
    "denoising_weight",
    "log_snr",
    "one_minus_alpha_bar_from_log_snr",
    "snr",
]


def _sigmoid(a: Array) -> Array:
    return float(expit(a)) if isinstance(a, int | float) else expit(a)


def snr(alpha_bar: Array) -> Array:
    r"""Signal-to-noise ratio of data with unit power.                                [SNR-1]

    .. math:: \mathrm{SNR}(t)=\frac{\bar\alpha_t}{1-\bar\alpha_t}

    alpha_bar: in [0, 1). Data of mean square m have m times this ratio.
    Source: Kingma et al. 2021, eq. 2; Luo 2022, eq. 109; Kim, 'Diffusion Model'.
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
    Source: Kingma et al. 2021, eq. 3; Luo 2022, eq. 112; Kim, 'Diffusion Model'.
    """
    return _sigmoid(log_snr)


def one_minus_alpha_bar_from_log_snr(log_snr: Array) -> Array:
    r"""1 - alpha_bar = sigmoid(-log SNR), to full relative accuracy.                  [SNR-6]

    log_snr: any real; up to 700, where 1 - alpha_bar is 1e-304.
    Source: Luo 2022, eq. 113; Kim, 'Diffusion Model'.
    """
    return _sigmoid(-log_snr)


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
    Source: Luo 2022, eqs. 107 to 108; Kingma et al. 2021, eq. 13; Kim, 'Diffusion Model'.
    """
    return alpha_bar_s * (1 - alpha_t) / (2 * (1 - alpha_bar_s) * noise_var(alpha_t, alpha_bar_s))
