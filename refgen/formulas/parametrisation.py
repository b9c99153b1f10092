r"""Noise, clean data, score and velocity: four names for one prediction.                   [PAR]

With x_t = signal x_0 + std eps, any of eps, x_0, the score and v = signal eps - std x_0 gives the others.
"""

from __future__ import annotations

from refgen.formulas.elementary import Array, require_last_axis, sqrt

__all__ = [
    "conditional_score",
    "eps_from_score",
    "eps_from_v",
    "eps_from_x_0",
    "score_from_eps",
    "score_loss_gap",
    "unit_power",
    "v_from_eps",
    "x_0_from_eps",
]


def x_0_from_eps(x_t: Array, eps: Array, signal: Array, std: Array) -> Array:
    r"""Clean data from noise.                                                 [PAR-4, POST-9]

    .. math:: \hat x_0 = \frac{x_t-\sqrt{1-\bar\alpha_t}\,\hat\epsilon}{\sqrt{\bar\alpha_t}}

    x_t, eps: (..., d). signal: > 0, std: >= 0, broadcastable. An error in eps grows by std/signal.
    Source: Kim, 'Diffusion Model'; SJTU tutorial, slide 19.
    """
    require_last_axis(x_t=x_t, eps=eps)
    return (x_t - std * eps) / signal


def eps_from_x_0(x_t: Array, x_0: Array, signal: Array, std: Array) -> Array:
    r"""Noise from clean data.                                                         [PAR-4]

    .. math:: \hat\epsilon=\frac{x_t-\sqrt{\bar\alpha_t}\,\hat x_0}{\sqrt{1-\bar\alpha_t}}

    x_t, x_0: (..., d). signal: >= 0, std: > 0, broadcastable.
    """
    require_last_axis(x_t=x_t, x_0=x_0)
    return (x_t - signal * x_0) / std


def score_from_eps(eps: Array, std: Array) -> Array:
    r"""Score from noise: :math:`\hat s=-\hat\epsilon/\sqrt{1-\bar\alpha_t}`.    [PAR-4, PAR-6]

    eps: (..., d). std: > 0, broadcastable.
    """
    return -eps / std


def eps_from_score(score: Array, std: Array) -> Array:
    r"""Noise from score: :math:`\hat\epsilon=-\sqrt{1-\bar\alpha_t}\,\hat s`.          [PAR-4]

    score: (..., d). std: >= 0, broadcastable.
    """
    return -std * score


def v_from_eps(x_t: Array, eps: Array, signal: Array, std: Array) -> Array:
    r"""Velocity from noise, v = signal eps - std x_0 with x_0 = (x_t - std eps) / signal.

    .. math:: v = \frac{(\mathrm{signal}^2+\mathrm{std}^2)\,\epsilon - \mathrm{std}\,x_t}{\mathrm{signal}}

    x_t, eps: (..., d). signal: > 0, std: >= 0, broadcastable. Source: Salimans & Ho 2022, app. D.
    """
    require_last_axis(x_t=x_t, eps=eps)
    return ((signal**2 + std**2) * eps - std * x_t) / signal


def eps_from_v(x_t: Array, v: Array, signal: Array, std: Array) -> Array:
    r"""Noise from velocity.

    .. math:: \epsilon=\frac{\mathrm{signal}\,v+\mathrm{std}\,x_t}{\mathrm{signal}^2+\mathrm{std}^2}

    x_t, v: (..., d). signal, std: broadcastable, not both zero. Source: Salimans & Ho 2022, app. D.
    """
    require_last_axis(x_t=x_t, v=v)
    return (signal * v + std * x_t) / (signal**2 + std**2)


def conditional_score(x_t: Array, x_0: Array, signal: Array, std: Array) -> Array:
    r"""Score of q(x_t | x_0), the target that can be computed.                        [PAR-6]

    .. math:: \nabla_{x_t}\log q(x_t\mid x_0)=-\frac{x_t-\sqrt{\bar\alpha_t}\,x_0}{1-\bar\alpha_t}

    It depends on x_0 and is not the score of q(x_t): that is its mean given x_t [PAR-7].
    x_t, x_0: (..., d). signal: >= 0, std: > 0, broadcastable. Source: Vincent 2011.
    """
    require_last_axis(x_t=x_t, x_0=x_0)
    return (signal * x_0 - x_t) / std**2


def score_loss_gap(mean_square_score: Array, std: Array) -> Array:
    r"""By how much the loss against the conditional score exceeds that against the marginal one. [PAR-8]

    .. math:: \tfrac1d\,\mathbb E\lVert s-\nabla\log q(x_t\mid x_0)\rVert^2
              -\tfrac1d\,\mathbb E\lVert s-\nabla\log q_t(x_t)\rVert^2
              = \frac1{1-\bar\alpha_t}-\tfrac1d\,\mathbb E\lVert\nabla\log q_t\rVert^2 \ge 0

    The same number for every model s(x_t), so both losses have the same minimiser, the marginal score; there
    it is all that is left of the loss. mean_square_score: :math:`\mathbb E\lVert\nabla\log q_t\rVert^2/d`.
    std: > 0. Broadcastable. Source: Vincent 2011.
    """
    return 1 / std**2 - mean_square_score


def unit_power(x_t: Array, signal: Array, std: Array) -> tuple[Array, Array, Array, Array]:
    r"""The same point and level at unit power, and the scale that was divided out.            [PAR-4]

    .. math:: \Big(\frac{x_t}c,\ \frac{\mathrm{signal}}c,\ \frac{\mathrm{std}}c\Big),\qquad
              c=\sqrt{\mathrm{signal}^2+\mathrm{std}^2}

    eps and x_0 are the same before and after; the score is that at x_t / c divided by c, v is c times the
    other. So what knows variance-preserving levels knows all. x_t: (..., d). signal, std: >= 0, not both 0,
    broadcastable. Source: Karras et al. 2022, section 2.
    """
    scale = sqrt(signal**2 + std**2)
    return x_t / scale, signal / scale, std / scale, scale
