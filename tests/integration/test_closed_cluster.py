"""Who may take part in a run of master and workers: nobody without the token, and no worker that has other clips."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import zmq
from ports import free_port
from runs import (
    EASY_SLOS,
    LADDER,
    LOCUST,
    STT_LOAD,
    Run,
    StartSink,
    broken_conditions,
    rows,
    run_folder,
    wait_for,
    wait_for_hold,
    wait_for_rows,
)

pytestmark = pytest.mark.locust


def test_strangers_and_a_worker_with_other_clips_change_nothing_in_a_run(
    start_sink: StartSink, short_clips: Path, tmp_path: Path
) -> None:
    """`--clips` is the same path for both workers, relative to folders that hold different clips."""
    results, port = tmp_path / "results", free_port()
    for name in ("fits", "differs"):
        shutil.copytree(short_clips, tmp_path / name / "clips")
    manifest = tmp_path / "differs" / "clips" / "clips.jsonl"
    manifest.write_text("".join(manifest.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    master = [*STT_LOAD, "run", "--master", "--master-bind-port", str(port), "--expect-workers", "1"]
    master += ["--stt-url", start_sink().url, "--clips", "clips", "--concurrency", "2", "--hold", "600s"]
    master += ["--settle", "0.2s", "--results", str(results), *EASY_SLOS]
    worker = [*LOCUST, "-f", str(LADDER), "--worker", "--master-port", str(port)]
    data = {"STT_LOAD_DATA": str(tmp_path)}
    with ExitStack() as stack:
        run = stack.enter_context(Run(master, tmp_path / "fits", data))
        stack.enter_context(Run(worker, tmp_path / "fits", data))
        wait_for_hold(results, 0, run)
        context = stack.enter_context(zmq.Context())
        stranger = stack.enter_context(context.socket(zmq.DEALER))
        stranger.connect(f"tcp://127.0.0.1:{port}")
        for content in (b"\xc1", b"", os.urandom(1_000)):
            with suppress(zmq.Again):  # it was turned away before it could send more
                stranger.send(content, zmq.NOBLOCK)
        other = stack.enter_context(Run(worker, tmp_path / "differs", data))
        without_token = stack.enter_context(Run(worker, tmp_path / "fits", {"STT_LOAD_CLUSTER_TOKEN": "x" * 16}))
        assert (other.wait(), without_token.wait()) == (2, 2), other.output + without_token.output
        wait_for(lambda: "has another token" in run.output, "a line about strangers", run)
        n_rows = len(rows(run_folder(results) / "utterances.jsonl"))
        wait_for_rows(results, n_rows + 2, run)
        run.send(signal.SIGINT)
        assert run.wait() == 5, run.output
        stranger.close(linger=0)
    assert "the master refuses this worker: of the master's" in other.output
    assert "1 missing" in other.output
    assert "is refused: of the master's" in run.output
    assert "STT_LOAD_CLUSTER_TOKEN" in without_token.output
    utterances = rows(run_folder(results) / "utterances.jsonl")
    assert {row["worker"] for row in utterances} == {0}
    assert "workers constant" not in broken_conditions(results)
