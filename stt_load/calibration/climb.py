"""The whole calibration: a sink of its own, trials until the limit is known, the clock at half of it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from stt_load.calibration.figures import Trial, clock_errors_s
from stt_load.calibration.host_probe import describe_host
from stt_load.calibration.limits import Ceiling, Limit, ceilings
from stt_load.calibration.machine import Machine
from stt_load.calibration.reasons import why_broken
from stt_load.calibration.result import Calibration, ClockError
from stt_load.calibration.search import RESOLUTION, Search
from stt_load.calibration.trial import TEXT, TestBed, make_clips, run_trial
from stt_load.credentials import without_credentials
from stt_load.errors import SttLoadError
from stt_load.server.process import sink_server
from stt_load.versions import describe_versions

OnTrial = Callable[[Trial], None]
"""Hears of each trial when it has ended."""

_DELAY_S = 0.3  # of the sink
_ALONE_S = 2.0  # hold of the first trial
_PACKAGES = ("locust", "gevent", "numpy")


@dataclass(frozen=True, slots=True)
class Thoroughness:
    """How thorough. Clip lengths and hold in seconds."""

    hold_s: float
    clips_s: tuple[float, float]
    resolution: float

    @property
    def utterance_s(self) -> float:
        """From dial to dial, in the mean."""
        return sum(self.clips_s) / 2 + _DELAY_S

    def held_for(self, hold_s: float | None) -> Thoroughness:
        """The same with another hold; None: as it is."""
        return self if hold_s is None else replace(self, hold_s=hold_s)


THOROUGH = Thoroughness(hold_s=8.0, clips_s=(5.0, 7.0), resolution=RESOLUTION)
QUICK = Thoroughness(hold_s=3.0, clips_s=(2.0, 3.0), resolution=0.25)


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """`url` None: a sink of our own. `most` None: as many as the machine's limits allow."""

    url: str | None
    is_loopback: bool
    most: int | None
    frame_ms: float
    manner: Thoroughness

    def ceilings(self, machine: Machine) -> list[Ceiling]:
        return ceilings(machine, self.most, self.manner.utterance_s, self.is_loopback)


def calibrate(asked: CalibrationRequest, machine: Machine, on_trial: OnTrial) -> Calibration:
    """SttLoadError where a run could not be made, or where one caller alone is too much."""
    ceiling = asked.ceilings(machine)[0]
    search = Search(ceiling.callers, resolution=asked.manner.resolution)
    with tempfile.TemporaryDirectory(prefix="stt-load-calibrate-") as name:
        folder = Path(name)
        make_clips(folder, *asked.manner.clips_s)
        with _ground(asked, folder) as ground:
            trials = _try_out(ground, search, on_trial)
        clock = None if asked.url else _clock(asked, folder, max(1, search.holds // 2), on_trial)
    return _concluded(asked, machine, trials, search, ceiling, clock)


@contextmanager
def _ground(asked: CalibrationRequest, folder: Path, truth: Path | None = None) -> Iterator[TestBed]:
    """With a sink of our own while it lasts, unless there is another. `truth`: where ours keeps its log."""
    if asked.url is not None:
        yield TestBed(folder, asked.url, None, asked.frame_ms, asked.manner.hold_s)
        return
    with sink_server(_DELAY_S, TEXT, truth) as sink:
        yield TestBed(folder, sink.url, sink.pid, asked.frame_ms, asked.manner.hold_s)


def _try_out(ground: TestBed, search: Search, on_trial: OnTrial) -> list[Trial]:
    """The first trial has one caller: it says what a process costs, and whether a run works at all."""
    trials: list[Trial] = []

    def attempt(ground: TestBed, callers: int) -> Trial:
        trial, _ = run_trial(ground, callers)
        on_trial(trial)
        trials.append(trial)
        return trial

    alone = attempt(replace(ground, hold_s=min(ground.hold_s, _ALONE_S)), 1)
    if alone.failed_by:
        raise SttLoadError(f"one caller alone got no answer: {alone.failed_by}")
    while (callers := search.next_callers) is not None:
        search.tell(attempt(ground, callers).broken_by is None)
    if not search.holds:
        raise SttLoadError(f"not even one caller was played in time: {trials[-1].broken_by}; see `stt-load doctor`")
    return trials


def _clock(asked: CalibrationRequest, folder: Path, callers: int, on_trial: OnTrial) -> ClockError | None:
    truth = folder / "truth.jsonl"
    with _ground(asked, folder, truth) as ground:
        trial, rows = run_trial(ground, callers)
        on_trial(trial)
    lines = truth.read_text(encoding="utf-8").splitlines()
    return ClockError.of(callers, clock_errors_s(rows, (json.loads(line) for line in lines)))


def _concluded(
    asked: CalibrationRequest,
    machine: Machine,
    trials: list[Trial],
    search: Search,
    ceiling: Ceiling,
    clock: ClockError | None,
) -> Calibration:
    alone = trials[0]
    best = next((t for t in trials if t.callers == search.holds and t.broken_by is None), alone)
    more = best.callers - alone.callers
    return Calibration(
        host=describe_host(),
        versions=describe_versions(_PACKAGES),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sink=without_credentials(asked.url) or "own",
        frame_ms=asked.frame_ms,
        hold_s=asked.manner.hold_s,
        is_quick=asked.manner.clips_s == QUICK.clips_s,
        whole_cores=machine.whole_cores,
        callers=best.callers,
        breaks=search.breaks,
        limited_by=_limit(machine, trials, search, ceiling),
        cpu_us_per_frame=best.cpu_us_per_frame,
        cpu_pct_per_caller=best.generator.cpu_pct / best.callers,
        memory_bytes_per_caller=(best.generator.memory_bytes - alone.generator.memory_bytes) / more if more else None,
        process_memory_bytes=alone.generator.memory_bytes,
        others_cpu_pct=median(trial.others_cpu_pct for trial in trials),
        clock=clock,
        trials=tuple(_as_row(trial) for trial in trials),
    )


def _limit(machine: Machine, trials: list[Trial], search: Search, ceiling: Ceiling) -> Limit:
    """What broke the smallest number of callers that broke; where none did, what kept us from trying more."""
    broken = [trial for trial in trials if trial.callers == search.breaks and trial.broken_by is not None]
    return why_broken(broken[-1], machine) if broken else ceiling.limit


def _as_row(trial: Trial) -> dict[str, Any]:
    return {**asdict(trial), "cpu_us_per_frame": trial.cpu_us_per_frame, "broken_by": trial.broken_by}
