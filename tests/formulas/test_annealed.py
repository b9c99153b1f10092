"""The formulas of many noise levels against 50 digits, in every precision and dimension."""

import mpmath
import numpy as np
import pytest

from refgen.formulas import annealed

mpmath.mp.dps = 50
mpf = mpmath.mpf
EPS = np.finfo(float).eps
LEVELS = [(1.0, 0.5), (1.0, 1 - 1e-12), (80.0, 2e-3), (1e-6, 0.0)]


def close(got, terms, limit=10):
    return abs(mpf(float(got)) - sum(terms)) <= limit * EPS * sum(map(abs, terms))


@pytest.mark.parametrize(("std_t", "std_s"), LEVELS)
@pytest.mark.parametrize("as_array", [False, True])
def test_process_against_fifty_digits(std_t, std_s, as_array):
    lift = np.array if as_array else float
    t, s = mpf(std_t), mpf(std_s)
    added = t**2 - s**2
    args = lift(std_t), lift(std_s)
    assert close(annealed.ve_step_var(*args), [added])
    assert close(annealed.ve_marginal_var(*args), [added])
    x, z = np.array([1.7]), np.array([-0.4])
    assert close(annealed.ve_step(x, z, *args)[0], [mpf(1.7), mpmath.sqrt(added) * mpf(-0.4)])
    exact = [-mpmath.log(2 * mpmath.pi * added) / 2, -((mpf(1.7) + mpf(0.4)) ** 2) / (2 * added)]
    assert close(annealed.ve_step_log_prob(x, z, *args), exact)
    assert close(annealed.annealed_step(lift(0.3), args[0], lift(7.0)), [mpf(0.3) * (t / 7) ** 2])
    assert close(annealed.level_weight(args[0]), [t**2])
    for var in (1e-6, 1.0, 3e4):
        v = mpf(var)
        gain, spread = annealed.ve_reverse_kernel(lift(var), *args)
        assert close(gain, [(v + s**2) / (v + t**2)])
        assert close(spread, [(v + s**2) * added / (v + t**2)])
        if std_s == 0.5:
            size, steps = 0.05, 10
            a, u = 1 - mpf(size) / (v + s**2), v + s**2
            if abs(a) < 1:
                settled = u / (1 - mpf(size) / (2 * u)) * (1 - a ** (2 * steps))
                exact_spread, slope = u * added / (v + t**2), u / (v + t**2)
                ratio = settled / exact_spread
                terms = [ratio, -1, -mpmath.log(ratio), (slope - a**steps) ** 2 * (v + t**2) / exact_spread]
                got = annealed.reverse_gap(lift(var), *args, size, steps)
                assert close(got, [t / 2 for t in terms], 40)


@pytest.mark.parametrize(("largest", "smallest"), [(50.0, 0.01), (1.0, 1e-4), (348.0, 0.01), (2.0, 2.0)])
def test_levels_against_fifty_digits(largest, smallest):
    fraction = np.linspace(0, 1, 11)
    for f, got in zip(fraction, annealed.geometric_std(fraction, largest, smallest), strict=True):
        logs = (1 - mpf(f)) * mpmath.log(mpf(largest)), mpf(f) * mpmath.log(mpf(smallest))
        limit = 10 * (1 + sum(map(abs, logs)))
        assert close(got, [mpmath.exp(sum(logs))], float(limit))
    assert annealed.geometric_std(0.0, largest, smallest) == pytest.approx(largest, rel=1e-14)
    assert annealed.geometric_std(1.0, largest, smallest) == pytest.approx(smallest, rel=1e-14)


def test_known_numbers():
    """Data N(0, 1), levels 1 and 0.5, ten Langevin steps of 0.05."""
    assert annealed.ve_reverse_kernel(1.0, 1.0, 0.5) == (0.625, 0.46875)
    mean, var = annealed.annealed_moments(1.0, 0.0, 0.0, 1.0, np.array([0.5]), 0.05, 10)
    assert (round(float(mean), 4), round(float(var), 4)) == (0.6648, 0.7117)
    var = annealed.annealed_moments(0.0, 2.0, 0.0, 1.0, np.array([0.5]), 0.05, 10)[1]
    assert round(float(var), 4) == 1.5957
    assert round(annealed.reverse_gap(1.0, 1.0, 0.5, 0.05, 10), 3) == 0.054


@pytest.mark.parametrize("d", [1, 100])
def test_float32_stays_and_leading_axes_broadcast(d):
    x, z = np.random.default_rng(d).normal(size=(2, 4, 5, d)).astype(np.float32)
    std = np.array([2, 1, 0.5], np.float32)
    errors = np.ones((4, 3), np.float32)
    results = [
        annealed.geometric_std(std / 4, 50.0, 0.01),
        annealed.ve_step(x, z, 2.0, 1.0),
        annealed.ve_step_log_prob(x, z, 2.0, 1.0),
        annealed.multi_level_loss(errors, std),
        annealed.multi_level_floor(errors, std, d),
        annealed.level_error(lambda x: -x, lambda x: -2 * x, x, z, 0.5),
        *annealed.annealed_moments(x, x**2, 0 * x, 1.0, std, 0.1, 5),
        annealed.reverse_gap(std, 1.0, 0.5, 0.05, 10),
    ]
    assert all(r.dtype == np.float32 for r in results)
    assert results[2].shape == results[5].shape == (4, 5)
    assert results[3].shape == results[4].shape == (4,)
    np.testing.assert_allclose(results[3], 5.25)
    np.testing.assert_allclose(results[4], 3 * d - 5.25, rtol=1e-5)
    np.testing.assert_allclose(results[5], np.sum((x + 0.5 * z) ** 2, axis=-1), rtol=1e-5)
    np.testing.assert_allclose(
        annealed.ve_step(x, z, np.full((5, 1), 2.0), 1.0), results[1], rtol=1e-5, atol=1e-5
    )


def test_levels_of_many_schedules_at_once():
    assert annealed.levels_fall(np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [2.0, 2.0, 1.0]])).tolist() == [
        1,
        0,
        0,
    ]
    assert bool(annealed.levels_fall(np.array([0.5])))
    assert annealed.restores_weights(np.array([1.0, 5.0]), 14.0).tolist() == [False, True]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, b: annealed.ve_step(a, b, 2.0, 1.0), "z"),
        (lambda a, b: annealed.ve_step_log_prob(a, b, 2.0, 1.0), "mean"),
        (lambda a, b: annealed.level_error(abs, abs, a, b, 2.0), "z"),
        (lambda a, b: annealed.multi_level_loss(a, b), "std"),
        (lambda a, b: annealed.multi_level_floor(a, b, 1), "std"),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=rf"^{message} has shape \(3, 1\); its last axis must match"):
        call(np.zeros((3, 2)), np.zeros((3, 1)))
