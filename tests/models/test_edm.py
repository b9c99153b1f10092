"""EDM: the loss is that of the denoised point, and a short training finds the score where it was trained."""

import numpy as np
import pytest
from autograd import grad

from refgen import training
from refgen.backend import Stream
from refgen.distributions import named
from refgen.evaluation import evaluate
from refgen.formulas import edm as formulas
from refgen.metrics import directions, sampling_floor, score_error, sliced_wasserstein
from refgen.models.edm import EDM

SMALL = EDM(T=6, hidden=16, layers=2, features=8)
LAW = named("ring").standardised()[0]


def some_params(model):
    return model.init(Stream(0)) + 0.2 * Stream(1).normal(model.net.size, dtype=np.float32)


def test_the_loss_is_the_weighted_error_of_the_denoised_point():
    params, x = some_params(SMALL), LAW.sample(Stream(2), 60).astype(np.float32)
    found = float(SMALL.loss(params, x, Stream(3)))
    rng = Stream(3)  # the same draws again, at signal 1 and through the denoiser
    std = np.exp(-1.2 + 1.2 * rng.normal(60, 1, dtype=np.float32))
    eps = rng.normal(60, 2, dtype=np.float32)
    denoised = SMALL.denoiser(params).x_0(x + std * eps, np.ones_like(std), std)
    weight = formulas.loss_weight(std, 1.0)[:, 0]
    assert found == pytest.approx(np.mean(weight * np.sum((denoised - x) ** 2, axis=1)), rel=1e-3)


def test_before_training_it_is_the_best_linear_guess():
    """The network says 0: D is c_skip x_t, the mean of x_0 given x_t for standardised Gaussian data."""
    x, std = LAW.sample(Stream(2), 9), 0.7
    found = SMALL.denoiser(SMALL.init(Stream(0)).astype(float)).x_0(x, 1.0, std)
    np.testing.assert_allclose(found, x / (1 + std**2), rtol=1e-12)


def test_the_gradient_is_the_losses():
    params, x = some_params(SMALL).astype(np.float64), LAW.sample(Stream(2), 10)
    gradient, direction, h = grad(SMALL.loss)(params, x, Stream(4)), Stream(5).normal(len(params)), 1e-6
    ends = [SMALL.loss(params + s * h * direction, x, Stream(4)) for s in (1, -1)]
    assert float(gradient @ direction) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)


def test_a_short_training_finds_the_score_the_samples_and_the_density():
    model = EDM(hidden=64)
    state = training.start(model, Stream(0), 5e-3)
    for _ in training.fit(model, LAW, state, 1000, batch=256, ema=0.99, cool=0.5):
        pass
    errors = [score_error(model.denoiser(state.ema), LAW, 1.0, std, Stream(1), 2000) for std in (0.5, 1, 4)]
    assert max(errors) < 0.15
    n, lines = 3000, directions(2, 64, Stream(2))
    floor = sampling_floor(LAW, n, lines, Stream(4)).max
    x = model.sample(state.ema, n, Stream(3))
    assert sliced_wasserstein(x, LAW.sample(Stream(5), n), lines) < 2.5 * floor
    y = LAW.sample(Stream(6), 500)
    assert np.mean(LAW.log_prob(y) - model.log_prob(state.ema, y)) < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("data", ["moons", "ring"])
def test_the_usual_training(data):
    model, law = EDM(), named(data).standardised()[0]
    state = training.start(model, Stream(0).spawn("train"))
    for _ in training.fit(model, law, state, **EDM.usual):
        pass
    report = evaluate(model, state.ema, law, Stream(0, "evaluate"))
    assert report["samples"]["times_floor"] < 1.5
    assert report["nll"]["gap"] < 0.02
