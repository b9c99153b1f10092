"""A plain score network: its loss is the objective, a short training finds the score, no chain crosses."""

import numpy as np
import pytest

from refgen import training
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.distributions import named
from refgen.metrics import directions, mode_weights, sampling_floor, score_error, sliced_wasserstein
from refgen.models.score_net import OBJECTIVES, ScoreNet
from refgen.models.score_objectives import score_loss

LAW = named("two_gaussians").standardised()[0]
SMALL = ScoreNet(hidden=8, layers=2, chain=6)


def some_params(model):
    return model.init(Stream(0)) + 0.2 * Stream(1).normal(model.net.size, dtype=np.float32)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_loss_is_the_objective_of_the_score_that_the_denoiser_gives(objective):
    model = ScoreNet(hidden=8, layers=2, objective=objective, projections=2, law="sphere", reduced=False)
    params, x = some_params(model).astype(np.float64), LAW.sample(Stream(2), 30)
    denoiser = model.denoiser(params)
    found = model.loss(params, x, Stream(3))
    weight = 1 if objective == "denoising" else 0.05**2
    loss = score_loss(
        objective, lambda z: denoiser.score(z, 1.0, 0.05), x, Stream(3), 0.05, 2, "sphere", False
    )
    assert float(found) == pytest.approx(float(weight * loss), rel=1e-12)


def test_far_beyond_the_data_the_score_points_back_to_their_ball():
    """Of radius 3 sqrt(d), so wide that a light mode far from the mean is well inside; without a kink."""
    model, params = ScoreNet(), ScoreNet().init(Stream(0))  # of a network that returns zeros
    x = np.array([[30.0, 40.0], [1.0, 1.0], [2.9, -2.9]], np.float32)
    score = model.score(params, x)
    over = 50 - 3 * np.sqrt(2)
    np.testing.assert_allclose(score[0], -(over**2) / (1 + over) * np.array([0.6, 0.8]) / 0.05**2, rtol=1e-5)
    np.testing.assert_array_equal(score[1:], 0)
    edge = np.array([[3 * np.sqrt(2) + h, 0] for h in (-1e-4, 0, 1e-4)])
    pull = -model.score(params.astype(np.float64), edge)[:, 0] * 0.05**2
    np.testing.assert_allclose(np.diff(pull), [0, 1e-8], atol=2e-12)  # no slope where it begins


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_samples_and_calls(steps):
    denoiser, kept = counted(ExactDenoiser(LAW)), dict.fromkeys([0, 1])
    zeros = np.zeros(SMALL.net.size, np.float32)
    points = SMALL.sample(zeros, 9, Stream(0), steps, denoiser=denoiser, trajectory=kept)
    assert points.shape == (9, 2) and points.dtype == np.float32 and np.all(np.isfinite(points))
    assert denoiser.calls == SMALL.calls(steps) == (steps or SMALL.chain)
    assert kept[0] is points and kept[1].shape == (9, 2)


def test_even_the_exact_score_leaves_the_modes_the_weights_of_the_starts_basins():
    """The plane half way between the modes cuts N(0, 4 I) into 0.70 and 0.30; the data are 0.8 and 0.2."""
    model = ScoreNet(chain=200)
    zeros = np.zeros(model.net.size, np.float32)
    x = model.sample(zeros, 4000, Stream(0), denoiser=ExactDenoiser(LAW))
    found = mode_weights(x, *LAW.modes)
    assert found.fractions[0] == pytest.approx(0.6966, abs=0.03) and found.z[0] < -10


@pytest.mark.parametrize(("objective", "steps"), [("implicit", 500), ("sliced", 700), ("denoising", 1500)])
def test_a_short_training_finds_the_score(objective, steps):
    """Each about 1.5 s; a score of zero has the error 1."""
    model = ScoreNet(std=0.2, objective=objective, hidden=32, layers=2)
    state = training.start(model, Stream(0, "score_net"), lr=5e-3)
    for _ in training.fit(model, LAW, state, steps, batch=256, ema=0.99, cool=0.5):
        pass
    assert score_error(model.denoiser(state.ema), LAW, 1.0, 0.2, Stream(1), 4000) < 0.35  # seen: 0.21 to 0.24


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("data", ["moons", "ring", "swiss_roll", "two_gaussians"])
def test_the_defaults_find_curves_and_do_not_find_weights(data, objective):
    """10 to 90 s each. Denoising on the ring, by the command from seed 2: 1.7 floors, without cooling 3.3."""
    law, model, n = named(data).standardised()[0], ScoreNet(objective=objective), 10_000
    state = training.start(model, Stream(0, "score_net"))
    for _ in training.fit(model, law, state, 10_000, cool=ScoreNet.usual["cool"]):
        pass
    noisy, x = law.diffused(1.0, 0.05), model.sample(state.ema, n, Stream(3))
    assert score_error(model.denoiser(state.ema), law, 1.0, 0.05, Stream(1)) < 0.2
    if data == "two_gaussians":
        found = mode_weights(x, *law.modes)  # not 0.8: the share of the start's basins, as of the exact score
        assert found.fractions[0] == pytest.approx(0.6966, abs=0.04) and found.z[0] < -10
        return
    lines = directions(2, 128, Stream(2))
    floor = sampling_floor(noisy, n, lines, Stream(4)).max
    assert sliced_wasserstein(x, noisy.sample(Stream(5), n), lines) < 3 * floor


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "ssm"}, "objective is 'ssm'; it must be one of implicit"),
        ({"law": "box"}, "law is 'box'"),
        ({"projections": 0}, "projections is 0"),
        ({"std": 0.0}, r"std is 0\.0; it must be > 0"),
        ({"start": -1.0}, r"start is -1\.0; it must be > 0"),
        ({"chain": 0}, "chain is 0"),
        ({"langevin_step": 2.0}, r"langevin_step is 2\.0; it must lie in \(0, 2\)"),
    ],
)
def test_bad_options_are_one_clear_line(options, message):
    with pytest.raises(ValueError, match=message):
        ScoreNet(**options)
