r"""Langevin dynamics: samples from a score.                                                 [LAN]

`step` is the c of x + c score + sqrt(2 c) z. In papers that write x + (eps / 2) score + sqrt(eps) z it is
eps / 2. It is a time: c steps of the chain follow dx = score dt + sqrt(2) dW for the time c.
"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.elementary import Array, exp, expm1, log, log1p, require_last_axis, sqrt

__all__ = [
    "gibbs_log_density",
    "is_learnable",
    "kl_of_score_error",
    "mala_log_accept",
    "mean_passage_time",
    "mode_weight",
    "normal_score",
    "overdamped_step",
    "ula_converges",
    "ula_moments",
    "ula_stationary_var",
    "ula_step",
    "underdamped_acceleration",
    "underdamped_step",
]


def underdamped_acceleration(
    velocity: Array, force: Array, noise: Array, mass: Array, friction: Array, temperature: Array
) -> Array:
    r"""Acceleration of a particle in a force, with friction and thermal noise.        [LAN-1]

    .. math:: M\ddot X=-\nabla U(X)-\gamma M\dot X+\sqrt{2M\gamma k_BT}\,R(t)

    velocity, force, noise: (..., d), R white noise of unit intensity; in a time step h it is z / sqrt(h).
    mass, friction (gamma, a rate), temperature (k_B T, an energy): > 0, broadcastable. Returns (..., d).
    Source: Kim, 'Score-based Generative Model'.
    """
    require_last_axis(velocity=velocity, force=force, noise=noise)
    return force / mass - friction * velocity + sqrt(2 * friction * temperature / mass) * noise


def underdamped_step(
    x: Array,
    velocity: Array,
    force: Array,
    z: Array,
    dt: Array,
    mass: Array = 1.0,
    friction: Array = 1.0,
    temperature: Array = 1.0,
) -> tuple[Array, Array]:
    r"""One time step of that particle: a kick, half a drift, friction and noise, half a drift.   [LAN-1]

    .. math:: v'=v+\tfrac hM F(x),\quad x'=x+\tfrac h2v',\quad
              v''=e^{-\gamma h}v'+\sqrt{\tfrac{k_BT}M(1-e^{-2\gamma h})}\,z,\quad x''=x'+\tfrac h2v''

    x, velocity, force, z: (..., d), the force at x itself, z standard normal. dt: h > 0; the others as for
    `underdamped_acceleration`. Broadcastable. Returns (position, velocity). In a parabola of stiffness k the
    positions have exactly the right law for h < 2 sqrt(M / k), and any friction. They are those of the scheme
    BAOAB, whose kick is halved and whose velocity is half a kick behind.
    Source: Leimkuhler & Matthews 2013.
    """
    require_last_axis(x=x, velocity=velocity, force=force, z=z)
    velocity = velocity + dt / mass * force
    x = x + dt / 2 * velocity
    velocity = exp(-friction * dt) * velocity + sqrt(-temperature / mass * expm1(-2 * friction * dt)) * z
    return x + dt / 2 * velocity, velocity


def gibbs_log_density(energy: Array, velocity: Array, mass: Array, temperature: Array) -> Array:
    r"""Log of the law that underdamped dynamics leave as it is, up to a constant.      [LAN-1]

    .. math:: \log p(x,\dot x)=-\frac{U(x)+\tfrac M2\lVert\dot x\rVert^2}{k_BT}+\text{const}

    energy: U(x), (...). velocity: (..., d). mass, temperature (k_B T): > 0, broadcastable. Returns (...).
    Friction does not enter: it says how fast the law is reached, not which.
    """
    return -(energy + 0.5 * mass * np.sum(velocity**2, axis=-1)) / temperature


def overdamped_step(dt: Array, mass: Array, friction: Array, temperature: Array) -> Array:
    r"""The step c that strong friction makes of a time step dt.                       [LAN-5]

    .. math:: dX=-\frac{\nabla U(X)}{\gamma M}\,dt+\sqrt{\frac{2k_BT}{\gamma M}}\,dW
              \quad\Rightarrow\quad c=\frac{k_BT\,dt}{\gamma M},\quad\nabla\log p=-\frac{\nabla U}{k_BT}

    dt, mass, friction, temperature: > 0, broadcastable. The limit of `underdamped_acceleration` for friction
    to infinity; in a parabola of stiffness k its rate is wrong by k / (M friction^2), relatively.
    """
    return temperature * dt / (friction * mass)


def ula_step(x: Array, score: Array, z: Array, step: Array) -> Array:
    r"""One step of unadjusted Langevin dynamics, from x_i to x_{i+1}.        [LAN-2, LAN-5, NCSN-5]

    .. math:: x_{i+1}=x_i+c\,\nabla\log p(x_i)+\sqrt{2c}\,z_i,\qquad z_i\sim\mathcal N(0,I)

    x, score, z: (..., d), the score at x itself. step: c > 0, broadcastable. Returns (..., d).
    Raises ValueError where the last axes differ. Source: Song & Ermon 2019, eq. 4, with c = eps / 2; SJTU
    tutorial, 'Score-based'; Kim, 'Score-based Generative Model', both mended.
    """
    require_last_axis(x=x, score=score, z=z)
    return x + step * score + sqrt(2 * step) * z


def ula_moments(
    mean_0: Array, var_0: Array, mean: Array, var: Array, step: Array, steps: int
) -> tuple[Array, Array]:
    r"""Mean and variance of x_K where the target is N(mean, var) and x_0 is N(mean_0, var_0).   [LAN-3]

    .. math:: x_K\sim\mathcal N\big(m+a^K(m_0-m),\ a^{2K}v_0+(1-a^{2K})\,v_\infty\big),\quad
              a=1-\frac cv,\quad v_\infty=\frac v{1-c/2v}

    Exact, for each coordinate, at any number of steps: with steps = 1e6 and a tiny step the variance has full
    relative accuracy. mean_0, mean: (..., d). var_0: >= 0, var: > 0, step: in (0, 2 var), broadcastable.
    steps: K >= 1. Returns (mean, variance). Source: the sum of a geometric series.
    """
    log_rate = log1p(-_nearest_edge(step, var))
    decay = _sign(var - step) ** steps * exp(steps * log_rate)
    grown = -expm1(2 * steps * log_rate) * ula_stationary_var(var, step)
    return mean + decay * (mean_0 - mean), decay**2 * var_0 + grown


def ula_stationary_var(var: Array, step: Array) -> Array:
    r"""Variance at which the chain settles where the target is N(mean, var): always too large.  [LAN-4]

    .. math:: v_\infty=\frac v{1-c/2v}

    var: > 0. step: in (0, 2 var); from there on the chain flies apart. Broadcastable.
    """
    return var * (2 * var / (2 * var - step))


def ula_converges(exponent: Array) -> Array:
    r"""Whether the law of x_K tends to the target with the step K^-exponent, for K to infinity.  [LAN-3]

    .. math:: x_K\to p\iff c\to0\ \text{and}\ Kc\to\infty\iff0<\text{exponent}<1

    The time Kc that the chain has followed its dynamics must grow without bound, else it remembers x_0.
    Source: SJTU tutorial, 'Score-based', with the condition added.
    """
    return (exponent > 0) & (exponent < 1)


def kl_of_score_error(mean_square: Array, step: Array) -> Array:
    r"""KL by which one step with a wrong score departs from the step with the right one.  [LAN-6]

    .. math:: D_{KL}=\frac c4\,\mathbb E\lVert\hat s(x_i)-\nabla\log p(x_i)\rVert^2

    The kernels are Gaussians of the variance 2c whose means are c (s_hat - s) apart. Summed over the steps it
    is the KL of the whole paths and a bound on that of x_K, the error taken where the chain is, under the law
    of the first of the two. mean_square: >= 0; step: > 0, broadcastable.
    """
    return step * mean_square / 4


def mala_log_accept(
    x: Array, x_new: Array, log_p: Array, log_p_new: Array, score: Array, score_new: Array, step: Array
) -> Array:
    r"""Log-probability of accepting x_new, proposed by `ula_step` from x: no bias is left.      [LAN-4]

    .. math:: \min\Big(0,\ \log\frac{p(x')}{p(x)}-\frac{(s+s')^\top(x'-x)}2
              -\frac c4\big(\lVert s'\rVert^2-\lVert s\rVert^2\big)\Big)

    which is :math:`p(x')q(x\mid x')/p(x)q(x'\mid x)` with the squares expanded, so that small steps cost no
    digits. x, x_new, score, score_new: (..., d), the scores at x and x_new. log_p, log_p_new: (...), up to
    the same constant. step: a number. Returns (...). Source: Roberts & Tweedie 1996.
    """
    require_last_axis(x=x, x_new=x_new, score=score, score_new=score_new)
    along = np.sum((score + score_new) * ((x_new - x) / 2 + step / 4 * (score_new - score)), axis=-1)
    return np.minimum(log_p_new - log_p - along, 0)


def mean_passage_time(log_p: Array, spacing: Array) -> Array:
    r"""Mean time in which overdamped dynamics reach the right end of a line from each point.    [LAN-7]

    .. math:: \tau(x)=\int_x^b\frac{dy}{p(y)}\int_{-\infty}^y p(z)\,dz

    For dx = score dt + sqrt(2) dW; divided by the step it is a number of steps. Exponential in the barrier:
    a mode that is well apart is not reached. log_p: (..., n), up to a constant, at points `spacing` apart, of
    which the last is b and the first lies where nothing is, all within the range of the exponential. Returns
    (..., n), to second order in the spacing. Source: Gardiner 2009, first passage times.
    """
    p = np.exp(log_p - np.max(log_p, axis=-1, keepdims=True))
    slowness = (np.cumsum(p, axis=-1) - p / 2) / p
    beyond = np.cumsum(slowness[..., ::-1], axis=-1)[..., ::-1]
    return spacing**2 * (beyond - slowness / 2 - slowness[..., -1:] / 2)


def mode_weight(time: Array, weight_0: Array, weight: Array, passage_time: Array) -> Array:
    r"""Share of chains in the second of two modes that are well apart: long that of the start.   [LAN-7]

    .. math:: w(t)=w+(w_0-w)\,e^{-t/(w\tau)}

    time: t, the number of steps times the step. weight_0: the share of the start that lies on its side of
    the watershed. weight: w in (0, 1), its weight in the target. passage_time: tau, the mean time from the
    first mode to the second, see `mean_passage_time`; that of the way back follows by detailed balance.
    Broadcastable. Source: Kramers' picture of two states; Kim, 'Score-based Generative Model', third problem.
    """
    return weight + (weight_0 - weight) * exp(-time / (weight * passage_time))


def normal_score(distance: Array, std: Array) -> Array:
    r"""Score across a flat surface that carries the data, blurred by noise: it has no limit.   [LAN-8]

    .. math:: s_\perp=-\frac{y}{\sigma^2}

    whatever the law along the surface is. distance: y, signed. std: > 0. Broadcastable.
    Source: Kim, 'Score-based Generative Model', first problem; Song & Ermon 2019, section 3.1.
    """
    return -distance / std**2


def is_learnable(log_density: Array, count: int, width: float, d: int = 1) -> Array:
    r"""Whether an estimate of the score at a point had data to learn from.          [LAN-9, NCSN-8]

    .. math:: n\,p(x)\,h^d\ge1

    the number of training points to be expected within the width h, in d dimensions. log_density: (...), of
    the law that the points were drawn from, noise included. count: n. Returns booleans (...).
    Source: Song & Ermon 2019, section 3.2.1, as a rule of thumb.
    """
    return log_density + log(count) + d * log(width) >= 0


def _nearest_edge(step: Array, var: Array) -> Array:
    """How far step / var is from the nearer end of (0, 2): |1 - step / var| is 1 minus this."""
    if isinstance(step, int | float) and isinstance(var, int | float):
        return min(step, 2 * var - step) / var
    return np.minimum(step, 2 * var - step) / var


def _sign(a: Array) -> Array:
    return math.copysign(1.0, a) if isinstance(a, int | float) else np.sign(a)
