"""Work that is shared between threads: all of it, in order, on threads of their own."""

import os
import threading

import pytest

from refgen import threads as module
from refgen.threads import run_parts, share, threads


def test_parts_run_on_their_own_threads_and_answer_in_order():
    together = threading.Barrier(2, timeout=20)

    def work(k):
        together.wait()  # both must be running at once
        return k, threading.get_ident()

    found = run_parts(work, [(0,), (1,)])
    assert [k for k, _ in found] == [0, 1]
    assert found[0][1] == threading.get_ident() != found[1][1]
    assert run_parts(lambda k: threading.get_ident(), [(0,)]) == [threading.get_ident()]


@pytest.mark.skipif(not module._sched_getcpu, reason="the system does not say where a thread runs")
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


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("items", [[], [5], list(range(7))])
def test_shared_work_comes_back_in_order(monkeypatch, count, items):
    monkeypatch.setenv("REFGEN_THREADS", str(count))
    seen = set()

    def work(item):
        seen.add(threading.get_ident())
        return 10 * item

    assert share(work, items) == [10 * item for item in items]
    assert len(seen) == min(count, len(items))
