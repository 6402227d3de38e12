"""The answer of a search in its report: verdict, exit code, sentence, rows and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from made_run import MadeRun
from made_search import HOLDS, TERMS, made_search
from msgspec.structs import replace

from stt_load.errors import ExitCode
from stt_load.kinds import STREAM
from stt_load.report.build import build_report
from stt_load.report.capacity_wording import headline, trial_line, trial_table
from stt_load.report.junit_file import junit_xml
from stt_load.report.knee import exit_code
from stt_load.report.model import RunReport, Verdict
from stt_load.report.report_files import write_report


def built(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


@pytest.fixture(scope="module")
def report() -> RunReport:
    return built(made_search())


def test_the_answer_is_a_sentence(report: RunReport) -> None:
    assert report.capacity is not None
    interval = f"{report.capacity.low}–{report.capacity.high}"
    assert headline(report) == (
        f"holds 25 callers ({interval}) at eos_latency p95 < 1s, error_rate < 1%, wer_delta < 5%: "
        "25 passed 3 of 3, 26 failed 3 of 3; limited by latency, slope from 25 to 28; GPU 77 %"
    )


def test_a_search_that_has_its_answer_is_fine_though_it_broke_the_server(report: RunReport) -> None:
    assert exit_code(report) is ExitCode.FINE
    assert report.knee.holds is not None and report.knee.breaks is not None
    assert (report.knee.holds.users, report.knee.breaks.users, report.knee.tried) == (HOLDS, HOLDS + 1, 32)


def test_the_table_has_a_row_for_each_number_of_callers(report: RunReport) -> None:
    table = trial_table(report)
    assert table is not None
    assert table.headings == ("callers", "passed", "failed", "not valid", "eos_latency:p95<1s", "error_rate<1%")
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(rows) == ["1", "2", "4", "8", "16", "24", "25", "26", "28", "32"]
    assert [rows[users][:3] for users in ("24", "25", "26")] == [("1", "-", "-"), ("3", "-", "-"), ("-", "3", "-")]
    assert rows["1"][3:] == ("0.0 % (0.0 %)", "0.0 % (0.0 %)")


def test_a_ci_job_sees_no_failure_in_what_the_search_had_to_break(report: RunReport) -> None:
    root = ET.fromstring(junit_xml(report))
    assert root.findall(".//failure") == root.findall(".//error") == []
    assert sum("misses" in case.get("message", "") for case in root.findall(".//skipped")) >= 5
    assert root.find("testsuite/testcase[@name='holds 1 caller']") is not None


ENDS: list[tuple[str, dict[str, Any], dict[str, Any], ExitCode, str]] = [
    ("fewer than it began with", {"first": 30}, {}, ExitCode.SLO_MISSED, "fewer than the 30 of --from"),
    (
        "after a first trial that refused everybody",
        {"first": 32, "trials": 1},
        {},
        ExitCode.SLO_MISSED,
        "does not hold 32",
    ),
    ("the most that was tried", {"most": 20}, {}, ExitCode.FINE, "holds at least 20 callers at"),
    ("in its middle", {"trials": 7}, {"aborted": True}, ExitCode.ABORTED, "the search ended early, after 7 trials"),
    ("stopped by Locust", {"trials": 7}, {}, ExitCode.NOT_BELIEVABLE, "holds at least 24 callers"),
]


@pytest.mark.parametrize(("terms", "done", "code", "said"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS])
def test_how_a_search_ends(terms: dict[str, Any], done: dict[str, Any], code: ExitCode, said: str) -> None:
    made = made_search(**terms)
    made.transitions[-1] |= done
    report = built(made)
    assert exit_code(report) is code
    assert said in headline(report)


def test_where_the_load_generator_was_the_limit_that_is_the_answer() -> None:
    made = made_search(trials=6)
    of_two = {4, 5}
    made.transitions = [{**row, "users": 16} if row["stage"] in of_two else row for row in made.transitions]
    made.utterances = [replace(row, frames_late=9) if row.stage in of_two else row for row in made.utterances]
    report = built(made)
    assert exit_code(report) is ExitCode.NOT_BELIEVABLE
    assert "with 16 callers the load generator, not the server, was the limit (17.31 % of frames" in headline(report)
    assert "holds at least 8 callers at" in headline(report)  # none failed: nothing bounds it above
    assert report.capacity is not None and report.capacity.high is None


@pytest.mark.parametrize("trials", [1, 2], ids=["when it has just begun", "when it is over"])
def test_a_server_that_hears_something_else_is_no_limit_of_the_load_generator(trials: int) -> None:
    made = made_search(trials=trials)
    made.transitions = [{**row, "users": 1} for row in made.transitions]
    made.utterances = [
        replace(row, substitutions=row.reference_words, character_errors=row.reference_characters)
        for row in made.utterances
    ]
    said = headline(built(made))
    assert "; no trial can be believed (WER 1" in said
    assert "load generator" not in said


def two_late(of: int) -> MadeRun:
    """The last of its nine trials, with 26 callers, proves nothing: a stage of a ladder would not be believed."""
    made = made_search(trials=9, per_stage=of)
    is_last = [row.stage == 8 for row in made.utterances]
    made.utterances = [
        replace(row, eos_latency_s=1.5 if row.user < 2 else 0.5) if last else row
        for row, last in zip(made.utterances, is_last, strict=True)
    ]
    return made


@pytest.mark.parametrize(("of", "mark"), [(20, "fail"), (9, "pass*")], ids=["one may be late", "none may be late"])
def test_what_was_measured_decides_a_trial_as_soon_as_one_utterance_may_be_late(of: int, mark: str) -> None:
    made = two_late(of)
    assert built(made).stages[-1].mark == mark
    del made.run["plan"]
    assert built(made).stages[-1].verdict is Verdict.INVALID


def test_a_hold_that_ended_early_says_so_and_has_missed_what_ended_it() -> None:
    made = two_late(9)
    del made.run["plan"]
    why = "ended early: 2 of 9 utterances are beyond the bound of eos_latency:p95<1s"
    grace = next(row for row in made.transitions if (row["stage"], row["phase"]) == (8, "grace"))
    grace["reason"] = why
    report = built(made)
    assert report.stages[-1].verdict is Verdict.FAIL
    assert f"at 26 callers the hold {why.replace(': ', ', after 30.0 s: ')}" in report.notes


def test_the_folder_alone_gives_the_answer_again(tmp_path: Path, report: RunReport) -> None:
    again = write_report(made_search().write(tmp_path))
    assert headline(again) == headline(report)
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["knee"]["sentence"] == headline(report)
    capacity = summary["capacity"]
    assert (capacity["holds"], capacity["trials"]) == (HOLDS, 14)
    assert capacity["why_over"] == "the edge was found and repeated on both sides"
    assert [curve["slo"] for curve in capacity["curves"]] == ["eos_latency:p95<1s", "error_rate<1%"]
    assert "<h2>Trials</h2>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "### Trials" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_folder_whose_terms_cant_be_right_has_no_answer(tmp_path: Path) -> None:
    made = made_search(trials=3)
    made.run["search"] = TERMS | {"within_ratio": 0.0}
    again = write_report(made.write(tmp_path))
    assert exit_code(again) is ExitCode.NOT_BELIEVABLE
    assert headline(again).startswith("it is not known how many callers it holds")
    assert any("`search.within_ratio`" in note for note in again.notes)


def test_a_line_about_each_trial(report: RunReport) -> None:
    line = trial_line(7, 24, report.stages[6], 28, STREAM)
    assert line.startswith("trial 7: 24 callers: pass*, eos_latency p95 0.") and line.endswith(" s; next 28")
    made = made_search(trials=6)
    made.run["slos"] = list(reversed(made.run["slos"]))
    line = trial_line(6, 32, built(made).stages[5], 24, STREAM)
    assert line.startswith("trial 6: 32 callers: fail, eos_latency p95 1."), "what it missed"
    few = trial_line(9, 26, built(two_late(9)).stages[-1], None, STREAM)
    assert (
        few
        == "trial 9: 26 callers: pass*, eos_latency p95 1.500 s: 9 utterances can't prove a miss; the search is over"
    )
    assert trial_line(2, 1, None, None, STREAM) == "trial 2: 1 caller: it could not be judged; the search is over"
