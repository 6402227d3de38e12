"""The result of a calibration, as JSON and as lines for the terminal, and its warning to a run that asks for more."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import msgspec

from stt_load.calibration.limits import Limit
from stt_load.calibration.machine import auto_processes, describe_cores, most_processes
from stt_load.calibration.trial_figures import DISTURBING_PCT
from stt_load.errors import SttLoadError
from stt_load.metrics.quantiles import Distribution
from stt_load.plausible import Bytes, Count, FrameLength, Length, Percent, Seconds

SCHEMA_VERSION = 1

UNCALIBRATED_CALLERS = 500
"""One process on any core of the last ten years manages this many with frames of 100 ms, so up to here an uncalibrated
run isn't warned."""

_UNCALIBRATED_FRAME_MS = 100.0

_CLOCK_QUANTILE = 0.99


class NotACalibration(SttLoadError):
    """The text was not written by `Calibration.to_json`, or by another version of it."""


@dataclass(frozen=True, slots=True)
class ClockError:
    """Reported minus true `stream_end_latency_s`, in seconds, measured with `callers` callers over `n` utterances."""

    callers: Count
    n: Count
    p50: Seconds
    p99: Seconds
    min: Seconds
    max: Seconds

    @classmethod
    def of(cls, callers: int, errors_s: Distribution) -> Self | None:
        """The summary of these errors; None if no utterance could be matched."""
        p50, p99, least, most = errors_s.at(0.5), errors_s.at(_CLOCK_QUANTILE), errors_s.min, errors_s.max
        if p50 is None or p99 is None or least is None or most is None:
            return None
        return cls(callers, errors_s.n, p50, p99, least, most)


@dataclass(frozen=True, slots=True)
class MachineCallers:
    """How many callers a whole machine keeps on time with so many load processes at once, as `--processes auto` starts
    them. `breaks`: the smallest number that failed, None if none did; `limited_by`: None then."""

    processes: Count
    callers: Count
    breaks: Count | None
    limited_by: Limit | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured on one machine.

    `callers`: how many callers one process on one core keeps on time. `breaks`: the smallest number that failed, None
    if none did. `clock`: None if another sink was used, which keeps no log of true latencies. `machine`: None where
    `--processes auto` starts one process, and in calibrations of earlier versions.
    """

    host: Mapping[str, Any]
    versions: Mapping[str, str]
    made_at: str  # UTC, ISO 8601
    sink: str  # "own", or the URL of another
    frame_ms: FrameLength
    hold_s: Length
    is_quick: bool
    whole_cores: Count
    callers: Count
    breaks: Count | None
    limited_by: Limit
    cpu_us_per_frame: float | None
    cpu_pct_per_caller: Percent  # of one core
    memory_bytes_per_caller: Bytes | None
    process_memory_bytes: Bytes  # with one caller
    others_cpu_pct: Percent  # of one core: the median of what else this machine did during the trials
    clock: ClockError | None
    trials: tuple[Mapping[str, Any], ...]
    machine: MachineCallers | None = None

    @property
    def callers_of_machine(self) -> int:
        """Callers with a process on every core but one, which is left to the master and everything else: as measured
        with all of them at once, else as many times those of one."""
        return self.machine.callers if self.machine else self.callers * auto_processes(self.whole_cores)

    def callers_with_frames(self, frame_ms: float) -> int:
        """Callers per process with another frame length."""
        return _with_frames(self.callers, frame_ms, self.frame_ms)

    def to_json(self) -> str:
        """The JSON that `stt-load calibrate --json` prints and `store` saves."""
        return json.dumps(
            {"schema_version": SCHEMA_VERSION, **asdict(self), "callers_of_machine": self.callers_of_machine},
            ensure_ascii=False,
            allow_nan=False,
            indent=2,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads what `to_json` wrote. Raises NotACalibration."""
        try:
            raw = msgspec.json.decode(text)
            if raw.pop("schema_version") != SCHEMA_VERSION:
                raise ValueError("another version")
            raw.pop("callers_of_machine")
            if strange := raw.keys() - cls.__dataclass_fields__.keys():
                raise ValueError(f"{', '.join(sorted(strange))} is no part of one")
            return msgspec.convert(raw, cls)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise NotACalibration(f"not a calibration: {error}") from None


def summary_lines(calibration: Calibration) -> list[tuple[str, str]]:
    """The result for people: label and text of each line."""
    lines = [
        ("callers", _callers(calibration)),
        ("this machine", _machine(calibration)),
        ("CPU", _cpu(calibration)),
        ("memory", _memory(calibration)),
        ("clock", _clock(calibration)),
        ("limited by", f"{calibration.limited_by.name}: {calibration.limited_by.detail}"),
        ("to raise it", calibration.limited_by.command),
    ]
    if calibration.others_cpu_pct >= DISTURBING_PCT:
        taken = f"other work used {calibration.others_cpu_pct:.0f} % of a core meanwhile"
        lines.append(("disturbed", f"{taken}: calibrate again when the machine is idle, it will then manage more"))
    return lines


def overload_warning(calibration: Calibration | None, callers: int, frame_ms: float, processes: int = 1) -> str | None:
    """One line if a run asks for more callers per process than this machine is known to keep on time, else None."""
    if line := _beyond_the_machine(calibration, callers, frame_ms, processes):
        return line
    each = math.ceil(callers / processes)
    most = callers_of_a_process(calibration, frame_ms)
    if each <= most:
        return None
    if calibration is not None and calibration.breaks is not None:
        return _too_many(calibration, callers, each, most, frame_ms)
    known = _unknown(calibration, frame_ms)
    advice = "find its limit with `stt-load calibrate` (minutes), or watch the pacing lag of each stage"
    return f"{each:,} callers per process, but this machine {known}: {advice}"


def _beyond_the_machine(calibration: Calibration | None, callers: int, frame_ms: float, processes: int) -> str | None:
    """One line where that many processes at once are known not to keep so many callers on time."""
    machine = calibration and calibration.machine
    if not calibration or not machine or machine.breaks is None or processes < machine.processes:
        return None
    most = _with_frames(machine.callers, frame_ms, calibration.frame_ms)
    if callers <= most:
        return None
    return (
        f"{callers:,} callers, but this whole machine keeps only {most:,} on time, in {machine.processes} processes "
        f"(calibrated {calibration.made_at[:10]}): add machines (--master, --worker), or expect invalid stages"
    )


def callers_of_a_process(calibration: Calibration | None, frame_ms: float) -> int:
    """How many callers one process of this machine is believed to keep on time. Where no calibration has found a limit,
    it is what any machine manages, or as many as were tried."""
    tried = 0 if calibration is None else calibration.callers_with_frames(frame_ms)
    if calibration is not None and calibration.breaks is not None:
        return tried
    return max(tried, _with_frames(UNCALIBRATED_CALLERS, frame_ms, _UNCALIBRATED_FRAME_MS))


def why_one_process_is_late(calibration: Calibration | None, callers: int, frame_ms: float) -> str | None:
    """One line where one process can't be believed to keep so many callers on time; None where it can."""
    most = callers_of_a_process(calibration, frame_ms)
    if callers <= most:
        return None
    if calibration is not None and calibration.breaks is not None:
        source = f"calibrated {calibration.made_at[:10]}"
    else:
        source = f"this machine {_unknown(calibration, frame_ms)}"
    return f"one process would be late with {callers:,} callers: it is believed to keep {most:,} on time ({source})"


def _with_frames(callers: int, frame_ms: float, of_ms: float) -> int:
    """Callers with another frame length. A shorter frame costs as much; longer ones weren't tried."""
    return math.floor(callers * min(1.0, frame_ms / of_ms))


def _unknown(calibration: Calibration | None, frame_ms: float) -> str:
    if calibration is None:
        return "has not been calibrated"
    return f"was only tried with {calibration.callers_with_frames(frame_ms):,}"


def _too_many(calibration: Calibration, callers: int, each: int, most: int, frame_ms: float) -> str:
    needed = math.ceil(callers / most) if most else math.inf
    has_cores = needed <= most_processes(calibration.whole_cores)
    advice = f"use --processes {needed}" if has_cores else "add machines (--master, --worker)"
    frames = "" if frame_ms >= calibration.frame_ms else f" with frames of {frame_ms:g} ms"
    return (
        f"{each:,} callers per process, but this machine keeps only {most:,} on time{frames} (calibrated "
        f"{calibration.made_at[:10]}): {advice}, or expect invalid stages"
    )


def _callers(calibration: Calibration) -> str:
    more = f"{calibration.breaks:,} are too many" if calibration.breaks is not None else "no more were tried"
    return f"{calibration.callers:,} per process and core, with frames of {calibration.frame_ms:g} ms ({more})"


def _machine(calibration: Calibration) -> str:
    if machine := calibration.machine:
        limit = f"; {machine.breaks:,} are too many: {machine.limited_by.name}" if machine.limited_by else ""
        measured = f"{machine.callers:,} callers in {machine.processes} processes at once (--processes auto)"
        return f"{describe_cores(calibration.whole_cores)}: {measured}{limit}"
    cores, callers = calibration.whole_cores, f"about {calibration.callers_of_machine:,} callers"
    if cores == 1:
        return f"1 core: up to {calibration.callers:,} callers, if the server runs elsewhere"
    if cores == 2:
        return f"2 cores, one of them left for everything else: {callers} in one process"
    return f"{cores} cores: {callers} with --processes {cores - 1}"


def _cpu(calibration: Calibration) -> str:
    frame = "" if calibration.cpu_us_per_frame is None else f", {calibration.cpu_us_per_frame:.1f} µs per frame"
    return f"{calibration.cpu_pct_per_caller:.3f} % of a core per caller{frame}"


def _memory(calibration: Calibration) -> str:
    process = f"a process with one caller has {calibration.process_memory_bytes / 2**20:.0f} MiB"
    if calibration.memory_bytes_per_caller is None:
        return process
    return f"{calibration.memory_bytes_per_caller / 2**10:.1f} KiB per caller; {process}"


def _clock(calibration: Calibration) -> str:
    if calibration.clock is None:
        return "not measured: only the sink that calibrate starts itself logs true latencies"
    clock = calibration.clock
    return (
        f"reported minus true, at {clock.callers:,} callers: p50 {1_000 * clock.p50:.3f} ms, "
        f"p99 {1_000 * clock.p99:.3f} ms, n {clock.n:,}"
    )
