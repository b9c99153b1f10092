"""Traces by reverse passes: their values, their derivatives, and how many passes they take."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, jacobian
from autograd.test_util import check_grads

from refgen.backend import CPU, Stream
from refgen.nets.derivatives import counted_passes, sliced_trace, trace, watched
from refgen.nets.mlp import MLP
from tests.device import DEVICES, IDS, counting, same


def cubic(x):
    """Each point alone, with a full Jacobian."""
    d = x.shape[1]
    return np.sin(x @ (onp.arange(d * d).reshape(d, d) / d**2)) + x**3


@pytest.mark.parametrize("d", [1, 2, 7])
def test_both_are_what_the_full_jacobian_says_and_take_so_many_passes(d):
    x, v = onp.random.default_rng(d).normal(size=(2, 5, d))
    full = onp.stack([jacobian(lambda z: cubic(z[None])[0])(point) for point in x])
    with counted_passes() as exact:
        value, found = trace(cubic, x)
    with counted_passes() as sliced:
        value_too, along = sliced_trace(cubic, x, v)
    with counted_passes() as many:
        _, each = sliced_trace(cubic, x, onp.stack([v, 2 * v, x]))
    assert (exact.passes, sliced.passes, many.passes) == (d, 1, 3)
    onp.testing.assert_allclose(found, onp.trace(full, axis1=1, axis2=2), atol=1e-13)
    onp.testing.assert_allclose(along, onp.einsum("ni,nij,nj->n", v, full, v), atol=1e-13)
    onp.testing.assert_allclose(each[:2], [along, 4 * along], atol=1e-12)
    assert each.shape == (3, 5)
    onp.testing.assert_array_equal(value, cubic(x))
    onp.testing.assert_array_equal(value_too, value)


def test_counts_nest_and_stop_at_their_end():
    x = onp.ones((3, 2))
    with counted_passes() as outer:
        trace(cubic, x)
        with counted_passes() as inner:
            sliced_trace(cubic, x, x)
        cubic(x)
    trace(cubic, x)
    assert (outer.passes, inner.passes) == (3, 1)


def test_a_loss_that_needs_no_derivative_in_x_takes_no_pass():
    x = onp.ones((3, 2))
    with counted_passes() as count:
        grad(lambda a: np.sum(cubic(a * watched(x)) ** 2))(2.0)
    assert count.passes == 0
    with counted_passes() as count:
        grad(lambda z: np.sum(cubic(watched(z)) ** 2))(x)
    assert count.passes == 1


def test_they_are_differentiable_again():
    rng = Stream(0)
    net = MLP(inputs=3, outputs=3, hidden=5, layers=2)
    params, x, v = net.init(rng, last=1.0).astype(float), rng.normal(4, 3), rng.normal(4, 3)

    def loss(p, z):
        value, exact = trace(lambda y: net(p, y), z)
        _, along = sliced_trace(lambda y: net(p, y), z, v)
        return np.sum(value**2) + np.sum(exact * along)

    check_grads(loss, modes=["rev"], order=1)(params, x)


@pytest.mark.parametrize("device", DEVICES, ids=IDS)
def test_a_device_gives_the_same_in_float32_and_moves_nothing(device):
    net = MLP(inputs=3, outputs=3, hidden=5, layers=2)

    def work(where):
        rng = Stream(1, device=where)
        params = net.init(rng, last=1.0)
        x, v, many = (rng.normal(*shape, dtype=onp.float32) for shape in ((4, 3), (4, 3), (2, 4, 3)))

        def loss(p):
            value, exact = trace(lambda y: net(p, y), x)
            along = sliced_trace(lambda y: net(p, y), x, v)[1] + sliced_trace(cubed, x, many)[1][0]
            return np.sum(value**2) + np.sum(exact * along)

        def cubed(y):
            return y**3

        with counting() as count:
            found = [*trace(lambda y: net(params, y), x), grad(loss)(params)]
        assert count.transfers == 0
        assert all(a.dtype == onp.float32 for a in found)
        return found

    same(work(CPU), work(device))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: trace(cubic, x[0]), r"x has shape \(2,\); it must be"),
        (lambda x: trace(lambda z: z[:, :1], x), r"f\(x\) has shape \(3, 1\)"),
        (lambda x: sliced_trace(cubic, x, x[0]), r"v has shape \(2,\)"),
        (lambda x: sliced_trace(cubic, x, x[:2]), r"v has shape \(2, 2\)"),
        (lambda x: sliced_trace(cubic, x, x[None, None]), r"v has shape \(1, 1, 3, 2\)"),
    ],
)
def test_shapes_are_checked(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call(onp.zeros((3, 2)))
