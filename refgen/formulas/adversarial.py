r"""Generative adversarial networks: what the two players lose, and what is known of their optimum.     [GAN]

A discriminator D(x) = sigmoid(a(x)) says how likely a point is data; a is its logit. p is the data's density,
q the generator's. The discriminator's own loss is the logistic loss of `noise_contrastive.loss` with the
generator's points for noise: its value V, which it makes large, is minus that loss. A critic f, of the
Wasserstein form, is not a probability but any function that is not too steep.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, sigmoid, softplus
from refgen.formulas.energy import contrastive_loss
from refgen.formulas.noise_contrastive import least_loss, log_odds

__all__ = [
    "critic_loss",
    "game_value",
    "gradient_penalty",
    "minimax_loss",
    "nonsaturating_loss",
    "optimal_discriminator",
]


def optimal_discriminator(log_p: Array, log_q: Array) -> Array:
    r"""The discriminator that no other beats, for a generator that is fixed.                        [GAN-1]

    .. math:: D^*(x)=\frac{p(x)}{p(x)+q(x)}

    log_p, log_q: log-densities of the data and of the generator's points, (...), broadcastable. Returns
    (...), in (0, 1). Source: Goodfellow et al. 2014, proposition 1.
    """
    return sigmoid(log_odds(log_p, log_q))


def game_value(divergence: Array) -> Array:
    r"""The value of the game where the discriminator is the best one.                               [GAN-2]

    .. math:: \max_DV=\mathbb E_p\log D^*+\mathbb E_q\log(1-D^*)=2\,D_{JS}(p,q)-2\log2

    divergence: Jensen-Shannon's, in [0, log 2]. Returns (...), in nats, from -2 log 2 where the laws are
    equal to 0 where they are apart. Source: Goodfellow et al. 2014, theorem 1.
    """
    return -least_loss(divergence)


def minimax_loss(logits: Array) -> Array:
    r"""What the generator loses by a point in the minimax game.                                     [GAN-3]

    .. math:: \log(1-D)=-\log(1+e^a),\qquad\frac{\partial}{\partial a}=-D

    logits: a at points of the generator, (...). Returns (...), <= 0. Where the discriminator is sure of
    itself, D near 0, it hardly slopes: the generator learns nothing there. With the best discriminator its
    mean has the slope of 2 JS. Source: Goodfellow et al. 2014, eq. 1.
    """
    return -softplus(logits)


def nonsaturating_loss(logits: Array) -> Array:
    r"""What the generator loses by a point in the game that does not saturate.                      [GAN-4]

    .. math:: -\log D=\log(1+e^{-a}),\qquad\frac{\partial}{\partial a}=-(1-D)

    logits: a at points of the generator, (...). Returns (...), >= 0. With the best discriminator its mean has
    the slope of KL(q || p) - 2 JS, which asks no price for modes that are left out.
    Source: Goodfellow et al. 2014, section 3; Arjovsky & Bottou 2017, theorem 2.5 for the slope.
    """
    return softplus(-logits)


def critic_loss(values_data: Array, values_fake: Array) -> Array:
    r"""Loss of a critic: of the critics with no slope above 1 the best has minus the distance W_1.  [GAN-5]

    .. math:: \mathbb E_qf-\mathbb E_pf,\qquad
              W_1(p,q)=\max_{\lVert\nabla f\rVert\le1}\mathbb E_pf-\mathbb E_qf

    values_data: f at the data, (n,). values_fake: at the generator's points, (m,). Returns a scalar. It is
    the contrastive loss of the energy -f. The generator loses -f a point. Source: Arjovsky et al. 2017,
    eqs. 2 and 3.
    """
    return contrastive_loss(-values_data, -values_fake)


def gradient_penalty(gradient: Array, target: float = 1.0) -> Array:
    r"""What a critic, or a discriminator, pays for its slope at a point.                            [GAN-6]

    .. math:: \big(\lVert\nabla_xf(x)\rVert-k\big)^2

    gradient: of f or of the logit by x, (..., d). target: k >= 0. 1 at points between data and fake ones
    makes a critic of Wasserstein's form; 0 at data damps the game of the others (R1). Returns (...). Where
    the gradient is 0, the slope of its norm is taken to be 0.
    Source: Gulrajani et al. 2017, eq. 3; Mescheder et al. 2018, eq. 9 for k = 0.
    """
    square = np.sum(gradient**2, axis=-1)
    flat = square == 0
    norm = np.where(flat, 0, np.sqrt(np.where(flat, 1, square)))
    return (norm - target) ** 2
