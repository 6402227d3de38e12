"""What the folder holds, what the exit code says and what is still running when a run ends badly."""

from __future__ import annotations

import json
import os
import shutil
import signal
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from ports import free_port
from runs import (
    EASY_SLOS,
    INTERACTIVE,
    LADDER,
    LOCUST,
    STT_LOAD,
    Run,
    StartSink,
    assert_ends_with,
    broken_conditions,
    rows,
    run_folder,
    summary,
    two_processes,
    wait_for,
    wait_for_hold,
    wait_for_rows,
)
from servers.start import start_stand_in
from stand_in import StandInSmi, dmon_row, sidecar

from stt_load.process.ending_signals import REPEATED_AFTER_S
from stt_load.run.plan import OTHER_DIALECT

pytestmark = pytest.mark.locust

LONG = ["--concurrency", "6", "--hold", "600s"]


def test_a_second_signal_leaves_at_once_and_takes_the_workers_along(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, *LONG, *EASY_SLOS, "--results", str(results)]
    with Run([*line, *two_processes()], tmp_path) as run:
        wait_for_hold(results, 0, run)
        wait_for_rows(results, 8, run)
        (worker, _) = run.note_family()
        worker.suspend()  # the run waits for its last rows
        run.send_to_all(signal.SIGINT)
        wait_for(lambda: "SIGINT: ending the run" in run.output, "the first signal to be heard", run)
        heard_s = time.monotonic()
        wait_for(lambda: time.monotonic() - heard_s > REPEATED_AFTER_S, "the next one to be a second one")
        run.send_to_all(signal.SIGINT)
        assert run.wait() == 128 + signal.SIGINT, run.output
        worker.resume()
        run.wait_until_nothing_is_left()
    assert len(rows(run_folder(results) / "utterances.jsonl")) >= 8


def has_lines(file: Path, n: int) -> bool:
    return len(rows(file)) == n


def test_a_sidecar_that_comes_late_and_is_restarted_in_a_hold_goes_on_where_it_was(
    start_sink: StartSink, tmp_path: Path, smi: StandInSmi
) -> None:
    results, port = tmp_path / "results", free_port()
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "2", "--hold", "600s", *EASY_SLOS]
    line += ["--gpu-sidecar", f"http://127.0.0.1:{port}", "--results", str(results)]
    with Run(line, tmp_path) as run:
        wait_for_hold(results, 0, run)
        file = run_folder(results) / "gpu.jsonl"
        for n_lines, sm in ((2, 10), (4, 30)):  # two sidecars on the same port, one after the other is killed
            with sidecar(smi.environment, port=port) as running:
                wait_for(lambda: bool(running.get("/healthz").json()["gpus"]), "the choice of a GPU", run)
                wait_for(lambda: running.get("/healthz").json()["stage"]["phase"] == "hold", "the stage", run)
                smi.feed(dmon_row(sm, 1800), dmon_row(sm + 10, 1900))
                wait_for(partial(has_lines, file, n_lines), "two GPU samples more", run)
                running.process.kill()
        run.send(signal.SIGINT)
        assert run.wait() == 5, run.output
    samples = rows(file)
    hold_began = next(row["t"] for row in rows(file.with_name("stages.jsonl")) if row["phase"] == "hold")
    assert [row["sm_pct"] for row in samples] == [10, 20, 30, 40]
    assert {(row["stage"], row["users"], row["phase"]) for row in samples} == {(0, 2, "hold")}
    assert len({row["boot"] for row in samples}) == 2
    numbers = [[row["seq"] for row in found] for found in (samples, rows(file.with_name("host.jsonl")))]
    assert numbers == [sorted(each) for each in numbers]
    all_of_them = sorted(numbers[0] + numbers[1])
    assert all_of_them == list(range(all_of_them[0], all_of_them[0] + len(all_of_them)))
    assert all(row["t"] > hold_began for row in samples)
    (described,) = json.loads(file.with_name("run.json").read_text(encoding="utf-8"))["sidecars"]
    assert described["host"] == samples[0]["host"]


def test_a_run_in_which_nobody_gets_a_transcript_does_not_end_with_0(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    url = start_sink(fault="refuse", status=503).url
    line = [*LOCUST, "-f", str(LADDER), "--headless", "--stt-url", url, "--concurrency", "2,4", "--hold", "3s"]
    with Run([*line, "--settle", "0.2s", "--results", str(results)], tmp_path) as run:
        assert run.wait() in (3, 4), run.output
    assert run.output.count("the first refused (full)") == 1
    assert {row["stage"] for row in rows(run_folder(results) / "stages.jsonl")} == {0}
    assert {row["outcome"] for row in rows(run_folder(results) / "utterances.jsonl")} == {"refused"}
    assert "503" in rows(run_folder(results) / "utterances.jsonl")[0]["error"]


@pytest.mark.parametrize(
    ("speaks", "told"),
    [
        ("vosk", ": choose --dialect vosk"),
        ("funasr-realtime", "perhaps the server speaks another dialect"),  # it says nothing that parakeet knows
    ],
)
def test_a_server_of_another_dialect_ends_the_run_unmeasured(speaks: str, told: str, tmp_path: Path) -> None:
    results = tmp_path / "results"
    with start_stand_in(speaks, "one two three") as server:
        line = [*STT_LOAD, "run", "--stt-url", server.url, "--dialect", "parakeet", "--concurrency", "1,2"]
        line = [*line, "--hold", "2s", "--settle", "0.2s", "--timeout", "2", "--results", str(results)]
        with Run(line, tmp_path) as run:
            assert_ends_with(4, run, results)
    assert told in run.output
    transitions = rows(run_folder(results) / "stages.jsonl")
    assert {row["stage"] for row in transitions} == {0}
    assert transitions[-1]["reason"] == OTHER_DIALECT
    assert "the server speaks this dialect" in broken_conditions(results)


def test_a_hung_server_holds_up_neither_other_callers_nor_the_end(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    url = start_sink(fault="stall", faulty_ratio=0.5).url
    line = [*STT_LOAD, "run", "--stt-url", url, "--concurrency", "4", "--hold", "4s", "--settle", "0.2s"]
    with Run([*line, "--timeout", "2", "--results", str(results)], tmp_path) as run:
        assert_ends_with(3, run, results)
    outcomes = [row["outcome"] for row in rows(run_folder(results) / "utterances.jsonl")]
    assert set(outcomes) == {"ok", "timed_out"}


def test_a_terminal_that_is_stopped_and_then_lost_holds_up_nothing(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "1,2", "--rounds", "1", *EASY_SLOS]
    ours, terminal = os.openpty()
    termios.tcflow(terminal, termios.TCOOFF)  # as Ctrl-S does: whoever writes now waits in the kernel
    try:
        with Run([*line, "--settle", "0s", "--results", str(results)], tmp_path, printed_to=terminal) as run:
            os.close(terminal)
            wait_for(lambda: bool(list(results.glob("*/junit.xml"))), "the report", run)
            os.close(ours)
            assert_ends_with(0, run, results)
    finally:
        with suppress(OSError):
            os.close(ours)
    assert len(rows(run_folder(results) / "utterances.jsonl")) == 3


def test_a_reader_of_the_output_that_goes_away_ends_no_process_of_a_run(start_sink: StartSink, tmp_path: Path) -> None:
    results = tmp_path / "results"
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "2", "--rounds", "1", *EASY_SLOS]
    reading, writing = os.pipe()
    os.close(reading)
    line += ["--settle", "0s", "--loglevel", "DEBUG", "--results", str(results), *two_processes()]
    with Run(line, tmp_path, printed_to=writing) as run:
        os.close(writing)
        assert_ends_with(0, run, results)
        run.wait_until_nothing_is_left()
    done = rows(run_folder(results) / "stages.jsonl")[-1]
    assert done["delivery"]["rows"] == sum(done["delivery"]["totals"].values()) == 2
    assert (len(done["delivery"]["totals"]), done["delivery"]["workers_lost"]) == (2, 0)


def test_a_report_that_cannot_be_copied_ends_with_1_and_loses_nothing(start_sink: StartSink, tmp_path: Path) -> None:
    results, copy = tmp_path / "results", tmp_path / "copy.csv"
    copy.mkdir()
    line = [*STT_LOAD, "run", "--stt-url", start_sink().url, "--concurrency", "1", "--rounds", "1", *EASY_SLOS]
    with Run([*line, "--settle", "0s", "--results", str(results), "--output", str(copy)], tmp_path) as run:
        assert run.wait() == 1, run.output
    assert "copy.csv" in run.output
    assert "what was measured is in" in run.output
    assert summary(results)["stages"][0]["n"] == 1


def without_a_shape() -> list[str]:
    return [*LOCUST, "-f", str(INTERACTIVE), "--headless", "--users", "3", "--spawn-rate", "10"]


def with_two_workers() -> list[str]:
    return [*STT_LOAD, "run", *LONG, *two_processes()]


@pytest.mark.parametrize("command", [without_a_shape, with_two_workers])
def test_a_run_whose_folder_is_removed_stops_its_load_and_ends_with_1_and_every_row(
    start_sink: StartSink, tmp_path: Path, command: Callable[[], list[str]]
) -> None:
    results = tmp_path / "results"
    line = [*command(), "--stt-url", start_sink().url, "--results", str(results), *EASY_SLOS]
    with Run(line, tmp_path) as run:
        wait_for_hold(results, 0, run)
        wait_for_rows(results, 4, run)
        run.note_family()
        shutil.rmtree(run_folder(results))
        assert run.wait() == 1, run.output
        run.wait_until_nothing_is_left()
    assert "Traceback" not in run.output, run.output
    assert run.output.count("has been removed or renamed; the run ends") == 1
    assert run.output.count(f"everything measured is in {run_folder(results)}") == 1
    done = rows(run_folder(results) / "stages.jsonl")[-1]
    utterances = rows(run_folder(results) / "utterances.jsonl")
    assert done["reason"] == "failed"
    assert done["delivery"]["rows"] == sum(done["delivery"]["totals"].values()) == len(utterances) >= 4
    assert (summary(results)["verdict"], summary(results)["exit_code"]) == ("error", 1)
