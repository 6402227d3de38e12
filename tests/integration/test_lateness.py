"""A generator that is late itself: its rows say so, its stage is not believed, and its latencies don't look better."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from runs import EASY_SLOS, STT_LOAD, Run, broken_conditions, rows, run_folder, wait_for_hold

from stt_load.server.process import start_sink_server

pytestmark = pytest.mark.locust

DELAY_S = 0.3  # of the server's answers
STOPPED_S = 0.3
PACING = "pacing lag p99 ≤ 10 ms"


def test_who_is_stopped_in_mid_sentence_is_late_and_says_so(short_clips: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    with start_sink_server(DELAY_S, "some words") as sink:
        line = [*STT_LOAD, "run", "--stt-url", sink.url, "--dialect", "vosk", "--end", "client", "--concurrency", "4"]
        line += ["--clips", str(short_clips), "--hold", "5s", "--settle", "0.2s", "--results", str(results), *EASY_SLOS]
        with Run(line, tmp_path) as run:
            wait_for_hold(results, 0, run)
            for _ in range(6):
                run.send(signal.SIGSTOP)
                time.sleep(STOPPED_S)
                run.send(signal.SIGCONT)
                time.sleep(STOPPED_S)
            assert run.wait() == 4, run.output
    assert PACING in broken_conditions(results)
    counted = [row for row in rows(run_folder(results) / "utterances.jsonl") if row["outcome"] == "ok"]
    assert counted
    # A frame falls due in each pause, 100 ms after the one before it at the latest.
    assert max(row["pacing_lag_max_s"] for row in counted) >= STOPPED_S - 0.15
    assert max(row["frames_late"] for row in counted) >= 1
    assert min(row["eos_latency_s"] for row in counted) >= DELAY_S - 0.001
