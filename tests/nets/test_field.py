"""The velocity field: its trace against all of its Jacobian, and the estimate's mean."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.formulas.flow import jacobian
from refgen.nets.field import Field


def some_field(dim, layers):
    field = Field(dim=dim, features=3, hidden=7, layers=layers)
    params = field.init(Stream(0)).astype(float)
    return field, params + 0.4 * Stream(1).normal(len(params)), Stream(2).normal(4, 3)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_the_trace_is_that_of_the_jacobian_and_so_is_a_direction(dim, layers):
    field, params, features = some_field(dim, layers)
    x, v = Stream(3).normal(6, dim), Stream(4).normal(6, dim)
    exact, estimate = field.over(params, features), field.over(params, features, v)
    for k in range(4):
        jac = jacobian(lambda a, k=k: exact(a, k)[0], x)
        velocity, trace = exact(x, k)
        np.testing.assert_allclose(trace, np.trace(jac, axis1=1, axis2=2), atol=1e-12)
        same, along = estimate(x, k)
        np.testing.assert_array_equal(same, velocity)
        np.testing.assert_allclose(along, np.einsum("ni,nij,nj->n", v, jac, v), atol=1e-12)


def test_the_field_changes_with_time_and_is_the_plain_networks():
    field, params, features = some_field(2, 2)
    x, velocity = Stream(3).normal(6, 2), field.over(params, features)
    assert not np.allclose(velocity(x, 0)[0], velocity(x, 1)[0])
    value = np.concatenate([x, np.broadcast_to(features[1], (6, 3))], axis=1)
    *hidden, weight, bias = field.net.layout.views(params)
    for w, b in zip(hidden[::2], hidden[1::2], strict=True):
        value = np.tanh(value @ w + b)
    np.testing.assert_allclose(velocity(x, 1)[0], value @ weight + bias, atol=1e-12)


def test_an_untrained_field_stands_still():
    field, x = Field(dim=3, features=2), np.ones((4, 3), np.float32)
    velocity, trace = field.over(field.init(Stream(0)), np.ones((1, 2), np.float32))(x, 0)
    assert not np.any(velocity) and not np.any(trace)
    assert velocity.dtype == trace.dtype == np.float32
