"""One short ladder for each dialect against the embedded recogniser that speaks it: a dialect that loses audio shows.

    python bench/every_dialect.py [--callers 4] [--rounds 2] [NAME …]

Recogniser, clips and seed are the same for all, and every caller speaks the same clips, so WER is the same, within
noise. What differs by nature: where the server cuts the speech, and, for a dialect at 24 kHz, one more resampling.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from bridges import BRIDGES

from stt_load.dialects.registry import DIALECTS
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.process import start_embedded_server

_STT_LOAD = ("-c", "from stt_load.cli import main; main()")
_NAMES = (*SERVER_DIALECTS, *BRIDGES)
_HEADINGS = ("dialect", "end", "n", "ok", "WER%", "EOS p50", "EOS p95", "settled p50", "verdict")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(_NAMES))
@click.option("--callers", default=4)
@click.option("--rounds", default=2)
def main(names: tuple[str, ...], callers: int, rounds: int) -> None:
    click.echo("| " + " | ".join(_HEADINGS) + " |\n|" + "---|" * len(_HEADINGS))
    for name in names or _NAMES:
        with _server(name) as url:
            for end in DIALECTS[name].capabilities.ends if name in SERVER_DIALECTS else ("client",):
                click.echo("| " + " | ".join(_ladder(name, url, end, callers, rounds)) + " |")


@contextmanager
def _server(name: str) -> Iterator[str]:
    """The URL of the embedded recogniser as it speaks this dialect, perhaps by a bridge."""
    if name in SERVER_DIALECTS:
        with start_embedded_server("--dialect", name) as server:
            yield server.url
    else:
        with start_embedded_server() as server, BRIDGES[name](server.http_url) as url:
            yield url


def _ladder(name: str, url: str, end: str, callers: int, rounds: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        line = [*_STT_LOAD, "run", "--dialect", name, "--stt-url", url, "--end", end, "--results", folder]
        line += ["--concurrency", str(callers), "--rounds", str(rounds), "--settle", "0.2s"]
        done = subprocess.run([sys.executable, *line], capture_output=True, text=True, check=False)
        found = list(Path(folder).glob("*/summary.json"))
        if not found:
            return name, end, *["-"] * 6, done.stderr.strip().splitlines()[-1]
        stage = json.loads(found[0].read_text(encoding="utf-8"))["stages"][0]
    return (
        name,
        end,
        str(stage["n"]),
        str(stage["outcomes"].get("ok", 0)),
        "-" if stage["wer"] is None else f"{100 * stage['wer']:.1f}",
        _seconds(stage["eos_latency_s"], "p50"),
        _seconds(stage["eos_latency_s"], "p95"),
        _seconds(stage.get("settled_latency_s") or {}, "p50"),
        stage["verdict"],
    )


def _seconds(latency: dict[str, Any], name: str) -> str:
    value = latency.get(name)
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
