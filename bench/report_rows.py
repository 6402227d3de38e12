"""How long does `stt-load report` take on a million rows, and how much memory?

    python bench/report_rows.py [--rows 1000000] [--unscored 0.0] [--keep FOLDER]

Writes a run folder of six stages with realistic rows (`made_rows.py`), and runs `stt-load report` on it in a process of
its own. `--unscored`: the share of rows that were written before they were scored. The last line of the output is one
JSON object.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from bars import Bar, print_bars
from made_rows import WRONG, made_row, make_transcript, references, score_by_hand, unknown_word

from stt_load.run.run_folder import RunFolder

_STT_LOAD = ("-c", "from stt_load.cli import main; main()")
_LADDER = (1_000, 5_000, 10_000, 20_000, 30_000, 50_000)
_START_S = 1_790_000_000.0
_HOLD_S = 120.0
_AT_ONCE = 1_000  # rows of one report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--unscored", type=float, default=0.0, help="share of the rows, 0 to 1")
    parser.add_argument("--keep", help="a folder to leave the run in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        size = write_run(folder, options.rows, options.unscored)
        print(f"{options.rows:,} rows, {size / 1e9:.2f} GB, written in {time.perf_counter() - began:.0f} s", flush=True)
        wall_s, cpu_s, peak_mib = time_report(folder)
    print(f"stt-load report: {wall_s:.2f} s wall, {cpu_s:.2f} s CPU, {peak_mib:.0f} MiB at most")
    print_bars(
        [
            Bar.of("report: wall time", [wall_s], "s", 10),
            Bar.of("report: memory", [peak_mib * 1.048576], "MB", 1000),
            Bar.of("report: CPU", [cpu_s], "s", None),
        ],
        rows=options.rows,
        unscored=options.unscored,
    )


def time_report(folder: Path) -> tuple[float, float, float]:
    """Times `stt-load report`: wall and CPU seconds and the highest resident memory in MiB, with child processes."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *_STT_LOAD, "report", str(folder)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3, 4):
        sys.exit(f"stt-load report ended with {process.returncode}")
    return wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write_run(folder: Path, rows: int, unscored: float = 0.0) -> int:
    """Writes a run folder and returns the bytes of its utterances.jsonl. Equal arguments give equal folders."""
    rng = random.Random(7)
    clips = list(references().items())
    transitions: list[dict[str, object]] = []
    waiting: list[bytes] = []
    written = 0
    t = _START_S
    with closing(RunFolder(folder)) as files:
        for stage, users in enumerate(_LADDER):
            n = rows // len(_LADDER) + (stage < rows % len(_LADDER))
            t = _add_stage(transitions, t, stage, users, n)
            for index in range(n):
                clip = rng.choice(clips)
                wrong = unknown_word(written) if rng.random() < WRONG else None
                record = made_row(
                    rng,
                    clip,
                    make_transcript(clip[1], wrong, rng),
                    run_id="made",
                    worker=index % 4,
                    user=index % users,
                    stage=stage,
                    phase="hold",
                    users=users,
                    started_at=t - 12 - _HOLD_S + rng.uniform(0, _HOLD_S),
                )
                if rng.random() >= unscored:
                    score_by_hand(record)
                waiting.append(record.to_json() + b"\n")
                written += 1
                if len(waiting) == _AT_ONCE or written == rows:
                    files.add_utterances(b"".join(waiting))
                    waiting = []
        _write_the_rest(files, rows, transitions, t, rng)
    return (folder / "utterances.jsonl").stat().st_size


def _write_the_rest(
    files: RunFolder, rows: int, transitions: list[dict[str, object]], t: float, rng: random.Random
) -> None:
    totals = {"one": rows}
    done = {"phase": "done", "delivery": {"rows": rows, "totals": totals, "missing_seq": 0, "workers_lost": 0}}
    transitions.append({**transitions[-1], **done, "aborted": False, "workers": 0, "t": t})
    for line in transitions:
        files.add_transition(line)
    for sample in _samples(transitions, rng):
        files.add_sample(sample)
    files.write_run(_run() | {"lines": files.n_lines})


def _add_stage(transitions: list[dict[str, object]], t: float, stage: int, users: int, n: int) -> float:
    for phase, length_s in (("ramp", 10.0), ("hold", _HOLD_S), ("grace", 9.0), ("settle", 3.0)):
        counts = {"begun": 0 if phase in ("ramp", "hold") else n, "ended": n if phase == "settle" else 0}
        line = {"t": t, "mono": t - _START_S, "run_id": "made", "stage": stage, "phase": phase, "users": users}
        transitions.append({**line, "reached": users, "workers": 4, **counts, "generator_cpu_pct": 60.0})
        t += length_s
    return t


def _samples(transitions: list[dict[str, object]], rng: random.Random) -> list[dict[str, object]]:
    """The samples of one GPU, one a second."""
    rows: list[dict[str, object]] = []
    for line, following in pairwise(transitions):
        tag = {key: line[key] for key in ("stage", "users", "phase")}
        for second in range(int(following["t"] - line["t"])):  # type: ignore[operator]
            figures = {
                "sm_pct": rng.uniform(40, 90),
                "mem_pct": 20.0,
                "fb_mib": 9_000.0,
                "power_w": rng.uniform(200, 400),
            }
            where = {"seq": len(rows), "host": "gpu", "boot": "a", "kind": "gpu", "gpu": 0, "run_id": "made"}
            rows.append({"t": line["t"] + second, **where, **tag, **figures})  # type: ignore[operator]
    return rows


def _run() -> dict[str, object]:
    return {
        "schema_version": 1,
        "run_id": "made",
        "label": "a million rows",
        "dialect": "vosk",
        "end": "client",
        "trailing_silence_s": 0.0,
        "normaliser": "whisper-normalizer",
        "slos": ["eos_latency:p95<1s", "error_rate<1%", "wer_delta<5%"],
        "utterance_limit_s": 40.0,
        "notes": [],
        "started_at": _START_S,
    }


if __name__ == "__main__":
    main()
