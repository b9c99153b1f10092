"""What the tests of the flows share: float64 parameters that move things, and checks for any of them."""

from __future__ import annotations

import numpy as np
import pytest
from autograd import grad
from scipy.optimize import minimize

from refgen import training
from refgen.backend import Stream
from refgen.distributions import named
from refgen.formulas import flow
from refgen.formulas.gaussian import log_prob, log_prob_isotropic
from refgen.metrics import directions, sampling_floor, sliced_wasserstein


def some_params(model, size=0.3, seed=0):
    """Parameters in float64 of no layer zero."""
    params = model.init(Stream(seed)).astype(float)
    return params + size * Stream(seed + 1).normal(len(params))


def check_round_trip(model, params, tolerance, n=200):
    """Forth and back is where one was, and the log-determinants of both ways are the same, map by map."""
    z = Stream(2).normal(n, model.dim)
    x, there = model.forward(params, z)
    back, here = model.inverse(params, x)
    assert np.max(np.abs(x - z)) > 0.1
    np.testing.assert_allclose(back, z, atol=tolerance)
    np.testing.assert_allclose(sum(here), sum(there), atol=tolerance)
    assert len(here) == len(there)


def check_full_jacobian(model, params, tolerance, n=12):
    """The sum of log-determinants is that of the Jacobian of the whole map, and so is the log-density."""
    x = 1.5 * Stream(3).normal(n, model.dim)
    inverse = lambda a: model.inverse(params, a)[0]  # noqa: E731
    jac = flow.jacobian(inverse, x)
    np.testing.assert_allclose(-sum(model.inverse(params, x)[1]), np.linalg.slogdet(jac)[1], atol=tolerance)
    base = lambda z: log_prob_isotropic(z, 0 * z, 1.0)  # noqa: E731
    np.testing.assert_allclose(model.log_prob(params, x), flow.log_prob(x, inverse, base), atol=tolerance)


def check_integral(model, params, limit=12.0, count=401, tolerance=1e-3):
    """The density has the integral 1 over a square, by a grid."""
    axis = np.linspace(-limit, limit, count)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    total = sum(np.exp(model.log_prob(params, part)).sum() for part in np.array_split(grid, 40))
    assert total * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=tolerance)


def check_best_affine(model, x, tolerance=1e-6):
    """A flow without couplings, fitted by its own loss and gradient, is the closed form of the affine fit."""
    start = model.init(Stream(0)).astype(float)
    loss = lambda params: model.loss(params, x, Stream(0))  # noqa: E731
    found = minimize(loss, start, jac=grad(loss), method="BFGS", options={"gtol": 1e-9}).x
    shift, lower = best = flow.affine_fit(x)
    for part, exact in zip(model.nets.affine(*model.nets.layout.parts(found)), best, strict=True):
        np.testing.assert_allclose(part, exact, atol=tolerance)
    assert loss(found) == pytest.approx(-np.mean(log_prob(x, shift, lower @ lower.T)), abs=1e-9)


def check_gradient(model, x, tolerance=1e-6, h=1e-6):
    """The gradient of the loss, along one direction, is its central difference."""
    params = some_params(model)
    direction = Stream(4).normal(len(params))
    ends = [model.loss(params + s * h * direction, x, Stream(0)) for s in (1, -1)]
    slope = grad(lambda p: model.loss(p, x, Stream(0)))(params) @ direction
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=tolerance)


def trained(model, data, steps, batch=256, lr=5e-3, cool=0.4, seed=0, ema=0.98):
    """The law, standardised, and the averaged parameters of a short training that cools down."""
    law = named(data).standardised()[0] if isinstance(data, str) else data
    state = training.start(model, Stream(seed), lr)
    for _ in training.fit(model, law, state, steps, batch, ema, cool):
        pass
    return law, state.ema


def gap(model, params, law, n=10_000):
    """Negative log-likelihood minus entropy at fresh points of the law, in nats, and its standard error."""
    x = law.sample(Stream(5), n)
    each = law.log_prob(x) - model.log_prob(params, x.astype(np.float32))
    return float(np.mean(each)), float(np.std(each) / np.sqrt(n))


def over_floor(model, params, law, n=10_000):
    """The sliced Wasserstein distance of samples, in multiples of what two exact samples may have."""
    lines = directions(law.dim, 64, Stream(6))
    floor = sampling_floor(law, n, lines, Stream(7)).max
    points = model.sample(params, n, Stream(8))
    return sliced_wasserstein(law.sample(Stream(9), n), points, lines) / floor
