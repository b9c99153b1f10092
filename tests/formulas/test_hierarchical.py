"""Hierarchies of latent levels against 50 digits, in float32, broadcast, of few and many levels."""

from itertools import pairwise

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads
from mpmath import mp, mpf

from refgen.formulas import hierarchical, latent, latent_linear
from refgen.formulas.hierarchical import Step


def chain(*dims, seed=0):
    """Encoder and decoder of levels of dims[0] (x), dims[1], ... coordinates."""
    rng = np.random.default_rng(seed)

    def step(to, of):
        return Step(rng.normal(size=(to, of)) / np.sqrt(of), rng.normal(size=to), rng.uniform(0.2, 1.5))

    pairs = list(pairwise(dims))
    return [step(up, low) for low, up in pairs], [step(low, up) for low, up in pairs]


def exact_bound(x, encoder, decoder):
    """The bound of a chain of one coordinate each, from mean, variance and covariance of two neighbours."""
    mean, spread, total = mpf(float(x[0])), mpf(0), mpf(0)
    for up, down in zip(encoder, decoder, strict=True):
        a, b, v = mpf(float(up.weight[0, 0])), mpf(float(up.bias[0])), mpf(up.var)
        k, c, s = mpf(float(down.weight[0, 0])), mpf(float(down.bias[0])), mpf(down.var)
        after, across, next_mean = a * a * spread + v, a * spread, a * mean + b
        square = (mean - k * next_mean - c) ** 2 + spread - 2 * k * across + k * k * after
        total += -(mp.log(2 * mp.pi * s) + square / s) / 2 + (mp.log(2 * mp.pi * v) + 1) / 2
        mean, spread = next_mean, after
    return total - (mp.log(2 * mp.pi) + mean**2 + spread) / 2


def exact_likelihood(x, decoder):
    mean, var = mpf(0), mpf(1)
    for down in decoder[::-1]:
        k = mpf(float(down.weight[0, 0]))
        mean, var = k * mean + mpf(float(down.bias[0])), k * k * var + mpf(down.var)
    return -(mp.log(2 * mp.pi * var) + (mpf(float(x[0])) - mean) ** 2 / var) / 2


@pytest.mark.parametrize("T", [1, 2, 5, 40])
def test_against_fifty_digits(T):
    encoder, decoder = chain(*[1] * (T + 1))
    x = np.array([0.7])
    with mp.workdps(50):
        bound, log_p = exact_bound(x, encoder, decoder), exact_likelihood(x, decoder)
        assert hierarchical.elbo(x, encoder, decoder) == pytest.approx(float(bound), rel=1e-13)
        assert hierarchical.log_likelihood(x, decoder) == pytest.approx(float(log_p), rel=1e-12)
        assert hierarchical.gap(x, encoder, decoder) == pytest.approx(float(log_p - bound), rel=1e-11)


@pytest.mark.parametrize("dims", [(1, 1), (2, 1), (3, 2, 1), (2, 3, 1, 2), (100, 3, 2)])
def test_bound_and_gap_make_the_likelihood(dims):
    encoder, decoder = chain(*dims)
    x = np.random.default_rng(1).normal(size=(4, dims[0]))
    log_p = hierarchical.log_likelihood(x, decoder)
    gap = hierarchical.gap(x, encoder, decoder)
    assert log_p.shape == gap.shape == (4,)
    assert np.all(gap > 0)
    np.testing.assert_allclose(hierarchical.elbo(x, encoder, decoder) + gap, log_p, rtol=1e-10)
    np.testing.assert_allclose(hierarchical.gap(x[2], encoder, decoder), gap[2], rtol=1e-11)
    up, down = hierarchical.deeper(encoder, decoder, 0.6)
    assert len(up) == len(down) == len(dims)
    np.testing.assert_allclose(hierarchical.gap(x, up, down), gap, rtol=1e-10)


def points_of(dims, n=5):
    rng = np.random.default_rng(3)
    levels = [rng.normal(size=(n, d)) for d in dims]
    down = [rng.normal(size=(n, d)) for d in dims[:-1]], [rng.uniform(0.2, 2, d) for d in dims[:-1]]
    up = [rng.normal(size=(n, d)) for d in dims[1:]], [rng.uniform(0.2, 2, (n, d)) for d in dims[1:]]
    return levels, down, up


def test_one_level_is_a_variational_autoencoder():
    (x, z), ((x_mean,), (x_var,)), ((mean,), (var,)) = points_of((3, 2))
    np.testing.assert_allclose(
        hierarchical.log_weight([x, z], [x_mean], [x_var], [mean], [var]),
        latent.log_weight(x, z, x_mean, x_var, mean, var),
        rtol=1e-14,
    )
    (up,), (down,) = chain(3, 2)
    mean = x @ up.weight.T + up.bias
    np.testing.assert_allclose(
        hierarchical.elbo(x, [up], [down]), latent_linear.elbo(x, mean, up.var * np.eye(2), *down), rtol=1e-12
    )


def test_the_weight_is_the_sum_of_all_factors():
    levels, down, up = points_of((2, 3, 1, 4))

    def density(z, mean, var):
        return -0.5 * np.sum((z - mean) ** 2 / var + np.log(2 * np.pi * var), axis=-1)

    joint = sum(map(density, levels[:-1], *down)) + density(levels[-1], 0.0, np.ones(4))
    encoded = sum(map(density, levels[1:], *up))
    np.testing.assert_allclose(hierarchical.log_joint(levels, *down), joint, rtol=1e-13)
    np.testing.assert_allclose(hierarchical.log_q(levels, *up), encoded, rtol=1e-13)
    np.testing.assert_allclose(hierarchical.log_weight(levels, *down, *up), joint - encoded, rtol=1e-12)


def narrowed(steps):
    return [Step(step.weight.astype(np.float32), step.bias.astype(np.float32), step.var) for step in steps]


@pytest.mark.parametrize("dims", [(1, 1), (100, 2, 3)])
def test_precision(dims):
    encoder, decoder = chain(*dims)
    x = np.random.default_rng(1).normal(size=(4, dims[0]))
    narrow = x.astype(np.float32), narrowed(encoder), narrowed(decoder)
    for formula in (hierarchical.elbo, hierarchical.gap):
        assert formula(*narrow).dtype == np.float32
        np.testing.assert_allclose(formula(*narrow), formula(x, encoder, decoder), rtol=2e-3)
    assert hierarchical.log_likelihood(narrow[0], narrow[2]).dtype == np.float32
    up, down = hierarchical.deeper(*narrow[1:], 0.5)
    assert {a.dtype for step in (up[-1], down[-1]) for a in step[:2]} == {np.dtype(np.float32)}
    levels, p, q = points_of(dims)
    low = [[a.astype(np.float32) for a in part] for part in (levels, *p, *q)]
    assert hierarchical.log_weight(*low).dtype == np.float32
    np.testing.assert_allclose(
        hierarchical.log_weight(*low), hierarchical.log_weight(levels, *p, *q), rtol=1e-4, atol=1e-3
    )


def test_derivatives_and_the_highest_bound():
    encoder, decoder = chain(1, 1)
    x = np.array([0.7])
    down = decoder[0]

    def of_encoder(weight, bias, var):
        return hierarchical.elbo(x, [Step(weight, bias, var)], decoder)

    check_grads(of_encoder, modes=["rev"], order=1)(*encoder[0])
    check_grads(lambda w: hierarchical.gap(x, encoder, [down._replace(weight=w)]), modes=["rev"], order=1)(
        down.weight
    )
    check_grads(lambda w: hierarchical.log_likelihood(x, [down._replace(weight=w)]), modes=["rev"], order=1)(
        down.weight
    )
    mean, cov = latent_linear.posterior(x, *down)
    best = 0 * down.weight, mean, float(cov[0, 0])
    for place in range(3):
        assert np.max(abs(grad(of_encoder, place)(*best))) < 1e-13


@pytest.mark.parametrize("keep", [-0.99, 0.0, 0.5, 0.99])
def test_a_level_more_changes_nothing(keep):
    encoder, decoder = chain(2, 2)
    x = np.array([0.3, -1.0])
    deeper = hierarchical.deeper(encoder, decoder, keep)
    twice = hierarchical.deeper(*deeper, -keep)
    for up, down in (deeper, twice):
        for formula in (hierarchical.elbo, hierarchical.gap):
            assert formula(x, up, down) == pytest.approx(formula(x, encoder, decoder), rel=1e-11)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hierarchical.log_joint([np.ones(1)] * 3, [np.ones(1)], [1.0]), "3 levels and 1 steps"),
        (lambda: hierarchical.log_q([np.ones(1)] * 2, [np.ones(1)], []), "2 levels and 0 steps"),
        (lambda: hierarchical.elbo(np.ones(2), chain(2, 1)[0], chain(2, 1, 1)[1]), "2 levels and 2 steps"),
        (lambda: hierarchical.gap(np.ones(2), [], []), "1 levels and 0 steps"),
        (lambda: hierarchical.elbo(np.ones(3), *chain(2, 1)), "weight has shape"),
        (lambda: hierarchical.log_joint([np.ones(2), np.ones(1)], [np.ones(3)], [1.0]), "mean has shape"),
        (lambda: hierarchical.log_likelihood(np.ones(2), []), "decoder has no steps"),
    ],
)
def test_what_does_not_fit_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
