"""Whole runs whose processes may have no more of something: what could not be played is no fault of the server's, what
was measured stays, and nothing is left running."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from runs import (
    EASY_SLOS,
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

pytestmark = pytest.mark.locust

NO_MEMORY = "error: this process gets no more memory, and ends"
OWN_FAULT = "the load generator itself did not fail"
StartRun = Callable[..., tuple[Run, Path]]


@pytest.fixture
def start_run(start_sink: StartSink, tmp_path: Path) -> Iterator[StartRun]:
    """Starts a run of two stages, the second with more callers, and returns once the first holds and has a row."""
    url = start_sink().url
    with ExitStack() as stack:

        def start(*more: str) -> tuple[Run, Path]:
            results = tmp_path / f"results-{len(list(tmp_path.iterdir()))}"
            line = [
                *STT_LOAD,
                "run",
                "--stt-url",
                url,
                "--concurrency",
                "2,12",
                "--ramp-rate",
                "10",
                "--hold",
                "2s",
                "--settle",
                "0.2s",
            ]
            run = stack.enter_context(Run([*line, *EASY_SLOS, *more, "--results", str(results)], tmp_path))
            wait_for_hold(results, 0, run)
            wait_for_rows(results, 2, run)
            run.note_family()
            return run, results

        yield start


def whoever(role: str, run: Run) -> psutil.Process:
    """`master`: the process that leads the run, alone or not. `worker`: one of those that it has forked."""
    return psutil.Process(run.process.pid) if role == "master" else run.children()[0]


def limit(process: psutil.Process, what: int, to: int) -> None:
    """From now on."""
    resource.prlimit(process.pid, what, (to, to))


def assert_has_every_row(run: Run, results: Path) -> None:
    run.wait_until_nothing_is_left()
    done = rows(run_folder(results) / "stages.jsonl")[-1]
    assert done["phase"] == "done"
    delivery = done["delivery"]
    assert delivery["rows"] == sum(delivery["totals"].values()) == len(rows(run_folder(results) / "utterances.jsonl"))
    assert delivery["workers_lost"] == 0
    assert "Traceback" not in run.output, run.output


@pytest.mark.parametrize("processes", [list, two_processes])
def test_callers_without_a_file_descriptor_are_failures_of_the_generator(
    start_run: StartRun, processes: Callable[[], list[str]]
) -> None:
    run, results = start_run(*processes())
    process = whoever("worker" if processes() else "master", run)
    limit(process, resource.RLIMIT_NOFILE, process.num_fds())
    assert run.wait() == 4, run.output
    assert_has_every_row(run, results)
    assert OWN_FAULT in broken_conditions(results)
    assert "Too many open files: this process may have" in run.output


def test_a_master_without_a_file_descriptor_ends_with_1_and_its_rows_can_be_reported(start_run: StartRun) -> None:
    run, results = start_run(*two_processes())
    limit(whoever("master", run), resource.RLIMIT_NOFILE, 3)
    assert run.wait() == 1, run.output
    assert_has_every_row(run, results)
    folder = run_folder(results)
    assert f"Too many open files; what was measured is in {folder}" in run.output
    assert not (folder / "summary.json").exists()
    report = subprocess.run([*STT_LOAD, "report", str(folder)], capture_output=True, text=True, timeout=120)
    assert (report.returncode, "Traceback" in report.stderr) == (summary(results)["exit_code"], False)


@pytest.mark.parametrize("processes", [list, two_processes])
def test_a_process_that_leads_a_run_and_gets_no_more_memory_ends_and_its_rows_stay(
    start_run: StartRun, processes: Callable[[], list[str]]
) -> None:
    run, results = start_run(*processes())
    take_memory(whoever("master", run))
    assert run.wait() == 1, run.output
    run.wait_until_nothing_is_left()
    assert NO_MEMORY in run.output
    folder = run_folder(results)
    assert len(rows(folder / "utterances.jsonl")) >= 2
    report = subprocess.run([*STT_LOAD, "report", str(folder)], capture_output=True, text=True, timeout=120)
    assert (report.returncode, summary(results)["verdict"]) == (4, "invalid"), report.stderr


def test_a_worker_that_gets_no_more_memory_leaves_the_run_to_the_others(start_run: StartRun) -> None:
    run, results = start_run(*two_processes())
    take_memory(whoever("worker", run))
    code = run.wait()
    assert code in (0, 4), run.output  # 4: it was needed in a hold, or this machine was late
    run.wait_until_nothing_is_left()
    assert NO_MEMORY in run.output
    assert summary(results)["exit_code"] == code
    assert rows(run_folder(results) / "stages.jsonl")[-1]["delivery"]["workers_lost"] == 1
    assert any(note.startswith("load workers that were lost") for note in summary(results)["notes"])


def take_memory(process: psutil.Process) -> None:
    """It keeps what it has, and gets nothing from the kernel any more."""
    limit(process, resource.RLIMIT_AS, process.memory_info().vms // 2)


def test_a_run_needs_no_further_process_or_thread(start_run: StartRun) -> None:
    """The kernel refuses every one from the first hold on."""
    run, results = start_run(*two_processes())
    with no_more_processes([run.process.pid, *(child.pid for child in run.children())]):
        assert_ends_with(0, run, results)
    assert_has_every_row(run, results)


@contextmanager
def no_more_processes(pids: Sequence[int]) -> Iterator[None]:
    """These have as many threads and children as they will ever have. Skips the test without the right to say so."""
    place = Path("/sys/fs/cgroup/pids")
    group = (place if place.is_dir() else place.parent) / f"stt-load-test-{os.getpid()}"
    try:
        group.mkdir()
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
        (group / "pids.max").write_text((group / "pids.current").read_text())
    except OSError as error:
        pytest.skip(f"no control group of its own here: {error}")
    yield
    wait_for(lambda: not (group / "cgroup.procs").read_text(), "everybody to leave the group")
    group.rmdir()
