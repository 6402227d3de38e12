"""One trial: a real `stt-load run` in one process against a sink, watched from outside."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from stt_load.audio.clip import Clip
from stt_load.calibration.figures import (
    Row,
    Sample,
    Trial,
    Usage,
    counted,
    errors_of,
    frames_between,
    hold_of,
    is_measured,
    usage_between,
)
from stt_load.calibration.host_probe import look_at_trouble, process_cpu_s
from stt_load.clips.folder import write_folder
from stt_load.credentials import API_KEY_VARIABLE
from stt_load.errors import ExitCode, Outcome, SttLoadError

TEXT = "some words"  # what every clip says, and every answer: scoring costs as little as it can
_STT_LOAD = ("-c", "from stt_load.cli import main; main()")
_DATA = (ExitCode.FINE, ExitCode.SLO_MISSED, ExitCode.NOT_BELIEVABLE)  # exit codes of a run with figures
_N_CLIPS = 12
_RATE_HZ = 16_000
_PAD_S = 0.05
_LOUDNESS = 3_000  # of noise, out of 32,767
_SAMPLED_EVERY_S = 0.1
_NOT_BUSY = ("idle", "iowait", "steal", "guest", "guest_nice")  # guest time is in user time too
_RAMP_S = 10.0  # who arrives costs more than who speaks, and is not what a trial asks about
_SLOWEST_RAMP = 20
_PATIENCE_S = 180.0  # for everything of a run but its hold


@dataclass(frozen=True, slots=True)
class TestBed:
    """Where trials are run. `sink_pid` is None where the sink is not ours."""

    folder: Path
    url: str
    sink_pid: int | None
    frame_ms: float
    hold_s: float


def make_clips(folder: Path, shortest_s: float, longest_s: float) -> None:
    """Noise for speech, of lengths spread between the two: what is said makes no difference to a sink."""
    random = np.random.default_rng(0)
    clips = []
    for ordinal, speech_s in enumerate(np.linspace(shortest_s, longest_s, _N_CLIPS)):
        samples = np.zeros(round((speech_s + 2 * _PAD_S) * _RATE_HZ), dtype=np.int16)
        pad = round(_PAD_S * _RATE_HZ)
        samples[pad:-pad] = (random.standard_normal(len(samples) - 2 * pad) * _LOUDNESS).clip(-32_767, 32_767)
        end_s = (len(samples) - pad) / _RATE_HZ
        clips.append(Clip(f"noise-{ordinal:02}", TEXT, samples, _RATE_HZ, _PAD_S, end_s))
    write_folder(folder / "clips", clips, {"engine": "noise"})


def run_trial(ground: TestBed, callers: int) -> tuple[Trial, list[Row]]:
    """The figures of one run, and its rows. SttLoadError where it could not be made."""
    label = f"calibrate-{callers}-{time.monotonic_ns()}"
    troubles = look_at_trouble()
    watch = _watched(ground, callers, label)
    risen = {name: n - troubles.get(name, n) for name, n in look_at_trouble().items()}
    run = _run_folder(ground, label)
    assert run is not None
    rows = _rows(run / "utterances.jsonl")
    return _trial(callers, run, rows, watch, risen), rows


def _command(ground: TestBed, callers: int, label: str) -> list[str]:
    options = {
        "stt-url": ground.url,
        "dialect": "vosk",
        "end": "client",
        "concurrency": callers,
        "hold": f"{ground.hold_s:g}s",
        "settle": "0s",
        "ramp-rate": max(_SLOWEST_RAMP, round(callers / _RAMP_S)),
        "frame-ms": f"{ground.frame_ms:g}",
        "clips": ground.folder / "clips",
        "results": ground.folder / "results",
        "label": label,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [sys.executable, *_STT_LOAD, "run", *words]


def _environment() -> dict[str, str]:
    """Without the options that the user keeps there for runs of his own; the key goes with --url."""
    ours = ("STT_LOAD_", "LOCUST_")
    return {name: text for name, text in os.environ.items() if not name.startswith(ours) or name == API_KEY_VARIABLE}


@dataclass(slots=True)
class Watch:
    """Samples of the run's process, the sink's, and the whole machine (whose memory nobody asks for)."""

    generator: list[Sample] = field(default_factory=list)
    sink: list[Sample] = field(default_factory=list)
    machine: list[Sample] = field(default_factory=list)

    def look(self, generator_pid: int, sink_pid: int | None) -> None:
        self.generator += _sample(generator_pid)
        if sink_pid is not None:
            self.sink += _sample(sink_pid)
        times = psutil.cpu_times()
        self.machine.append((time.monotonic(), sum(times) - sum(getattr(times, name, 0.0) for name in _NOT_BUSY), 0))


def _watched(ground: TestBed, callers: int, label: str) -> Watch:
    """Runs it until it is measured. Whatever happens, it is ended."""
    log = ground.folder / f"{label}.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(ground, callers, label),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ground.folder,  # no locust.conf of the user's
            env=_environment(),
            process_group=0,  # Ctrl-C is for us, and we end it
        )
    watch = Watch()
    try:
        is_over = _watch_until_measured(ground, process, label, watch)
    finally:
        if process.poll() is None:
            process.kill()  # nothing that it would still do is needed: its rows are in the folder
            process.wait()
    if not is_over and process.returncode not in _DATA:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        why = next((line for line in lines if line.startswith("error: ")), lines[-1] if lines else "it said nothing")
        how = "took too long" if process.returncode < 0 else f"ended with exit code {process.returncode}"
        raise SttLoadError(f"the run with {callers:,} callers {how}: {why.removeprefix('error: ')}")
    return watch


def _watch_until_measured(ground: TestBed, process: subprocess.Popen[bytes], label: str, watch: Watch) -> bool:
    """False where the run ended by itself before that, or took too long."""
    deadline_s = time.monotonic() + _PATIENCE_S + 3 * ground.hold_s
    while time.monotonic() < deadline_s:
        watch.look(process.pid, ground.sink_pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SAMPLED_EVERY_S)
            return False
        run = _run_folder(ground, label)
        if run is not None and _is_settled(run) and is_measured(_transitions(run), _rows(run / "utterances.jsonl")):
            return True
    return False


def _is_settled(run: Path) -> bool:
    """Cheap to ask ten times a second; `is_measured` is not, with thousands of rows."""
    return any(line["phase"] == "settle" for line in _transitions(run))


def _sample(pid: int) -> Iterator[Sample]:
    """One, or none of a process that has gone."""
    with contextlib.suppress(psutil.Error, OSError):
        yield time.monotonic(), process_cpu_s(pid), psutil.Process(pid).memory_info().rss


def _trial(callers: int, run: Path, rows: list[Row], watch: Watch, risen: Mapping[str, int]) -> Trial:
    mine = counted(rows)
    hold = hold_of(_transitions(run))
    return Trial(
        callers=callers,
        reached=hold[0]["reached"] if hold else None,
        utterances=len(mine),
        failed=sum(row["outcome"] != Outcome.OK for row in mine),
        frames=sum(row["frames"] for row in mine),
        frames_late=sum(row["frames_late"] for row in mine),
        lag_max_s=max((row["pacing_lag_max_s"] or 0.0 for row in mine), default=None),
        troubles=risen,
        errors=errors_of(mine),
        **(_of_hold(*hold, run, rows, watch) if hold else _NO_HOLD),
    )


_NO_HOLD: dict[str, Any] = {
    "hold_s": 0.0,
    "generator": Usage(0.0, 0.0, 0),
    "frames_in_hold": 0,
    "sink_cpu_pct": None,
    "others_cpu_pct": 0.0,
    "stolen_pct": 0.0,
}


def _of_hold(began: Row, ended: Row, run: Path, rows: list[Row], watch: Watch) -> dict[str, Any]:
    """What was watched from one line of stages.jsonl to another: the fields that `_NO_HOLD` names."""
    frame_s = json.loads((run / "run.json").read_text(encoding="utf-8"))["frame"]["ms"] / 1_000
    span = began["mono"], ended["mono"]
    generator = usage_between(watch.generator, *span)
    sink_cpu_pct = usage_between(watch.sink, *span).cpu_pct if watch.sink else None
    busy_pct = usage_between(watch.machine, *span).cpu_pct
    return {
        "hold_s": span[1] - span[0],
        "generator": generator,
        "frames_in_hold": frames_between(rows, frame_s, began["t"], ended["t"]),
        "sink_cpu_pct": sink_cpu_pct,
        "others_cpu_pct": max(0.0, busy_pct - generator.cpu_pct - (sink_cpu_pct or 0.0)),
        "stolen_pct": ended["stolen_cpu_pct"] or 0.0,
    }


def _run_folder(ground: TestBed, label: str) -> Path | None:
    """Appears when the run begins."""
    return next((ground.folder / "results").glob(f"*-{label}"), None)


def _transitions(run: Path) -> list[Row]:
    return _rows(run / "stages.jsonl")


def _rows(path: Path) -> list[Row]:
    """Whole lines of a file that may still be written to, or not be there yet."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
