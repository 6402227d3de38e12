"""Whether the generator stays as it began: one process, one core, many callers, for a long time.

    python bench/soak.py [--callers 500] [--minutes 30]

Memory and descriptors of the process are read every ten seconds, frames sent late are counted minute by minute, and at
the end there is a row for every utterance that the sink counted. The first tenth of the time counts for nothing: caches
fill then.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import psutil
from bars import Bar, print_bars
from clip_folder import CLIP_S, write_clips
from ladder_run import LiveRun, live_run, rows_of, stages_of
from rig import health, pinned_sink

_EVERY_S = 10.0
_MOST_GROWTH_MIB_PER_HOUR = 2.0  # Locust counts the requests of each second in a dictionary that it keeps


@click.command()
@click.option("--callers", default=500)
@click.option("--minutes", default=30.0)
def main(callers: int, minutes: float) -> None:
    seconds = 60 * minutes
    flags = ["--concurrency", str(callers), "--ramp-rate", "50", "--hold", f"{seconds + CLIP_S}s"]
    with (
        tempfile.TemporaryDirectory() as name,
        pinned_sink() as sink,
        live_run(sink.url, write_clips(Path(name) / "clips"), *flags) as run,
    ):
        run.wait_for("hold")
        samples = samples_of(run, seconds)
        folder = run.finish()
        sent = health(sink)["utterances"]
        rows = rows_of(folder / "utterances.jsonl")
        (stage,) = stages_of(folder)
    late = late_by_minute(rows)
    steady = samples[len(samples) // 10 :]
    growth_mib = 3_600 * slope([(s["at_s"], s["resident_kib"] / 1_024) for s in steady])
    descriptors = [s["descriptors"] for s in steady]
    what = f"{callers} callers for {minutes:g} minutes"
    print_bars(
        [
            Bar.of(f"rows of {sent:,} utterances that the sink counted, {what}", [100 * len(rows) / sent], "%", 100.0),
            Bar.of("memory that the process gains in an hour", [growth_mib], "MiB", _MOST_GROWTH_MIB_PER_HOUR),
            Bar.of("descriptors, last third less first", [trend(descriptors)], "", 0.02 * callers),
            Bar.of("late frames of the worst minute", [max(late)], "%", 1.0),
            Bar.of("late frames, last third less first", [trend(late)], "%", 0.5),
            Bar.of("late frames of the whole hold", [100 * stage["frames_late"] / stage["frames"]], "%", 1.0),
        ],
        samples=samples,
        late_pct_by_minute=late,
    )


def samples_of(run: LiveRun, seconds: float) -> list[dict[str, Any]]:
    """Resident memory and open descriptors of the generator, every ten seconds of `seconds`."""
    process, begun_s, samples = psutil.Process(run.process.pid), time.monotonic(), []
    while (at_s := time.monotonic() - begun_s) < seconds and run.process.is_running:
        memory_kib = process.memory_info().rss // 1024
        samples.append({"at_s": at_s, "resident_kib": memory_kib, "descriptors": process.num_fds()})
        time.sleep(_EVERY_S)
    return samples


def late_by_minute(rows: list[dict[str, Any]]) -> list[float]:
    """The share of late frames, in percent, of the utterances that began in each minute of the hold."""
    frames: Counter[int] = Counter()
    late: Counter[int] = Counter()
    counted = [row for row in rows if row["phase"] == "hold" and row["stream_start_s"] is not None]
    first_s = min(row["stream_start_s"] for row in counted)
    for row in counted:
        minute = int((row["stream_start_s"] - first_s) // 60)
        frames[minute] += row["frames"]
        late[minute] += row["frames_late"]
    return [100 * late[minute] / frames[minute] for minute in sorted(frames)]


def trend(values: list[float]) -> float:
    """The mean of the last third less that of the first; 0 for fewer than three values."""
    third = len(values) // 3
    return statistics.fmean(values[-third:]) - statistics.fmean(values[:third]) if third else 0.0


def slope(points: list[tuple[float, float]]) -> float:
    """Growth per second by least squares; 0 for fewer than two points."""
    return statistics.linear_regression(*zip(*points, strict=True)).slope if len(points) > 1 else 0.0


if __name__ == "__main__":
    main()
