"""The report of an open loop: rates in place of callers, refused calls beside Erlang's formula."""

from __future__ import annotations

import json

import pytest
from made_calls import PLACES, RATES, made_calls
from made_run import MadeRun, made_run

from stt_load.capacity.erlang import erlang_b
from stt_load.report.build import build_report
from stt_load.report.charts.run_charts import draw_charts
from stt_load.report.csv_file import stages_csv
from stt_load.report.failure_table import failure_headings
from stt_load.report.json_file import summary_json
from stt_load.report.model import RunReport, Verdict
from stt_load.report.resources import resource_table
from stt_load.report.table import columns, explanations
from stt_load.report.wording import knee_sentence


def built(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


@pytest.fixture(scope="module")
def report() -> RunReport:
    return built(made_calls())


def test_each_stage_is_a_rate_with_its_load_and_its_refused_calls_beside_the_formula(report: RunReport) -> None:
    table = columns(report)
    assert list(table)[:4] == ["Calls", "erlangs", "refused%", "Erlang B%"]
    assert table["Calls"] == tuple(RATES)
    for stage in report.stages:
        assert stage.calls is not None and stage.calls.places == PLACES == stage.places
        assert stage.erlang_b == erlang_b(stage.calls.erlangs, PLACES)
        refused = stage.calls.refused_rate
        assert refused is not None and refused.low is not None and refused.high is not None
        assert refused.low - 0.02 <= stage.erlang_b <= refused.high + 0.02
        assert stage.duty_cycle is None, "nobody knows how many callers share it"


def test_an_objective_on_refused_calls_finds_the_rate_that_the_server_holds(report: RunReport) -> None:
    assert [stage.verdict for stage in report.stages] == [Verdict.PASS, Verdict.FAIL, Verdict.FAIL]
    sentence = knee_sentence(report.knee)
    assert sentence.startswith("holds 4 calls/min (")
    assert "; at 8/min refused " in sentence and sentence.endswith("% misses < 17%")


def test_no_call_is_missed_that_was_due_when_the_load_of_the_run_had_been_told_to_end() -> None:
    made = made_calls()
    began, ended = made.span(2)
    stopped = (began + ended) / 2
    made.utterances = [row for row in made.utterances if row.started_at < stopped]
    rows = {"rows": len(made.utterances), "totals": {"one": len(made.utterances)}}
    done = made.transitions[-1] | {"load_ended_at": stopped, "t": stopped + 20.0}
    done["delivery"] = {**done["delivery"], **rows}
    made.transitions = [*made.transitions[:-3], done]
    calls = built(made).stages[-1].calls
    assert calls is not None
    assert calls.due > 100 and calls.not_started == 0


def test_every_table_of_stages_has_calls_in_place_of_callers(report: RunReport) -> None:
    resources = resource_table(report)
    assert resources is None or resources.headings[0] == "Calls"
    assert failure_headings(report.is_open_loop)[0] == "Calls"
    assert failure_headings(built(made_run((1, 5), gpu=False)).is_open_loop)[0] == "Conc"
    titles = {chart.name: chart.title for chart in draw_charts(report)}
    assert titles["distribution"].endswith("a curve for each rate of calls")


def test_a_run_of_calls_that_ended_early_says_at_which_rate() -> None:
    made = made_calls()
    made.transitions[-1]["aborted"] = True
    assert knee_sentence(built(made).knee).endswith("; the run ended early at 16 calls/min")


def test_the_notes_of_an_open_loop_say_that_it_is_one_and_how_many_places_the_server_showed(report: RunReport) -> None:
    (note,) = [line for line in explanations(report) if line.startswith("An open loop")]
    assert f"when {PLACES} callers were on the line" in note
    assert not [line for line in explanations(built(made_run((1, 5), gpu=False))) if "loop" in line]


def test_charts_have_the_rates_as_their_axis_and_callers_on_the_line_over_time(report: RunReport) -> None:
    charts = {chart.name: chart for chart in draw_charts(report)}
    assert "calls" in charts
    for name in ("eos-latency", "calls", "error-rate"):
        assert all(f">{rate}<" in charts[name].body for rate in RATES), name
        assert ">callers<" not in charts[name].body
    assert "callers on the line" in charts["timeline"].body
    assert not any(chart.name == "calls" for chart in draw_charts(built(made_run((1, 5), gpu=False))))


def test_files_have_the_calls_and_no_empty_key_where_callers_stay(report: RunReport) -> None:
    stages = json.loads(summary_json(report))["stages"]
    assert [stage["calls"]["rate"] for stage in stages] == list(RATES)
    assert {stage["calls"]["places"] for stage in stages} == {PLACES}
    assert "calls" not in json.loads(summary_json(built(made_run((1, 5), gpu=False))))["stages"][0]
    header, *lines = [line.split(",") for line in stages_csv(report).splitlines()]
    due = [line[header.index("calls_due")] for line in lines]
    assert due == [str(stage.calls.due) for stage in report.stages if stage.calls]
    assert {line[header.index("calls_not_started")] for line in lines} == {"0"}


def test_a_stage_whose_calls_a_worker_took_with_it_is_not_valid() -> None:
    made = made_calls()
    made.utterances = [row for row in made.utterances if row.stage != 1 or (row.call or 0) % 4]
    lost = built(made).stages[1]
    assert lost.verdict is Verdict.INVALID
    assert "calls begun when they were due" in {finding.condition for finding in lost.broken}
    assert lost.calls is not None
    assert lost.calls.not_started == pytest.approx(lost.calls.due / 4, abs=1)


def test_a_stage_that_was_killed_before_its_hold_still_has_its_rate() -> None:
    made = made_calls()
    made.transitions = made.transitions[:2]
    made.utterances = [row for row in made.utterances if row.phase == "ramp" and row.stage == 0]
    (stage,) = built(made).stages
    assert (stage.rate, stage.calls, stage.erlangs) == ("4/min", None, None)
