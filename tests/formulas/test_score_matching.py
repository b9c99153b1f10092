"""Formulas of score matching: accuracy, the counterexamples of the misprints, precision, shapes."""

import mpmath
import numpy as np
import pytest

from refgen.formulas import score_matching
from refgen.nets.derivatives import trace

mpmath.mp.dps = 50
EPS = np.finfo(float).eps


@pytest.mark.parametrize("d", [1, 2, 100])
def test_accuracy_against_fifty_digits(d):
    s, score = np.random.default_rng(d).normal(size=(2, d)) * np.logspace(-6, 6, d)
    a, b, t = [mpmath.mpf(v) for v in s], [mpmath.mpf(v) for v in score], mpmath.mpf(-3.7)
    half = mpmath.mpf("0.5")
    first, square, cross = score_matching.expanded(s, score)
    for got, terms in [
        (score_matching.explicit(s, score), [half * (u - v) ** 2 for u, v in zip(a, b, strict=True)]),
        (score_matching.implicit(s, np.float64(-3.7)), [half * u**2 for u in a] + [t]),
        (score_matching.constant(score), [half * v**2 for v in b]),
        (first, [half * v**2 for v in b]),
        (square, [half * u**2 for u in a]),
        (cross, [-u * v for u, v in zip(a, b, strict=True)]),
    ]:
        assert abs(mpmath.mpf(float(got)) - sum(terms)) <= 10 * EPS * sum(map(abs, terms))


@pytest.mark.parametrize("d", [1, 2, 100])
def test_at_the_optimum_for_the_normal_law_both_differ_by_half_the_dimension(d):
    """J = -d / 2 in the mean, however it is estimated; F = 0."""
    x = np.sqrt(d) * np.concatenate([np.eye(d), -np.eye(d)])  # mean 0, covariance I
    s, tr = trace(lambda z: -z, x)
    assert score_matching.empirical(s, tr) == pytest.approx(-d / 2, rel=1e-13)
    assert np.mean(score_matching.constant(s)) == pytest.approx(d / 2, rel=1e-13)
    assert not score_matching.explicit(s, -x).any()


def test_the_worked_examples_of_the_proof():
    x = np.linspace(-12, 12, 2401)
    mass = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi) * 0.01
    s, score = -2 * x + 1, -x
    # The explicit objective is 1; with the square of s in the cross term it would be -1.
    first, square, cross = score_matching.expanded(s[:, None], score[:, None])
    assert mass @ (first + square + cross) == pytest.approx(1.0)
    assert mass @ (first + square - score * s**2) == pytest.approx(-1.0)
    # Its cross term is 2 by parts; with the derivative by the parameter it would be 0.
    assert score_matching.by_parts(lambda z, t: t * z + 1, -2.0, x, mass) == pytest.approx(2.0)
    assert -mass @ x == pytest.approx(0.0)
    # A uniform density: explicit 1/6 for s = x, implicit 7/6, and the boundary term is what is missing.
    u, w = np.polynomial.legendre.leggauss(20)
    u, w = 0.5 * (u + 1), 0.5 * w
    assert w @ score_matching.explicit(u[:, None], 0 * u[:, None]) == pytest.approx(1 / 6)
    assert w @ score_matching.implicit(u[:, None], np.ones(20)) == pytest.approx(7 / 6)
    assert score_matching.boundary_term(lambda z: z, 0.0, 1.0) == 1.0
    # One point without an index against the mean over the data.
    assert mass @ score_matching.implicit((-1.5 * x + 0.4)[:, None], np.full_like(x, -1.5)) == pytest.approx(
        -0.295
    )
    slope = score_matching.density_gradient(mass, score[:, None])[:, 0]
    np.testing.assert_allclose(slope[1:-1], (mass[2:] - mass[:-2]) / 0.02, atol=1e-6)


@pytest.mark.parametrize("d", [1, 2, 100])
def test_the_minimiser_is_where_the_objective_is_flat(d):
    rng = np.random.default_rng(d)
    features, traces, mass = rng.normal(size=(30, d, 3)), rng.normal(size=(30, 3)), rng.uniform(size=30)
    mass /= mass.sum()
    theta = score_matching.minimiser(features, traces, mass)
    objective = lambda t: mass @ score_matching.implicit(features @ t, traces @ t)  # noqa: E731
    steps = 1e-3 * np.eye(3)
    np.testing.assert_allclose(
        [objective(theta + h) - objective(theta - h) for h in steps], 0, atol=1e-12 * d
    )
    assert all(objective(theta + h) > objective(theta) for h in [*steps, *-steps])
    equal = score_matching.minimiser(features, traces, np.full(30, 1 / 30))
    np.testing.assert_allclose(score_matching.minimiser(features, traces), equal, rtol=1e-10)


def test_float32_stays_and_leading_axes_are_free():
    x, t = np.ones((4, 5, 2), np.float32), np.ones((4, 5), np.float32)
    results = [
        score_matching.explicit(x, 2 * x),
        score_matching.implicit(x, t),
        score_matching.constant(x),
        *score_matching.expanded(x, x),
    ]
    assert all(r.dtype == np.float32 and r.shape == (4, 5) for r in results)
    others = [
        score_matching.empirical(x[0], t[0]),
        score_matching.density_gradient(t, x),
        score_matching.boundary_term(lambda z: 0.5 * z**2, t, 2 * t),
        score_matching.by_parts(lambda z, a: a * z**2, 0.5, t[0], t[0]),
        score_matching.minimiser(np.eye(2, dtype=np.float32)[None], x[0, :1]),
        score_matching.minimiser(np.eye(2, dtype=np.float32)[None], x[0, :1], t[0, :1]),
    ]
    assert all(r.dtype == np.float32 for r in others)
    assert score_matching.empirical(x, t).shape == (4,)
    assert score_matching.holds_without_boundary(t, t, False).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: score_matching.explicit(a, a[:, :1]), r"score has shape \(3, 1\)"),
        (lambda a: score_matching.expanded(a, a[:, :1]), r"score has shape \(3, 1\)"),
        (lambda a: score_matching.implicit(a, a), r"trace has shape \(3, 2\); it must be that of the points"),
        (lambda a: score_matching.empirical(a, a[:, :1]), r"trace has shape \(3, 1\)"),
        (lambda a: score_matching.density_gradient(a, a), r"density has shape \(3, 2\)"),
        (lambda a: score_matching.by_parts(np.multiply, 1.0, a[0], a[:, 0]), r"mass has shape \(3,\)"),
        (lambda a: score_matching.minimiser(a, a), r"features has shape \(3, 2\) and traces \(3, 2\)"),
        (lambda a: score_matching.minimiser(a[:, :, None], a), r"features has shape \(3, 2, 1\)"),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(np.zeros((3, 2)))
