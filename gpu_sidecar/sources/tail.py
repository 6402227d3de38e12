"""A source that runs a tool which prints samples: reads it line by line, watches it and starts it again.

    child ends without a sample   it refused its command: the command asks for less, at once
    child ends, or is quiet       a gap begins; it is started again after 1 s, 2 s, 4 s ... 30 s
    first sample after that       the gap is over, and the next pause is 1 s again

Quiet means that no *sample* came for three periods, whatever else the child prints. Then it is killed with SIGKILL,
since a stopped process ignores SIGTERM. The first sample may take longer: the driver may have to load.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from gpu_sidecar.child_process import signal_session, spawn, tied_to_us
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import Emit, SampleGap, SourceStatus
from gpu_sidecar.sources.line_buffer import LineBuffer
from gpu_sidecar.sources.tool_command import ToolCommand

_log = logging.getLogger(__name__)

_MAX_GAPS = 100
_MAX_OUTPUT_LINES = 20
_LINE_CHARACTERS = 200
_READ_BYTES = 64 * 1024
_STOP_S = 5.0
_STOP_POLL_S = (
    1.0  # how long `stop` may go unnoticed while the child, or a process that inherited its pipe, prints nothing
)


class Parse(Protocol):
    """Returns a line's sample or None. Called with the lines in order; no line may make it raise."""

    def __call__(self, line: str, /) -> Sample | None: ...


@dataclass(frozen=True)
class TailTiming:
    """When a child counts as quiet, and how long to wait before it is started again.

    It is quiet after `quiet_periods` without a sample, but not before `least_quiet_s`: at ten samples a second, a tool
    that takes half a second now and then has not hung. Its first sample may take `start_up_s` more.
    """

    start_up_s: float = 30.0
    quiet_periods: float = 3.0
    least_quiet_s: float = 2.0
    first_restart_s: float = 1.0
    last_restart_s: float = 30.0


DEFAULT_TIMING = TailTiming()


class TailSource:
    """Runs `tool_command.argv()` and emits the samples that a parser finds in its lines.

    Each child gets a new parser from `make_parser`. The command's first word is looked up on PATH at each start. A line
    that is not blank, is no sample and doesn't begin with `header` is the status's `complaint`. stderr is read too.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        period_s: float,
        emit: Emit,
        tool_command: ToolCommand,
        make_parser: Callable[[], Parse],
        header: str = "#",
        timing: TailTiming = DEFAULT_TIMING,
    ) -> None:
        self._name, self._kind, self._period_s = name, kind, period_s
        self._emit, self._tool_command, self._make_parser, self._header = emit, tool_command, make_parser, header
        self._timing = timing
        self._quiet_s = max(timing.quiet_periods * period_s, timing.least_quiet_s)
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # for all below: a stop must not fall between starting a child and noting it
        self._child: subprocess.Popen[bytes] | None = None  # None once it has ended: its id may be reused
        self._restarts = 0
        self._last_message = ""
        self._gaps: deque[SampleGap] = deque(maxlen=_MAX_GAPS)
        self._last_sample_at = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the tool and the thread, and returns when both are gone. After 5 s the tool is killed."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._signal_child(signal.SIGTERM)
            self._thread.join(_STOP_POLL_S + 2 * _STOP_S)

    def status(self) -> SourceStatus:
        with self._lock:
            is_alive = self._child is not None
            gaps = tuple(self._gaps)
            return SourceStatus(
                self._name, self._kind, self._period_s, is_alive, self._restarts, self._last_message, gaps
            )

    def _run(self) -> None:
        self._last_sample_at = time.time()  # the gap of a tool that never gave a sample begins here
        pause_s = self._timing.first_restart_s
        while not self._stopping.is_set():
            run = self._run_child()
            if self._stopping.is_set():
                return
            if run.was_refused and self._tool_command.ask_less(run.output):
                continue
            if run.has_worked:
                pause_s = self._timing.first_restart_s
            self._begin_gap(run.why)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, self._timing.last_restart_s)
            with self._lock:
                self._restarts += 1

    def _run_child(self) -> _ChildRun:
        """Runs one child, from its start to its end."""
        run = _ChildRun()
        child = self._spawn(run)
        if child is None or child.stdout is None:
            return run
        with child.stdout as pipe:
            was_quiet = self._follow(pipe.fileno(), run)
        if self._stopping.is_set():
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_STOP_S)
        self._signal_child(signal.SIGKILL)  # it and whatever it started
        with self._lock:
            self._child = None
        try:
            status = child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            status = -signal.SIGKILL  # it hangs in the driver and ends when the driver returns
        if was_quiet:
            run.why = f"{self._name} was quiet for {self._limit_s(run):g} s"
        else:
            run.was_refused = status >= 0 and not run.has_worked
            reason = run.output[-1] if run.output and status >= 0 else _describe_exit(status)
            run.why = f"{self._name} died: {reason}"
        return run

    def _spawn(self, run: _ChildRun) -> subprocess.Popen[bytes] | None:
        tool, *options = self._tool_command.argv()
        path = shutil.which(tool)
        if path is None:
            self._note_message(f"{tool} is not on PATH", run)
            run.why = run.output[-1]
            return None
        with self._lock:
            if self._stopping.is_set():
                return None
            try:
                self._child = spawn(tied_to_us([path, *options]), stderr=subprocess.STDOUT)
                return self._child
            except OSError as error:
                why = f"{tool} can't be run: {error.strerror}"
        self._note_message(why, run)
        run.why = why
        return None

    def _follow(self, pipe: int, run: _ChildRun) -> bool:
        """Reads the child until it ends or we stop (False), or is quiet (True)."""
        parse, lines = self._make_parser(), LineBuffer()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        deadline = time.monotonic() + self._limit_s(run)
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            is_ready = poll.poll(1000.0 * min(left_s, _STOP_POLL_S))
            if self._stopping.is_set():
                return False
            if is_ready:
                chunk = os.read(pipe, _READ_BYTES)
                if not chunk:
                    return False
                if self._take_lines(lines.feed(chunk), parse, run):
                    deadline = time.monotonic() + self._limit_s(run)
            # Checked after reading: if this process was the one that slept, the samples are in the pipe.
            if time.monotonic() >= deadline:
                return True

    def _take_lines(self, lines: Sequence[str], parse: Parse, run: _ChildRun) -> bool:
        """Emits the samples in these lines. True if there was one."""
        had_sample = False
        for line in lines:
            sample = parse(line)
            if sample is not None:
                had_sample = run.has_worked = True
                self._note_sample()
                self._emit(sample)
            elif line.strip() and not line.lstrip().startswith(self._header):
                self._note_message(line, run)
        return had_sample

    def _limit_s(self, run: _ChildRun) -> float:
        return self._quiet_s if run.has_worked else self._timing.start_up_s + self._quiet_s

    def _note_message(self, line: str, run: _ChildRun) -> None:
        text = line.strip()[:_LINE_CHARACTERS]
        run.output = [*run.output, text][-_MAX_OUTPUT_LINES:]
        with self._lock:
            self._last_message = text

    def _begin_gap(self, why: str) -> None:
        """Begins a gap, unless one is open: its first reason matters more than later ones."""
        with self._lock:
            if self._gaps and self._gaps[-1].ended is None:
                return
            self._gaps.append(SampleGap(self._last_sample_at, None, why))
        _log.warning("%s; starting it again until it works", why)

    def _note_sample(self) -> None:
        with self._lock:
            self._last_sample_at = time.time()
            if self._gaps and self._gaps[-1].ended is None:
                self._gaps[-1] = replace(self._gaps[-1], ended=self._last_sample_at)

    def _signal_child(self, number: signal.Signals) -> None:
        with self._lock:
            if self._child is None:
                return
            # A stopped process acts on SIGTERM only once it continues.
            signal_session(self._child, number, signal.SIGCONT)


@dataclass
class _ChildRun:
    """What happened to one child. `output`: its newest lines that were no samples."""

    has_worked: bool = False
    was_refused: bool = False
    why: str = ""
    output: list[str] = field(default_factory=list)


def _describe_exit(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"
