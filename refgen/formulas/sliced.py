r"""Sliced score matching: a score fitted along random directions, and traces estimated along them.   [SSM]

s is a model of the score and J its Jacobian. A direction v is drawn from a law with E[v v^T] = I, apart from
the data; then v^T J v is the trace of J in the mean, and takes one reverse pass where the trace takes d.
"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.elementary import Array, identity_like, require_last_axis

__all__ = [
    "directions",
    "divergence",
    "estimate_var",
    "objective",
    "objective_gradient",
    "sliced",
    "sliced_var",
    "trace_along",
    "trace_var",
    "variance_reduced",
]

LAWS = ("gaussian", "rademacher", "sphere")


def directions(normals: Array, law: str) -> Array:
    r"""Random directions with :math:`\mathbb E[vv^\top]=I`, from standard normals.       [SSM-6, SSM-7]

    normals: (..., d). law: "gaussian", N(0, I), the normals themselves; "rademacher", their signs, +1 or -1
    for each coordinate; "sphere", uniform on the sphere of radius sqrt(d). Returns (..., d).
    Source: Song et al. 2019; Hutchinson 1989 (signs).
    """
    _require_law(law)
    if law == "gaussian":
        return normals
    if law == "rademacher":
        return np.where(normals < 0, -np.ones_like(normals), np.ones_like(normals))
    d = np.shape(normals)[-1]
    return math.sqrt(d) * normals / np.sqrt(np.sum(normals**2, axis=-1, keepdims=True))


def trace_along(v: Array, jac: Array) -> Array:
    r"""Hutchinson's estimate of a trace, :math:`v^\top J\,v`.                         [SSM-3, SSM-6]

    Its mean is tr J where E[v v^T] = I. v: (..., d). jac: J_ij = ds_i/dx_j, (..., d, d). Returns (...).
    For a function, `refgen.nets.derivatives.sliced_trace` gives it by one reverse pass, without J.
    Source: Hutchinson 1989; Song et al. 2019.
    """
    _require_square(v, jac)
    return np.sum(v * np.sum(jac * v[..., None, :], axis=-1), axis=-1)


def trace_var(jac: Array, law: str) -> Array:
    r"""Variance of v^T J v over the directions of a law.                                     [SSM-7]

    .. math:: \mathrm{Var}_{\mathcal N}=2\lVert S\rVert_F^2,\quad
              \mathrm{Var}_{\pm1}=2\sum_{i\ne j}S_{ij}^2,\quad
              \mathrm{Var}_{\mathrm{sphere}}=\frac{2d}{d+2}\Big\lVert S-\frac{\mathrm{tr}\,S}dI\Big\rVert_F^2,
              \qquad S=\tfrac12(J+J^\top)

    jac: (..., d, d). law: as in `directions`. Returns (...). Signs never vary more than normals do; the
    sphere does not either, and knows a multiple of I exactly. Source: Hutchinson 1989; fourth moments of v.
    """
    _require_law(law)
    _require_square(jac, jac)
    d = np.shape(jac)[-1]
    part = (jac + np.swapaxes(jac, -1, -2)) / 2
    identity = identity_like(jac)
    if law == "rademacher":
        part = part * (1 - identity)
    if law == "sphere":
        mean = np.mean(np.sum(part * identity, axis=-1), axis=-1)
        part = part - mean[..., None, None] * identity
    scale = 2 * d / (d + 2) if law == "sphere" else 2
    return scale * np.sum(part**2, axis=(-2, -1))


def divergence(v: Array, s: Array, score: Array) -> Array:
    r"""Sliced Fisher divergence at each point and direction.                         [SSM-1, SSM-10]

    .. math:: \tfrac12\big(v^\top\nabla\log p-v^\top s\big)^2
              \le\tfrac12\lVert v\rVert^2\lVert\nabla\log p-s\rVert^2

    Its mean over v is half the squared distance of the two. v, s, score: (..., d). Returns (...).
    Source: Song et al. 2019; Dong-A notes, 'Sliced Score Matching'.
    """
    require_last_axis(v=v, s=s, score=score)
    return 0.5 * np.sum(v * (s - score), axis=-1) ** 2


def sliced(v: Array, s: Array, v_jac_v: Array) -> Array:
    r"""Loss of sliced score matching at each point and direction.                            [SSM-2]

    .. math:: v^\top\nabla_xs(x)\,v+\tfrac12\big(v^\top s(x)\big)^2

    In the mean over x it is the sliced Fisher divergence but for a number that no model changes, where p s
    vanishes at infinity. v: (..., d), as many leading axes more than s as there are draws. s: (..., d).
    v_jac_v: (...), of `trace_along` or by a reverse pass. Returns (...). Source: Song et al. 2019.
    """
    require_last_axis(v=v, s=s)
    return v_jac_v + 0.5 * np.sum(v * s, axis=-1) ** 2


def variance_reduced(s: Array, v_jac_v: Array) -> Array:
    r"""Loss of sliced score matching, its second term averaged over directions exactly.     [SSM-11]

    .. math:: v^\top\nabla_xs(x)\,v+\tfrac12\lVert s(x)\rVert^2

    The same mean as `sliced`. Usually it varies less, but not for every s: see `sliced_var`.
    s: (..., d). v_jac_v: (...). Returns (...). Source: Song et al. 2019 ('SSM-VR').
    """
    return v_jac_v + 0.5 * np.sum(s**2, axis=-1)


def sliced_var(s: Array, jac: Array, law: str) -> Array:
    r"""Variance of `sliced` over the directions; `trace_var` is that of `variance_reduced`.   [SSM-11]

    .. math:: \mathrm{Var}_v\big[v^\top Jv+\tfrac12(v^\top s)^2\big]
              =\mathrm{Var}_v\big[v^\top\big(J+\tfrac12ss^\top\big)v\big]

    For normals it exceeds :math:`2\lVert S\rVert_F^2` by :math:`2s^\top Ss+\tfrac12\lVert s\rVert^4`, which
    is negative where S is and s is short. s: (..., d). jac: (..., d, d). law: as in `directions`.
    Returns (...).
    """
    _require_square(s, jac)
    return trace_var(jac + 0.5 * s[..., :, None] * s[..., None, :], law)


def objective(v: Array, s: Array, jac: Array) -> Array:
    r"""What is minimised: the mean of `sliced` over points, each with directions of its own.        [SSM-5]

    .. math:: \frac1n\sum_{i=1}^n\big[v_i^\top\nabla_xs(x_i)\,v_i+\tfrac12(v_i^\top s(x_i))^2\big]

    v: (..., n, d). s: (n, d). jac: (n, d, d). Returns (...). One v for all points would leave a variance that
    no n makes small. Source: Song et al. 2019; Dong-A notes, 'Sliced Score Matching'.
    """
    require_last_axis(s=s, v=v)
    return np.mean(sliced(v, s, trace_along(v, jac)), axis=-1)


def objective_gradient(v: Array, s: Array, s_param: Array, jac_param: Array) -> Array:
    r"""Gradient of `objective` by the parameters of the model.                               [SSM-9]

    .. math:: \frac1n\sum_i\big[v_i^\top(\partial_\theta\nabla_xs(x_i))\,v_i
              +(v_i^\top s(x_i))\,v_i^\top\partial_\theta s(x_i)\big]

    v, s: (n, d). s_param: ds_j/dtheta_k, (n, d, m). jac_param: dJ_ij/dtheta_k, (n, d, d, m). Returns (m,).
    Source: Dong-A notes, 'Summary'.
    """
    require_last_axis(v=v, s=s)
    along = v[..., None]
    curvature = np.sum(along * np.sum(jac_param * along[..., None, :, :], axis=-2), axis=-2)
    slope = np.sum(v * s, axis=-1)[..., None] * np.sum(along * s_param, axis=-2)
    return np.mean(curvature + slope, axis=0)


def estimate_var(point_var: Array, direction_var: Array, points: int, draws: int) -> Array:
    r"""Variance of the mean loss over n points with M directions each, all drawn independently.     [SSM-8]

    .. math:: \frac1n\Big(\mathrm{Var}_x\,\mathbb E_v[l]+\frac1M\,\mathbb E_x\mathrm{Var}_v[l]\Big)

    point_var: the first of the two variances. direction_var: the second, as of `sliced_var` averaged over x.
    More directions help with the second only. Source: the law of total variance; Song et al. 2019.
    """
    return (point_var + direction_var / draws) / points


def _require_law(law: str) -> None:
    if law not in LAWS:
        raise ValueError(f"law is {law!r}; it must be one of {', '.join(LAWS)}")


def _require_square(v: Array, jac: Array) -> None:
    d = np.shape(v)[-1]
    if np.shape(jac)[-2:] != (d, d):
        raise ValueError(f"jac has shape {np.shape(jac)}; it must be (..., {d}, {d})")
