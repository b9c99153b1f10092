"""The drifts of stochastic differential equations against 50 digits, in every precision and dimension."""

import mpmath
import numpy as np
import pytest

from refgen.formulas import sde

mpmath.mp.dps = 50
mpf = mpmath.mpf
EPS = np.finfo(float).eps
MOMENTS = [(-0.05, 0.1), (-10.0, 20.0), (0.0, 1e-12), (-1e3, 2e3), (0.0, 160.0)]


def close(got, terms, limit=10):
    return abs(mpf(float(got)) - sum(terms)) <= limit * EPS * sum(map(abs, terms))


@pytest.mark.parametrize(("f", "g2"), MOMENTS)
def test_drifts_against_fifty_digits(f, g2):
    x, score, z = np.array([1.7]), np.array([-2.3e3]), np.array([0.4])
    fx, push = mpf(f) * mpf(1.7), -mpf(g2) * mpf(-2.3e3)
    assert close(sde.reverse_drift(x, score, f, g2)[0], [fx, push])
    assert close(sde.flow_velocity(x, score, f, g2)[0], [fx, push / 2])
    for noise in (0.0, 0.3, 1.0, 2.0):
        got = sde.marginal_drift(x, score, f, g2, noise)[0]
        assert close(got, [fx, push / 2, mpf(noise) ** 2 * push / 2])
    terms = [mpf(g2) / 2 * mpf(-5.5), mpf(g2) / 2 * mpf(-2.3e3) ** 2, -mpf(f), -fx * mpf(-2.3e3)]
    assert close(sde.log_density_rate(x, score, -5.5, f, g2), terms)
    for dt in (-0.01, 0.5, -1.0):
        step = mpmath.sqrt(mpf(g2) * abs(mpf(dt))) * mpf(0.4)
        terms = [mpf(1.7), mpf(dt) * mpf(-2.3e3), step]
        assert close(sde.euler_maruyama_step(x, score, g2, dt, z)[0], terms)


def test_the_general_forms_of_noise_that_is_the_same_everywhere():
    rng = np.random.default_rng(0)
    x, score = rng.normal(size=(2, 6, 3))
    diffusion = 2.5 * np.broadcast_to(np.eye(3), (6, 3, 3))
    none = np.zeros((6, 3))
    got = sde.general_reverse_drift(-0.7 * x, diffusion, none, score)
    np.testing.assert_allclose(got, sde.reverse_drift(x, score, -0.7, 2.5), rtol=1e-14)
    got = sde.general_flow_velocity(-0.7 * x, diffusion, none, score)
    np.testing.assert_allclose(got, sde.flow_velocity(x, score, -0.7, 2.5), rtol=1e-14)


def test_the_ends_of_the_family_are_the_flow_and_the_reverse():
    x, score = np.random.default_rng(1).normal(size=(2, 5, 2))
    flow, reverse = (f(x, score, -0.7, 2.5) for f in (sde.flow_velocity, sde.reverse_drift))
    np.testing.assert_array_equal(sde.marginal_drift(x, score, -0.7, 2.5, 0.0), flow)
    np.testing.assert_allclose(sde.marginal_drift(x, score, -0.7, 2.5), reverse, rtol=1e-14)


def test_known_numbers():
    """x = 2 under N(0, 2), f = -1/2, g^2 = 1: the law stands still at N(0, 1), here it shrinks."""
    x, score = np.array([2.0]), np.array([-1.0])
    assert sde.reverse_drift(x, score, -0.5, 1.0) == 0.0
    assert sde.flow_velocity(x, score, -0.5, 1.0) == -0.5
    assert sde.log_density_rate(x, score, -0.5, -0.5, 1.0) == -0.25
    # dx = x dW / 2 from 1, at t = 0.7 where x = exp(-t / 8): the printed flow has the other sign
    x, half = np.exp(-0.7 / 8), np.array([[0.25]])
    args = np.zeros(1), half * x**2, np.array([0.5 * x]), np.array([-1 / x])
    assert sde.general_flow_velocity(*args)[0] == pytest.approx(-x / 8)
    assert (args[0] - 0.5 * (args[1] @ args[3]))[0] == pytest.approx(x / 8)


@pytest.mark.parametrize("d", [1, 100])
def test_float32_stays_and_leading_axes_broadcast(d):
    x, score, z = np.random.default_rng(d).normal(size=(3, 4, 5, d)).astype(np.float32)
    matrix = np.ones((4, 5, d, d), np.float32)
    results = [
        sde.reverse_drift(x, score, -0.5, 1.0),
        sde.flow_velocity(x, score, -0.5, 1.0),
        sde.marginal_drift(x, score, -0.5, 1.0, 0.5),
        sde.euler_maruyama_step(x, score, 2.0, -0.1, z),
        sde.general_reverse_drift(x, matrix, z, score),
        sde.general_flow_velocity(x, matrix, z, score),
    ]
    assert all(r.dtype == np.float32 and r.shape == (4, 5, d) for r in results)
    rate = sde.log_density_rate(x, score, x[..., 0], -0.5, 1.0)
    assert rate.dtype == np.float32 and rate.shape == (4, 5)


def test_shapes_are_checked():
    x, score = np.zeros((4, 2)), np.zeros((4, 3))
    for drift in (sde.reverse_drift, sde.flow_velocity, sde.marginal_drift):
        with pytest.raises(ValueError, match=r"score has shape \(4, 3\)"):
            drift(x, score, -0.5, 1.0)
    with pytest.raises(ValueError, match="score has shape"):
        sde.log_density_rate(x, score, np.zeros(4), -0.5, 1.0)
    with pytest.raises(ValueError, match="z has shape"):
        sde.euler_maruyama_step(x, x, 1.0, -0.1, score)
    with pytest.raises(ValueError, match="score has shape"):
        sde.general_flow_velocity(x, np.ones((4, 2, 2)), x, score)
