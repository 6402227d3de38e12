"""What the writers make of a run of text to speech."""

from __future__ import annotations

import csv
import io

import pytest
from made_run import made_speech
from test_writers import console_text

from stt_load.report.build import build_report
from stt_load.report.csv_file import stages_csv
from stt_load.report.model import RunReport
from stt_load.report.table import explanations, headings, rows


def report_of(streams: bool) -> RunReport:
    made = made_speech(streams=streams)
    return build_report(made.run, made.transitions, [made.utterances])


def cell(report: RunReport, heading: str) -> str:
    return rows(report)[0][headings(report).index(heading)]


def test_the_table_has_the_figures_of_speech_and_none_of_callers_or_uploads() -> None:
    times = ("total p50", "total p95", "first audio p50", "first audio p95", "gap max p95", "underruns")
    counts = ("n", "errors", "verdict")
    assert headings(report_of(streams=True)) == ("Conc", *times, "Audio Dur", "RTF p95", "req/s", *counts)


def test_streamed_answers_have_a_first_audio_gaps_and_underruns() -> None:
    report = report_of(streams=True)
    assert float(cell(report, "first audio p95")) == pytest.approx(float(cell(report, "total p95")) / 3, abs=0.001)
    assert (cell(report, "gap max p95"), cell(report, "underruns")) == ("0.050", "2")
    assert [result.verdict for result in report.stages[0].slos] == ["met", "missed", "undecided"]
    assert not any("not streamed" in line for line in explanations(report))


def test_answers_that_were_not_streamed_have_none_and_the_table_says_so() -> None:
    report = report_of(streams=False)
    assert cell(report, "first audio p50") == cell(report, "first audio p95") == "not streamed"
    assert not {"gap max p95", "underruns"} & set(headings(report))
    assert "120 of 120 answers were not streamed" in console_text(report)
    (first, _) = csv.DictReader(io.StringIO(stages_csv(report)))
    assert (first["first_audio_p95_s"], first["gap_max_p95_s"], first["streamed"]) == ("", "", "0")


def test_nothing_is_said_about_a_transcript() -> None:
    text = console_text(report_of(streams=True))
    assert "WER" not in text
    assert "EOS" not in text
    assert "concurrent stream" in text
