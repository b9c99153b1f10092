"""The weighted error is the formula's, and so are its derivatives."""

import autograd.numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads
from numpy.testing import assert_allclose

from refgen.backend import Stream
from refgen.formulas.ddpm import squared_error
from refgen.models.error import weighted_error


def given(dtype=np.float64):
    rng = Stream(0)
    return rng.uniform(5, dtype=dtype), rng.normal(5, 3, dtype=dtype), rng.normal(5, 3, dtype=dtype)


def test_it_and_its_gradient_are_those_of_the_formula():

    def plain(weight, target, guess):
        return np.sum(weight * squared_error(target, guess))

    assert weighted_error(*given()) == plain(*given())
    assert_allclose(grad(weighted_error, 2)(*given()), grad(plain, 2)(*given()), rtol=1e-14)


def test_it_is_differentiable_to_second_order_forward_and_reverse():
    weight, target, guess = given()
    check_grads(lambda z: weighted_error(weight, target, z), modes=["fwd", "rev"], order=2)(guess)


def test_it_stays_float32():
    weight, target, guess = given(np.float32)
    assert weighted_error(weight, target, guess).dtype == np.float32
    assert grad(weighted_error, 2)(weight, target, guess).dtype == np.float32


@pytest.mark.parametrize("argnum", [0, 1])
def test_weights_and_targets_have_no_derivative(argnum):
    with pytest.raises(NotImplementedError):
        grad(weighted_error, argnum)(*given())
