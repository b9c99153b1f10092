"""Variational diffusion: a schedule that is learned, a bound that depends on its ends, and its gradients."""

import numpy as np
import pytest
from autograd import grad

from refgen import training
from refgen.backend import Stream
from refgen.distributions import named
from refgen.distributions.gaussian import Gaussian
from refgen.evaluation import evaluate
from refgen.formulas.snr import gaussian_loss_limit
from refgen.metrics import directions, sampling_floor, sliced_wasserstein
from refgen.models.vdm import OBJECTIVES, VDM
from refgen.optimizers import Adam
from refgen.schedules import from_log_snr, linear

LAW = named("two_gaussians").standardised()[0]


def small(**options):
    return VDM(T=12, hidden=16, layers=2, features=8, **options)


def some_params(model, size=0.3):
    params = model.init(Stream(0))
    return params + size * Stream(1).normal(len(params), dtype=np.float32)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [0.1, 1.0, 3.0])
def test_any_parameters_give_a_schedule_with_every_alpha_in_0_1(seed, size):
    model = small()
    params = model.init(Stream(seed)).astype(float)
    params = params + size * Stream(seed, "more").normal(len(params))
    for steps in (2, 3, 50):
        alpha = model.levels_at(params, steps).alpha[1:]
        assert np.all((alpha > 0) & (alpha < 1))
    high, low = model.ends(model.schedule(params))
    levels = model.levels_at(params, 50).log_snr[1:]
    np.testing.assert_allclose(levels[[0, -1]], [high[0], low[0]], rtol=1e-9)
    assert model.levels_at(params, 1).log_snr[1] == pytest.approx(low[0], rel=1e-9)


@pytest.mark.filterwarnings("ignore:schedule .* leaves signal")
@pytest.mark.parametrize("ends", [(7.0, -6.0), (0.5, -0.75)])
def test_before_training_the_ends_are_as_asked(ends):
    model = small(log_snr_high=ends[0], log_snr_low=ends[1])
    found = model.ends(model.schedule(model.init(Stream(0))))
    np.testing.assert_allclose(found, np.array(ends)[:, None], rtol=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_gradient_is_the_losses(objective):
    model = small(objective=objective)
    params, x = some_params(model).astype(np.float64), LAW.sample(Stream(2), 10)
    gradient, direction, h = grad(model.loss)(params, x, Stream(4)), Stream(5).normal(len(params)), 1e-6
    ends = [model.loss(params + s * h * direction, x, Stream(4)) for s in (1, -1)]
    assert float(gradient @ direction) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)


def updated(model, params, x):
    """The gradient that `update` hands to Adam, and the loss that it notes."""
    taken = []
    state = training.State(params.copy(), params.copy(), Adam.of(params), Stream(4))
    state.adam.update = lambda params, gradient: taken.append(gradient)
    model.update(state, x, Stream(4))
    return taken[0], state.loss


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_an_update_follows_the_loss_and_between_endless_ends_the_spread(objective):
    model = small(objective=objective)
    params, x = some_params(model).astype(np.float64), LAW.sample(Stream(2), 32)
    found, loss = updated(model, params, x)
    exact = grad(model.loss)(params, x, Stream(4))
    assert loss == pytest.approx(model.loss(params, x, Stream(4)), rel=1e-12)
    ends = model.net.size + 2 if objective == "endless" else len(params)
    np.testing.assert_allclose(found[:ends], exact[:ends], rtol=1e-9, atol=1e-12)
    if objective == "endless":

        def spread(inner):
            schedule = np.concatenate([params[model.net.size : ends], inner])
            rng = Stream(4)
            places = (rng.uniform(1) + np.arange(32) / 32) % 1
            return np.mean(model._term(params[: model.net.size], model._at(schedule, places), x, rng) ** 2)

        direction, h = Stream(5).normal(len(params) - ends), 1e-6
        slope = (spread(params[ends:] + h * direction) - spread(params[ends:] - h * direction)) / (2 * h)
        assert found[ends:] @ direction == pytest.approx(slope, rel=1e-4)


class Exact(VDM):
    """With the exact denoiser of N(0, v I) in the network's place."""

    var = 0.3

    def output(self, params, x, log_snr):
        log_snr = log_snr if isinstance(log_snr, float) else np.reshape(log_snr, (-1, 1))
        signal, std = (1 / np.sqrt(1 + np.exp(s * log_snr)) for s in (-1, 1))
        return std * x / (signal**2 * self.var + std**2)


def test_with_many_steps_the_bound_depends_on_the_ends_alone_and_with_few_on_all():
    """Two schedules of equal ends and an exact denoiser: within 1 % of the limit, or far apart."""
    model = Exact(dim=2, T=12)
    x = Gaussian([0.0, 0.0], Exact.var * np.eye(2)).sample(Stream(0), 4000)
    params, t = model.init(Stream(0)).astype(float), np.linspace(0, 1, 1000)
    ends = np.mean(model._of_ends(x, 6.0, -5.0))
    limit = gaussian_loss_limit(6.0, -5.0, np.full(2, Exact.var))

    def diffusion(log_snr):
        return np.mean(model.bound(params, x, Stream(1), from_log_snr(log_snr)).total) - ends

    even, bent = 6 - 11 * t, 6 - 11 * t**2
    assert diffusion(even) == pytest.approx(limit, rel=0.01)
    assert diffusion(bent) == pytest.approx(limit, rel=0.01)
    few = np.linspace(0, 999, 8).astype(int)
    assert abs(diffusion(even[few]) - diffusion(bent[few])) > 0.1 * limit


def ends_by_hand(x, high, low):
    """L_T, of N(signal x, std^2 I) from N(0, I), and L_0, the entropy of x_1 / signal about x; (n,)."""
    signal2, std2, d = 1 / (1 + np.exp(-low)), 1 / (1 + np.exp(low)), x.shape[1]
    l_T = 0.5 * (signal2 * np.sum(x**2, axis=1) + d * (std2 - 1 - np.log(std2)))
    return l_T + 0.5 * d * (np.log(2 * np.pi) + 1 - high)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_loss_and_bound_by_hand(objective):
    """Of a network that says nothing, so that the error is the noise itself."""
    model, n = small(objective=objective), 32
    params, x = model.init(Stream(0)).astype(float), LAW.sample(Stream(2), n)
    params[model.net.size :] += 0.3 * Stream(1).normal(len(params) - model.net.size)
    rng, log_snr = Stream(4), model.levels_at(params, model.T).log_snr
    places, square = (rng.uniform(1) + np.arange(n) / n) % 1, np.sum(rng.normal(n, 2) ** 2, axis=1)
    if objective == "steps":
        k = np.floor(places * (model.T - 1)).astype(int)
        terms = (model.T - 1) / 2 * np.expm1(log_snr[k + 1] - log_snr[k + 2]) * square
    else:
        h = 1e-6
        terms = (model.log_snr(params, places - h) - model.log_snr(params, places + h)) / (2 * h) / 2 * square
    ends = ends_by_hand(x, log_snr[1], log_snr[-1])
    assert model.loss(params, x, Stream(4)) == pytest.approx(np.mean(terms + ends), rel=1e-7)
    rng, bound = Stream(5), ends
    for t in range(model.T, 1, -1):
        bound = bound + np.expm1(log_snr[t - 1] - log_snr[t]) / 2 * np.sum(rng.normal(n, 2) ** 2, axis=1)
    np.testing.assert_allclose(model.bound(params, x, Stream(5)).total, bound, rtol=1e-9)


class OfZeros(Exact):
    """With the exact denoiser of data that are all zero."""

    var = 0.0


def test_a_step_adds_the_posterior_s_noise():
    """Then x_1 is pure noise of its level, and no wider."""
    model, kept, n = OfZeros(T=12, log_snr_high=0.0, log_snr_low=-4.0), {1: None}, 20_000
    params = model.init(Stream(0))
    model.sample(params, n, Stream(3), steps=2, trajectory=kept)
    var = 1 / (1 + np.exp(model.levels_at(params, 2).log_snr[1]))
    assert np.mean(kept[1] ** 2) / var == pytest.approx(1, abs=5 / np.sqrt(n))


def trained(model, steps):
    state = training.start(model, Stream(0), 5e-3)
    for _ in training.fit(model, LAW, state, steps, batch=256, ema=0.99, cool=0.5):
        pass
    return state.ema


def test_trained_by_steps_its_bound_is_better_than_that_of_the_linear_schedule():
    model = VDM(objective="steps", T=20, hidden=64)
    params, x = trained(model, 350), LAW.sample(Stream(6), 2000)
    learned = model.bound(params, x, Stream(7)).total
    usual = model.bound(params, x, Stream(7), linear(20)).total
    gain = usual - learned
    assert np.mean(gain) > 5 * np.std(gain) / np.sqrt(len(x))
    assert np.mean(learned) > LAW.entropy  # a bound


def test_a_short_training_finds_the_samples_and_the_density_and_narrows_the_terms():
    model = VDM(hidden=64)
    params = trained(model, 450)
    n, lines = 2000, directions(2, 64, Stream(2))
    x = model.sample(params, n, Stream(3), 200)
    floor = sampling_floor(LAW, n, lines, Stream(4)).max
    assert sliced_wasserstein(x, LAW.sample(Stream(5), n), lines) < 3 * floor
    y = LAW.sample(Stream(6), 300)
    assert np.mean(LAW.log_prob(y) - model.log_prob(params, y)) < 0.3

    def spread(schedule):
        at = model._at(schedule, np.linspace(0, 1, 8000, endpoint=False, dtype=np.float32))
        x = LAW.sample(Stream(8), 8000).astype(np.float32)
        return np.std(model._term(params[: model.net.size], at, x, Stream(9)))

    learned = model.schedule(params)
    even = np.concatenate([learned[:2], model.schedule(model.init(Stream(0)))[2:]])
    assert spread(learned) < 0.9 * spread(even)


@pytest.mark.slow
@pytest.mark.parametrize("data", ["moons", "ring"])
def test_the_usual_training(data):
    model, law = VDM(), named(data).standardised()[0]
    state = training.start(model, Stream(0).spawn("train"))
    for _ in training.fit(model, law, state, **VDM.usual):
        pass
    report = evaluate(model, state.ema, law, Stream(0, "evaluate"))
    assert report["samples"]["times_floor"] < 1.5
    assert report["nll"]["gap"] < 0.03
