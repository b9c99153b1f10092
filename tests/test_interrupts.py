"""Ctrl-C is held back once, acts at once the second time, and is afterwards what it was."""

import signal
import threading

import pytest

from refgen.interrupts import Interrupted, held


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def handler():
    """The handler that must stand again at the end."""
    before = signal.getsignal(signal.SIGINT)
    yield before
    after = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)
    assert after is before


def test_the_first_is_held_and_the_second_acts():
    with held() as seen:
        assert not seen
        ctrl_c()
        assert seen
        with pytest.raises(KeyboardInterrupt):
            ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        ctrl_c()


def test_the_handler_comes_back_after_an_error(handler):
    def fail():
        with held():
            assert signal.getsignal(signal.SIGINT) is not handler
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert signal.getsignal(signal.SIGINT) is handler


def test_outside_the_main_thread_nothing_is_held(handler):
    found = []

    def work():
        with held() as seen:
            found.append((seen, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [([], handler)]


def test_an_interruption_is_a_ctrl_c_with_a_text():
    with pytest.raises(KeyboardInterrupt, match="go on"):
        raise Interrupted("go on")
