"""Whole runs whose processes may have no more of something: what could not be played is no fault of the server's, what
was measured stays, and nothing is left running. They go on side by side, in two groups."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
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
    side_by_side,
    summary,
    two_processes,
    wait_for,
    wait_for_hold,
    wait_for_rows,
)

pytestmark = pytest.mark.locust

OWN_FAULT = "the load generator itself did not fail"
CONTROL_GROUPS = Path("/sys/fs/cgroup/pids")
NO_MEMORY = "error: this process gets no more memory, and ends"


@dataclass
class Limited:
    """A run of two stages in a folder of its own; the second has more callers. From the hold of the first on, once that
    has rows, one of its processes is limited."""

    folder: Path
    processes: tuple[str, ...] = ()

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def rows(self) -> list[dict]:
        return rows(run_folder(self.results) / "utterances.jsonl")

    @contextmanager
    def running(self, url: str) -> Iterator[Run]:
        self.folder.mkdir()
        line = [*STT_LOAD, "run", "--stt-url", url, "--concurrency", "2,12", "--ramp-rate", "10", "--hold", "2s"]
        line += ["--settle", "0.2s", *EASY_SLOS, *self.processes, "--results", str(self.results)]
        with Run(line, self.folder) as run:
            wait_for_hold(self.results, 0, run)
            wait_for_rows(self.results, 2, run)
            run.note_family()
            yield run
            run.wait_until_nothing_is_left()

    def assert_is_whole(self, run: Run) -> None:
        """The run has come to its end with every process, and every row is there."""
        done = rows(run_folder(self.results) / "stages.jsonl")[-1]
        delivery = done["delivery"]
        assert (done["phase"], delivery["workers_lost"]) == ("done", 0)
        assert delivery["rows"] == sum(delivery["totals"].values()) == len(self.rows)
        assert "Traceback" not in run.output, run.output

    def report_again(self) -> int:
        """The exit code of `stt-load report`."""
        line = [*STT_LOAD, "report", str(run_folder(self.results))]
        return subprocess.run(line, capture_output=True, timeout=120, check=False).returncode


def leader(run: Run) -> psutil.Process:
    """The process that leads a run, alone or not."""
    return psutil.Process(run.process.pid)


def worker(run: Run) -> psutil.Process:
    return run.children()[0]


def limit(process: psutil.Process, what: int, to: int) -> None:
    """From now on."""
    resource.prlimit(process.pid, what, (to, to))


def without_descriptors(url: str, limited: Limited, who: Callable[[Run], psutil.Process]) -> None:
    """A process with callers that may open no more file descriptors."""
    with limited.running(url) as run:
        process = who(run)
        limit(process, resource.RLIMIT_NOFILE, process.num_fds())
        assert run.wait() == 4, run.output
    limited.assert_is_whole(run)
    assert OWN_FAULT in broken_conditions(limited.results)
    assert "Too many open files: this process may have" in run.output


def master_without_descriptors(url: str, limited: Limited) -> None:
    with limited.running(url) as run:
        limit(leader(run), resource.RLIMIT_NOFILE, 3)
        assert run.wait() == 1, run.output
    limited.assert_is_whole(run)
    assert f"Too many open files; what was measured is in {run_folder(limited.results)}" in run.output
    assert not (run_folder(limited.results) / "summary.json").exists()
    assert limited.report_again() == summary(limited.results)["exit_code"]


def take_memory(process: psutil.Process) -> None:
    """It keeps what it has, and gets nothing from the kernel any more."""
    limit(process, resource.RLIMIT_AS, process.memory_info().vms // 2)


def leader_without_memory(url: str, limited: Limited) -> None:
    with limited.running(url) as run:
        take_memory(leader(run))
        assert run.wait() == 1, run.output
    assert NO_MEMORY in run.output
    assert len(limited.rows) >= 2
    assert (limited.report_again(), summary(limited.results)["verdict"]) == (4, "invalid")


def worker_without_memory(url: str, limited: Limited) -> None:
    with limited.running(url) as run:
        take_memory(worker(run))
        code = run.wait()
    assert code in (0, 4), run.output  # 4: it was needed in a hold, or this machine was late
    assert NO_MEMORY in run.output
    assert summary(limited.results)["exit_code"] == code
    assert rows(run_folder(limited.results) / "stages.jsonl")[-1]["delivery"]["workers_lost"] == 1
    assert any(note.startswith("load workers that were lost") for note in summary(limited.results)["notes"])


def without_further_processes(url: str, limited: Limited) -> None:
    """None is needed: the kernel refuses every thread and every child from the first hold on."""
    with limited.running(url) as run, no_more_processes([run.process.pid, *(child.pid for child in run.children())]):
        assert_ends_with(0, run, limited.results)
    limited.assert_is_whole(run)


@contextmanager
def no_more_processes(pids: Sequence[int]) -> Iterator[None]:
    """These have as many threads and children as they will ever have."""
    group = CONTROL_GROUPS / f"stt-load-test-{os.getpid()}"
    group.mkdir()
    try:
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
        (group / "pids.max").write_text((group / "pids.current").read_text())
        yield
    finally:
        wait_for(lambda: not (group / "cgroup.procs").read_text(), "everybody to leave the group")
        group.rmdir()


def test_whoever_gets_no_more_descriptors_or_processes_loses_no_row_and_blames_nobody(
    start_sink: StartSink, tmp_path: Path
) -> None:
    url, forks = start_sink().url, tuple(two_processes())
    cases = [
        partial(without_descriptors, url, Limited(tmp_path / "alone"), leader),
        partial(without_descriptors, url, Limited(tmp_path / "worker", forks), worker),
        partial(master_without_descriptors, url, Limited(tmp_path / "master", forks)),
    ]
    if os.access(CONTROL_GROUPS, os.W_OK):
        cases.append(partial(without_further_processes, url, Limited(tmp_path / "processes", forks)))
    side_by_side(cases)


def test_whoever_gets_no_more_memory_ends_and_the_rows_stay(start_sink: StartSink, tmp_path: Path) -> None:
    url, forks = start_sink().url, tuple(two_processes())
    side_by_side(
        [
            partial(leader_without_memory, url, Limited(tmp_path / "alone")),
            partial(leader_without_memory, url, Limited(tmp_path / "master", forks)),
            partial(worker_without_memory, url, Limited(tmp_path / "worker", forks)),
        ]
    )
