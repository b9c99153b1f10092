"""NCSN: its loss is score matching at every level, and a short training finds scores and mode weights."""

import numpy as np
import pytest
from autograd import grad

from refgen import training
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.distributions import named
from refgen.formulas.denoising import denoising
from refgen.metrics import directions, mode_weights, sampling_floor, score_error, sliced_wasserstein
from refgen.models.ddpm import DDPM
from refgen.models.ncsn import NCSN
from refgen.samplers.ancestral import ancestral

SMALL = NCSN(T=6, hidden=16, layers=2, features=8)
LAW = named("two_gaussians").standardised()[0]


def some_params(model):
    return model.init(Stream(0)) + 0.2 * Stream(1).normal(model.net.size, dtype=np.float32)


def test_the_loss_is_denoising_score_matching_weighted_by_the_variance():
    params, x = some_params(SMALL), LAW.sample(Stream(2), 40).astype(np.float32)
    found = float(SMALL.loss(params, x, Stream(3)))
    rng = Stream(3)  # the same draws again, in float64 and through the score
    t = rng.integers(1, SMALL.T + 1, 40)
    eps = rng.normal(40, 2, dtype=np.float32)
    std = SMALL.levels.std[t][:, None]
    x_noisy = x + std * eps
    score = SMALL.denoiser(params).score(x_noisy, np.ones((40, 1)), std)
    terms = std[:, 0] ** 2 * 2 * denoising(score, x.astype(float), x_noisy, std)
    assert found == pytest.approx(np.mean(terms), rel=2e-4)


def test_the_gradient_is_the_losses():
    params, x = some_params(SMALL).astype(np.float64), LAW.sample(Stream(2), 10)
    gradient = grad(SMALL.loss)(params, x, Stream(4))
    direction = Stream(5).normal(len(params))
    h = 1e-6
    ends = [SMALL.loss(params + s * h * direction, x, Stream(4)) for s in (1, -1)]
    assert float(gradient @ direction) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_samples_and_calls(steps):
    model, denoiser = NCSN(T=6, per_level=4), counted(ExactDenoiser(LAW))
    kept = dict.fromkeys([0, 1])
    points = model.sample(
        np.zeros(model.net.size, np.float32), 9, Stream(0), steps, denoiser=denoiser, trajectory=kept
    )
    assert points.shape == (9, 2) and points.dtype == np.float32 and np.all(np.isfinite(points))
    assert denoiser.calls == model.calls(steps) == 4 * (steps or 6) + 1
    assert kept[0] is points and kept[1].shape == (9, 2)


def test_the_exact_score_gives_the_modes_their_weights_and_a_short_ladder_does_not():
    def weight(model, start):
        x = model.sample(np.zeros(model.net.size, np.float32), 4000, start, denoiser=ExactDenoiser(LAW))
        return mode_weights(x, *LAW.modes).z

    assert np.abs(weight(NCSN(), Stream(0))).max() < 4
    # Noise that joins no modes leaves the chains where they begin, about as many on either side.
    assert np.abs(weight(NCSN(largest=0.2), Stream(0))).max() > 20


@pytest.fixture(scope="module")
def trained():
    """About 7 s of training."""
    model = NCSN(hidden=96)
    state = training.start(model, Stream(0, "ncsn"))
    for _ in training.fit(model, LAW, state, 3000):
        pass
    return model, state.ema


def test_a_short_training_finds_the_score_at_every_level(trained):
    model, params = trained
    errors = [
        score_error(model.denoiser(params), LAW, *model.levels.level(t), Stream(1), 4000)
        for t in range(1, model.T + 1)
    ]
    assert np.mean(errors) < 0.12 and max(errors) < 0.3  # seen: 0.06 and 0.2


def test_its_samples_have_the_weights_and_the_spread(trained):
    model, params = trained
    n, lines = 4000, directions(2, 64, Stream(2))
    x = model.sample(params, n, Stream(3))
    assert abs(mode_weights(x, *LAW.modes).fractions[0] - 0.8) < 0.05
    floor = sampling_floor(LAW, n, lines, Stream(4)).max
    assert sliced_wasserstein(x, LAW.sample(Stream(5), n), lines) < 3 * floor


def test_its_network_serves_the_sampler_of_a_ddpm(trained):
    """One network, told the log-SNR: levels of unit power are levels of the ladder, scaled."""
    model, params = trained
    n, lines, levels = 2000, directions(2, 64, Stream(2)), DDPM().levels.respaced(100)
    x = ancestral(model.denoiser(params), levels, Stream(6).normal(n, 2, dtype=np.float32), Stream(7))
    floor = sampling_floor(LAW, n, lines, Stream(4)).max
    assert sliced_wasserstein(x, LAW.sample(Stream(5), n), lines) < 3 * floor


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"T": 1}, "T is 1; a ladder has two levels or more"),
        ({"T": 0}, r"T is 0; it must be an integer in 1\.\."),
        ({"largest": 0.01}, "0 < smallest < largest"),
        ({"langevin_step": 2.0}, r"langevin_step is 2\.0; it must lie in \(0, 2\)"),
        ({"per_level": 0}, "per_level is 0"),
        ({"features": 3}, "features is 3; it must be an even number"),
    ],
)
def test_bad_options_are_one_clear_line(options, message):
    with pytest.raises(ValueError, match=message):
        NCSN(**options)
