"""DDPM: its loss against the formulas, its bound against exact densities, and one short seeded training."""

import itertools
from dataclasses import fields

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad
from autograd.test_util import check_grads

from refgen import metrics, training
from refgen.backend import Stream
from refgen.denoisers import TARGETS, Denoiser, ExactDenoiser
from refgen.distributions import Gaussian
from refgen.distributions import named as distribution
from refgen.formulas import elbo, forward, parametrisation
from refgen.models import NAMES, name_of, named
from refgen.models.ddpm import DDPM, VARIANCES, WEIGHTINGS

SMALL = {"T": 12, "schedule": "cosine", "hidden": 8, "layers": 2, "features": 4}


def some_params(model, scale=0.3):
    """Parameters whose network is no longer zero, float64."""
    rng = Stream(1)
    return model.init(rng).astype(np.float64) + scale * rng.normal(model.net.size)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_the_gradient_of_every_loss_is_right(target, weighting):
    model = DDPM(**SMALL, target=target, weighting=weighting)
    x = Stream(2).normal(6, 2)
    check_grads(lambda p: model.loss(p, x, Stream(3)), modes=["rev"], order=1)(some_params(model))


def as_trained_for(target, model):
    """The same denoiser as `model` (trained for eps), as a network output of a model trained for another
    target."""

    def output(params, x_t, features):
        t = onp.argmin(onp.sum((model._table.features[None] - features[:, None]) ** 2, axis=-1), axis=1)
        signal, std = (onp.asarray(a, onp.float64)[t] for a in (model._table.signal, model._table.std))
        eps = model.net(params, x_t, features)
        if target == "x_0":
            return (parametrisation.x_0_from_eps(x_t, eps, signal, std) - signal * x_t) / std
        if target == "v":
            return parametrisation.v_from_eps(x_t, eps, signal, std)
        return -eps  # a score's network is divided by std

    return output


@pytest.mark.parametrize("target", ["x_0", "score", "v"])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_all_targets_have_the_same_loss_for_the_same_denoiser(monkeypatch, target, weighting):
    model = DDPM(**SMALL, weighting=weighting)
    other = DDPM(**SMALL, weighting=weighting, target=target)
    params, x = some_params(model), Stream(2).normal(50, 2)
    monkeypatch.setitem(other.__dict__, "net", as_trained_for(target, model))
    expected = model.loss(params, x, Stream(3))
    assert other.loss(params, x, Stream(3)) == pytest.approx(expected, rel=1e-5)
    assert expected > 0.1


def test_the_simple_loss_is_algorithm_1():
    model = DDPM(**SMALL)
    params, x, rng = some_params(model), Stream(2).normal(40, 2), Stream(3)
    t, eps = rng.integers(1, 13, 40), rng.normal(40, 2)
    alpha_bar = model.levels.alpha_bar[t][:, None]
    x_t = onp.sqrt(alpha_bar) * x + onp.sqrt(1 - alpha_bar) * eps
    guess = model.predict(params, x_t, model.levels.log_snr[t])
    expected = onp.mean(onp.sum((eps - guess) ** 2, axis=1))
    assert model.loss(params, x, Stream(3)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("variance", ["small", "large"])
def test_the_elbo_loss_is_an_unbiased_estimate_of_the_bound(variance):
    model = DDPM(**SMALL, weighting="elbo", variance=variance)
    params = some_params(model, 0.1)
    x = onp.tile([[0.7, -1.2]], (60_000, 1))
    bound = -model.log_prob(params, x, Stream(4))
    losses = onp.array([model.loss(params, x[:2000], Stream(5, str(k))) for k in range(60)])
    spread = onp.hypot(bound.std() / len(bound) ** 0.5, losses.std() / 60**0.5)
    assert abs(bound.mean() - losses.mean()) < 5 * spread
    assert spread < 0.02 * abs(bound.mean())


def exact(model, law):
    """The same model with the exact denoiser in place of its network."""

    class Exact(DDPM):
        def denoiser(self, params) -> Denoiser:
            return ExactDenoiser(law)

    return Exact(**{field.name: getattr(model, field.name) for field in fields(model)})


@pytest.mark.parametrize(
    ("variance", "least", "most"), [("small", 0.7, 1.1), ("large", 0, 0.05), ("optimal", 0, 0.05)]
)
def test_the_bound_is_below_the_log_density_and_near_it_for_the_exact_denoiser(variance, least, most):
    """The small variance is half of what the first steps need, which costs nearly a nat; the others are
    tight."""
    law = Gaussian([0.2, -0.1], [[0.9, 0.3], [0.3, 0.8]])
    model = exact(DDPM(T=1000, variance=variance), law)
    x = law.sample(Stream(0), 3000)
    log_prob = model.log_prob(onp.zeros(1), x, Stream(1), law.sample(Stream(2), 2000))
    gap = onp.mean(law.log_prob(x) - log_prob)
    noise = onp.std(law.log_prob(x) - log_prob) / len(x) ** 0.5
    assert least - 5 * noise < gap < most


def test_the_terms_of_the_bound_add_up_and_the_last_is_the_formula():
    model = DDPM(**SMALL)
    params, x = some_params(model), Stream(2).normal(30, 2)
    terms = model.bound(params, x, Stream(6))
    assert onp.array_equal(model.log_prob(params, x, Stream(6)), -(terms.l_0 + terms.l_steps + terms.l_T))
    onp.testing.assert_array_equal(terms.l_T, elbo.l_T(x, float(model.levels.alpha_bar[-1])))
    # L_0 by hand, from the noise that the bound drew last.
    rng = Stream(6)
    eps = [rng.normal(30, 2) for _ in range(model.T)][-1]
    signal, std = model.levels.level(1)
    x_0 = model.denoiser(params).x_0(forward.diffuse(x, eps, signal, std), signal, std)
    var = model.variances()[1]
    by_hand = 0.5 * onp.sum((x - x_0) ** 2, axis=1) / var + onp.log(2 * onp.pi * var)
    onp.testing.assert_allclose(terms.l_0, by_hand, rtol=1e-9)


def test_the_decoder_has_a_variance_of_its_own():
    assert DDPM(decoder_var=0.01).variances()[1] == 0.01
    levels = DDPM().levels
    assert DDPM().variances()[1] == pytest.approx(levels.beta[1] / levels.alpha[1], rel=1e-12)
    assert onp.all(DDPM().variances()[1:] > 0)


def test_float32_stays_float32_in_the_loss_its_gradient_and_the_samples():
    for target in TARGETS:
        for weighting in WEIGHTINGS:
            model = DDPM(**SMALL, target=target, weighting=weighting)
            params, x = model.init(Stream(0)), Stream(1).normal(5, 2, dtype=np.float32)
            assert params.dtype == np.float32
            assert model.loss(params, x, Stream(2)).dtype == np.float32
            gradient = grad(model.loss)(params, x, Stream(2))
            assert gradient.dtype == np.float32
            assert onp.any(gradient)
        assert model.sample(params, 5, Stream(3)).dtype == np.float32


def test_an_untrained_model_gives_the_known_chain():
    """A network of zeros, asked for eps, divides by sqrt(alpha_t): a Gaussian whose variance is a
    recursion."""
    model = DDPM(dim=3, **SMALL)
    x = model.sample(model.init(Stream(0)), 40_000, Stream(1)).astype(np.float64)
    var, levels, steps = 1.0, model.levels, model.variances()
    for t in range(model.T, 0, -1):
        var = var / levels.alpha[t] + (steps[t] if t > 1 else 0)
    assert x.shape == (40_000, 3)
    z = (onp.mean(x**2) / var - 1) / onp.sqrt(2 / x.size)
    assert abs(z) < 5


@pytest.mark.parametrize("target", TARGETS)
def test_the_denoiser_and_the_loss_agree_on_what_the_network_says(target):
    model = DDPM(**SMALL, target=target)
    params, x, rng = some_params(model), Stream(2).normal(40, 2), Stream(3)
    t, eps = rng.integers(1, 13, 40), rng.normal(40, 2)
    signal, std = model.levels.signal[t][:, None], model.levels.std[t][:, None]
    guess = model.denoiser(params).eps(forward.diffuse(x, eps, signal, std), signal, std)
    expected = onp.mean(onp.sum((eps - guess) ** 2, axis=1))
    assert model.loss(params, x, Stream(3)) == pytest.approx(expected, rel=1e-4)
    for k in (1, 12):  # one level for all points, as Python floats, and one a point
        levels = model.levels.level(k)
        rows = (onp.full((40, 1), level) for level in levels)
        both = [model.denoiser(params).eps(x, *given) for given in (levels, tuple(rows))]
        onp.testing.assert_allclose(both[0], both[1], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 3, 12])
def test_it_samples_in_any_number_of_steps(steps):
    model = DDPM(**SMALL, variance="optimal")
    params = some_params(model).astype(np.float32)
    x = model.sample(params, 7, Stream(1), steps=steps, x_0=Stream(2).normal(50, 2))
    assert x.shape == (7, 2)
    assert onp.all(onp.isfinite(x))


def test_a_short_training_beats_the_stated_bound():
    """Samples within 3.5 sampling floors of the exact law, the right mode weights, a bound near log p."""
    law, _, _ = distribution("two_gaussians").standardised()
    model = named("ddpm", T=200, hidden=64, variance="large")
    state = training.start(model, Stream(0, "train"))
    for _ in training.fit(model, law, state, 2000, batch=256):
        pass
    x = model.sample(state.ema, 5000, Stream(1))
    lines = metrics.directions(2, 64, Stream(2))
    floor = metrics.sampling_floor(law, 5000, lines, Stream(3)).max
    assert metrics.sliced_wasserstein(x, law.sample(Stream(4), 5000), lines) < 3.5 * floor
    fractions = metrics.mode_weights(x, *law.modes).fractions
    assert onp.all(onp.abs(fractions - law.modes[1]) < 0.04)
    # Negative control: the untrained network is far outside.
    untrained = model.sample(model.init(Stream(0)), 5000, Stream(1))
    assert metrics.sliced_wasserstein(untrained, law.sample(Stream(4), 5000), lines) > 10 * floor
    test = law.sample(Stream(5), 1000)
    gap = onp.mean(law.log_prob(test) - model.log_prob(state.ema, test, Stream(6)))
    assert 0 < gap < 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "noise"}, "target is 'noise'; it must be one of eps, x_0, score, v"),
        ({"weighting": "none"}, "weighting is 'none'; it must be one of simple, snr, elbo"),
        ({"variance": "tiny"}, "variance is 'tiny'; it must be one of small, large, optimal"),
        ({"weighting": "elbo", "variance": "optimal"}, "known after training"),
        ({"decoder_var": -1.0}, "decoder_var is -1.0"),
        ({"dim": 0}, r"dim is 0; it must be an integer in 1\.\."),
        ({"features": 7}, "features is 7; it must be an even number"),
        ({"features": True}, "features is True; it must be an integer"),
        ({"hidden": 0}, "hidden is 0"),
        ({"hidden": 12.5}, "hidden is 12.5; it must be an integer"),
        ({"layers": "3"}, "layers is '3'; it must be an integer"),
        ({"dim": 2.0}, "dim is 2.0; it must be an integer"),
        ({"T": 0}, "T is 0"),
        ({"T": 100_001}, r"T is 100001; it must be an integer in 1\.\.100000"),
        ({"schedule": "lineal"}, "no schedule 'lineal'; did you mean linear"),
        ({"size": 3}, "model ddpm has no option 'size'; it has dim, T"),
    ],
)
def test_a_wrong_option_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        named("ddpm", **options)


def test_the_optimal_variance_needs_data():
    model = DDPM(**SMALL, variance="optimal")
    for call in (model.sample, model.log_prob):
        argument = 5 if call == model.sample else onp.zeros((5, 2))
        with pytest.raises(ValueError, match="give x_0, points"):
            call(model.init(Stream(0)), argument, Stream(0))


PAIRS = set(itertools.product(WEIGHTINGS, VARIANCES)) - {("elbo", "optimal")}


@pytest.mark.parametrize(("weighting", "variance"), sorted(PAIRS))
def test_every_allowed_pair_of_options_trains_and_samples(weighting, variance):
    law = distribution("moons").standardised()[0]
    model = DDPM(**SMALL, target="v", weighting=weighting, variance=variance)
    x = law.sample(Stream(1), 4000).astype(np.float32)
    before = model.loss(model.init(Stream(0)), x, Stream(2))
    state = training.start(model, Stream(0), lr=0.01)
    for _ in training.fit(model, law, state, 60, batch=64):
        pass
    assert model.loss(state.params, x, Stream(2)) < before
    points = model.sample(state.ema, 200, Stream(3), x_0=x[:200])
    assert points.dtype == np.float32
    assert onp.all(onp.abs(points) < 20)


@pytest.mark.parametrize("variance", VARIANCES)
def test_another_denoiser_may_stand_in_for_the_network_and_the_way_be_kept(variance):
    law = Gaussian([0.2, -0.1], [[0.9, 0.3], [0.3, 0.8]])
    model, params = DDPM(**SMALL, variance=variance), onp.zeros(1)
    data, kept = law.sample(Stream(2), 500), dict.fromkeys((4, 1, 0))
    x = model.sample(params, 50, Stream(1), 4, data, ExactDenoiser(law), kept)
    onp.testing.assert_array_equal(x, exact(model, law).sample(params, 50, Stream(1), steps=4, x_0=data))
    assert kept[0] is x
    onp.testing.assert_array_equal(kept[0], law.posterior_mean(kept[1], *model.levels.respaced(4).level(1)))


def test_models_are_known_by_name():
    assert NAMES[:2] == ("ddpm", "ncsn")
    assert name_of(named("ddpm")) == "ddpm"
    with pytest.raises(ValueError, match="no model 'dppm'; did you mean ddpm"):
        named("dppm")
    with pytest.raises(ValueError, match="model is a int"):
        name_of(3)
