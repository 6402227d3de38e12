"""Told to end in a settle, while the report is written, or twice: by each signal, at each process."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from runs import StartSink, broken_conditions, run_folder, side_by_side, summary, wait_for
from told_to_end import Case, cases, wait_for_phase

from stt_load.report.report_files import SUMMARY

pytestmark = pytest.mark.locust


def test_a_run_that_is_ended_in_its_first_settle_claims_nothing_about_more_callers(
    start_sink: StartSink, tmp_path: Path
) -> None:
    words = ["--stt-url", start_sink().url, "--concurrency", "2,5", "--hold", "1s", "--settle", "600s"]

    def play(case: Case) -> None:
        with ExitStack() as stack:
            run, worker = case.start(stack, words)
            wait_for_phase("settle", case.results, run)
            case.send(run, worker)
            case.assert_ended(run, worker, 4 if case.to == "worker" else 5)
        report = summary(case.results)
        assert report["verdict"] == ("invalid" if case.to == "worker" else "aborted")
        assert report["stages"][0]["n"] >= 2
        knee, ended_early = report["knee"], "the run ended early at 2 callers"
        assert knee["tried"] == 2
        if case.to == "worker":
            assert "workers constant" in broken_conditions(case.results)
        else:
            assert knee["ended_early"]
            assert knee["sentence"].endswith(ended_early)
            assert ended_early in (run_folder(case.results) / "junit.xml").read_text(encoding="utf-8")

    side_by_side([partial(play, case) for case in cases("settle", tmp_path)])


def test_a_signal_while_the_report_is_written_changes_nothing(start_sink: StartSink, tmp_path: Path) -> None:
    """The report waits in its last step: the summary of the CI job is a pipe that nobody reads."""
    words = ["--stt-url", start_sink().url, "--concurrency", "2", "--rounds", "1", "--settle", "0s"]

    def play(case: Case) -> None:
        pipe = tmp_path / f"{case.folder.name}.md"
        os.mkfifo(pipe)
        with ExitStack() as stack:
            run, worker = case.start(stack, words, GITHUB_STEP_SUMMARY=str(pipe))
            wait_for(lambda: bool(list(case.results.glob(f"*/{SUMMARY}"))), "the report", run)
            case.send(run, worker)
            if worker is not None and case.to == "worker":
                assert worker.wait() == 0, worker.output
            else:
                heard = f"{case.number.name}: the run has ended, and its report is being made"
                wait_for(lambda: heard in run.output, "the signal to be heard", run)
            with pipe.open("rb"):
                case.assert_ended(run, worker, None)

    side_by_side([partial(play, case) for case in cases("report", tmp_path)])
