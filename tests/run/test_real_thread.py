from __future__ import annotations

import threading

import pytest

from stt_load.errors import ConfigError
from stt_load.run.real_thread import GivenUpError, call_in_thread


def test_a_call_runs_in_another_thread_and_its_value_comes_back() -> None:
    assert call_in_thread(lambda number: (number, threading.get_native_id()), 7)[0] == 7
    assert call_in_thread(threading.get_native_id) != threading.get_native_id()


def test_what_a_call_raises_is_raised_here_and_printed_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise ConfigError("no room")

    with pytest.raises(ConfigError, match="no room"):
        call_in_thread(refuse)
    assert capfd.readouterr() == ("", "")


def test_a_call_that_nobody_waits_for_any_longer_is_left_to_itself() -> None:
    goes_on = threading.Event()
    with pytest.raises(GivenUpError):
        call_in_thread(goes_on.wait, 60, is_given_up=lambda: True)
    goes_on.set()


def test_a_call_that_ends_by_itself_when_it_is_given_up_has_the_last_word() -> None:
    def interrupted() -> None:
        raise ConfigError("interrupted")

    with pytest.raises(ConfigError, match="interrupted"):
        call_in_thread(interrupted, is_given_up=lambda: True)


def test_a_panic_of_a_library_is_an_exception_here(capfd: pytest.CaptureFixture[str]) -> None:
    class Panic(BaseException):
        """What a library in Rust raises where it has met a bug or has no descriptor left."""

    def refuse() -> None:
        raise Panic("too many open files")

    with pytest.raises(RuntimeError, match="Panic: too many open files"):
        call_in_thread(refuse)
    assert capfd.readouterr() == ("", "")
