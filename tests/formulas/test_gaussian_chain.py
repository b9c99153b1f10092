"""The ELBO of a linear-Gaussian chain against 50 digits, and where it must be the log-likelihood itself."""

import numpy as np
import pytest
from autograd import grad
from mpmath import mp, mpf

from refgen import schedules
from refgen.formulas import gaussian_chain

mp.dps = 50
FORMS = [gaussian_chain.consistency_elbo, gaussian_chain.denoising_elbo]


def drawn(T, d=1):
    rng = np.random.default_rng(T)
    alpha, var = rng.uniform(0.2, 0.99, T), rng.uniform(0.05, 2, T)
    return dict(
        x_0=rng.normal(size=d), alpha=alpha, slope=rng.normal(size=T), offset=rng.normal(size=T), var=var
    )


def exact_elbo(x_0, alpha, slope, offset, var):
    """E_q of the log-densities, one step at a time, from the joint of x_{t-1} and x_t."""
    total = mpf(0)
    for clean in x_0:
        mean, spread = mpf(clean), mpf(0)
        for a, k, b, v in zip(alpha, slope, offset, var, strict=True):
            a, k, b, v = mpf(a), mpf(k), mpf(b), mpf(v)
            cross, after = mp.sqrt(a) * spread, a * spread + 1 - a
            square = (mean - k * mp.sqrt(a) * mean - b) ** 2 + spread - 2 * k * cross + k**2 * after
            total += -(mp.log(2 * mp.pi * v) + square / v) / 2 + (mp.log(2 * mp.pi * (1 - a)) + 1) / 2
            mean, spread = mp.sqrt(a) * mean, after
        total -= (mp.log(2 * mp.pi) + mean**2 + spread) / 2
    return total


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("T", "d"), [(2, 1), (5, 3), (60, 1)])
def test_against_fifty_digits(form, T, d):
    assert form(**drawn(T, d)) == pytest.approx(float(exact_elbo(**drawn(T, d))), rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_perfect_model_reaches_the_likelihood_at_a_thousand_steps(form):
    alpha = schedules.linear(1000).alpha[1:]
    got = form(np.array([0.7]), alpha, np.sqrt(alpha), 0 * alpha, 1 - alpha)
    assert got == pytest.approx(-0.5 * np.log(2 * np.pi) - 0.5 * 0.49, rel=1e-11)


@pytest.mark.parametrize("form", FORMS)
def test_shapes_precision_and_gradient(form):
    model = drawn(3)
    model["x_0"] = np.random.default_rng(0).normal(size=(4, 100))
    assert form(**model).shape == (4,)
    assert form(**model)[2] == pytest.approx(form(**(model | dict(x_0=model["x_0"][2]))))
    narrow = form(**{name: a.astype(np.float32) for name, a in model.items()})
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, form(**model), rtol=1e-4)
    slopes = [
        grad(lambda s, f=f: np.sum(f(**(model | dict(slope=s)))))(model["slope"]) for f in (form, FORMS[0])
    ]
    np.testing.assert_allclose(*slopes, rtol=1e-10)
