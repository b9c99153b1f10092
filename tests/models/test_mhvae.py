"""Chains of latent variables: bounds, one level as a VAE, fixed encoders as diffusion."""

from dataclasses import replace

import numpy as np
import pytest
from autograd import grad

from refgen import training
from refgen.backend import Stream
from refgen.distributions import Gaussian
from refgen.distributions import named as named_law
from refgen.evaluation import evaluate
from refgen.formulas import gaussian_chain, hierarchical
from refgen.formulas.gaussian import kl_gaussian
from refgen.formulas.hierarchical import Step
from refgen.models import named
from refgen.models.ddpm import DDPM
from refgen.models.mhvae import MHVAE
from refgen.models.vae import VAE

SMALL = dict(hidden=8, layers=2)


def some_params(model):
    params = model.init(Stream(0)).astype(np.float64)
    return params + 0.2 * Stream(1).normal(len(params))


def steps_of(model, params):
    """A linear chain's encoders, which are fixed, and decoders, as the closed forms want them."""
    schedule, identity = model.levels_of_noise, np.eye(model.dim)
    up = [Step(np.sqrt(1 - beta) * identity, np.zeros(model.dim), beta) for beta in schedule.beta[1:]]
    down = []
    for net, (start, stop) in zip(model.factors.nets, model.factors.spans, strict=True):
        own = params[start:stop].astype(np.float64)
        weight, bias = net.linear.views(own[:-1])
        down.append(Step(weight.T, bias, float(np.exp(own[-1]) + net.least_std**2)))
    return up, down


def near(each, exact):
    return abs(np.mean(each) - exact) < 5 * np.std(each) / np.sqrt(len(each))


@pytest.mark.parametrize("name", ["mhvae", "hvae"])
@pytest.mark.parametrize("options", [dict(depth=3), dict(draws=3), dict(encoder="fixed")], ids=str)
def test_the_gradient_is_the_losses(name, options):
    model = named(name, **SMALL, **{"draws": 1, **options})
    params, x = some_params(model), Stream(2).normal(10, 2)
    direction, h = Stream(5).normal(len(params)), 1e-6
    ends = [model.loss(params + s * h * direction, x, Stream(3)) for s in (1, -1)]
    slope = grad(lambda p: model.loss(p, x, Stream(3)))(params) @ direction
    assert float(slope) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", ["mhvae", "hvae"])
def test_one_level_is_a_variational_autoencoder(name):
    model, vae = named(name, depth=1, **SMALL), VAE(**SMALL)
    params, x = some_params(vae), Stream(2).normal(9, 2)
    np.testing.assert_array_equal(model.init(Stream(0)), vae.init(Stream(0)))
    ours = model.log_weights(params, x, Stream(3), 3)
    theirs = vae._log_weights(params, x, Stream(3), 3)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    np.testing.assert_array_equal(model.sample(params, 9, Stream(4)), vae.sample(params, 9, Stream(4)))


@pytest.mark.parametrize("name", ["mhvae", "hvae"])
def test_more_draws_tighten_the_bound_up_to_the_density(name):
    """In one dimension, where the density is a histogram's of the model's own samples."""
    model = named(name, dim=1, latent=1, depth=2, **SMALL)
    params, n = model.init(Stream(0)).astype(np.float64), 4000
    for net, (start, stop) in list(zip(model.factors.nets, model.factors.spans, strict=True))[:2]:
        bias = net.net.layout.views(params[start:stop])[-1]
        bias[1] = 1.0  # the log-variance: an encoder that is wide has weights of a finite variance
    means = []
    for draws in (1, 5, 50):
        bounds = named(name, dim=1, latent=1, depth=2, bound_draws=draws, **SMALL)
        means.append(bounds.log_prob(params, np.full((n, 1), 0.3), Stream(3)).mean())
    points = model.sample(params, 400_000, Stream(4))[:, 0]
    inside = np.mean(abs(points - 0.3) < 0.05)
    error = np.sqrt((1 - inside) / (len(points) * inside))  # of its logarithm
    exact = np.log(inside / 0.1)
    assert means[0] < means[1] < means[2] < exact + 5 * error
    weights = np.exp(model.log_weights(params, np.full((200_000, 1), 0.3), Stream(5))[0])
    error = np.hypot(error, np.std(weights) / np.mean(weights) / np.sqrt(len(weights)))
    assert error < 0.02 and abs(np.log(np.mean(weights)) - exact) < 5 * error


def test_what_a_factor_sees():
    """A Markovian one the next level alone, the other all on its side."""
    x, z = Stream(2).normal(2, 6, 2)
    for name, blind in [("mhvae", True), ("hvae", False)]:
        model = named(name, depth=2, **SMALL)
        params = some_params(model)
        seen = [
            np.array_equal(model.up(params, [x, z])[0], model.up(params, [x + 1, z])[0]),
            np.array_equal(model.down(params, [x, z])[0], model.down(params, [x, z + 1])[0]),
        ]
        assert seen == [blind, blind]


def test_with_fixed_encoders_it_is_a_diffusion_model():
    """Four ways to one number: DDPM's terms, the diffusion bound, the hierarchy's, and this model's draws.

    The reverse step of a network that returns zeros is x_t / sqrt(alpha_t), with the schedule's variance.
    """
    T, x = 40, np.array([[0.6, -1.1], [1.4, 0.2]])
    ddpm = DDPM(T=T, schedule="linear", hidden=4, layers=1, features=4)
    alpha, var = 1 - ddpm.levels.beta[1:], ddpm.variances()[1:]
    slope = 1 / np.sqrt(alpha)
    model = MHVAE(depth=T, encoder="fixed", schedule="linear", layers=0, least_std=0.0, bound_draws=1)
    params = model.init(Stream(0)).astype(np.float64)
    for t, (start, stop) in enumerate(model.factors.spans):
        own = params[start:stop]
        weight, bias = model.factors.nets[t].linear.views(own[:-1])
        weight[:], bias[:], own[-1] = slope[t] * np.eye(2), 0, np.log(var[t])
    exact = hierarchical.elbo(x, *steps_of(model, params))
    bounds = gaussian_chain.denoising_elbo(x, alpha, slope, 0 * alpha, var)
    np.testing.assert_allclose(exact, bounds, rtol=1e-10)
    zeros = np.zeros(ddpm.net.size)
    for k in range(2):
        copies = np.repeat(x[k : k + 1], 10_000, axis=0)
        assert near(model.log_prob(params, copies, Stream(3)), exact[k])
        assert near(ddpm.log_prob(zeros, copies, Stream(4)), exact[k])


def test_a_linear_chain_learns_to_undo_three_fixed_steps():
    """Its bound comes to minus the entropy, less what the last step leaves of the data: all else is exact."""
    law = Gaussian([0.5, -0.3], 0.5)
    model = MHVAE(depth=3, encoder="fixed", layers=0)
    state = training.start(model, Stream(0), lr=5e-2)
    for _ in training.fit(model, law, state, 500, batch=128, ema=0.97, cool=0.6):
        pass
    x = law.sample(Stream(7), 20_000)
    up, down = steps_of(model, state.ema)
    left = float(model.levels_of_noise.alpha_bar[-1])
    end = kl_gaussian(
        np.sqrt(left) * law.mean, left * law.cov + (1 - left) * np.eye(2), 0 * law.mean, np.eye(2)
    )
    lost = np.mean(law.log_prob(x) - hierarchical.elbo(x, up, down)) - end
    assert -1e-3 < lost < 0.02
    # The levels that it samples are a Markov chain: their precision has no entries but between neighbours.
    blocks = {(3, 3): np.eye(2)}
    for t in (2, 1, 0):
        weight = down[t].weight
        blocks[t, t] = weight @ blocks[t + 1, t + 1] @ weight.T + down[t].var * np.eye(2)
        for s in range(t + 1, 4):
            blocks[t, s] = weight @ blocks[t + 1, s]
            blocks[s, t] = blocks[t, s].T
    precision = np.linalg.inv(np.block([[blocks[i, j] for j in range(4)] for i in range(4)]))
    for i in range(4):
        for j in range(4):
            part = abs(precision[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]).max()
            assert part < 1e-10 if abs(i - j) > 1 else part > 1e-3
    points = model.sample(state.ema, 40_000, Stream(8))
    np.testing.assert_allclose(np.cov(points.T), blocks[0, 0], atol=0.02)


def lost(model, law, steps, batch=256):
    """By how many nats the bound of one draw is below the entropy after a training that raises it."""
    state = training.start(model, Stream(0, "train vae"), lr=4e-3)
    for _ in training.fit(model, law, state, steps, batch=batch, ema=0.99, cool=0.5):
        pass
    x = law.sample(Stream(9), 4000)
    return np.mean(law.log_prob(x) - replace(model, bound_draws=1).log_prob(state.ema, x, Stream(3)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mhvae", "hvae"])
def test_two_levels_do_what_one_does(name):
    """About 20 s. On a ring of Gaussians; seen: 0.73 for one level, 0.58 and 0.48 for two."""
    law = named_law("ring").standardised()[0]
    one, two = (lost(named(name, depth=depth, hidden=32, draws=1), law, 1000) for depth in (1, 2))
    assert two < one + 0.02 and two < 0.7


@pytest.mark.parametrize("name", ["mhvae", "hvae"])
def test_a_short_training_finds_the_two_moons(name):
    model, law = named(name, hidden=24, draws=3, bound_draws=20), named_law("moons").standardised()[0]
    state = training.start(model, Stream(0), lr=5e-3)
    for _ in training.fit(model, law, state, 250, batch=128, ema=0.98, cool=0.5):
        pass
    report = evaluate(model, state.ema, law, Stream(1), n=2000)
    assert 0 < report["nll"]["gap"] < 0.7 and report["samples"]["times_floor"] < 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(depth=0), r"depth is 0; it must be an integer in 1\.\.1000"),
        (dict(encoder="none"), r"encoder is 'none'; it must be one of learned, fixed"),
        (dict(encoder="fixed", latent=3), r"latent is 3; with fixed encoders it must be dim, 2"),
        (dict(encoder="fixed", schedule="cosinus"), r"no schedule 'cosinus'"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        MHVAE(**options)
