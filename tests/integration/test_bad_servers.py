"""Servers that stall, flood, leave and break the protocol: one run in which every second caller meets a fault of its
own, and the others notice nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from runs import STT_LOAD, Run, assert_ends_with, rows, run_folder, summary
from servers.bad_vosk import (
    ALL_AT_ONCE,
    FAULTS,
    HALF_OPEN,
    TIMEOUT_S,
    TLS_FAULTS,
    WORDS,
    Fault,
    answer,
    bad_server,
    can_forget,
    over_tls,
    unexplained,
)

from stt_load.errors import Outcome

pytestmark = pytest.mark.locust


def line_of(url: str, n_callers: int, clips: Path, results: Path, *more: str) -> list[str]:
    """A run in which every caller speaks once, all at the same time."""
    line = [*STT_LOAD, "run", "--stt-url", url, "--dialect", "vosk", "--end", "client", "--clips", str(clips)]
    line += ["--concurrency", str(n_callers), *ALL_AT_ONCE, "--connect-timeout", str(TIMEOUT_S), "--slo", "wer<200%"]
    return [*line, "--results", str(results), *more]


def assert_told(faults: Sequence[Fault], results: Path) -> None:
    """Every fault has its row and its words in the table of failures, and all others were heard."""
    utterances = rows(run_folder(results) / "utterances.jsonl")
    assert len(utterances) == 2 * len(faults)
    assert unexplained(faults, utterances) == ([], [])
    assert {row["text"] for row in utterances if row["outcome"] == "ok"} == {WORDS}
    (stage,) = summary(results)["stages"]
    n_failed = sum(fault.outcome != Outcome.OK for fault in faults)
    assert sum(failure["n"] for failure in stage["failures"]) == stage["errors"] == n_failed
    (flood,) = [failure for failure in stage["failures"] if "the server floods" in failure["message"]]
    assert flood["advice"].startswith("no recogniser has so much to say")


def test_each_fault_of_a_server_ends_its_own_caller_and_no_other(short_clips: Path, tmp_path: Path) -> None:
    faults = [*FAULTS, *(HALF_OPEN if can_forget() else ())]
    results = tmp_path / "results"
    with (
        bad_server(faults) as server,
        Run(line_of(server.url, 2 * len(faults), short_clips, results), tmp_path) as run,
    ):
        assert_ends_with(3, run, results)
        run.wait_until_nothing_is_left()
    assert_told(faults, results)


def test_each_fault_of_a_server_with_tls_ends_its_own_caller_and_no_other(short_clips: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    with bad_server(TLS_FAULTS, over_tls(answer)) as server:
        url = server.url.replace("ws://", "wss://")
        with Run(line_of(url, 2 * len(TLS_FAULTS), short_clips, results, "--insecure"), tmp_path) as run:
            assert_ends_with(3, run, results)
            run.wait_until_nothing_is_left()
    assert_told(TLS_FAULTS, results)
