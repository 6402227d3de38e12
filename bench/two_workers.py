"""Two cores against one: does a second worker process carry as many callers as the first?

    python bench/two_workers.py [--steps 2600,3000,3200,3400,3600,3800] [--hold 10] [--repeats 3]

A unit is one Locust worker and a sink of its own, both pinned to one core. One unit and the master on one core climb
the steps; then two units and the master on two cores climb twice as many callers. What counts is the largest stage
whose pacing lag p99 is within 10 ms, with all callers there and all rows home.
"""

from __future__ import annotations

import socket
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from bars import Bar, print_bars
from clip_folder import write_clips
from ladder_run import live_run, stages_of
from rig import CHECKOUT, CORES, pinned, pinned_sink

_FRAME_S = 0.1
_HONEST = ("users reached", "workers constant", "pacing lag", "no rows lost")  # CPU above 90 % is no fault here


@click.command()
@click.option("--steps", default="2600,3000,3200,3400,3600,3800", help="Callers a unit, stage by stage.")
@click.option("--hold", "hold_s", default=10.0)
@click.option("--repeats", default=3)
def main(steps: str, hold_s: float, repeats: int) -> None:
    if len(CORES) < 2:
        print_bars([Bar("two workers against one", 1.9, None, "×", None, note="needs two cores")])
        return
    per_unit = [int(step) for step in steps.split(",")]
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        clips = write_clips(Path(name) / "clips")
        for _ in range(repeats):
            for units in (1, 2):
                found = climb(units, clips, per_unit, hold_s)
                runs.append({"units": units, "held": held(found), "frames_per_s": carried(found), "stages": found})
                print(runs[-1], flush=True)
    print_bars(bars_of(runs), runs=runs)


def bars_of(runs: list[dict[str, Any]]) -> list[Bar]:
    one, two = ([run for run in runs if run["units"] == units] for units in (1, 2))
    pairs = list(zip(one, two, strict=True))
    is_open = any(run["held"] == run["stages"][-1]["callers"] for run in runs)
    return [
        Bar.of("frames a second, one worker on one core", [run["frames_per_s"] for run in one], "/s", None),
        Bar.of("frames a second, two workers on two cores", [run["frames_per_s"] for run in two], "/s", None),
        Bar.of(
            "two workers against one, at the largest load that each holds",
            [b["frames_per_s"] / a["frames_per_s"] if a["frames_per_s"] else None for a, b in pairs],
            "×",
            1.9,
            is_least=True,
            note="a ladder ended before its worker did: give more --steps" if is_open else None,
        ),
        Bar.of(
            "frames for a second of worker CPU, two workers against one, at the smallest load",
            [2 * _cost(a["stages"][0]) / _cost(b["stages"][0]) for a, b in pairs],
            "×",
            None,
        ),
    ]


def climb(units: int, clips: Path, per_unit: list[int], hold_s: float) -> list[dict[str, Any]]:
    """The stages of a run with `units` workers, with the figures that matter here."""
    cores = CORES[:units]
    port = _free_port()
    ladder = ",".join(str(units * callers) for callers in per_unit)
    flags = ["--concurrency", ladder, "--ramp-rate", str(1_000 * units), "--hold", f"{hold_s}s"]
    flags += ["--master", "--expect-workers", str(units)]
    flags += ["--master-bind-host", "127.0.0.1", "--master-bind-port", str(port)]
    with ExitStack() as stack:
        sinks = [stack.enter_context(pinned_sink(core)) for core in cores]
        core = cores[0] if units == 1 else None
        run = stack.enter_context(live_run(sinks[0].url, clips, *flags, core=core))
        for core, sink in zip(cores, sinks, strict=True):
            line = [sys.executable, "-m", "locust", "-f", str(CHECKOUT / "bench/locustfiles/own_sink.py"), "--worker"]
            line += ["--master-port", str(port), "--loglevel", "ERROR"]
            stack.enter_context(pinned(line, core, {"BENCH_SINK_URL": sink.url}))
        return [_row(stage, units) for stage in stages_of(run.finish())]


def _row(stage: dict[str, Any], units: int) -> dict[str, Any]:
    broken = [line["condition"] for line in stage["validity"] if not line["is_met"]]
    return {
        "callers": stage["users"],
        "units": units,
        "is_held": not [condition for condition in broken if condition.startswith(_HONEST)],
        "late_pct": 100 * stage["frames_late"] / stage["frames"] if stage["frames"] else None,
        "generator_cpu_pct": stage["generator_cpu_pct"],  # of the busiest worker
        "frames_per_s": stage["users"] * (stage["duty_cycle"] or 0.0) / _FRAME_S,
    }


def held(stages: list[dict[str, Any]]) -> int:
    """The largest stage that holds, if all smaller ones do too; 0 if the first one doesn't."""
    return max((row["callers"] for row in _holding(stages)), default=0)


def carried(stages: list[dict[str, Any]]) -> float:
    return max((row["frames_per_s"] for row in _holding(stages)), default=0.0)


def _holding(stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    first_failed = next((n for n, row in enumerate(stages) if not row["is_held"]), len(stages))
    return stages[:first_failed]


def _cost(row: dict[str, Any]) -> float:
    """CPU time per frame of the busiest worker, in any unit."""
    return float(row["generator_cpu_pct"] * row["units"] / row["frames_per_s"])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
