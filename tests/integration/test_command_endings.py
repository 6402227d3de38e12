"""Commands that start processes of their own, told to end or killed in mid-work: all that belongs to them ends too."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from runs import STT_LOAD, Run, StartSink, kill, phases, rows, run_folder, side_by_side, summary, wait_for

pytestmark = pytest.mark.locust

KILL, INT, TERM, HUP, QUIT = signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT


@dataclass
class Command:
    """A command in a folder of its own, which a test plays until it is in mid-work."""

    name: str
    words: list[str]
    folder: Path
    results: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.results = self.folder / "results"

    def is_at_work(self, run: Run) -> bool:
        if self.name == "calibrate":
            return any("stt_load.locust_plugin" in process.cmdline() for process in run.children())
        return any(phase == "hold" for _, phase in phases(self.results))

    def play(self, end: Callable[[Run], None], code: int) -> None:
        results = [] if self.name == "calibrate" else ["--results", str(self.results)]
        folders = {"STT_LOAD_DATA": str(self.folder / "data"), "TMPDIR": str(self.folder)}
        with Run([*STT_LOAD, self.name, *self.words, *results], self.folder, folders) as run:
            wait_for(lambda: self.is_at_work(run), "it to be at work", run)
            run.note_family()
            end(run)
            assert run.wait() == code, run.output
            run.wait_until_nothing_is_left()
        assert "Traceback" not in run.output, run.output


def send(number: int) -> Callable[[Run], None]:
    return lambda run: run.send(number)


def send_to_all(number: int) -> Callable[[Run], None]:
    return lambda run: run.send_to_all(number)


def kill_locust(run: Run) -> None:
    (locust,) = [process for process in run.note_family() if "stt_load.locust_plugin" in process.cmdline()]
    kill(locust.pid)


def test_a_signal_ends_each_command_and_all_that_belongs_to_it(start_sink: StartSink, tmp_path: Path) -> None:
    url = start_sink().url
    with ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))  # takes uploads and answers none
        uploads = f"http://127.0.0.1:{silent.getsockname()[1]}/v1/audio/transcriptions"
        words = {
            "find": ["--stt-url", url, "--max", "4", "--hold", "600s", "--processes", "2"],
            "stress": ["--stt-url", uploads, "--threads", "1", "--hold", "600s"],
            "calibrate": ["--quick", "--max", "4"],
        }
        told: list[tuple[str, Callable[[Run], None], int]] = [
            ("find", send_to_all(INT), 5),
            ("find", send(QUIT), 5),
            ("stress", send_to_all(TERM), 5),
            ("stress", send(KILL), -KILL),
            ("calibrate", send_to_all(INT), 5),
            ("calibrate", send(HUP), 5),
            ("calibrate", send(KILL), -KILL),
        ]
        commands = [Command(name, words[name], tmp_path / f"{n}") for n, (name, _, _) in enumerate(told)]
        side_by_side([partial(command.play, end, code) for command, (_, end, code) in zip(commands, told, strict=True)])
    for command, (_, _, code) in zip(commands, told, strict=True):
        if command.name == "calibrate":
            assert not (command.folder / "data").exists(), "a calibration that was not finished is saved nowhere"
            assert code < 0 or not list(command.folder.glob("stt-load-*"))
        else:
            wait_for(lambda command=command: phases(command.results)[-1][1] == "done", "the run to be closed")
            assert rows(run_folder(command.results) / "stages.jsonl")[-1]["aborted"] is True
            wait_for(lambda command=command: bool(list(command.results.glob("*/summary.json"))), "the report")
            assert (summary(command.results)["verdict"], summary(command.results)["exit_code"]) == ("aborted", 5)


def test_a_demo_that_is_told_to_end_or_killed_leaves_neither_server_nor_run(tmp_path: Path) -> None:
    told: dict[str, tuple[Callable[[Run], None], int]] = {
        "ctrl-c": (send_to_all(INT), 5),
        "terminal": (send(HUP), 5),
        "killed": (send(KILL), -KILL),
        "locust-killed": (kill_locust, 128 + KILL),
    }
    words = ["--concurrency", "1,2", "--hold", "600s"]
    demos = {name: Command("demo", words, tmp_path / name) for name in told}
    side_by_side([partial(demos[name].play, *how) for name, how in told.items()])
    for name in ("ctrl-c", "terminal", "killed"):
        results = demos[name].results
        wait_for(lambda results=results: phases(results)[-1][1] == "done", "the run to be closed")
        assert rows(run_folder(results) / "stages.jsonl")[-1]["aborted"] is True
