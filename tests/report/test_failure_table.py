"""Why callers failed, in every form of the report."""

import json
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from made_run import made_run, utterance
from test_writers import WRITTEN

from stt_load.report.build import build_report
from stt_load.report.failure_table import FAILURES_TITLE, failure_rows
from stt_load.report.json_file import summary_json
from stt_load.report.junit_file import junit_xml
from stt_load.report.model import RunReport


@pytest.fixture(scope="module")
def report() -> RunReport:
    """A server that holds four of five callers, and is full at ten."""
    made = made_run(ladder=(1, 5, 10), per_stage=20)
    for at, record in enumerate(made.utterances):
        if record.stage and at % 5 < record.stage:
            record.outcome, record.refusal, record.eos_latency_s = "refused", "full", None
            record.error = f"HTTP 503 at the upgrade: {at} of 4 sessions"
    made.utterances[-1] = utterance(2, 10, outcome="interrupted", error="cut off")
    return build_report(made.run, made.transitions, [made.utterances])


def test_each_stage_has_a_row_for_each_reason_and_advice_is_given_once(report: RunReport) -> None:
    message = "HTTP 503 at the upgrade: … of … sessions"
    advice = "it says that it is full: raise its limit, or take these callers for more than it holds"
    assert failure_rows(report) == [
        ("5", "refused", "4 of 20", message, advice),
        ("10", "refused", "8 of 20", message, "as above"),
    ]


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != "stages.csv"])
def test_every_form_says_how_many_failed_and_why(report: RunReport, name: str) -> None:
    text = " ".join(WRITTEN[name](report).split())
    for told in ("refused", "HTTP 503 at the upgrade", "it says that it is full"):
        assert told in text, told


def test_the_summary_has_them_as_data_and_junit_as_lines_of_the_stage(report: RunReport) -> None:
    stage = json.loads(summary_json(report))["stages"][2]
    assert [(failure["outcome"], failure["n"]) for failure in stage["failures"]] == [("refused", 8)]
    suite = ET.fromstring(junit_xml(report))[3]
    assert suite.findtext("system-out").startswith("refused, 8 of 20: HTTP 503 at the upgrade: … of … sessions (it")


@pytest.mark.parametrize("write", [WRITTEN["console.txt"], WRITTEN["report.html"]], ids=["console", "page"])
def test_where_nobody_failed_there_is_no_such_heading(write: Callable[[RunReport], str]) -> None:
    made = made_run(ladder=(1,), per_stage=3)
    assert FAILURES_TITLE not in write(build_report(made.run, made.transitions, [made.utterances]))
