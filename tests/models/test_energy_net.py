"""A network's derivatives by x and by its parameters: those of autograd's own operations, to any order."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import elementwise_grad, grad
from autograd.core import make_vjp
from autograd.test_util import check_grads

from refgen.backend import Stream
from refgen.models.energy_net import gradient, hessian_product, output
from refgen.nets.mlp import MLP


def setting(dim=3, layers=3):
    net = MLP(dim, 1, 0, 7, layers)
    params = net.init(Stream(0), 1.0).astype(float) + 0.3 * Stream(1).normal(net.size)
    return net, params, Stream(2).normal(5, dim)


def composed_gradient(net, params, x):
    return make_vjp(lambda z: np.sum(net.compose(params, z)), x)[0](1.0)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_value_gradient_and_hessian_are_the_composed_networks(layers):
    net, params, x = setting(layers=layers)
    onp.testing.assert_allclose(output(net, params, x), net.compose(params, x)[:, 0], rtol=1e-13)
    onp.testing.assert_allclose(gradient(net, params, x), composed_gradient(net, params, x), rtol=1e-11)
    onp.testing.assert_allclose(
        elementwise_grad(lambda z: output(net, params, z))(x), gradient(net, params, x), rtol=1e-12
    )
    v = Stream(3).normal(5, 3)
    product = make_vjp(lambda z: composed_gradient(net, params, z), x)[0](v)
    onp.testing.assert_allclose(hessian_product(net, params, x, v), product, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("of", ["output", "gradient", "product"])
def test_each_derivative_is_that_of_finite_differences_twice(of, layers):
    net, params, x = setting(2, layers)
    u, v = Stream(4).normal(5, 2), Stream(5).normal(5, 2)

    def scalar(params, x, v):
        if of == "output":
            return np.sum(np.sin(output(net, params, x)))
        if of == "gradient":
            return np.sum(np.sin(gradient(net, params, x)))
        return np.sum(np.sin(u + hessian_product(net, params, x, v)))

    check_grads(scalar, modes=["rev"], order=1 if of == "product" else 2)(params, x, v)


def test_the_gradient_by_params_through_a_score_is_the_composed_one():
    net, params, x = setting()
    fast = grad(lambda p: np.sum(elementwise_grad(lambda z: output(net, p, z))(x) ** 3))(params)
    slow = grad(lambda p: np.sum(composed_gradient(net, p, x) ** 3))(params)
    onp.testing.assert_allclose(fast, slow, rtol=1e-9, atol=1e-12)


def test_float32_stays_and_shapes_are_checked():
    net, params, x = setting()
    params = params.astype(onp.float32)
    assert output(net, params, x).dtype == gradient(net, params, x).dtype == onp.float32
    assert grad(lambda p: np.sum(gradient(net, p, x) ** 2))(params).dtype == onp.float32
    with pytest.raises(ValueError, match=r"^x has shape \(5, 2\)"):
        gradient(net, params, x[:, :2])
