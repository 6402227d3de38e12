"""Runs that are told to end: by each signal, at each process, in the phase that a test chooses."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from runs import (
    EASY_SLOS,
    STT_LOAD,
    Run,
    assert_ends_with,
    phases,
    rows,
    run_folder,
    start_apart,
    summary,
    two_processes,
    wait_for,
)

from stt_load.process.ending_signals import ENDING
from stt_load.report.report_files import WRITERS

PHASES = ("ramp", "hold", "grace", "settle", "report")
TO = ("single process", "one of a group", "group", "master", "worker")


@dataclass
class Case:
    """A run that is told to end with `number`, at the processes that `to` names."""

    to: str
    number: signal.Signals
    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def start(self, stack: ExitStack, words: list[str], **environment: str) -> tuple[Run, Run | None]:
        """The run, and its worker where that is a process of its own."""
        self.folder.mkdir()
        line = [*STT_LOAD, "run", *words, *EASY_SLOS, "--results", str(self.results)]
        if self.to in ("one of a group", "group"):
            line += two_processes()
        if self.to in ("master", "worker"):
            return start_apart(stack, line, self.folder, environment)
        return stack.enter_context(Run(line, self.folder, environment)), None

    def send(self, run: Run, worker: Run | None) -> None:
        run.note_family()
        if self.to == "group":
            run.send_to_all(self.number)
        elif self.to == "worker" and worker is not None:
            worker.send(self.number)
        else:
            run.send(self.number)

    def assert_ended(self, run: Run, worker: Run | None, code: int | None) -> None:
        """`code`: None where it is that of a run that nobody has told to end."""
        if code is None:
            assert_ends_with(0, run, self.results)
        else:
            assert run.wait() == code, run.output
            assert summary(self.results)["exit_code"] == code
        run.wait_until_nothing_is_left()
        said = run.output
        if worker is not None:
            assert worker.wait() == 0, worker.output
            said += worker.output
        assert "Traceback" not in said, said
        files = {path.name for path in run_folder(self.results).iterdir()}
        assert files == {*WRITERS, "run.json", "stages.jsonl", "utterances.jsonl", "words.jsonl"}
        done = rows(run_folder(self.results) / "stages.jsonl")[-1]
        utterances = rows(run_folder(self.results) / "utterances.jsonl")
        assert (done["phase"], done["aborted"]) == ("done", code == 5)
        assert done["delivery"]["rows"] == sum(done["delivery"]["totals"].values()) == len(utterances)
        assert done["delivery"]["missing_seq"] == 0


def cases(phase: str, folder: Path) -> list[Case]:
    """One for each process. Over the phases every process meets every signal, and in each phase every signal comes."""
    first = PHASES.index(phase)
    return [Case(to, ENDING[(first + n) % len(ENDING)], folder / to.replace(" ", "-")) for n, to in enumerate(TO)]


def wait_for_phase(phase: str, results: Path, run: Run) -> None:
    """Waits until the first stage is in this phase, which has to be one in which the run stays."""
    wait_for(lambda: phases(results)[-1:] == [(0, phase)], phase, run)
