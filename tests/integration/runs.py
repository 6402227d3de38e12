"""Whole runs: Locust in processes of its own, a recogniser in another, and the folder they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
from ports import free_port

from stt_load.server.process import ServerProcess

REPOSITORY = Path(__file__).resolve().parents[2]
LADDER = REPOSITORY / "locustfiles" / "ladder.py"
INTERACTIVE = REPOSITORY / "locustfiles" / "interactive.py"
STT_LOAD = [sys.executable, "-c", "from stt_load.cli import main; main()"]
LOCUST = [sys.executable, "-m", "locust"]
# Bounds that a loaded machine meets too: these tests are about what happens, not how fast.
EASY_SLOS = ["--slo", "eos_latency:p95<60s", "--slo", "error_rate<1%"]
PATIENCE_S = 180.0

StartSink = Callable[..., ServerProcess]


class Run:
    """A process with its output in a file; on leaving, it and whatever is left of its family is killed."""

    def __init__(
        self,
        line: Sequence[str],
        folder: Path,
        environment: dict[str, str] | None = None,
        printed_to: int | None = None,
    ) -> None:
        """`printed_to`: a file descriptor in the place of the file."""
        self.log = folder / f"output-{time.monotonic_ns()}.txt"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=output if printed_to is None else printed_to,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **(environment or {})},
                process_group=0,
            )
        self._family: set[psutil.Process] = set()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.note_family()
        self.process.kill()
        for process in self._family:
            if process.is_running():
                process.kill()
        self.process.wait(PATIENCE_S)

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def note_family(self) -> set[psutil.Process]:
        """Remembers the children of now: they are looked for when their parent has gone."""
        self._family |= set(self.children())
        return self._family

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def send_to_all(self, number: int) -> None:
        """Sends it to the whole group, as a terminal, `timeout`, a container runtime and systemd do."""
        os.killpg(self.process.pid, number)

    def wait_until_nothing_is_left(self) -> None:
        """Raises AssertionError where a child outlives its parent for long."""
        wait_for(lambda: not any(is_alive(p) for p in self._family), "all children to end", self)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(condition: Callable[[], bool], what: str, run: Run | None = None) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        if condition():
            return
        if run is not None and run.process.poll() is not None and condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"waited in vain for {what}" + (f":\n{run.output[-4000:]}" if run else ""))


def start_apart(
    stack: ExitStack,
    line: Sequence[str],
    folder: Path,
    environment: dict[str, str] | None = None,
    of_worker: dict[str, str] | None = None,
) -> tuple[Run, Run]:
    """This run as a master, and its only worker: neither is a child of the other. `of_worker`: its environment, where
    that is another one."""
    port = str(free_port())
    where = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "1"]
    run = stack.enter_context(Run([*line, *where], folder, environment))
    worker = [*LOCUST, "-f", str(LADDER), "--worker", "--master-port", port]
    return run, stack.enter_context(Run(worker, folder, of_worker or environment))


def side_by_side(cases: Sequence[Callable[[], object]]) -> None:
    """Plays cases that mostly wait at the same time, each in a thread of its own, and raises all that they raise."""
    with ThreadPoolExecutor(len(cases)) as pool:
        played = [pool.submit(case) for case in cases]
    raised = [error for case in played if (error := case.exception()) is not None]
    if raised:
        raise BaseExceptionGroup(f"{len(raised)} of {len(cases)} cases", raised)


def run_folder(results: Path) -> Path:
    """The one run folder in there."""
    (folder,) = [path for path in results.iterdir() if path.is_dir()]
    return folder


def rows(path: Path) -> list[dict]:
    """The whole lines of a JSON lines file; a line being written is left out."""
    if not path.exists():
        return []
    content = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in content[: content.rfind("\n") + 1].splitlines()]


def phases(results: Path) -> list[tuple[int, str]]:
    """(stage, phase) of every transition so far; nothing where there is no folder yet.

    A run makes `results` twice: it is tried first, and taken away again.
    """
    try:
        folders = [path for path in results.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    return [(row["stage"], row["phase"]) for row in rows(folders[0] / "stages.jsonl")] if folders else []


def wait_for_hold(results: Path, stage: int, run: Run) -> None:
    wait_for(lambda: (stage, "hold") in phases(results), f"the hold of stage {stage}", run)


def wait_for_rows(results: Path, n: int, run: Run) -> None:
    wait_for(
        lambda: bool(phases(results)) and len(rows(run_folder(results) / "utterances.jsonl")) >= n, f"{n} rows", run
    )


def summary(results: Path) -> dict:
    return json.loads((run_folder(results) / "summary.json").read_text(encoding="utf-8"))


# What a busy machine breaks, and a run then says so: no fault of the program, so no test depends on it.
THE_MACHINES = {"pacing lag p99 ≤ 10 ms", "generator CPU ≤ 90 %"}


def broken_conditions(results: Path) -> set[str]:
    """Validity conditions that any stage broke."""
    found = (condition for stage in summary(results)["stages"] for condition in stage["validity"])
    return {condition["condition"] for condition in found if not condition["is_met"]}


def assert_ends_with(code: int, run: Run, results: Path) -> None:
    """The run's exit code, or 4 where nothing but this machine's own lateness made it unbelievable; and the summary
    says the same."""
    ended_with = run.wait()
    assert summary(results)["exit_code"] == ended_with, run.output
    if ended_with != code:
        assert ended_with == 4, run.output
        assert broken_conditions(results) & THE_MACHINES, run.output
        assert broken_conditions(results) <= THE_MACHINES, run.output


def two_processes() -> list[str]:
    return ["--processes", "2"]


def stand_still(pid: int, for_s: float) -> None:
    """Stops a process for so long; longer on a busy machine."""
    os.kill(pid, signal.SIGSTOP)
    time.sleep(for_s)
    os.kill(pid, signal.SIGCONT)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
