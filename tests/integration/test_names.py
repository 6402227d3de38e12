"""Whole runs whose name server is slow, fails, or leads elsewhere: what is the server's, and what is not."""

from __future__ import annotations

import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from name_server import FINE, NAME, SERVER_FAILURE, NameServer, name_server, why_no_name_servers
from runs import (
    EASY_SLOS,
    LOCUST,
    STT_LOAD,
    Run,
    StartSink,
    assert_ends_with,
    rows,
    run_folder,
    side_by_side,
    wait_for,
    wait_for_hold,
)

pytestmark = pytest.mark.locust

SLOW_S = 4.0  # below what a resolver waits for, beyond what any caller should

HURRIED = Path(__file__).with_name("hurried_ladder.py")


def ladder(url: str, results: Path, hold: str) -> list[str]:
    line = [*LOCUST, "-f", str(HURRIED), "--headless", "--only-summary", "--stt-url", url, "--concurrency", "2"]
    return [*line, "--hold", hold, "--settle", "0s", "--results", str(results), *EASY_SLOS]


def wait_for_questions(names: NameServer, n: int, run: Run) -> None:
    before = names.n_asked
    wait_for(lambda: names.n_asked >= before + n, f"{n} questions more", run)


def fails_flaps_and_is_slow(url: str, folder: Path) -> None:
    folder.mkdir()
    results = folder / "results"
    with name_server("127.0.0.77") as names, Run(names.line_of(folder, ladder(url, results, "600s")), folder) as run:
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


def is_silent(url: str, folder: Path) -> None:
    folder.mkdir()
    results = folder / "results"
    with name_server("127.0.0.78") as names:
        names.is_silent = True
        line = [*STT_LOAD, "run", "--stt-url", url, "--results", str(results)]
        with Run(names.line_of(folder, line), folder) as run:
            assert run.wait() == 2, run.output
    assert "the name server of this machine fails: see /etc/resolv.conf" in run.output
    assert not results.exists()


def leads_elsewhere(url: str, folder: Path) -> None:
    """From the second connection on."""
    folder.mkdir()
    results = folder / "results"
    with name_server("127.0.0.79") as names, Run(names.line_of(folder, ladder(url, results, "4s")), folder) as run:
        wait_for_hold(results, 0, run)
        names.address = "127.0.0.66"  # nothing listens there
        assert_ends_with(3, run, results)
    outcomes = Counter(row["outcome"] for row in rows(run_folder(results) / "utterances.jsonl"))
    assert outcomes["refused"] >= 2
    assert set(outcomes) <= {"ok", "refused", "interrupted"}


def test_a_name_server_that_fails_is_ours_and_where_it_leads_is_followed(start_sink: StartSink, tmp_path: Path) -> None:
    if why := why_no_name_servers():
        pytest.skip(f"no name server of its own here: {why}")
    url = start_sink().url.replace("127.0.0.1", NAME)
    side_by_side(
        [partial(case, url, tmp_path / case.__name__) for case in (fails_flaps_and_is_slow, is_silent, leads_elsewhere)]
    )
