r"""Hierarchies of latent variables x = z_0, z_1, ..., z_T, Markovian or not.                    [HVAE]

.. math:: q(z_{1:T}\mid x)=\prod_{t=1}^Tq(z_t\mid z_{t-1}),\qquad
          p(x,z_{1:T})=p(z_T)\prod_{t=1}^Tp(z_{t-1}\mid z_t)

with p(z_T) = N(0, I) and all other factors Gaussian, one variance for each coordinate. Where it is not
Markovian a factor's mean and variance depend on more than one level; the functions of points are the same.
`levels` is a list of the T + 1 points x, z_1, ..., z_T, each (..., d_t): dimensions may differ.
Results are (...), in nats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import autograd.numpy as np

from refgen.formulas.elementary import Array, identity_like, log, require_last_axis
from refgen.formulas.gaussian import LOG_2PI, kl_gaussian, log_prob, log_prob_isotropic

__all__ = ["deeper", "elbo", "gap", "log_joint", "log_likelihood", "log_q", "log_weight"]


# ---- of points, whatever made the means and variances
def log_joint(levels: Sequence[Array], means: Sequence[Array], variances: Sequence[Array]) -> Array:
    r"""Log-density of all levels under the decoder.                              [HVAE-1, HVAE-2]

    .. math:: \log p(x,z_{1:T})=\log p(z_T)+\log p(x\mid z_1)+\sum_{t=2}^T\log p(z_{t-1}\mid z_t)

    means, variances: T of each, those of p(z_{t-1} | z_t) at index t - 1.
    Raises ValueError where there are not T. Source: Kim, 'Diffusion Model', the Markov chain of latents.
    """
    _require_steps(levels, means, variances)
    total = log_prob_isotropic(levels[-1], 0 * levels[-1], 1.0)
    for t, (mean, var) in enumerate(zip(means, variances, strict=True)):
        total = total + log_prob_isotropic(levels[t], mean, var)
    return total


def log_q(levels: Sequence[Array], means: Sequence[Array], variances: Sequence[Array]) -> Array:
    r"""Log-density of the latent levels under the encoder.                       [HVAE-1, HVAE-2]

    .. math:: \log q(z_{1:T}\mid x)=\log q(z_1\mid x)+\sum_{t=2}^T\log q(z_t\mid z_{t-1})

    means, variances: T of each, those of q(z_t | z_{t-1}) at index t - 1.
    Raises ValueError where there are not T. Source: Kim, 'Diffusion Model', the Markov chain of latents.
    """
    _require_steps(levels, means, variances)
    total = log_prob_isotropic(levels[1], means[0], variances[0])
    for t in range(2, len(levels)):
        total = total + log_prob_isotropic(levels[t], means[t - 1], variances[t - 1])
    return total


def log_weight(
    levels: Sequence[Array],
    p_means: Sequence[Array],
    p_variances: Sequence[Array],
    q_means: Sequence[Array],
    q_variances: Sequence[Array],
) -> Array:
    r"""Logarithm of the importance weight of a draw of all latent levels.        [HVAE-1, HVAE-5]

    .. math:: \log w=\log\frac{p(x,z_{1:T})}{q(z_{1:T}\mid x)},\qquad
              E_q[\log w]=\mathrm{ELBO}\le\log E_q[w]=\log p(x)

    p_means, p_variances: of the decoder, as in `log_joint`. q_means, q_variances: of the encoder, as in
    `log_q`. With T = 1 it is `latent.log_weight`. Source: Kim, 'Diffusion Model', the ELBO of the HVAE.
    """
    return log_joint(levels, p_means, p_variances) - log_q(levels, q_means, q_variances)


# ---- linear chains, in closed form
class Step(NamedTuple):
    """A Gaussian step N(weight z + bias, var I): weight (d_to, d_from), bias (d_to,), var a number > 0."""

    weight: Array
    bias: Array
    var: Array


def elbo(x: Array, encoder: Sequence[Step], decoder: Sequence[Step]) -> Array:
    r"""The evidence lower bound of a linear chain, exactly.                      [HVAE-1, HVAE-3]

    .. math:: E_q\Big[\log p(z_T)+\sum_{t=1}^T\log p(z_{t-1}\mid z_t)-\log q(z_t\mid z_{t-1})\Big]

    What z_t leaves of z_{t-1} is made of z_{t-1} and of the noise that z_t adds to it. x: (..., d).
    encoder, decoder: T >= 1 steps each, of q(z_t | z_{t-1}) and p(z_{t-1} | z_t) at index t - 1.
    """
    _require_steps([x, *encoder], encoder, decoder)
    mean, cov = x, 0 * identity_like(x)
    total = 0.0
    for up, down in zip(encoder, decoder, strict=True):
        next_mean, next_cov = _onward(mean, cov, up)
        residual = mean - _image(next_mean, down)
        left = identity_like(cov) - down.weight @ up.weight
        trace = np.trace(left @ cov @ np.transpose(left)) + up.var * np.sum(down.weight**2)
        entropy = 0.5 * len(up.bias) * (LOG_2PI + 1 + log(up.var))
        total = (
            total + log_prob_isotropic(residual, 0 * residual, down.var) - trace / (2 * down.var) + entropy
        )
        mean, cov = next_mean, next_cov
    return total + log_prob_isotropic(mean, 0 * mean, 1.0) - 0.5 * np.trace(cov)


def log_likelihood(x: Array, decoder: Sequence[Step]) -> Array:
    r"""log p(x) of a linear chain: all latent levels integrated out, from the last down.   [HVAE-1, HVAE-6]

    x: (..., d). decoder: T >= 1 steps, as in `elbo`.
    """
    mean, cov = _marginals(decoder)[0]
    return log_prob(x, mean + 0 * x, cov)


def gap(x: Array, encoder: Sequence[Step], decoder: Sequence[Step]) -> Array:
    r"""What the bound lacks of log p(x); >= 0.                                            [HVAE-4]

    .. math:: D_{KL}(q(z_{1:T}\mid x)\Vert p(z_{1:T}\mid x))
              =\sum_{t=1}^TE_q[D_{KL}(q(z_t\mid z_{t-1})\Vert p(z_t\mid z_{t-1}))]

    A chain that is Markov from z_T down is Markov from x up as well, so the divergence is a sum over steps.
    x, encoder, decoder: as in `elbo`. Source: SJTU tutorial, slide 20.
    """
    _require_steps([x, *encoder], encoder, decoder)
    mean, cov = x, 0 * identity_like(x)
    marginals, total = _marginals(decoder), 0.0
    for t, (up, down) in enumerate(zip(encoder, decoder, strict=True)):
        (below, cov_below), (above, cov_above) = marginals[t : t + 2]
        gain = np.transpose(np.linalg.solve(cov_below, down.weight @ cov_above))
        exact = cov_above - gain @ down.weight @ cov_above
        shift = _image(mean, up) - above - (mean - below) @ np.transpose(gain)
        spread = (up.weight - gain) @ cov @ np.transpose(up.weight - gain)
        covs = up.var * identity_like(exact) + 0 * shift[..., None], exact + 0 * shift[..., None]
        total = total + kl_gaussian(shift, covs[0], 0 * shift, covs[1])
        total = total + 0.5 * np.trace(np.linalg.solve(exact, spread))
        mean, cov = _onward(mean, cov, up)
    return total


def deeper(encoder: Sequence[Step], decoder: Sequence[Step], keep: Array) -> tuple[list[Step], list[Step]]:
    r"""The same model with one level more on top: the same law of x, the same bound.        [HVAE-6]

    .. math:: p(z_T\mid z_{T+1})=\mathcal N(a\,z_{T+1},(1-a^2)I),\qquad
              q(z_{T+1}\mid z_T)=\mathcal N(a\,z_T,(1-a^2)I)

    Both levels are then N(0, I) under p, and q is the exact conditional. What T levels can represent T + 1
    can, too. keep: a, in (-1, 1). Source: Kim, 'Diffusion Model', the HVAE as a generalisation of the VAE.
    """
    weight = decoder[-1].weight
    identity = identity_like(weight)
    top = Step(keep * identity, 0 * identity[0], 1 - keep * keep)
    return [*encoder, top], [*decoder, top]


def _image(z: Array, step: Step) -> Array:
    require_last_axis(z=z, weight=step.weight)
    return z @ np.transpose(step.weight) + step.bias


def _onward(mean: Array, cov: Array, step: Step) -> tuple[Array, Array]:
    """Mean (..., d_to) and covariance (d_to, d_to) after a step."""
    image, spread = _image(mean, step), step.weight @ cov @ np.transpose(step.weight)
    return image, spread + step.var * identity_like(spread)


def _marginals(decoder: Sequence[Step]) -> list[tuple[Array, Array]]:
    """Mean and covariance of p(z_t), t = 0..T."""
    if not decoder:
        raise ValueError("decoder has no steps; it must have at least one")
    weight = decoder[-1].weight
    levels = [(0 * weight[0], identity_like(weight))]
    for step in decoder[::-1]:
        levels.append(_onward(*levels[-1], step))
    return levels[::-1]


def _require_steps(levels: Sequence[Array], *parts: Sequence[Array]) -> None:
    for part in parts:
        if len(part) != len(levels) - 1 or len(levels) < 2:
            raise ValueError(
                f"there are {len(levels)} levels and {len(part)} steps; T + 1 levels have T steps, T >= 1"
            )
