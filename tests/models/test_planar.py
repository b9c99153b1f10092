"""Planar flows: the constraint, the root that inverts a map, and what a chain of them reaches."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.formulas import flow
from refgen.formulas.gaussian import log_prob
from refgen.models.planar import Planar, unmoved
from tests.models.flows import (
    check_full_jacobian,
    check_gradient,
    check_integral,
    check_round_trip,
    gap,
    over_floor,
    some_params,
    trained,
)


@pytest.mark.parametrize(("dim", "maps"), [(1, 4), (2, 16), (5, 6)])
def test_it_is_inverted_and_its_determinant_is_that_of_the_whole_map(dim, maps):
    model = Planar(dim=dim, maps=maps)
    params = some_params(model)
    check_round_trip(model, params, 1e-9)
    check_full_jacobian(model, params, 1e-9)


def test_the_density_integrates_to_one():
    model = Planar(maps=6)
    check_integral(model, some_params(model, 0.3), limit=14.0)


@pytest.mark.parametrize("strength", [-0.999999, -0.5, 0.0, 3.0, 200.0])
def test_a_map_is_inverted_however_flat_or_steep_it_is(strength):
    w, b = np.array([2.0, -1.0]), 0.7
    u = strength * w / np.sum(w * w) + np.array([1.0, 2.0])  # w.u is the strength
    assert np.sum(w * u) == pytest.approx(strength)
    x = 3 * Stream(0).normal(300, 2)
    y = flow.planar(x, u, w, b)
    back = unmoved(y, u, w, b)
    np.testing.assert_allclose(flow.planar(back, u, w, b), y, atol=1e-12 * max(1, strength))
    if strength >= -0.5:  # where it is flat, many x come to nearly the same y
        np.testing.assert_allclose(back, x, atol=1e-10 * max(1, strength))


def test_whatever_the_parameters_are_a_map_is_one_to_one():
    model = Planar(dim=3, maps=40)
    for u, w, _ in model._maps(some_params(model, 3.0)):
        assert np.sum(u * w) > -1
    u, w, _ = model.layout.parts(some_params(model, 3.0))
    assert np.min(np.sum(u * w, axis=1)) < -1  # which the free ones are not


def test_a_chain_of_maps_that_move_nothing_is_the_normal_law():
    model, x = Planar(dim=2, maps=3), Stream(0).normal(9, 2)
    params = model.init(Stream(1)).astype(float)
    u, w, _ = model.layout.views(params)
    # The free u with which the constrained one is 0: m(w.u) = 0, that is w.u = log(e - 1).
    u[:] = np.log(np.e - 1) * w / np.sum(w * w, axis=1, keepdims=True)
    np.testing.assert_allclose(model.log_prob(params, x), log_prob(x, np.zeros(2), np.eye(2)), atol=1e-12)


def test_the_gradient_is_the_losses():
    check_gradient(Planar(maps=5), 1.5 * Stream(3).normal(30, 2))


def test_samples_are_of_any_number_in_the_precision_of_the_parameters():
    model = Planar(dim=3, maps=4)
    points = model.sample(model.init(Stream(0)), 7, Stream(1))
    assert points.shape == (7, 3) and points.dtype == np.float32 and model.calls() == 1


def test_a_few_maps_come_near_a_gaussian():
    """Seen, of seeds 0, 1, 2: 0.004 to 0.005 nats, 1.0 to 1.2 floors."""
    law, params = trained(Planar(maps=6), "gaussian", 400, lr=2e-2)
    nats, error = gap(Planar(maps=6), params, law)
    assert -4 * error < nats < 0.01
    assert over_floor(Planar(maps=6), params, law) < 2


@pytest.mark.parametrize("maps", [0, 1.5, True])
def test_options_out_of_range_are_refused(maps):
    with pytest.raises(ValueError, match=r"^maps is .*; it must be an integer in 1\.\.1000"):
        Planar(maps=maps)
