import numpy as np
import pytest

from refgen.backend import Stream
from refgen.denoisers import (
    TARGETS,
    Denoiser,
    ExactDenoiser,
    LearnedDenoiser,
    OneLevelDenoiser,
    counted,
)
from refgen.distributions import Gaussian, GaussianMixture, named
from refgen.formulas.snr import log_snr

ANSWERS = ("eps", "x_0", "score", "v")
MIXTURE = GaussianMixture([[1.0, -0.5], [-1.0, 0.8]], [[[0.3, 0.1], [0.1, 0.2]]] * 2, [0.7, 0.3])
LEVELS = [(0.8, 0.6), (0.05, 0.99875), (0.9999, 0.0141), (1.0, 3.0)]
X = Stream(0).normal(50, 2)


class FromEps(Denoiser):
    """The base class alone: one answer given, three by the formulas."""

    def eps(self, x, signal, std):
        return ExactDenoiser(MIXTURE).eps(x, signal, std)


def learned(target):
    """A network that has learned the truth, asked by its log-SNR alone (variance preserving levels)."""

    def predict(x, log_snr):
        signal, std = np.sqrt(1 / (1 + np.exp(-log_snr))), np.sqrt(1 / (1 + np.exp(log_snr)))
        return getattr(ExactDenoiser(MIXTURE), target)(x, signal, std)

    return LearnedDenoiser(predict, target)


@pytest.mark.parametrize(("signal", "std"), LEVELS)
def test_exact_answers_agree_with_gaussian_algebra(signal, std):
    """One Gaussian: E[x_0 | x_t] by conditioning the joint covariance of (x_0, eps, x_t)."""
    mean, cov = np.array([0.3, -1.0]), np.array([[1.0, 0.4], [0.4, 0.5]])
    denoiser = ExactDenoiser(Gaussian(mean, cov))
    gain = np.linalg.inv(signal**2 * cov + std**2 * np.eye(2))
    centred = X - signal * mean
    x_0, eps = mean + centred @ gain @ (signal * cov), centred @ gain * std
    np.testing.assert_allclose(denoiser.x_0(X, signal, std), x_0, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(denoiser.eps(X, signal, std), eps, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(denoiser.score(X, signal, std), -centred @ gain, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(denoiser.v(X, signal, std), signal * eps - std * x_0, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("signal", "std"), LEVELS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_the_base_class_derives_three_answers_from_eps(answer, signal, std):
    got = getattr(FromEps(), answer)(X, signal, std)
    np.testing.assert_allclose(
        got, getattr(ExactDenoiser(MIXTURE), answer)(X, signal, std), rtol=1e-8, atol=1e-9
    )


@pytest.mark.parametrize(
    ("signal", "std"), [(0.8, 0.6), (0.05, np.sqrt(1 - 0.05**2)), (np.sqrt(1 - 0.014**2), 0.014)]
)
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_network_that_learned_the_truth_is_the_exact_denoiser(target, answer, signal, std):
    """Four targets by four answers: each conversion, and the log-SNR that the network is given."""
    got = getattr(learned(target), answer)(X, float(signal), float(std))
    np.testing.assert_allclose(
        got, getattr(ExactDenoiser(MIXTURE), answer)(X, signal, std), rtol=1e-8, atol=1e-9
    )


@pytest.mark.parametrize(("signal", "std"), [(1.0, 3.0), (1.0, 0.05), (2.0, 0.7), (0.3, 0.2)])
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_network_answers_at_levels_of_any_power(target, answer, signal, std):
    """A ladder of noise has signal 1; the network has seen variance-preserving levels only."""
    exact = getattr(ExactDenoiser(MIXTURE), answer)(X, signal, std)
    got = getattr(learned(target), answer)(X, signal, std)
    np.testing.assert_allclose(got, exact, rtol=1e-8, atol=1e-9)
    columns = np.full((50, 1), signal), np.full((50, 1), std)
    # one level a point: asked with columns of levels, it says the same
    got = LearnedDenoiser(lambda x, level: learned(target).predict(x, float(level[0, 0])), target)
    np.testing.assert_allclose(getattr(got, answer)(X, *columns), exact, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("target", TARGETS)
def test_what_the_network_says_is_returned_untouched(target):
    said = Stream(1).normal(50, 2)
    assert getattr(LearnedDenoiser(lambda x, log_snr: said, target), target)(X, 0.8, 0.6) is said


def test_the_network_is_asked_with_a_python_float_or_one_number_a_point():
    seen = []
    denoiser = LearnedDenoiser(lambda x, log_snr: (seen.append(log_snr), 0 * x)[1])
    denoiser.eps(X, 0.8, 0.6)
    assert type(seen[0]) is float
    assert seen[0] == pytest.approx(2 * np.log(0.8 / 0.6))
    signal, std = np.full((50, 1), 0.8), np.full((50, 1), 0.6)
    denoiser.eps(X, signal, std)
    np.testing.assert_array_equal(seen[1], log_snr(signal, std))


@pytest.mark.parametrize("denoiser", [ExactDenoiser(MIXTURE), FromEps(), *map(learned, TARGETS)])
@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_shape_follow_x(denoiser, answer, dtype):
    x = X.astype(dtype)
    got = getattr(denoiser, answer)(x, 0.8, 0.6)
    assert got.shape == x.shape
    if not isinstance(denoiser, LearnedDenoiser):  # those nets are the test's own
        assert got.dtype == dtype


def test_float32_stays_accurate_where_almost_no_signal_is_left():
    """x_0 by way of eps has no right digit there; the exact denoiser and a v network keep theirs."""
    signal, std = 4.93e-5, float(np.sqrt(1 - 4.93e-5**2))
    x, exact = X.astype(np.float32), ExactDenoiser(MIXTURE)
    x_0 = exact.x_0(X, signal, std)
    assert np.max(np.abs(exact.x_0(x, signal, std) - x_0)) < 1e-6
    by_v = LearnedDenoiser(lambda x, _: exact.v(x, signal, std), "v").x_0(x, signal, std)
    assert np.max(np.abs(by_v - x_0)) < 1e-6
    by_eps = LearnedDenoiser(lambda x, _: exact.eps(x, signal, std), "eps").x_0(x, signal, std)
    assert np.max(np.abs(by_eps - x_0)) > 1e-4


def test_counted_counts_questions_not_what_answers_them():
    denoiser = counted(ExactDenoiser(named("ring")))
    for i, answer in enumerate(ANSWERS, start=1):
        got = getattr(denoiser, answer)(X, 0.8, 0.6)
        np.testing.assert_array_equal(got, getattr(denoiser.denoiser, answer)(X, 0.8, 0.6))
        assert denoiser.calls == i
    assert counted(FromEps()).x_0(X, 0.8, 0.6).shape == X.shape


def one_level(std=0.6, **density):
    """A model that has learned the truth at one level."""
    return OneLevelDenoiser(MIXTURE.diffused(1.0, std).score, std, **density)


@pytest.mark.parametrize("std", [0.05, 0.6])
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_model_of_one_level_that_learned_the_truth_is_the_exact_denoiser(answer, std):
    exact = getattr(ExactDenoiser(MIXTURE), answer)(X, 1.0, std)
    np.testing.assert_allclose(getattr(one_level(std), answer)(X, 1.0, std), exact, rtol=1e-8, atol=1e-9)
    columns = np.ones((50, 1)), np.full((50, 1), np.float32(std))
    got = getattr(one_level(std), answer)(X, *columns)  # one level a point, as rounded as float32 is
    np.testing.assert_allclose(got, exact, rtol=1e-5, atol=1e-6)
    x = X.astype(np.float32)
    assert getattr(one_level(std), answer)(x, 1.0, std).dtype == np.float32


@pytest.mark.parametrize("level", [(1.0, 0.5), (0.8, 0.6), (1.0, 0.0), (np.ones((50, 1)), X[:, :1] ** 2)])
@pytest.mark.parametrize("answer", [*ANSWERS, "log_prob"])
def test_a_model_of_one_level_refuses_another(answer, level):
    denoiser = one_level(log_prob=lambda x: -np.sum(x**2, axis=-1))
    with pytest.raises(ValueError, match=r"^the level is signal .*; .* one level only, signal 1, std 0\.6$"):
        getattr(denoiser, answer)(X, *level)


@pytest.mark.parametrize(("signal", "std"), LEVELS)
def test_exact_density_is_the_one_that_the_score_is_the_gradient_of(signal, std):
    denoiser, h = ExactDenoiser(MIXTURE), 1e-5
    np.testing.assert_array_equal(
        denoiser.log_prob(X, signal, std), MIXTURE.diffused(signal, std).log_prob(X)
    )
    ahead, behind = (denoiser.log_prob(X + step, signal, std) for step in ([h, 0.0], [-h, 0.0]))
    slope = denoiser.score(X, signal, std)[:, 0]
    np.testing.assert_allclose((ahead - behind) / (2 * h), slope, rtol=1e-5, atol=1e-5)
    other = denoiser.log_prob(X, 0.5, 0.5)  # after another level the first is asked for anew
    np.testing.assert_array_equal(other, MIXTURE.diffused(0.5, 0.5).log_prob(X))
    assert denoiser.log_prob(X.astype(np.float32), signal, std).dtype == np.float32


def test_a_density_is_there_or_is_refused():
    given = one_level(log_prob=lambda x: -np.sum(x**2, axis=-1))
    np.testing.assert_array_equal(given.log_prob(X, 1.0, 0.6), -np.sum(X**2, axis=-1))
    assert given.has_density and counted(given).has_density and ExactDenoiser(MIXTURE).has_density
    for denoiser in (FromEps(), learned("eps"), one_level(), counted(one_level())):
        assert not denoiser.has_density
        with pytest.raises(ValueError, match="has no density"):
            denoiser.log_prob(X, 1.0, 0.6)
    counts = counted(ExactDenoiser(MIXTURE))
    counts.log_prob(X, 1.0, 0.6)
    assert counts.calls == 1


@pytest.mark.parametrize("std", [0.0, -1.0, np.inf, np.nan])
def test_a_model_of_one_level_has_noise(std):
    with pytest.raises(ValueError, match=r"^std is .*; it must be a finite number > 0"):
        OneLevelDenoiser(lambda x: x, std)


def test_refuses():
    with pytest.raises(ValueError, match=r"^target is 'noise'; it must be one of eps, x_0, score, v"):
        LearnedDenoiser(lambda x, log_snr: x, "noise")
    with pytest.raises(TypeError, match=r"abstract method '?eps"):
        Denoiser()
