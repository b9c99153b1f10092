"""A flat vector and its parts."""

import autograd.numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from refgen.nets.layout import Layout, segment

LAYOUT = Layout([(2, 3), (3,), (), (1, 4)])


def test_the_parts_cover_the_vector_in_order_without_a_gap():
    flat = np.arange(14.0)
    views = LAYOUT.views(flat)
    assert [view.shape for view in views] == [(2, 3), (3,), (), (1, 4)]
    assert np.concatenate([view.reshape(-1) for view in views]).tolist() == flat.tolist()
    assert [part.tolist() for part in LAYOUT.parts(flat)] == [view.tolist() for view in views]


def test_a_view_writes_to_the_vector():
    flat = np.zeros(14)
    LAYOUT.views(flat)[1][:] = 7
    assert flat.tolist() == [0] * 6 + [7] * 3 + [0] * 5


def test_a_segment_has_gradients_of_every_order_and_keeps_float32():
    check_grads(lambda x: np.sin(segment(x, 2, 5)) * segment(x, 3, 6), order=2)(np.linspace(-1, 1, 8))
    gradient = grad(lambda x: np.sum(segment(x, 2, 5)))(np.ones(8, np.float32))
    assert gradient.dtype == np.float32
    assert gradient.tolist() == [0, 0, 1, 1, 1, 0, 0, 0]


def test_a_vector_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"params has shape \(13,\); this layout holds \(14,\)"):
        LAYOUT.require(np.zeros(13))
