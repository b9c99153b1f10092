"""Flow matching: its loss, its velocity as a denoiser, pairs by transport, and a short training."""

from itertools import permutations

import numpy as np
import pytest
from autograd import grad

from refgen import training
from refgen.backend import Stream
from refgen.distributions import named
from refgen.evaluation import evaluate
from refgen.formulas.flow_matching import pairing_cost
from refgen.metrics import directions, sampling_floor, score_error, sliced_wasserstein
from refgen.models.flow_matching import GROUP, FlowMatching, optimal_pairing
from refgen.processes import Straight

SMALL = FlowMatching(T=6, hidden=16, layers=2, features=8)
LAW = named("ring").standardised()[0]


def some_params(model):
    return model.init(Stream(0)) + 0.2 * Stream(1).normal(model.net.size, dtype=np.float32)


@pytest.mark.parametrize("pairs", ["random", "transport"])
def test_the_loss_is_the_error_in_the_velocity_from_data_to_noise(pairs):
    model = FlowMatching(T=6, pairs=pairs, hidden=16, layers=2, features=8)
    params, x = some_params(model), LAW.sample(Stream(2), 60).astype(np.float32)
    found = float(model.loss(params, x, Stream(3)))
    rng = Stream(3)  # the same draws again, one point at a time
    places = (rng.uniform(1, dtype=np.float32) + np.arange(60, dtype=np.float32) / 60) % 1
    eps = rng.normal(60, 2, dtype=np.float32)
    if pairs == "transport":
        eps = eps[optimal_pairing(x, eps)]
    errors = []
    for place, a, b in zip(places, x, eps, strict=True):
        t = float(0.005 + 0.99 * place)
        u = model.velocity(params, ((1 - t) * a + t * b)[None], t)[0]
        errors.append(np.sum((u - (b - a)) ** 2))
    assert found == pytest.approx(np.mean(errors), rel=1e-4)


def test_the_gradient_is_the_losses():
    params, x = some_params(SMALL).astype(np.float64), LAW.sample(Stream(2), 10)
    gradient, direction, h = grad(SMALL.loss)(params, x, Stream(4)), Stream(5).normal(len(params)), 1e-6
    ends = [SMALL.loss(params + s * h * direction, x, Stream(4)) for s in (1, -1)]
    assert float(gradient @ direction) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)


def test_as_a_denoiser_it_says_the_ends_of_the_line_at_any_scale():
    params, x, t = some_params(SMALL).astype(float), LAW.sample(Stream(2), 9), 0.3
    u, denoiser = SMALL.velocity(params, x, t), SMALL.denoiser(params)
    for scale in (1.0, 5.0):
        level = scale * (1 - t), scale * t
        np.testing.assert_allclose(denoiser.x_0(scale * x, *level), x - t * u, atol=1e-12)
        np.testing.assert_allclose(denoiser.eps(scale * x, *level), x + (1 - t) * u, atol=1e-12)


def test_a_step_of_euler_moves_along_the_velocity():
    model = FlowMatching(T=2, method="euler", hidden=16, layers=2, features=8)
    params, kept = some_params(model).astype(float), dict.fromkeys([2, 1, 0])
    model.sample(params, 5, Stream(0), trajectory=kept)
    t, s = Straight().t_max, Straight().t_min
    assert [model.levels.time(k) for k in (2, 1)] == [t, s]
    np.testing.assert_allclose(kept[1], kept[2] + (s - t) * model.velocity(params, kept[2], t), atol=1e-10)
    np.testing.assert_allclose(kept[0], kept[1] - s * model.velocity(params, kept[1], s), atol=1e-10)


def test_optimal_pairs_cost_the_least_and_keep_every_point():
    x, eps = Stream(0).normal(6, 2), Stream(1).normal(6, 2)
    least = min(pairing_cost(x, eps[list(order)]) for order in permutations(range(6)))
    assert pairing_cost(x, eps[optimal_pairing(x, eps)]) == pytest.approx(least, rel=1e-12)
    n = 2 * GROUP + 30
    x, eps = LAW.sample(Stream(2), n), Stream(3).normal(n, 2)
    rows = optimal_pairing(x, eps)
    assert np.array_equal(np.sort(rows), np.arange(n))
    assert np.array_equal(rows // GROUP, np.arange(n) // GROUP)
    assert pairing_cost(x, eps[rows]) < 0.3 * pairing_cost(x, eps)


def trained(pairs, steps):
    model = FlowMatching(pairs=pairs, hidden=64)
    state = training.start(model, Stream(0), 5e-3)
    for _ in training.fit(model, LAW, state, steps, batch=256, ema=0.99, cool=0.5):
        pass
    return model, state.ema


def test_a_short_training_finds_the_score_the_samples_and_the_density():
    model, params = trained("random", 1000)
    assert model.has_score
    levels = [Straight().level(t) for t in (0.3, 0.5, 0.9)]
    assert max(score_error(model.denoiser(params), LAW, *level, Stream(1), 2000) for level in levels) < 0.15
    n, lines = 3000, directions(2, 64, Stream(2))
    floor = sampling_floor(LAW, n, lines, Stream(4)).max
    assert (
        sliced_wasserstein(model.sample(params, n, Stream(3)), LAW.sample(Stream(5), n), lines) < 2.5 * floor
    )
    y = LAW.sample(Stream(6), 500)
    assert np.mean(LAW.log_prob(y) - model.log_prob(params, y)) < 0.2


def test_pairs_by_transport_make_straighter_flows():
    """How far the points' way is from a straight line, over how far they go."""

    def bent(model, params):
        kept = dict.fromkeys([20, 10])
        end, t = model.sample(params, 1000, Stream(3), trajectory=kept), model.levels.time(10)
        line = t * kept[20] + (1 - t) * end
        return np.mean((kept[10] - line) ** 2) / np.mean((kept[20] - end) ** 2)

    random, transport = (trained(pairs, 400) for pairs in ("random", "transport"))
    assert not transport[0].has_score
    assert bent(*transport) < 0.3 * bent(*random)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["moons", "ring"])
@pytest.mark.parametrize("pairs", ["random", "transport"])
def test_the_usual_training(data, pairs):
    model, law = FlowMatching(pairs=pairs), named(data).standardised()[0]
    state = training.start(model, Stream(0).spawn("train"))
    for _ in training.fit(model, law, state, **FlowMatching.usual):
        pass
    report = evaluate(model, state.ema, law, Stream(0, "evaluate"))
    assert report["samples"]["times_floor"] < 1.5
    assert report["nll"]["gap"] < 0.03
