"""How late a reading may be, from the beats of a process that was held up. No time passes; one real thread beats."""

from __future__ import annotations

import threading
import time

import pytest
from fakes import START_S, FakeClock
from raw_server import DEADLINE_S

from stt_load.net.heartbeat import BEAT_S, Heartbeat, heartbeat


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def beating(clock: FakeClock, *beats_s: float) -> Heartbeat:
    """A heartbeat that began at START_S, and beat at these moments after it."""
    made = Heartbeat(clock)
    for at_s in beats_s:
        clock.move_to(START_S + at_s)
        made.beat()
    return made


def test_a_process_that_is_not_held_up_reads_at_most_three_beats_late(clock: FakeClock) -> None:
    made = beating(clock, *(BEAT_S * n for n in range(1, 11)))
    assert made.late_s(START_S + 10 * BEAT_S + 0.0005, START_S) == pytest.approx(2 * BEAT_S + 0.0005)


@pytest.mark.parametrize("beats_after", [0, 1, 2], ids=["reads first", "beats first", "beats first in two rounds"])
def test_bytes_that_are_read_after_a_stop_may_have_come_in_it(clock: FakeClock, beats_after: int) -> None:
    after_s = [0.602 + BEAT_S * n for n in range(beats_after)]
    made = beating(clock, 0.002, 0.004, 0.006, *after_s)
    assert made.late_s(START_S + 0.607, START_S) >= 0.6


def test_nothing_can_have_come_before_somebody_waited_for_it(clock: FakeClock) -> None:
    made = beating(clock, 0.002, 0.004, 0.006)
    assert made.late_s(START_S + 0.5, waited_since_s=START_S + 0.49) == pytest.approx(0.01)


def test_a_socket_that_is_older_than_the_heartbeat_may_be_late_by_all_of_its_life(clock: FakeClock) -> None:
    made = beating(clock, 0.002, 0.004, 0.006, 0.008)
    assert made.late_s(START_S + 0.008, waited_since_s=START_S - 2.0) == pytest.approx(2.008)


def test_the_first_bytes_are_no_later_than_the_beginning(clock: FakeClock) -> None:
    assert Heartbeat(clock).late_s(START_S + 0.003, START_S) == pytest.approx(0.003)


def test_a_thread_beats_by_itself() -> None:
    beats, has_beaten = [], threading.Event()

    def note_s() -> float:
        beats.append(time.monotonic())
        if len(beats) > 4:
            has_beaten.set()
        return beats[-1]

    pause = threading.Event()
    made = Heartbeat(note_s, sleep=pause.wait)
    made.start()
    assert has_beaten.wait(DEADLINE_S)


def test_a_process_has_one_heart() -> None:
    assert heartbeat() is heartbeat()
