"""Energy-based models: normalised, sampled and trained, six objectives, and what each is known to miss."""

import numpy as np
import pytest
from autograd import grad

from refgen import training
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, OneLevelDenoiser, counted
from refgen.distributions import GaussianMixture, named
from refgen.formulas.gaussian import log_prob_isotropic
from refgen.formulas.noise_contrastive import least_loss
from refgen.metrics import directions, mode_weights, sampling_floor, score_error, sliced_wasserstein
from refgen.models.ebm import EBM, OBJECTIVES
from refgen.samplers.smc import LEAST

SMALL = EBM(std=0.1, hidden=32, layers=2)
LAW = named("two_gaussians").standardised()[0]
AXIS = np.linspace(-9, 9, 201)
GRID = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 2)


def some_params(model):
    params = model.init(Stream(0))
    return params + 0.15 * Stream(1).normal(len(params), dtype=np.float32)


def masses(model, params):
    """The model's probabilities of the cells of GRID."""
    return np.exp(model.log_prob(params, GRID.astype(np.float32)).astype(float)) * (AXIS[1] - AXIS[0]) ** 2


@pytest.mark.parametrize("dim", [1, 2])
def test_an_untrained_model_is_the_broad_gaussian(dim):
    model = EBM(dim=dim, std=0.2)
    params, x = model.init(Stream(0)), Stream(1).normal(9, dim)
    log_z, error = model.log_z(params)
    assert abs(log_z) <= 1e-6 and error <= 1e-6
    broad = log_prob_isotropic(x, 0 * x, model.base_std**2)
    np.testing.assert_allclose(model.log_prob(params, x), broad, atol=1e-5)


def test_the_density_integrates_to_one_and_the_score_is_its_gradient():
    params = some_params(SMALL)
    assert np.sum(masses(SMALL, params)) == pytest.approx(1, abs=1e-4)
    params, x, h = params.astype(float), Stream(2).normal(6, 2), 1e-5
    for k, step in enumerate(h * np.eye(2)):
        slope = (SMALL.log_prob(params, x + step) - SMALL.log_prob(params, x - step)) / (2 * h)
        np.testing.assert_allclose(SMALL.score(params, x)[:, k], slope, atol=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_gradient_is_the_losses(objective):
    model = EBM(objective=objective, std=0.3, hidden=8, layers=2, mala_step=0.01)
    params, x = some_params(model).astype(float), LAW.sample(Stream(2), 10)
    direction, h = Stream(5).normal(len(params)), 1e-6
    if "cd" in objective:  # the points that were moved are held fixed
        moved = model.moved(params, x, Stream(6))
        loss = lambda p: model._contrastive(p, x, moved)  # noqa: E731
    else:
        loss = lambda p: model.loss(p, x, Stream(4))  # noqa: E731
    ends = [loss(params + s * h * direction) for s in (1, -1)]
    assert float(grad(loss)(params) @ direction) == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)


def test_steps_and_jumps_leave_the_models_law_as_it_is():
    model = EBM(std=0.3, hidden=32, layers=2, chain_steps=4, mala_step=2.0)
    params = some_params(model)
    mass = masses(model, params)
    mass /= mass.sum()
    x = GRID[np.searchsorted(np.cumsum(mass), Stream(2).uniform(10_000))].astype(np.float32)
    moments = mass @ np.stack([GRID[:, 0], GRID[:, 1] ** 2, GRID[:, 0] ** 4], axis=1)
    for move in (model.moved, model.jumped):
        y = move(params, x, Stream(3)).astype(float)
        assert np.mean(np.any(y != x, axis=1)) > 0.1
        for of, exact in zip((y[:, 0], y[:, 1] ** 2, y[:, 0] ** 4), moments, strict=True):
            assert abs(of.mean() - exact) < 5 * of.std() / np.sqrt(len(y))


@pytest.mark.parametrize(("dim", "n"), [(1, 3), (2, 700), (3, 5)])
def test_samples_of_any_number_and_dimension(dim, n):
    model = EBM(dim=dim, stages=3, per_stage=2, hidden=8)
    kept = dict.fromkeys([3, 0])
    points = model.sample(model.init(Stream(0)), n, Stream(1), trajectory=kept)
    assert points.shape == kept[3].shape == (n, dim) and points.dtype == np.float32
    assert np.array_equal(kept[0], points) and model.chain == 3
    asked = counted(ExactDenoiser(LAW))
    if dim == 2:
        model.sample(model.init(Stream(0)), n, Stream(1), steps=2, denoiser=asked)
        assert asked.calls == model.calls(2)


def test_energy_and_score_come_from_one_pass_and_calls_says_how_many(monkeypatch):
    params, x = some_params(SMALL), LAW.sample(Stream(2), 700)
    log_p, score = SMALL.log_prob_and_score(params, x)
    np.testing.assert_allclose(log_p, -SMALL.energy(params, x), rtol=1e-6)
    np.testing.assert_allclose(score, SMALL.score(params, x), rtol=1e-4, atol=1e-5)
    passes, energy = [], EBM.energy
    monkeypatch.setattr(EBM, "energy", lambda *args: passes.append(len(args[2])) or energy(*args))
    model = EBM(stages=5, per_stage=3, hidden=8)
    model.sample(model.init(Stream(0)), 10, Stream(1))
    assert sum(passes) == model.calls() * LEAST == 5 * (3 + 2) * LEAST
    asked = counted(model.denoiser(model.init(Stream(0))))
    model.sample(model.init(Stream(0)), 10, Stream(1), denoiser=asked)
    assert asked.calls == model.calls()


def test_an_energy_has_no_density_by_a_grid_in_three_dimensions():
    model = EBM(dim=3, hidden=8)
    with pytest.raises(ValueError, match=r"^dim is 3; log Z takes a grid, which only 1 and 2"):
        model.log_prob(model.init(Stream(0)), np.zeros((1, 3)))


@pytest.mark.parametrize("stop", [1, 5])
def test_chains_go_on_after_a_resume_to_the_same_bits(stop):
    # Without jumps, all of which an untrained energy accepts: they would leave nothing of the chains.
    model = EBM(std=0.1, hidden=32, layers=2, jumps=0)

    def run(state, steps):
        for _ in training.fit(model, LAW, state, steps, batch=16):
            pass
        return state.to_arrays()

    whole = run(training.start(model, Stream(0)), 9)
    part = training.start(model, Stream(0))
    run(part, stop)
    loaded = training.State.from_arrays(part.to_arrays())
    assert loaded.extra["chains"].shape == (16, 2)
    forgetful = training.State.from_arrays(part.to_arrays())
    del forgetful.extra["chains"]
    assert not np.array_equal(run(forgetful, 9)["params"], whole["params"])
    found = run(loaded, 9)
    assert whole.keys() == found.keys()
    assert all(np.array_equal(whole[name], found[name]) for name in whole)
    assert not np.array_equal(whole["extra.chains"], part.extra["chains"])


def trained(objective, steps, batch, law=LAW, start=None, **options):
    model = EBM(objective=objective, std=0.1, hidden=32, layers=2, stages=25, per_stage=3, **options)
    state = training.start(model, Stream(0), 1e-2)
    if start is not None:
        state.params[:] = state.ema[:] = start[: len(state.params)]
    for _ in training.fit(model, law, state, steps, batch=batch, ema=0.99):
        pass
    return model, state.ema


@pytest.fixture(scope="module")
def mistaken():
    """Parameters, of nce, with a rough score and the weights of the two modes the wrong way round."""
    law = GaussianMixture(LAW.means, LAW.covs, [0.2, 0.8])
    model, params = trained("nce", 200, 128, law=law)
    assert left_weight(model, params) < 0.3
    assert score_error(model.denoiser(params), LAW, 1.0, model.std, Stream(6), 4000) > 0.28
    return params


def gap(model, params, law, n=4000):
    """By how many nats the noisy law is better than the model, at its own points."""
    noisy = law.diffused(*model.levels.level(1))
    x = noisy.sample(Stream(5), n)
    return float(np.mean(noisy.log_prob(x) - model.log_prob(params, x.astype(np.float32))))


def left_weight(model, params):
    means, _ = LAW.modes
    nearest = np.argmin(np.sum((GRID[:, None] - means) ** 2, axis=-1), axis=1)
    energy = model.energy(params, GRID.astype(np.float32)).astype(float)
    mass = np.exp(energy.min() - energy)  # the constant, over a finer grid, takes longer
    return float(mass[nearest == 0].sum() / mass.sum())


@pytest.mark.parametrize(("objective", "score", "nats"), [("pcd", 0.3, 0.05), ("nce", 0.2, 0.02)])
def test_who_compares_regions_finds_the_weights_of_modes_that_are_apart(mistaken, objective, score, nats):
    model, params = trained(objective, 400, 256, start=mistaken)
    assert score_error(model.denoiser(params), LAW, 1.0, model.std, Stream(6), 4000) < score
    assert -0.01 < gap(model, params, LAW) < nats
    assert left_weight(model, params) == pytest.approx(0.8, abs=0.03)
    points = model.sample(params, 1000, Stream(7))
    assert mode_weights(points, *LAW.modes).fractions[0] == pytest.approx(0.8, abs=0.05)
    if objective == "nce":
        assert abs(model.learned_log_z(params) - model.log_z(params)[0]) < 0.1


@pytest.mark.parametrize(
    ("objective", "score"), [("cd", 0.23), ("implicit", 0.15), ("sliced", 0.15), ("denoising", 0.22)]
)
def test_who_sees_the_score_alone_does_not(mistaken, objective, score):
    model, params = trained(objective, 200, 128, start=mistaken)
    assert score_error(model.denoiser(params), LAW, 1.0, model.std, Stream(6), 4000) < score
    assert left_weight(model, params) < 0.5
    assert gap(model, params, LAW) > 0.3


def test_the_energy_of_data_is_below_that_of_noise_and_the_loss_ends_at_its_least():
    model, params = trained("nce", 400, 256, noise_ratio=1)
    data, noise = LAW.sample(Stream(8), 4000), model.base_std * Stream(9).normal(4000, 2)
    assert np.mean(model.energy(params, data)) < np.mean(model.energy(params, noise)) - 1
    broad = np.exp(log_prob_isotropic(GRID, 0 * GRID, model.base_std**2)) * (AXIS[1] - AXIS[0]) ** 2
    exact = np.exp(LAW.diffused(1.0, model.std).log_prob(GRID)) * (AXIS[1] - AXIS[0]) ** 2
    mixed = (exact + broad) / 2
    halves = [p[p > 1e-300] @ np.log(p[p > 1e-300] / mixed[p > 1e-300]) / 2 for p in (exact, broad)]
    loss = np.mean([model.loss(params, LAW.sample(Stream(k), 4000), Stream(k + 50)) for k in range(2)])
    assert loss == pytest.approx(least_loss(sum(halves)), abs=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(objective="mle"), r"objective is 'mle'; it must be one of pcd, cd, nce, implicit"),
        (dict(std=0.0), r"std is 0.0; it must be a finite number > 0"),
        (dict(base_std=-1.0), r"base_std is -1.0; it must be"),
        (dict(chain_steps=0), r"chain_steps is 0; it must be an integer in 1\.\."),
        (dict(jumps=-1), r"jumps is -1; it must be an integer in 0\.\.1000"),
        (dict(stages=1.5), r"stages is 1.5; it must be an integer"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        EBM(**options)


def test_only_nce_learns_log_z():
    with pytest.raises(ValueError, match="only nce learns log Z"):
        SMALL.learned_log_z(SMALL.init(Stream(0)))


def test_a_denoiser_without_a_density_cannot_take_the_networks_place():
    score_alone, params = OneLevelDenoiser(lambda x: -x, SMALL.std), SMALL.init(Stream(0))
    with pytest.raises(ValueError, match=r"^this model has no density"):
        SMALL.sample(params, 3, Stream(1), denoiser=score_alone)


# Training as by default, 10,000 steps: nats above the entropy and the score's relative error. All but pcd and
# nce are tried where the data are of one piece.
DEFAULT = [
    ("pcd", "moons", 0.02, 0.2),
    ("pcd", "two_gaussians", 0.02, 0.15),
    ("pcd", "ring", 0.02, 0.2),
    ("nce", "moons", 0.01, 0.15),
    ("nce", "two_gaussians", 0.01, 0.1),
    ("nce", "ring", 0.02, 0.2),
    ("cd", "moons", 0.04, 0.25),
    ("implicit", "moons", 0.02, 0.15),
    ("sliced", "moons", 0.02, 0.15),
    ("denoising", "moons", 0.02, 0.2),
]


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "data", "nats", "score"), DEFAULT)
def test_the_usual_training(objective, data, nats, score):
    law, model = named(data).standardised()[0], EBM(objective=objective)
    state = training.start(model, Stream(0))
    for _ in training.fit(model, law, state, 10_000):
        pass
    assert gap(model, state.ema, law) < nats
    assert score_error(model.denoiser(state.ema), law, 1.0, model.std, Stream(6)) < score
    noisy, lines = law.diffused(1.0, model.std), directions(2, 64, Stream(8))
    points = model.sample(state.ema, 10_000, Stream(7))
    floor = sampling_floor(noisy, 10_000, lines, Stream(9)).max
    assert sliced_wasserstein(noisy.sample(Stream(10), 10_000), points, lines) < 3 * floor
