"""A network that tells a Gaussian: its shapes, its variances, its gradient."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd.test_util import check_grads

from refgen.backend import Stream
from refgen.nets.conditional import SPREADS, Conditional

VAR_SHAPES = {"one": (1,), "each": (3,), "told": (5, 3)}


@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("spread", SPREADS)
def test_shapes_untrained_variances_and_gradient(spread, layers):
    net = Conditional(2, 3, hidden=6, layers=layers, spread=spread, least_std=0.1)
    params, x = net.init(Stream(0), std=0.4), Stream(1).normal(5, 2, dtype=onp.float32)
    assert params.shape == (net.size,) and params.dtype == onp.float32
    mean, var = net(params, x)
    assert mean.shape == (5, 3) and mean.dtype == var.dtype == onp.float32
    assert var.shape == VAR_SHAPES[spread] and onp.all(var > 0.01)
    if spread != "told":
        onp.testing.assert_allclose(var, 0.4**2 + 0.1**2, rtol=1e-6)
    else:
        at_zero = net(params, 0 * x)[1]
        onp.testing.assert_allclose(at_zero, 0.4**2 + 0.1**2, rtol=1e-6)
    assert onp.std(mean) > 0.02  # not zero: a decoder that says nothing would have no slope by z
    moved = params.astype(onp.float64) + 0.3 * Stream(2).normal(net.size)
    check_grads(lambda p: np.sum(np.sin(net(p, x.astype(onp.float64))[0]) / net(p, x * 1.0)[1]), order=1)(
        moved
    )


def test_without_hidden_layers_the_mean_is_linear_and_only_then():
    for layers, linear in [(0, True), (1, False)]:
        net = Conditional(2, 3, hidden=6, layers=layers)
        params = net.init(Stream(0)).astype(onp.float64) + 0.1 * Stream(1).normal(net.size)
        x, y = Stream(2).normal(2, 5, 2)
        middle = (net(params, x)[0] + net(params, y)[0]) / 2
        assert onp.allclose(net(params, (x + y) / 2)[0], middle, atol=1e-12) == linear


def test_bad_options_are_one_clear_line():
    with pytest.raises(ValueError, match=r"^spread is 'all'; it must be one of one, each, told$"):
        Conditional(2, 2, spread="all")
    with pytest.raises(ValueError, match=r"^least_std is -1.0; it must be a finite number >= 0$"):
        Conditional(2, 2, least_std=-1.0)
