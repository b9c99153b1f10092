"""The bound of an autoencoder against 50 digits, in float32, broadcast, in 1 and 100 dimensions."""

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads
from mpmath import mp, mpf

from refgen.formulas import gaussian, latent

EPS = np.finfo(float).eps
RNG = np.random.default_rng(0)


def assert_exact(got, terms):
    terms = list(terms)
    assert np.isfinite(got)
    assert abs(mpf(float(got)) - sum(terms)) <= 10 * EPS * sum(map(abs, terms))


def density(x, mean, var):
    """Terms of a Gaussian log-density, coordinate by coordinate."""
    for a, m, v in zip(x, mean, var, strict=True):
        yield -mp.log(2 * mp.pi * mpf(v)) / 2
        yield -((mpf(a) - mpf(m)) ** 2) / (2 * mpf(v))


def divergence(mean, var):
    for m, v in zip(mean, var, strict=True):
        yield from (mpf(v) / 2, mpf(m) ** 2 / 2, -mpf(0.5), -mp.log(mpf(v)) / 2)


@pytest.mark.parametrize("var", [1e-300, 1e-12, 0.3, 1.0, 7.0, 1e12])
@pytest.mark.parametrize(("d", "k"), [(1, 1), (3, 2), (2, 5)])
def test_against_fifty_digits(d, k, var):
    x, x_mean, x_var = RNG.normal(size=d), RNG.normal(size=d), RNG.uniform(0.1, 3, d)
    z, mean, q_var = RNG.normal(size=k), RNG.normal(size=k), var * RNG.uniform(0.5, 2, k)
    z = mean + np.sqrt(q_var) * z
    with mp.workdps(50):
        decoder, prior = list(density(x, x_mean, x_var)), list(density(z, 0 * z, 0 * z + 1))
        assert_exact(latent.kl_to_prior(mean, q_var), divergence(mean, q_var))
        bound = [*decoder, *(-term for term in divergence(mean, q_var))]
        assert_exact(latent.elbo(x, x_mean, x_var, mean, q_var), bound)
        assert_exact(latent.log_joint(x, z, x_mean, x_var), decoder + prior)
        if var > 1e-200:  # below, z - mean is lost in z
            lost = EPS * np.sum(abs(z) * abs(z - mean) / q_var)
            weight = mpf(float(latent.log_weight(x, z, x_mean, x_var, mean, q_var)))
            terms = [*decoder, *prior, *(-term for term in density(z, mean, q_var))]
            assert abs(weight - sum(terms)) <= 10 * (EPS * sum(map(abs, terms)) + lost)


@pytest.mark.parametrize("shift", [-1e4, 0.0, 1e4])
@pytest.mark.parametrize("n", [1, 2, 50])
def test_importance_against_fifty_digits_however_large_the_weights(n, shift):
    log_w = shift + 30 * RNG.normal(size=n)
    with mp.workdps(50):
        weights = [mp.exp(mpf(a)) for a in log_w]
        assert_exact(latent.importance_bound(log_w), [mp.log(sum(weights) / n)])
        for got, w in zip(latent.importance_weights(log_w), weights, strict=True):
            true = w / sum(weights)
            assert abs(mpf(float(got)) - true) <= EPS * (10 + 2 * abs(shift) + 300) * true + mpf(10) ** -300


def test_one_draw_is_the_bound_itself_and_equal_draws_too():
    log_w = RNG.normal(size=(3, 1))
    np.testing.assert_array_equal(latent.importance_bound(log_w), log_w[:, 0])
    np.testing.assert_allclose(latent.importance_bound(np.repeat(log_w, 7, axis=1)), log_w[:, 0], rtol=1e-14)
    across = latent.importance_bound(np.repeat(log_w, 2, axis=1), axis=0)
    assert across.shape == (2,)


def test_the_gradient_of_the_bound_is_not_that_of_the_mean():
    log_w = np.array([0.0, -3.0, 2.0])
    slope = grad(latent.importance_bound)(log_w)
    np.testing.assert_allclose(slope, latent.importance_weights(log_w), rtol=1e-14)
    assert np.max(abs(slope - 1 / 3)) > 0.5


def test_no_variance_is_an_autoencoder():
    mean, eps = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
    np.testing.assert_array_equal(latent.draw(mean, 0.0, eps), mean)
    assert not np.array_equal(latent.draw(mean, 0.1, eps), mean)
    assert latent.kl_to_prior(mean[0], 0.0) == np.inf
    assert latent.elbo(mean[0], mean[0], 1.0, mean[0], 0.0) == -np.inf


def test_lines_are_equal_and_the_last_is_below():
    q, joint = RNG.dirichlet(np.ones(4), size=5), 0.2 * RNG.dirichlet(np.ones(4), size=5)
    lines = latent.evidence_lines(q, joint)
    assert lines.shape == (5, 8)
    np.testing.assert_allclose(lines[:, :7], np.log(np.full((5, 7), 0.2)), rtol=1e-13)
    assert np.all(lines[:, 7] < np.log(0.2))
    exact = latent.evidence_lines(joint / 0.2, joint)
    np.testing.assert_allclose(exact, np.log(0.2), rtol=1e-13)


@pytest.mark.parametrize(("d", "k"), [(1, 1), (100, 3), (2, 100)])
def test_shapes_broadcasting_and_precision(d, k):
    x, x_mean, z = RNG.normal(size=(6, d)), RNG.normal(size=(6, d)), RNG.normal(size=(6, k))
    mean, var = RNG.normal(size=(6, k)), RNG.uniform(0.1, 2, (6, k))
    calls = [
        (latent.elbo, x, x_mean, 0.3, mean, var),
        (latent.log_weight, x, z, x_mean, 0.3, mean, var),
        (latent.log_joint, x, z, x_mean, np.full(d, 0.3)),
        (latent.kl_to_prior, mean, 0.7),
    ]
    for formula, *args in calls:
        full = formula(*args)
        assert full.shape == (6,)
        one = formula(*(a[2] if np.ndim(a) == 2 else a for a in args))
        assert one == pytest.approx(full[2], rel=1e-13)
        narrow = formula(*(a.astype(np.float32) if np.ndim(a) else a for a in args))
        assert narrow.dtype == np.float32
        np.testing.assert_allclose(narrow, full, rtol=1e-4)
    narrow = mean.astype(np.float32)
    for formula in (latent.importance_bound, latent.importance_weights):
        assert formula(narrow).dtype == np.float32
        np.testing.assert_allclose(formula(narrow), formula(mean), rtol=1e-5)
    assert latent.draw(narrow, 0.3, narrow).dtype == np.float32
    laws = np.full((2, 4), 0.25, np.float32)
    assert latent.evidence_lines(laws, laws).dtype == np.float32


def test_derivatives():
    x, x_mean = RNG.normal(size=(2, 3)), RNG.normal(size=(2, 3))
    mean, var = RNG.normal(size=(2, 2)), RNG.uniform(0.5, 2, (2, 2))
    check_grads(latent.elbo, order=1)(x, x_mean, 0.7, mean, var)
    check_grads(latent.importance_bound, order=1)(mean)
    check_grads(latent.importance_weights, order=1)(mean)
    check_grads(latent.draw, order=1)(mean, var, mean)


def test_a_rise_of_the_bound_says_nothing_where_the_likelihood_rises_more():
    np.testing.assert_array_equal(
        latent.gap_falls(np.array([1.0, 1.0, -1.0]), np.array([0.0, 2.0, -2.0])), [True, False, True]
    )


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: latent.elbo(np.ones(3), np.ones(2), 1.0, np.ones(1), np.ones(1)), "mean"),
        (lambda: latent.log_weight(np.ones(3), np.ones(2), np.ones(3), 1.0, np.ones(4), 1.0), "mean"),
        (lambda: latent.draw(np.ones(3), 1.0, np.ones(2)), "eps"),
        (lambda: latent.evidence_lines(np.ones(3) / 3, np.ones(2) / 2), "joint"),
    ],
)
def test_shapes_that_do_not_match_are_refused(call, word):
    with pytest.raises(ValueError, match=f"{word} has shape"):
        call()


def test_the_divergence_is_that_of_two_gaussians():
    mean, var = RNG.normal(size=4), RNG.uniform(0.1, 2, 4)
    whole = gaussian.kl_gaussian(mean, np.diag(var), np.zeros(4), np.eye(4))
    assert latent.kl_to_prior(mean, var) == pytest.approx(whole, rel=1e-13)
