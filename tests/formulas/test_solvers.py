"""DDIM's and the exponential solvers' formulas against 50 digits, in every precision and shape."""

import mpmath
import numpy as np
import pytest

from refgen.formulas import ddim, solvers
from refgen.formulas.posterior import posterior_mean, posterior_var
from refgen.schedules import NAMES, named

mpmath.mp.dps = 50
mpf = mpmath.mpf
EPS = np.finfo(float).eps

LEVELS = [  # (noisier, cleaner): unit power, signal 1, other units; far, near, and close to either end
    ((0.6, 0.8), (0.8, 0.6)),
    ((1.0, 80.0), (1.0, 0.002)),
    ((1.0, 1.0), (1.0, 0.999999)),
    ((4.5e-5, 1.0), (0.03, 0.9995)),
    ((0.99999, 4.5e-3), (1.0, 1e-9)),
    ((0.3, 0.7), (0.9, 0.1)),
    ((1e-9, 1.0), (1.0, 1e-9)),
]


def close(got, terms, limit=10):
    return abs(mpf(float(got)) - sum(terms)) <= limit * EPS * sum(map(abs, terms))


def exactly(level_t, level_s):
    (a, b), (c, d) = [tuple(map(mpf, level)) for level in (level_t, level_s)]
    return a, b, c, d, mpmath.log(c * b / (a * d))


@pytest.mark.parametrize("eta", [0.0, 1e-6, 0.3, 1.0])
@pytest.mark.parametrize(("level_t", "level_s"), [*LEVELS, ((0.6, 0.8), (1.0, 0.0))])
def test_ddim_against_fifty_digits(level_t, level_s, eta):
    (a, b), (c, d), e = tuple(map(mpf, level_t)), tuple(map(mpf, level_s)), mpf(eta)
    ratio, x, x_0 = a * d / (b * c), mpf(1.7), mpf(-0.4)
    var = (e * d) ** 2 * (1 - ratio**2)
    # what two numbers near one leave of their digits
    assert close(ddim.ddim_var(level_t, level_s, eta), [(e * d) ** 2, -((e * d * ratio) ** 2)])
    carried = mpmath.sqrt(d**2 - var) / b
    got = ddim.ddim_mean(np.array([1.7]), np.array([-0.4]), level_t, level_s, eta)
    assert close(got[0], [carried * x, c * x_0, -carried * a * x_0])


@pytest.mark.parametrize(("level_t", "level_s"), LEVELS)
def test_steps_by_noise_against_fifty_digits(level_t, level_s):
    a, b, c, d, h = exactly(level_t, level_s)
    x, e, e_at, share = 1.7, -0.4, 0.9, 0.6
    terms = [c / a * mpf(x), -c / a * b * mpf(e), d * mpf(e)]
    got = solvers.noise_step(np.array([x]), np.array([e]), level_t, level_s)
    assert close(got[0], terms)
    gap = (mpf(e_at) - mpf(e)) / mpf(share)
    line = [-c / a * b * (1 - mpmath.exp(-h)) / h * gap, d * gap]
    got = solvers.noise_step_linear(np.array([x]), np.array([e]), np.array([e_at]), share, level_t, level_s)
    assert close(got[0], terms + line)


@pytest.mark.parametrize(("level_t", "level_s"), LEVELS)
def test_steps_by_data_against_fifty_digits(level_t, level_s):
    a, b, c, d, h = exactly(level_t, level_s)
    before, first = (level_t[0], level_t[1] * 1.5), (level_t[0], level_t[1] * 3.5)
    near = mpmath.log(mpf(before[1]) / b)
    far = mpmath.log(mpf(first[1]) / mpf(before[1]))
    x, m = 1.7, [-0.4, 0.9, 0.3]
    arrays = [np.array([value]) for value in (x, *m)]
    m = list(map(mpf, m))
    frozen = [d / b * mpf(x), c * m[0], -d / b * a * m[0]]
    ahead = h / near / 2
    line = [(c - d / b * a) * ahead * m[0], -(c - d / b * a) * ahead * m[1]]
    got = solvers.multistep_2(*arrays[:3], before, level_t, level_s)
    assert close(got[0], frozen + line, 30)
    phi = 1 - (1 - mpmath.exp(-h)) / h
    moments = phi, 1 - 2 * phi / h
    slope, old = (m[0] - m[1]) * h / near, (m[1] - m[2]) * h / far
    bends = [slope * h / (near + far), -old * h / (near + far)]
    terms = [c * moments[0] * slope, *(c * (moments[0] * near / h + moments[1]) * bend for bend in bends)]
    got = solvers.multistep_3(*arrays, first, before, level_t, level_s)
    assert close(got[0], frozen + terms, 30)


@pytest.mark.parametrize("h", [1e-12, 1e-5, 0.3, 0.999, 1.0, 1.001, 5.0, 600.0])
def test_moments_have_no_cancellation(h):
    exact = [
        mpmath.quad(lambda u, k=k: h * mpmath.exp(h * (u - 1)) * u**k, [0, 1 - min(1, 9 / h), 1])
        for k in (1, 2)
    ]
    for lift in (float, np.array):
        for got, true in zip(solvers._moments(lift(h)), exact, strict=True):
            assert abs(mpf(float(got)) - true) <= 10 * EPS * true


@pytest.mark.parametrize("share", [0.0, 1e-9, 1 / 3, 0.5, 1 - 1e-9, 1.0])
@pytest.mark.parametrize(("level_t", "level_s"), LEVELS)
def test_a_level_between_has_its_log_snr_and_its_power(level_t, level_s, share):
    a, b, c, d, h = exactly(level_t, level_s)
    got = solvers.level_between(level_t, level_s, share)
    assert all(type(value) is float for value in got)
    exact = mpmath.log(a / b) + mpf(share) * h
    assert abs(mpmath.log(mpf(got[0]) / mpf(got[1])) - exact) <= 10 * EPS * (1 + h)
    if a == c:
        assert got[0] == pytest.approx(float(a), rel=1e-15)
    if share in (0.0, 1.0):
        assert got == pytest.approx((level_t, level_s)[int(share)], rel=1e-14)
    if abs(a**2 + b**2 - 1) < 1e-15 and abs(c**2 + d**2 - 1) < 1e-15:
        assert got[0] ** 2 + got[1] ** 2 == pytest.approx(1, rel=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_eta_one_is_the_posterior_of_ddpm_on_every_sub_grid(name):
    """To what the levels themselves hold of a small step's variance."""
    schedule, x_t, x_0 = named(name, 1000), np.array([1.3, -0.2]), np.array([0.4, 2.0])
    for t, s in [(1000, 990), (500, 499), (777, 13), (2, 1), (1000, 1), (40, 0)]:
        alpha_t, bar_s = float(np.exp(schedule.log_alpha[s + 1 : t + 1].sum())), float(schedule.alpha_bar[s])
        two = schedule.level(t), schedule.level(s)
        np.testing.assert_allclose(ddim.ddim_var(*two, 1.0), posterior_var(alpha_t, bar_s), rtol=1e-10)
        mean = ddim.ddim_mean(x_t, x_0, *two, 1.0)
        np.testing.assert_allclose(mean, posterior_mean(x_t, x_0, alpha_t, bar_s), rtol=0, atol=1e-11)


def steps(dtype, *shape):
    x, a, b, e = np.random.default_rng(0).normal(size=(4, *shape)).astype(dtype)
    t, s, u, v = (0.6, 0.8), (0.8, 0.6), (0.5, 0.87), (0.1, 0.99)
    yield ddim.ddim_mean(x, a, t, s, 0.5)
    yield solvers.noise_step(x, e, t, s)
    yield solvers.noise_step_linear(x, e, a, 0.5, t, s)
    yield solvers.multistep_2(x, a, b, u, t, s)
    yield solvers.multistep_3(x, a, b, e, v, u, t, s)


@pytest.mark.parametrize("shape", [(1,), (100,), (3, 2), (2, 3, 4), (0, 2)])
def test_precision_and_shape_stay(shape):
    for narrow, wide in zip(steps(np.float32, *shape), steps(np.float64, *shape), strict=True):
        assert narrow.dtype == np.float32
        assert wide.shape == shape
        np.testing.assert_allclose(narrow, wide, rtol=1e-4, atol=1e-5)


def test_levels_may_be_arrays_one_a_point():
    x, x_0 = np.random.default_rng(1).normal(size=(2, 3, 2))
    three = [np.array(column)[:, None] for column in zip(*[(*t, *s) for t, s in LEVELS[:3]], strict=True)]
    t, s = tuple(three[:2]), tuple(three[2:])
    for i, (level_t, level_s) in enumerate(LEVELS[:3]):
        one = ddim.ddim_mean(x[i], x_0[i], level_t, level_s, 0.3)
        np.testing.assert_allclose(ddim.ddim_mean(x, x_0, t, s, 0.3)[i], one, rtol=1e-12)
        one = solvers.noise_step_linear(x[i], x_0[i], x[i], 0.5, level_t, level_s)
        np.testing.assert_allclose(solvers.noise_step_linear(x, x_0, x, 0.5, t, s)[i], one, rtol=1e-9)


def test_shapes_are_checked():
    two, three, t, s = np.zeros(2), np.zeros(3), (0.6, 0.8), (0.8, 0.6)
    calls = [
        lambda x: ddim.ddim_mean(two, x, t, s),
        lambda x: solvers.noise_step(two, x, t, s),
        lambda x: solvers.noise_step_linear(two, two, x, 0.5, t, s),
        lambda x: solvers.multistep_2(two, two, x, t, t, s),
        lambda x: solvers.multistep_3(two, two, two, x, t, t, t, s),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"its last axis must match that of x_t"):
            call(three)
