"""The masked network: its Jacobian is strictly lower triangular, and full below."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, jacobian
from autograd.test_util import check_grads

from refgen.backend import Stream
from refgen.nets.masked import Masked

NETS = [Masked(1, 2, 8, 2), Masked(2, 3, 8, 3), Masked(3, 1, 5, 1), Masked(5, 2, 12, 2), Masked(7, 2, 6, 2)]
IDS = [f"{net.dim} coordinates" for net in NETS]


def some_params(net):
    rng = Stream(0)
    return net.init(rng).astype(onp.float64) + 0.4 * rng.normal(net.size)


@pytest.mark.parametrize("net", NETS, ids=IDS)
def test_a_coordinate_sees_those_before_it_all_of_them_and_no_other(net):
    params = some_params(net)
    for x in Stream(1).normal(3, net.dim):
        jac = jacobian(lambda z: net(params, z[None])[0])(x)  # (of coordinate i, output, by coordinate j)
        seen = onp.max(abs(jac), axis=1)
        assert onp.all(onp.triu(seen) == 0)
        assert onp.all(seen[onp.tril_indices(net.dim, -1)] > 1e-6)


@pytest.mark.parametrize("net", NETS, ids=IDS)
def test_what_comes_later_changes_no_bit(net):
    params = some_params(net).astype(onp.float32)
    x = Stream(2).normal(4, net.dim, dtype=onp.float32)
    for i in range(net.dim):
        other = onp.concatenate([x[:, :i], 1e3 * (1 + x[:, i:])], axis=1)
        onp.testing.assert_array_equal(net(params, x)[:, i], net(params, other)[:, i])


def test_the_first_coordinates_outputs_are_the_biases():
    net = NETS[1]
    params, x = some_params(net), Stream(3).normal(6, 2)
    biases = net.net.layout.views(params)[-1][:3]
    onp.testing.assert_array_equal(net(params, x)[:, 0], onp.broadcast_to(biases, (6, 3)))


def test_gradients_are_right_and_none_goes_to_a_weight_that_is_masked():
    net = Masked(3, 2, 6, 2)
    params, x = some_params(net), Stream(4).normal(4, 3)
    check_grads(net, order=2)(params, x)
    slope = grad(lambda p: np.sum(np.sin(net(p, x))))(params)
    for part, mask in zip(net.net.layout.views(slope)[::2], net.masks(), strict=True):
        assert onp.all(part[~mask] == 0) and onp.mean(part[mask] != 0) > 0.9
    without = params.copy()
    for part, mask in zip(net.net.layout.views(without)[::2], net.masks(), strict=True):
        part[~mask] = 1e3
    onp.testing.assert_array_equal(net(without, x), net(params, x))


def test_an_untrained_network_returns_zeros_and_its_units_keep_the_scale():
    net = Masked(9, 2, 64, 3)
    params = net.init(Stream(0))
    assert params.dtype == onp.float32 and not onp.any(net(params, Stream(1).normal(5, 9)))
    views = net.net.layout.views(params)
    for weight, mask in zip(views[:-2:2], net.masks()[:-1], strict=True):
        squares = onp.sum((weight * mask) ** 2, axis=0)  # the variance of a unit, of inputs of variance 1
        assert 0.8 < onp.mean(squares) < 1.25


@pytest.mark.parametrize("dtype", [onp.float32, onp.float64])
def test_precision_and_shapes(dtype):
    net = Masked(2, 5, 8, 2)
    params, x = some_params(net).astype(dtype), Stream(5).normal(7, 2)
    assert net(params, x).shape == (7, 2, 5) and net(params, x).dtype == dtype
    assert grad(lambda p: np.sum(net(p, x)))(params).dtype == dtype
    assert net(params, x[:0]).shape == (0, 2, 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(dim=0, outputs=1), "dim is 0; it must be an integer >= 1"),
        (dict(dim=2, outputs=0), "outputs is 0"),
        (dict(dim=9, outputs=1, hidden=7), "hidden is 7; it must be at least dim - 1, 8"),
        (dict(dim=2, outputs=1, layers=0), "layers is 0"),
    ],
)
def test_numbers_out_of_range_are_named(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Masked(**options)


def test_a_wrong_shape_is_named():
    net = Masked(2, 1, 4, 1)
    with pytest.raises(ValueError, match=r"^params has shape"):
        net(onp.zeros(3), onp.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"^x has shape \(1, 3\)"):
        net(onp.zeros(net.size), onp.zeros((1, 3)))
