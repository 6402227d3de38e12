"""What a frame costs: stt-load, a bare C loop and an asyncio client, in turn, on the same core against the same sink.

    python bench/frame_cost.py [--callers 1000,2000,3000,4000] [--frame-ms 100] [--repeats 3] [--window 10]

All of them play the same utterances (7 s, connect, upgrade and close included). CPU is that of the whole process in
a window of steady load, frames are those that the sink received in it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from bars import Bar, print_bars
from clip_folder import CLIP_S, write_clips
from ladder_run import RunFailed, play
from rig import CHECKOUT, last_json, pinned, pinned_sink, watch

_WARM_S = CLIP_S + 1.5
_LATE_MS = 10.0
_COST_BARS_US = {(2_000, 100): 20.0, (4_000, 100): 15.0}  # callers, ms of a frame
Row = dict[str, Any]


class Bench:
    """One kind of load (`frame_ms`), which every generator can be measured with."""

    def __init__(self, folder: Path, frame_ms: int, window_s: float) -> None:
        self.frame_ms = frame_ms
        self.window_s = window_s
        self._clips = write_clips(folder / "clips")
        self._c_loop = compile_c_loop(folder)
        self._resident_of_one: float | None = None

    @property
    def generators(self) -> dict[str, Callable[[int], Row]]:
        found: dict[str, Callable[[int], Row]] = {"stt-load": self.stt_load}
        if self._c_loop is not None:
            found["C loop"] = self.c_loop
        return found | {"asyncio": self.asyncio}

    def stt_load(self, callers: int) -> Row:
        if self._resident_of_one is None:
            self._resident_of_one = self._resident(1)
        with pinned_sink() as sink:
            outcome = play(sink, self._clips, callers, self.window_s, "--frame-ms", str(self.frame_ms))
        assert outcome.window is not None
        lag = outcome.stage["pacing_lag_s"]
        return outcome.window.as_row() | {
            "late_pct": outcome.late_pct,
            "lag_p99_ms": None if lag["p99"] is None else 1_000 * lag["p99"],  # over all frames, rounded up to 1 ms
            "lag_max_ms": 1_000 * outcome.lag_max_s,
            "caller_kib": (outcome.window.resident_kib - self._resident_of_one) / callers,
            "outcomes": outcome.stage["outcomes"],
        }

    def c_loop(self, callers: int) -> Row:
        assert self._c_loop is not None
        times = [self.window_s + _WARM_S + 1.0, _WARM_S, self.frame_ms, 1_000 * CLIP_S]
        return self._by_hand(lambda url: [str(self._c_loop), *_host_and_port(url), str(callers), *map(str, times)])

    def asyncio(self, callers: int) -> Row:
        def line(url: str) -> list[str]:
            script = [sys.executable, str(CHECKOUT / "bench/asyncio_client.py"), url]
            times = [str(callers), str(self.window_s + _WARM_S + 1.0), "--warm", str(_WARM_S)]
            return [*script, *times, "--frame-ms", str(self.frame_ms), "--clip-s", str(CLIP_S)]

        return self._by_hand(line)

    def _by_hand(self, line_for: Callable[[str], Sequence[str]]) -> Row:
        """Measures a generator that is given its times and prints its own figures, from which its lag is taken."""
        with pinned_sink() as sink, pinned(line_for(sink.url)) as process:
            time.sleep(_WARM_S)
            window = watch(sink, process.pid, self.window_s)
            process.finish(120)
            own = last_json(process.said())
        return window.as_row() | {name: own[name] for name in ("lag_p50_ms", "lag_p99_ms", "lag_max_ms")} | {"own": own}

    def _resident(self, callers: int) -> float:
        with pinned_sink() as sink:
            outcome = play(sink, self._clips, callers, 2.0, "--frame-ms", str(self.frame_ms))
        assert outcome.window is not None
        return outcome.window.resident_kib


def _host_and_port(url: str) -> tuple[str, str]:
    split = urlsplit(url)
    return str(split.hostname), str(split.port)


def compile_c_loop(folder: Path) -> Path | None:
    """The compiled C loop; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    program = folder / "c_loop"
    subprocess.run([compiler, "-O2", "-o", str(program), str(CHECKOUT / "bench/c_loop.c")], check=True)
    return program


def bars_of(callers: int, frame_ms: int, rows: dict[str, list[Row]]) -> list[Bar]:
    """The bars of one load. `rows` has the repeats of each generator."""
    what = f"{callers:,} callers, {frame_ms} ms frames"
    cost_bar_us = _COST_BARS_US.get((callers, frame_ms))
    mine = rows["stt-load"]
    bars = [
        Bar.of(f"CPU per frame, {what}", _all(mine, "cpu_us_per_frame"), "µs", cost_bar_us),
        Bar.of(f"frames later than {_LATE_MS:.0f} ms, {what}", _all(mine, "late_pct"), "%", 1.0),
        Bar.of(f"callers held at once, {what}", _all(mine, "connections"), "", 0.97 * callers, is_least=True),
    ]
    for other, most in (("C loop", None), ("asyncio", 0.35)):
        if other not in rows:
            bars.append(Bar(f"{other}, {what}", None, None, "µs", None, note="left out: no compiler, or not asked for"))
            continue
        theirs = rows[other]
        costs = zip(_all(mine, "cpu_us_per_frame"), _all(theirs, "cpu_us_per_frame"), strict=True)
        ratios = [a / b if a and b else None for a, b in costs]
        bars.append(Bar.of(f"CPU of a frame against the {other}'s, {what}", ratios, "×", most if cost_bar_us else None))
        bars.append(Bar.of(f"CPU per frame of the {other}, {what}", _all(theirs, "cpu_us_per_frame"), "µs", None))
        bars.append(Bar.of(f"lag p99 of the {other}, {what}", _all(theirs, "lag_p99_ms"), "ms", None))
    if callers >= 1_000:
        bars.append(Bar.of(f"memory a caller, {what}", _all(mine, "caller_kib"), "KiB", 16.0))
    if callers >= 4_000 and frame_ms == 100:
        begun, least = _all(mine, "utterances_per_s"), 0.97 * callers / (CLIP_S + 0.2)
        bars.append(Bar.of(f"utterances begun and ended a second, {what}", begun, "/s", least, is_least=True))
    return bars


def _all(rows: list[Row], name: str) -> list[float | None]:
    """One figure of every repeat; None for one that failed."""
    return [row.get(name) for row in rows]


@click.command()
@click.option("--callers", default="1000,2000,3000,4000")
@click.option("--frame-ms", default=100)
@click.option("--repeats", default=3)
@click.option("--window", "window_s", default=10.0, help="Seconds of steady load that are measured.")
@click.option("--only", multiple=True, help="Of stt-load, C loop, asyncio; stt-load is always among them.")
def main(callers: str, frame_ms: int, repeats: int, window_s: float, only: tuple[str, ...]) -> None:
    bars: list[Bar] = []
    runs: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), frame_ms, window_s)
        chosen = {n: g for n, g in bench.generators.items() if not only or n in only or n == "stt-load"}
        for n in map(int, callers.split(",")):
            rows: dict[str, list[Row]] = {generator: [] for generator in chosen}
            for _ in range(repeats):
                for generator, measure in chosen.items():
                    row = _measured(measure, n)
                    rows[generator].append(row)
                    runs.append({"generator": generator, "callers": n, "frame_ms": frame_ms} | row)
                    print(_line(generator, n, row), flush=True)
            bars += bars_of(n, frame_ms, rows)
    print_bars(bars, runs=runs)


def _measured(measure: Callable[[int], Row], callers: int) -> Row:
    """Measures a generator. If it fails under the load, that is its result, and the others are still measured."""
    try:
        return measure(callers)
    except (RunFailed, RuntimeError) as error:
        return {"error": str(error)}


def _line(generator: str, callers: int, row: Row) -> str:
    if "error" in row:
        return f"{generator:9} {callers:6,} callers: {row['error']}"
    return (
        f"{generator:9} {callers:6,} callers: {row['cpu_us_per_frame']:6.2f} µs per frame, {row['frames_per_s']:8,.0f} "
        f"frames/s, {row['utterances_per_s']:5.0f} utterances/s, lag p99 {row['lag_p99_ms'] or 0:6.2f} ms, CPU "
        f"{row['generator_cpu_pct']:3.0f} %, sink {row['sink_cpu_pct']:3.0f} %"
    )


if __name__ == "__main__":
    main()
