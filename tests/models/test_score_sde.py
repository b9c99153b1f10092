"""Score SDEs: times and weights of the loss, and what a short training finds for each process."""

import numpy as np
import pytest
from autograd import grad
from scipy.integrate import quad

from refgen import training
from refgen.backend import Stream
from refgen.distributions import named
from refgen.evaluation import evaluate
from refgen.formulas.denoising import denoising
from refgen.metrics import directions, mode_weights, sampling_floor, score_error, sliced_wasserstein
from refgen.models.score_sde import PROCESSES, WEIGHTINGS, ScoreSDE

LAW = named("two_gaussians").standardised()[0]


def small(**options):
    return ScoreSDE(T=6, hidden=16, layers=2, features=8, **options)


def some_params(model):
    return model.init(Stream(0)) + 0.2 * Stream(1).normal(model.net.size, dtype=np.float32)


@pytest.mark.parametrize("process", PROCESSES)
def test_simple_times_are_even_and_the_log_snr_is_theirs(process):
    model = small(process=process)
    places = np.linspace(0, 1, 997, endpoint=False, dtype=np.float32)
    found, weight = model._times(np, places)
    times = model.noise.t_min + (model.noise.t_max - model.noise.t_min) * places.astype(float)
    assert weight == 1
    np.testing.assert_allclose(found, model.noise.log_snr(times), rtol=1e-5, atol=0.02)


@pytest.mark.parametrize("process", PROCESSES)
def test_the_loss_of_the_likelihood_is_half_the_integral_of_g2_times_the_error_in_the_score(process):
    """Of a network that says 0, whose squared error in the score at t is d / std^2."""
    model, noise = small(process=process, weighting="likelihood"), None
    noise = model.noise
    exact, _ = quad(
        lambda t: 0.5 * noise.diffusion_var(t) * 2 / noise.std(t) ** 2,
        noise.t_min,
        noise.t_max,
        limit=200,
        points=[0.002, 0.01, 0.1],
    )
    high, low = noise.log_snr(noise.t_min), noise.log_snr(noise.t_max)
    assert exact == pytest.approx(high - low, rel=1e-6)
    x = LAW.sample(Stream(2), 20_000).astype(np.float32)
    found = float(model.loss(model.init(Stream(0)), x, Stream(3)))
    assert found == pytest.approx(exact, rel=4 / np.sqrt(20_000))


def test_the_simple_loss_is_denoising_score_matching_weighted_by_the_variance():
    model = small()
    params, x = some_params(model), LAW.sample(Stream(2), 40).astype(np.float32)
    found = float(model.loss(params, x, Stream(3)))
    rng = Stream(3)  # the same draws again, through the score
    log_snr, _ = model._times(np, (rng.uniform(1, dtype=np.float32) + np.arange(40, dtype="f4") / 40) % 1)
    eps = rng.normal(40, 2, dtype=np.float32)
    std = np.exp(-log_snr / 2)[:, None]  # at signal 1
    score = model.denoiser(params).score(x + std * eps, np.ones((40, 1), np.float32), std)
    terms = std[:, 0] ** 2 * 2 * denoising(score, x.astype(float), x + std * eps, std)
    assert found == pytest.approx(np.mean(terms), rel=1e-3)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_the_gradient_is_the_losses(weighting):
    model = small(weighting=weighting)
    params, x = some_params(model).astype(np.float64), LAW.sample(Stream(2), 10)
    gradient, direction, h = grad(model.loss)(params, x, Stream(4)), Stream(5).normal(len(params)), 1e-6
    ends = [model.loss(params + s * h * direction, x, Stream(4)) for s in (1, -1)]
    assert float(gradient @ direction) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)


@pytest.mark.parametrize(
    ("process", "weighting"), [("vp", "likelihood"), ("sub-vp", "simple"), ("ve", "simple")]
)
def test_a_short_training_finds_the_score_the_weights_and_the_density(process, weighting):
    model = ScoreSDE(process=process, weighting=weighting, hidden=64)
    state = training.start(model, Stream(0), 5e-3)
    for _ in training.fit(model, LAW, state, 700, batch=256, ema=0.99, cool=0.5):
        pass
    levels = [model.noise.level(t) for t in (0.3, 0.6)]
    errors = [score_error(model.denoiser(state.ema), LAW, *level, Stream(1), 2000) for level in levels]
    assert max(errors) < 0.25
    n, lines = 2000, directions(2, 64, Stream(2))
    x = model.sample(state.ema, n, Stream(3), 200)
    assert abs(mode_weights(x, *LAW.modes).fractions[0] - 0.8) < 0.05
    floor = sampling_floor(LAW, n, lines, Stream(4)).max
    assert sliced_wasserstein(x, LAW.sample(Stream(5), n), lines) < 3 * floor
    y = LAW.sample(Stream(6), 300)
    assert np.mean(LAW.log_prob(y) - model.log_prob(state.ema, y)) < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("data", ["moons", "ring"])
@pytest.mark.parametrize("process", PROCESSES)
def test_the_usual_training(data, process):
    model, law = ScoreSDE(process=process), named(data).standardised()[0]
    state = training.start(model, Stream(0).spawn("train"))
    for _ in training.fit(model, law, state, **ScoreSDE.usual):
        pass
    report = evaluate(model, state.ema, law, Stream(0, "evaluate"))
    assert report["samples"]["times_floor"] < 1.5
    assert report["nll"]["gap"] < 0.05
