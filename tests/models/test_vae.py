"""A variational autoencoder: its bounds below the exact likelihood, the linear one at its closed form."""

import numpy as np
import pytest
from autograd import grad

from refgen import training
from refgen.backend import Stream
from refgen.distributions import Gaussian, named
from refgen.evaluation import evaluate
from refgen.formulas import latent_linear
from refgen.models.vae import VAE

SMALL = VAE(hidden=8, layers=2, draws=1, bound_draws=5)
D, K = 5, 2
WEIGHT = np.array([[1.5, 0.2], [-0.7, 0.9], [0.3, -1.1], [0.0, 0.6], [0.8, 0.4]])
BIAS, VAR = np.array([0.5, -1.0, 0.0, 2.0, 0.3]), 0.3
LAW = Gaussian(BIAS, latent_linear.marginal_cov(WEIGHT, VAR))  # of probabilistic principal components


def some_params(model):
    params = model.init(Stream(0))
    return (params + 0.2 * Stream(1).normal(len(params))).astype(np.float64)


def linear_parts(model, params):
    """Weight, bias and variance of a linear decoder, for the closed forms."""
    start, stop = model.nets.spans[1]
    own = params[start:stop].astype(np.float64)
    weight, bias = model.nets.nets[1].linear.views(own[:-1])
    return weight.T, bias, float(np.exp(own[-1]) + model.least_std**2)


def trained(model, law, steps, **options):
    state = training.start(model, Stream(0, "vae"), lr=options.pop("lr", 2e-3))
    for _ in training.fit(model, law, state, steps, **options):
        pass
    return state.ema


def test_the_gradient_is_the_losses():
    for model in (SMALL, VAE(hidden=8, layers=2, draws=4), VAE(dim=5, layers=0, draws=1)):
        params, x = some_params(model), Stream(2).normal(10, model.dim)
        direction, h = Stream(5).normal(len(params)), 1e-6
        ends = [model.loss(params + s * h * direction, x, Stream(3)) for s in (1, -1)]
        slope = grad(lambda p: model.loss(p, x, Stream(3)))(params) @ direction  # noqa: B023
        assert float(slope) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5, abs=1e-8)


def test_the_bound_the_tighter_bounds_and_the_exact_likelihood_are_in_this_order():
    """ELBO <= 2 draws <= 30 draws <= log p(x), each well beyond its standard error."""
    model, n = VAE(hidden=8, layers=2, latent=2), 40
    params, x = some_params(model), np.repeat(0.7 * Stream(2).normal(n, 2), 400, axis=0)
    exact, error = model.log_likelihood(params, x[::400], spacing=0.05)
    assert np.all(error < 1e-3)
    means, errors = [], []
    for draws in (1, 2, 30):
        bound = VAE(hidden=8, layers=2, bound_draws=draws).log_prob(params, x, Stream(3))
        means.append(float(np.mean(bound)))
        errors.append(float(np.std(bound.reshape(n, 400), axis=1).mean() / np.sqrt(len(bound))))
    order = [*means, float(np.mean(exact))]
    assert np.all(np.diff(order) > 3 * max(errors))
    assert order[3] - order[2] < 0.1 * (order[3] - order[0])


def test_one_draw_by_either_form_has_the_same_mean():
    params, x = some_params(SMALL), np.repeat(Stream(2).normal(1, 2), 20_000, axis=0)
    each = SMALL.elbo(params, x, Stream(3)), SMALL._log_weights(params, x, Stream(4), 1)[0]
    error = sum(np.var(one) / len(x) for one in each) ** 0.5
    assert abs(np.mean(each[0]) - np.mean(each[1])) < 5 * error


def test_mean_importance_weight_is_the_exact_density():
    """With draws of an untrained encoder, which is wide: unbiased, and its variance is finite."""
    params = SMALL.init(Stream(0)).astype(np.float64)
    x = np.array([[0.4, -0.2]])
    weights = np.exp(SMALL._log_weights(params, x, Stream(3), 100_000)[:, 0])
    exact = float(np.exp(SMALL.log_likelihood(params, x, spacing=0.05)[0][0]))
    assert abs(weights.mean() - exact) < 5 * weights.std() / np.sqrt(len(weights))


def test_the_exact_density_integrates_to_one_and_samples_have_its_moments():
    model = VAE(dim=1, latent=1, hidden=8, layers=2)
    params = some_params(model)
    axis = np.linspace(-12, 12, 801)
    mass = np.exp(model.log_likelihood(params, axis[:, None], spacing=0.02)[0]) * (axis[1] - axis[0])
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    x = model.sample(params, 50_000, Stream(4))[:, 0]
    for power in (1, 2, 4):
        error = np.std(x**power) / np.sqrt(len(x))
        assert abs(np.mean(x**power) - mass @ axis**power) < 5 * error


def test_a_linear_one_has_the_likelihood_in_closed_form():
    model = VAE(dim=D, latent=K, layers=0, draws=1)
    params, x = some_params(model), LAW.sample(Stream(2), 6)
    parts = linear_parts(model, params)
    exact = latent_linear.log_likelihood(x, *parts)
    np.testing.assert_allclose(model.log_likelihood(params, x, spacing=0.05)[0], exact, atol=1e-8)
    copies = np.repeat(x[:1], 40_000, axis=0)
    found, (mean, var) = model.elbo(params, copies, Stream(3)), model.encode(params, x[:1])
    bound = latent_linear.elbo(x[:1], mean, np.diag(var), *parts)[0]
    assert abs(np.mean(found) - bound) < 5 * np.std(found) / np.sqrt(len(found))


def test_a_linear_one_reaches_principal_components_and_the_exact_posterior():
    """The best likelihood of any such decoder is that of the law itself; q can be the posterior."""
    model = VAE(dim=D, latent=K, layers=0, draws=1)
    params = trained(model, LAW, 1500, lr=3e-2, ema=0.99, cool=0.5, batch=128)
    x = LAW.sample(Stream(7), 20_000)
    parts, (mean, var) = linear_parts(model, params), model.encode(params.astype(np.float64), x)
    cov = np.diag(var)
    lost = np.mean(LAW.log_prob(x) - latent_linear.elbo(x, mean, cov, *parts)) / D
    divergence = np.mean(latent_linear.gap(x, mean, cov, *parts))
    values = np.linalg.eigvalsh(LAW.cov)[::-1]
    assert latent_linear.best_likelihood(values, K) == pytest.approx(-LAW.entropy, abs=1e-12)
    assert 0 < lost < 0.02 and 0 < divergence < 0.02
    np.testing.assert_allclose(latent_linear.marginal_cov(*parts[::2]), LAW.cov, atol=0.15)


def test_samples_carry_the_decoders_noise():
    """Means alone lie on the plane of the weights; the data do not."""
    model = VAE(dim=D, latent=K, layers=0, draws=1)
    params = some_params(model)
    weight, _, var = linear_parts(model, params)
    points, kept = model.sample(params, 40_000, Stream(4)), {}
    assert points.shape == (40_000, D) and model.calls(9) == 1
    exact = latent_linear.marginal_cov(weight, var)
    np.testing.assert_allclose(np.cov(points.T), exact, atol=0.03 * np.max(exact))
    np.testing.assert_array_equal(points, model.sample(params, 40_000, Stream(4), 7, None, None, kept))


@pytest.mark.parametrize(("draws", "steps", "nats"), [(1, 400, 0.6), (5, 200, 0.6)])
def test_a_short_training_finds_the_two_moons(draws, steps, nats):
    model = VAE(layers=2, draws=draws, bound_draws=20)
    law = named("moons").standardised()[0]
    params = trained(model, law, steps, batch=128, lr=5e-3, ema=0.98, cool=0.5)
    report = evaluate(model, params, law, Stream(1), n=2000)
    assert report["nll"]["kind"] == "bound" and "score" not in report
    assert 0 < report["nll"]["gap"] < nats
    assert report["samples"]["times_floor"] < 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(latent=0), r"latent is 0; it must be an integer in 1\.\."),
        (dict(draws=0), r"draws is 0; it must be an integer in 1\.\.10000"),
        (dict(layers=-1), r"layers is -1; it must be an integer in 1\.\."),
        (dict(least_std=-0.1), r"least_std is -0.1; it must be a finite number >= 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        VAE(**options)


def test_a_grid_has_only_two_dimensions():
    model = VAE(latent=3, hidden=4, layers=1)
    with pytest.raises(ValueError, match=r"^latent is 3; a grid has only 1 or 2 dimensions"):
        model.log_likelihood(model.init(Stream(0)), np.zeros((1, 2)))
