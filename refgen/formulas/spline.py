r"""Monotone rational-quadratic splines: rising maps of a line with a closed inverse.               [FLOW-13]

Knots (x_k, y_k), k = 0..K, and slopes d_k > 0 there. In between y is a quotient of two quadratics that
meets both knots with both slopes and rises; outside it goes on at 45 degrees. With s = (y_{k+1} - y_k) /
(x_{k+1} - x_k) and xi = (x - x_k) / (x_{k+1} - x_k), which runs from 0 to 1 in a bin,

.. math:: y=y_k+\frac{(y_{k+1}-y_k)\,[s\,\xi^2+d_k\,\xi(1-\xi)]}{s+(d_{k+1}+d_k-2s)\,\xi(1-\xi)}

Arrays: x and y of points (...), knots (..., K + 1) with the leading axes of the points, or broadcastable to
them. Source: Durkan et al. 2019, section 3.1; Gregory & Delbourgo 1982.
"""

from __future__ import annotations

import autograd.numpy as np

from refgen.formulas.elementary import Array, require_last_axis, softmax, softplus

__all__ = ["forward", "inverse", "knots"]


def knots(
    widths: Array, heights: Array, slopes: Array, bound: float, smallest: float = 1e-3
) -> tuple[Array, Array, Array]:
    r"""Knots on [-bound, bound] from any numbers, as a network gives them.                         [FLOW-13]

    .. math:: x_{k+1}-x_k=2B\,\big(m+(1-Km)\,\mathrm{softmax}(a)_k\big),\qquad
              d_k=m+\log(1+e^{c_k}),\qquad d_0=d_K=1

    widths, heights: (..., K). slopes: (..., K - 1), of the inner knots; at the ends it is 1, as outside.
    bound: B > 0. smallest: m, of a bin as a part of the whole, and of a slope; 0 < m < 1 / K. Returns x, y,
    slope, each (..., K + 1). Raises ValueError where shapes do not fit. Source: Durkan et al. 2019, section
    3.1.
    """
    require_last_axis(widths=widths, heights=heights)
    count = np.shape(widths)[-1]
    if np.shape(slopes)[-1] != count - 1:
        raise ValueError(f"slopes has shape {np.shape(slopes)}; its last axis must be K - 1 = {count - 1}")

    def edges(a: Array) -> Array:
        share = smallest + (1 - count * smallest) * softmax(a)
        inner = bound * (2 * np.cumsum(share[..., :-1], axis=-1) - 1)
        end = np.zeros_like(a[..., :1]) + bound
        return np.concatenate([-end, inner, end], axis=-1)

    one = np.ones_like(widths[..., :1])
    return (
        edges(widths),
        edges(heights),
        np.concatenate([one, smallest + softplus(slopes), one], axis=-1),
    )


def forward(x: Array, x_knots: Array, y_knots: Array, slopes: Array) -> tuple[Array, Array]:
    r"""y at x, and the log of the slope there.                                                     [FLOW-13]

    .. math:: \frac{dy}{dx}=\frac{s^2\,[d_{k+1}\xi^2+2s\,\xi(1-\xi)+d_k(1-\xi)^2]}
              {[s+(d_{k+1}+d_k-2s)\,\xi(1-\xi)]^2}

    x: (...). x_knots, y_knots: rising, slopes: > 0, all (..., K + 1). Returns y and log dy/dx, (...).
    Source: Durkan et al. 2019, eqs. 4 and 5.
    """
    _require_knots(x_knots, y_knots, slopes)
    inside, left, width, low, height, d_0, d_1 = _bin(x, x_knots, x_knots, y_knots, slopes)
    xi = np.where(inside, (x - left) / width, 0.5)
    y, log_slope = _in_bin(xi, low, height, height / width, d_0, d_1)
    return np.where(inside, y, _beyond(x, x_knots, y_knots)), np.where(inside, log_slope, 0.0)


def inverse(y: Array, x_knots: Array, y_knots: Array, slopes: Array) -> tuple[Array, Array]:
    r"""x at y, and the log of the slope of this map, which is minus that of `forward`.             [FLOW-13]

    .. math:: \xi=\frac{2c}{-b-\sqrt{b^2-4ac}},\quad a=s-d_k+\eta\,q,\quad b=d_k-\eta\,q,\quad c=-s\,\eta,
              \qquad\eta=\frac{y-y_k}{y_{k+1}-y_k},\ q=d_{k+1}+d_k-2s

    the root of the quadratic that lies in [0, 1], in the form that does not cancel. All as in `forward`.
    Returns x and log dx/dy, (...). Source: Durkan et al. 2019, eqs. 6 to 8.
    """
    _require_knots(x_knots, y_knots, slopes)
    inside, left, width, low, height, d_0, d_1 = _bin(y, y_knots, x_knots, y_knots, slopes)
    s = height / width
    rise, bend = np.where(inside, (y - low) / height, 0.5), d_1 + d_0 - 2 * s
    a, b, c = (s - d_0) + rise * bend, d_0 - rise * bend, -s * rise
    xi = 2 * c / (-b - np.sqrt(np.maximum(b * b - 4 * a * c, 0.0)))
    log_slope = _in_bin(xi, low, height, s, d_0, d_1)[1]
    x = np.where(inside, left + width * xi, _beyond(y, y_knots, x_knots))
    return x, np.where(inside, -log_slope, 0.0)


def _in_bin(xi: Array, low: Array, height: Array, s: Array, d_0: Array, d_1: Array) -> tuple[Array, Array]:
    """y and log dy/dx at the part xi of a bin."""
    rest = 1 - xi
    below = s + (d_1 + d_0 - 2 * s) * xi * rest
    y = low + height * (s * xi * xi + d_0 * xi * rest) / below
    slope = d_1 * xi * xi + 2 * s * xi * rest + d_0 * rest * rest
    return y, np.log(slope) + 2 * np.log(s / below)


def _bin(a: Array, of: Array, x_knots: Array, y_knots: Array, slopes: Array) -> tuple[Array, ...]:
    """Whether a lies between the outer knots `of`; its bin's left edge, width, lower edge, height and slopes.

    The bin is picked by a row of zeros and one 1, so nothing is indexed by what was computed. Of points
    outside it is the bin that is next to them.
    """
    one = np.ones_like(a[..., None])
    passed = one * (a[..., None] >= of[..., 1:-1])  # each inner knot; ones first, for they rise
    first = one + 0 * passed[..., :1] if np.shape(passed)[-1] else one
    here = np.concatenate([first, passed], axis=-1) - np.concatenate([passed, 0 * first], axis=-1)
    inside = (a >= of[..., 0]) & (a <= of[..., -1])

    def pick(values: Array) -> Array:
        return np.sum(here * values, axis=-1)

    edges = [part for ends in (x_knots, y_knots) for part in (ends[..., :-1], ends[..., 1:] - ends[..., :-1])]
    return inside, *map(pick, edges), pick(slopes[..., :-1]), pick(slopes[..., 1:])


def _beyond(a: Array, of: Array, to: Array) -> Array:
    """Where a point outside goes: as far beyond the end of the other axis as it is beyond its own."""
    return a + np.where(a < of[..., 0], to[..., 0] - of[..., 0], to[..., -1] - of[..., -1])


def _require_knots(x_knots: Array, y_knots: Array, slopes: Array) -> None:
    require_last_axis(x_knots=x_knots, y_knots=y_knots, slopes=slopes)
    if np.ndim(x_knots) < 1 or np.shape(x_knots)[-1] < 2:
        raise ValueError(f"x_knots has shape {np.shape(x_knots)}; it must be (..., K + 1), K >= 1")
