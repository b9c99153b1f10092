"""RealNVP: its inverse and determinant, the Gaussian it must fit exactly, and what it reaches on data."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.formulas.gaussian import log_prob
from refgen.models.realnvp import RealNVP
from tests.models.flows import (
    check_best_affine,
    check_full_jacobian,
    check_integral,
    check_round_trip,
    gap,
    over_floor,
    some_params,
    trained,
)

SMALL = dict(hidden=16, layers=2)


@pytest.mark.parametrize(("dim", "couplings"), [(1, 2), (2, 8), (5, 3), (3, 0)])
def test_it_is_inverted_and_its_determinant_is_that_of_the_whole_map(dim, couplings):
    model = RealNVP(dim=dim, couplings=couplings, **SMALL)
    params = some_params(model)
    check_round_trip(model, params, 1e-9)
    check_full_jacobian(model, params, 1e-9)


def test_the_density_integrates_to_one():
    check_integral(RealNVP(couplings=4, **SMALL), some_params(RealNVP(couplings=4, **SMALL), 0.15))


def test_an_untrained_model_is_the_normal_law():
    model, x = RealNVP(dim=3), Stream(0).normal(7, 3).astype(np.float32)
    found = model.log_prob(model.init(Stream(1)), x)
    np.testing.assert_allclose(found, log_prob(x, np.zeros(3), np.eye(3)), atol=1e-5)
    assert found.dtype == np.float32


@pytest.mark.parametrize("dim", [1, 2, 4])
def test_an_affine_flow_fits_a_gaussian_as_the_closed_form_does(dim):
    x = Stream(1).normal(500, dim) @ Stream(2).normal(dim, dim) + 3.0
    check_best_affine(RealNVP(dim=dim, couplings=0), x)


def test_kept_coordinates_are_kept_and_not_moved_by_what_is_changed():
    model = RealNVP(dim=5, couplings=2, **SMALL)
    _, _, *nets = model.nets.layout.parts(some_params(model))
    z = Stream(3).normal(4, 5)
    for k, kept in [(0, slice(0, 2)), (1, slice(2, 5))]:
        x, _ = model.coupling(nets[k], k, z)
        np.testing.assert_array_equal(x[:, kept], z[:, kept])
        assert np.all(x[:, model.nets.changed(k)] != z[:, model.nets.changed(k)])
        other = z.copy()
        other[:, kept] += 1.0
        assert not np.allclose(model.coupling(nets[k], k, other)[0] - x, other - z)


def test_samples_are_of_any_number_in_the_precision_of_the_parameters():
    model = RealNVP(dim=3, couplings=2, **SMALL)
    points = model.sample(model.init(Stream(0)), 7, Stream(1), steps=5, x_0=None, trajectory={})
    assert points.shape == (7, 3) and points.dtype == np.float32 and model.calls() == 1


# What a few seconds of training reach; the usual training is in test_usual.py.
def test_a_short_training_comes_near():
    """Seen, of seeds 0, 1, 2: 0.10, 0.12, 0.25 nats, 1.5 to 1.9 floors."""
    model = RealNVP(couplings=6, hidden=32)
    law, params = trained(model, "moons", 500, batch=128, lr=8e-3)
    nats, error = gap(model, params, law)
    assert -4 * error < nats < 0.2
    assert over_floor(model, params, law) < 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(couplings=-1), r"couplings is -1; it must be an integer in 0\.\.1000"),
        (dict(couplings=2.0), r"couplings is 2.0; it must be"),
        (dict(hidden=0), r"hidden is 0; it must be an integer in 1\.\."),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        RealNVP(**options)
