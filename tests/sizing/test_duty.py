"""Callers who talk more or less than those of the test: when are they the same load?"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stt_load.sizing.duty import busy_streams, equal_callers

CALLERS = st.integers(1, 300)
DUTIES = st.floats(0.05, 1.0)


def test_twenty_callers_who_talk_a_third_as_much_are_not_sixty() -> None:
    """Sixty at 30 % have as many streams on average, but 26 in the busiest moments, when the test had 20 at most."""
    assert busy_streams(60, 0.3) > busy_streams(20, 0.9) == 20
    assert 40 <= equal_callers(20, 0.9, 0.3) < 60


def test_callers_who_always_send_audio_are_as_many_as_the_streams_on_average() -> None:
    assert equal_callers(20, 0.9, 1.0) == 18
    assert busy_streams(18, 1.0) == 18


@settings(max_examples=40)
@given(CALLERS, DUTIES)
def test_callers_who_talk_as_much_are_as_many(tested: int, duty: float) -> None:
    assert equal_callers(tested, duty, duty) == tested


@settings(max_examples=40)
@given(CALLERS, DUTIES, DUTIES)
def test_neither_the_average_nor_the_busy_moments_are_more_than_in_the_test(
    tested: int, tested_duty: float, duty: float
) -> None:
    callers = equal_callers(tested, tested_duty, duty)
    if duty == tested_duty:
        return
    assert callers * duty <= tested * tested_duty + 1e-6
    assert busy_streams(callers, duty) <= busy_streams(tested, tested_duty)
    more = callers + 1
    assert more * duty > tested * tested_duty or busy_streams(more, duty) > busy_streams(tested, tested_duty)


@settings(max_examples=40)
@given(CALLERS, DUTIES, DUTIES, DUTIES)
def test_callers_who_talk_more_are_never_more(tested: int, tested_duty: float, one: float, other: float) -> None:
    less, more = sorted((one, other))
    if tested_duty not in (less, more):
        assert equal_callers(tested, tested_duty, less) >= equal_callers(tested, tested_duty, more)
