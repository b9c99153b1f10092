r"""Normalizing flows: a density that is carried along by invertible maps.                      [FLOW, TAX-5]

A map x = f(z) takes z, of a simple law, to the data. Densities divide by |det df/dz|: where f spreads
points out they are thinner. A `log_det` is always log |det df/dz| of the map from z to x, at z; that of the
inverse map, at x, is minus it. Maps are functions (..., d) -> (..., d) that treat each point alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import autograd.numpy as np
from autograd import make_vjp

from refgen.formulas.elementary import Array, identity_like, require_last_axis, softplus

__all__ = [
    "affine_fit",
    "chain_log_prob",
    "coupling",
    "coupling_inverse",
    "coupling_log_det",
    "inverse_jacobian",
    "jacobian",
    "log_prob",
    "log_prob_on_line",
    "negative_log_likelihood",
    "planar",
    "planar_log_det",
    "planar_u",
    "pushed",
]

Map = Callable[[Array], Array]


def jacobian(f: Map, x: Array) -> Array:
    r"""All first derivatives of a map, at each point, by m reverse passes.                          [FLOW-1]

    .. math:: J=\Big[\frac{\partial f_i}{\partial x_j}\Big]_{m\times n},\qquad f:\mathbb R^n\to\mathbb R^m

    f: (..., n) -> (..., m), each point alone. x: (..., n). Returns (..., m, n): rows are outputs.
    Source: SJTU tutorial, 'Preliminary'; Dong-A notes, the trace of a score's Jacobian.
    """
    return _value_and_jacobian(f, x)[1]


def _value_and_jacobian(f: Map, x: Array) -> tuple[Array, Array]:
    pull_back, value = make_vjp(f)(x)
    rows = [pull_back(np.broadcast_to(one, np.shape(value))) for one in identity_like(value)]
    return value, np.stack(rows, axis=-2)


def inverse_jacobian(f: Map, z: Array) -> Array:
    r"""Jacobian of the inverse map, at x = f(z), without the inverse map.                           [FLOW-6]

    .. math:: \frac{df^{-1}}{dx}(x)=\Big(\frac{df}{dz}(z)\Big)^{-1},\qquad x=f(z)

    the inverse of the matrix, not of its entries. f: (..., d) -> (..., d), its Jacobian invertible at z.
    z: (..., d). Returns (..., d, d). Source: SJTU tutorial, 'Normalizing Flows' (inverse function theorem).
    """
    return np.linalg.inv(jacobian(f, z))


def log_prob_on_line(log_base: Array, slope: Array) -> Array:
    r"""Log-density of x = f(z) on a line, f rising or falling.                              [FLOW-7, FLOW-8]

    .. math:: p(x)=\pi(z)\Big|\frac{dz}{dx}\Big|=\pi(f^{-1}(x))\,\big|(f^{-1})'(x)\big|

    log_base: log pi(z). slope: dz/dx, the derivative of the inverse map, not 0, of either sign.
    Broadcastable. Source: SJTU tutorial, 'Change of Variable Theorem'.
    """
    return log_base + np.log(np.abs(slope))


def log_prob(x: Array, inverse: Map, base: Map) -> Array:
    r"""Log-density of x = f(z), from the inverse map and its full Jacobian.                [FLOW-9, FLOW-10]

    .. math:: p(x)=\pi(f^{-1}(x))\,\Big|\det\frac{df^{-1}}{dx}\Big|

    x: (..., d). inverse: x -> z. base: z -> log pi(z), (..., d) -> (...). Returns (...), in nats. It takes d
    passes and d^3 steps, for any map: the reference for maps that know their determinant.
    Source: SJTU tutorial, 'Change of Variable Theorem'.
    """
    z, jac = _value_and_jacobian(inverse, x)
    return base(z) + np.linalg.slogdet(jac)[1]


def pushed(z: Array, maps: Sequence[Map], base: Map) -> tuple[Array, Array]:
    r"""A point sent through maps, and its log-density there, from the full Jacobians.  [FLOW-10, FLOW-12]

    .. math:: x=z_K=f_K\circ\dots\circ f_1(z_0),\qquad
              p_i(z_i)=p_{i-1}(z_{i-1})\,\Big|\det\frac{df_i}{dz_{i-1}}\Big|^{-1}

    Each determinant is taken at z_{i-1}, where that map begins. z: z_0, (..., d). maps: f_1 first. base:
    log p_0. Returns x, (..., d), and log p(x), (...). Source: SJTU tutorial, 'Normalizing Flows'.
    """
    log_base, log_dets = base(z), []
    for f in maps:
        z, jac = _value_and_jacobian(f, z)
        log_dets.append(np.linalg.slogdet(jac)[1])
    return z, chain_log_prob(log_base, log_dets)


def chain_log_prob(log_base: Array, log_dets: Sequence[Array]) -> Array:
    r"""Log-density behind a chain of maps whose log-determinants are known.               [FLOW-11, FLOW-12]

    .. math:: \log p(x)=\log p_0(z_0)-\sum_{i=1}^K\log\Big|\det\frac{df_i}{dz_{i-1}}\Big|

    log_base: log p_0(z_0), (...). log_dets: K of them, each (...), of the maps from z to x. Returns (...).
    Source: SJTU tutorial, 'Normalizing Flows'; Rezende & Mohamed 2015, section 3.
    """
    for log_det in log_dets:
        log_base = log_base - log_det
    return log_base


def negative_log_likelihood(log_prob: Array) -> Array:
    r"""The loss of a flow: minus the mean log-density of the data; at best their entropy.          [FLOW-14]

    .. math:: L_D=-\frac1{|D|}\sum_{x\in D}\log p(x)

    log_prob: of each point, (..., n). Returns (...), in nats. Source: SJTU tutorial, 'Normalizing Flows'.
    """
    return -np.mean(log_prob, axis=-1)


def affine_fit(x: Array) -> tuple[Array, Array]:
    r"""The triangular affine flow x = b + L z of the largest likelihood, for normal z.             [FLOW-14]

    .. math:: b=\frac1n\sum_i x_i,\qquad LL^\top=\frac1n\sum_i(x_i-b)(x_i-b)^\top

    x: (n, d), not all in one hyperplane. Returns b, (d,), and L, (d, d), lower triangular, its diagonal
    positive. The covariance is divided by n, not n - 1. Source: Bishop 2006, section 2.3.4.
    """
    if np.ndim(x) != 2 or np.shape(x)[0] <= np.shape(x)[1]:
        raise ValueError(f"x has shape {np.shape(x)}; it must be (n, d) with n > d")
    shift = np.mean(x, axis=0)
    return shift, np.linalg.cholesky(np.transpose(x - shift) @ (x - shift) / np.shape(x)[0])


# ---- maps whose determinant is cheap
def coupling(z: Array, shift: Array, log_scale: Array, changed: Array) -> Array:
    r"""Affine coupling: kept coordinates tell how to scale and shift the others. [FLOW-13]

    .. math:: x=(1-m)\,z+m\,\big(z\,e^{s((1-m)z)}+t((1-m)z)\big)

    z: (..., d). shift, log_scale: t and s, what a network makes of (1 - m) z, (..., d). changed: m, (d,), 1
    where a coordinate is changed and 0 where it is kept. Returns (..., d). Source: Dinh et al. 2017,
    section 3.4.
    """
    require_last_axis(z=z, shift=shift, log_scale=log_scale, changed=changed)
    return z * np.exp(changed * log_scale) + changed * shift


def coupling_inverse(x: Array, shift: Array, log_scale: Array, changed: Array) -> Array:
    r"""The way back through `coupling`; the network sees the kept, which are the same.           [FLOW-13]

    .. math:: z=(1-m)\,x+m\,\big(x-t\big)\,e^{-s}

    All as in `coupling`, x for z. Source: Dinh et al. 2017, section 3.4.
    """
    require_last_axis(x=x, shift=shift, log_scale=log_scale, changed=changed)
    return (x - changed * shift) * np.exp(-changed * log_scale)


def coupling_log_det(log_scale: Array, changed: Array) -> Array:
    r"""log |det dx/dz| of `coupling`: the network's own derivatives stand off the diagonal.        [FLOW-13]

    .. math:: \log\Big|\det\frac{dx}{dz}\Big|=\sum_i m_i\,s_i

    log_scale: (..., d). changed: (d,). Returns (...). Source: Dinh et al. 2017, section 3.3.
    """
    require_last_axis(log_scale=log_scale, changed=changed)
    return np.sum(changed * log_scale, axis=-1)


def planar(z: Array, u: Array, w: Array, b: Array) -> Array:
    r"""Planar flow: all points are moved along u, by how far along w they lie.                     [FLOW-13]

    .. math:: x=z+u\,\tanh(w^\top z+b)

    It is one-to-one where w.u >= -1, which `planar_u` sees to. z: (..., d). u, w: (d,). b: a number or an
    array of no axes. Returns (..., d). Source: Rezende & Mohamed 2015, section 4.1.
    """
    require_last_axis(z=z, u=u, w=w)
    return z + u * np.tanh(np.sum(w * z, axis=-1, keepdims=True) + b)


def planar_log_det(z: Array, u: Array, w: Array, b: Array) -> Array:
    r"""log |det dx/dz| of `planar`, in d steps.                                                    [FLOW-13]

    .. math:: \log\big|1+u^\top w\,\big(1-\tanh^2(w^\top z+b)\big)\big|

    All as in `planar`. Returns (...). Source: Rezende & Mohamed 2015, section 4.1 (matrix determinant lemma).
    """
    require_last_axis(z=z, u=u, w=w)
    bend = np.tanh(np.sum(w * z, axis=-1) + b)
    return np.log(np.abs(1 + np.sum(u * w) * (1 - bend * bend)))


def planar_u(u: Array, w: Array) -> Array:
    r"""A u with which a planar flow is one-to-one: any one, moved along w.                   [FLOW-13]

    .. math:: \hat u=u+\big(m(w^\top u)-w^\top u\big)\frac w{\lVert w\rVert^2},\qquad m(a)=-1+\log(1+e^a),
              \qquad w^\top\hat u=m(w^\top u)>-1

    u, w: (..., d), w not 0. Returns (..., d). The norm is squared. Source: Rezende & Mohamed 2015, appendix
    A.1.
    """
    require_last_axis(u=u, w=w)
    along = np.sum(w * u, axis=-1, keepdims=True)
    # m(a) - a, without the difference of two large numbers
    return u + (softplus(-along) - 1) * w / np.sum(w * w, axis=-1, keepdims=True)
