"""Discrete chains: both forms of the ELBO against 50 digits, their terms, precision, gradients."""

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads
from mpmath import mp, mpf

from refgen.formulas import chain

mp.dps = 50
FORMS = [chain.consistency_elbo, chain.denoising_elbo]


def drawn(K, T, seed=0):
    rng = np.random.default_rng(seed)
    forward, reverse = rng.dirichlet(np.ones(K), (2, T, K))
    return forward, reverse, rng.dirichlet(np.ones(K)), int(rng.integers(K))


def exact_elbo(forward, reverse, prior, x_0):
    """The ELBO by a recursion over t with 50 digits: E_q of the sum of log-ratios, one step at a time."""
    T, K = forward.shape[:2]
    q = [mpf(int(k == x_0)) for k in range(K)]
    total = mpf(0)
    for t in range(T):
        F, R = forward[t], reverse[t]
        for s in range(K):
            for x in range(K):
                total += q[s] * mpf(F[s, x]) * (mp.log(mpf(R[x, s])) - mp.log(mpf(F[s, x])))
        q = [sum(q[s] * mpf(F[s, x]) for s in range(K)) for x in range(K)]
    return total + sum(q[x] * mp.log(mpf(prior[x])) for x in range(K))


@pytest.mark.parametrize(("K", "T"), [(2, 2), (3, 7), (5, 40)])
def test_both_forms_against_fifty_digits(K, T):
    tables = drawn(K, T)
    exact = float(exact_elbo(*tables))
    for form in FORMS:
        assert form(*tables) == pytest.approx(exact, rel=1e-13)


def test_one_step_chain_is_a_variational_autoencoder():
    """With T = 1 the bound is E log p(x_0 | x_1) minus the KL from the prior, and the sums are empty."""
    forward, reverse, prior, x_0 = drawn(3, 1)
    q = forward[0, x_0]
    vae = q @ np.log(reverse[0, :, x_0]) - q @ np.log(q / prior)
    assert chain.denoising_elbo(forward, reverse, prior, x_0) == pytest.approx(vae, rel=1e-14)
    assert chain.consistency_elbo(forward, reverse, prior, x_0) == pytest.approx(vae, rel=1e-14)
    assert chain.denoising_terms(forward, reverse, x_0) == []
    assert chain.consistency_terms(forward, reverse, x_0) == []


def test_denoising_terms_are_never_negative_and_consistency_terms_can_be():
    found = [drawn(3, 4, seed) for seed in range(30)]
    assert all(t >= 0 for f, r, _, x in found for t in chain.denoising_terms(f, r, x))
    assert any(t < 0 for f, r, _, x in found for t in chain.consistency_terms(f, r, x))


def test_posteriors_are_laws_and_the_first_is_certain():
    forward, _, _, x_0 = drawn(4, 5)
    for t in range(1, 6):
        np.testing.assert_allclose(chain.posterior(forward, x_0, t).sum(1), 1, rtol=1e-14)
    np.testing.assert_allclose(chain.posterior(forward, x_0, 1)[:, x_0], 1, rtol=1e-14)


def test_float32_stays():
    forward, reverse, prior, x_0 = drawn(3, 4)
    narrow = [a.astype(np.float32) for a in (forward, reverse, prior)]
    for form in FORMS:
        got = form(*narrow, x_0)
        assert got.dtype == np.float32
        assert got == pytest.approx(form(forward, reverse, prior, x_0), rel=1e-5)
    assert chain.posterior(narrow[0], x_0, 2).dtype == np.float32


def test_gradients_of_both_forms_agree():
    forward, reverse, prior, x_0 = drawn(3, 3)
    check_grads(lambda r: chain.denoising_elbo(forward, r, prior, x_0), modes=["rev"])(reverse)
    both = [grad(lambda r, form=form: form(forward, r, prior, x_0))(reverse) for form in FORMS]
    np.testing.assert_allclose(*both, rtol=1e-10, atol=1e-12)
