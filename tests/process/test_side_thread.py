"""A call in a thread of its own, while the main thread hears signals."""

from __future__ import annotations

import signal
import threading

import pytest

from stt_load.cli.interrupts import interruptible
from stt_load.process.side_thread import call_aside


def test_the_value_of_a_call_comes_back_from_another_thread() -> None:
    assert call_aside(lambda number: (number, threading.get_ident() == threading.main_thread().ident), 7) == (7, False)


def test_what_a_call_raises_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        call_aside(lambda: 1 // 0)


def test_whoever_waits_for_a_call_is_interrupted_at_once() -> None:
    goes_on = threading.Event()

    def interrupted() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        goes_on.wait(60)

    with interruptible(), pytest.raises(KeyboardInterrupt):
        call_aside(interrupted)
    goes_on.set()
