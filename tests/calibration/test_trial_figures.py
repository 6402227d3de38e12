"""Figures of a trial, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest
from made_calibration import busy, trial

from stt_load.calibration.trial_figures import (
    clock_errors_s,
    count_errors,
    counted_utterances,
    find_hold,
    frames_between,
    has_all_utterances,
    usage_between,
)
from stt_load.errors import SttLoadError

TRANSITIONS = [
    {"phase": "ramp", "mono": 1.0},
    {"phase": "hold", "mono": 3.0},
    {"phase": "grace", "mono": 11.0},
    {"phase": "settle", "mono": 14.0, "begun": 2},
]


def row(**other: Any) -> dict[str, Any]:
    known = {"phase": "hold", "outcome": "ok", "error": None, "text": "", "started_at": 0.0, "frames": 50}
    return {**known, "stream_end_latency_s": 0.3, **other}


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({}, None),
        ({"frames_late": 800}, None),  # exactly 1 %
        ({"frames_late": 801}, "late"),
        ({"generator": busy(90.0)}, None),
        ({"generator": busy(90.1)}, "of a core"),
        ({"reached": 999}, "999 callers connected"),
        ({"reached": None}, "0 callers connected"),
        ({"utterances": 0}, "no utterance"),
        ({"failed": 13}, None),  # 1 %
        ({"failed": 14, "errors": {"refused": 3, "Too many open files": 11}}, "Too many open files"),
        ({"failed": 14}, "no transcript"),
    ],
)
def test_a_trial_holds_or_says_what_broke_it(other: dict[str, Any], word: str | None) -> None:
    broken_by = trial(**other).broken_by
    assert broken_by is None if word is None else broken_by is not None and word in broken_by


def test_a_frame_costs_the_processors_time_over_all_frames_sent() -> None:
    assert trial(frames_in_hold=80_000).cpu_us_per_frame == pytest.approx(50.0)
    assert trial(frames_in_hold=0).cpu_us_per_frame is None


def test_a_hold_lies_between_two_lines() -> None:
    assert find_hold(TRANSITIONS) == (TRANSITIONS[1], TRANSITIONS[2])
    assert find_hold(TRANSITIONS[:2]) is None
    assert find_hold([]) is None


def test_a_trial_is_measured_when_what_counts_has_ended_and_is_there() -> None:
    rows = [row(phase="ramp"), row(), row()]
    assert has_all_utterances(TRANSITIONS, rows)
    assert not has_all_utterances(TRANSITIONS, rows[:2])
    assert not has_all_utterances(TRANSITIONS[:3], rows)


def test_usage_is_read_off_between_samples_of_the_hold() -> None:
    samples = [(0.0, 0.0, 900), (3.0, 1.0, 100), (5.0, 2.0, 300), (7.0, 3.0, 200), (9.0, 9.0, 900)]
    usage = usage_between(samples, 2.5, 7.5)
    assert usage.cpu_pct == pytest.approx(50.0)
    assert usage.cpu_s == pytest.approx(2.5)  # of the whole hold
    assert usage.memory_bytes == 300


def test_a_hold_without_two_samples_is_too_short() -> None:
    with pytest.raises(SttLoadError, match="longer --hold"):
        usage_between([(0.0, 0.0, 1), (5.0, 1.0, 1)], 4.0, 6.0)


@pytest.mark.parametrize(
    ("started_at", "frames", "n"),
    [
        (10.0, 50, 50),  # due from 10.1 to 15.0: all of them
        (8.0, 50, 30),  # the last three seconds
        (18.0, 50, 20),  # the first two
        (4.0, 200, 100),  # the whole span
        (0.0, 50, 0),  # over before
        (30.0, 50, 0),  # after it
    ],
)
def test_frames_in_a_span_are_those_due_in_it(started_at: float, frames: int, n: int) -> None:
    # Times shifted off the grid, so that no frame is due at an edge.
    rows = [row(started_at=started_at - 0.05, frames=frames)]
    assert frames_between(rows, 0.1, 10.0, 20.0) == pytest.approx(n, abs=1)
    assert frames_between([], 0.1, 10.0, 20.0) == 0


def test_failed_utterances_are_counted_by_what_they_said() -> None:
    rows = [row(), row(outcome="refused", error="full"), row(outcome="refused", error="full"), row(outcome="no_final")]
    assert count_errors(rows) == {"full": 2, "no_final": 1}


def test_what_began_in_the_hold_counts() -> None:
    assert counted_utterances([row(phase="ramp"), row(text="mine"), row(phase="grace")]) == [row(text="mine")]


def test_the_clocks_error_is_reported_minus_true_of_the_same_utterance() -> None:
    truth = [
        {"text": "a", "last_frame_s": 5.0, "text_sent_s": 5.3},
        {"text": "b", "last_frame_s": 6.0, "text_sent_s": 6.25},
        {"text": "c", "last_frame_s": None, "text_sent_s": 6.25},
        {"text": "d", "last_frame_s": 6.0, "text_sent_s": None},
    ]
    rows = [
        row(text="a", stream_end_latency_s=0.301),
        row(text="b", stream_end_latency_s=0.249, phase="grace"),
        row(text="b", stream_end_latency_s=9.0, phase="ramp"),
        row(text="a", stream_end_latency_s=9.0, outcome="timed_out"),
        row(text="c"),
        row(text="d"),
        row(text="nobody's"),
    ]
    assert clock_errors_s(rows, truth).values == pytest.approx((-0.001, 0.001))
