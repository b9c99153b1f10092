"""Buffers that come back."""

from collections import defaultdict

import numpy as np
import pytest

from refgen.nets import workspace
from refgen.nets.workspace import borrow, give_back


@pytest.fixture(autouse=True)
def an_empty_store(monkeypatch):
    monkeypatch.setattr(workspace, "_spare", defaultdict(list))


def test_a_buffer_comes_back_for_its_own_shape_and_precision_only():
    single, double = np.empty(0, np.float32), np.empty(0)
    buffer = borrow((3, 2), single)
    assert buffer.shape == (3, 2)
    assert buffer.dtype == np.float32
    give_back(buffer)
    for shape, like in (((2, 3), single), ((3, 2), double)):
        other = borrow(shape, like)
        assert other is not buffer
        assert (other.shape, other.dtype) == (shape, like.dtype)
    assert borrow((3, 2), single) is buffer
    assert borrow((3, 2), single) is not buffer  # lent out: nobody else may have it


def test_no_more_than_a_few_are_kept():
    for _ in range(3 * workspace._KEPT):
        give_back(np.empty(5))
    assert len(workspace._spare[np, (5,), np.dtype(float)]) == workspace._KEPT
