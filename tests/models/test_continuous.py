"""What the models in continuous time share: their times, samplers' calls, denoisers and densities."""

from itertools import product

import numpy as np
import pytest

from refgen import likelihood, models
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser, counted
from refgen.distributions import named
from refgen.formulas.snr import log_snr, unit_level
from refgen.metrics import directions, mode_weights, sampling_floor, sliced_wasserstein
from refgen.models.continuous import noisy, spread

LAW = named("two_gaussians").standardised()[0]
SMALL = dict(hidden=8, layers=2, features=4)
KINDS = [
    ("score_sde", {}),
    ("score_sde", {"process": "sub-vp", "sampler": "predictor_corrector"}),
    ("score_sde", {"process": "ve", "sampler": "probability_flow"}),
    ("edm", {}),
    ("vdm", {}),
    ("flow_matching", {}),
    ("flow_matching", {"method": "euler"}),
    ("flow_matching", {"method": "rk4"}),
]
IDS = [" ".join([name, *options.values()]) for name, options in KINDS]


def some_params(model):
    params = model.init(Stream(0))
    params[: model.net.size] += 0.2 * Stream(1).normal(model.net.size, dtype=np.float32)
    return params


def test_times_are_uniform_and_one_in_each_part():
    places = np.stack([spread(Stream(seed), 8, np.float32) for seed in range(400)])
    assert places.dtype == np.float32 and places.min() >= 0 and places.max() < 1
    assert np.array_equal(np.sort(np.floor(8 * places), axis=1), np.tile(np.arange(8.0), (400, 1)))
    assert np.abs(places.mean(axis=0) - 0.5).max() < 4.5 * np.sqrt(1 / 12 / 400)


def test_noisy_points_have_their_level():
    levels = np.repeat([8.0, 0.0, -6.0], 4000).astype(np.float32)
    x_t, eps = noisy(LAW.sample(Stream(0), 12_000).astype(np.float32), levels, Stream(1))
    assert x_t.dtype == eps.dtype == np.float32
    power = (x_t**2).reshape(3, -1).mean(axis=1)
    assert np.abs(power - 1).max() < 0.06  # standardised data keep their power at unit power
    assert log_snr(*unit_level(-6.0)) == pytest.approx(-6)


@pytest.mark.parametrize(("name", "options"), KINDS, ids=IDS)
def test_samples_and_calls_in_any_dimension_and_number_of_steps(name, options):
    for dim, steps in product([1, 3], [0, 1, 2, 3]):
        if name == "vdm" and dim == 1:
            continue
        model = models.named(name, dim=dim, T=5, **SMALL, **options)
        denoiser = counted(model.denoiser(some_params(model)))
        kept = dict.fromkeys([0, steps or 5])
        x = model.sample(some_params(model), 7, Stream(2), steps, denoiser=denoiser, trajectory=kept)
        assert x.shape == (7, dim) and x.dtype == np.float32 and np.all(np.isfinite(x))
        assert denoiser.calls == model.calls(steps)
        assert kept[0] is x and kept[steps or 5].shape == x.shape
        assert model.sample(some_params(model), 0, Stream(2), steps).shape == (0, dim)
    again = model.sample(some_params(model), 7, Stream(2), steps)
    assert np.array_equal(x, again)
    assert model.sample(some_params(model).astype(float), 2, Stream(2), 2).dtype == np.float64


@pytest.mark.parametrize(("name", "options"), KINDS, ids=IDS)
def test_with_the_exact_denoiser_the_sampler_gives_the_law(name, options):
    model = models.named(name, **SMALL, **options)
    steps = {"euler": 60}.get(model.method, 0) if name == "flow_matching" else min(model.T, 300)
    n, lines = 4000, directions(2, 64, Stream(2))
    x = model.sample(some_params(model), n, Stream(3), steps, denoiser=ExactDenoiser(LAW))
    assert np.abs(mode_weights(x, *LAW.modes).z).max() < 4
    floor = sampling_floor(LAW, n, lines, Stream(4)).max
    assert sliced_wasserstein(x, LAW.sample(Stream(5), n), lines) < 1.5 * floor


@pytest.mark.parametrize(("name", "options"), KINDS[:6], ids=IDS[:6])
def test_the_density_is_that_of_the_flow(name, options):
    model = models.named(name, **SMALL, **options, density_steps=6)
    params, x = some_params(model), LAW.sample(Stream(3), 9)
    found = model.log_prob(params, x)
    same, error = likelihood.log_prob(
        model.denoiser(params), model.flow(params), x.astype(np.float32), steps=6
    )
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, same)
    np.testing.assert_array_equal(model.log_prob_error(params, x), error)


@pytest.mark.parametrize("name", ["edm", "flow_matching"])
def test_any_parameters_give_a_density_with_an_integral_of_one(name):
    """Where the network sees the data's scale; a random guess of eps spreads the mass far out."""
    model, line = models.named(name, dim=1, **SMALL, density_steps=24), np.linspace(-9, 9, 601)[:, None]
    found = model.log_prob(some_params(model).astype(float), line)
    assert np.trapezoid(np.exp(found), line[:, 0]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("score_sde", {"process": "edm"}, "process is 'edm'; it must be one of vp, sub-vp, ve"),
        ("score_sde", {"weighting": "snr"}, "weighting is 'snr'"),
        ("score_sde", {"sampler": "ddim"}, "sampler is 'ddim'"),
        ("edm", {"largest": 0.001}, "0 < smallest < largest"),
        ("edm", {"noise_std": 0.0}, r"noise_std is 0\.0; it must lie in \(0, 20\)"),
        ("edm", {"noise_mean": 30.0}, r"noise_mean is 30\.0"),
        ("flow_matching", {"pairs": "near"}, "pairs is 'near'; it must be one of random, transport"),
        ("flow_matching", {"method": "rk45"}, "method is 'rk45'"),
        ("vdm", {"objective": "simple"}, "objective is 'simple'"),
        ("vdm", {"T": 1}, "T is 1; a schedule that is learned has two levels"),
        ("vdm", {"log_snr_low": 9.0}, "the log-SNR must fall by more than 1"),
        ("edm", {"T": 0}, r"T is 0; it must be an integer in 1\.\."),
        ("edm", {"density_steps": 0}, "density_steps is 0"),
        ("vdm", {"density_steps": 1}, "density_steps is 1; it must be >= 2"),
        ("edm", {"features": 3}, "features is 3; it must be an even number"),
    ],
)
def test_bad_options_are_one_clear_line(name, options, message):
    with pytest.raises(ValueError, match=message):
        models.named(name, **options)


@pytest.mark.parametrize("name", ["score_sde", "edm", "vdm", "flow_matching"])
@pytest.mark.parametrize("steps", [-1, 2.5, True])
def test_a_number_of_steps_that_is_none_is_refused(name, steps):
    model = models.named(name, **SMALL)
    with pytest.raises(ValueError, match=f"^steps is {steps}; it must be an integer >= 1"):
        model.sample(model.init(Stream(0)), 3, Stream(1), steps=steps)
