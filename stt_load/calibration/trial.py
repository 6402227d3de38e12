"""Runs one trial: a real `stt-load run` in one process, or several, against a sink, measured from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from stt_load.audio.clip import Clip
from stt_load.calibration.host_probe import process_cpu_s, read_tcp_counters
from stt_load.calibration.trial_figures import (
    JsonRow,
    ProcessUsage,
    TrialFigures,
    UsageSample,
    count_errors,
    counted_utterances,
    find_hold,
    frames_between,
    has_all_utterances,
    usage_between,
)
from stt_load.clips.folder import write_folder
from stt_load.credentials import API_KEY_VARIABLE, HEADERS_VARIABLE
from stt_load.errors import ExitCode, Outcome, SttLoadError
from stt_load.process.ending_signals import die_with_parent
from stt_load.report.raw_files import RUN, STAGES, UTTERANCES

TEXT = "some words"  # the text of every clip and every answer, so that scoring costs as little as it can
_STT_LOAD = ("-P", "-m", "stt_load")
_CODES_WITH_FIGURES = (ExitCode.FINE, ExitCode.SLO_MISSED, ExitCode.NOT_BELIEVABLE)
_N_CLIPS = 12
_RATE_HZ = 16_000
_PAD_S = 0.05
_LOUDNESS = 3_000  # of the noise, out of 32,767
_SAMPLED_EVERY_S = 0.1
_NOT_BUSY = ("idle", "iowait", "steal", "guest", "guest_nice")  # guest time is in user time too
_RAMP_S = 10.0  # a caller who arrives costs more than one who speaks, and a trial is about the latter
_SLOWEST_RAMP = 20
_OVERHEAD_DEADLINE_S = 180.0  # for all of a run but its hold


@dataclass(frozen=True, slots=True)
class TestBed:
    """What trials are run with. `sink_pid` is None if the user named the sink. `processes`: how many play callers; with
    more than one, a master leads them."""

    folder: Path
    url: str
    sink_pid: int | None
    frame_ms: float
    hold_s: float
    processes: int = 1


def make_clips(folder: Path, shortest_s: float, longest_s: float) -> None:
    """Writes clips of noise with lengths spread between the two: a sink doesn't care what is said."""
    random = np.random.default_rng(0)
    clips = []
    for ordinal, speech_s in enumerate(np.linspace(shortest_s, longest_s, _N_CLIPS)):
        samples = np.zeros(round((speech_s + 2 * _PAD_S) * _RATE_HZ), dtype=np.int16)
        pad = round(_PAD_S * _RATE_HZ)
        samples[pad:-pad] = (random.standard_normal(len(samples) - 2 * pad) * _LOUDNESS).clip(-32_767, 32_767)
        end_s = (len(samples) - pad) / _RATE_HZ
        clips.append(Clip(f"noise-{ordinal:02}", TEXT, samples, _RATE_HZ, _PAD_S, end_s))
    write_folder(folder / "clips", clips, {"engine": "noise"})


def run_trial(test_bed: TestBed, callers: int) -> tuple[TrialFigures, list[JsonRow]]:
    """Runs one trial and returns its figures and its rows of utterances.jsonl. Raises SttLoadError if the run fails."""
    label = f"calibrate-{callers}-{time.monotonic_ns()}"
    troubles = read_tcp_counters()
    samples = _run_sampled(test_bed, callers, label)
    risen = {name: n - troubles.get(name, n) for name, n in read_tcp_counters().items()}
    run = _run_folder(test_bed, label)
    assert run is not None
    rows = _rows(run / UTTERANCES)
    return _trial_figures(callers, test_bed.processes, run, rows, samples, risen), rows


def _command(test_bed: TestBed, callers: int, label: str) -> list[str]:
    options = {
        "dialect": "vosk",
        "end": "client",
        "concurrency": callers,
        "processes": test_bed.processes,
        "hold": f"{test_bed.hold_s:g}s",
        "settle": "0s",
        "ramp-rate": max(_SLOWEST_RAMP, round(callers / _RAMP_S)),
        "frame-ms": f"{test_bed.frame_ms:g}",
        "clips": test_bed.folder / "clips",
        "results": test_bed.folder / "results",
        "label": label,
    }
    arguments = [argument for name, value in options.items() for argument in (f"--{name}", str(value))]
    return [sys.executable, *_STT_LOAD, "run", *arguments]


def _environment(test_bed: TestBed) -> dict[str, str]:
    """Our environment without the options that the user keeps there for runs; the credentials stay, for a sink of
    --url, which may hold some itself and is in no command line for that reason."""
    ours, kept = ("STT_LOAD_", "LOCUST_"), (API_KEY_VARIABLE, HEADERS_VARIABLE)
    kept_here = {name: text for name, text in os.environ.items() if not name.startswith(ours) or name in kept}
    return {**kept_here, "STT_LOAD_STT_URL": test_bed.url}


@dataclass(slots=True)
class UsageSamples:
    """CPU and memory samples of each process of the run, by its id, of the sink and of the whole machine (CPU only)."""

    generator: dict[int, list[UsageSample]] = field(default_factory=dict)
    sink: list[UsageSample] = field(default_factory=list)
    machine: list[UsageSample] = field(default_factory=list)

    def take(self, generator_pids: Iterable[int], sink_pid: int | None) -> None:
        for pid in generator_pids:
            self.generator.setdefault(pid, []).extend(_sample(pid))
        if sink_pid is not None:
            self.sink += _sample(sink_pid)
        times = psutil.cpu_times()
        self.machine.append((time.monotonic(), sum(times) - sum(getattr(times, name, 0.0) for name in _NOT_BUSY), 0))

    def generators_between(self, start_s: float, end_s: float) -> list[ProcessUsage]:
        """What each process of the run used, the busiest first."""
        used = [usage_between(samples, start_s, end_s) for samples in self.generator.values()]
        return sorted(used, key=lambda usage: usage.cpu_pct, reverse=True)


def _run_sampled(test_bed: TestBed, callers: int, label: str) -> UsageSamples:
    """Runs `stt-load run` until all figures are there, and samples it meanwhile. The run is always ended."""
    log = test_bed.folder / f"{label}.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(test_bed, callers, label),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=test_bed.folder,  # no locust.conf of the user's
            env=_environment(test_bed),
            process_group=0,  # Ctrl-C is for us, and we end it
            preexec_fn=partial(die_with_parent, os.getpid()),  # even where nobody is left to end it
        )
    samples = UsageSamples()
    try:
        is_measured = _sample_until_measured(test_bed, process, label, samples)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # nothing that it would still do is needed: the folder has its rows
            process.wait()
    if not is_measured and process.returncode not in _CODES_WITH_FIGURES:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        why = next((line for line in lines if line.startswith("error: ")), lines[-1] if lines else "it printed nothing")
        how = "took too long" if process.returncode < 0 else f"ended with exit code {process.returncode}"
        raise SttLoadError(f"the run with {callers:,} callers {how}: {why.removeprefix('error: ')}")
    return samples


def _sample_until_measured(
    test_bed: TestBed, process: subprocess.Popen[bytes], label: str, samples: UsageSamples
) -> bool:
    """False if the run ended before it was measured, or took too long."""
    deadline_s = time.monotonic() + _OVERHEAD_DEADLINE_S + 3 * test_bed.hold_s
    n_processes = 1 if test_bed.processes == 1 else 1 + test_bed.processes  # the master among them
    pids = [process.pid]
    while time.monotonic() < deadline_s:
        if len(pids) < n_processes:
            pids = [process.pid, *_children(process.pid)]
        samples.take(pids, test_bed.sink_pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SAMPLED_EVERY_S)
            return False
        run = _run_folder(test_bed, label)
        if run is not None and _has_settled(run) and has_all_utterances(_transitions(run), _rows(run / UTTERANCES)):
            return True
    return False


def _has_settled(run: Path) -> bool:
    """True once the hold and its grace are over. Cheap enough for ten times a second; with thousands of rows
    `has_all_utterances` is not."""
    return any(line["phase"] == "settle" for line in _transitions(run))


def _children(pid: int) -> list[int]:
    """The processes that this one has started; none if it is gone."""
    with contextlib.suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def _sample(pid: int) -> Iterator[UsageSample]:
    """One sample of a process, none if it is gone."""
    with contextlib.suppress(psutil.Error, OSError):
        yield time.monotonic(), process_cpu_s(pid), psutil.Process(pid).memory_info().rss


def _trial_figures(
    callers: int, processes: int, run: Path, rows: list[JsonRow], samples: UsageSamples, risen: Mapping[str, int]
) -> TrialFigures:
    utterances = counted_utterances(rows)
    hold = find_hold(_transitions(run))
    return TrialFigures(
        callers=callers,
        processes=processes,
        reached=hold[0]["reached"] if hold else None,
        utterances=len(utterances),
        failed=sum(row["outcome"] != Outcome.OK for row in utterances),
        frames=sum(row["frames"] for row in utterances),
        frames_late=sum(row["frames_late"] for row in utterances),
        lag_max_s=max((row["pacing_lag_max_s"] or 0.0 for row in utterances), default=None),
        troubles=risen,
        errors=count_errors(utterances),
        **(_hold_figures(*hold, run, rows, samples) if hold else _NO_HOLD),
    )


_NO_HOLD: dict[str, Any] = {
    "hold_s": 0.0,
    "generator": ProcessUsage(0.0, 0.0, 0),
    "frames_in_hold": 0,
    "sink_cpu_pct": None,
    "others_cpu_pct": 0.0,
    "stolen_pct": 0.0,
}


def _hold_figures(
    began: JsonRow, ended: JsonRow, run: Path, rows: list[JsonRow], samples: UsageSamples
) -> dict[str, Any]:
    """Figures of the hold, between two lines of stages.jsonl: the fields that `_NO_HOLD` names."""
    frame_s = json.loads((run / RUN).read_text(encoding="utf-8"))["frame"]["ms"] / 1_000
    span = began["mono"], ended["mono"]
    generators = samples.generators_between(*span)
    sink_cpu_pct = usage_between(samples.sink, *span).cpu_pct if samples.sink else None
    busy_pct = usage_between(samples.machine, *span).cpu_pct
    return {
        "hold_s": span[1] - span[0],
        "generator": generators[0],
        "frames_in_hold": frames_between(rows, frame_s, began["t"], ended["t"]),
        "sink_cpu_pct": sink_cpu_pct,
        "others_cpu_pct": max(0.0, busy_pct - sum(each.cpu_pct for each in generators) - (sink_cpu_pct or 0.0)),
        "stolen_pct": ended["stolen_cpu_pct"] or 0.0,
    }


def _run_folder(test_bed: TestBed, label: str) -> Path | None:
    """The run's folder; None before the run has created it."""
    return next((test_bed.folder / "results").glob(f"*-{label}"), None)


def _transitions(run: Path) -> list[JsonRow]:
    return _rows(run / STAGES)


def _rows(path: Path) -> list[JsonRow]:
    """The whole lines of a JSON Lines file that may still be growing, or not exist yet."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.split("\n")[:-1]]  # what follows the last end is half a line
