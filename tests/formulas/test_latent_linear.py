"""The linear-Gaussian autoencoder against 50 digits, in float32, broadcast, in 1 and 100 dimensions."""

import mpmath as mp
import numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.formulas import latent_linear

EPS = np.finfo(float).eps


def model(d, k, n=None, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=d if n is None else (n, d))
    return x, rng.normal(size=(d, k)), rng.normal(size=d), 0.4


def encoder(k, n=None, seed=1):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(k, k)) / np.sqrt(k)
    return rng.normal(size=k if n is None else (n, k)), root @ root.T + 0.3 * np.eye(k)


def exact(x, mean, cov, weight, bias, var):
    """log p(x), posterior mean and covariance, bound and gap, and the bound's terms' magnitude."""
    d, k = weight.shape
    W, V, r = mp.matrix(weight.tolist()), mp.matrix(cov.tolist()), mp.matrix(x.tolist())
    r, m, s = r - mp.matrix(bias.tolist()), mp.matrix(mean.tolist()), mp.mpf(var)
    of_x = W * W.T + s * mp.eye(d)
    log_p = -(d * mp.log(2 * mp.pi) + mp.log(mp.det(of_x)) + (r.T * mp.lu_solve(of_x, r))[0]) / 2
    M = mp.eye(k) + W.T * W / s
    post_cov = M**-1
    post_mean = post_cov * W.T * r / s
    e, shift = r - W * m, m - post_mean
    spread, kl_trace = (W * V * W.T), (M * V)
    trace = sum(spread[i, i] for i in range(d)) / s
    terms = [
        -d * mp.log(2 * mp.pi * s) / 2, -(e.T * e)[0] / s / 2, -trace / 2,
        -(m.T * m)[0] / 2, -sum(V[i, i] for i in range(k)) / 2, mp.mpf(k) / 2, mp.log(mp.det(V)) / 2,
    ]  # fmt: skip
    quadratic = (shift.T * M * shift)[0]
    gap = sum(kl_trace[i, i] for i in range(k)) - k + quadratic - mp.log(mp.det(M)) - mp.log(mp.det(V))
    return log_p, post_mean, post_cov, sum(terms), gap / 2, sum(map(abs, terms)) + abs(log_p) + abs(gap)


@pytest.mark.parametrize("var", [1e-6, 0.4, 1e6])
@pytest.mark.parametrize(("d", "k"), [(1, 1), (3, 2), (2, 3)])
def test_against_fifty_digits(d, k, var):
    x, weight, bias, _ = model(d, k)
    parts = weight, bias, var
    mean, cov = encoder(k)
    with mp.workdps(50):
        log_p, post_mean, post_cov, bound, gap, scale = exact(x, mean, cov, *parts)
        # a nearly singular matrix is inverted where the decoder is sharp and x has more coordinates than z,
        # or z more than x: digits go as its condition number
        condition = max(1.0, float(np.sum(weight**2)) / var) if d != k else 1.0
        limit = 40 * EPS * condition
        assert abs(latent_linear.log_likelihood(x, *parts) - log_p) <= limit * scale
        assert abs(latent_linear.elbo(x, mean, cov, *parts) - bound) <= 40 * EPS * scale
        assert abs(latent_linear.gap(x, mean, cov, *parts) - gap) <= limit * scale
        assert abs(latent_linear.negative_elbo(x, mean, cov, *parts) + bound) <= limit * scale
        got_mean, got_cov = latent_linear.posterior(x, *parts)
        for i in range(k):
            assert abs(got_mean[i] - post_mean[i]) <= limit * (1 + max(map(abs, post_mean)))
            for j in range(k):
                assert abs(got_cov[i, j] - post_cov[i, j]) <= limit


@pytest.mark.parametrize(("d", "k"), [(1, 1), (100, 3), (3, 100)])
def test_shapes_broadcasting_and_precision(d, k):
    x, *parts = model(d, k, n=5)
    mean, cov = encoder(k, n=5)
    down = lambda a: a.astype(np.float32) if isinstance(a, np.ndarray) else a  # noqa: E731
    calls = [
        (latent_linear.elbo, x, mean, cov, *parts),
        (latent_linear.gap, x, mean, cov, *parts),
        (latent_linear.negative_elbo, x, mean, cov, *parts),
        (latent_linear.log_likelihood, x, *parts),
    ]
    for formula, *args in calls:
        full = formula(*args)
        assert full.shape == (5,)
        one = [a[2] if a is x or a is mean else a for a in args]
        assert formula(*one) == pytest.approx(full[2], rel=1e-9)
        narrow = formula(*map(down, args))
        assert narrow.dtype == np.float32
        np.testing.assert_allclose(narrow, full, rtol=2e-3)
    for formula in (latent_linear.posterior, latent_linear.best_diagonal):
        for got, wide in zip(formula(*map(down, (x, *parts))), formula(x, *parts), strict=True):
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, wide, atol=2e-3)
    each = np.broadcast_to(cov, (5, k, k))
    np.testing.assert_allclose(
        latent_linear.gap(x, mean, each, *parts), latent_linear.gap(x, mean, cov, *parts), rtol=1e-9
    )


def test_bound_gap_and_likelihood_add_up_and_the_posterior_closes_the_gap():
    x, *parts = model(3, 2, n=4)
    mean, cov = encoder(2, n=4)
    total = latent_linear.elbo(x, mean, cov, *parts) + latent_linear.gap(x, mean, cov, *parts)
    np.testing.assert_allclose(total, latent_linear.log_likelihood(x, *parts), rtol=1e-12)
    exact_mean, exact_cov = latent_linear.posterior(x, *parts)
    np.testing.assert_allclose(latent_linear.gap(x, exact_mean, exact_cov, *parts), 0, atol=1e-14)
    best, variances = latent_linear.best_diagonal(x, *parts)
    np.testing.assert_array_equal(best, exact_mean)
    assert np.all(variances < np.diag(exact_cov))
    gap = latent_linear.gap(x, best, np.diag(variances), *parts)
    for other in (0.9 * variances, 1.1 * variances, np.diag(exact_cov)):
        assert np.all(gap < latent_linear.gap(x, best, np.diag(other), *parts))


def test_a_decoder_that_says_nothing_of_z_leaves_the_prior():
    x, weight, bias, var = model(3, 2)
    mean, cov = latent_linear.posterior(x, 0 * weight, bias, var)
    np.testing.assert_array_equal(mean, 0)
    np.testing.assert_array_equal(cov, np.eye(2))


@pytest.mark.parametrize(("d", "k"), [(2, 1), (5, 2), (100, 3)])
def test_principal_components_reach_their_likelihood(d, k):
    rng = np.random.default_rng(d)
    data = rng.normal(size=(4 * d, d)) * np.linspace(3, 1, d)
    centred = data - data.mean(0)
    values, axes = np.linalg.eigh(centred.T @ centred / len(data))
    values, axes = values[::-1], axes[:, ::-1]
    weight, var = latent_linear.best_model(values, axes, k)
    reached = np.mean(latent_linear.log_likelihood(data, weight, data.mean(0), var))
    assert latent_linear.best_likelihood(values, k) == pytest.approx(reached, rel=1e-12)
    assert np.mean(latent_linear.log_likelihood(data, 1.01 * weight, data.mean(0), var)) < reached
    assert np.mean(latent_linear.log_likelihood(data, weight, data.mean(0), 1.01 * var)) < reached
    narrow = latent_linear.best_model(values.astype(np.float32), axes.astype(np.float32), k)
    assert [a.dtype for a in narrow] == [np.float32, np.float32]
    assert latent_linear.best_likelihood(values.astype(np.float32), k).dtype == np.float32


def test_derivatives():
    x, weight, bias, _ = model(2, 2, n=3)
    mean, cov = encoder(2, n=3)
    check_grads(lambda m, w, b, v: latent_linear.elbo(x, m, cov, w, b, v), modes=["rev"], order=1)(
        mean, weight, bias, 0.4
    )
    check_grads(lambda w, b, v: latent_linear.log_likelihood(x, w, b, v), modes=["rev"], order=1)(
        weight, bias, 0.4
    )
    check_grads(lambda m, w: latent_linear.gap(x, m, cov, w, bias, 0.4), modes=["rev"], order=1)(mean, weight)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: latent_linear.log_likelihood(np.ones(2), np.ones((3, 1)), np.ones(3), 1.0),
            "bias has shape",
        ),
        (lambda: latent_linear.posterior(np.ones(2), np.ones((3, 1)), np.ones(3), 1.0), "bias has shape"),
        (
            lambda: latent_linear.elbo(np.ones(3), np.ones(2), np.eye(2), np.ones((3, 1)), np.ones(3), 1.0),
            "weight has shape",
        ),
        (lambda: latent_linear.best_model(np.ones(3), np.eye(2), 1), "axes has shape"),
        (
            lambda: latent_linear.best_model(np.ones(3), np.eye(3), 3),
            "k is 3; it must be at least 1",
        ),
        (lambda: latent_linear.best_likelihood(np.ones(3), 0), "k is 0; it must be at least 1"),
    ],
)
def test_shapes_that_do_not_match_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
