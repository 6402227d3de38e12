from __future__ import annotations

from stt_load.report.stage_timeline import StageTimeline, delivery_of, timelines_of


def line(t: float, stage: int, phase: str, users: int, **what: object) -> dict[str, object]:
    return {"t": t, "stage": stage, "phase": phase, "users": users, "workers": 1, **what}


def test_a_stage_has_its_own_lines_and_the_first_after_it() -> None:
    first, second = timelines_of(
        [
            line(0.0, 0, "ramp", 1),
            line(2.0, 0, "hold", 1, begun=3),
            line(5.0, 0, "settle", 1, begun=4),
            line(6.0, 1, "ramp", 5, begun=9),
        ]
    )
    assert (first.users, first.hold_span, first.is_over, first.length_s) == (1, (2.0, 5.0), True, 6.0)
    assert first.largest("begun") == 4  # what the next stage counts is not its own
    assert (second.users, second.hold, second.hold_span, second.is_over) == (5, None, None, False)


def test_a_stage_is_judged_where_somebody_was_to_speak_and_had_the_time_to_arrive() -> None:
    ramp, hold, later = line(0.0, 0, "ramp", 5), line(1.0, 0, "hold", 5), line(2.0, 1, "ramp", 8)
    assert StageTimeline(0, (ramp, hold, later)).is_judged
    assert not StageTimeline(0, (ramp, later)).is_judged  # the number was changed before all had arrived
    assert StageTimeline(0, (ramp,)).is_judged  # killed in its ramp: there is something to say
    assert not StageTimeline(0, (line(0.0, 0, "settle", 0), later)).is_judged


def test_a_worker_that_only_the_last_line_reports_lost_counts() -> None:
    hold, done = line(1.0, 0, "hold", 5), line(2.0, 0, "done", 5, delivery={"workers_lost": 1})
    assert StageTimeline(0, (hold, done)).workers == (1, 0)
    assert (delivery_of(hold), delivery_of(done)) == ({}, {"workers_lost": 1})


def test_a_worker_that_was_lost_and_replaced_counts_in_its_own_stage_alone() -> None:
    first, second = timelines_of(
        [
            line(1.0, 0, "hold", 5, workers_lost=0),
            line(2.0, 0, "settle", 5, workers_lost=1),
            line(3.0, 1, "hold", 8, workers_lost=1),
            line(4.0, 1, "done", 8, workers_lost=1, delivery={"workers_lost": 1}),
        ]
    )
    assert (first.workers, second.workers) == ((1, 1, 0), (1,))


def test_a_worker_that_was_lost_once_nothing_was_counted_any_more_has_spoilt_nothing() -> None:
    first, second = timelines_of(
        [
            line(1.0, 0, "hold", 5, workers_lost=0),
            line(2.0, 0, "settle", 5, workers_lost=0),
            line(3.0, 1, "ramp", 8, workers_lost=1),
            line(4.0, 1, "hold", 8, workers_lost=1),
            line(5.0, 1, "settle", 8, workers_lost=1),
            line(6.0, 1, "done", 8, workers_lost=1, delivery={"workers_lost": 1}),
        ]
    )
    assert (first.workers, first.workers_lost) == ((1, 1), 0)
    assert (second.workers, second.workers_lost) == ((1, 1), 0)
