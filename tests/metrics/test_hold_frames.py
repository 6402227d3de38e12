"""Which frames of which utterances were due in a hold, and how many of these were late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_run import utterance

from stt_load.metrics.hold_frames import DueFrames, HoldFrames
from stt_load.records import UtteranceRecord
from stt_load.session.schedule import LATE_S, Schedule

HOLD = (100.0, 110.0)
FRAME_S = 0.1


def spoken(start_s: float, lags_s: list[float], phase: str = "ramp") -> UtteranceRecord:
    """An utterance whose frames were so late. Its wall clock is the one of its schedule."""
    schedule = Schedule(start_s, FRAME_S, len(lags_s))
    for lag_s in lags_s:
        schedule.on_sent(schedule.next_due_s + lag_s)
    sent = schedule.sent_audio()
    fields = {name: getattr(sent, name) for name in ("frames", "audio_s", "frames_late", "late_runs")}
    return utterance(0, 4, phase=phase, started_at=start_s, **fields)


def due(*records: UtteranceRecord) -> DueFrames:
    frames = HoldFrames(*HOLD)
    frames.add(records)
    return frames.close()


@pytest.mark.parametrize("phase", ["ramp", "hold", "grace"])
def test_frames_of_the_hold_are_judged_whoever_they_belong_to(phase: str) -> None:
    """It speaks from 5 s before the hold on for 10 s, and was late in the 2 s around its beginning."""
    record = spoken(95.0, [0.0] * 40 + [0.5] * 20 + [0.0] * 40, phase)
    assert record.late_runs == [(40, 20)]
    assert due(record) == DueFrames(frames=51, late=11)  # the one that is due as the hold begins is in it


def test_a_generator_that_was_late_before_or_after_the_hold_is_not_late_in_it() -> None:
    before = spoken(90.0, [1.0] * 99 + [0.0] * 50)
    after = spoken(105.0, [0.0] * 50 + [1.0] * 50, "hold")
    assert due(before).late == due(after).late == 0
    assert due(spoken(90.0, [1.0] * 60), spoken(110.0, [1.0] * 60, "grace")) == DueFrames(0, 0)


def test_frames_that_were_late_when_their_utterance_ended_without_them_are_judged() -> None:
    """It stands still from 98.5 s on, and finds the connection lost at 101.55 s."""
    schedule = Schedule(95.0, FRAME_S, 200)
    for _ in range(35):
        schedule.on_sent(schedule.next_due_s)
    schedule.on_ended(101.55)
    sent = schedule.sent_audio()
    assert (sent.frames, sent.frames_late, sent.frames_missed) == (35, 0, 30)
    record = utterance(0, 4, phase="ramp", started_at=95.0, frames=35, audio_s=sent.audio_s, frames_missed=30)
    assert due(record) == DueFrames(frames=16, late=16)


def test_rows_that_do_not_say_which_frames_were_late_say_nothing() -> None:
    old = utterance(0, 4, phase="ramp", started_at=101.0, frames=50, audio_s=5.0, frames_late=20)
    in_time = utterance(0, 4, phase="ramp", started_at=101.0, frames=50, audio_s=5.0)
    silent = utterance(0, 4, phase="ramp", started_at=101.0, frames=0, audio_s=0.0, outcome="refused")
    odd = [utterance(0, 4, started_at=101.0, frames=n, audio_s=s) for n, s in ((0, 5.0), (50, 0.0))]
    assert due(old, silent, *odd) == DueFrames(0, 0)
    assert due(old, in_time, silent) == DueFrames(50, 0)


@given(
    start_s=st.floats(80.0, 115.0),
    lags_s=st.lists(st.sampled_from([0.0, 0.004, 0.02, 3.0]), min_size=1, max_size=200),
)
def test_every_frame_is_counted_as_one_by_one(start_s: float, lags_s: list[float]) -> None:
    found = due(spoken(start_s, lags_s))
    due_s = [start_s + (k + 1) * FRAME_S for k in range(len(lags_s))]
    late = [lag_s > LATE_S for lag_s in lags_s]
    for slack_s in (-1e-6, 1e-6):  # one bound without the frames that are due at an edge, one with them
        inside = [HOLD[0] - slack_s <= at_s < HOLD[1] + slack_s for at_s in due_s]
        sign = 1 if slack_s > 0 else -1
        assert sign * found.frames <= sign * sum(inside)
        assert sign * found.late <= sign * sum(is_in and is_late for is_in, is_late in zip(inside, late, strict=True))
