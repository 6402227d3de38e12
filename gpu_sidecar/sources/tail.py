"""A source that runs a tool which prints samples: reads it line by line, watches it and starts it again.

    child ends without a sample   it refused its command: the command asks for less, at once
    child ends, or is quiet       a gap begins; it is started again after 1 s, 2 s, 4 s ... 30 s
    first sample after that       the gap is over, and the next pause is 1 s again
    rows of a GPU without figures, or none of it, for as long: a gap of that GPU, until it has figures again

Quiet means that no *sample* came for three periods, whatever else the child prints. Then it is killed with SIGKILL,
since a stopped process ignores SIGTERM. The first sample may take longer: the driver may have to load.

A line that the parser fails at is a lost sample. If anything else fails in here, that is a gap too, and the tool is
started again.
"""

from __future__ import annotations

import contextlib
import select
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from gpu_sidecar.child_process import FollowedTool, read_output, signal_session, spawn_line_by_line, tied_to_us
from gpu_sidecar.lasting_thread import LastingThread
from gpu_sidecar.metrics import GPU
from gpu_sidecar.nvidia_smi_errors import is_away, reason_of
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import LEAST_QUIET_S, QUIET_PERIODS, Moment, SourceConfig, SourceStatus, limit_s
from gpu_sidecar.sources.line_buffer import LineBuffer
from gpu_sidecar.sources.source_health import SourceHealth
from gpu_sidecar.sources.tool_command import Parse, ToolCommand
from gpu_sidecar.tool_path import find_tool, not_found

_MAX_OUTPUT_LINES = 20
_LINE_CHARACTERS = 200
_READ_BYTES = 64 * 1024
_STOP_S = 5.0
# How long a stop, or another choice of GPUs, may go unnoticed while the child prints nothing.
_STOP_POLL_S = 1.0


@dataclass(frozen=True)
class TailTiming:
    """When a child counts as quiet, and how long to wait before it is started again.

    `quiet_periods` and `least_quiet_s`: as in `base.limit_s`. Its first sample may take `start_up_s` more, and each one
    `on_pipe_s` more where its stdout is a pipe: 4 KiB of short rows, a second each.
    """

    start_up_s: float = 30.0
    on_pipe_s: float = 90.0
    quiet_periods: float = QUIET_PERIODS
    least_quiet_s: float = LEAST_QUIET_S
    first_restart_s: float = 1.0
    last_restart_s: float = 30.0


DEFAULT_TIMING = TailTiming()


class _End(Enum):
    """Why a child is not followed any more."""

    ENDED = "it ended, or we stop"
    QUIET = "it was quiet"
    REPLACED = "another command is to be run"


def with_ages(samples: Sequence[Sample], period_s: float, most_s: float) -> list[Sample]:
    """Samples that were read at once: the last of each device was taken now, those before it a period earlier each, but
    none more than `most_s` ago."""
    n_later: Counter[tuple[int | None, int | None]] = Counter()
    aged: list[Sample] = []
    for sample in reversed(samples):
        device = (sample.gpu, sample.mig)
        age_s = min(n_later[device] * period_s, most_s)
        aged.append(replace(sample, age_s=age_s) if age_s else sample)
        n_later[device] += 1
    return aged[::-1]


class TailSource:
    """Runs `tool_command` and emits the samples that its parser finds in the lines.

    Each child gets a new parser. The command's first word is looked up at each start, and the child is replaced when a
    GPU is to be sampled that it was not asked for. A line that is not blank, is no sample and doesn't begin with the
    command's `header` is the status's `complaint`, and so is each line on stderr.
    """

    def __init__(
        self,
        kind: str,
        period_s: float,
        config: SourceConfig,
        tool_command: ToolCommand,
        timing: TailTiming = DEFAULT_TIMING,
    ) -> None:
        self._kind, self._period_s, self._config = kind, period_s, config
        self._tool_command, self._timing = tool_command, timing
        self._quiet_s = limit_s(period_s, timing.quiet_periods, timing.least_quiet_s)
        self._stopping = threading.Event()
        self._health = SourceHealth(config.on_gap)
        self._lock = threading.Lock()  # for the two below: a stop must not fall between starting a child and noting it
        self._child: subprocess.Popen[bytes] | None = None  # None once it has ended: its id may be reused
        self._restarts = 0
        self._why_pipe = ""  # of the last child
        self._has_spawned = False
        self._asks_for_all = False
        self._thread = LastingThread(
            tool_command.name,
            self._run,
            config.failures,
            self._stopping,
            self._note_failure,
            timing.first_restart_s,
            timing.last_restart_s,
        )

    def start(self) -> None:
        self._health.note_start(Moment.now())
        self._thread.start()

    def stop(self) -> None:
        """Ends the tool and the thread, and returns when both are gone. After 5 s the tool is killed."""
        self._stopping.set()
        self._signal_child(signal.SIGTERM)
        self._thread.join(_STOP_POLL_S + 2 * _STOP_S)

    def status(self) -> SourceStatus:
        complaint, gaps = self._health.complaint(self._config.only()), self._health.gaps
        with self._lock:
            return SourceStatus(
                name=self._tool_command.name,
                kind=self._kind,
                period_s=self._period_s,
                limit_s=self._quiet_s,
                is_alive=self._child is not None,
                restarts=self._restarts,
                complaint=complaint,
                note="; ".join(filter(None, [self._tool_command.note, self._pipe_note()])),
                gaps=gaps,
                output=("pipe" if self._why_pipe else "terminal") if self._has_spawned else "",
            )

    def _pipe_note(self) -> str:
        return (
            f"no terminal to be had ({self._why_pipe}): samples may come a minute late, on a pipe"
            if self._why_pipe
            else ""
        )

    def _note_failure(self, why: str) -> None:
        self._health.begin_gap(why)
        with self._lock:
            self._restarts += 1

    def _run(self) -> None:
        pause_s = self._timing.first_restart_s
        while not self._stopping.is_set():
            run = self._run_child()
            if self._stopping.is_set():
                return
            if run.is_replaced or (run.was_refused and self._tool_command.ask_less(run.output)):
                continue
            if run.has_worked:
                pause_s = self._timing.first_restart_s
            else:
                # One GPU that can't be reached may make the tool fail for all that it is asked for by number.
                is_one_away = len(run.wanted) > 1 and any(map(is_away, run.output))
                self._asks_for_all = is_one_away and not self._asks_for_all
            self._health.begin_gap(run.why)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, self._timing.last_restart_s)
            with self._lock:
                self._restarts += 1

    def _run_child(self) -> _ChildRun:
        """Runs one child, from its start to its end."""
        run = _ChildRun(wanted=tuple(self._config.only()))
        tool = self._spawn(run)
        if tool is None:
            return run
        status = 0
        try:
            end = self._follow(tool, run)
            if self._stopping.is_set():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    tool.process.wait(_STOP_S)
        finally:
            status = self._end_child(tool)
        name = self._tool_command.name
        run.is_replaced = end is _End.REPLACED
        if end is _End.QUIET:
            run.why = f"{name} was quiet for {self._limit_s(run):g} s"
        elif end is _End.ENDED:
            is_refusal = status >= 0 and not run.has_worked
            run.was_refused = is_refusal and self._tool_command.is_refusal(status, run.output)
            reason = reason_of(run.output)
            run.why = f"{name} died: {(status >= 0 and reason) or self._describe_end(status)}"
            if reason:
                self._health.note_message(reason)
        return run

    def _end_child(self, tool: FollowedTool) -> int:
        """Kills the child if it still runs, with all that it started. Returns its exit status."""
        self._signal_child(signal.SIGKILL)
        tool.close()
        with self._lock:
            self._child = None
        try:
            return tool.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL  # it hangs in the driver and ends when the driver returns

    def _spawn(self, run: _ChildRun) -> FollowedTool | None:
        word, *options = self._tool_command.argv(() if self._asks_for_all else run.wanted)
        path = find_tool(word)
        if path is None:
            self._note_message(not_found(word), run)
            run.why = run.output[-1]
            return None
        with self._lock:
            if self._stopping.is_set():
                return None
            try:
                tool = spawn_line_by_line(tied_to_us([path, *options]), self._tool_command.environment)
            except OSError as error:
                why = f"{word} can't be run: {error.strerror}"
            else:
                self._child, self._why_pipe, self._has_spawned = tool.process, tool.why_pipe, True
                return tool
        self._note_message(why, run)
        run.why = why
        return None

    def _follow(self, tool: FollowedTool, run: _ChildRun) -> _End:
        """Reads the child until there is nothing more to read, or no use in it."""
        parse, lines, error_lines = self._tool_command.make_parser(), LineBuffer(), LineBuffer()
        poll = select.poll()
        poll.register(tool.reader, select.POLLIN)
        poll.register(tool.errors, select.POLLIN)
        looked_s = time.monotonic()
        deadline = looked_s + self._limit_s(run)
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            ready = {file for file, _ in poll.poll(1000.0 * min(left_s, _STOP_POLL_S))}
            looked_before_s, looked_s = looked_s, time.monotonic()
            if self._stopping.is_set():
                return _End.ENDED
            if tool.errors in ready:
                chunk = read_output(tool.errors, _READ_BYTES)
                if not chunk:
                    poll.unregister(tool.errors)
                self._take_errors(error_lines.feed(chunk or b"\n"), run)
            if tool.reader in ready:
                chunk = read_output(tool.reader, _READ_BYTES)
                if not chunk:
                    last_words = read_output(tool.errors, _READ_BYTES)
                    self._take_errors(error_lines.feed(last_words + b"\n"), run)
                    return _End.ENDED
                most_s = self._most_age_s(tool, looked_s - looked_before_s)
                if self._take_lines(lines.feed(chunk), parse, run, most_s):
                    deadline = time.monotonic() + self._limit_s(run)
            if self._is_to_be_replaced(run):
                return _End.REPLACED
            # Checked after reading: if this process was the one that slept, the samples are there to be read.
            if time.monotonic() >= deadline:
                return _End.QUIET

    def _take_errors(self, lines: Sequence[str], run: _ChildRun) -> None:
        for line in filter(str.strip, lines):
            self._note_message(line, run)

    def _most_age_s(self, tool: FollowedTool, turn_s: float) -> float:
        """How old a sample may be that is read now, `turn_s` after the last look: 0 unless this process could not run
        for a while (it was stopped, or the host was busy), or the tool keeps its output back."""
        if tool.why_pipe:
            return self._limit_s(_ChildRun())
        return turn_s if turn_s > _STOP_POLL_S + self._period_s else 0.0

    def _take_lines(self, lines: Sequence[str], parse: Parse, run: _ChildRun, most_age_s: float) -> bool:
        """Emits the samples in these lines, none older than this. True if there was one."""
        samples: list[Sample] = []
        for line in lines:
            try:
                sample = parse(line)
            except Exception as error:
                self._config.failures.note_lost_sample(error)
                sample = None
            if sample is not None:
                samples.append(sample)
                self._note_sample(sample, run)
            elif line.strip() and not line.lstrip().startswith(self._tool_command.header):
                self._note_message(line, run)
        for sample in with_ages(samples, self._period_s, most_age_s):
            self._config.emit(sample)
        return bool(samples)

    def _is_to_be_replaced(self, run: _ChildRun) -> bool:
        """True if a GPU is to be sampled that the child wasn't asked for, or if another tool is to be asked for it.

        A child that was asked for more GPUs than are wanted now goes on.
        """
        wanted = self._config.only()
        if any(gpu not in run.wanted and gpu not in run.last_row for gpu in wanted):
            self._asks_for_all = False
            return True
        return any(self._lacks_row(gpu, run) for gpu in wanted)

    def _lacks_row(self, gpu: int, run: _ChildRun) -> bool:
        """Notes that a GPU has no row, though others have. True if another tool is to be asked for it."""
        if run.first_sample is None:
            return False
        newest = max(run.last_row.values(), default=0.0)  # of any GPU: the source as a whole may be quiet
        if newest - run.last_row.get(gpu, run.first_sample.mono) <= self._quiet_s:
            return False
        # One that had rows before has fallen away: that is not the tool's limit.
        was_there = self._health.last_figures(gpu) is not None or gpu in run.last_row
        if not was_there and self._tool_command.ask_another(f"it prints no row of GPU {gpu}"):
            return True
        said = f": {message}" if (message := self._health.last_message) else ""
        self._health.begin_gap_of(gpu, f"{self._tool_command.name} prints no row of it{said}")
        return False

    def _limit_s(self, run: _ChildRun) -> float:
        quiet_s = self._quiet_s + (self._timing.on_pipe_s if self._why_pipe else 0.0)
        return quiet_s if run.has_worked else self._timing.start_up_s + quiet_s

    def _note_message(self, line: str, run: _ChildRun) -> None:
        text = line.strip()[:_LINE_CHARACTERS]
        # The first lines say what is wrong, and the last one is the newest complaint.
        run.output = [*run.output[: _MAX_OUTPUT_LINES - 1], text]
        self._health.note_message(text)

    def _note_sample(self, sample: Sample, run: _ChildRun) -> None:
        now = Moment.now()
        self._health.note_sample(now)
        if run.first_sample is None:
            # Whatever was wrong before this child was started has been got over.
            self._health.note_message(run.output[-1] if run.output else "")
            run.first_sample = now
        run.output = []
        if sample.gpu is not None and sample.kind == GPU:
            self._note_row(sample.gpu, sample, now, run)

    def _note_row(self, gpu: int, sample: Sample, now: Moment, run: _ChildRun) -> None:
        """Notes whether a GPU has figures. Without any, a gap begins after the time that a source may be quiet."""
        run.last_row[gpu] = now.mono
        if sample.has_values:
            self._health.note_figures(gpu, now)
            return
        since = self._health.last_figures(gpu) or run.first_row.setdefault(gpu, now)
        wanted = self._config.only()
        if wanted and gpu not in wanted:
            return
        if sample.fault:
            self._health.note_fault(gpu, sample.fault)
        if now.mono - since.mono > self._quiet_s:
            self._health.begin_gap_of(gpu, sample.fault or f"{self._tool_command.name} prints no figures of it")

    def _describe_end(self, status: int) -> str:
        return f"killed by signal {-status}" if status < 0 else self._tool_command.describe_exit(status)

    def _signal_child(self, number: signal.Signals) -> None:
        with self._lock:
            if self._child is None:
                return
            # A stopped process acts on SIGTERM only once it continues.
            signal_session(self._child, number, signal.SIGCONT)


@dataclass
class _ChildRun:
    """What happened to one child. `wanted`: the GPUs that were to be sampled when it was started, empty for all.

    `output`: its lines since the last sample that were no samples. `first_row` and `last_row`: of each GPU.
    """

    wanted: tuple[int, ...] = ()
    first_sample: Moment | None = None
    first_row: dict[int, Moment] = field(default_factory=dict)
    last_row: dict[int, float] = field(default_factory=dict)
    was_refused: bool = False
    is_replaced: bool = False
    why: str = ""
    output: list[str] = field(default_factory=list)

    @property
    def has_worked(self) -> bool:
        return self.first_sample is not None
