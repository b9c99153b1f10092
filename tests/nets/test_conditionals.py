"""Several networks on one vector: whose parameters are whose, leading axes, the gradient."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd.test_util import check_grads

from refgen.backend import Stream
from refgen.nets.conditional import Conditional
from refgen.nets.conditionals import Conditionals

NETS = (Conditional(2, 3, hidden=5, layers=2), Conditional(3, 2, layers=0, spread="one"))
BOTH = Conditionals(NETS)


def test_each_network_has_its_own_part_of_the_vector():
    params = BOTH.init(Stream(0), [1.0, 0.3])
    assert params.shape == (BOTH.size,) == (NETS[0].size + NETS[1].size,) and params.dtype == onp.float32
    rng = Stream(0)
    onp.testing.assert_array_equal(params, onp.concatenate([NETS[0].init(rng), NETS[1].init(rng, 0.3)]))
    for i, (start, stop) in enumerate(BOTH.spans):
        x = Stream(1).normal(5, NETS[i].inputs, dtype=onp.float32)
        for found, exact in zip(BOTH(params, i, x), NETS[i](params[start:stop], x), strict=True):
            onp.testing.assert_array_equal(found, exact)
        moved = params.copy()
        moved[:start] += 1
        moved[stop:] += 1
        onp.testing.assert_array_equal(BOTH(moved, i, x)[0], BOTH(params, i, x)[0])


def test_leading_axes_are_any():
    params = BOTH.init(Stream(0), [1.0, 0.3])
    for i, net in enumerate(NETS):
        x = Stream(1).normal(4, 5, net.inputs, dtype=onp.float32)
        mean, var = BOTH(params, i, x)
        flat = BOTH(params, i, x.reshape(20, net.inputs))
        assert mean.shape == (4, 5, net.outputs) and var.shape == ((4, 5, 3) if i == 0 else (1,))
        onp.testing.assert_array_equal(mean.reshape(flat[0].shape), flat[0])
        onp.testing.assert_array_equal(var.reshape(flat[1].shape), flat[1])


def test_the_gradient_goes_through_one_network_into_the_next():
    params = BOTH.init(Stream(0), [1.0, 0.3]).astype(float)
    x = Stream(1).normal(2, 4, 2)

    def value(p):
        mean, var = BOTH(p, 1, BOTH(p, 0, x)[0])
        return np.sum(np.sin(mean) / var)

    check_grads(value, modes=["rev"], order=1)(params)


def test_there_is_one_std_for_each_network():
    with pytest.raises(ValueError, match="zip"):
        BOTH.init(Stream(0), [1.0])
