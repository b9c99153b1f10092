"""Gaussian identities against 50 digits, in float32, broadcast, in 1 and 100 dimensions."""

from functools import partial

import mpmath as mp
import numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.formulas import gaussian

EPS = np.finfo(float).eps
RNG = np.random.default_rng(0)


def to_mp(a):
    return mp.matrix(np.atleast_2d(a).tolist())


def cov(d, rng=RNG):
    root = rng.normal(size=(d, d)) / np.sqrt(d)
    return root @ root.T + np.eye(d)


def exact_log_prob(x, mean, sigma):
    """The log-density and the sum of the magnitudes of its terms."""
    r, s = to_mp(np.subtract(x, mean)).T, to_mp(sigma)
    terms = [len(x) * mp.log(2 * mp.pi) / 2, mp.log(mp.det(s)) / 2, (r.T * mp.lu_solve(s, r))[0] / 2]
    return -sum(terms), sum(map(abs, terms))


def assert_exact(got, true, scale, ulps=10):
    assert np.isfinite(got)
    assert abs(mp.mpf(float(got)) - true) <= ulps * EPS * scale


@pytest.mark.parametrize("d", [1, 2, 5])
def test_log_prob_and_kl_against_50_digits(d):
    with mp.workdps(50):
        for _ in range(5):
            x, m, s_0, s_1 = 3 * RNG.normal(size=d), RNG.normal(size=d), cov(d), cov(d)
            assert_exact(gaussian.log_prob(x, m, s_0), *exact_log_prob(x, m, s_0))
            r, a, b = to_mp(x - m).T, to_mp(s_0), to_mp(s_1)
            trace = sum(mp.lu_solve(b, a[:, j])[j] for j in range(d))
            terms = [trace, -d, (r.T * mp.lu_solve(b, r))[0], mp.log(mp.det(b)), -mp.log(mp.det(a))]
            assert_exact(gaussian.kl_gaussian(x, s_0, m, s_1), sum(terms) / 2, sum(map(abs, terms)) / 2)
            mean, var = gaussian.condition(np.append(x, 1.0), cov_1 := cov(d + 1), np.array([2.0]))
            gain = [mp.mpf(c) / mp.mpf(cov_1[d, d]) for c in cov_1[:d, d].tolist()]
            for i in range(d):
                assert_exact(mean[i], x[i] + gain[i], abs(x[i]) + abs(gain[i]))
                for j in range(d):
                    terms = mp.mpf(cov_1[i, j]), -gain[i] * mp.mpf(cov_1[d, j])
                    assert_exact(var[i, j], sum(terms), sum(map(abs, terms)))


@pytest.mark.parametrize("var", [1e-300, 1e-20, 1e-6, 0.3, 1.0, 7.0, 1e6, 1e300])
def test_isotropic_density_and_divergences_over_the_whole_range(var):
    x, m = RNG.normal(size=3), RNG.normal(size=3)
    with mp.workdps(50):
        square, v, w = sum((mp.mpf(a) - mp.mpf(b)) ** 2 for a, b in zip(x, m, strict=True)), mp.mpf(var), 1.7
        norm = 1.5 * (mp.log(2 * mp.pi) + mp.log(v))
        size = 1.5 * (mp.log(2 * mp.pi) + abs(mp.log(v)))
        assert_exact(gaussian.log_normaliser(var, 3), norm, size)
        assert_exact(
            gaussian.log_prob_isotropic(x, m, var), -square / (2 * v) - norm, square / (2 * v) + size
        )
        assert_exact(gaussian.kl_same_var(x, m, var), square / (2 * v), square / (2 * v))
        terms = [3 * v / mp.mpf(w), -3, 3 * mp.log(mp.mpf(w)), -3 * mp.log(v), square / mp.mpf(w)]
        assert_exact(gaussian.kl_diagonal(x, var, m, w), sum(terms) / 2, sum(map(abs, terms)) / 2)


def test_forms_of_the_density_agree_and_broadcast():
    x, m = RNG.normal(size=(4, 3)), RNG.normal(size=3)
    var = np.array([0.5, 1.0, 3.0])
    full = gaussian.log_prob(x, m, np.diag(var))
    np.testing.assert_allclose(gaussian.log_prob_isotropic(x, m, var), full, rtol=1e-13)
    np.testing.assert_allclose(gaussian.log_prob(x, m, np.stack([np.diag(var)] * 4)), full, rtol=1e-14)
    each = gaussian.log_prob_isotropic(x, m, np.array([[1.0], [2.0], [3.0], [4.0]]))
    one_by_one = [gaussian.log_prob_isotropic(x[i], m, i + 1.0) for i in range(4)]
    np.testing.assert_allclose(each, one_by_one, rtol=1e-14)
    kl = gaussian.kl_gaussian(x, np.diag(var), m, 2 * np.eye(3))
    np.testing.assert_allclose(gaussian.kl_diagonal(x, var, m, 2.0), kl, rtol=1e-13)
    assert gaussian.kl_same_var(x, m, np.ones(4)).shape == (4,)
    mean, given = gaussian.condition(x, cov(3), np.zeros((4, 1)))
    assert mean.shape == (4, 2)
    assert given.shape == (2, 2)


@pytest.mark.parametrize("d", [1, 100])
def test_float32_stays_float32_in_one_and_in_a_hundred_dimensions(d):
    x, m, s = RNG.normal(size=(6, d)), RNG.normal(size=d), cov(d)
    f32 = [a.astype(np.float32) for a in (x, m, s)]
    one = np.ones((6, 1), np.float32)
    pairs = [
        (gaussian.log_prob(*f32), gaussian.log_prob(x, m, s)),
        (gaussian.log_prob_isotropic(*f32[:2], 0.7), gaussian.log_prob_isotropic(x, m, 0.7)),
        (gaussian.log_prob_isotropic(*f32[:2], one), gaussian.log_prob_isotropic(x, m, 1.0)),
        (gaussian.kl_gaussian(f32[0], f32[2], f32[1], 2 * f32[2]), gaussian.kl_gaussian(x, s, m, 2 * s)),
        (gaussian.kl_diagonal(f32[0], 0.5, f32[1], 2.0), gaussian.kl_diagonal(x, 0.5, m, 2.0)),
        (gaussian.kl_same_var(*f32[:2], 0.5), gaussian.kl_same_var(x, m, 0.5)),
        (gaussian.reparametrise(f32[1], f32[2], f32[0]), gaussian.reparametrise(m, s, x)),
        (gaussian.merge_noise(f32[0], f32[0], 0.3, 0.4)[0], gaussian.merge_noise(x, x, 0.3, 0.4)[0]),
        (gaussian.sum_of_gaussians(f32[0], 1.0, f32[0], 1.0)[0], 2 * x),
        (gaussian.complete_the_square(2.0, 3.0, f32[0]), gaussian.complete_the_square(2.0, 3.0, x)),
    ]
    for narrow, wide in pairs:
        assert narrow.dtype == np.float32
        assert narrow.shape == wide.shape
        np.testing.assert_allclose(narrow, wide, rtol=2e-4, atol=1e-4)


def test_square_sum_and_merged_noise_against_50_digits():
    with mp.workdps(50):
        for A, B, x in RNG.normal(size=(20, 3)) * 10.0 ** RNG.integers(-6, 6, size=(20, 3)):
            a, b, y = map(mp.mpf, (A, B, x))
            terms = a * y * y, -b * y, b * b / (4 * a)
            assert_exact(gaussian.complete_the_square(A, B, x), sum(terms), sum(map(abs, terms)))
            eps, std = gaussian.merge_noise(np.array([B]), np.array([x]), abs(A), abs(B))
            exact_std = mp.sqrt(a * a + b * b)
            assert_exact(std, exact_std, exact_std)
            terms = abs(a) * b / exact_std, abs(b) * y / exact_std
            assert_exact(eps[0], sum(terms), sum(map(abs, terms)))


def test_gradients():
    grads = partial(check_grads, modes=["rev"], order=1)
    x, m, a = RNG.normal(size=(3, 2)), RNG.normal(size=2), RNG.normal(size=(2, 2))
    grads(lambda m, a: gaussian.log_prob(x, m, a @ a.T + np.eye(2)))(m, a)
    grads(lambda m, a: gaussian.kl_gaussian(x, np.eye(2), m, a @ a.T + np.eye(2)))(m, a)
    grads(lambda m, v: gaussian.log_prob_isotropic(x, m, v))(m, 2.0)
    grads(lambda m, v: gaussian.kl_diagonal(m, v, x, 1.5))(m, np.array([0.3, 2.0]))


def test_the_sum_of_a_gaussian_and_its_signed_self_is_not_gaussian():
    assert gaussian.sum_is_gaussian(True, 0.3)
    assert gaussian.sum_is_gaussian(False, -1.0)
    assert not gaussian.sum_is_gaussian(False, 0.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: gaussian.log_prob(np.zeros(3), np.zeros(2), np.eye(3)),
        lambda: gaussian.log_prob(np.zeros(3), np.zeros(3), np.eye(2)),
        lambda: gaussian.log_prob_isotropic(np.zeros((4, 3)), np.zeros(2), 1.0),
        lambda: gaussian.kl_gaussian(np.zeros(2), np.eye(2), np.zeros(3), np.eye(3)),
        lambda: gaussian.kl_diagonal(np.zeros(2), 1.0, np.zeros(3), 1.0),
        lambda: gaussian.kl_same_var(np.zeros(2), np.zeros(3), 1.0),
        lambda: gaussian.merge_noise(np.zeros(2), np.zeros(3), 1.0, 1.0),
        lambda: gaussian.reparametrise(np.zeros(2), np.eye(3), np.zeros(3)),
        lambda: gaussian.condition(np.zeros(2), np.eye(2), np.zeros(2)),
    ],
)
def test_shapes_that_do_not_fit_raise(call):
    with pytest.raises(ValueError, match=r"shape|coordinates"):
        call()
