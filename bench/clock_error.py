"""How far off is the reported latency? A sink with a known delay, and its own log as the truth.

    python bench/clock_error.py [--callers 1000] [--burn 80] [--window 10] [--repeats 3]

The sink answers every utterance with a text of its own, so that reported and true are matched utterance by utterance.
True is: the answer's last byte handed to the kernel minus the last frame received, stamped in the sink's process by
code that it shares with nobody. Both processes share the machine's monotonic clock. With `--burn` the generator's
process is kept busy with something else, up to so many percent of its core.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
from bars import Bar, print_bars
from clip_folder import write_clips
from ladder_run import play, rows_of
from rig import CHECKOUT, pinned_sink

_DELAY_S = 0.3
_P50_BAR_MS, _P99_BAR_MS = 0.1, 1.0


@click.command()
@click.option("--callers", default=1_000)
@click.option("--window", "window_s", default=10.0, help="Seconds of steady load.")
@click.option("--repeats", default=3)
@click.option("--burn", "burn_pct", default=0, help="Percent of a core that the generator's process is made to take.")
def main(callers: int, window_s: float, repeats: int, burn_pct: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        clips = write_clips(Path(name) / "clips")
        runs = [measure(Path(name) / f"truth-{n}", clips, callers, window_s, burn_pct) for n in range(repeats)]
    where = f"{callers:,} callers" + (f", process at {burn_pct} % CPU" if burn_pct else "")
    bars = [
        Bar.of(f"reported minus true, median, {where}", [abs(run["p50_ms"]) for run in runs], "ms", _P50_BAR_MS),
        Bar.of(
            f"reported minus true, p99 of its size, {where}", [run["size_p99_ms"] for run in runs], "ms", _P99_BAR_MS
        ),
        Bar.of(f"CPU of the generator, {where}", [run["generator_cpu_pct"] for run in runs], "%", None),
    ]
    print_bars(bars, runs=runs)


def measure(truth: Path, clips: Path, callers: int, window_s: float, burn_pct: int) -> dict[str, Any]:
    os.environ["BENCH_BURN_PCT"] = str(burn_pct)
    locustfile = CHECKOUT / "bench/locustfiles/burning.py" if burn_pct else None
    with pinned_sink(delay_s=_DELAY_S, truth=truth) as sink:
        outcome = play(sink, clips, callers, window_s, locustfile=locustfile)
    assert outcome.window is not None
    counted = [row for row in outcome.rows if row["phase"] == "hold"]
    figures = compare(counted, rows_of(truth)) | {
        "generator_cpu_pct": outcome.window.as_row()["generator_cpu_pct"],
        "late_pct": outcome.late_pct,
        "lag_max_ms": 1_000 * outcome.lag_max_s,
    }
    print({name: round(value, 4) for name, value in figures.items()}, flush=True)
    return figures


def compare(reported: list[dict[str, Any]], truth: list[dict[str, Any]]) -> dict[str, float]:
    """The error of `stream_end_latency_s`, milliseconds, over the counted utterances that ended well.

    A process that is put aside between the send and its stamp reports too little: by no more than its own lag shows.
    """
    true_s = {row["text"]: row["text_sent_s"] - row["last_frame_s"] for row in truth if row["text_sent_s"]}
    pairs = [(row["stream_end_latency_s"], true_s[row["text"]]) for row in reported if row["outcome"] == "ok"]
    error_ms = 1_000 * np.array([mine - true for mine, true in pairs])
    p50, p1, p99 = np.percentile(error_ms, [50, 1, 99], method="inverted_cdf")
    return {
        "n": float(len(pairs)),
        "p50_ms": float(p50),
        "p1_ms": float(p1),
        "p99_ms": float(p99),
        "size_p99_ms": float(np.percentile(abs(error_ms), 99, method="inverted_cdf")),
        "min_ms": float(error_ms.min()),
        "max_ms": float(error_ms.max()),
        "true_p50_ms": float(np.median([1_000 * true for _, true in pairs])),
    }


if __name__ == "__main__":
    main()
