"""A worker that joins in the middle of a run: it finds out where the run is, and the run is not to be believed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from ports import free_port
from runs import (
    EASY_SLOS,
    LADDER,
    LOCUST,
    Run,
    StartSink,
    broken_conditions,
    rows,
    run_folder,
    wait_for,
    wait_for_hold,
)

pytestmark = pytest.mark.locust


def test_a_late_worker_tags_its_rows_with_the_stage_that_is_on(start_sink: StartSink, tmp_path: Path) -> None:
    results, port = tmp_path / "results", str(free_port())
    master = [*LOCUST, "-f", str(LADDER), "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
    master += ["--headless", "--expect-workers", "1", "--enable-rebalancing", "--stt-url", start_sink().url]
    master += ["--concurrency", "1,4", "--hold", "10s", "--settle", "0.2s", "--results", str(results), *EASY_SLOS]
    worker = [*LOCUST, "-f", str(LADDER), "--worker", "--master-port", port]
    with ExitStack() as stack:
        run = stack.enter_context(Run(master, tmp_path))
        stack.enter_context(Run(worker, tmp_path))
        wait_for_hold(results, 1, run)
        late = stack.enter_context(Run(worker, tmp_path))
        wait_for(lambda: any(row["worker"] == 1 for row in utterances(results)), "a row of the late worker", run)
        assert run.wait() == 4, run.output
        late.wait()
    assert {row["stage"] for row in utterances(results) if row["worker"] == 1} == {1}
    done = rows(run_folder(results) / "stages.jsonl")[-1]
    assert done["delivery"]["rows"] == sum(done["delivery"]["totals"].values()) == len(utterances(results))
    assert "workers constant" in broken_conditions(results)


def utterances(results: Path) -> list[dict]:
    return rows(run_folder(results) / "utterances.jsonl")
