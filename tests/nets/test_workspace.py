"""Buffers that come back, and the threads."""

import os
import threading
from collections import defaultdict

import numpy as np
import pytest

from refgen.nets import workspace
from refgen.nets.workspace import borrow, give_back, run_parts, threads


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


def test_parts_run_on_their_own_threads_and_answer_in_order():
    together = threading.Barrier(2, timeout=20)

    def work(k):
        together.wait()  # both must be running at once
        return k, threading.get_ident()

    found = run_parts(work, [(0,), (1,)])
    assert [k for k, _ in found] == [0, 1]
    assert found[0][1] == threading.get_ident() != found[1][1]
    assert run_parts(lambda k: threading.get_ident(), [(0,)]) == [threading.get_ident()]


@pytest.mark.skipif(not workspace._sched_getcpu, reason="the system does not say where a thread runs")
def test_a_thread_is_kept_off_its_callers_processor():
    allowed = os.sched_getaffinity(0)
    if len(allowed) == 1:
        pytest.skip("there is one processor")
    for _ in range(20):
        mine, others = run_parts(lambda k: os.sched_getaffinity(0), [(0,), (1,)])
        assert mine == allowed
        assert others < allowed
        assert len(others) == len(allowed) - 1


@pytest.mark.parametrize("bad", [0, 1])
def test_an_error_in_any_part_is_raised(bad):
    with pytest.raises(ZeroDivisionError):
        run_parts(lambda k: 1 / (k - bad), [(0,), (1,)])


def test_the_number_of_threads(monkeypatch):
    monkeypatch.delenv("REFGEN_THREADS", raising=False)
    assert threads() == 1
    monkeypatch.setenv("REFGEN_THREADS", "3")
    assert threads() == 3
    for text in ("0", "-1", "1.5", ""):
        monkeypatch.setenv("REFGEN_THREADS", text)
        with pytest.raises(ValueError, match=f"REFGEN_THREADS is '{text}'; it must be an integer >= 1"):
            threads()
