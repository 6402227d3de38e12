"""What the writers make of a run of uploads. After a meant change: STT_LOAD_REWRITE_GOLDEN=1 pytest tests/report."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from made_run import made_run, made_uploads
from test_writers import WRITTEN, console_text

from stt_load.metrics.validity import CONDITIONS
from stt_load.report.build import build_report
from stt_load.report.charts.run_charts import draw_charts
from stt_load.report.csv_file import stages_csv
from stt_load.report.json_file import summary_json
from stt_load.report.model import RunReport

GOLDEN = Path(__file__).parent / "golden" / "uploads"


def report_of(streams: bool = False) -> RunReport:
    made = made_uploads(streams=streams)
    return build_report(made.run, made.transitions, [made.utterances])


@pytest.mark.parametrize("name", WRITTEN)
def test_a_writer_writes_its_golden_file(name: str) -> None:
    text = WRITTEN[name](report_of(streams=True))
    if os.environ.get("STT_LOAD_REWRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_the_heading_says_that_these_are_no_figures_of_callers_who_speak() -> None:
    text = console_text(report_of())
    assert "uploads: whole files, not microphone pace" in text
    assert "EOS" not in text
    assert "concurrent requests" in text
    streaming = made_run(ladder=(1,), per_stage=2)
    assert "uploads" not in console_text(build_report(streaming.run, streaming.transitions, [streaming.utterances]))


def test_a_latency_of_speech_is_empty_and_the_figures_of_uploads_are_there() -> None:
    first, *_ = csv.DictReader(io.StringIO(stages_csv(report_of())))
    assert first["eos_p95"] == first["stream_end_p50"] == first["first_text_p95_s"] == ""
    assert "duty_cycle_pct" not in first
    assert 0.55 <= float(first["total_p50_s"]) <= 0.65
    assert float(first["rtf_p95"]) == pytest.approx(float(first["total_p95_s"]) / 4.0, rel=0.01)
    assert float(first["rtf_p50"]) == pytest.approx(1 / float(first["rtfx_p50"]), rel=0.05)
    assert float(first["requests_per_s"]) == 60 / 30


def test_first_text_is_a_number_only_where_the_server_streamed() -> None:
    for streams, n in ((False, 0), (True, 60)):
        stage = json.loads(summary_json(report_of(streams)))["stages"][0]
        assert stage["first_text_s"]["n"] == n
        assert (stage["first_text_s"]["p95"] is None) is not streams


def test_failed_uploads_are_later_than_any_bound_on_the_factor() -> None:
    made = made_uploads(ladder=(1,), per_stage=60)
    for record in made.utterances[:12]:
        record.outcome, record.total_s = "timed_out", None
    (slo, *_) = json.loads(summary_json(build_report(made.run, made.transitions, [made.utterances])))["stages"][0][
        "slos"
    ]
    assert (slo["slo"], slo["verdict"], slo["value"]) == ("rtf:p95<1", "missed", None)


def test_pacing_does_not_apply_and_everything_else_is_judged() -> None:
    validity = json.loads(summary_json(report_of()))["stages"][0]["validity"]
    (pacing,) = [finding for finding in validity if finding["condition"].startswith("pacing")]
    assert pacing["is_met"]
    assert pacing["detail"] == "does not apply: requests are sent whole"
    assert len(validity) == sum(not condition.is_of_calls for condition in CONDITIONS)


def test_charts_are_those_of_uploads() -> None:
    names = [chart.name for chart in draw_charts(report_of())]
    assert names[0] == "rtf"  # the figure with an objective
    assert {"total", "requests"} < set(names)
    assert not {"eos-latency", "late-frames"} & set(names)
