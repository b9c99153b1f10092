"""The spline flow: its inverse and determinant, the Gaussian it must fit exactly, and what it reaches."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.formulas.gaussian import log_prob
from refgen.models.spline_flow import SplineFlow
from tests.models.flows import (
    check_best_affine,
    check_full_jacobian,
    check_gradient,
    check_integral,
    check_round_trip,
    gap,
    over_floor,
    some_params,
    trained,
)

SMALL = dict(hidden=16, layers=2)


@pytest.mark.parametrize(("dim", "couplings", "bins"), [(1, 2, 5), (2, 4, 8), (5, 3, 2)])
def test_it_is_inverted_and_its_determinant_is_that_of_the_whole_map(dim, couplings, bins):
    model = SplineFlow(dim=dim, couplings=couplings, bins=bins, **SMALL)
    params = some_params(model)
    check_round_trip(model, params, 1e-9)
    check_full_jacobian(model, params, 1e-9)


def test_the_density_integrates_to_one():
    check_integral(SplineFlow(couplings=3, **SMALL), some_params(SplineFlow(couplings=3, **SMALL), 0.15))


def test_an_untrained_model_is_the_normal_law_inside_the_bound_and_beyond():
    model, x = SplineFlow(dim=3), 3 * Stream(0).normal(40, 3)
    assert np.any(np.abs(x) > model.bound)
    found = model.log_prob(model.init(Stream(1)).astype(float), x)
    np.testing.assert_allclose(found, log_prob(x, np.zeros(3), np.eye(3)), atol=1e-5)


def test_beyond_the_bound_nothing_is_bent():
    model = SplineFlow(couplings=1, bound=2.0, **SMALL)
    _, _, net = model.nets.layout.parts(some_params(model))
    z = np.array([[0.3, 2.5], [0.3, -7.0], [0.3, 1.0]])
    x, log_det = model.coupling(net, 0, z)
    np.testing.assert_allclose(x[:2], z[:2], atol=1e-12)
    np.testing.assert_allclose(log_det[:2], 0, atol=1e-12)
    assert abs(x[2, 1] - 1.0) > 1e-3 and x[2, 0] == 0.3


def test_an_affine_flow_fits_a_gaussian_as_the_closed_form_does():
    check_best_affine(SplineFlow(couplings=0), Stream(1).normal(500, 2) @ Stream(2).normal(2, 2) + 3.0)


def test_the_gradient_is_the_losses():
    check_gradient(SplineFlow(couplings=2, bins=4, hidden=6, layers=1), 1.5 * Stream(3).normal(30, 2), 1e-5)


# What a few seconds of training reach; the usual training is in test_usual.py.
def test_a_short_training_parts_the_modes_of_two_gaussians():
    """Seen, of seeds 0, 1, 2: 0.016 to 0.023 nats, 1.5 to 2.5 floors."""
    model = SplineFlow(couplings=2, hidden=16, bins=8)
    law, params = trained(model, "two_gaussians", 200, lr=1e-2)
    nats, error = gap(model, params, law)
    assert -4 * error < nats < 0.04
    assert over_floor(model, params, law) < 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(couplings=-1), r"couplings is -1; it must be an integer in 0\.\.1000"),
        (dict(bins=1), r"bins is 1; it must be an integer in 2\.\.500"),
        (dict(bound=0.0), r"bound is 0.0; it must be a finite number > 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        SplineFlow(**options)
