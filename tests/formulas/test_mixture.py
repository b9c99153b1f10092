"""The mixture formulas against quadrature, Bayes' rule by hand, and automatic differentiation."""

import math

import autograd.numpy as np
import mpmath
import pytest
from autograd import elementwise_grad, hessian
from numpy.testing import assert_allclose
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from refgen.backend import Stream
from refgen.formulas import mixture

LEVELS = [(1.0, 0.05), (0.8, 0.6), (0.05, 0.99), (0.0, 1.0), (1.0, 30.0)]


def full(d=2, count=3, seed=0):
    rng = Stream(seed)
    roots = rng.normal(count, d, d)
    covs = roots @ np.swapaxes(roots, 1, 2) / d + 0.1 * np.eye(d)
    weights = 0.2 + rng.uniform(count)
    return weights / weights.sum(), 2 * rng.normal(count, d), covs


def shared(d=2, count=4, variance=None, seed=1):
    weights, means, _ = full(d, count, seed)
    return weights, means, np.linspace(0.3, 0.9, d) if variance is None else variance


LAWS = [full(), full(1), full(5), shared(), shared(1), shared(5), shared(12), shared(variance=0.25)]


def as_full(covs, count, d):
    return covs if np.ndim(covs) == 3 else np.broadcast_to(np.eye(d) * covs, (count, d, d))


@pytest.mark.parametrize("law", LAWS)
def test_log_prob_is_the_sum_of_normal_densities(law):
    weights, means, covs = law
    x = 3 * Stream(2).normal(50, means.shape[1])
    full_covs = as_full(covs, *means.shape)
    parts = [
        np.log(w) + multivariate_normal(m, s).logpdf(x)
        for w, m, s in zip(weights, means, full_covs, strict=True)
    ]
    assert_allclose(mixture.log_prob(x, *law), logsumexp(parts, axis=0), rtol=1e-11, atol=1e-11)
    r = mixture.responsibilities(x, *law)
    assert_allclose(r, np.exp(parts - logsumexp(parts, axis=0)).T, atol=1e-11)
    assert_allclose(r.sum(-1), 1, rtol=1e-14)


@pytest.mark.parametrize("law", LAWS)
def test_score_is_the_gradient_of_log_prob(law):
    x = 3 * Stream(3).normal(20, law[1].shape[1])
    gradient = elementwise_grad(lambda x: mixture.log_prob(x, *law))(x)
    assert_allclose(mixture.score(x, *law), gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("law", LAWS)
def test_posterior_moments_obey_tweedie(law, level):
    """TWE-2 and TWE-4, multiplied by signal so that they hold for pure noise too."""
    weights, means, covs = law
    signal, std = level
    x = signal * means[0] + 2 * Stream(4).normal(6, means.shape[1])
    noisy = weights, mixture.diffused_means(means, signal), mixture.diffused_covs(covs, signal, std)
    score = mixture.score(x, *noisy)
    mean = mixture.posterior_mean(x, *law, signal, std)
    assert_allclose(signal * mean, x + std**2 * score, atol=1e-11 * (1 + std**2))
    curvature = np.array([hessian(lambda y: mixture.log_prob(y, *noisy))(y) for y in x])
    cov = mixture.posterior_cov(x, *law, signal, std)
    expected = std**2 * (np.eye(means.shape[1]) + std**2 * curvature)
    assert_allclose(signal**2 * cov, expected, atol=1e-10 * (1 + std**2))
    assert np.all(np.linalg.eigvalsh(cov) > 0)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("law", [full(), shared(), shared(variance=0.25)])
def test_posterior_moments_are_integrals_over_x_0(law, level):
    signal, std = level
    x_t = signal * np.array([0.5, -1.0]) + std * np.array([0.3, 0.7])
    line = np.arange(-14, 14, 0.02)
    x_0 = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    prior = mixture.log_prob(x_0, *law)
    log_joint = prior - ((x_t - signal * x_0) ** 2).sum(-1) / (2 * std**2)
    p = np.exp(log_joint - log_joint.max())
    p /= p.sum()
    mean = p @ x_0
    assert_allclose(mixture.posterior_mean(x_t, *law, signal, std), mean, atol=1e-9)
    cov = (x_0 - mean).T @ ((x_0 - mean) * p[:, None])
    assert_allclose(mixture.posterior_cov(x_t, *law, signal, std), cov, atol=1e-9)


def test_points_have_a_softmax_denoiser():
    weights, points, _ = shared(3, 7)
    x_t, signal, std = np.array([[0.4, -0.2, 1.0]]), 0.9, 0.5
    softmax = weights * np.exp(-((x_t - signal * points) ** 2).sum(-1) / (2 * std**2))
    softmax /= softmax.sum()
    mean = softmax @ points
    assert_allclose(mixture.posterior_mean(x_t, weights, points, 0.0, signal, std)[0], mean, rtol=1e-13)
    cov = (points - mean).T @ ((points - mean) * softmax[:, None])
    assert_allclose(
        mixture.posterior_cov(x_t, weights, points, 0.0, signal, std)[0], cov, rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("law", LAWS)
def test_moments_of_the_mixture(law):
    weights, means, covs = law
    assert_allclose(mixture.mean(weights, means), np.average(means, axis=0, weights=weights))
    second = np.einsum("k,ki,kj->ij", weights, means, means) + np.einsum(
        "k,kij->ij", weights, as_full(covs, *means.shape)
    )
    mean = mixture.mean(weights, means)
    assert_allclose(mixture.cov(*law), second - np.outer(mean, mean), atol=1e-12)
    signal, std = 0.6, 0.8  # FWD-10
    noisy = weights, mixture.diffused_means(means, signal), mixture.diffused_covs(covs, signal, std)
    expected = signal**2 * mixture.cov(*law) + std**2 * np.eye(means.shape[1])
    assert_allclose(mixture.cov(*noisy), expected, atol=1e-12)


@pytest.mark.parametrize("std", [1e-4, 1.0, 1e3])
@pytest.mark.parametrize("distance", [1e-3, 1.0, 1e3])
def test_log_prob_to_rounding_from_the_centre_to_the_far_tail(std, distance):
    means, weights = np.array([[0.3, -0.1], [-1.0, 2.0]]), np.array([0.8, 0.2])
    x = np.array([[0.3 + distance, -0.1 - distance]])
    with mpmath.workdps(50):
        terms = []
        for w, m in zip(weights, means, strict=True):
            square = sum((mpmath.mpf(a) - mpmath.mpf(b)) ** 2 for a, b in zip(x[0], m, strict=True))
            v = mpmath.mpf(std) ** 2
            terms.append(mpmath.mpf(w) * mpmath.exp(-square / (2 * v)) / (2 * mpmath.pi * v))
        exact = float(mpmath.log(sum(terms)))
    assert mixture.log_prob(x, weights, means, std**2)[0] == pytest.approx(exact, rel=2e-15 * 10, abs=1e-14)
    covs = np.broadcast_to(std**2 * np.eye(2), (2, 2, 2))
    assert mixture.log_prob(x, weights, means, covs)[0] == pytest.approx(exact, rel=2e-14, abs=1e-13)


@pytest.mark.parametrize("law", [full(), shared(), shared(12)])
def test_float32_stays_and_is_accurate(law):
    x = Stream(5).normal(30, law[1].shape[1])
    narrow = [np.float32(a) for a in law]
    for function, level in [
        (mixture.log_prob, ()),
        (mixture.responsibilities, ()),
        (mixture.score, ()),
        (mixture.posterior_mean, (0.8, 0.6)),
        (mixture.posterior_cov, (0.8, 0.6)),
    ]:
        result = function(np.float32(x), *narrow, *level)
        assert result.dtype == np.float32
        assert_allclose(result, function(x, *law, *level), rtol=2e-4, atol=2e-4)
    assert mixture.diffused_covs(narrow[2], 0.8, 0.6).dtype == np.float32
    assert mixture.cov(*narrow).dtype == np.float32


@pytest.mark.parametrize("law", [full(), shared()])
@pytest.mark.parametrize("shape", [(2,), (0, 2), (3, 1, 4, 2)])
def test_any_leading_axes(law, shape):
    x = Stream(6).normal(*shape)
    assert mixture.log_prob(x, *law).shape == shape[:-1]
    assert mixture.score(x, *law).shape == shape
    assert mixture.responsibilities(x, *law).shape == (*shape[:-1], len(law[0]))
    assert mixture.posterior_mean(x, *law, 0.8, 0.6).shape == shape
    assert mixture.posterior_cov(x, *law, 0.8, 0.6).shape == (*shape, 2)


@pytest.mark.parametrize("d", [1, 3, 30])
def test_squared_distances(d):
    a, b = Stream(7).normal(5, d), 10 + Stream(8).normal(4, d)
    expected = ((a[:, None] - b) ** 2).sum(-1)
    assert_allclose(mixture.squared_distances(a, b), expected, rtol=1e-13)
    assert np.all(mixture.squared_distances(b, b) >= 0)


def test_another_last_axis_is_refused():
    with pytest.raises(ValueError, match=r"x has shape \(5, 3\)"):
        mixture.log_prob(np.zeros((5, 3)), *full())
    with pytest.raises(ValueError, match="x_t has shape"):
        mixture.posterior_mean(np.zeros((5, 3)), *full(), 0.8, 0.6)


def test_one_standard_normal():
    law = np.ones(1), np.zeros((1, 3)), 1.0
    assert mixture.log_prob(np.zeros(3), *law) == pytest.approx(-1.5 * math.log(2 * math.pi), rel=1e-15)
