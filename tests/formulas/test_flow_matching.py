"""Formulas of flow matching: accuracy at both ends, that they undo each other, precision, shapes."""

import mpmath
import numpy as np
import pytest

from refgen.formulas import flow_matching as fm
from refgen.formulas.parametrisation import unit_power

mpmath.mp.dps = 50

LEVELS = [(1.0, 1e-8), (1e-8, 1.0), (0.3, 0.7), (20.0, 3.0), (0.6, 0.8)]
TO_VELOCITY = {
    fm.velocity_from_eps: lambda x_0, eps, signal, std: eps,
    fm.velocity_from_x_0: lambda x_0, eps, signal, std: x_0,
    fm.velocity_from_v: lambda x_0, eps, signal, std: signal * eps - std * x_0,
    fm.velocity_from_score: lambda x_0, eps, signal, std: -eps / std,
}
FROM_VELOCITY = {
    fm.eps_from_velocity: TO_VELOCITY[fm.velocity_from_eps],
    fm.x_0_from_velocity: TO_VELOCITY[fm.velocity_from_x_0],
    fm.v_from_velocity: TO_VELOCITY[fm.velocity_from_v],
    fm.score_from_velocity: TO_VELOCITY[fm.velocity_from_score],
}


@pytest.mark.parametrize(("signal", "std"), LEVELS)
@pytest.mark.parametrize("formula", [*FROM_VELOCITY, *TO_VELOCITY], ids=lambda f: f.__name__)
def test_against_fifty_digits_with_an_error_of_a_few_roundings(formula, signal, std):
    rng = np.random.default_rng(0)
    for x_0, eps in rng.normal(size=(20, 2)):
        a, b = mpmath.mpf(signal), mpmath.mpf(std)
        x_t = float(a * x_0 + b * eps)
        u = float(eps - x_0)
        if formula in FROM_VELOCITY:
            exact = {
                fm.eps_from_velocity: (x_t + a * u) / (a + b),
                fm.x_0_from_velocity: (x_t - b * u) / (a + b),
                fm.v_from_velocity: ((a - b) * x_t + (a * a + b * b) * u) / (a + b),
                fm.score_from_velocity: -(x_t + a * u) / (b * (a + b)),
            }[formula]
            given, parts = u, [x_t, a * u, b * u]
            size = max(abs(p) for p in parts) * (a + b) / min(a + b, b if "score" in formula.__name__ else 1)
        else:
            given = float(TO_VELOCITY[formula](x_0, eps, signal, std))
            exact = {
                fm.velocity_from_eps: ((a + b) * given - x_t) / a,
                fm.velocity_from_x_0: (x_t - (a + b) * given) / b,
                fm.velocity_from_v: ((a + b) * given + (b - a) * x_t) / (a * a + b * b),
                fm.velocity_from_score: -(x_t + (a + b) * b * given) / a,
            }[formula]
            below = {fm.velocity_from_x_0: b, fm.velocity_from_v: a * a + b * b}.get(formula, a)
            size = (abs(x_t) + (a + b) * abs(given) * (b if "score" in formula.__name__ else 1)) / below
        found = formula(np.array([x_t]), np.array([given]), signal, std)[0]
        assert abs(found - exact) <= 10 * np.finfo(float).eps * float(size)


@pytest.mark.parametrize("scale", [1.0, 7.0])
def test_the_velocity_does_not_depend_on_the_scale_of_the_level(scale):
    rng = np.random.default_rng(1)
    x_0, eps = rng.normal(size=(2, 5, 3))
    signal, std = 0.3 * scale, 0.7 * scale
    x, signal, std, _ = unit_power(signal * x_0 + std * eps, signal, std)
    u = fm.velocity_from_v(x, signal * eps - std * x_0, signal, std)
    np.testing.assert_allclose(u, eps - x_0, atol=1e-14)
    assert fm.straight_time(signal, std) == pytest.approx(0.7)


def test_the_ends_of_a_line_are_the_data_and_the_noise():
    x_0, eps = np.random.default_rng(2).normal(size=(2, 4, 2))
    x_t, u = 0.75 * x_0 + 0.25 * eps, eps - x_0
    np.testing.assert_allclose(fm.straight_step(x_t, u, 0.25, 0.0), x_0, atol=1e-15)
    np.testing.assert_allclose(fm.straight_step(x_t, u, 0.25, 1.0), eps, atol=1e-15)


def test_float32_stays_and_levels_may_differ_point_by_point():
    x = np.ones((3, 2), np.float32)
    for level in [(0.6, 0.4), (np.full((3, 1), 0.6, np.float32), np.full((3, 1), 0.4, np.float32))]:
        for formula in [*FROM_VELOCITY, *TO_VELOCITY]:
            assert formula(x, x, *level).dtype == np.float32
            assert formula(x, x, *level).shape == (3, 2)
    assert fm.straight_step(x, x, 0.5, 0.25).dtype == fm.pairing_cost(x, 2 * x).dtype == np.float32


@pytest.mark.parametrize("formula", [*FROM_VELOCITY, *TO_VELOCITY], ids=lambda f: f.__name__)
def test_points_of_other_dimensions_are_refused(formula):
    with pytest.raises(ValueError, match=r"has shape \(5, 3\); its last axis must match that of x_t"):
        formula(np.zeros((5, 2)), np.zeros((5, 3)), 0.5, 0.5)
    with pytest.raises(ValueError, match="eps has shape"):
        fm.pairing_cost(np.zeros((5, 2)), np.zeros((5, 3)))
