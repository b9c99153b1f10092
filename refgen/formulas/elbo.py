r"""The bound on log p(x_0) of a diffusion model, term by term.                           [DELBO]

.. math:: -\log p(x_0) \le \mathbb E_q\Big[L_T+\sum_{t=2}^T L_{t-1}+L_0\Big]

Each reverse step is Gaussian, p(x_s | x_t) = N(mu, var I) with s = t - 1; the variance need not be that of
q(x_s | x_t, x_0), and where it is not, a term without parameters is left, `variance_gap`.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, log, log1p, require_last_axis
from refgen.formulas.forward import alpha_bar, noise_var
from refgen.formulas.gaussian import kl_variances, log_normaliser
from refgen.formulas.posterior import posterior_var

__all__ = [
    "decoder_var",
    "eps_weight",
    "l_0_eps_weight",
    "l_0_gaussian",
    "l_T",
    "l_step",
    "one_term_estimate",
    "variance_gap",
    "weight_spread",
    "x_0_weight",
]


def l_T(x_0: Array, alpha_bar_T: Array, noise_var_T: float | None = None) -> Array:
    r"""KL of q(x_T | x_0) from the prior N(0, I), in nats: what the last step leaves of the data.  [DELBO-14]

    .. math:: L_T = \tfrac12\big[\bar\alpha_T\lVert x_0\rVert^2-d\,\bar\alpha_T-d\log(1-\bar\alpha_T)\big]

    x_0: (..., d). alpha_bar_T: in [0, 1), broadcastable against (...). noise_var_T: 1 - alpha_bar_T, a number
    as alpha_bar_T then is, where much signal is left and the subtraction would lose digits. Returns (...). No
    parameters in it. Source: Ho et al. 2020, eq. 5; Kim, 'Diffusion Model'; SJTU tutorial, slides 21 to 22.
    """
    square, d = np.sum(x_0 * x_0, axis=-1), np.shape(x_0)[-1]
    lost = noise_var_T is not None and alpha_bar_T >= 0.5
    log_var = log(noise_var_T) if lost else log1p(-alpha_bar_T)
    return 0.5 * (alpha_bar_T * (square - d) - d * log_var)


def l_0_gaussian(x_0: Array, x_0_hat: Array, decoder_var: Array) -> Array:
    r"""Minus log p(x_0 | x_1) of a Gaussian decoder with a variance of its own, in nats.        [DELBO-13]

    .. math:: L_0 = \frac{\lVert x_0-\hat x_0(x_1)\rVert^2}{2 s_0^2}+\frac d2\log 2\pi s_0^2

    x_0, x_0_hat: (..., d). decoder_var: s_0^2 > 0, broadcastable against (...). Returns (...). With the
    posterior's variance at t = 1, which is 0, it would not exist. Source: SJTU tutorial, slides 21 to 23,
    corrected.
    """
    require_last_axis(x_0=x_0, x_0_hat=x_0_hat)
    error = x_0 - x_0_hat
    d = np.shape(x_0)[-1]
    return np.sum(error * error, axis=-1) / (2 * decoder_var) + log_normaliser(decoder_var, d)


def decoder_var(alpha_bar_1: Array, noise_var_1: Array) -> Array:
    r"""A variance for the decoder p(x_0 | x_1): that of x_0 given x_1 where the data's density is smooth.

    .. math:: s_0^2=\frac{1-\bar\alpha_1}{\bar\alpha_1}=\frac1{\mathrm{SNR}(1)}

    Data that vary over widths far above std/signal have nearly this variance given x_1, by `tweedie`; data at
    points have less. alpha_bar_1: in (0, 1). noise_var_1: 1 - alpha_bar_1, with all its digits.
    """
    return noise_var_1 / alpha_bar_1


def l_0_eps_weight(signal: Array, std: Array, decoder_var: Array) -> Array:
    r"""Weight of the squared error in eps in L_0: the decoder's term is an error at t = 1.      [DELBO-13]

    .. math:: \frac{\lVert x_0-\hat x_0(x_1)\rVert^2}{2s_0^2}
              =
              \frac1{2s_0^2}\,\frac{1-\bar\alpha_1}{\bar\alpha_1}\,\lVert\epsilon-\epsilon_\theta(x_1,1)\rVert^2

    signal, std: of level 1, > 0. decoder_var: s_0^2 > 0. Broadcastable.
    """
    return (std / signal) ** 2 / (2 * decoder_var)


def x_0_weight(alpha_t: Array, alpha_bar_s: Array, var: Array) -> Array:
    r"""Weight of the squared error in x_0 in the term of step t >= 2.                   [DELBO-10]

    .. math:: \frac1{2\sigma_t^2}\,\frac{\bar\alpha_s(1-\alpha_t)^2}{(1-\bar\alpha_t)^2}

    alpha_t, alpha_bar_s: in (0, 1). var: the reverse step's variance, > 0. Broadcastable. With the
    posterior's variance it is half the loss of SNR, `snr.denoising_weight`. Source: Luo 2022, eq. 99; Kim,
    'Diffusion Model'.
    """
    return alpha_bar_s * (1 - alpha_t) ** 2 / (2 * var * noise_var(alpha_t, alpha_bar_s) ** 2)


def eps_weight(alpha_t: Array, alpha_bar_s: Array, var: Array) -> Array:
    r"""Weight of the squared error in eps in the term of step t >= 2.            [DELBO-11, PAR-5]

    .. math:: \frac{(1-\alpha_t)^2}{2\sigma_t^2\,\alpha_t\,(1-\bar\alpha_t)}

    alpha_t, alpha_bar_s: in (0, 1). var: the reverse step's variance, > 0. Broadcastable.
    Source: Ho et al. 2020, eq. 12; SJTU tutorial, slide 22, corrected.
    """
    return (1 - alpha_t) ** 2 / (2 * var * alpha_t * noise_var(alpha_t, alpha_bar_s))


def variance_gap(alpha_t: Array, alpha_bar_s: Array, var: Array) -> Array:
    r"""What a variance other than the posterior's costs a step, in nats per coordinate; >= 0.     [GAU-4]

    .. math:: \tfrac12\Big(\frac{\tilde\beta_t}{\sigma_t^2}-1-\log\frac{\tilde\beta_t}{\sigma_t^2}\Big)

    alpha_t, alpha_bar_s: in (0, 1). var: the reverse step's variance, > 0. Broadcastable. Zero where var
    is the posterior's variance.
    """
    return kl_variances(posterior_var(alpha_t, alpha_bar_s), var)


def l_step(eps: Array, eps_hat: Array, alpha_t: Array, alpha_bar_s: Array, var: Array) -> Array:
    r"""KL of q(x_s | x_t, x_0) from the model's reverse step, t >= 2, in nats.      [DELBO-7, DELBO-11]

    .. math:: L_{t-1} = \frac{(1-\alpha_t)^2}{2\sigma_t^2\alpha_t(1-\bar\alpha_t)}
              \lVert\epsilon-\hat\epsilon\rVert^2 + d\cdot\mathrm{gap}(\sigma_t^2)

    eps, eps_hat: (..., d), the noise in x_t and the prediction. The others as in `eps_weight`, broadcastable
    against (...). Returns (...).
    """
    require_last_axis(eps=eps, eps_hat=eps_hat)
    error = eps - eps_hat
    weight = eps_weight(alpha_t, alpha_bar_s, var)
    return weight * np.sum(error * error, axis=-1) + np.shape(eps)[-1] * variance_gap(
        alpha_t, alpha_bar_s, var
    )


def weight_spread(beta: Array) -> Array:
    r"""Largest over smallest weight of the squared error in eps in the bound, t = 2..T.      [DELBO-12]

    .. math:: \max_t w_t/\min_t w_t,\qquad
              w_t=\frac{(1-\alpha_t)^2}{2\hat\sigma_{t-1}^2\alpha_t(1-\bar\alpha_t)}

    The simple loss weighs all t alike; it would be proportional to the bound if this were 1.
    beta: (T,), T >= 2, in (0, 1).
    """
    alpha_t, alpha_bar_s = 1 - beta[1:], alpha_bar(beta[:-1])
    weights = eps_weight(alpha_t, alpha_bar_s, posterior_var(alpha_t, alpha_bar_s))
    return np.max(weights) / np.min(weights)


def one_term_estimate(terms: Array, t: int) -> Array:
    r"""The sum of the terms L_0..L_{T-1} estimated by one of them, t uniform on 1..T.       [DELBO-15]

    .. math:: \mathbb E_{t\sim U\{1..T\}}[T\cdot L_{t-1}] = \sum_{t=1}^T L_{t-1}

    terms: (T, ...), L_{t-1} at index t - 1. Returns (...). Source: Ho et al. 2020, algorithm 1; Kim,
    'Diffusion Model', whose consistency term 'has to be calculated T times' (the sum has T - 1).
    """
    return len(terms) * terms[t - 1]
