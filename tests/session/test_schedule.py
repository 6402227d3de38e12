"""Due times and our own lateness."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.session.schedule import Schedule


def lags_of(schedule: Schedule) -> tuple[float | None, float | None, int]:
    """The largest, the 99th percentile, and how many frames were late, as a row tells it."""
    sent = schedule.sent_audio()
    return sent.pacing_lag_max_s, sent.pacing_lag_p99_s, sent.frames_late


def test_frame_k_is_due_when_all_of_it_was_heard() -> None:
    schedule = Schedule(10.0, 0.1, 3)
    due_s = []
    while not schedule.is_all_sent:
        due_s.append(schedule.next_due_s)
        schedule.on_sent(schedule.next_due_s)
    assert due_s == pytest.approx([10.1, 10.2, 10.3])
    assert schedule.end_s == pytest.approx(10.3)
    assert schedule.n_sent == 3


@given(lags_s=st.lists(st.floats(0, 100), min_size=1, max_size=300))
def test_lateness_moves_no_due_time_and_is_kept_frame_by_frame(lags_s: list[float]) -> None:
    schedule = Schedule(0.0, 0.5, len(lags_s))
    for k, lag_s in enumerate(lags_s):
        assert schedule.next_due_s == 0.5 * (k + 1)
        schedule.on_sent(schedule.next_due_s + lag_s)
    largest_s, p99_s, n_late = lags_of(schedule)
    assert largest_s == pytest.approx(max(lags_s))
    assert p99_s is not None
    n_above = sum(lag_s > p99_s + 1e-9 for lag_s in lags_s)
    surely, perhaps = (sum(lag_s > 0.01 + doubt_s for lag_s in lags_s) for doubt_s in (1e-9, -1e-9))
    assert surely <= n_late <= perhaps
    assert n_above <= 0.01 * len(lags_s)
    counts = schedule.sent_audio().pacing_lag_counts
    assert counts is not None and sum(counts.values()) == len(lags_s)
    for edge_ms in range(1, 51):
        surely, perhaps = (sum(1_000 * lag_s > edge_ms + doubt for lag_s in lags_s) for doubt in (1e-6, -1e-6))
        assert surely <= sum(n for edge, n in counts.items() if edge > edge_ms) <= perhaps
    assert p99_s == pytest.approx(sorted(lags_s)[math.ceil(0.99 * len(lags_s)) - 1])


def test_the_99th_percentile_is_the_nearest_rank() -> None:
    schedule = Schedule(0.0, 1.0, 200)
    for k in range(200):
        schedule.on_sent(schedule.next_due_s + (200 - k))
    assert lags_of(schedule)[1] == pytest.approx(198.0)


def test_a_clock_that_is_a_hair_early_is_not_negative_lateness() -> None:
    schedule = Schedule(0.0, 0.1, 2)
    schedule.on_sent(0.0999999)
    assert lags_of(schedule) == (0.0, 0.0, 0)


def test_before_the_first_frame_there_is_no_lateness() -> None:
    schedule = Schedule(0.0, 0.1, 2)
    assert lags_of(schedule) == (None, None, 0)


def test_a_frame_is_late_from_ten_milliseconds_on() -> None:
    schedule = Schedule(10.0, 0.1, 3)
    for lag_s in (0.0, 0.009, 0.011):
        schedule.on_sent(schedule.next_due_s + lag_s)
    assert lags_of(schedule) == (pytest.approx(0.011), pytest.approx(0.011), 1)


def test_lags_are_counted_in_buckets_of_a_millisecond_that_are_named_by_their_upper_edge() -> None:
    schedule = Schedule(0.0, 1.0, 8)
    for lag_s in (-0.0001, 0.0, 0.0009, 0.0011, 0.0099, 0.0101, 0.0499, 0.0501):
        schedule.on_sent(schedule.next_due_s + lag_s)
    assert schedule.sent_audio().pacing_lag_counts == {1: 3, 2: 1, 10: 1, 11: 1, 50: 1, 51: 1}


def test_an_utterance_in_time_has_one_bucket_and_one_without_frames_none() -> None:
    schedule = Schedule(0.0, 1.0, 3)
    assert schedule.sent_audio().pacing_lag_counts is None
    for _ in range(3):
        schedule.on_sent(schedule.next_due_s + 0.0002)
    assert schedule.sent_audio().pacing_lag_counts == {1: 3}


def test_runs_of_late_frames_say_which_they_were() -> None:
    schedule = Schedule(0.0, 0.1, 8)
    for lag_s in (0.0, 0.02, 0.03, 0.0, 0.0, 0.5, 0.4, 0.3):
        schedule.on_sent(schedule.next_due_s + lag_s)
    sent = schedule.sent_audio()
    assert (sent.late_runs, sent.frames_late, sent.frames_held_up) == ([(1, 2), (5, 3)], 5, 0)


def test_frames_that_the_kernel_did_not_take_sooner_are_told_apart_from_those_that_we_were_late_with() -> None:
    schedule = Schedule(0.0, 0.1, 8)
    schedule.on_sent(0.15)  # late by ourselves
    schedule.on_sent(0.2)
    schedule.on_held_up(0.65)  # frames 2 to 5 are due by then
    for _ in range(4):
        schedule.on_sent(0.65)
    schedule.on_sent(0.7)
    schedule.on_held_up(0.805)  # not late yet
    schedule.on_sent(0.805)
    sent = schedule.sent_audio()
    assert (sent.frames_late, sent.frames_held_up, sent.late_runs) == (5, 4, [(0, 1), (2, 4)])


def test_a_frame_that_waits_for_the_kernel_several_times_is_held_up_once() -> None:
    schedule = Schedule(0.0, 0.1, 8)
    for _ in range(2):
        schedule.on_held_up(0.45)  # frames 0 to 3 are due by then
        schedule.on_sent(0.45)
    schedule.on_sent(0.45)
    schedule.on_sent(0.45)
    for _ in range(4):
        schedule.on_sent(1.0)  # late by ourselves
    sent = schedule.sent_audio()
    assert (sent.frames_late, sent.frames_held_up) == (8, 4)
