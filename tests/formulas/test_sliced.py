"""Sliced score matching against 50 digits; what is drawn; shapes and dtypes in any dimension."""

import mpmath
import numpy as np
import pytest

from refgen.backend import Stream
from refgen.formulas import sliced

mpmath.mp.dps = 50
EPS = np.finfo(float).eps
mpf = mpmath.mpf

V = np.array([1.3, -0.7, 2.1])
S = np.array([1e-9, 4e3, -0.6])
SCORE = np.array([0.3, 4e3, 1e5])
JAC = np.array([[1e6, -2.0, 0.3], [1e-7, 3.0, -1e3], [0.1, 0.0, -1e6]])


def exact(array):
    return mpmath.matrix([[mpf(float(a)) for a in row] for row in np.atleast_2d(array)])


def dot(a, b):
    return [mpf(float(x)) * mpf(float(y)) for x, y in zip(a, b, strict=True)]


def half_square(terms):
    """Half the square of a sum, and of the sum of its terms' magnitudes."""
    return sum(terms) ** 2 / 2, sum(map(abs, terms)) ** 2 / 2


def quadratic(v, jac):
    terms = [mpf(float(v[i])) * mpf(float(jac[i, j])) * mpf(float(v[j])) for i in range(3) for j in range(3)]
    return sum(terms), sum(map(abs, terms))


def squares(jac, law):
    """The variance of v^T J v by the sum over pairs that its fourth moments give, and its magnitude."""
    a = exact(jac)
    part = (a + a.T) / 2
    total = sum(part[i, j] ** 2 for i in range(3) for j in range(3))
    diagonal = sum(part[i, i] ** 2 for i in range(3))
    trace = sum(part[i, i] for i in range(3))
    if law == "gaussian":
        return 2 * total, 2 * total
    if law == "rademacher":
        return 2 * (total - diagonal), 2 * (total - diagonal)
    return (6 * total - 2 * trace**2) / 5, 6 * total / 5


def test_accuracy_against_fifty_digits():
    curvature, size = quadratic(V, JAC)
    along, along_size = half_square(dot(V, S))
    gaps = dot(V, S) + [-a for a in dot(V, SCORE)]
    norm = sum(a**2 for a in exact(S)) / 2
    cases = [
        (sliced.trace_along(V, JAC), curvature, size),
        (sliced.divergence(V, S, SCORE), *half_square(gaps)),
        (sliced.sliced(V, S, 0.7), mpf(0.7) + along, mpf(0.7) + along_size),
        (sliced.variance_reduced(S, -0.7), norm - mpf(0.7), norm + mpf(0.7)),
        (sliced.objective(V[None], S[None], JAC[None]), curvature + along, size + along_size),
        (sliced.estimate_var(3.0, 5e9, 7, 3), (3 + mpf(5e9) / 3) / 7, (3 + mpf(5e9) / 3) / 7),
    ]
    cases += [(sliced.trace_var(JAC, law), *squares(JAC, law)) for law in sliced.LAWS]
    for number, (got, value, scale) in enumerate(cases):
        assert abs(mpf(float(got)) - value) <= 10 * EPS * scale, number


def test_a_sphere_knows_a_multiple_of_the_identity_exactly():
    assert sliced.trace_var(1e8 * np.eye(5), "sphere") <= (1e-7) ** 2
    assert sliced.trace_var(1e8 * np.eye(5), "rademacher") == 0
    assert sliced.trace_var(1e8 * np.eye(5), "gaussian") == pytest.approx(10e16)


@pytest.mark.parametrize("d", [1, 2, 100])
def test_any_dimension_and_leading_axes(d):
    """s(x) = -x A^T: everything by matrix products, for (m, n, d) directions."""
    rng = np.random.default_rng(d)
    a, x, v = rng.normal(size=(d, d)), rng.normal(size=(4, d)), rng.normal(size=(3, 4, d))
    s, jac = -x @ a.T, np.broadcast_to(-a, (4, d, d))
    curvature = -np.einsum("mni,ij,mnj->mn", v, a, v)
    loss = curvature + 0.5 * np.einsum("mni,ni->mn", v, s) ** 2
    close = dict(rtol=1e-11, atol=1e-11 * d**2)
    np.testing.assert_allclose(sliced.trace_along(v, jac), curvature, **close)
    np.testing.assert_allclose(sliced.sliced(v, s, curvature), loss, **close)
    np.testing.assert_allclose(sliced.objective(v, s, jac), loss.mean(1), **close)
    reduced = curvature + 0.5 * np.sum(s**2, axis=1)
    np.testing.assert_allclose(sliced.variance_reduced(s, curvature), reduced, **close)
    np.testing.assert_allclose(sliced.divergence(v, s, x), 0.5 * np.sum(v * (s - x), axis=2) ** 2, **close)
    for law in sliced.LAWS:
        var = sliced.sliced_var(s, jac, law)
        assert var.shape == (4,)
        alone = sliced.trace_var(-a + 0.5 * np.outer(s[2], s[2]), law)
        np.testing.assert_allclose(var[2], alone, rtol=1e-12)
    # by the parameters of s = theta_1 x + theta_2
    s_param = np.stack([x, np.ones_like(x)], axis=-1)
    jac_param = np.zeros((4, d, d, 2))
    jac_param[..., 0] = np.eye(d)
    slope = np.sum(v[0] * x, axis=1)
    expected = [np.mean(np.sum(v[0] ** 2, axis=1) + slope**2), np.mean(slope * np.sum(v[0], axis=1))]
    np.testing.assert_allclose(sliced.objective_gradient(v[0], x, s_param, jac_param), expected, rtol=1e-11)


@pytest.mark.parametrize("law", sliced.LAWS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_drawn(law, dtype):
    v = sliced.directions(Stream(0).normal(5, 2000, 3, dtype=dtype), law)
    assert v.shape == (5, 2000, 3) and v.dtype == dtype
    flat = v.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(flat.T @ flat / len(flat), np.eye(3), atol=0.06)
    np.testing.assert_allclose(flat.mean(0), 0, atol=0.05)
    if law == "rademacher":
        assert set(np.unique(v)) == {-1, 1}
    if law == "sphere":
        np.testing.assert_allclose(np.sum(flat**2, axis=1), 3, rtol=1e-5)


def test_float32_stays():
    v, s = np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)
    jac, params = np.ones((2, 3, 3), np.float32), np.ones((2, 3, 4), np.float32)
    results = [
        sliced.trace_along(v, jac),
        sliced.divergence(v, s, -s),
        sliced.sliced(v, s, s[:, 0]),
        sliced.variance_reduced(s, s[:, 0]),
        sliced.objective(v, s, jac),
        sliced.objective_gradient(v, s, params, np.ones((2, 3, 3, 4), np.float32)),
        *[f for law in sliced.LAWS for f in (sliced.trace_var(jac, law), sliced.sliced_var(s, jac, law))],
    ]
    assert all(r.dtype == np.float32 for r in results)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: sliced.trace_along(a, np.eye(3)), r"jac has shape \(3, 3\); it must be \(..., 2, 2\)"),
        (lambda a: sliced.trace_var(a, "sphere"), r"jac has shape \(3, 2\)"),
        (lambda a: sliced.sliced_var(a, a, "sphere"), r"jac has shape \(3, 2\)"),
        (lambda a: sliced.trace_var(np.eye(2), "cube"), r"law is 'cube'; it must be one of gaussian"),
        (lambda a: sliced.directions(a, "uniform"), r"law is 'uniform'"),
        (lambda a: sliced.divergence(a, a[:, :1], a), r"s has shape \(3, 1\)"),
        (lambda a: sliced.sliced(a, a[:, :1], 0.0), r"s has shape \(3, 1\)"),
        (lambda a: sliced.objective(a[:, :1], a, np.ones((3, 2, 2))), r"v has shape \(3, 1\)"),
        (lambda a: sliced.objective_gradient(a, a[:, :1], a, a), r"s has shape \(3, 1\)"),
    ],
)
def test_shapes_and_names_are_checked(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(np.zeros((3, 2)))
