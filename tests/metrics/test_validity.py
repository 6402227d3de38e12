"""Each condition fails on its own evidence and on no other."""

from dataclasses import replace

import pytest

from stt_load.metrics.validity import CONDITIONS, Evidence, evaluate

CLEAN = Evidence(
    users=10,
    users_reached=10,
    workers=(2, 2, 2),
    is_paced=True,
    frames=1_000,
    frames_late=3,
    frames_held_up=0,
    frames_missed=0,
    hold_frames=1_200,
    hold_frames_late=4,
    pacing_lag_max_s=0.0142,
    arrivals=78,
    arrivals_late=0,
    arrival_late_max_s=0.004,
    generator_cpu_pct=60.0,
    stolen_cpu_pct=0.4,
    waiting_ports_pct=12.0,
    rows_lost=0,
    damage=None,
    counted=80,
    unended=0,
    own_faults=0,
    first_own_fault=None,
    is_over=True,
    other_dialect=None,
    misfit=None,
    undecided=(),
)


def broken(**changes: object) -> list[str]:
    return [finding.condition for finding in evaluate(replace(CLEAN, **changes)) if not finding.is_met]


def test_clean_evidence_meets_every_condition() -> None:
    assert broken() == []
    assert len(evaluate(CLEAN)) == len(CONDITIONS) - 1 == 12
    assert len(evaluate(replace(CLEAN, calls_due=200))) == len(CONDITIONS)


def test_whole_files_have_no_pace_and_the_condition_says_so() -> None:
    (finding,) = [f for f in evaluate(replace(CLEAN, is_paced=False, frames=0)) if f.condition.startswith("pacing lag")]
    assert finding.is_met
    assert finding.detail == "does not apply: requests are sent whole"


def test_arrivals_that_were_read_late_are_told_with_how_many_and_how_late() -> None:
    late = replace(CLEAN, arrivals=20, arrivals_late=3, arrival_late_max_s=0.6021)
    (finding,) = [finding for finding in evaluate(late) if not finding.is_met]
    assert finding.detail == (
        "3 of 20 completing messages may have come over 10 ms before they were read, up to 602 ms, because this "
        "program was held up"
    )


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"users_reached": 9}, "users reached"),
        ({"users_reached": None}, "users reached"),
        ({"workers": (2, 1, 1)}, "workers constant"),
        ({"workers": (2, 1, 2)}, "workers constant"),
        ({"frames_late": 11}, "pacing lag p99 ≤ 10 ms"),
        ({"frames_missed": 8}, "pacing lag p99 ≤ 10 ms"),
        ({"hold_frames_late": 13}, "pacing lag p99 ≤ 10 ms"),
        ({"arrivals_late": 1}, "arrival times within 10 ms"),
        ({"generator_cpu_pct": 91.0}, "generator CPU ≤ 90 %"),
        ({"own_faults": 1}, "the load generator itself did not fail"),
        ({"rows_lost": 1}, "no rows lost"),
        ({"damage": "gpu.jsonl is not as the run wrote it"}, "raw files whole"),
        ({"unended": 1}, "counted utterances all ended"),
        ({"is_over": False}, "counted utterances all ended"),
        ({"other_dialect": "the server seems to speak vosk"}, "the server speaks this dialect"),
        ({"misfit": "WER 97 %"}, "transcripts fit what was spoken"),
        ({"undecided": ("p95 of three",)}, "enough samples"),
    ],
)
def test_a_condition_is_broken_by_its_own_evidence_alone(changes: dict[str, object], condition: str) -> None:
    assert broken(**changes) == [condition]


@pytest.mark.parametrize(
    "changes",
    [
        {"frames_late": 10},
        {"arrivals": 100, "arrivals_late": 1, "arrival_late_max_s": 0.6},
        {"arrivals": 0, "arrival_late_max_s": None},
        {"generator_cpu_pct": 90.0},
        {"users_reached": 11},
        {"workers": ()},
        {"hold_frames_late": 12},
        {"frames": 0, "frames_late": 0, "pacing_lag_max_s": None, "hold_frames": 0, "hold_frames_late": 0},
        {"generator_cpu_pct": None},
    ],
)
def test_a_limit_may_be_touched_and_what_was_not_measured_breaks_nothing(changes: dict[str, object]) -> None:
    assert broken(**changes) == []


def test_every_finding_says_what_was_seen_and_what_to_do() -> None:
    for finding in evaluate(replace(CLEAN, users_reached=9, frames_late=14)):
        assert finding.detail
        assert finding.advice
    details = {finding.condition: finding.detail for finding in evaluate(replace(CLEAN, frames_late=14))}
    stolen = {finding.condition: finding.detail for finding in evaluate(replace(CLEAN, stolen_cpu_pct=6.2))}
    assert stolen["pacing lag p99 ≤ 10 ms"].endswith("on the host took 6 % of this machine's CPU time")
    ports = {f.condition: f.detail for f in evaluate(replace(CLEAN, frames_late=14, waiting_ports_pct=96.4))}
    assert ports["pacing lag p99 ≤ 10 ms"].endswith(
        ", and 96 % of this machine's ephemeral ports were held by connections that had ended, so that each new one "
        "had to look long for a free port (sudo sysctl -w net.ipv4.tcp_tw_reuse=1, or --utterances-per-connection)"
    )
    calm = {f.condition: f.detail for f in evaluate(replace(CLEAN, waiting_ports_pct=96.4))}
    assert "ports" not in calm["pacing lag p99 ≤ 10 ms"]  # frames were in time all the same
    assert details["pacing lag p99 ≤ 10 ms"] == "1.40 % of frames were sent over 10 ms late, the worst 14.2 ms"


def test_lateness_is_told_with_whose_frames_were_late_and_whose_doing_it_was() -> None:
    def found(**changes: object) -> str:
        (finding,) = [finding for finding in evaluate(replace(CLEAN, **changes)) if not finding.is_met]
        return finding.detail

    assert found(hold_frames_late=60) == (
        "5.00 % of the frames that were due in the hold were sent over 10 ms late or never, those of utterances that "
        "began before it included"
    )
    assert found(frames_late=50, frames_held_up=40, hold_frames_late=50) == (
        "5.00 % of frames were sent over 10 ms late, the worst 14.2 ms, 80 % of them because the connection took no "
        "more: the server did not read"
    )
    assert found(frames_missed=30) == (
        "3.20 % of frames were sent over 10 ms late, the worst 14.2 ms, and 30 of them never: their connections had "
        "ended by then"
    )


def test_calls_that_did_not_begin_break_a_stage_from_one_in_a_hundred_on() -> None:
    assert broken(calls_due=200, calls_not_started=2) == []
    assert broken(calls_due=200, calls_not_started=3) == ["calls begun when they were due"]
    (finding,) = [f for f in evaluate(replace(CLEAN, calls_due=40, calls_not_started=4)) if not f.is_met]
    assert finding.detail == "4 of 40 calls that were due in the hold did not begin in time"


def test_calls_come_and_go_so_nobody_waits_for_a_number_of_callers() -> None:
    assert broken(users_reached=0) == ["users reached"]
    assert broken(users_reached=0, calls_due=12) == []
