"""Which utterances of the ramp ended in the hold, and what a report says where they were too slow."""

from __future__ import annotations

import math
from typing import Any

import pytest
from made_run import MadeRun, made_run, utterance

from stt_load.metrics.before_hold import BeforeHold
from stt_load.records import UtteranceRecord
from stt_load.report.build import build_report
from stt_load.report.model import RunReport


def ended(at_s: float, phase: str = "ramp", **changes: Any) -> UtteranceRecord:
    return utterance(0, 4, phase=phase, started_at=at_s - 5.4, duration_s=5.4, **changes)


def test_those_that_began_before_the_hold_and_ended_in_it_are_kept() -> None:
    before = BeforeHold(100.0, 110.0)
    before.add([ended(99.9, eos_latency_s=9.0), ended(100.1, eos_latency_s=2.0), ended(110.1, eos_latency_s=8.0)])
    before.add([ended(105.0, "hold", eos_latency_s=7.0), ended(104.0, outcome="timed_out", eos_latency_s=None)])
    before.add([ended(103.0, outcome="interrupted", eos_latency_s=None)])
    assert list(before.close().values) == [2.0, math.inf]


def with_ramp(*records: dict[str, Any]) -> MadeRun:
    made = made_run((1,), gpu=False)
    began, _ = made.span(0)
    made.utterances += [ended(began + 1.0, **record) for record in records]
    made.transitions[-1]["delivery"] |= {"rows": len(made.utterances), "totals": {"one": len(made.utterances)}}
    return made


def report_of(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances])


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([{"eos_latency_s": 2.41}] * 4, "up to 2.41 s"),
        ([{"eos_latency_s": 0.4}] * 3 + [{"outcome": "timed_out", "eos_latency_s": None}], "one failed"),
    ],
)
def test_a_server_that_stood_still_before_any_counted_utterance_met_it_is_told(
    records: list[dict[str, Any]], found: str
) -> None:
    made = with_ramp(*records)
    report = report_of(made)
    assert (report.verdict, report.stages[0].verdict) == (report_of(made_run((1,), gpu=False)).verdict, "pass")
    (note,) = [note for note in report.notes if "began before the hold" in note]
    assert note.startswith("at 1 caller the 4 utterances that began before the hold and ended in it would miss eos_lat")
    assert f"({found}). They don't count" in note


def test_where_they_were_as_fast_as_the_others_nothing_is_said() -> None:
    report = report_of(with_ramp({"eos_latency_s": 0.5}))
    assert not [note for note in report.notes if "before the hold" in note]
