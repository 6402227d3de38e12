"""Does a day of rows take more memory than an hour of them?

    python bench/soak_day.py [--hours 24] [--callers 20] [--speed 1000]

The real run (controller, ledger, scorer, run folder, report) is led by a clock that is so many times as fast as time,
and gets its rows from a worker that makes them up (`tests/run/simulated_soak.py`). Its resident memory is noted all the
while. Afterwards `stt-load report` makes the report again, of all hours and of the first quarter of them, each in a
process of its own. The last line of the output is one JSON object.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click
import psutil
from bars import Bar, print_bars
from report_rows import time_report

from stt_load.report.raw_files import UTTERANCES, parts_of
from stt_load.sealed_lines import sealed_file

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "run"))
from simulated_soak import play

_STEP_S = 0.1  # how often a run asks its workers
_WARM_H = 2.0  # caches fill
_MOST_GROWTH_MIB = 5.0
_MOST_REPORT_GROWTH = 1.10


@click.command()
@click.option("--hours", default=24)
@click.option("--callers", default=20)
@click.option("--speed", default=1_000.0)
def main(hours: int, callers: int, speed: float) -> None:
    process, samples = psutil.Process(), []

    def note(at_h: float) -> None:
        samples.append((at_h, process.memory_info().rss / 2**20))

    with tempfile.TemporaryDirectory() as name:
        began_s = time.monotonic()
        run, _ = play(Path(name), f"{hours}h", callers, _STEP_S * speed, on_step=note)
        took_s = time.monotonic() - began_s
        closed_mib = process.memory_info().rss / 2**20
        folder = run.folder.path
        rows = run.folder.n_lines[UTTERANCES]
        sizes = [part.stat().st_size for part in parts_of(folder / UTTERANCES)]
        print(
            f"{hours} h of {callers} callers in {took_s:.0f} s: {rows:,} rows, {len(sizes)} files, {sum(sizes):,} bytes"
        )
        whole = time_report(folder)
        part = time_report(first_quarter(folder, Path(name) / "quarter"))
    warm = [mib for at_h, mib in samples if at_h >= _WARM_H]
    rates = rows / (3_600 * hours)
    print_bars(
        [
            Bar.of(
                f"memory of the master: last hour less the third, {rows:,} rows",
                [warm[-1] - warm[0]],
                "MiB",
                _MOST_GROWTH_MIB,
            ),
            Bar.of("memory of the master once its report is made", [closed_mib], "MiB", None),
            Bar.of("report of all hours: memory", [whole[2]], "MiB", None),
            Bar.of("report of a quarter of them: memory", [part[2]], "MiB", None),
            Bar.of("report of all hours: memory over that of a quarter", [whole[2] / part[2]], "", _MOST_REPORT_GROWTH),
            Bar.of("report of all hours: wall time", [whole[0]], "s", None),
            Bar.of("rows a second of the soak", [rates], "", None),
        ],
        memory_mib_by_hour=[round(mib, 1) for at, mib in enumerate_hours(samples)],
        rows=rows,
    )


def enumerate_hours(samples: list[tuple[float, float]]) -> list[tuple[int, float]]:
    """The last sample of each hour."""
    return sorted({int(at_h): mib for at_h, mib in samples}.items())


def first_quarter(folder: Path, copy: Path) -> Path:
    """A copy of a run folder with the first quarter of its hours, as if nothing else had been written."""
    copy.mkdir()
    parts = parts_of(folder / UTTERANCES)
    kept = parts[: max(1, len(parts) // 4)]
    for path in (*kept, folder / "stages.jsonl"):
        shutil.copy(path, copy)
    run = json.loads((folder / "run.json").read_text())
    run.pop("crc32")
    run["lines"] = {UTTERANCES: sum(path.read_bytes().count(b"\n") for path in kept)}
    (copy / "run.json").write_bytes(sealed_file(json.dumps(run, indent=2).encode()))
    return copy


if __name__ == "__main__":
    main()
