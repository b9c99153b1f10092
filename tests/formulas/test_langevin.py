"""Langevin's formulas against 50 digits, in every precision and dimension."""

import itertools

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

from refgen.formulas import langevin

mpmath.mp.dps = 50
mpf = mpmath.mpf
EPS = np.finfo(float).eps


def close(got, terms, limit=10):
    return abs(mpf(float(got)) - sum(terms)) <= limit * EPS * sum(map(abs, terms))


RATIOS = [1e-12, 1e-3, 0.5, 0.999999, 1.0, 1.3, 1.999, 2 - 1e-9]


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("var", [1.0, 1e-8, 3e5])
@pytest.mark.parametrize("as_array", [False, True])
def test_law_of_the_chain_against_fifty_digits(ratio, var, as_array):
    step = ratio * var
    v, c = mpf(var), mpf(step)
    a, settled = 1 - c / v, v / (1 - c / (2 * v))
    lift = np.array if as_array else float
    assert close(langevin.ula_stationary_var(lift(var), lift(step)), [settled])
    for steps, var_0 in itertools.product([1, 2, 7, 1000, 10**6], [0.0, 2.5 * var]):
        mean, got = langevin.ula_moments(
            np.array([5.0]), lift(var_0), np.array([-1.0]), lift(var), step, steps
        )
        # what a rate to the power K keeps of its digits: K log a has a rounding error of its own size
        digits = 10 + abs(steps * mpmath.log(abs(a))) if 0 < abs(a) ** steps > 1e-300 else 10
        assert close(mean[0], [mpf(-1), a**steps * 6], float(digits))
        assert close(
            got, [a ** (2 * steps) * mpf(var_0), (1 - a ** (2 * steps)) * settled], 2 * float(digits)
        )


def test_steps_of_nothing_and_many_steps():
    mean, var = langevin.ula_moments(np.array([5.0]), 0.0, np.array([0.0]), 1.0, 1e-12, 10**6)
    assert mean[0] == pytest.approx(5 - 5e-6, rel=1e-12)
    assert var == pytest.approx(2e-6 * (1 - 1e-6), rel=1e-11)
    mean, var = langevin.ula_moments(np.array([5.0]), 0.0, np.array([0.0]), 1.0, 1e-3, 10**6)
    assert mean[0] == 0
    assert var == pytest.approx(1 / (1 - 5e-4), rel=1e-15)
    # The half-step convention: x - (eps / 2) x + sqrt(eps) z settles at 1 / (1 - eps / 4).
    assert langevin.ula_stationary_var(1.0, 0.2 / 2) == pytest.approx(1 / (1 - 0.2 / 4), rel=1e-15)


@pytest.mark.parametrize("value", [0.0, -1.3, 1e-9, 4e5])
@pytest.mark.parametrize("step", [1e-10, 0.05, 3.0])
def test_accuracy_of_the_others_against_fifty_digits(value, step):
    x, s, c = np.array([1.7]), np.array([value]), mpf(step)
    v = mpf(value)
    assert close(langevin.ula_step(x, s, -x, step)[0], [mpf(1.7), c * v, -mpmath.sqrt(2 * c) * mpf(1.7)])
    got = langevin.underdamped_acceleration(x, s, -x, step, 0.3, 2.0)[0]
    noise = mpmath.sqrt(2 * mpf(0.3) * 2 / c) * mpf(1.7)
    assert close(got, [v / c, -mpf(0.3) * mpf(1.7), -noise])
    assert close(
        langevin.gibbs_log_density(value, x, step, 0.3), [-v / mpf(0.3), -c * mpf(1.7) ** 2 / 2 / mpf(0.3)]
    )
    assert close(langevin.overdamped_step(step, 2.0, 0.3, 0.7), [mpf(0.7) * c / (mpf(2) * mpf(0.3))])
    assert close(langevin.kl_of_score_error(abs(value), step), [c * abs(v) / 4])
    assert close(langevin.normal_score(value, step), [-v / c**2])
    got = langevin.mode_weight(step, 0.5, 0.8, 3.0)
    assert close(got, [mpf(0.8), (mpf(0.5) - mpf(0.8)) * mpmath.exp(-c / (mpf(0.8) * 3))])
    s_new, log_p = np.array([0.4]), np.array(-3.0)
    along = [(v + mpf(0.4)) * mpf(0.9) / 2, c / 4 * (mpf(0.4) ** 2 - v**2)]
    exact = -2 - sum(along)
    got = langevin.mala_log_accept(x, x + 0.9, log_p, log_p - 2, s, s_new, step)
    moved = mpf(float((x + 0.9)[0])) - mpf(1.7)
    exact = -2 - (v + mpf(0.4)) * moved / 2 - c / 4 * (mpf(0.4) ** 2 - v**2)
    size = 5 + abs(v) * 10 + c / 4 * (abs(v) + 1) ** 2
    assert abs(mpf(float(got)) - min(mpf(0), exact)) <= 10 * EPS * size


def test_metropolis_test_keeps_its_digits_for_small_steps():
    """x' close to x: the exponents of the two proposals are huge and nearly the same."""
    x, x_new, step = np.array([1.0]), np.array([1.0 + 1e-6]), 1e-13
    got = langevin.mala_log_accept(x, x_new, -(x[0] ** 2) / 2, -(x_new[0] ** 2) / 2, -x, -x_new, step)
    a, b, c = mpf(1), mpf(float(x_new[0])), mpf(step)
    log_p = float(-(b**2) / 2 - mpf(float(-(x[0] ** 2) / 2)))
    exact = mpf(log_p) + (a + b) * (b - a) / 2 - c / 4 * (b**2 - a**2)
    assert abs(mpf(float(got)) - min(exact, 0)) < 1e-16


def test_passage_time_of_a_flat_law_and_second_order():
    """On [0, 1], flat: (1 - x^2) / 2. On a normal law the error falls by four where the spacing halves."""
    n = 101
    times = langevin.mean_passage_time(np.zeros(n), 1 / (n - 1))
    x = np.linspace(0, 1, n)
    np.testing.assert_allclose(times, (1 - x**2) / 2, atol=0.006)  # half a cell of mass less at the left end
    assert times[-1] == 0
    reached = []
    for n in (241, 481, 961, 1921):
        x = np.linspace(-10, 2, n)
        reached.append(langevin.mean_passage_time(norm.logpdf(x), x[1] - x[0])[10 * (n - 1) // 12])
    gaps = np.abs(np.diff(reached))
    np.testing.assert_allclose(np.log2(gaps[:-1] / gaps[1:]), 2, atol=0.2)
    both = langevin.mean_passage_time(np.stack([norm.logpdf(x)] * 2), x[1] - x[0])
    assert both.shape == (2, n)


def test_predicates():
    assert [bool(langevin.ula_converges(e)) for e in (-1.0, 0.0, 1e-9, 0.5, 1.0, 2.0)] == [0, 0, 1, 1, 0, 0]
    log_p = np.array([-1.0, -10.0])
    assert langevin.is_learnable(log_p, 1000, 1.0).tolist() == [True, False]
    assert langevin.is_learnable(log_p, 1000, 0.1, 3).tolist() == [False, False]


@pytest.mark.parametrize("d", [1, 100])
def test_float32_stays_and_leading_axes_broadcast(d):
    x, s, z = np.random.default_rng(d).normal(size=(3, 4, 5, d)).astype(np.float32)
    log_p, ones = np.ones((4, 5), np.float32), np.ones(d, np.float32)
    results = [
        langevin.ula_step(x, s, z, 0.1),
        langevin.underdamped_acceleration(x, s, z, 2.0, 0.5, 0.1),
        langevin.gibbs_log_density(log_p, x, 2.0, 0.5),
        *langevin.ula_moments(x, 0.5, 0 * ones, 2.0, 0.1, 7)[:1],
        *langevin.ula_moments(x, ones, 0 * ones, 2 * ones, 0.1, 7),
        langevin.mala_log_accept(x, z, log_p, log_p, s, x, 0.1),
        langevin.mean_passage_time(x[..., 0], 0.1),
        langevin.normal_score(x, 0.1),
        langevin.mode_weight(log_p, 0.5, 0.8, 3.0),
    ]
    assert all(r.dtype == np.float32 for r in results)
    assert results[2].shape == results[6].shape == (4, 5)
    np.testing.assert_allclose(
        langevin.ula_step(x, s, z, np.full((5, 1), 0.1)), results[0], rtol=1e-5, atol=1e-5
    )
    mean, var = langevin.ula_moments(x[0, 0], ones, 0 * ones, 2 * ones, 0.1, 3)
    for _ in range(3):
        x[0, 0] *= 1 - 0.1 / 2
        ones = ones * (1 - 0.1 / 2) ** 2 + 0.2
    np.testing.assert_allclose(mean, x[0, 0], rtol=1e-5)
    np.testing.assert_allclose(var, ones, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a, b: langevin.ula_step(a, b, a, 0.1), "score"),
        (lambda a, b: langevin.ula_step(a, a, b, 0.1), "z"),
        (lambda a, b: langevin.underdamped_acceleration(a, b, a, 1, 1, 1), "force"),
        (lambda a, b: langevin.mala_log_accept(a, b, 0, 0, a, a, 0.1), "x_new"),
        (lambda a, b: langevin.mala_log_accept(a, a, 0, 0, a, b, 0.1), "score_new"),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=rf"^{message} has shape \(3, 1\); its last axis must match"):
        call(np.zeros((3, 2)), np.zeros((3, 1)))


@pytest.mark.parametrize("friction", [1e-9, 0.3, 40.0])
@pytest.mark.parametrize("dt", [1e-8, 0.1, 3.0])
def test_a_split_step_against_fifty_digits(friction, dt):
    given = dict(mass=0.7, friction=friction, temperature=1.9)
    m, g, h, temperature = mpf(0.7), mpf(friction), mpf(dt), mpf(1.9)
    numbers = 0.3, -1.7, 2.2, 0.9
    arrays = [np.array([a]) for a in numbers]
    x, v, force, z = map(mpf, numbers)
    kept, noise = mpmath.exp(-g * h), mpmath.sqrt(temperature / m * (1 - mpmath.exp(-2 * g * h))) * z
    drifts = [h / 2 * a for a in (v, h / m * force, kept * v, kept * h / m * force, noise)]
    position, velocity = langevin.underdamped_step(*arrays, dt, **given)
    assert close(position[0], [x, *drifts])
    assert close(velocity[0], [kept * v, kept * h / m * force, noise])
    narrow = langevin.underdamped_step(*(a.astype(np.float32) for a in arrays), dt, **given)
    assert all(a.dtype == np.float32 for a in narrow)
    rows = langevin.underdamped_step(*(np.full((4, 1), a) for a in numbers), np.full((4, 1), dt), **given)
    np.testing.assert_allclose(rows[0][:, 0], position[0], rtol=1e-14)
    np.testing.assert_allclose(rows[1][:, 0], velocity[0], rtol=1e-14)


def test_a_split_step_refuses_points_beside_each_other():
    two, three = np.zeros((5, 2)), np.zeros((5, 3))
    with pytest.raises(ValueError, match="velocity"):
        langevin.underdamped_step(two, three, two, two, 0.1)
