"""Processes that are killed (-9) or stand still for three seconds in a hold: what is kept, and who is blamed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from runs import (
    EASY_SLOS,
    STT_LOAD,
    Run,
    StartSink,
    assert_ends_with,
    broken_conditions,
    kill,
    rows,
    run_folder,
    side_by_side,
    stand_still,
    start_apart,
    summary,
    two_processes,
    wait_for,
    wait_for_hold,
    wait_for_rows,
)
from stand_in import StandInSmi, dmon_row

pytestmark = pytest.mark.locust

MEASURED = 5  # rows, before anything happens
LONG = ["--concurrency", "4", "--hold", "600s", *EASY_SLOS]
SHORT = ["--concurrency", "4", "--hold", "7s", "--settle", "0.2s", "--timeout", "8"]
WITH_GPU = [*EASY_SLOS, "--gpu-sidecar", "local", "--gpu-id", "1"]
STANDS_STILL_S = 3.0
PACING = "pacing lag p99 ≤ 10 ms"


def start(stack: ExitStack, folder: Path, *words: str, **environment: str) -> tuple[Run, Path]:
    """A run and its results."""
    return stack.enter_context(Run(line_of(folder, words), folder, environment)), folder / "results"


def start_with_worker(stack: ExitStack, folder: Path, *words: str) -> tuple[Run, Path, Run]:
    """A master, its results, and its worker, which is no child of it."""
    run, worker = start_apart(stack, line_of(folder, words), folder)
    return run, folder / "results", worker


def line_of(folder: Path, words: Sequence[str]) -> list[str]:
    """The command line of a run with its results in this folder, which is made."""
    folder.mkdir()
    return [*STT_LOAD, "run", *words, "--results", str(folder / "results")]


def wait_for_load(results: Path, run: Run) -> None:
    wait_for_hold(results, 0, run)
    wait_for_rows(results, MEASURED, run)
    run.note_family()


def sidecar_of(run: Run) -> int:
    """The process id of its local sidecar."""
    (sidecar,) = [process for process in run.note_family() if "gpu_sidecar" in process.cmdline()]
    return sidecar.pid


def lag_s(results: Path) -> float:
    """The worst lateness of a frame."""
    return max(row["pacing_lag_max_s"] or 0.0 for row in rows(run_folder(results) / "utterances.jsonl"))


def test_processes_that_are_killed_take_neither_rows_nor_other_processes_along(
    start_sink: StartSink, tmp_path: Path, smi: StandInSmi
) -> None:
    url, mortal = start_sink().url, start_sink()

    def leader(name: str, *words: str, is_apart: bool = False) -> None:
        with ExitStack() as stack:
            begin = start_with_worker if is_apart else start
            run, results, *workers = begin(stack, tmp_path / name, "--stt-url", url, *LONG, *words)
            wait_for_load(results, run)
            kill(run.process.pid)
            run.wait()
            run.wait_until_nothing_is_left()
            for worker in workers:
                assert worker.wait() == 1, worker.output
        folder = run_folder(results)
        raw = {"run.json", "stages.jsonl", "utterances.jsonl", "words.jsonl"}
        assert {path.name for path in folder.iterdir()} == raw
        assert len(rows(folder / "utterances.jsonl")) >= MEASURED
        report = subprocess.run([*STT_LOAD, "report", str(folder)], capture_output=True, text=True, timeout=120)
        assert report.returncode == summary(results)["exit_code"] == 4, report.stderr
        assert summary(results)["stages"][0]["n"] > 0
        assert summary(results)["verdict"] == "invalid"

    def worker() -> None:
        with ExitStack() as stack:
            run, results = start(stack, tmp_path / "worker", "--stt-url", url, *SHORT, *EASY_SLOS, *two_processes())
            wait_for_load(results, run)
            kill(min(process.pid for process in run.note_family()))
            assert run.wait() == summary(results)["exit_code"] == 4, run.output
            run.wait_until_nothing_is_left()
        assert summary(results)["stages"][0]["verdict"] == "invalid"
        assert "workers constant" in broken_conditions(results)
        assert rows(run_folder(results) / "stages.jsonl")[-1]["delivery"]["workers_lost"] == 1

    def server() -> None:
        with ExitStack() as stack:
            run, results = start(stack, tmp_path / "server", "--stt-url", mortal.url, *SHORT, *EASY_SLOS)
            wait_for_load(results, run)
            kill(mortal.pid)
            assert_ends_with(3, run, results)
        outcomes = {row["outcome"] for row in rows(run_folder(results) / "utterances.jsonl")}
        assert outcomes == {"ok", "disconnected", "refused"}

    def sidecar() -> None:
        with ExitStack() as stack:
            run, results = start(stack, tmp_path / "sidecar", "--stt-url", url, *SHORT, *WITH_GPU, **smi.environment)
            wait_for_load(results, run)
            smi.wait_for_dmon()
            smi.feed(dmon_row(40, 1800), dmon_row(60, 1900))
            wait_for(lambda: bool(rows(run_folder(results) / "gpu.jsonl")), "a GPU sample", run)
            kill(sidecar_of(run))
            assert_ends_with(0, run, results)
            run.wait_until_nothing_is_left()
        samples = rows(run_folder(results) / "gpu.jsonl")
        assert {"t", "gpu", "sm_pct", "fb_mib", "stage", "users", "phase"} <= set(samples[0])
        described = json.loads((run_folder(results) / "run.json").read_text(encoding="utf-8"))
        assert [gpu["index"] for gpu in described["gpu"]] == [1]  # what was known of it before
        assert any("none came later in the run" in note for note in summary(results)["notes"])

    leaders = (partial(leader, "single"), partial(leader, "group", *two_processes()))
    side_by_side([*leaders, partial(leader, "master", is_apart=True), worker, server, sidecar])


def test_who_stands_still_for_three_seconds_is_late_and_nobody_else_is_blamed(
    start_sink: StartSink, tmp_path: Path, smi: StandInSmi
) -> None:
    url, frozen = start_sink().url, start_sink()

    def single() -> None:
        with ExitStack() as stack:
            run, results = start(stack, tmp_path / "single", "--stt-url", url, *SHORT, *EASY_SLOS)
            wait_for_load(results, run)
            stand_still(run.process.pid, STANDS_STILL_S)
            assert run.wait() == 4, run.output
        assert PACING in broken_conditions(results)
        assert lag_s(results) > STANDS_STILL_S - 0.2

    def apart(who: str) -> None:
        with ExitStack() as stack:
            run, results, worker = start_with_worker(stack, tmp_path / who, "--stt-url", url, *SHORT, *EASY_SLOS)
            wait_for_load(results, run)
            stand_still((run if who == "master" else worker).process.pid, STANDS_STILL_S)
            if who == "master":
                assert_ends_with(0, run, results)
                assert lag_s(results) < STANDS_STILL_S - 0.2
            else:
                assert run.wait() == 4, run.output
                assert PACING in broken_conditions(results)
                assert lag_s(results) > STANDS_STILL_S - 0.2
            worker.wait()
        done = rows(run_folder(results) / "stages.jsonl")[-1]["delivery"]
        assert done["rows"] == sum(done["totals"].values()) == len(rows(run_folder(results) / "utterances.jsonl"))

    def server() -> None:
        with ExitStack() as stack:
            words = ("--stt-url", frozen.url, *SHORT, "--slo", "eos_latency:max<1s", "--slo", "error_rate<1%")
            run, results = start(stack, tmp_path / "server", *words)
            wait_for_load(results, run)
            stand_still(frozen.pid, STANDS_STILL_S)
            assert_ends_with(3, run, results)
        assert max(row["eos_latency_s"] for row in rows(run_folder(results) / "utterances.jsonl")) > 1.0
        assert lag_s(results) < STANDS_STILL_S - 0.2

    def sidecar() -> None:
        with ExitStack() as stack:
            run, results = start(stack, tmp_path / "sidecar", "--stt-url", url, *SHORT, *WITH_GPU, **smi.environment)
            wait_for_load(results, run)
            stand_still(sidecar_of(run), STANDS_STILL_S)
            assert_ends_with(0, run, results)
            run.wait_until_nothing_is_left()
        assert lag_s(results) < STANDS_STILL_S - 0.2

    side_by_side([single, partial(apart, "master"), partial(apart, "worker"), server, sidecar])
