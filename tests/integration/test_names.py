"""Whole runs whose name server is slow, fails, or leads elsewhere: what is the server's, and what is not."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest
from name_server import FINE, NAME, SERVER_FAILURE, NameServer, name_server
from runs import (
    EASY_SLOS,
    LOCUST,
    STT_LOAD,
    Run,
    StartSink,
    assert_ends_with,
    rows,
    run_folder,
    wait_for,
    wait_for_hold,
)

pytestmark = pytest.mark.locust

SLOW_S = 4.0  # below what a resolver waits for, beyond what any caller should

HURRIED = Path(__file__).with_name("hurried_ladder.py")


def ladder(url: str, results: Path, hold: str) -> list[str]:
    line = [*LOCUST, "-f", str(HURRIED), "--headless", "--only-summary", "--stt-url", url, "--concurrency", "2"]
    return [*line, "--hold", hold, "--settle", "0s", "--results", str(results), *EASY_SLOS]


def by_name(url: str) -> str:
    return url.replace("127.0.0.1", NAME)


def wait_for_questions(names: NameServer, n: int, run: Run) -> None:
    before = names.n_asked
    wait_for(lambda: names.n_asked >= before + n, f"{n} questions more", run)


def test_a_name_server_that_fails_flaps_or_is_slow_in_mid_run_changes_nothing(
    start_sink: StartSink, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with name_server("127.0.0.77") as names:
        line = names.line_of(tmp_path, ladder(by_name(start_sink().url), results, "600s"))
        with Run(line, tmp_path) as run:
            wait_for_hold(results, 0, run)
            for code in (SERVER_FAILURE, FINE, SERVER_FAILURE):
                names.code = code
                wait_for_questions(names, 2, run)
            names.code, names.delay_s = FINE, SLOW_S
            wait_for_questions(names, 3, run)
            run.send(signal.SIGINT)
            assert run.wait() == 5, run.output
    assert "name server" not in run.output
    assert {row["outcome"] for row in rows(run_folder(results) / "utterances.jsonl")} <= {"ok", "interrupted"}


def test_a_name_server_that_answers_nothing_is_told_before_the_run(start_sink: StartSink, tmp_path: Path) -> None:
    with name_server("127.0.0.78") as names:
        names.is_silent = True
        url, results = by_name(start_sink().url), tmp_path / "results"
        line = [*STT_LOAD, "run", "--stt-url", url, "--results", str(results)]
        with Run(names.line_of(tmp_path, line), tmp_path) as run:
            assert run.wait() == 2, run.output
    assert "the name server of this machine fails: see /etc/resolv.conf" in run.output
    assert not results.exists()


def test_a_name_that_leads_elsewhere_from_the_second_connection_on_is_followed(
    start_sink: StartSink, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    with name_server("127.0.0.79") as names:
        line = names.line_of(tmp_path, ladder(by_name(start_sink().url), results, "4s"))
        with Run(line, tmp_path) as run:
            wait_for_hold(results, 0, run)
            names.address = "127.0.0.66"  # nothing listens there
            assert_ends_with(3, run, results)
    outcomes = Counter(row["outcome"] for row in rows(run_folder(results) / "utterances.jsonl"))
    assert outcomes["refused"] >= 2
    assert set(outcomes) <= {"ok", "refused", "interrupted"}
