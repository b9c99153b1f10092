r"""Unions of boxes with Gaussian noise: density, score and the exact posterior of clean data.

A point x_0 is uniform in box k, :math:`[a_k, b_k]\subset\mathbb R^d`, with probability w_k, and
x_t = signal x_0 + std eps. Coordinate by coordinate, given the box, x_t has the density

.. math:: \frac{\Phi\big((s\,b-x)/\sigma\big)-\Phi\big((s\,a-x)/\sigma\big)}{s\,(b-a)}
          = \frac1{2\sigma}\int_{-1}^{1}\varphi(c+hw)\,dw,\qquad
          c=\frac{s(a+b)/2-x}{\sigma},\quad h=\frac{s(b-a)/2}{\sigma}

for signal s and std :math:`\sigma`, and x_0 = (a + b)/2 + w (b - a)/2 is a truncated Gaussian. The difference
of two values of Phi, though a closed form, loses all digits in a narrow box and far outside any. So the
integral on the right is taken, by Gauss-Legendre nodes placed where the integrand is: exact to rounding for
every c and h >= 0, signal 0 included, and its moments give score, posterior mean and covariance as well.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import autograd.numpy as np

from refgen.autodiff import array_module
from refgen.formulas.elementary import Array, identity_like, log, log_sum_exp, require_last_axis, softmax

__all__ = [
    "clean_log_prob",
    "interval_log_prob",
    "log_prob",
    "noise_shares",
    "posterior_cov",
    "posterior_mean",
    "score",
]

NODE_COUNT = 48
CUT = 80.0  # twice the drop of the exponent that is left out: exp(-40) is below rounding


def interval_log_prob(x: Array, low: Array, high: Array, std: Array) -> Array:
    r"""Log-density of u + std eps, u uniform in [low, high], one coordinate.

    .. math:: \log\frac{\Phi((b-x)/\mathrm{std})-\Phi((a-x)/\mathrm{std})}{b-a}

    x, low <= high, std > 0: broadcastable. Finite for every finite x.
    """
    return _interval((low + high) / 2 - x, (high - low) / 2, std)[0]


def log_prob(x_t: Array, weights: Array, low: Array, high: Array, signal: float, std: Array) -> Array:
    r"""Log-density of signal x_0 + std eps: a log-sum over boxes of sums over coordinates.

    x_t: (..., d). weights: (K,), > 0, sum 1. low, high: (K, d). signal >= 0. std: a number or (d,), > 0.
    Returns (...). Raises ValueError where the last axes differ.
    """
    log_joint, _, _, _ = _parts(x_t, weights, low, high, signal, std)
    return log_sum_exp(log_joint)


def score(x_t: Array, weights: Array, low: Array, high: Array, signal: float, std: Array) -> Array:
    r"""Score of signal x_0 + std eps.                                                 [TWE-2]

    .. math:: \nabla\log p(x_t)=\sum_k r_k\,\frac{E[\mathrm{signal}\,x_0\mid x_t,k]-x_t}{\mathrm{std}^2}

    Arguments as for `log_prob`. Returns (..., d).
    """
    log_joint, y, _, _ = _parts(x_t, weights, low, high, signal, std)
    return np.sum(softmax(log_joint)[..., None] * y, axis=-2) / std


def posterior_mean(x_t: Array, weights: Array, low: Array, high: Array, signal: float, std: Array) -> Array:
    r"""E[x_0 | x_t], from means of truncated Gaussians. Arguments as for `log_prob`. Returns (..., d)."""
    log_joint, _, w, _ = _parts(x_t, weights, low, high, signal, std)
    return np.sum(softmax(log_joint)[..., None] * _within(w, low, high), axis=-2)


def posterior_cov(x_t: Array, weights: Array, low: Array, high: Array, signal: float, std: Array) -> Array:
    r"""Cov[x_0 | x_t], within and between the boxes. Arguments as for `log_prob`. Returns (..., d, d)."""
    log_joint, _, w, var = _parts(x_t, weights, low, high, signal, std)
    r, mu = softmax(log_joint)[..., None], _within(w, low, high)
    centred = mu - np.sum(r * mu, axis=-2, keepdims=True)
    inside = np.sum(r * var * ((high - low) / 2) ** 2, axis=-2)
    return inside[..., None] * identity_like(x_t) + np.swapaxes(r * centred, -1, -2) @ centred


def noise_shares(noise: Array, signal: float, std: float) -> tuple[Array, Array, Array]:
    r"""For x_0 = u + noise eps_0, u in a box: noise in x_t, and the shares of x_t and u in E[x_0 | u, x_t].

    .. math:: \tau^2=s^2\nu^2+\sigma^2,\qquad \mathbb E[x_0\mid u,x_t]=\frac{s\nu^2}{\tau^2}\,x_t
              +\frac{\sigma^2}{\tau^2}\,u,\qquad\mathrm{Var}[x_0\mid u,x_t]=\frac{\sigma^2}{\tau^2}\,\nu^2

    noise: nu, (d,), >= 0. signal: s >= 0. std: sigma >= 0, not both 0. Returns three arrays (d,): tau, which
    takes the place of std in `posterior_mean` of u, and the two shares. Source: conditioning a Gaussian.
    """
    total = np.hypot(signal * noise, std)
    return total, signal * (noise / total) ** 2, (std / total) ** 2


def clean_log_prob(x: Array, weights: Array, low: Array, high: Array) -> Array:
    r"""Log-density of the boxes themselves, :math:`\log\sum_k w_k 1[x\in k]/\mathrm{vol}_k`; -inf outside.

    x: (..., d). weights: (K,). low, high: (K, d), low < high; a box has its lower edges and not its upper.
    """
    require_last_axis(low=low, x=x)
    inside = np.all((low <= x[..., None, :]) & (x[..., None, :] < high), axis=-1)
    density = inside @ (weights / np.prod(high - low, axis=-1))
    return np.where(density > 0, np.log(np.where(density > 0, density, 1)), -math.inf).astype(x.dtype)


def _parts(
    x_t: Array, weights: Array, low: Array, high: Array, signal: float, std: Array
) -> tuple[Array, ...]:
    """log w_k + log p(x_t | k) as (..., K), and what `_interval` says beside it, (..., K, d)."""
    require_last_axis(low=low, x_t=x_t)
    away = signal * (low + high) / 2 - x_t[..., None, :]
    log_density, y, w, var = _interval(away, signal * (high - low) / 2, std)
    return np.log(weights) + np.sum(log_density, axis=-1), y, w, var


def _interval(away: Array, half: Array, std: Array) -> tuple[Array, Array, Array, Array]:
    """For y = c + h w with w in [-1, 1] weighted by phi(y): log-density, mean of y, mean and variance of w.

    away: centre minus x. half: half the width, >= 0. std: > 0. Broadcastable.
    """
    sign = np.where(away < 0, -1, 1).astype(away.dtype)
    c = sign * away / std  # mirrored, so that c >= 0
    h = half / std * np.ones_like(c)
    y_top = np.maximum(c - h, 0)  # where phi(y) is largest
    root = np.sqrt(y_top**2 + CUT)
    width = np.maximum(h, 1e-30)  # no division by zero
    w_top = np.maximum(-c / width, -1)
    first = np.maximum(-1 - w_top, -root / width)  # the nodes' range, as offsets from w_top
    last = np.minimum(1 - w_top, CUT / (root + y_top) / width)
    nodes, node_weights = _gauss_legendre(array_module(away), away.dtype)
    offset = first[..., None] + (last - first)[..., None] * ((nodes + 1) / 2)
    step = h[..., None] * offset  # y - y_top
    mass = node_weights * np.exp(-step * (y_top[..., None] + step / 2))
    total = np.sum(mass, axis=-1)
    mean = np.sum(mass * offset, axis=-1) / total
    var = np.sum(mass * (offset - mean[..., None]) ** 2, axis=-1) / total
    log_density = np.log(total * (last - first) / 4) - y_top**2 / 2 - log(math.sqrt(2 * math.pi) * std)
    return log_density, sign * (y_top + h * mean), sign * (w_top + mean), var


@cache
def _gauss_legendre(xp: Any, dtype: Any) -> tuple[Array, Array]:
    """Nodes and weights on [-1, 1], in that precision, as arrays of that module; moved there once."""
    from scipy.special import roots_legendre  # here, since it takes a tenth of a second to import

    nodes, weights = roots_legendre(NODE_COUNT)
    return xp.asarray(nodes, dtype=dtype), xp.asarray(weights, dtype=dtype)


def _within(w: Array, low: Array, high: Array) -> Array:
    """The point at w in [-1, 1] of each box."""
    return (low + high) / 2 + w * (high - low) / 2
