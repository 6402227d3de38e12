"""A real run of stt-load for the bench: `stt-load run` in one process, measured in its hold."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clip_folder import CLIP_S
from rig import GENERATOR_CORE, Generator, Window, pinned, watch

from stt_load.server.process import ServerProcess

STT_LOAD = (sys.executable, "-c", "from stt_load.cli import main; main()")
_START_LIMIT_S = 180.0
_RAMP_S = 25  # who arrives costs more than who speaks: what counts is the hold, which is not to begin with a backlog
_END_LIMIT_S = 600.0
# The sink answers everything with the same two words, and that is allowed.
_OBJECTIVES = ["--slo", "eos_latency:p95<1s", "--slo", "error_rate<1%", "--slo", "wer<1000%"]
_LANDED = {0, 3, 4}  # verdicts of the run are data here


class RunFailed(Exception):
    """The run failed; the message has the last line that it printed."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run with one stage: the stage of summary.json, its rows, and what was measured in the hold."""

    stage: dict[str, Any]
    rows: list[dict[str, Any]]
    window: Window | None

    @property
    def late_pct(self) -> float | None:
        """Frames of the stage that were sent more than 10 ms after they were due, in percent."""
        frames = self.stage["frames"]
        return 100 * self.stage["frames_late"] / frames if frames else None

    @property
    def lag_max_s(self) -> float:
        return max((row["pacing_lag_max_s"] or 0.0 for row in self.rows if row["phase"] == "hold"), default=0.0)

    @property
    def eos_median_s(self) -> float | None:
        median: float | None = self.stage["eos_latency_s"]["p50"]
        return median


@dataclass
class LiveRun:
    """A run that is going on."""

    process: Generator
    results: Path

    def wait_for(self, phase: str, stage: int = 0) -> None:
        deadline_s = time.monotonic() + _START_LIMIT_S
        while not any(row["phase"] == phase and row["stage"] == stage for row in self.stages()):
            if not self.process.is_running or time.monotonic() > deadline_s:
                raise RunFailed(f"no {phase}: {self.process.said()[-2000:]}")
            time.sleep(0.02)

    def stages(self) -> list[dict[str, Any]]:
        return [row for path in self.results.glob("*/stages.jsonl") for row in rows_of(path)]

    def finish(self) -> Path:
        """Waits for the end of the run and returns its folder."""
        try:
            code = self.process.finish(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise RunFailed(f"no end: {self.process.said()[-2000:]}") from None
        if code not in _LANDED:
            raise RunFailed(f"exit code {code}: {self.process.said()[-2000:]}")
        (folder,) = self.results.iterdir()
        return folder


@contextmanager
def live_run(
    url: str,
    clips: Path,
    *flags: str,
    core: int | None = GENERATOR_CORE,
    locustfile: Path | None = None,
    environment: Mapping[str, str] | None = None,
    nice: int = 0,
) -> Iterator[LiveRun]:
    """The command line of `stt-load run`, or of Locust with another locustfile and the same options."""
    with tempfile.TemporaryDirectory() as results:
        line = [*STT_LOAD, "run", *([] if "--master" in flags else ["--processes", "1"])]
        if locustfile is not None:
            line = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--only-summary"]
        line += ["--stt-url", url, "--dialect", "vosk", "--end", "client", "--clips", str(clips), *_OBJECTIVES]
        line += [*flags, "--settle", "0.2s", "--results", results]
        with pinned(line, core, environment, nice) as process:
            yield LiveRun(process, Path(results))


def play(
    sink: ServerProcess,
    clips: Path,
    callers: int,
    window_s: float,
    *flags: str,
    while_held: Callable[[int, float], None] | None = None,
    locustfile: Path | None = None,
    nice: int = 0,
) -> RunResult:
    """Runs one stage with `callers` callers.

    Measuring starts when every caller has had the time of one clip to begin. If `while_held(pid, seconds)` is given, it
    is called instead.
    """
    warm_s = CLIP_S + 1.0
    hold = ["--concurrency", str(callers), "--ramp-rate", str(max(50, callers // _RAMP_S))]
    hold += ["--hold", f"{warm_s + window_s}s"]
    window = None
    with live_run(sink.url, clips, *hold, *flags, locustfile=locustfile, nice=nice) as run:
        run.wait_for("hold")
        time.sleep(warm_s)
        if while_held is not None:
            while_held(run.process.pid, window_s)
        else:
            window = watch(sink, run.process.pid, window_s - 0.3)
        folder = run.finish()
        (stage,) = stages_of(folder)
        return RunResult(stage, rows_of(folder / "utterances.jsonl"), window)


def stages_of(folder: Path) -> Sequence[dict[str, Any]]:
    stages: list[dict[str, Any]] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["stages"]
    return stages


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSON Lines file; one that is being written is left out."""
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in whole.split("\n") if line]
