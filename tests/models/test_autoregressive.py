"""The autoregressive model: an exact density, samples of that density, and trainings against the entropy."""

import numpy as np
import pytest
from autograd.test_util import check_grads
from scipy.stats import kstest

from refgen import training
from refgen.backend import Stream
from refgen.distributions import Empirical, GaussianMixture, named
from refgen.formulas import autoregressive
from refgen.metrics import directions, mode_weights, sampling_floor, sliced_wasserstein
from refgen.models.autoregressive import Autoregressive
from refgen.nets.masked import Masked

SETS = ["moons", "ring", "swiss_roll", "two_gaussians"]
SMALL = Autoregressive(components=3, hidden=8, layers=2)
AXIS = np.linspace(-6.5, 6.5, 326)
GRID = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)


def some_params(model, scale=0.3):
    params = model.init(Stream(0))
    return params + scale * Stream(1).normal(len(params), dtype=np.float32)


def mass(model, params):
    """The integral of the density over the plane."""
    return np.sum(np.exp(model.log_prob(params, GRID).astype(float))) * (AXIS[1] - AXIS[0]) ** 2


def gap(model, params, law, n=10_000):
    """By how many nats the exact law is better than the model, at its own points."""
    x = law.sample(Stream(5), n)
    return float(np.mean(law.log_prob(x) - model.log_prob(params, x.astype(np.float32))))


def times_floor(points, law):
    """The distance in multiples of the largest of twenty distances of exact samples.

    Of five, the largest varies by a factor of four where two modes are far apart: between 0.009 and 0.034.
    """
    lines, n = directions(law.dim, 32, Stream(6)), len(points)
    floor = sampling_floor(law, n, lines, Stream(7), draws=20).max
    return sliced_wasserstein(points, law.sample(Stream(8), n), lines) / floor


def trained(law, steps, seed=0, lr=1e-2, **options):
    model = Autoregressive(dim=law.dim, **dict(hidden=32) | options)
    state = training.start(model, Stream(seed), lr)
    for _ in training.fit(model, law, state, steps, batch=256, ema=0.99, cool=0.5):
        pass
    return model, state.ema


def test_the_gradient_of_the_loss_is_right():
    x = Stream(2).normal(6, 2)
    check_grads(lambda p: SMALL.loss(p, x, Stream(3)), modes=["rev"], order=1)(
        some_params(SMALL).astype(float)
    )
    exact = -np.mean(SMALL.log_prob(some_params(SMALL), x))
    assert SMALL.loss(some_params(SMALL), x, Stream(3)) == exact


@pytest.mark.parametrize("components", [1, 3, 4, 5, 30])
def test_an_untrained_model_is_broad_and_takes_no_coordinate_for_another(components):
    model = Autoregressive(components=components, hidden=8)
    params = model.init(Stream(0))
    points = model.sample(params, 4000, Stream(1))
    assert np.all(abs(points.mean(axis=0)) < 0.15) and np.all(
        (points.std(axis=0) > 0.9) & (points.std(axis=0) < 2)
    )
    assert mass(model, params) == pytest.approx(1, abs=1e-4)
    means = model.conditionals(params, points[:1])[1]
    assert len(np.unique(means)) == components  # equal ones would stay equal


def test_the_density_integrates_to_one_whatever_the_parameters():
    assert mass(SMALL, some_params(SMALL)) == pytest.approx(1, abs=1e-3)
    line = Autoregressive(dim=1, components=4, hidden=4)
    p = np.exp(line.log_prob(some_params(line), AXIS[:, None].astype(np.float32)).astype(float))
    assert np.sum(p) * (AXIS[1] - AXIS[0]) == pytest.approx(1, abs=1e-4)


def test_samples_have_the_density():
    """Through the distribution functions of its own conditionals a sample becomes uniform and independent."""
    model = Autoregressive(dim=3, components=3, hidden=8, layers=2)
    params = some_params(model)
    x = model.sample(params, 4000, Stream(4))
    u = autoregressive.cdf(x, *model.conditionals(params, x))
    for i in range(3):
        assert kstest(u[:, i], "uniform").pvalue > 1e-3
        assert kstest(u[u[:, i - 1] < 0.3, i], "uniform").pvalue > 1e-3
    turned = autoregressive.cdf(x, *model.conditionals(params, x[:, ::-1]))
    assert kstest(turned[:, 2], "uniform").pvalue < 1e-6


@pytest.mark.parametrize(("dim", "n"), [(1, 3), (2, 700), (4, 1), (5, 0)])
def test_samples_take_a_pass_for_each_coordinate_and_what_they_do_not_need(monkeypatch, dim, n):
    model, passes = Autoregressive(dim=dim, components=2, hidden=8), []
    once = Masked.__call__
    monkeypatch.setattr(Masked, "__call__", lambda *given: passes.append(1) or once(*given))
    params, kept = model.init(Stream(0)), {3: None}
    points = model.sample(params, n, Stream(1), 7, params, object(), kept)
    assert points.shape == (n, dim) and points.dtype == np.float32 and kept == {3: None}
    assert len(passes) == model.calls() == model.calls(100) == dim
    np.testing.assert_array_equal(points, model.sample(params, n, Stream(1)))


def test_it_offers_no_score_and_says_that_its_density_is_exact():
    assert Autoregressive.log_prob_is == "exact"
    assert not hasattr(SMALL, "denoiser") and not hasattr(SMALL, "levels")


@pytest.mark.parametrize("name", SETS)
def test_a_short_training_comes_close_to_the_entropy(name):
    """A second each. Seen, of seeds 0, 1, 2: at most 0.024 nats and 1.04 floors."""
    law = named(name).standardised()[0]
    model, params = trained(law, 400)
    assert -0.005 < gap(model, params, law) < 0.05
    assert mass(model, params) == pytest.approx(1, abs=1e-3)
    points = model.sample(params, 4000, Stream(4))
    assert times_floor(points, law) < 1.5
    if law.modes is not None:
        assert np.all(abs(mode_weights(points, *law.modes).fractions - law.modes[1]) < 0.025)


def test_five_coordinates_that_hang_together():
    rng = Stream(9)
    roots = rng.normal(2, 5, 5)
    law = GaussianMixture(2 * rng.normal(2, 5), roots @ np.swapaxes(roots, 1, 2) / 5 + 0.1 * np.eye(5))
    law = law.standardised()[0]
    model, params = trained(law, 500, components=4)
    assert gap(model, params, law) < 0.05  # seen, of seeds 0, 1, 2: 0.012 to 0.018
    assert times_floor(model.sample(params, 4000, Stream(4)), law) < 1.5


def test_no_component_shrinks_onto_a_point():
    """Of a few points the likelihood has no limit; its least std is one."""
    law = Empirical(np.array([[0.0, 0.0], [1.0, -1.0], [-1.0, 1.0]]))
    model, params = trained(law, 300, components=3, least_std=0.05)
    stds = np.exp(model.conditionals(params, law.points.astype(np.float32))[2])
    assert np.min(stds) > 0.05 * (1 - 1e-5)
    best = 2 * np.log(1 / (0.05 * np.sqrt(2 * np.pi))) - np.log(3)  # each point, at its highest
    assert best - 2.5 < np.mean(model.log_prob(params, law.points)) < best


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(components=0), r"components is 0; it must be an integer in 1\.\."),
        (dict(least_std=0.0), r"least_std is 0.0; it must be a finite number > 0"),
        (dict(least_std=float("nan")), "least_std is nan"),
        (dict(layers=1.5), "layers is 1.5"),
        (dict(dim=80), "hidden is 64; it must be at least dim - 1, 79"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Autoregressive(**options)
