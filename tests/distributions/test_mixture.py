"""GaussianMixture and Gaussian in any dimension: samples, entropy, precision, speed of growth, bad input."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad
from numpy.testing import assert_allclose
from scipy import stats

from refgen.backend import Stream
from refgen.distributions import Gaussian, GaussianMixture

MEANS = [[0.0, 1.0], [3.0, -1.0]]
COVS = [[[1.0, 0.5], [0.5, 2.0]], [[0.3, -0.1], [-0.1, 0.2]]]


def wide(d, count=3, seed=0):
    rng = Stream(seed)
    roots = rng.normal(count, d, d) / np.sqrt(d)
    return GaussianMixture(
        rng.normal(count, d), roots @ np.swapaxes(roots, 1, 2) + np.eye(d), 1 + rng.uniform(count)
    )


def test_full_and_shared_forms_agree():
    shared = GaussianMixture(MEANS, [0.5, 2.0], [3, 1])
    full = GaussianMixture(MEANS, [np.diag([0.5, 2.0])] * 2, [3, 1])
    x = Stream(0).normal(20, 2)
    for a, b in [(shared, full), (shared.affine([1, 2], [2, 3]), full.affine([1, 2], [2, 3]))]:
        assert_allclose(a.log_prob(x), b.log_prob(x), rtol=1e-12)
        assert_allclose(a.score(x), b.score(x), rtol=1e-12)
        assert_allclose(a.posterior_mean(x, 0.8, 0.6), b.posterior_mean(x, 0.8, 0.6), rtol=1e-12)
        assert_allclose(a.posterior_cov(x, 0.8, 0.6), b.posterior_cov(x, 0.8, 0.6), rtol=1e-11)
        assert_allclose(a.cov, b.cov, rtol=1e-12)
        assert a.entropy == pytest.approx(b.entropy, abs=2e-6)


@pytest.mark.parametrize(
    "law", [GaussianMixture(MEANS, COVS, [3, 1]), wide(5), GaussianMixture([[0.0], [3.0]], 0.5)]
)
def test_samples_have_the_law(law):
    """KS on projections, whose exact law is a mixture on the line; transposed roots must be found out."""
    x = law.sample(Stream(1), 20_000)
    for direction in [np.ones(law.dim), np.arange(law.dim) - 1.5]:
        covs = law.covs if law.covs.ndim == 3 else np.array([np.diag(law.covs)] * len(law.means))
        stds = np.sqrt(np.einsum("i,kij,j->k", direction, covs, direction))

        def cdf(s, centres=law.means @ direction, stds=stds):
            return stats.norm.cdf((s[:, None] - centres) / stds) @ law.weights

        assert stats.kstest(x @ direction, cdf).pvalue > 1e-4
        assert stats.kstest(1.1 * (x @ direction), cdf).pvalue < 1e-4
    assert_allclose(np.cov(x.T), law.cov, atol=0.15)


def test_any_law_under_affine_and_diffused_has_the_law_of_the_points():
    law = GaussianMixture(MEANS, COVS, [3, 1])
    x = law.sample(Stream(2), 10)
    moved = law.affine([1.0, -2.0], [2.0, 0.5])
    assert_allclose(
        moved.log_prob((x - [1.0, -2.0]) / [2.0, 0.5]), law.log_prob(x) + np.log(2.0 * 0.5), rtol=1e-12
    )
    assert_allclose(law.diffused(0.5, 0.0).log_prob(0.5 * x), law.log_prob(x) - 2 * np.log(0.5), rtol=1e-12)
    twice, once = law.diffused(0.8, 0.6).diffused(0.5, 0.7), law.diffused(0.4, np.hypot(0.3, 0.7))
    assert_allclose(twice.log_prob(x), once.log_prob(x), rtol=1e-12)
    noise = law.diffused(0.0, 2.0)
    assert_allclose(noise.log_prob(x), Gaussian([0, 0], 4.0).log_prob(x), rtol=1e-12)


@pytest.mark.parametrize("d", [1, 3, 100])
def test_other_dimensions(d):
    law = wide(d)
    x = law.sample(Stream(3), 30)
    assert_allclose(law.score(x), elementwise_grad(law.log_prob)(x), rtol=1e-9, atol=1e-9)
    noisy = law.diffused(0.8, 0.6)
    mean = law.posterior_mean(x, 0.8, 0.6)
    assert_allclose(0.8 * mean, x + 0.36 * noisy.score(x), atol=1e-10)
    cov = law.posterior_cov(x, 0.8, 0.6)
    assert cov.shape == (30, d, d)
    assert np.all(np.linalg.eigvalsh(cov) > 0)
    shared = GaussianMixture(Stream(4).normal(50, d), 0.3)
    assert_allclose(shared.score(x), elementwise_grad(shared.log_prob)(x), rtol=1e-8, atol=1e-8)
    narrow = shared.score(x.astype(np.float32))
    assert narrow.dtype == np.float32
    assert_allclose(narrow, shared.score(x.astype(np.float32).astype(float)), rtol=2e-4, atol=2e-4)


def test_entropies():
    covariance = np.array(COVS[0])
    expected = 0.5 * np.log(np.linalg.det(2 * np.pi * np.e * covariance))
    assert Gaussian([1, 2], covariance).entropy == pytest.approx(expected, rel=1e-14)
    assert Gaussian([1, 2], covariance).entropy_error == 0
    assert type(GaussianMixture(MEANS, 1.0).entropy) is float
    assert Gaussian(np.zeros(7), 2.0).entropy == pytest.approx(3.5 * np.log(2 * np.pi * np.e * 2), rel=1e-14)
    # Far apart, a mixture has the entropy of its weights more; on top of each other, none.
    for dim in (1, 2):
        one = Gaussian(np.zeros(dim), 0.3).entropy
        apart = GaussianMixture([np.zeros(dim), np.full(dim, 50.0)], 0.3, [0.25, 0.75])
        assert apart.entropy == pytest.approx(one - 0.25 * np.log(0.25) - 0.75 * np.log(0.75), abs=1e-9)
        assert GaussianMixture(np.zeros((2, dim)), 0.3).entropy == pytest.approx(one, abs=1e-9)
        covs = np.array([np.eye(dim) * 0.3] * 2)
        assert GaussianMixture(np.zeros((2, dim)), covs).entropy == pytest.approx(one, abs=1e-9)
    # In more dimensions by Monte Carlo, with its error stated.
    many = GaussianMixture(np.zeros((2, 3)), 0.3)
    assert 0 < many.entropy_error < 0.01
    assert abs(many.entropy - Gaussian(np.zeros(3), 0.3).entropy) < 4 * many.entropy_error
    # Components too narrow for a grid of their own.
    narrow = GaussianMixture([[0.0, 0.0], [1.0, 1.0]], 1e-8)
    assert abs(narrow.entropy - np.log(2) - Gaussian([0, 0], 1e-8).entropy) < 4 * narrow.entropy_error


def test_entropy_of_an_overlapping_mixture_in_one_dimension():
    law = GaussianMixture([[-1.0], [1.0]], 0.7)
    x = np.linspace(-15, 15, 100_001)
    log_p = law.log_prob(x[:, None])
    assert law.entropy == pytest.approx(-np.sum(np.exp(log_p) * log_p) * (x[1] - x[0]), abs=1e-9)


def test_methods_are_differentiable():
    law = GaussianMixture(MEANS, COVS)
    x = Stream(5).normal(4, 2)
    trace = elementwise_grad(lambda x: anp.sum(law.posterior_mean(x, 0.8, 0.6), axis=-1))(x)
    expected = (0.8 / 0.36) * law.posterior_cov(x, 0.8, 0.6).sum(
        -1
    )  # d E[x_0 | x_t] / d x_t = signal / std^2 Cov
    assert_allclose(trace, expected, rtol=1e-10)


def test_a_large_mixture_goes_in_pieces():
    law = GaussianMixture(Stream(6).normal(30_000, 2), 0.01)
    x = Stream(7).normal(50, 2)
    pieces = np.concatenate([law.score(x[i : i + 1]) for i in range(50)])
    assert_allclose(law.score(x), pieces, atol=1e-10)


def test_arrays_cannot_be_changed():
    law = GaussianMixture(MEANS, COVS)
    with pytest.raises(ValueError, match="read-only"):
        law.means[0, 0] = 5.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0, 1.0], 1.0), "means has shape"),
        ((np.zeros((0, 2)), 1.0), "means has shape"),
        (([[0.0, np.nan]], 1.0), "means holds a NaN"),
        (([[0.0], [1.0, 2.0]], 1.0), "rows of equal length"),
        ((MEANS, -1.0), "shared variance"),
        ((MEANS, [1.0, 0.0]), "shared variance"),
        ((MEANS, np.eye(2)), "covs has shape"),
        ((MEANS, np.inf), "covs holds a NaN or an infinity"),
        ((MEANS, [[[1.0, 0.5], [0.4, 1.0]]] * 2), "symmetric"),
        ((MEANS, [[[1.0, 2.0], [2.0, 1.0]]] * 2), "eigenvalue"),
        ((MEANS, 1.0, [0.5, 0.0]), "2 positive numbers"),
        ((MEANS, 1.0, [0.5]), "2 positive numbers"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        GaussianMixture(*arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda law: law.diffused(-1, 1), "signal is -1"),
        (lambda law: law.diffused(1, np.nan), "std is nan"),
        (lambda law: law.diffused(0, 0), "both 0"),
        (lambda law: law.diffused(1, 1e-200), "at least 1e-100"),
        (lambda law: law.diffused(np.ones((3, 1)), 1), "signal is"),
        (lambda law: law.posterior_mean(np.zeros((2, 2)), 0, 0), "both 0"),
        (lambda law: law.affine(0, 0), "scale is 0; it must be positive"),
        (lambda law: law.affine([1, 2, 3], 1), "shift is"),
        (lambda law: law.affine(np.inf, 1), "shift is inf"),
        (lambda law: law.sample(Stream(0), -1), "n is -1"),
        (lambda law: law.sample(Stream(0), 2.5), "n is 2.5"),
        (lambda law: law.log_prob(1.0), "x has shape"),
    ],
)
def test_bad_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call(GaussianMixture(MEANS, 1.0))
