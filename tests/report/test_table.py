"""The marks of the table that people read."""

from __future__ import annotations

import pytest
from made_run import MadeRun, made_run, utterance

from stt_load.report.build import build_report
from stt_load.report.model import RunReport
from stt_load.report.table import explanations, headings


def report_of(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


@pytest.mark.parametrize("uncertain", [0, None])
def test_latencies_from_an_end_of_speech_that_is_known_have_no_mark(uncertain: int | None) -> None:
    made = made_run((1,), gpu=False)
    made.run["clips"]["uncertain_bounds"] = uncertain
    report = report_of(made)
    assert {"EOS p50", "EOS p95"} <= set(headings(report))
    assert not any(line.startswith("~") for line in explanations(report))


def test_latencies_from_an_end_of_speech_that_is_uncertain_are_marked_and_the_mark_is_explained() -> None:
    made = made_run((1,), gpu=False)
    made.run["clips"] |= {"n": 6, "uncertain_bounds": 2}
    report = report_of(made)
    assert {heading for heading in headings(report) if "~" in heading} == {"EOS p50~", "EOS p95~", "EOS mean~"}
    (line,) = (line for line in explanations(report) if line.startswith("~"))
    assert "in 2 of 6 clips" in line


def test_what_callers_who_never_speak_were_told_is_one_line_and_only_where_there_are_some() -> None:
    made = made_run((1,), gpu=False)
    assert not any("never speak" in line for line in explanations(report_of(made)))
    silent = [
        utterance(0, 1, n, clip_id=f"s{n}", reference="", text="you" if n else "", eos_latency_s=None, audio_s=30.0)
        for n in range(4)
    ]
    made.utterances.extend(silent)
    (line,) = (line for line in explanations(report_of(made)) if "never speak" in line)
    assert line == "Callers who never speak were told 1.5 words a minute at 1 (2.0 min sent)."
