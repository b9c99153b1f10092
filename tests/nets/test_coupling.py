"""The networks of couplings: which half they see, and how the affine map comes from free numbers."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.nets.coupling import Couplings


@pytest.mark.parametrize("dim", [1, 2, 3, 6])
def test_a_network_sees_the_half_that_it_does_not_change(dim):
    nets = Couplings(dim=dim, outputs=3, count=2, hidden=9, layers=1)
    params = nets.init(Stream(0)).astype(float)
    params += 0.5 * Stream(1).normal(nets.size)
    _, _, *each = nets.layout.parts(params)
    x, other = Stream(2).normal(4, dim), Stream(3).normal(4, dim)
    for k, net in enumerate(each):
        part, mask = nets.changed(k), nets.mask(k, net)
        np.testing.assert_array_equal(np.flatnonzero(mask), np.arange(dim)[part])
        moved = x.copy()
        moved[:, part] = other[:, part]
        said = nets.said(net, k, x)
        assert said.shape == (4, dim, 3)
        np.testing.assert_array_equal(nets.said(net, k, moved), said)
        if dim > 1:
            assert not np.allclose(nets.said(net, k, x + other * (1 - mask)), said)
    if dim > 1:  # each coordinate is changed by one and seen by the other
        np.testing.assert_array_equal(nets.mask(0, params) + nets.mask(1, params), np.ones(dim))


def test_the_affine_map_is_triangular_with_a_positive_diagonal():
    nets = Couplings(dim=3, outputs=1, count=0)
    free = Stream(0).normal(3, 3)
    shift, lower = nets.affine(np.arange(3.0), free)
    np.testing.assert_array_equal(shift, np.arange(3.0))
    np.testing.assert_array_equal(np.triu(lower, 1), 0)
    np.testing.assert_array_equal(np.tril(lower, -1), np.tril(free, -1))
    np.testing.assert_allclose(np.log(np.diag(lower)), np.diag(free))


def test_untrained_nothing_is_said_and_the_affine_map_is_the_identity():
    nets = Couplings(dim=2, outputs=2, count=3)
    params = nets.init(Stream(0))
    assert params.shape == (nets.size,) and params.dtype == np.float32
    shift, free, *each = nets.layout.parts(params)
    assert not any(np.any(nets.said(net, k, np.ones((2, 2), np.float32))) for k, net in enumerate(each))
    np.testing.assert_array_equal(nets.affine(shift, free)[1], np.eye(2))
    assert not np.array_equal(each[0], each[1])
