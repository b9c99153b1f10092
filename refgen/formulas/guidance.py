r"""Guidance: conditional sampling by a classifier or without one, in one convention of the scale.    [GUIDE]

The scale is s everywhere: s = 0 is the unconditional law, s = 1 the conditional one exactly, s > 1 leans
further to what tells the class from the others. At a level t the guided score is that of
:math:`q_t(x)\,p(c\mid x_t=x)^s`, up to a constant. These laws are not one law under more and more noise, so
a sampler that walks down them does not end in :math:`p(x)\,p(c\mid x)^s`.
"""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as np
from autograd.core import make_vjp

from refgen.formulas.elementary import Array, expm1, log, log_softmax, require_last_axis

__all__ = [
    "class_score",
    "cross_entropy",
    "eps_with_classifier",
    "guided",
    "guided_chain_var",
    "guided_flow_var",
    "log_class",
    "scale_from_weight",
    "tilted",
    "tilted_var",
    "v_with_classifier",
    "x_0_with_classifier",
]


def guided(conditional: Array, unconditional: Array, s: float) -> Array:
    r"""Guidance without a classifier: from the unconditional answer through the conditional one.   [GUIDE-1]

    .. math:: \tilde s(x_t)=\nabla\log q_t(x_t)+s\,\big(\nabla\log q_t(x_t\mid c)-\nabla\log q_t(x_t)\big)

    conditional, unconditional: both scores, eps, x_0 or v, (..., d), since each is the same affine map of the
    score; or both log-densities, where the result is one up to a constant. s: 1 + w, see `scale_from_weight`.
    Source: Ho & Salimans 2022, eq. 6, which is written with w.
    """
    return unconditional + s * (conditional - unconditional)


def scale_from_weight(w: float) -> float:
    r"""The scale of the other convention, s = 1 + w.                                              [GUIDE-3]

    .. math:: (1+w)\,\tilde\epsilon(x_t,c)-w\,\tilde\epsilon(x_t)
              =\tilde\epsilon(x_t)+s\,\big(\tilde\epsilon(x_t,c)-\tilde\epsilon(x_t)\big)

    w: any number; 0 is the conditional, -1 the unconditional. Source: Ho & Salimans 2022, eq. 6.
    """
    return 1 + w


def tilted(base: Array, of_class: Array, s: float) -> Array:
    r"""Guidance by a classifier.                                                         [GUIDE-2, GUIDE-5]

    .. math:: \tilde s(x_t)=\nabla\log q_t(x_t)+s\,\nabla\log p(c\mid x_t)

    base: the unconditional score, (..., d), and of_class the gradient of log p(c | x_t), at the same level of
    noise; or the logarithms themselves, (...), for the log-density of :math:`p(x)\,p(c\mid x)^s` up to a
    constant. Source: Dhariwal & Nichol 2021, section 4; Song et al. 2021, section 5.
    """
    return base + s * of_class


def eps_with_classifier(eps: Array, gradient: Array, std: Array, s: float) -> Array:
    r"""Guidance by a classifier, in eps.                                                          [GUIDE-2]

    .. math:: \tilde\epsilon(x_t)=\hat\epsilon(x_t)-s\,\sqrt{1-\bar\alpha_t}\,\nabla\log p(c\mid x_t)

    eps, gradient: (..., d). std: >= 0, broadcastable. Source: Dhariwal & Nichol 2021, algorithm 2.
    """
    require_last_axis(eps=eps, gradient=gradient)
    return eps - s * std * gradient


def x_0_with_classifier(x_0: Array, gradient: Array, signal: Array, std: Array, s: float) -> Array:
    r"""Guidance by a classifier, in clean data.                                                   [GUIDE-2]

    .. math:: \tilde x_0(x_t)=\hat x_0(x_t)+s\,\frac{1-\bar\alpha_t}{\sqrt{\bar\alpha_t}}\,
              \nabla\log p(c\mid x_t)

    x_0, gradient: (..., d). signal: > 0, std: >= 0, broadcastable. By Tweedie's formula.
    """
    require_last_axis(x_0=x_0, gradient=gradient)
    return x_0 + (s * std**2 / signal) * gradient


def v_with_classifier(v: Array, gradient: Array, signal: Array, std: Array, s: float) -> Array:
    r"""Guidance by a classifier, in the velocity v = signal eps - std x_0.                        [GUIDE-2]

    .. math:: \tilde v(x_t)=\hat v(x_t)-s\,\mathrm{std}\,
              \frac{\mathrm{signal}^2+\mathrm{std}^2}{\mathrm{signal}}\,\nabla\log p(c\mid x_t)

    v, gradient: (..., d). signal: > 0, std: >= 0, broadcastable.
    """
    require_last_axis(v=v, gradient=gradient)
    return v - (s * std * (signal**2 + std**2) / signal) * gradient


def log_class(log_likelihoods: Array, log_prior: Array) -> Array:
    r"""log p(c | x) for every class, by Bayes' rule; at any level of noise.                       [GUIDE-4]

    .. math:: \log p(c\mid x_t)=\log q_t(x_t\mid c)+\log p(c)-\log\sum_b q_t(x_t\mid b)\,p(b)

    log_likelihoods: (..., C), log q_t(x_t | c). log_prior: (C,). Both up to a constant that all classes
    share, so a network's outputs with log_prior 0 give its log-probabilities. Returns (..., C).
    """
    require_last_axis(log_likelihoods=log_likelihoods, log_prior=log_prior)
    joint = log_likelihoods + log_prior
    return log_softmax(joint)


def class_score(log_prob_c: Callable[[Array], Array], x: Array) -> Array:
    r"""The gradient of log p(c | x) in x, by automatic differentiation.                           [GUIDE-4]

    .. math:: \nabla\log p(c\mid x_t)=\nabla\log q_t(x_t\mid c)-\nabla\log q_t(x_t)

    log_prob_c: (n, d) -> (n,), each row of its own point alone. x: (n, d). Returns (n, d).
    """
    backward, values = make_vjp(log_prob_c, x)
    return backward(np.ones_like(values))


def cross_entropy(labels: Array, log_probs: Array) -> Array:
    r"""What a classifier is trained on, for each point; least on average at p(c | x_t).           [GUIDE-7]

    .. math:: J(x,c)=-\log p_\phi(c\mid x_t)

    labels: (..., C), a one at the class of the point and zeros, or any law on the classes. log_probs:
    (..., C), as `log_class` gives them. Returns (...).
    """
    require_last_axis(labels=labels, log_probs=log_probs)
    return -np.sum(labels * log_probs, axis=-1)


def tilted_var(var: Array, var_c: Array, s: float) -> Array:
    r"""Variance of the tilted law where data and class are Gaussians of one mean.                 [GUIDE-5]

    .. math:: p(x)^{1-s}\,p(x\mid c)^s\propto\mathcal N(x;0,V),\qquad\frac1V=\frac{1-s}a+\frac sb

    var: a > 0 of the data. var_c: b > 0 of the class. s: where the sum is > 0. Broadcastable.
    """
    return var * var_c / ((1 - s) * var_c + s * var)


def guided_flow_var(var: Array, var_c: Array, s: float) -> Array:
    r"""Variance where guided sampling ends instead, by the probability flow.                      [GUIDE-6]

    .. math:: V=a^{1-s}\,b^s

    the same Gaussians: the flow multiplies x by :math:`\sqrt{a/(a+u)}^{\,1-s}\sqrt{b/(b+u)}^{\,s}` on its way
    from noise of variance u, which is then let grow. Arguments as for `tilted_var`, any s.
    Source: Bradley & Nakkiran 2024, section 3.
    """
    return var_c * (var_c / var) ** (s - 1)


def guided_chain_var(var: Array, var_c: Array, s: float) -> Array:
    r"""Variance where guided sampling ends by the reverse diffusion, or ancestral with many steps. [GUIDE-6]

    .. math:: V=a^{2(1-s)}b^{2s}\int_0^\infty\frac{du}{(a+u)^{2(1-s)}(b+u)^{2s}}
              =b\,\frac{\varphi\big((2s-1)\log\frac ba\big)}{\varphi\big(\log\frac ba\big)},\qquad
              \varphi(z)=\frac{e^z-1}z

    Arguments as for `tilted_var`, any s; equal to b at s = 1 and to a at s = 0.
    Source: Bradley & Nakkiran 2024, section 3.
    """
    ratio = log(var_c / var)
    return var_c * _relative_expm1((2 * s - 1) * ratio) / _relative_expm1(ratio)


def _relative_expm1(z: Array) -> Array:
    """(exp(z) - 1) / z, and 1 at 0."""
    if isinstance(z, int | float):
        return expm1(z) / z if z else 1.0
    nonzero = np.where(z == 0, 1, z)
    return np.where(z == 0, 1, expm1(nonzero) / nonzero)
