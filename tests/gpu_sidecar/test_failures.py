"""What failed in the sidecar itself is counted, said once, and told to whoever reads the samples."""

from __future__ import annotations

import pytest

from gpu_sidecar.failures import Failure, FailureLog, in_words


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_each_place_has_its_number_and_its_last_exception(caplog: pytest.LogCaptureFixture) -> None:
    log = FailureLog()
    for words in ("one", "two", "two"):
        log.note("dmon", ValueError(words))
    log.note("http", KeyError("x"))
    assert log.all() == (Failure("dmon", 3, "ValueError: two"), Failure("http", 1, "KeyError: 'x'"))
    assert caplog.messages == [
        "dmon failed: ValueError: one",
        "dmon failed: ValueError: two",
        "http failed: KeyError: 'x'",
    ]
    assert log.warnings[0] == "the sidecar's dmon failed, 3 in all, and went on: ValueError: two"


def test_lost_samples_are_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    log = FailureLog()
    assert (log.lost_samples, log.warnings) == (0, ())
    for _ in range(5):
        log.note_lost_sample(MemoryError())
    assert log.lost_samples == 5
    assert log.warnings == ("5 samples were lost in the sidecar, the last by MemoryError:",)
    assert len(caplog.messages) == 1


def test_a_failure_that_is_another_one_each_time_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    log = FailureLog()
    for n in range(1000):
        log.note("dmon", ValueError(n))
    assert log.all()[0].times == 1000
    assert len(caplog.messages) == 100


def test_an_exception_is_one_line_with_its_place() -> None:
    words = in_words(raised(ValueError("a\nlong " + "x" * 500)))
    assert words.startswith("ValueError: a long xxx")
    assert words.endswith(")") and "(test_failures.py:" in words
    assert len(words) < 240
