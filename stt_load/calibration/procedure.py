"""The whole calibration: starts a sink, runs trials until the limit is found, and checks the clock at half of it."""

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

from stt_load.calibration.diagnosis import diagnose
from stt_load.calibration.host_probe import describe_host
from stt_load.calibration.limits import DESCRIPTORS, Ceiling, Limit, ceilings
from stt_load.calibration.machine import Machine, auto_processes
from stt_load.calibration.result import Calibration, ClockError, MachineCallers
from stt_load.calibration.trial import TEXT, TestBed, make_clips, run_trial
from stt_load.calibration.trial_figures import TrialFigures, clock_errors_s
from stt_load.capacity.search import CapacitySearch
from stt_load.capacity.trial import Trial, TrialResult
from stt_load.errors import SttLoadError
from stt_load.server.process import start_sink_server
from stt_load.text.text_rows import lines_of
from stt_load.text.url_secrets import without_credentials
from stt_load.versions import describe_versions

OnTrial = Callable[[TrialFigures], None]
"""Called after each trial."""

_DELAY_S = 0.3  # from the end of an utterance to the sink's answer
_ALONE_S = 2.0  # hold of the first trial
_FIRST = 100  # callers of the second
_PACKAGES = ("locust", "gevent", "numpy")


@dataclass(frozen=True, slots=True)
class Thoroughness:
    """How long trials take and how closely the limit is found. `clips_s`: the shortest and the longest clip.

    `repeats`: trials on each side of the limit. With two, a machine that was busy for a moment does not decide: where
    the second contradicts the first there is a third.
    """

    hold_s: float
    clips_s: tuple[float, float]
    resolution: float
    repeats: int = 2

    @property
    def utterance_s(self) -> float:
        """The mean time from a caller's dial to its next one."""
        return sum(self.clips_s) / 2 + _DELAY_S

    def held_for(self, hold_s: float | None) -> Thoroughness:
        """A copy with another hold; the same one if `hold_s` is None."""
        return self if hold_s is None else replace(self, hold_s=hold_s)


THOROUGH = Thoroughness(hold_s=8.0, clips_s=(5.0, 7.0), resolution=0.1)
QUICK = Thoroughness(hold_s=3.0, clips_s=(2.0, 3.0), resolution=0.25)


@dataclass(frozen=True, slots=True)
class CalibrationRequest:
    """What the user asked for. `url` None: start a sink here. `most` None: as many callers as the machine allows."""

    url: str | None
    is_loopback: bool
    most: int | None
    frame_ms: float
    thoroughness: Thoroughness

    def ceilings(self, machine: Machine) -> list[Ceiling]:
        return ceilings(machine, self.most, self.thoroughness.utterance_s, self.is_loopback)


def calibrate(request: CalibrationRequest, machine: Machine, on_trial: OnTrial) -> Calibration:
    """Runs the whole procedure, in minutes. Raises SttLoadError if a run fails or even one caller is too many."""
    ceiling = request.ceilings(machine)[0]
    thoroughness = request.thoroughness
    search = CapacitySearch(_FIRST, ceiling.callers, thoroughness.resolution, thoroughness.repeats)
    with tempfile.TemporaryDirectory(prefix="stt-load-calibrate-") as name:
        folder = Path(name)
        make_clips(folder, *thoroughness.clips_s)
        with _test_bed(request, folder) as test_bed:
            trials = _run_trials(test_bed, search, on_trial)
            together = _measure_machine(request, test_bed, machine, search.holds, on_trial)
        clock = None if request.url else _measure_clock(request, folder, max(1, search.holds // 2), on_trial)
    return _conclude(request, machine, trials, search, ceiling, clock, together)


@contextmanager
def _test_bed(request: CalibrationRequest, folder: Path, truth: Path | None = None) -> Iterator[TestBed]:
    """Starts a sink for the time of the block, unless the user named one. `truth`: the file of our sink's log."""
    if request.url is not None:
        yield TestBed(folder, request.url, None, request.frame_ms, request.thoroughness.hold_s)
        return
    with start_sink_server(_DELAY_S, TEXT, truth) as sink:
        yield TestBed(folder, sink.url, sink.pid, request.frame_ms, request.thoroughness.hold_s)


def _run_trials(test_bed: TestBed, search: CapacitySearch, on_trial: OnTrial) -> list[TrialFigures]:
    """Runs trials until the search is done. The first has one caller and shows what a process costs."""
    alone, _ = run_trial(replace(test_bed, hold_s=min(test_bed.hold_s, _ALONE_S)), 1)
    on_trial(alone)
    if alone.failed_by:
        raise SttLoadError(f"a trial with one caller failed: {alone.failed_by}")
    trials = [alone, *_searched(test_bed, search, on_trial)]
    if not search.holds:
        raise SttLoadError(
            f"even one caller was too many for this machine: {trials[-1].broken_by}; run `stt-load doctor`"
        )
    return trials


def _searched(test_bed: TestBed, search: CapacitySearch, on_trial: OnTrial) -> list[TrialFigures]:
    trials = []
    while (callers := search.next_users) is not None:
        trial, _ = run_trial(test_bed, callers)
        on_trial(trial)
        trials.append(trial)
        search.record(Trial(callers, TrialResult.FAIL if trial.broken_by else TrialResult.PASS))
    return trials


def _measure_machine(
    request: CalibrationRequest, test_bed: TestBed, machine: Machine, each: int, on_trial: OnTrial
) -> MachineCallers | None:
    """What all the processes of `--processes auto` keep on time at once, where these are several. `each`: callers that
    one of them kept by itself; more than as many times that are not tried."""
    processes = auto_processes(machine.whole_cores)
    if processes == 1:
        return None
    shared = [ceiling.callers for ceiling in request.ceilings(machine) if ceiling.limit.name != DESCRIPTORS]
    most = min([processes * each, *shared])
    thoroughness = request.thoroughness
    search = CapacitySearch(most, most, thoroughness.resolution, thoroughness.repeats)
    for _ in range(thoroughness.repeats if each < most else 0):
        search.record(Trial(each, TrialResult.PASS))  # all of them together keep what one keeps
    trials = _searched(replace(test_bed, processes=processes), search, on_trial)
    broken = [trial for trial in trials if trial.callers == search.breaks and trial.broken_by is not None]
    return MachineCallers(processes, search.holds, search.breaks, diagnose(broken[-1], machine) if broken else None)


def _measure_clock(request: CalibrationRequest, folder: Path, callers: int, on_trial: OnTrial) -> ClockError | None:
    """How far off reported latencies are, from a trial against a sink that logs the true ones."""
    truth = folder / "truth.jsonl"
    with _test_bed(request, folder, truth) as test_bed:
        trial, rows = run_trial(test_bed, callers)
        on_trial(trial)
    lines = lines_of(truth.read_text(encoding="utf-8"))
    return ClockError.of(callers, clock_errors_s(rows, (json.loads(line) for line in lines)))


def _conclude(
    request: CalibrationRequest,
    machine: Machine,
    trials: list[TrialFigures],
    search: CapacitySearch,
    ceiling: Ceiling,
    clock: ClockError | None,
    together: MachineCallers | None,
) -> Calibration:
    alone = trials[0]
    best = next((t for t in trials if t.callers == search.holds and t.broken_by is None), alone)
    more = best.callers - alone.callers
    return Calibration(
        host=describe_host(),
        versions=describe_versions(_PACKAGES),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sink=without_credentials(request.url) or "own",
        frame_ms=request.frame_ms,
        hold_s=request.thoroughness.hold_s,
        is_quick=request.thoroughness.clips_s == QUICK.clips_s,
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
        machine=together,
    )


def _limit(machine: Machine, trials: list[TrialFigures], search: CapacitySearch, ceiling: Ceiling) -> Limit:
    """What made the smallest failing number of callers fail; if none failed, what kept us from trying more."""
    broken = [trial for trial in trials if trial.callers == search.breaks and trial.broken_by is not None]
    return diagnose(broken[-1], machine) if broken else ceiling.limit


def _as_row(trial: TrialFigures) -> dict[str, Any]:
    return {**asdict(trial), "cpu_us_per_frame": trial.cpu_us_per_frame, "broken_by": trial.broken_by}
