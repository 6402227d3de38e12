"""Every writer against its golden file. After a meant change: STT_LOAD_REWRITE_GOLDEN=1 pytest tests/report."""

import csv
import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from control_sequences import OBEYED, PLANT
from made_run import made_run, utterance
from made_samples import gap_entry, gpu_entry, sidecar_entry
from rich.console import Console

from stt_load.metrics.validity import CONDITIONS
from stt_load.report.build import build_report
from stt_load.report.charts.run_charts import draw_charts
from stt_load.report.console import print_report
from stt_load.report.csv_file import stages_csv
from stt_load.report.html import report_html
from stt_load.report.json_file import summary_json
from stt_load.report.junit_file import junit_xml
from stt_load.report.markdown_file import report_markdown
from stt_load.report.model import RunReport
from stt_load.report.page_templates import unbroken
from stt_load.report.table import explanations, headings, rows

GOLDEN = Path(__file__).parent / "golden"
FIXED_COLUMNS = (
    "concurrency,eos_p50,eos_p95,eos_mean,stream_end_p50,stream_end_p95,stream_end_mean,audio_duration_s,wer_pct,"
    "gpu_util_p95,gpu_util_mean,vram_peak_mib,vram_mean_mib"
)


def console_text(report: RunReport, width: int | None = None) -> str:
    file = io.StringIO()
    print_report(report, Console(file=file, width=width, force_terminal=width is not None, color_system=None))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


WRITTEN: dict[str, Callable[[RunReport], str]] = {
    "stages.csv": stages_csv,
    "summary.json": summary_json,
    "junit.xml": junit_xml,
    "report.md": report_markdown,
    "report.html": lambda report: re.sub(r"(?s)<style>.*</style>", "<style></style>", report_html(report, ())),
    "console.txt": console_text,
}


@pytest.fixture(scope="module")
def report() -> RunReport:
    """A knee at 20, a stage of few samples, one that can't be believed, foreign text, a shared clip; at 30 callers
    dmon was quiet for a while, at 40 the sidecar died."""
    made = made_run(ladder=(1, 10, 20, 30, 40), per_stage=60, host=True)
    quiet = made.span(3)[0] + 7.5, made.span(3)[0] + 15.5
    made.gpu = [row for row in made.gpu if not quiet[0] < row["t"] < quiet[1]]
    made.drop_samples(made.span(4)[0] + 5, made.span(4)[1] + 60)
    made.run["gpu"] = [gpu_entry()]
    made.run["sidecars"] = [sidecar_entry([gap_entry(*quiet, "dmon was quiet for 3 s")])]
    made.utterances = [record for record in made.utterances if record.stage or record.user + record.started_at % 7 < 4]
    for row in made.transitions:
        if row["stage"] == 0 and row["begun"]:
            row["begun"] = row["ended"] = sum(record.stage == 0 for record in made.utterances)
        if row["stage"] == 4 and row["phase"] == "grace":
            row["generator_cpu_pct"] = 97.0
    made.transitions[-1]["delivery"].update(rows=len(made.utterances), totals={"one": len(made.utterances)})
    late = [record for record in made.utterances if record.stage == 3]
    late[0].foreign_text, late[1].clip_reused, late[2].outcome, late[3].late_text = 1, True, "timed_out", 2
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_writer_writes_its_golden_file(report: RunReport, name: str) -> None:
    text = WRITTEN[name](report)
    if os.environ.get("STT_LOAD_REWRITE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def test_the_table_of_a_run_with_a_gpu_fits_a_terminal_of_80_columns() -> None:
    made = made_run(ladder=(1, 10), per_stage=60)
    report = build_report(made.run, made.transitions, [made.utterances], made.samples)
    table = console_text(report, 80).partition("(exit code")[0].splitlines()[:-1]
    assert "VRAM" in table[3] and max(map(len, table)) <= 80


def test_the_csv_begins_with_the_fixed_columns_and_has_a_row_a_stage(report: RunReport) -> None:
    header, *rows = stages_csv(report).splitlines()
    assert header.startswith(FIXED_COLUMNS + ",")
    assert len(rows) == 5


def test_a_cell_without_a_figure_is_empty_in_csv_and_a_dash_in_the_table() -> None:
    made = made_run(ladder=(1, 2), per_stage=2, gpu=False)
    for record in made.utterances[:2]:
        record.outcome, record.eos_latency_s = "refused", None
    report = build_report(made.run, made.transitions, [made.utterances])
    row, _ = csv.DictReader(io.StringIO(stages_csv(report)))
    assert row["gpu_util_mean"] == row["vram_peak_mib"] == row["wer_pct"] == row["eos_mean"] == ""
    line = next(line for line in console_text(report).splitlines() if line.strip().startswith("1 "))
    assert line.split() == ["1", "failed", "failed", "-", "failed", "-", "-", "2", "2", "fail"]


def test_a_percentile_that_falls_on_failed_utterances_is_no_number_of_those_that_completed() -> None:
    made = made_run(ladder=(1,), per_stage=20)
    for record in made.utterances[:3]:
        record.outcome, record.eos_latency_s, record.stream_end_latency_s = "refused", None, None
    report = build_report(made.run, made.transitions, [made.utterances])
    (cells,) = (dict(zip(headings(report), row, strict=True)) for row in rows(report))
    assert (cells["EOS p95"], cells["stream end p95"]) == ("failed", "failed")
    assert 0.4 < float(cells["EOS p50"]) < 0.6
    assert "failed: the utterance at that percentile did not complete" in " ".join(explanations(report))
    (row,) = csv.DictReader(io.StringIO(stages_csv(report)))
    assert (row["eos_p95"], row["eos_p95_ci95_high_s"]) == ("inf", "")
    (stage,) = json.loads(summary_json(report))["stages"]
    assert stage["eos_latency_s"]["p95"] < 1
    p50 = pytest.approx(float(row["eos_p50"]), abs=1e-4)
    assert stage["eos_latency_s"]["with_failed"] == {"n": 20, "p50": p50, "p95": None, "p99": None}


def test_the_percentiles_of_table_and_csv_count_failed_utterances_as_the_latest() -> None:
    """One of 40 failed: the p95 is the second largest of 39, not the third of those that completed."""
    made = made_run(ladder=(1,), per_stage=0)
    made.utterances = [utterance(0, 1, at, eos_latency_s=0.01 * at) for at in range(1, 40)]
    made.utterances.append(utterance(0, 1, outcome="timed_out", eos_latency_s=None))
    report = build_report(made.run, made.transitions, [made.utterances])
    (row,) = csv.DictReader(io.StringIO(stages_csv(report)))
    assert (row["eos_p95"], row["eos_max_s"]) == ("0.3800", "0.3900")
    (p95,) = (result for result in report.stages[0].slos if result.slo.statistic == "p95")
    assert p95.value == 0.38


def test_a_figure_that_no_answer_has_did_not_fail() -> None:
    made = made_run(ladder=(1,), per_stage=20)
    made.utterances[0].outcome, made.utterances[0].eos_latency_s = "refused", None
    report = build_report(made.run, made.transitions, [made.utterances])
    (row,) = csv.DictReader(io.StringIO(stages_csv(report)))
    assert row["finalise_p95_s"] == row["arrival_late_p99_s"] == ""


def test_columns_that_nothing_fills_are_left_out_of_every_table() -> None:
    made = made_run(ladder=(1,), per_stage=2, gpu=False)
    report = build_report(made.run, made.transitions, [made.utterances])
    assert headings(report)[-3:] == ("n", "errors", "verdict")
    assert not any(heading.startswith(("GPU", "VRAM")) for heading in headings(report))
    assert all(len(row) == len(headings(report)) for row in rows(report))


def test_what_was_never_sent_has_no_sentence() -> None:
    refused = [utterance(0, 1, outcome="refused", frames=0, audio_s=0.0, duration_s=0.0, text="") for _ in range(3)]
    made = made_run(ladder=(1,), per_stage=3)
    report = build_report(made.run, made.transitions, [refused])
    (sent,) = [line for line in explanations(report) if "Callers were sending" in line]
    assert sent == "Callers were sending for 0.0 % of the hold."


def test_the_summary_is_plain_json_with_every_latency_and_its_interval(report: RunReport) -> None:
    summary = json.loads(summary_json(report), parse_constant=pytest.fail)
    assert summary["schema_version"] == 2
    assert summary["verdict"] == "fail"
    assert summary["exit_code"] == 3
    assert (summary["knee"]["holds"], summary["knee"]["breaks"]) == (20, 30)
    stage = summary["stages"][2]
    assert stage["users"] == 20
    assert {"p50", "p95", "p99", "mean", "min", "max", "n", "ci95"} <= stage["eos_latency_s"].keys()
    low, high = stage["eos_latency_s"]["ci95"]["p50"]
    assert low <= stage["eos_latency_s"]["p50"] <= high


def test_what_another_kind_of_load_counts_is_null_and_not_0(report: RunReport) -> None:
    for stage in json.loads(summary_json(report))["stages"]:
        assert stage["early_answers"] is stage["underruns"] is None
        assert isinstance(stage["foreign_text"], int)


def test_a_percentile_on_failed_utterances_has_a_verdict_and_no_value_in_json() -> None:
    made = made_run(ladder=(1,), per_stage=0)
    failed = [utterance(0, 1, index, outcome="timed_out", eos_latency_s=None, text="") for index in range(4)]
    report = build_report(made.run, made.transitions, [failed])
    (slo, *_) = json.loads(summary_json(report))["stages"][0]["slos"]
    assert (slo["verdict"], slo["value"]) == ("missed", None)


def test_junit_has_a_case_for_each_stage_and_question_and_counts_them_right(report: RunReport) -> None:
    root = ET.fromstring(junit_xml(report))
    whole, *stages = root
    assert (whole.get("name"), whole.get("errors")) == ("run", "0")
    assert "holds 20 callers" in whole.findtext("system-out")
    for suite in stages:
        cases = suite.findall("testcase")
        assert len(cases) == int(suite.get("tests")) == 3 + sum(not condition.is_of_calls for condition in CONDITIONS)
        for tag in ("failure", "error"):
            assert len(suite.findall(f"testcase/{tag}")) == int(suite.get(f"{tag}s"))
    assert [suite.get("failures") != "0" for suite in stages] == [False, False, False, True, False]
    assert [suite.get("skipped") for suite in stages] == ["2", "2", "2", "2", "3"]
    assert [suite.get("errors") for suite in stages] == ["0", "0", "0", "0", "1"]


def test_junit_names_stages_by_their_callers_and_says_how_long_they_were_held(report: RunReport) -> None:
    whole, *stages = ET.fromstring(junit_xml(report))
    assert [suite.get("name") for suite in stages] == [f"{n} caller{'s' * (n > 1)}" for n in (1, 10, 20, 30, 40)]
    assert {suite.get("time") for suite in stages} == {"30.000"}
    assert whole.get("time") == whole.find("testcase").get("time") == "205.000"
    assert stages[0].get("timestamp") == "2026-09-21T14:13:22+00:00"
    properties = {element.get("name"): element.get("value") for element in stages[3].iter("property")}
    assert properties == {"users": "30", "n": "60", "errors": "1", "verdict": "fail"}


def test_junit_has_an_error_where_an_objective_had_to_be_proven() -> None:
    made = made_run(ladder=(1,), per_stage=20)
    made.run["strict"] = True
    _, stage = ET.fromstring(junit_xml(build_report(made.run, made.transitions, [made.utterances])))
    messages = {case.get("name"): case.find("error").get("message") for case in stage if case.find("error") is not None}
    assert messages.keys() == {"eos_latency:p95<1s", "error_rate<1%", "enough samples"}
    assert "20 utterances don't prove it: that needs about 299" in messages["error_rate<1%"]


def test_junit_has_an_error_for_a_run_that_was_ended_early() -> None:
    made = made_run(ladder=(1,), per_stage=20)
    made.transitions[-1]["aborted"] = True
    whole, *_ = ET.fromstring(junit_xml(build_report(made.run, made.transitions, [made.utterances])))
    assert "the run ended early at 1 caller" in whole.find("testcase/error").get("message")


def test_the_page_fetches_nothing_and_runs_nothing(report: RunReport) -> None:
    page = report_html(report, draw_charts(report))
    assert "<svg" in page
    assert "<script" not in page
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", page)) - {sidecar_entry()["url"]}  # its name
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"(src|href)=[\"'](?!#)", page)


def test_text_from_a_run_cannot_become_markup() -> None:
    made = made_run(ladder=(1,), per_stage=2)
    made.run |= {"label": "<b>bold</b>", "notes": ["<script>x</script>"]}
    page = report_html(build_report(made.run, made.transitions, [made.utterances]), ())
    assert "<b>" not in page
    assert "<script" not in page


PLANT_AND_MARKUP = f"{PLANT}[/bold]"


def planted(value: Any) -> Any:
    """The value with a control sequence behind each of its texts."""
    if isinstance(value, dict):
        return {key: planted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [planted(item) for item in value]
    return value + PLANT_AND_MARKUP if isinstance(value, str) else value


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != "summary.json"])  # data, as it was given
def test_texts_of_other_machines_command_no_terminal_and_break_no_file(name: str) -> None:
    made = made_run(ladder=(1, 2), per_stage=4, host=True)
    made.run |= planted({"label": "night", "notes": ["a note"], "hosts": [{"name": "gpu-box"}]})
    entry = planted({**sidecar_entry([gap_entry(*made.span(0), "dmon was quiet")]), "url": "http://gpu-box:9550"})
    made.run |= {"gpu": [gpu_entry() | {"name": f"H200{PLANT_AND_MARKUP}"}], "sidecars": [entry]}
    made.transitions[-1]["reason"] = f"aborted{PLANT_AND_MARKUP}"
    report = build_report(made.run, made.transitions, [made.utterances], made.samples)
    text = WRITTEN[name](report)
    assert not OBEYED.search(text)
    assert not any(line.startswith("PASS") for line in text.splitlines())
    without_markdown = text.replace(r"\\", "\\").replace(r"\]", "]")
    assert name == "stages.csv" or r"\x1b]0;owned\x07" in without_markdown
    assert name != "junit.xml" or ET.fromstring(text).tag == "testsuites"


def test_a_page_has_no_heading_above_nothing(report: RunReport) -> None:
    everything = report_html(report, draw_charts(report))
    assert all(f"<h2>{heading}</h2>" in everything for heading in ("Charts", "Objectives", "Validity"))
    stages = tuple(replace(stage, slos=(), findings=()) for stage in report.stages)
    page = report_html(replace(report, stages=stages), ())
    assert not any(f"<h2>{heading}</h2>" in page for heading in ("Charts", "Objectives", "Validity"))
    assert "<h2>What was run</h2>" in page


def test_no_line_of_the_page_ends_within_the_name_of_an_option() -> None:
    assert unbroken("use <b> --processes 2, or `stt-load run --at-least=3`: a--b, x-stt-load-y") == (
        'use &lt;b&gt; <span class="word">--processes</span> 2, or `<span class="word">stt-load</span> run '
        '<span class="word">--at-least</span>=3`: a--b, x-stt-load-y'
    )


@pytest.mark.parametrize("width", [80, 100, 120, None])
def test_the_table_is_never_cut_short(report: RunReport, width: int | None) -> None:
    text = console_text(report, width)
    assert "…" not in text
    gpu = ("GPU%p95", "GPU%mean") if width is None or width > 100 else ("GPU% GPU%",)
    for heading in ("Conc", *gpu, "WER%", "errors", "verdict", "last", "frame"):
        assert heading in text


def test_a_pipe_gets_no_control_characters_and_bounded_lines(report: RunReport) -> None:
    text = console_text(report)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_console_says_answer_reasons_and_warnings(report: RunReport) -> None:
    text = " ".join(console_text(report).split())
    assert "FAIL (exit code 3): holds 20 callers, not proven by 60 utterances; at 30 eos_latency p95" in text
    assert "misses < 1s" in text
    assert "at 40 callers: the busiest load process used 97 % of one core." in text
    assert "messages carried another caller's words (1 at 30 callers)" in text
    assert "- 100 ms asked, 96 ms sent" in text
    assert "* too few utterances" in text
    assert "pass*: nothing is missed, but it takes more utterances to prove that at 95 %: eos_latency:p95" in text
    assert "error_rate<1% at 1, 10, 20 callers (about 299);" in text
    assert "95 % interval of WER%: 0.6–" in text
    assert "Two callers spoke the same clip in 1 utterance:" in text
