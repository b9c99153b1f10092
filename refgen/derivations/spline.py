"""Cards of the monotone rational-quadratic spline (FLOW-13)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import points, positives, reals, rungs, together
from refgen.formulas import spline
from refgen.sources import DURKAN_2019, FIELD, GREGORY_1982

SPLINE = [DURKAN_2019("section 3.1"), GREGORY_1982()]


def knots(k):
    """Knots of k bins on any intervals, any slopes within, and 1 at the ends, as it is outside."""

    def steps(start, sizes):
        return start + np.concatenate([[0.0], np.cumsum(sizes)])

    bins = st.lists(positives(0.2, 3.0), min_size=k, max_size=k)
    inner = st.lists(positives(0.1, 5.0), min_size=k - 1, max_size=k - 1)
    slopes = inner.map(lambda d: np.array([1.0, *d, 1.0]))
    return dict(
        x_knots=st.builds(steps, reals(-3, 0), bins),
        y_knots=st.builds(steps, reals(-3, 0), bins),
        slopes=slopes,
    )


def curve(x, x_knots, y_knots, slopes):
    """y at one x, real or complex: Gregory and Delbourgo's ratio of two sums of Bernstein polynomials."""
    if x.real < x_knots[0]:
        return y_knots[0] + (x - x_knots[0])
    if x.real > x_knots[-1]:
        return y_knots[-1] + (x - x_knots[-1])
    k = min(int(np.searchsorted(x_knots, x.real, side="right")) - 1, len(x_knots) - 2)
    (left, right), (low, high), (d_0, d_1) = (a[k : k + 2] for a in (x_knots, y_knots, slopes))
    s, b = (high - low) / (right - left), np.array([right - x, x - left]) / (right - left)
    parts = np.array([s * b[0] ** 2, b[0] * b[1], s * b[1] ** 2])
    return parts @ [low, low * d_1 + high * d_0, high] / (parts @ [1, d_0 + d_1, 1])


POINTS = rungs(lambda k: together(x=points(3, -5, 6), **knots(k)), 1, 2, 3)


@equation(
    "FLOW-13/spline",
    title="rational-quadratic spline",
    formula=spline.forward,
    latex=r"y=y_k+\frac{(y_{k+1}-y_k)[s\xi^2+d_k\xi(1-\xi)]}{s+(d_{k+1}+d_k-2s)\xi(1-\xi)}",
    sources=SPLINE,
    evidence="algebra",
    how="the older form, a ratio of sums of Bernstein polynomials, point by point; 45 degrees outside",
    given=POINTS,
    tolerance=1e-12,
    examples=40,
)
def spline_is_a_ratio_of_quadratics(forward, x, x_knots, y_knots, slopes):
    y = np.array([curve(a, x_knots, y_knots, slopes) for a in x])
    return forward(x, x_knots, y_knots, slopes)[0], y, 10 + abs(x)


@mutant("swapped", of="FLOW-13/spline", why="the two slopes of a bin exchanged in the numerator")
def spline_with_slopes_exchanged(x, x_knots, y_knots, slopes):
    return spline.forward(x, x_knots, y_knots, slopes[::-1])


@mutant("linear", of="FLOW-13/spline", why="straight between the knots: the slopes there forgotten")
def spline_of_straight_lines(x, x_knots, y_knots, slopes):
    inside = np.interp(x, x_knots, y_knots).astype(x.dtype)
    return inside + np.minimum(x - x_knots[0], 0) + np.maximum(x - x_knots[-1], 0), 0 * x


@mutant(
    "flat", of="FLOW-13/spline", why="the end value outside, as if x were clipped: the map is not one-to-one"
)
def spline_clipped(x, x_knots, y_knots, slopes):
    return spline.forward(np.clip(x, x_knots[0], x_knots[-1]), x_knots, y_knots, slopes)


@equation(
    "FLOW-13/spline-slope",
    title="log-slope of the spline",
    formula=spline.forward,
    latex=r"\frac{dy}{dx}=\frac{s^2[d_{k+1}\xi^2+2s\xi(1-\xi)+d_k(1-\xi)^2]}{[s+(d_{k+1}+d_k-2s)\xi(1-\xi)]^2}",
    sources=[DURKAN_2019("eq. 5"), GREGORY_1982()],
    evidence="autodiff",
    how="a complex step through the older form",
    given=POINTS,
    tolerance=1e-11,
    examples=40,
)
def log_slope_of_the_spline(forward, x, x_knots, y_knots, slopes):
    ahead = [curve(a + 1e-30j, x_knots, y_knots, slopes).imag / 1e-30 for a in x]
    inside = (x >= x_knots[0]) & (x <= x_knots[-1])
    log_slopes = np.log(np.where(inside, ahead, 1.0))
    return forward(x, x_knots, y_knots, slopes)[1], log_slopes, 5 + abs(log_slopes)


@mutant("bin", of="FLOW-13/spline-slope", why="the mean slope s of the bin")
def log_slope_of_the_bin(x, x_knots, y_knots, slopes):
    k = np.clip(np.searchsorted(x_knots, x, side="right") - 1, 0, len(x_knots) - 2)
    inside = (x >= x_knots[0]) & (x <= x_knots[-1])
    s = np.diff(y_knots)[k] / np.diff(x_knots)[k]
    return x, np.where(inside, np.log(s), 0.0)


@mutant("per-bin", of="FLOW-13/spline-slope", why="dy/dxi, the width of the bin forgotten in the chain rule")
def log_slope_by_xi(x, x_knots, y_knots, slopes):
    k = np.clip(np.searchsorted(x_knots, x, side="right") - 1, 0, len(x_knots) - 2)
    inside = (x >= x_knots[0]) & (x <= x_knots[-1])
    y, log_slope = spline.forward(x, x_knots, y_knots, slopes)
    return y, log_slope + np.where(inside, np.log(np.diff(x_knots)[k]), 0.0)


@mutant("sign", of="FLOW-13/spline-slope", why="that of the inverse map")
def log_slope_of_the_inverse(x, x_knots, y_knots, slopes):
    y, log_slope = spline.forward(x, x_knots, y_knots, slopes)
    return y, -log_slope


@equation(
    "FLOW-13/spline-root",
    title="the spline's inverse, and its log-slope",
    formula=spline.inverse,
    latex=r"\xi=\frac{2c}{-b-\sqrt{b^2-4ac}},\qquad\log\frac{dx}{dy}=-\log\frac{dy}{dx}",
    sources=[DURKAN_2019("eqs. 6 to 8")],
    evidence="autodiff",
    how="the point that the older form was given, and a complex step through that",
    given=POINTS,
    tolerance=1e-9,
    examples=40,
)
def spline_round_trip(inverse, x, x_knots, y_knots, slopes):
    y = np.array([curve(a, x_knots, y_knots, slopes) for a in x])
    ahead = [curve(a + 1e-30j, x_knots, y_knots, slopes).imag / 1e-30 for a in x]
    inside = (x > x_knots[0]) & (x < x_knots[-1])
    log_slopes = np.where(inside, -np.log(ahead), 0.0)
    return np.stack(inverse(y, x_knots, y_knots, slopes)), np.stack([x, log_slopes]), 10 + abs(x)


@mutant(
    "root",
    of="FLOW-13/spline-root",
    why="the other root of the quadratic, by the formula as it is learnt at school",
)
def spline_inverse_by_other_root(y, x_knots, y_knots, slopes):
    k = np.clip(np.searchsorted(y_knots, y, side="right") - 1, 0, len(y_knots) - 2)
    width, height = np.diff(x_knots)[k], np.diff(y_knots)[k]
    s, rise = height / width, np.clip((y - y_knots[k]) / height, 0, 1)
    bend = slopes[k] + slopes[k + 1] - 2 * s
    a, b, c = s - slopes[k] + rise * bend, slopes[k] - rise * bend, -s * rise
    root = (-b - np.sqrt(b * b - 4 * a * c)) / (2 * np.where(a == 0, 1.0, a))
    x, log_slope = spline.inverse(y, x_knots, y_knots, slopes)
    inside = (y >= y_knots[0]) & (y <= y_knots[-1])
    return np.where(inside, x_knots[k] + width * root, x), log_slope


@mutant("sign", of="FLOW-13/spline-root", why="the log-slope of the forward map returned with the inverse")
def spline_inverse_with_forward_slope(y, x_knots, y_knots, slopes):
    x, log_slope = spline.inverse(y, x_knots, y_knots, slopes)
    return x, -log_slope


@mutant(
    "mirror",
    of="FLOW-13/spline-root",
    why="the spline through the knots with x and y exchanged: no spline's inverse",
)
def spline_through_exchanged_knots(y, x_knots, y_knots, slopes):
    return spline.forward(y, y_knots, x_knots, 1 / slopes)


@equation(
    "FLOW-13/spline-knots",
    title="knots from any numbers",
    formula=spline.knots,
    latex=r"x_{k+1}-x_k=2B(m+(1-Km)\,\mathrm{softmax}(a)_k),\quad d_k=m+\log(1+e^{c_k}),\quad d_0=d_K=1",
    sources=[DURKAN_2019("section 3.1"), FIELD("a softmax without its smallest width")],
    evidence="algebra",
    how="each share by its quotients with all others, summed from the right",
    given=rungs(
        lambda k: together(
            widths=points(k), heights=points(k), inner=points(max(1, k - 1)), bound=positives(1, 5)
        ),
        1, 2, 4,
    ),
    tolerance=1e-12,
    examples=30,
)  # fmt: skip
def knots_from_shares(knots, widths, heights, inner, bound):
    k, inner = len(widths), inner[: len(widths) - 1]

    def edges(a):
        share = np.array([1 / np.sum(np.exp(a - one)) for one in a])
        right = 2 * bound * (0.001 + (1 - 0.001 * k) * share)[::-1]
        return bound - np.concatenate([[0.0], np.cumsum(right)])[::-1]

    slope = np.concatenate([[1.0], 0.001 + np.array([np.log(1 + np.exp(c)) for c in inner]), [1.0]])
    return (
        np.stack(knots(widths, heights, inner, bound)),
        np.stack([edges(widths), edges(heights), slope]),
        bound + 5,
    )


@mutant(
    "exp",
    of="FLOW-13/spline-knots",
    why="widths exp(a) of their mean, not of their sum: they overrun the interval",
)
def knots_divided_by_mean(widths, heights, slopes, bound):
    x, y, slope = spline.knots(widths, heights, slopes, bound)
    return (x + bound) * len(widths) - bound, y, slope


@mutant("half", of="FLOW-13/spline-knots", why="shares of B where the interval is 2 B wide")
def knots_on_half_the_interval(widths, heights, slopes, bound):
    x, y, slope = spline.knots(widths, heights, slopes, bound)
    return 0.5 * (x + bound) - bound, y, slope


@mutant("small", of="FLOW-13/spline-knots", why="no smallest width: bins that vanish, and slopes with them")
def knots_without_smallest(widths, heights, slopes, bound):
    return spline.knots(widths, heights, slopes, bound, 0.0)
