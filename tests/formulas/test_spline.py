"""The spline against 50 digits, there and back over the whole line, at its knots, and its shapes."""

import mpmath as mp
import numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.formulas import spline

EPS = np.finfo(float).eps


def drawn(shape, k=8, spread=1.0, bound=3.0, seed=0):
    rng = np.random.default_rng(seed)
    parts = [spread * rng.normal(size=(*shape, n)) for n in (k, k, k - 1)]
    return spline.knots(*parts, bound)


def exact(x, x_knots, y_knots, slopes):
    """y and dy/dx at one x with 50 digits, by the definition."""
    x, *knots = [mp.mpf(x), *(list(map(mp.mpf, a.tolist())) for a in (x_knots, y_knots, slopes))]
    k = sum(x >= a for a in knots[0][1:-1])
    (left, right), (low, high), (d_0, d_1) = (a[k : k + 2] for a in knots)
    s, xi = (high - low) / (right - left), (x - left) / (right - left)
    below = s + (d_1 + d_0 - 2 * s) * xi * (1 - xi)
    y = low + (high - low) * (s * xi**2 + d_0 * xi * (1 - xi)) / below
    return y, s**2 * (d_1 * xi**2 + 2 * s * xi * (1 - xi) + d_0 * (1 - xi) ** 2) / below**2


@pytest.mark.parametrize(("k", "spread"), [(1, 1.0), (3, 1.0), (8, 1.0), (8, 6.0)])
def test_against_fifty_digits(k, spread):
    knots = drawn((), k, spread)
    x = np.random.default_rng(1).uniform(-3, 3, size=40)
    y, log_slope = spline.forward(x, *knots)
    back, back_slope = spline.inverse(y, *knots)
    place = EPS * (1 + 6 * k / np.min(np.diff(knots[0])))  # how well the place in its bin is known
    with mp.workdps(50):
        for i, a in enumerate(x.tolist()):
            true, slope = exact(a, *knots)
            assert abs(y[i] - float(true)) <= 10 * EPS * (6 + 3 * float(slope))
            assert abs(log_slope[i] - float(mp.log(slope))) <= 10 * place
            # of the inverse: it is the inverse of a y that is off by rounding, and flat places are worse
            again, slope = exact(back[i], *knots)
            assert abs(y[i] - float(again)) <= 10 * EPS * (6 + 3 * float(slope))
            assert abs(back_slope[i] + float(mp.log(slope))) <= 10 * place


@pytest.mark.parametrize("spread", [0.0, 1.0, 5.0, 200.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_there_and_back_over_the_whole_line(spread, dtype):
    knots = [a.astype(dtype) for a in drawn((400, 2), spread=spread, seed=2)]
    x, eps = np.random.default_rng(3).normal(size=(400, 2)).astype(dtype) * 3, np.finfo(dtype).eps
    y, log_slope = spline.forward(x, *knots)
    back, back_slope = spline.inverse(y, *knots)
    again = spline.forward(back, *knots)[0]
    assert all(a.dtype == dtype and np.all(np.isfinite(a)) for a in (y, log_slope, back, back_slope, again))
    assert np.all(abs(again - y) <= 50 * eps * (1 + abs(y)))
    if spread <= 1:  # with more, there are places so flat that y does not tell x
        assert np.all(abs(back - x) <= 300 * eps * (1 + abs(x)))
    outside = abs(x) > 3
    assert np.any(outside) and np.all(y[outside] == x[outside]) and np.all(log_slope[outside] == 0)


def test_it_meets_its_knots_with_their_slopes_and_rises():
    x_knots, y_knots, slopes = drawn((), 5)
    y, log_slope = spline.forward(x_knots, x_knots, y_knots, slopes)
    np.testing.assert_allclose(y, y_knots, atol=1e-14)
    np.testing.assert_allclose(np.exp(log_slope), slopes, rtol=1e-13)
    assert (slopes[0], slopes[-1], x_knots[0], y_knots[-1]) == (1, 1, -3, 3)
    line = np.linspace(-4, 4, 4001)
    assert np.all(np.diff(spline.forward(line, x_knots, y_knots, slopes)[0]) > 0)


def test_equal_numbers_give_equal_bins():
    x_knots, y_knots, slopes = spline.knots(np.zeros(4), np.ones(4), np.full(3, 1e3), 2.0)
    np.testing.assert_allclose(x_knots, [-2, -1, 0, 1, 2], atol=1e-15)
    np.testing.assert_allclose(y_knots, x_knots, atol=1e-15)
    np.testing.assert_allclose(slopes, [1, 1000.001, 1000.001, 1000.001, 1])


def test_gradients_of_points_and_knots_within_and_outside():
    rng = np.random.default_rng(4)
    x = np.array([-5.0, -1.3, 0.2, 2.2, 7.0])
    for f in (spline.forward, spline.inverse):
        for part in (0, 1):
            check_grads(
                lambda x, a, b, c, f=f, part=part: f(x, *spline.knots(a, b, c, 3.0))[part],
                modes=["rev"],
                order=2,
            )(x, *[rng.normal(size=(5, n)) for n in (4, 4, 3)])


def test_one_spline_for_all_points_or_one_for_each():
    x = np.linspace(-4, 4, 12).reshape(6, 2)
    shared = drawn((2,))
    each = [np.broadcast_to(a, (6, *a.shape)) for a in shared]
    for a, b in zip(spline.forward(x, *shared), spline.forward(x, *each), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: spline.knots(a, a, a, 3.0), r"slopes has shape \(3, 4\); its last axis must be K - 1 = 3"),
        (lambda a: spline.knots(a, a[:, :2], a[:, :3], 3.0), r"heights has shape \(3, 2\)"),
        (lambda a: spline.forward(a[:, 0], a, a, a[:, :3]), r"slopes has shape \(3, 3\)"),
        (
            lambda a: spline.inverse(a[:, 0], a[:, :1], a[:, :1], a[:, :1]),
            r"x_knots has shape \(3, 1\); it must",
        ),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(np.zeros((3, 4)))
