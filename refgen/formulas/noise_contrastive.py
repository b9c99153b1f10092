r"""Noise-contrastive estimation: a density and its constant, learned by telling data from noise.     [NCE]

For each point of data there are `ratio` points of noise, drawn from a law whose density q is known. The
model's log-density may have any constant: at the minimum of the loss it is the data's log-density, constant
included.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, log, log1p, require_last_axis, softplus
from refgen.formulas.probability import kl_discrete

__all__ = ["js_divergence", "least_loss", "log_odds", "loss"]


def log_odds(log_model: Array, log_noise: Array, ratio: float = 1.0) -> Array:
    r"""Log-odds that a point is data and not noise, if the data's density were the model's.        [NCE-1]

    .. math:: G(x)=\log\frac{p_\theta(x)}{\nu\,q(x)}=\log p_\theta(x)-\log q(x)-\log\nu

    log_model: log p_theta(x), its constant included, (...). log_noise: log q(x), broadcastable. ratio:
    nu > 0, points of noise for each point of data. Returns (...).
    Source: Gutmann & Hyvarinen 2010, section 2; 2012 for nu.
    """
    return log_model - log_noise - log(ratio)


def loss(odds_data: Array, odds_noise: Array, ratio: float = 1.0) -> Array:
    r"""Logistic loss of the classifier, for each point of data.                               [NCE-1, NCE-2]

    .. math:: J=-\mathbb E_{p}\log\sigma(G(x))-\nu\,\mathbb E_{q}\log\big(1-\sigma(G(x))\big),
              \qquad\sigma(G)=\frac1{1+e^{-G}}

    odds_data: G at the data, (..., n). odds_noise: G at the noise, (..., m). ratio: nu > 0, m / n where all
    noise is used. Both are means, so m need not be nu n. Returns (...). Where q vanishes nowhere that p does
    not, its only minimum over all functions G is log p - log q - log nu: the model is then normalised.
    Source: Gutmann & Hyvarinen 2010, theorem 1; 2012, section 2.
    """
    return np.mean(softplus(-odds_data), axis=-1) + ratio * np.mean(softplus(odds_noise), axis=-1)


def js_divergence(p: Array, q: Array, ratio: float = 1.0) -> Array:
    r"""Jensen-Shannon divergence of two laws, mixed in the shares 1 and nu.                        [NCE-2]

    .. math:: D_\nu(p,q)=\frac1{1+\nu}D_{KL}(p\Vert m)+\frac\nu{1+\nu}D_{KL}(q\Vert m),\qquad
              m=\frac{p+\nu q}{1+\nu}

    p, q: (..., K), laws on K states, or the masses of a quadrature's cells; where either is 0 it counts
    nothing. Returns (...), in nats, in [0, log 2] for nu = 1. Source: Lin 1991.
    """
    require_last_axis(p=p, q=q)
    both = p + ratio * q  # (1 + nu) m, which is above 0 where a mass too small to be halved is
    p, q = (np.where(both > 0, (1 + ratio) * mass, 0) for mass in (p, q))
    return (kl_discrete(p, both) + ratio * kl_discrete(q, both)) / (1 + ratio) ** 2


def least_loss(divergence: Array, ratio: float = 1.0) -> Array:
    r"""Value of the loss at its minimum.                                                           [NCE-2]

    .. math:: \min J=(1+\nu)\log(1+\nu)-\nu\log\nu-(1+\nu)\,D_\nu(p,q)\;
              \overset{\nu=1}=\;2\log2-2\,D_{JS}(p,q)

    divergence: D_nu, >= 0. ratio: nu > 0. Noise unlike the data makes the loss small and says little of p.
    Source: Goodfellow et al. 2014, theorem 1, whose best discriminator is this classifier.
    """
    return (1 + ratio) * (log1p(ratio) - divergence) - ratio * log(ratio)
