"""How far off is the reported latency? A sink with a known delay, and its own log as the truth.

    python bench/clock_error.py [--callers 50] [--hold 20s]

The sink (`stt_load.server.scripted`) answers every utterance with a text of its own, so that reported and true are
matched utterance by utterance. True is: its last text handed to the kernel minus its last frame received, both
stamped in the sink's process. Both processes share the machine's monotonic clock.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from stt_load.server.process import scripted_server
from stt_load.server.script import Script

_STT_LOAD = ("-c", "from stt_load.cli import main; main()")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", default="50")
    parser.add_argument("--hold", default="20s")
    parser.add_argument("--delay", type=float, default=0.3, help="seconds from the last frame to the text")
    options, extra = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        truth = Path(folder) / "truth.jsonl"
        with scripted_server(Script(delay_s=options.delay), truth) as sink:
            command = [*_STT_LOAD, "run", "--stt-url", sink.url, "--concurrency", options.callers]
            command += ["--hold", options.hold, "--settle", "0.5s", "--results", folder, "--label", "clock", *extra]
            subprocess.run([sys.executable, *command], check=False)
        (run,) = Path(folder).glob("*-clock")
        print(compare(_rows(run / "utterances.jsonl"), _rows(truth)))


def compare(reported: list[dict], truth: list[dict]) -> str:
    """One line: the error of `stream_end_latency_s`, milliseconds.

    A process that is put aside between the send and its stamp reports too little: by no more than its own lag shows.
    """
    true_s = {row["text"]: row["text_sent_s"] - row["last_frame_s"] for row in truth if row["text_sent_s"]}
    pairs = [(row["stream_end_latency_s"], true_s[row["text"]]) for row in reported if row["outcome"] == "ok"]
    error_ms = 1_000 * np.array([mine - true for mine, true in pairs])
    p50, p1, p99 = np.percentile(error_ms, [50, 1, 99], method="inverted_cdf")
    worst_lag_ms = 1_000 * max(row["pacing_lag_max_s"] for row in reported)
    size_p99 = np.percentile(abs(error_ms), 99, method="inverted_cdf")
    return (
        f"reported minus true, {len(pairs)} utterances of {len(truth)} in the sink's log: median {p50:.3f} ms, "
        f"p1 {p1:.3f}, p99 {p99:.3f}, p99 of its size {size_p99:.3f} ms, from {error_ms.min():.3f} to "
        f"{error_ms.max():.3f} ms; the generator's own worst lag {worst_lag_ms:.1f} ms"
    )


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
