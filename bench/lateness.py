"""Makes runs late on purpose: does the lag show it, is the stage invalid, and does the latency not shrink?

    python bench/lateness.py [--callers 300] [--window 10]

The sink answers 0.3 s after the end message. The generator is disturbed once a second, for 200 ms: stopped
(SIGSTOP), blocked by a busy loop of its own process, or put aside by another process on its core that goes first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from bars import Bar, print_bars
from clip_folder import write_clips
from ladder_run import RunResult, play
from rig import CHECKOUT, GENERATOR_CORE, pinned_sink

_DELAY_S = 0.3
_EVERY_S, _LATE_S = 1.0, 0.2
_SHOWS_S = 0.75 * _LATE_S  # no frame need be due at the very beginning of a disturbance
_SHRINKS_MS = 0.5
_PACING = "pacing lag"

_BURNER = f"""
import time
while True:
    until = time.monotonic() + {_LATE_S}
    while time.monotonic() < until: pass
    time.sleep({_EVERY_S - _LATE_S})
"""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One way to make a run late. `while_held` is done to the process in the hold; None: the locustfile does it."""

    name: str
    while_held: Callable[[int, float], None] | None = None
    locustfile: Path | None = None
    nice: int = 0


def _stop_and_go(pid: int, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(_LATE_S)
        os.kill(pid, signal.SIGCONT)
        time.sleep(_EVERY_S - _LATE_S)


def _take_its_core(_: int, seconds: float) -> None:
    burner = subprocess.Popen([sys.executable, "-c", _BURNER])
    try:
        os.sched_setaffinity(burner.pid, {GENERATOR_CORE})
        with contextlib.suppress(PermissionError):  # else the generator's own niceness has to do
            os.sched_setscheduler(burner.pid, os.SCHED_FIFO, os.sched_param(1))
        time.sleep(seconds)
    finally:
        burner.kill()
        burner.wait()


DISTURBANCES = (
    Disturbance("stopped for 200 ms", _stop_and_go),
    Disturbance("a busy loop of 200 ms", locustfile=CHECKOUT / "bench/locustfiles/blocking.py"),
    Disturbance("its core taken away for 200 ms", _take_its_core, nice=19),
)


@click.command()
@click.option("--callers", default=300)
@click.option("--window", "window_s", default=10.0, help="Seconds that are disturbed.")
def main(callers: int, window_s: float) -> None:
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        clips = write_clips(Path(name) / "clips")

        def measure(disturbance: Disturbance) -> RunResult:
            with pinned_sink(delay_s=_DELAY_S) as sink:
                result = play(
                    sink,
                    clips,
                    callers,
                    window_s,
                    while_held=disturbance.while_held,
                    locustfile=disturbance.locustfile,
                    nice=disturbance.nice,
                )
            runs.append(_row(disturbance.name, result))
            print(runs[-1], flush=True)
            return result

        calm = measure(Disturbance("undisturbed"))
        bars = [bar for disturbance in DISTURBANCES for bar in bars_of(disturbance.name, measure(disturbance), calm)]
    print_bars(bars, runs=runs)


def bars_of(name: str, result: RunResult, calm: RunResult) -> list[Bar]:
    assert result.eos_median_s is not None and calm.eos_median_s is not None
    shrunk_ms = 1_000 * (calm.eos_median_s - result.eos_median_s)
    below_ms = 1_000 * (_DELAY_S - result.stage["eos_latency_s"]["min"])
    return [
        Bar.of(f"{name}: worst lag", [1_000 * result.lag_max_s], "ms", 1_000 * _SHOWS_S, is_least=True),
        Bar.of(f"{name}: conditions of validity that it breaks", [len(_broken(result))], "", 1, is_least=True),
        Bar.of(f"{name}: EOS median is lower than undisturbed by", [shrunk_ms], "ms", _SHRINKS_MS),
        Bar.of(f"{name}: the shortest EOS is below the sink's delay by", [below_ms], "ms", _SHRINKS_MS),
    ]


def _broken(result: RunResult) -> list[str]:
    """The failed conditions of the stage, if pacing is one of them; without it they prove nothing."""
    broken = [line["condition"] for line in result.stage["validity"] if not line["is_met"]]
    return broken if any(condition.startswith(_PACING) for condition in broken) else []


def _row(name: str, result: RunResult) -> dict[str, Any]:
    eos = result.stage["eos_latency_s"]
    return {
        "disturbance": name,
        "verdict": result.stage["verdict"],
        "broken": _broken(result),
        "late_pct": result.late_pct,
        "lag_max_ms": 1_000 * result.lag_max_s,
        "eos_p50_ms": 1_000 * eos["p50"],
        "eos_p95_ms": 1_000 * eos["p95"],
        "stream_end_p50_ms": 1_000 * result.stage["stream_end_latency_s"]["p50"],
        "n": result.stage["n"],
    }


if __name__ == "__main__":
    main()
