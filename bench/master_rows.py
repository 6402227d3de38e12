"""How many rows a second does a master take in, count, score and write?

    python bench/master_rows.py [--rows-per-s 10000] [--seconds 60] [--workers 4] [--saturate]

A real master (`stt-load run --master`, that is Locust on the shipped locustfile) is fed by simulated workers
(`simulated_worker.py`) that claim 50,000 callers between them. Afterwards the run folder is checked: every row that a
worker has sent is there once, and whole. `--saturate` doubles the rate, run after run, until the master falls
behind. The last line of the output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
from bars import Bar, print_bars
from made_rows import references

from stt_load.audio.clip import Clip
from stt_load.clips.folder import write_folder

_STT_LOAD = ("-c", "from stt_load.cli import main; main()")
_CALLERS = 50_000
_RATE_HZ = 16_000
_LATE_S = 1.0
"""A master whose answers take longer than this at the 99th percentile, or who leaves a share of the rows unscored, is
behind."""


class CheckedRow(msgspec.Struct):
    """The fields of a row that the check needs."""

    worker: int
    user: int
    phase: str
    text: str
    reference: str
    reference_words: int | None
    substitutions: int | None
    foreign_text: int | None


@dataclass
class Trial:
    """One run. CPU in percent of one core, memory in MiB, both of the master, once a second of the hold."""

    rows_per_s: float
    sent: int = 0
    in_file: int = 0
    twice: int = 0
    wrong: int = 0
    unscored: int = 0
    delivery: dict[str, Any] = field(default_factory=dict)
    hold_s: float = 0.0
    cpu_pct: list[float] = field(default_factory=list)
    rss_mib: list[float] = field(default_factory=list)
    answers_s: list[float] = field(default_factory=list)  # to heartbeats in the hold
    other_answers_s: list[float] = field(default_factory=list)  # before it, and while the report is made

    @property
    def lost(self) -> int:
        return abs(self.sent - self.in_file) + self.twice + self.delivery.get("missing_seq", 0)

    @property
    def rate(self) -> float:
        return self.in_file / self.hold_s if self.hold_s else 0.0

    @property
    def growth_mib(self) -> float:
        """From the second quarter of the run to its last: what has grown when everything was warm."""
        quarter = max(1, len(self.rss_mib) // 4)
        return float(np.median(self.rss_mib[-quarter:]) - np.median(self.rss_mib[quarter : 2 * quarter]))

    def answer_s(self, p: float) -> float:
        return float(np.percentile(self.answers_s, p, method="inverted_cdf")) if self.answers_s else 0.0

    @property
    def is_behind(self) -> bool:
        return bool(self.lost) or self.answer_s(99) > _LATE_S or self.unscored > 0.001 * self.in_file

    def summary(self) -> str:
        median, p99, worst = (1_000 * self.answer_s(p) for p in (50, 99, 100))
        return (
            f"{self.rate:,.0f} rows a second for {self.hold_s:.0f} s: {self.in_file:,} in the file, {self.lost} lost, "
            f"{self.unscored:,} unscored; CPU {np.median(self.cpu_pct):.0f} % of a core; memory "
            f"{max(self.rss_mib):.0f} MiB, {self.growth_mib:+.0f} once warm; heartbeats answered in {median:.1f} ms, "
            f"p99 {p99:.0f} ms, worst {worst:.0f} ms, {1_000 * max(self.other_answers_s):.0f} ms outside the hold"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows-per-s", type=float, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--saturate", action="store_true")
    options = parser.parse_args()
    trials = []
    rate = options.rows_per_s
    while True:
        trial = run_trial(rate, options.seconds, options.workers)
        print(trial.summary(), flush=True)
        trials.append(trial)
        if not options.saturate or trial.is_behind:
            break
        rate *= 2
    first = trials[0]
    bars = [
        Bar.of("master: rows a second", [first.rate], "rows/s", 0.98 * options.rows_per_s, is_least=True),
        Bar.of("master: rows lost", [first.lost], "rows", 0),
        Bar.of("master: rows with a wrong score", [first.wrong], "rows", 0),
        Bar.of("master: memory grown while warm", [first.growth_mib], "MiB", 50),
        Bar.of("master: CPU", [float(np.median(first.cpu_pct))], "% of a core", None),
        Bar.of("master: answer to a heartbeat, p99", [1000 * first.answer_s(99)], "ms", None),
    ]
    if options.saturate:
        held = [trial.rate for trial in trials if not trial.is_behind]
        bars.append(Bar.of("master: most rows a second held", [max(held, default=0.0)], "rows/s", None))
    print_bars(bars, trials=[trial.summary() for trial in trials], seconds=options.seconds, workers=options.workers)


def run_trial(rows_per_s: float, seconds: float, n_workers: int) -> Trial:
    trial = Trial(rows_per_s)
    with tempfile.TemporaryDirectory() as folder, closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = _free_port()
        clips = Path(folder) / "clips"
        _write_clips(clips)
        url = f"ws://127.0.0.1:{server.getsockname()[1]}/"
        command = [*_STT_LOAD, "run", "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(port)]
        command += ["--expect-workers", str(n_workers), "--stt-url", url, "--clips", str(clips), "--label", "rows"]
        command += [
            "--dialect",
            "vosk",
            "--end",
            "client",
            "--concurrency",
            str(_CALLERS),
            "--ramp-rate",
            str(_CALLERS),
        ]
        command += ["--hold", f"{seconds:g}s", "--settle", "1s", "--results", folder]
        master = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
        try:
            with _workers(n_workers, port, rows_per_s / n_workers) as workers:
                _watch(master, workers, Path(folder), trial)
                told = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
        finally:
            master.kill()  # it has ended, or something above has failed
            master.wait()
        trial.sent = sum(row["rows"] for row in told)
        trial.answers_s = [answer_s for row in told for answer_s in row["answers_s"]]
        trial.other_answers_s = [answer_s for row in told for answer_s in row["other_answers_s"]]
        (run,) = Path(folder).glob("*-rows")
        _check(run, trial)
    return trial


@contextmanager
def _workers(n: int, port: int, rows_per_s: float) -> Iterator[list[subprocess.Popen[bytes]]]:
    program = [sys.executable, str(Path(__file__).with_name("simulated_worker.py")), "--port", str(port)]
    started = [
        subprocess.Popen(
            [*program, "--index", str(index), "--rows-per-s", str(rows_per_s)],
            stdout=subprocess.PIPE,
        )
        for index in range(n)
    ]
    try:
        yield started
    finally:
        for worker in started:
            if worker.poll() is None:
                worker.kill()
            worker.wait()


def _watch(
    master: subprocess.Popen[bytes], workers: Sequence[subprocess.Popen[bytes]], results: Path, trial: Trial
) -> None:
    """CPU and memory of the master in the hold, once a second, until it has ended."""
    process = psutil.Process(master.pid)
    while master.poll() is None:
        if any(worker.poll() for worker in workers):
            sys.exit("a simulated worker has failed: see above")
        lines = [line for path in results.glob("*-rows/stages.jsonl") for line in path.read_text().splitlines()]
        try:
            busy_pct, rss = process.cpu_percent(), process.memory_info().rss
        except psutil.NoSuchProcess:
            break
        if lines and json.loads(lines[-1])["phase"] == "hold":
            trial.cpu_pct.append(busy_pct)
            trial.rss_mib.append(rss / 1024**2)
        time.sleep(1.0)
    if master.wait() not in (0, 3, 4):
        sys.exit(f"the master ended with {master.returncode}")


def _check(run: Path, trial: Trial) -> None:
    transitions = [json.loads(line) for line in (run / "stages.jsonl").read_text().splitlines()]
    begins = {line["phase"]: line["mono"] for line in transitions}
    trial.hold_s = begins["grace"] - begins["hold"]
    trial.delivery = transitions[-1]["delivery"]
    seen: Counter[tuple[int, int]] = Counter()
    decoder = msgspec.json.Decoder(CheckedRow)
    with (run / "utterances.jsonl").open("rb") as file:
        for text in file:
            row = decoder.decode(text)
            seen[row.worker, row.user] += 1
            trial.unscored += row.reference_words is None
            is_right = row.substitutions in (None, int(row.text != row.reference)) and not row.foreign_text
            trial.wrong += not is_right
    trial.in_file = seen.total()
    trial.twice = trial.in_file - len(seen)
    if trial.delivery["rows"] != trial.in_file:
        print(f"the ledger has {trial.delivery['rows']} rows, the file {trial.in_file}", file=sys.stderr)


def _write_clips(folder: Path) -> None:
    hum = np.int16(6_000 * np.sin(2 * np.pi * 150 * np.arange(_RATE_HZ) / _RATE_HZ))
    clips = [Clip(clip_id, text, hum, _RATE_HZ, 0.0, 1.0) for clip_id, text in references().items()]
    write_folder(folder, clips, {"engine": "bench"})


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
