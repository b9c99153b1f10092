"""Adversarial networks: whose gradient is whose, the best discriminator, resuming, short trainings."""

import numpy as np
import pytest
from autograd import grad

from refgen import training
from refgen.backend import Stream
from refgen.distributions import named
from refgen.evaluation import evaluate
from refgen.formulas import adversarial
from refgen.models.gan import GAN, OBJECTIVES

SMALL = GAN(hidden=16, layers=2)
RING = named("ring").standardised()[0]


def trained(model, law, steps, seed=0, batch=128):
    state = training.start(model, Stream(seed))
    for _ in training.fit(model, law, state, steps, batch, ema=0.99):
        pass
    return state


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("penalty", [0.0, 3.0])
def test_the_gradients_are_those_of_each_players_loss(objective, penalty):
    model = GAN(objective=objective, penalty=penalty, penalty_points=5, hidden=8, layers=2)
    params = model.init(Stream(0)).astype(float)
    ours, theirs = (params[part] for part in model.parts)
    data, z = Stream(1).normal(9, 2), Stream(2).normal(9, model.latent)
    fake = model.generator(ours, z)
    losses = [
        (lambda p: model.generator_loss(p, theirs, z), ours),
        (lambda p: model.discriminator_loss(p, data, fake, Stream(3)), theirs),
    ]
    for loss, at in losses:
        direction, h = Stream(4).normal(len(at)), 1e-6
        slope = (loss(at + h * direction) - loss(at - h * direction)) / (2 * h)
        assert float(grad(loss)(at) @ direction) == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_losses_are_the_formulas_of_the_discriminators_probability():
    params = SMALL.init(Stream(0)).astype(float)
    ours, theirs = (params[part] for part in SMALL.parts)
    data, z = Stream(1).normal(30, 2), Stream(2).normal(30, SMALL.latent)
    fake = SMALL.generator(ours, z)
    real, made = (1 / (1 + np.exp(-SMALL.logits(params, x))) for x in (data, fake))
    plain = GAN(hidden=16, layers=2, penalty=0.0)
    value = np.mean(np.log(real)) + np.mean(np.log(1 - made))
    assert plain.discriminator_loss(theirs, data, fake, Stream(3)) == pytest.approx(-value)
    for objective, loss in [("nonsaturating", -np.log(made)), ("minimax", np.log(1 - made))]:
        model = GAN(objective=objective, hidden=16, layers=2)
        assert model.generator_loss(ours, theirs, z) == pytest.approx(np.mean(loss))
    critic = GAN(objective="wasserstein", hidden=16, layers=2, penalty=0.0)
    values = [np.mean(critic.logits(params, x)) for x in (data, fake)]
    assert critic.discriminator_loss(theirs, data, fake, Stream(3)) == pytest.approx(values[1] - values[0])
    assert critic.generator_loss(ours, theirs, z) == pytest.approx(-values[1])


def test_the_penalty_is_of_the_slope_at_data_or_between():
    h, weight = 1e-5, 2.0
    for objective, target in [("nonsaturating", 0.0), ("wasserstein", 1.0)]:
        with_it, without = (
            GAN(objective=objective, hidden=16, layers=2, penalty=weight * on, penalty_points=6)
            for on in (1, 0)
        )
        params = with_it.init(Stream(0)).astype(float)
        data, fake = Stream(1).normal(9, 2), Stream(2).normal(9, 2)
        theirs = params[with_it.parts[1]]
        x = data[:6]
        if target:
            x = x + Stream(3).uniform(6, 1) * (fake[:6] - x)
        slopes = [
            (with_it.logits(params, x + step) - with_it.logits(params, x - step)) / (2 * h)
            for step in h * np.eye(2)
        ]
        expected = weight * np.mean((np.hypot(*slopes) - target) ** 2)
        found = [model.discriminator_loss(theirs, data, fake, Stream(3)) for model in (with_it, without)]
        assert found[0] - found[1] == pytest.approx(expected, rel=1e-6)


def test_an_update_moves_the_generator_in_its_turn_only():
    model = GAN(hidden=8, layers=2, critic_steps=3)
    state, batch = training.start(model, Stream(0)), RING.sample(Stream(1), 32).astype(np.float32)
    moved = []
    for _ in range(6):
        before = state.params.copy()
        model.update(state, batch, state.rng)
        moved.append([bool(np.any(state.params[part] != before[part])) for part in model.parts])
    assert moved == 2 * [[False, True], [False, True], [True, True]]


def test_a_first_step_is_adams_with_each_players_own_count():
    """The first step of Adam moves each parameter by lr, whenever it comes."""
    model = GAN(hidden=8, layers=2, critic_steps=2, penalty=0.0, momentum=0.5)
    state, batch = training.start(model, Stream(0), 0.01), RING.sample(Stream(1), 64).astype(np.float32)
    first = state.params.copy()
    model.update(state, batch, state.rng)
    model.update(state, batch, state.rng)
    ours = model.parts[0]
    step = np.abs(state.params[ours] - first[ours])
    assert np.median(step) == pytest.approx(0.01, rel=1e-3) and step.max() <= 0.0101


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_it_goes_on_after_a_resume_to_the_same_bits(objective):
    model = GAN(objective=objective, hidden=16, layers=2, critic_steps=2)

    def run(state, steps):
        for _ in training.fit(model, RING, state, steps, batch=16):
            pass
        return state.to_arrays()

    whole = run(training.start(model, Stream(0)), 9)
    part = training.start(model, Stream(0))
    found = run(training.State.from_arrays(run(part, 5)), 9)
    assert whole.keys() == found.keys()
    assert all(np.array_equal(whole[name], found[name]) for name in whole)


def test_a_sampler_and_no_density():
    for dim, latent in [(1, 3), (2, 2), (3, 1)]:
        model = GAN(dim=dim, latent=latent, hidden=8)
        points = model.sample(model.init(Stream(0)), 7, Stream(1), steps=4, x_0=None, trajectory={})
        assert points.shape == (7, dim) and points.dtype == np.float32
        assert np.ptp(points, axis=0).min() > 1e-3  # untrained it is no point
    assert model.calls() == model.calls(9) == 1
    assert not any(hasattr(GAN, name) for name in ("log_prob", "denoiser", "score", "levels"))


def test_options_out_of_range_are_refused():
    for options, said in [
        ({"objective": "hinge"}, "^objective is 'hinge'; it must be one of nonsaturating, minimax"),
        ({"latent": 0}, "^latent is 0"),
        ({"critic_steps": 1.5}, "^critic_steps is 1.5"),
        ({"penalty": -1.0}, "^penalty is -1.0; it must be a finite number >= 0"),
        ({"momentum": 1.0}, r"^momentum is 1.0; it must lie in \[0, 1\)"),
    ]:
        with pytest.raises(ValueError, match=said):
            GAN(**options)


def test_a_short_training_covers_the_ring():
    found = trained(GAN(hidden=32), RING, 700)
    report = evaluate(GAN(hidden=32), found.ema, RING, Stream(5), n=4000, density=False)
    assert sum(report["modes"]["covered"]) == 8
    assert report["samples"]["times_floor"] <= 2.6  # seen, of seeds 0, 1, 2: 1.5 to 1.6
    assert found.loss == pytest.approx(2 * np.log(2), abs=0.12)  # it cannot tell them apart


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "floors"), [("nonsaturating", 2.8), ("minimax", 2.8), ("wasserstein", 8.0)]
)
def test_a_longer_training_covers_the_ring(objective, floors):
    """Seen, of seeds 0, 1: 1.4 and 1.7 floors, 1.7 and 1.7, 4.5 and 5.6; the usual is in test_usual.py."""
    model = GAN(objective=objective)
    found = trained(model, RING, 3000, batch=512)
    report = evaluate(model, found.ema, RING, Stream(5), density=False)
    assert sum(report["modes"]["covered"]) == 8
    assert report["samples"]["times_floor"] <= floors


def test_the_best_discriminator_of_a_formula_is_the_logistic_function_of_the_odds():
    log_p, log_q = RING.log_prob(np.zeros((1, 2))), RING.log_prob(np.ones((1, 2)))
    exact = np.exp(log_p) / (np.exp(log_p) + np.exp(log_q))
    np.testing.assert_allclose(adversarial.optimal_discriminator(log_p, log_q), exact)
