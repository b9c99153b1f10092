"""The reverse chain of DDPM: by exact linear algebra, step by step, and on the truth."""

import importlib
import tracemalloc

import numpy as np
import pytest
from scipy.special import ndtr

from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, LearnedDenoiser, counted
from refgen.distributions import Gaussian, GaussianMixture, named
from refgen.formulas.parametrisation import x_0_from_eps
from refgen.formulas.posterior import mean_from_eps
from refgen.formulas.variance import optimal_var, optimal_var_bounds
from refgen.metrics import directions, mode_weights, sampling_floor, sliced_wasserstein
from refgen.samplers.ancestral import ancestral, optimal_variances, reverse_step, step_variances
from refgen.schedules import NAMES, from_log_snr, linear
from refgen.schedules import named as schedule_named
from tests.samplers.impulses import Impulses

module = importlib.import_module("refgen.samplers.ancestral")

MIXTURE = GaussianMixture(
    [[-1.1, -0.4], [0.7, 1.2], [1.0, -1.0]],
    [[[0.10, 0.04], [0.04, 0.08]], [[0.05, 0.0], [0.0, 0.15]], [[0.08, -0.03], [-0.03, 0.06]]],
    [0.5, 0.3, 0.2],
)
EXACT = ExactDenoiser(MIXTURE)


def impulse_response(schedule, variance, t=0):
    """How x_t depends on x_T and on each noise, for data from N(0, 1): its squares add up to the variance."""
    x_T = np.zeros((schedule.T, 1))
    x_T[0] = 1
    kept = {t: None}
    ancestral(ExactDenoiser(Gaussian([0.0], [[1.0]])), schedule, x_T, Impulses(), variance, kept)
    return kept[t][:, 0]


@pytest.mark.parametrize(("variance", "known"), [("small", 0.99107), ("large", 0.99990)])
def test_variance_of_samples_of_standard_normal_data_is_known_exactly(variance, known):
    """No sampling: the chain is affine in its inputs, which are unit vectors here."""
    schedule = linear(1000)
    got = np.sum(impulse_response(schedule, variance) ** 2)
    assert got == pytest.approx(known, abs=5e-6)
    v, betas = 1.0, np.linspace(1e-4, 0.02, 1000)
    bars = np.cumprod(1 - betas)
    for t in range(999, 0, -1):  # v <- alpha v + sigma^2, betas[0] being the first step
        added = betas[t] if variance == "large" else betas[t] * (1 - bars[t - 1]) / (1 - bars[t])
        v = (1 - betas[t]) * v + added
    assert got == pytest.approx((1 - betas[0]) * v, rel=1e-12)


def test_the_large_variance_keeps_standard_normal_data_exactly_at_any_step_size():
    for schedule in (linear(1000).respaced(5), schedule_named("cosine", 3)):
        assert np.sum(impulse_response(schedule, "large", t=1) ** 2) == pytest.approx(1, rel=1e-12)


def test_variance_for_standard_deviation_is_rejected_by_the_same_number():
    small = step_variances(linear(1000), "small")
    assert np.sum(impulse_response(linear(1000), small**2) ** 2) == pytest.approx(0.0056, abs=1e-4)


def algorithm_2(denoiser, schedule, x_T, rng, variance):
    """Ho et al.'s Algorithm 2 as it is printed, with eps, one draw a step."""
    x, var = x_T, step_variances(schedule, variance)
    for t in range(schedule.T, 0, -1):
        eps = denoiser.eps(x, *schedule.level(t))
        z = rng.normal(*x.shape, dtype=x.dtype) if t > 1 else np.zeros_like(x)
        beta, bar = schedule.beta[t], schedule.alpha_bar[t]
        x = (x - beta / np.sqrt(1 - bar) * eps) / np.sqrt(1 - beta) + np.sqrt(var[t]) * z
    return x


@pytest.mark.parametrize("variance", ["small", "large"])
@pytest.mark.parametrize("T", [1, 2, 3, 60])
def test_the_sampler_is_algorithm_2(T, variance):
    schedule, x_T = linear(1000).respaced(T), Stream(0).normal(40, 2)
    got = ancestral(EXACT, schedule, x_T, Stream(1), variance)
    expected = algorithm_2(EXACT, schedule, x_T, Stream(1), variance)
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("alpha_t", "alpha_bar_s"), [(0.98, 0.4), (0.999, 1.0), (0.001, 2.4e-6), (0.5, 0.9)])
def test_a_step_has_the_mean_by_the_noise_and_the_variance_given(alpha_t, alpha_bar_s):
    x_t, eps, z = Stream(2).normal(3, 20, 2)
    signal, std = np.sqrt(alpha_t * alpha_bar_s), np.sqrt(1 - alpha_t * alpha_bar_s)
    x_0 = x_0_from_eps(x_t, eps, signal, std)
    mean = reverse_step(x_t, x_0, z, alpha_t, alpha_bar_s, 0.0)
    np.testing.assert_allclose(mean, mean_from_eps(x_t, eps, alpha_t, alpha_bar_s), rtol=1e-9, atol=1e-9)
    moved = reverse_step(x_t, x_0, z, alpha_t, alpha_bar_s, 0.09)
    np.testing.assert_allclose(moved - mean, 0.3 * z, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("T", [1, 2, 3, 7])
@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_steps_ends_at_the_denoised_last_point(name, T, dtype):
    schedule, denoiser = schedule_named(name, T), counted(EXACT)
    kept = dict.fromkeys(range(T + 1))
    x_T = Stream(3).normal(30, 2, dtype=dtype)
    x_0 = ancestral(denoiser, schedule, x_T, Stream(4), trajectory=kept)
    assert denoiser.calls == T
    assert x_0.dtype == dtype
    assert all(x.dtype == dtype and x.shape == (30, 2) and np.all(np.isfinite(x)) for x in kept.values())
    np.testing.assert_array_equal(x_0, EXACT.x_0(kept[1], *schedule.level(1)))
    assert kept[0] is x_0
    assert kept[T] is x_T


class Float64Noise(Stream):
    """The same draws in every precision."""

    def normal(self, *shape, dtype=np.float64):
        return super().normal(*shape).astype(dtype)


@pytest.mark.parametrize("T", [1, 2, 3, 200])
@pytest.mark.parametrize("name", NAMES)
def test_float32_follows_float64(name, T):
    schedule, x_T = schedule_named(name, T), Stream(3).normal(200, 2)
    narrow = ancestral(EXACT, schedule, x_T.astype(np.float32), Float64Noise(4))
    wide = ancestral(EXACT, schedule, x_T, Float64Noise(4))
    # A point between two modes may fall to the other side; the rest differ by rounding.
    assert np.quantile(np.max(np.abs(narrow - wide), axis=1), 0.95) < 1e-4


def test_noise_is_drawn_once_for_each_step_but_the_last():
    for T in (1, 2, 5):
        rng, twin = Stream(5), Stream(5)
        ancestral(EXACT, linear(1000).respaced(T), np.zeros((3, 2)), rng)
        twin.normal(T - 1, 3, 2)
        np.testing.assert_array_equal(rng.normal(3), twin.normal(3))


def test_blocks_of_noise_and_kept_times_change_nothing(monkeypatch):
    schedule, x_T = linear(1000).respaced(30), Stream(6).normal(10, 2, dtype=np.float32)
    whole = ancestral(EXACT, schedule, x_T, Stream(7))
    for block in (1, 20, 60, 10**9):
        monkeypatch.setattr("refgen.samplers.steps.NOISE_BLOCK", block)
        kept = {17: None}
        np.testing.assert_array_equal(ancestral(EXACT, schedule, x_T, Stream(7), trajectory=kept), whole)
        assert list(kept) == [17]
    assert ancestral(EXACT, schedule, x_T[:0], Stream(7)).shape == (0, 2)


def cosine_chain(denoiser, dtype):
    """The largest norm along the chain of the cosine schedule, whose last beta is 0.999."""
    schedule, kept = schedule_named("cosine", 200), dict.fromkeys(range(201))
    ancestral(denoiser, schedule, Stream(8).normal(200, 2, dtype=dtype), Stream(9), trajectory=kept)
    return max(np.max(np.linalg.norm(x, axis=1)) for x in kept.values())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_step_of_the_cosine_schedule_leaves_the_data_behind(dtype):
    assert cosine_chain(EXACT, dtype) < 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_error_of_a_tenth_grows_thirty_times_in_eps_and_not_in_v_or_x_0(dtype):
    def wrong(target):
        def predict(x, log_snr):
            signal = float(np.sqrt(1 / (1 + np.exp(-log_snr))))
            std = float(np.sqrt(1 / (1 + np.exp(log_snr))))
            return getattr(EXACT, target)(x, signal, std) + 0.1

        return LearnedDenoiser(predict, target)

    first_step = from_log_snr(schedule_named("cosine", 1000).log_snr[999:])
    x_T = Stream(10).normal(50, 2, dtype=dtype)

    def after_one_step(denoiser):
        kept = {1: None}
        ancestral(denoiser, first_step, x_T, Stream(11), trajectory=kept)
        return kept[1]

    truth = after_one_step(EXACT)
    off = {target: np.max(np.abs(after_one_step(wrong(target)) - truth)) for target in ("eps", "v", "x_0")}
    assert 3.0 < off["eps"] < 3.3  # 0.1 / sqrt(0.001): no form of the step can undo it
    assert off["v"] < 0.001
    assert off["x_0"] < 0.001


# The truth as the judge: exact law, exact denoiser, statistics with known null.


def surprise(x, law):
    """The largest of 16 statistics of samples x, each about 1 under the law and limited by 4.5."""
    n = len(x)
    if not np.all(np.isfinite(x)):
        return np.inf
    values = list(np.abs(mode_weights(x, law.means, law.weights).z))
    centred, exact = x - law.mean, law.sample(Stream(99), 200_000) - law.mean
    values += list(np.abs(x.mean(0) - law.mean) / np.sqrt(np.diag(law.cov) / n))
    for i, j in ((0, 0), (0, 1), (1, 1)):
        spread = (exact[:, i] * exact[:, j]).std()
        values.append(abs((centred[:, i] * centred[:, j]).mean() - law.cov[i, j]) / (spread / np.sqrt(n)))
    for angle in np.arange(8) * np.pi / 8:  # Kolmogorov-Smirnov; sqrt(n) D > 2.2 has probability 1e-4
        u = np.array([np.cos(angle), np.sin(angle)])
        along = np.sort(x @ u)
        stds = np.sqrt(np.einsum("i,kij,j->k", u, law.covs, u))
        cdf = ndtr((along[:, None] - law.means @ u) / stds) @ law.weights
        gap = max(np.max(cdf - np.arange(n) / n), np.max(np.arange(1, n + 1) / n - cdf))
        values.append(gap * np.sqrt(n) * 4.5 / 2.2)
    return max(values)


LIMIT = 4.5
COUNT = 2000


def test_the_statistics_are_calibrated_on_the_null():
    null = [surprise(MIXTURE.sample(Stream(i), COUNT), MIXTURE) for i in range(40)]
    assert max(null) < LIMIT
    assert np.median(null) > 1  # a statistic that never moves would pass everything


@pytest.mark.parametrize("variance", ["small", "large"])
def test_the_exact_denoiser_reproduces_the_prior(variance):
    x_T = Stream(20).normal(COUNT, 2)
    x = ancestral(EXACT, linear(1000), x_T, Stream(21), variance)
    assert surprise(x, MIXTURE) < LIMIT


def test_wrong_samplers_do_not_reproduce_the_prior(monkeypatch):
    schedule, x_T = linear(1000).respaced(250), Stream(20).normal(COUNT, 2)
    assert surprise(ancestral(EXACT, schedule, x_T, Stream(21)), MIXTURE) < LIMIT
    # The variance where the standard deviation belongs.
    as_std = step_variances(schedule, "small") ** 2
    assert surprise(ancestral(EXACT, schedule, x_T, Stream(21), as_std), MIXTURE) > 2 * LIMIT

    def with_alpha_bar_t(x_t, x_0, alpha_t, alpha_bar_s):
        """sqrt(alpha_bar_t) for sqrt(alpha_t) before x_t."""
        bar = alpha_t * alpha_bar_s
        return (np.sqrt(bar) * (1 - alpha_bar_s) * x_t + np.sqrt(alpha_bar_s) * (1 - alpha_t) * x_0) / (
            1 - bar
        )

    def over_root_alpha_bar(x_t, x_0, alpha_t, alpha_bar_s):
        """The mean divided by sqrt(alpha_bar_t) for sqrt(alpha_t)."""
        bar = alpha_t * alpha_bar_s
        eps = (x_t - np.sqrt(bar) * x_0) / np.sqrt(1 - bar)
        return (x_t - (1 - alpha_t) / np.sqrt(1 - bar) * eps) / np.sqrt(bar)

    for wrong in (with_alpha_bar_t, over_root_alpha_bar):
        monkeypatch.setattr(module, "posterior_mean", wrong)
        with np.errstate(all="ignore"):
            assert surprise(ancestral(EXACT, schedule, x_T, Stream(21)), MIXTURE) > 2 * LIMIT


def test_sliced_wasserstein_to_the_ring_is_at_the_sampling_floor():
    """The control of every trained model: what the sampler alone costs, n = 10,000, 128 directions."""
    ring, _, _ = named("ring").standardised()
    thetas = directions(2, 128, Stream(30))
    floor = sampling_floor(ring, 10_000, thetas, Stream(31))
    x_T = Stream(32).normal(10_000, 2, dtype=np.float32)
    x = ancestral(ExactDenoiser(ring), linear(1000), x_T, Stream(33))
    distance = sliced_wasserstein(x, ring.sample(Stream(34), 10_000), thetas)
    assert distance < 1.5 * floor.max  # measured: 0.012 to 0.020 against 0.024
    assert np.max(np.abs(mode_weights(x, *ring.modes).fractions - 1 / 8)) < 0.02
    narrow = ring.mean + 0.9 * (x - ring.mean)
    assert sliced_wasserstein(narrow, ring.sample(Stream(34), 10_000), thetas) > 1.5 * floor.max


def test_memory_is_a_few_arrays_of_points():
    """100 bytes a point, hence 100 MB for a million; all pairs of points and components would take 400 MB."""
    law, n = named("swiss_roll"), 200_000
    x_T = Stream(35).normal(n, 2, dtype=np.float32)
    tracemalloc.start()
    ancestral(ExactDenoiser(law), linear(1000).respaced(2), x_T, Stream(36))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * n


# Variances.


def test_named_variances_have_their_known_values():
    schedule = linear(1000)
    small, large = step_variances(schedule, "small"), step_variances(schedule, "large")
    assert small[0] == small[1] == 0
    assert small[488] == pytest.approx(0.00979, abs=5e-6)
    assert small[1000] == pytest.approx(0.02, rel=1e-4)
    np.testing.assert_array_equal(large, schedule.beta)
    assert np.all(small <= large)


def test_optimal_variances_are_the_formula_by_quadrature_and_lie_in_the_bounds():
    law, schedule = GaussianMixture([[-1.0], [0.8]], 0.05, [0.4, 0.6]), linear(1000).respaced(8)
    x_0 = law.sample(Stream(40), 40_000)
    found = optimal_variances(ExactDenoiser(law), schedule, x_0, Stream(41))
    grid = np.linspace(-6, 6, 4001)[:, None]
    assert found.shape == (9,)
    assert found[0] == 0
    for t in range(1, 9):
        diffused = law.diffused(*schedule.level(t))
        density, score = np.exp(diffused.log_prob(grid)), diffused.score(grid)[:, 0]
        square, fourth = (np.sum(density * score**k) * (grid[1, 0] - grid[0, 0]) for k in (2, 4))
        beta, alpha = schedule.beta[t], schedule.alpha[t]
        error = beta**2 / alpha * np.sqrt(max(fourth - square**2, 0) / 40_000)
        assert abs(found[t] - optimal_var(alpha, square)) < 5 * error
        lower, upper = optimal_var_bounds(alpha, schedule.alpha_bar[t - 1], float(law.cov[0, 0]))
        assert lower * (1 - 1e-9) <= found[t] <= upper * 1.01


def test_optimal_variances_never_leave_the_bounds_with_few_steps_and_few_points():
    """Unclipped, some of these are negative."""
    schedule, unclipped = linear(1000).respaced(4), []
    for seed in range(20):
        x_0 = MIXTURE.sample(Stream(seed), 5)
        found = optimal_variances(EXACT, schedule, x_0, Stream(seed, "noise"))
        assert np.all(found >= step_variances(schedule, "small"))
        assert np.all(found[1:] <= schedule.beta[1:] / schedule.alpha[1:])
        rng = Stream(seed, "noise")
        for t in range(1, 5):
            signal, std = schedule.level(t)
            square = np.mean(EXACT.score(signal * x_0 + std * rng.normal(5, 2), signal, std) ** 2)
            unclipped.append(optimal_var(schedule.alpha[t], square))
    assert min(unclipped) < 0


def test_optimal_variances_of_float32_data_serve_the_sampler():
    x_0 = MIXTURE.sample(Stream(42), 100).astype(np.float32)
    schedule = linear(1000).respaced(10)
    variance = optimal_variances(EXACT, schedule, x_0, Stream(43))
    assert ancestral(EXACT, schedule, x_0, Stream(44), variance).dtype == np.float32


@pytest.mark.parametrize(
    ("variance", "message"),
    [
        ("medium", r"^variance is 'medium'; it must be 'small', 'large' or an array of length T \+ 1"),
        (np.ones(3), r"^variance has shape \(3,\); it must be \(6,\), T \+ 1 numbers"),
        (np.array([0, 1, 1, -0.5, 1, 1]), r"^variance\[3\] is -0\.5; it must be finite and >= 0"),
        (np.array([0, np.nan, 1, 1, 1, 1]), r"^variance\[1\] is nan; "),
    ],
)
def test_refuses_a_variance(variance, message):
    with pytest.raises(ValueError, match=message):
        ancestral(EXACT, linear(5), np.zeros((2, 2)), Stream(0), variance)


@pytest.mark.parametrize("t", [-1, 6])
def test_refuses_to_keep_a_time_that_is_not_there(t):
    with pytest.raises(ValueError, match=rf"^trajectory asks for t = {t}; times lie in 0\.\.5"):
        ancestral(EXACT, linear(5), np.zeros((2, 2)), Stream(0), trajectory={t: None})
