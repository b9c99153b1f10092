import re
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refgen import schedules
from refgen.formulas import forward
from refgen.schedules import from_beta, from_log_snr, named

EPS = np.finfo(float).eps
mpmath.mp.dps = 50


def exact_alpha_bar(log_alpha):
    """alpha_bar at every t with 50 digits, from the schedule's own steps."""
    total, products = mpmath.mpf(0), [mpmath.mpf(1)]
    for value in log_alpha[1:]:
        total += mpmath.mpf(float(value))
        products.append(mpmath.exp(total))
    return products


def worst(got, exact):
    """Largest relative error over t >= 1."""
    pairs = zip(got[1:], exact[1:], strict=True)
    return float(max(abs(mpmath.mpf(float(a)) / b - 1) for a, b in pairs))


def test_known_values():
    assert named("linear", 1000).alpha_bar[-1] == pytest.approx(4.0358e-5, rel=1e-5)
    assert named("cosine", 1000).alpha_bar[-1] == pytest.approx(2.43e-9, rel=1e-3)
    linear = named("linear", 1000)
    assert linear.beta[1] == 1e-4
    assert linear.beta[-1] == 0.02
    assert linear.terminal_kl() == pytest.approx(2.018e-5, rel=1e-3)  # nats a coordinate, at x_0 = 1
    middle = named("sigmoid", 1001)
    assert middle.beta[501] * 1.001 == pytest.approx((1e-4 + 0.02) / 2)
    roots = np.sqrt(named("quadratic", 100).beta[1:])
    np.testing.assert_allclose(np.diff(roots), np.diff(roots)[0])


def test_cosine_is_its_closed_form_until_the_last_step():
    T = 1000
    schedule = named("cosine", T)
    f = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(schedule.alpha_bar[:T], f[:T] / f[0], rtol=1e-9)
    assert schedule.beta[T] == 0.999
    assert np.max(schedule.beta[1:T]) < 0.999


def test_cosine_betas_are_accurate_near_the_data():
    def f(t):
        time = (mpmath.mpf(t) / 1000 + mpmath.mpf("0.008")) / mpmath.mpf("1.008")
        return mpmath.cos(time * mpmath.pi / 2) ** 2

    beta = named("cosine", 1000).beta
    for t in (1, 2, 10, 500, 990):
        assert abs(mpmath.mpf(beta[t]) / (1 - f(t) / f(t - 1)) - 1) < 1e-12


@pytest.mark.parametrize("name", schedules.NAMES)
@pytest.mark.parametrize("T", [1, 2, 3, 5, 20, 50, 1000])
def test_every_schedule_is_one(name, T):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none of them leaves signal at T
        schedule = named(name, T)
    assert schedule.T == T
    arrays = (schedule.beta, schedule.alpha, schedule.alpha_bar, schedule.one_minus_alpha_bar)
    arrays += (schedule.signal, schedule.std, schedule.log_snr, schedule.log_alpha)
    assert all(a.shape == (T + 1,) and a.dtype == np.float64 and not a.flags.writeable for a in arrays)
    clean = (schedule.beta, schedule.alpha, schedule.alpha_bar, schedule.one_minus_alpha_bar)
    assert [float(a[0]) for a in clean] == [0, 1, 1, 0]
    assert schedule.level(0) == (1.0, 0.0)
    assert schedule.log_snr[0] == np.inf
    assert np.all(np.diff(schedule.log_snr) < 0)
    assert np.all(np.diff(schedule.alpha_bar) < 0)
    assert np.all((schedule.beta[1:] > 0) & (schedule.beta[1:] <= 0.999))
    assert schedule.terminal_kl() < 0.01
    np.testing.assert_allclose(schedule.signal**2 + schedule.std**2, 1, rtol=1e-14)
    # The formulas say the same.
    np.testing.assert_allclose(schedule.alpha_bar, forward.alpha_bar(schedule.beta), rtol=1e-13)
    np.testing.assert_allclose(
        schedule.one_minus_alpha_bar, forward.one_minus_alpha_bar(schedule.beta), rtol=1e-13
    )


@pytest.mark.parametrize("name", schedules.NAMES)
def test_alpha_bar_and_one_minus_alpha_bar_to_full_relative_accuracy(name):
    schedule = named(name, 1000)
    exact = exact_alpha_bar(schedule.log_alpha)
    assert worst(schedule.one_minus_alpha_bar, [1 - a for a in exact]) < 10 * EPS  # measured: 3.8
    assert worst(schedule.std, [mpmath.sqrt(1 - a) for a in exact]) < 10 * EPS
    # The exponential multiplies the rounding of the sum by the size of log alpha_bar.
    assert worst(schedule.alpha_bar, exact) < 100 * EPS  # measured: 48
    assert worst(schedule.signal, [mpmath.sqrt(a) for a in exact]) < 50 * EPS


@pytest.mark.parametrize("name", schedules.NAMES)
def test_respaced_is_as_accurate_as_the_products_of_the_betas(name):
    whole = named(name, 1000)
    exact = [mpmath.mpf(1)]
    for beta in whole.beta[1:]:
        exact.append(exact[-1] * (1 - mpmath.mpf(float(beta))))
    part, exact = whole.respaced(7), [exact[t] for t in (0, 143, 286, 429, 571, 714, 857, 1000)]
    steps = zip(exact[1:], exact[:-1], strict=True)
    assert worst(part.one_minus_alpha_bar, [1 - a for a in exact]) < 10 * EPS  # measured: 0.7
    assert worst(part.alpha_bar, exact) < 20 * EPS  # measured: 4
    assert worst(part.beta, [0, *(1 - after / before for after, before in steps)]) < 10 * EPS


def test_one_minus_alpha_bar_of_a_tiny_beta():
    """Steps of 1e-12: subtraction from one would leave four digits."""
    schedule = from_beta(np.concatenate([np.full(50, 1e-12), [0.9999]]))
    exact = exact_alpha_bar(np.concatenate([[0], [mpmath.log(1 - mpmath.mpf(b)) for b in schedule.beta[1:]]]))
    rest = [1 - a for a in exact]
    assert worst(schedule.one_minus_alpha_bar, rest) < 10 * EPS
    assert worst(1 - schedule.alpha_bar, rest) > 1e-6


@pytest.mark.parametrize("name", schedules.NAMES)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 50, 999, 1000])
def test_respaced_visits_levels_of_the_whole_to_full_accuracy(name, steps):
    whole = named(name, 1000)
    part = whole.respaced(steps)
    times = np.floor(np.arange(steps + 1) * 1000 / steps + 0.5).astype(int)
    assert steps == part.T
    assert times[0] == 0
    assert times[-1] == 1000
    assert np.all(np.diff(times) > 0)
    for attribute, scale in (("alpha_bar", 12), ("one_minus_alpha_bar", 1), ("signal", 12), ("std", 1)):
        a, b = getattr(part, attribute)[1:], getattr(whole, attribute)[times][1:]
        np.testing.assert_allclose(a, b, rtol=100 * scale * EPS)
    np.testing.assert_allclose(part.log_snr[1:], whole.log_snr[times][1:], rtol=0, atol=1e-12)
    if steps == 1000:
        np.testing.assert_allclose(part.beta, whole.beta, rtol=10 * EPS)


def test_respaced_alpha_is_a_ratio_of_alpha_bar():
    whole = named("linear", 12)
    ratios = whole.alpha_bar[[3, 6, 9, 12]] / whole.alpha_bar[[0, 3, 6, 9]]
    np.testing.assert_allclose(whole.respaced(4).alpha[1:], ratios, rtol=1e-13)


def test_level_is_python_floats():
    signal, std = named("linear", 10).level(3)
    assert type(signal) is float
    assert type(std) is float
    assert (np.float32([1.0]) * signal + std).dtype == np.float32


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-700, 700), min_size=1, max_size=8, unique_by=lambda v: round(v, 6)))
def test_from_log_snr_has_that_log_snr_however_wild(numbers):
    levels = sorted(numbers, reverse=True)
    with warnings.catch_warnings(), mpmath.workdps(400):
        warnings.simplefilter("ignore", UserWarning)
        schedule = from_log_snr(np.array(levels))
        exact = [mpmath.mpf(v) for v in levels]
        alpha_bar = [mpmath.mpf(1), *(1 / (1 + mpmath.exp(-v)) for v in exact)]
        rest = [mpmath.mpf(0), *(1 / (1 + mpmath.exp(v)) for v in exact)]
        # Beyond a few eps only what an ulp of a log-SNR of that size is worth.
        size = max(1.0, *map(abs, levels))
        assert worst(schedule.one_minus_alpha_bar, rest) < 20 * EPS * size
        assert worst(schedule.alpha_bar, alpha_bar) < 20 * EPS * size
        for t in range(1, len(levels) + 1):
            beta = 1 - alpha_bar[t] / alpha_bar[t - 1]
            if beta > 1e-300:  # below, float64 itself has fewer digits
                assert abs(mpmath.mpf(schedule.beta[t]) / beta - 1) < 10 * EPS
    np.testing.assert_allclose(schedule.log_snr[1:], levels, rtol=0, atol=20 * EPS * size)


def test_from_log_snr_of_a_named_schedule_is_that_schedule():
    linear = named("linear", 1000)
    again = from_log_snr(linear.log_snr)
    np.testing.assert_allclose(again.beta, linear.beta, rtol=1e-10)
    np.testing.assert_allclose(again.one_minus_alpha_bar, linear.one_minus_alpha_bar, rtol=1e-13)


@pytest.mark.parametrize(
    ("log_snr", "message"),
    [
        ([3, 1, 2, -9], "log_snr at t = 3 is 2, not below 1 at t = 2; it must fall strictly with t"),
        ([3, 3], "log_snr at t = 2 is 3, not below 3 at t = 1"),
        (
            [5e-324, 0],
            "log_snr at t = 2 is 0, not below 4.94066e-324 at t = 1",
        ),  # no float64 is that variance
        ([5, float("nan")], "log_snr at t = 2 is nan; it must lie in [-700, 700]"),
        ([5, -701], "log_snr at t = 2 is -701; it must lie in [-700, 700]"),
        ([float("inf")], "log_snr has no level but clean data"),
        ([], "log_snr has shape (0,)"),
        ([[1.0, 0.0]], "log_snr has shape (1, 2)"),
    ],
)
def test_from_log_snr_refuses_with_the_place_and_the_rule(log_snr, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        from_log_snr(np.array(log_snr))


@pytest.mark.parametrize(
    ("beta", "message"),
    [
        ([0.1, 0.0], "beta[2] is 0; the variance of a step must lie in (0, 1)"),
        ([0.1, 1.0], "beta[2] is 1; "),
        ([-0.1], "beta[1] is -0.1; "),
        ([0.1, float("nan")], "beta[2] is nan; "),
        ([], "beta is (1,); it must be a list of T + 1 >= 2 numbers"),
    ],
)
def test_from_beta_refuses(beta, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        from_beta(np.array(beta))


def test_schedule_refuses():
    with pytest.raises(
        ValueError, match=r"^beta is \[0\.1, 0\.2\]\.\.\.; it must be .*, the first of them 0"
    ):
        schedules.Schedule("x", np.array([0.1, 0.2]))
    with pytest.raises(ValueError, match=r"^log_alpha has shape"):
        schedules.Schedule("x", np.array([0, 0.1]), np.array([0.0]))
    with pytest.raises(ValueError, match=r"^log_alpha\[1\] is 0.5"):
        schedules.Schedule("x", np.array([0, 0.1]), np.array([0.0, 0.5]))


@pytest.mark.parametrize("T", [0, -3, 2.5, True, "10"])
@pytest.mark.parametrize("name", schedules.NAMES)
def test_T_is_a_positive_integer(name, T):
    with pytest.raises(ValueError, match=r"^T is .*; it must be an integer >= 1"):
        named(name, T)


def test_unknown_name_and_steps_and_level():
    with pytest.raises(ValueError, match=r"^no schedule 'cosin'; did you mean cosine\?"):
        named("cosin", 10)
    schedule = named("linear", 10)
    for steps in (0, 11, 2.5):
        with pytest.raises(ValueError, match=rf"^steps is {steps}; it must be an integer in 1\.\.10"):
            schedule.respaced(steps)
    for t in (-1, 11):
        with pytest.raises(ValueError, match=rf"^t is {t}; it must lie in 0\.\.10"):
            schedule.level(t)


def test_signal_left_at_T_warns_at_the_callers_line():
    """The betas of T = 1000 with T = 50 leave most of the signal."""
    message = r"^schedule 'short' leaves signal at T = 50: alpha_bar\[T\] = 0\.603, 0\.46 nats a coordinate"
    with pytest.warns(UserWarning, match=message) as found:
        schedule = from_beta(np.linspace(1e-4, 0.02, 50), "short")
    assert len(found) == 1
    assert found[0].filename == __file__
    assert schedule.alpha_bar[-1] == pytest.approx(0.60, abs=0.005)
    assert schedule.terminal_kl() == pytest.approx(0.462, abs=1e-3)


def test_terminal_kl_is_the_kl_of_two_gaussians():
    with pytest.warns(UserWarning, match="leaves signal"):
        schedule = from_beta(np.array([0.3, 0.2]))
    x_0 = np.array([0.5, -2.0, 1.0])
    grid, h = np.linspace(-12, 12, 4001, retstep=True)
    total = 0.0
    for x in x_0:
        q = np.exp(-((grid - schedule.signal[-1] * x) ** 2) / (2 * 0.44)) / np.sqrt(2 * np.pi * 0.44)
        p_log = -(grid**2) / 2 - np.log(2 * np.pi) / 2
        total += np.sum(q * (np.log(np.maximum(q, 1e-300)) - p_log)) * h
    assert schedule.terminal_kl(np.mean(x_0**2)) == pytest.approx(total / 3, rel=1e-9)
    # Tiny alpha_bar, where log(1 - alpha_bar) would round to nothing.
    assert from_log_snr(np.array([-60.0])).terminal_kl() == pytest.approx(np.exp(-60) / 2, rel=1e-12)
