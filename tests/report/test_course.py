"""Runs that are no plain ladder: a spike, and a ladder with a way down. Their answers, tables, files and verdicts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from made_course import spike_run, spike_run_cut_short, way_down
from made_run import MadeRun, made_run

from stt_load.metrics.drift import DriftVerdict
from stt_load.metrics.recovery import Recovery
from stt_load.options import Course
from stt_load.report.build import build_report
from stt_load.report.capacity_wording import headline
from stt_load.report.charts.run_charts import draw_charts
from stt_load.report.course_tables import course_tables
from stt_load.report.given_back import given_back
from stt_load.report.html import report_html
from stt_load.report.json_file import summary_json
from stt_load.report.markdown_file import report_markdown
from stt_load.report.model import RunReport, Verdict
from stt_load.report.summary_schema import summary_schema_json


def reported(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


def summary_of(report: RunReport) -> Mapping[str, Any]:
    summary: Mapping[str, Any] = json.loads(summary_json(report))
    jsonschema.validate(summary, json.loads(summary_schema_json()))
    return summary


def test_a_spike_that_misses_its_objectives_and_is_got_over_passes() -> None:
    report = reported(spike_run())
    assert [stage.verdict for stage in report.stages] == [Verdict.PASS, Verdict.FAIL, Verdict.FAIL]
    assert report.verdict is Verdict.PASS
    recovery = report.recovery
    assert recovery is not None and recovery.recovery_s is not None
    assert headline(report).startswith(
        f"after 40 callers for 60 s the objectives held again within {recovery.recovery_s:.1f} s; "
    )
    told = summary_of(report)["recovery"]
    assert told["recovery_s"] == recovery.recovery_s and told["in_spike"] == 120
    knee = summary_of(report)["knee"]
    assert (knee["holds"], knee["breaks"], knee["tried"]) == (5, 40, 40), "what comes after it is no part of the knee"


def test_every_form_of_the_report_has_the_spike() -> None:
    report = reported(spike_run())
    (chart,) = [chart for chart in draw_charts(report) if chart.name == "spike"]
    assert "holds again" in chart.body and len(chart.tips) == 60
    for text in (report_markdown(report), report_html(report, [chart])):
        assert "After the spike" in text and "What the server gives back" in text and "40 callers" in text


def test_the_stripe_of_a_spike_leaves_the_words_of_a_bound_at_the_top_of_the_chart_alone() -> None:
    made = spike_run()
    for record in made.utterances:
        record.eos_latency_s = 0.4  # so that the chart ends with the bound, 1 s
    (chart,) = [chart for chart in draw_charts(reported(made)) if chart.name == "spike"]
    stripes = {
        float(y) + float(height)
        for y, height in re.findall(r'<rect [^>]*y="([0-9.]+)"[^>]* height="([0-9.]+)" class="window', chart.body)
    }
    (baseline,) = re.findall(r'<text [^>]*y="([0-9.]+)" class="label bound-label', chart.body)
    assert max(stripes) <= float(baseline) - 9, "letters are 9 pixels high"


@pytest.mark.parametrize(
    ("made", "verdict", "words"),
    [
        (spike_run(after_s=3.0), Verdict.FAIL, "the objectives did not hold again within"),
        (spike_run(base_s=3.0), Verdict.FAIL, "though they had not before it"),
    ],
)
def test_a_spike_fails_where_the_few_miss_an_objective_before_it_or_to_the_end(
    made: MadeRun, verdict: Verdict, words: str
) -> None:
    report = reported(made)
    assert report.verdict is verdict
    assert words in headline(report)


def test_too_little_after_a_spike_to_tell_is_no_verdict() -> None:
    made = spike_run_cut_short()
    report = reported(made)
    assert report.recovery is not None and report.recovery.is_too_short
    assert "it can't be told when the objectives held again" in headline(report)
    for record in made.utterances:
        record.eos_latency_s = 3.0
    assert "are too few, and they were missed before it as well" in headline(reported(made))
    assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize(
    ("ended_at", "words"),
    [(None, "the run is not at its end, so"), (1_700_000_500.0, "the run did not come to the end of its spike")],
)
def test_what_came_after_a_spike_is_not_known_before_its_last_hold(ended_at: float | None, words: str) -> None:
    """The panel and the tab of a run that goes on have this sentence too."""
    made = spike_run()
    made.transitions = [line for line in made.transitions if line["stage"] < 2 and line["phase"] != "done"]
    made.run["ended_at"] = ended_at
    assert words in headline(reported(made))


def test_a_ladder_has_none_of_this() -> None:
    report = reported(made_run((1, 5)))
    assert (report.recovery, given_back(report), course_tables(report)) == (None, (), ())
    assert not {"recovery", "given_back"} & summary_of(report).keys()


def test_what_a_server_gives_back_on_the_way_down_is_told() -> None:
    report = reported(way_down())
    assert report.verdict is Verdict.PASS
    assert headline(report).startswith("holds 10 callers")
    found = {each.name: each for each in given_back(report)}
    latency, memory = found["EOS latency p95"], found["memory of the server"]
    assert (latency.before, latency.most, latency.after, latency.share) == (0.4, 0.8, 0.4, 1.0)
    assert (memory.before, memory.most, memory.after, memory.share) == (1_000.0, 3_000.0, 2_800.0, 0.1)
    assert summary_of(report)["given_back"][1]["share"] == 1.0
    (table,) = course_tables(report)
    assert ("memory of the server", "1,000 MiB", "3,000 MiB", "2,800 MiB", "10 %") in table.table.rows


def test_a_server_that_stays_slow_when_callers_have_left_fails() -> None:
    report = reported(way_down(again_s=1.5))
    assert headline(report).startswith("holds 10 callers"), "the way down is no part of the knee"
    assert report.verdict is Verdict.FAIL


def soak_run(is_killed: bool, n: int = 2_000) -> MadeRun:
    """An hour of five callers; the server takes 200 MiB more in it, and gets no slower. `is_killed`: before the
    end of its hold. `n`: how many utterances there were."""
    made = made_run((5,), per_stage=n, knee_at=100, hold_s=3_600.0, gpu=False, host=True)
    made.run |= {"course": str(Course.SOAK)}
    began = made.span(0)[0]
    for row in made.host:
        if row["kind"] == "process":
            row["rss_mib"] = 1_000.0 + 200.0 * (row["t"] - began) / 3_600
    if is_killed:
        made.transitions = made.transitions[:2]
    return made


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_soak_tells_drift_of_memory_also_where_it_was_killed(is_killed: bool) -> None:
    report = reported(soak_run(is_killed))
    (memory,) = [drift for drift in report.drifts if drift.name == "memory of the server"]
    assert memory.verdict is DriftVerdict.DRIFT
    assert memory.per_hour == pytest.approx(200.0, rel=0.01)
    (latency,) = [drift for drift in report.drifts if drift.name == "latency p50"]
    assert latency.verdict is DriftVerdict.NONE
    assert "drift in 60 min: memory of the server +" in headline(report)
    told = report_markdown(report)
    assert all(f"{what}: " in told for what in ("Age of", "Level", "Change", "No drift", "Can't tell"))
    assert len(summary_of(report)["drift"]) == len(report.drifts) == 5
    assert report.verdict is (Verdict.INVALID if is_killed else Verdict.PASS)


def test_a_soak_of_too_few_utterances_does_not_stand_for_what_is_known_of_memory_alone() -> None:
    made = soak_run(is_killed=False, n=15)
    for row in made.host:
        if row["kind"] == "process":
            row["rss_mib"] = 1_000.0
    report = reported(made)
    assert [drift.verdict for drift in report.drifts if drift.name.startswith("memory")] == [DriftVerdict.NONE]
    assert "can't tell of drift in latency p50, latency p95, word error rate, failed" in headline(report)
    assert len(summary_of(report)["drift"]) == 5


def test_what_was_not_there_is_not_given_back() -> None:
    report = reported(way_down())
    (latency, *_) = given_back(report)
    assert replace(latency, most=0.3).share is None
    assert replace(latency, after=None).share is None
    assert isinstance(reported(spike_run()).recovery, Recovery)
