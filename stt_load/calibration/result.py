"""What a calibration found, as JSON and in words; and what it has to say to a run that asks for more."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from stt_load.calibration.figures import DISTURBING_PCT
from stt_load.calibration.limits import Limit
from stt_load.calibration.machine import processes_on
from stt_load.errors import SttLoadError
from stt_load.metrics.quantiles import Distribution

SCHEMA_VERSION = 1

UNCALIBRATED_CALLERS = 500
"""A process on any core of the last ten years plays so many: below, a run without a calibration is told nothing."""

_CLOCK_SHOWN = 0.99


class NotACalibration(SttLoadError):
    """A text that is not what `Calibration.to_json` writes."""


@dataclass(frozen=True, slots=True)
class ClockError:
    """Reported minus true `stream_end_latency_s`, seconds, with so many callers."""

    callers: int
    n: int
    p50: float
    p99: float
    min: float
    max: float

    @classmethod
    def of(cls, callers: int, errors_s: Distribution) -> Self | None:
        """None where no utterance could be matched."""
        p50, p99, least, most = errors_s.at(0.5), errors_s.at(_CLOCK_SHOWN), errors_s.min, errors_s.max
        if p50 is None or p99 is None or least is None or most is None:
            return None
        return cls(callers, errors_s.n, p50, p99, least, most)


@dataclass(frozen=True, slots=True)
class Calibration:
    """`callers`: what one process on one core plays honestly. `breaks`: the smallest number that did not hold, None
    where none did. `clock`: None where the sink knows no truth."""

    host: Mapping[str, Any]
    versions: Mapping[str, str]
    made_at: str  # UTC, ISO 8601
    sink: str  # "own", or the URL of another
    frame_ms: float
    hold_s: float
    is_quick: bool
    whole_cores: int
    callers: int
    breaks: int | None
    limited_by: Limit
    cpu_us_per_frame: float | None
    cpu_pct_per_caller: float  # of one core
    memory_bytes_per_caller: float | None
    process_memory_bytes: int  # with one caller
    others_cpu_pct: float  # of one core: the median of what else this machine did during the trials
    clock: ClockError | None
    trials: tuple[Mapping[str, Any], ...]

    @property
    def callers_of_machine(self) -> int:
        """With a process on each core but one, which the master and the rest of the machine have."""
        return self.callers * max(1, self.whole_cores - 1)

    def with_frames_of(self, frame_ms: float) -> int:
        """Callers a process with other frames: shorter ones cost as much each, longer ones were not tried."""
        return math.floor(self.callers * min(1.0, frame_ms / self.frame_ms))

    def to_json(self) -> str:
        return json.dumps(
            {"schema_version": SCHEMA_VERSION, **asdict(self), "callers_of_machine": self.callers_of_machine},
            ensure_ascii=False,
            allow_nan=False,
            indent=2,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises NotACalibration."""
        try:
            raw = json.loads(text)
            if raw.pop("schema_version") != SCHEMA_VERSION:
                raise ValueError("another version")
            raw.pop("callers_of_machine")
            clock = raw.pop("clock")
            return cls(
                **{**raw, "trials": tuple(raw["trials"]), "limited_by": Limit(**raw["limited_by"])},
                clock=None if clock is None else ClockError(**clock),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotACalibration(f"not a calibration: {error}") from None


def summary_lines(found: Calibration) -> list[tuple[str, str]]:
    """Label and text of each line."""
    lines = [
        ("callers", _callers(found)),
        ("this machine", _machine(found)),
        ("CPU", _cpu(found)),
        ("memory", _memory(found)),
        ("clock", _clock(found)),
        ("limited by", f"{found.limited_by.name}: {found.limited_by.detail}"),
        ("lifted by", found.limited_by.command),
    ]
    if found.others_cpu_pct >= DISTURBING_PCT:
        took = f"other work took {found.others_cpu_pct:.0f} % of a core meanwhile"
        lines.append(("disturbed", f"{took}: the machine plays more by itself, so calibrate again when it is quiet"))
    return lines


def caution(calibration: Calibration | None, callers: int, frame_ms: float, processes: int = 1) -> str | None:
    """One line for a run that is to play `callers` in so many processes, where that is more than is known to be
    played honestly."""
    each = math.ceil(callers / processes)
    most = 0 if calibration is None else calibration.with_frames_of(frame_ms)
    if calibration is not None and calibration.breaks is not None:
        return None if each <= most else _too_many(calibration, callers, each, most, frame_ms)
    if each <= max(most, UNCALIBRATED_CALLERS):
        return None
    known = "whose limit nobody knows" if calibration is None else f"that was tried with {most:,} only"
    advice = "`stt-load calibrate` finds its limit in minutes, or watch the pacing lag of each stage"
    return f"{each:,} callers a process, on a machine {known}: {advice}"


def _too_many(calibration: Calibration, callers: int, each: int, most: int, frame_ms: float) -> str:
    needed = math.ceil(callers / most) if most else math.inf
    has_cores = needed <= processes_on(calibration.whole_cores)
    advice = f"use --processes {needed}" if has_cores else "add machines (--master, --worker)"
    frames = "" if frame_ms >= calibration.frame_ms else f" with frames of {frame_ms:g} ms"
    return (
        f"{each:,} callers a process, but this machine plays {most:,} honestly{frames} (calibrated "
        f"{calibration.made_at[:10]}): {advice}, or expect invalid stages"
    )


def _callers(found: Calibration) -> str:
    more = f"{found.breaks:,} break" if found.breaks is not None else "the most that were tried"
    return f"{found.callers:,} in one process on one core, with frames of {found.frame_ms:g} ms ({more})"


def _machine(found: Calibration) -> str:
    if found.whole_cores == 1:
        return f"one core: no more than {found.callers:,}, and the server elsewhere"
    if found.whole_cores == 2:
        return f"2 cores, one left for the rest of it: about {found.callers_of_machine:,} in one process"
    return f"{found.whole_cores} cores: about {found.callers_of_machine:,} with --processes {found.whole_cores - 1}"


def _cpu(found: Calibration) -> str:
    frame = "" if found.cpu_us_per_frame is None else f", {found.cpu_us_per_frame:.1f} µs a frame"
    return f"{found.cpu_pct_per_caller:.3f} % of a core a caller{frame}"


def _memory(found: Calibration) -> str:
    process = f"the process of one caller has {found.process_memory_bytes / 2**20:.0f} MiB"
    if found.memory_bytes_per_caller is None:
        return process
    return f"{found.memory_bytes_per_caller / 2**10:.1f} KiB a caller; {process}"


def _clock(found: Calibration) -> str:
    if found.clock is None:
        return "not measured: only a sink of its own knows what a latency really was"
    clock = found.clock
    return (
        f"reported minus true, at {clock.callers:,} callers: p50 {1_000 * clock.p50:.3f} ms, "
        f"p99 {1_000 * clock.p99:.3f} ms, n {clock.n:,}"
    )
