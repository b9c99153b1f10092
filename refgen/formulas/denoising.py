r"""Denoising score matching: the score of noisy data, fitted to noise that was added.         [DSM]

x_noisy = x + std eps. The target is the score of the kernel N(x_noisy; x, std^2 I), which is known; what is
learned is its mean given x_noisy, the score of the noisy law. No Jacobian is needed, nor a reverse pass by x.
It is `parametrisation.conditional_score` with signal 1, and as there std may be an array (..., 1).
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, require_last_axis
from refgen.formulas.parametrisation import conditional_score

__all__ = [
    "clean_error",
    "cross_term",
    "denoising",
    "denoising_gradient",
    "gradient_var",
    "kernel_score",
    "loss_var",
    "noise_prediction",
    "smoothing_bias",
]


def kernel_score(x: Array, x_noisy: Array, std: Array) -> Array:
    r"""Score of the noise kernel, by the noisy point: the target of the fit.         [DSM-2, DSM-11]

    .. math:: \nabla_{\tilde x}\log q_\sigma(\tilde x\mid x)=-\frac{\tilde x-x}{\sigma^2},\qquad
              \nabla\log q_\sigma(\tilde x)=-\frac{\tilde x-\mathbb E[x\mid\tilde x]}{\sigma^2}

    Of x itself, the only score that can be computed without knowing the law of the data; of the mean of x
    given x_noisy, the score of the noisy law, which is the best a model can learn. x, x_noisy: (..., d).
    std: > 0, broadcastable. Source: Vincent 2011; Isachenko, 'Denoising score matching'.
    """
    require_last_axis(x=x, x_noisy=x_noisy)
    return conditional_score(x_noisy, x, 1, std)


def denoising(s: Array, x: Array, x_noisy: Array, std: Array) -> Array:
    r"""Loss of denoising score matching at each point.                                [DSM-5, DSM-6]

    .. math:: \tfrac12\Big\lVert s(\tilde x)+\frac{\tilde x-x}{\sigma^2}\Big\rVert^2

    s: the model's score at x_noisy. s, x, x_noisy: (..., d). std: > 0, a number or (..., 1). Returns (...).
    Source: Vincent 2011; Dong-A notes, 'Denoising Score Matching'.
    """
    require_last_axis(s=s, x=x, x_noisy=x_noisy)
    return 0.5 * np.sum((s - kernel_score(x, x_noisy, std)) ** 2, axis=-1)


def noise_prediction(s: Array, eps: Array, std: Array) -> Array:
    r"""The denoising loss with weight std^2, which is that of predicting the noise.                 [DSM-12]

    .. math:: \sigma^2\cdot\tfrac12\Big\lVert s+\frac{\tilde x-x}{\sigma^2}\Big\rVert^2
              =\tfrac12\lVert\hat\epsilon-\epsilon\rVert^2,\qquad\hat\epsilon=-\sigma s

    Of order d at every level, so levels may be summed; exact for small std too, where x_noisy - x is not.
    s, eps: (..., d). std: >= 0, a number or (..., 1). Returns (...).
    Source: Song & Ermon 2019; Ho et al. 2020.
    """
    require_last_axis(s=s, eps=eps)
    return 0.5 * np.sum((std * s + eps) ** 2, axis=-1)


def cross_term(s: Array, target: Array) -> Array:
    r"""The term of the loss that holds both model and target, :math:`-\nabla\log q^\top s`.          [DSM-4]

    In the mean the same for the score of the kernel and for that of the noisy law; that is the theorem.
    s, target: (..., d). Returns (...). Source: Vincent 2011; Dong-A notes, 'Middle term'.
    """
    require_last_axis(s=s, target=target)
    return -np.sum(target * s, axis=-1)


def denoising_gradient(s: Array, target: Array, s_param: Array) -> Array:
    r"""Gradient of the mean denoising loss by the parameters of the model.                    [DSM-7]

    .. math:: \frac1n\sum_i(\partial_\theta s(\tilde x_i))^\top
              \big(s(\tilde x_i)-\nabla\log q_\sigma(\tilde x_i\mid x_i)\big)

    s, target: (n, d). s_param: ds_j/dtheta_k, (n, d, m). Returns (m,).
    Source: Dong-A notes, 'Summary', corrected.
    """
    require_last_axis(s=s, target=target)
    return np.mean(np.sum(s_param * (s - target)[..., None], axis=-2), axis=0)


def smoothing_bias(score: Array, jac: Array, trace_gradient: Array, std: Array) -> Array:
    r"""To first order in std^2, what noise adds to the score: it is never that of clean data.         [DSM-8]

    .. math:: \nabla\log q_\sigma-\nabla\log p
              =\tfrac{\sigma^2}2\big(2J^\top\nabla\log p+\nabla\,\mathrm{tr}J\big)+O(\sigma^4)

    score, trace_gradient: (..., d). jac: J, the Hessian of log p, (..., d, d).
    std: a number or (..., 1). Returns (..., d).
    Source: the heat equation for q, by std^2 / 2.
    """
    require_last_axis(score=score, jac=jac, trace_gradient=trace_gradient)
    return std**2 / 2 * (2 * np.sum(jac * score[..., :, None], axis=-2) + trace_gradient)


def loss_var(std: Array, dim: int) -> Array:
    r"""Variance of the denoising loss at one point as std goes to 0, :math:`d/(2\sigma^4)`.         [DSM-9]

    Whatever the model: the noise term eps/std outgrows it. std: > 0.
    Source: Dong-A notes, 'Denoising Score Matching' (that it explodes).
    """
    return dim / (2 * std**4)


def gradient_var(mean_square_slope: Array, std: Array) -> Array:
    r"""Variance of the loss's gradient at one point as std goes to 0.                        [DSM-9]

    .. math:: \mathrm{Var}\big[(\partial_\theta s)^\top(s+\epsilon/\sigma)\big]\simeq
              \frac{\mathbb E\lVert\partial_\theta s\rVert^2}{\sigma^2}

    mean_square_slope: the mean of the squared length of ds/dtheta, of one parameter. std: > 0.
    """
    return mean_square_slope / std**2


def clean_error(std: Array, var: Array, points: int) -> Array:
    r"""Mean squared error in the clean score of the model -theta x, fitted to n noisy points.    [DSM-10]

    .. math:: \mathbb E\,\mathbb E_x\Big(\hat\theta x-\frac xv\Big)^2
              =\frac1{(v+\sigma^2)^2}\Big(\frac{\sigma^4}v+\frac{v^2}{(n-2)\,\sigma^2}\Big)

    Data N(0, v) on a line, theta by least squares. Bias grows with the noise and variance falls: in between
    lies the best std. std: > 0. var: v > 0. points: n > 2.
    Source: the normal equations; Dong-A notes, 'Denoising Score Matching' (that there is a trade-off).
    """
    return (std**4 / var + var**2 / ((points - 2) * std**2)) / (var + std**2) ** 2
