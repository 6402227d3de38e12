"""Runs every bench of the table of bars, one after the other, on a machine that does nothing else.

    python bench/run_all.py [--quick] [--only NAME]… [--repeats N] [--label WORDS]

Prints the table and writes `bench/results/<UTC time>-<host>.json`: each bench's own figures, repeat by repeat, with
what they were measured on. A bench that fails costs its own rows alone. Exit code 1 where a bar is not met or a bench
failed. `docs/performance.md` says what each figure means.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import click
from bars import bar_row, table
from fingerprint import fingerprint
from rig import CHECKOUT, last_json

from stt_load.run.stolen_cpu import StolenCpu

RESULTS = CHECKOUT / "bench/results"


@dataclass(frozen=True, slots=True)
class Bench:
    """The arguments of `python bench/…`, and more of them for a quick run. `repeats`: whether it takes --repeats."""

    command: str
    quick: str = ""
    repeats: bool = True
    on_request: bool = False  # too long to be among those that run unless some are named

    def words(self, is_quick: bool, repeats: int | None) -> list[str]:
        told = f" --repeats {repeats}" if repeats and self.repeats else ""
        return f"{self.command} {self.quick if is_quick else ''}{told}".split()


# fmt: off
BENCHES = {
    "help": Bench("help_time.py", "--repeats 3"),
    "frame_cost": Bench("frame_cost.py", "--repeats 1 --window 4"),
    "frame_20ms": Bench("frame_cost.py --frame-ms 20 --callers 1000", "--repeats 1 --window 4"),
    "two_workers": Bench("two_workers.py", "--repeats 1 --steps 2000,2800,3600 --hold 5"),
    "clock_error": Bench("clock_error.py", "--repeats 1 --window 5"),
    "clock_error_busy": Bench("clock_error.py --burn 80", "--repeats 1 --window 5"),
    "lateness": Bench("lateness.py", "--callers 200 --window 5", repeats=False),
    "master_rows": Bench("master_rows.py", "--seconds 10", repeats=False),
    "report_rows": Bench("report_rows.py", "--rows 100000", repeats=False),
    "other_tools": Bench("other_tools.py", "--repeats 1 --window 4"),
    "soak": Bench("soak.py", "--minutes 2", repeats=False, on_request=True),
}
# fmt: on


@click.command()
@click.option("--quick", is_flag=True, help="One repeat, short windows: shows that it works, not what it costs.")
@click.option("--only", multiple=True, type=click.Choice(list(BENCHES)), help="As often as needed.")
@click.option("--repeats", type=int, help="Of each bench that has any, instead of its own number.")
@click.option("--label", help="Before the time in the file's name, for example `before`.")
def main(quick: bool, only: tuple[str, ...], repeats: int | None, label: str | None) -> None:
    now = datetime.datetime.now(datetime.UTC)
    told: dict[str, Any] = {"label": label, "started_at": now.isoformat(timespec="seconds"), "is_quick": quick}
    told["host"] = fingerprint()
    stolen, results = StolenCpu(), []
    for name in only or [name for name, bench in BENCHES.items() if not bench.on_request]:
        results.append(_run(name, BENCHES[name].words(quick, repeats)))
    bars = [bar for result in results for bar in result["bars"]]
    failed = [result["name"] for result in results if result["error"]]
    RESULTS.mkdir(parents=True, exist_ok=True)
    words = [*([label] if label else []), f"{now:%Y%m%dT%H%M%SZ}", told["host"]["host"]]
    path = RESULTS / f"{'-'.join(words)}.json"
    told["stolen_cpu_pct"], told["benches"] = stolen.pct_since_last_call(), results
    path.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print("\n" + table(bar_row(bar) for bar in bars))
    missed = sum(bar["is_met"] is False for bar in bars)
    print(f"\n{missed} bars not met, benches that failed: {', '.join(failed) or 'none'}; {path.relative_to(CHECKOUT)}")
    sys.exit(bool(missed or failed))


def _run(name: str, words: list[str]) -> dict[str, Any]:
    print(f"== {name}: python bench/{' '.join(words)}", flush=True)
    line = [sys.executable, str(CHECKOUT / "bench" / words[0]), *words[1:]]
    begun_s, output = time.monotonic(), []
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                output.append(text)
                if not text.startswith('{"bars"'):
                    print(text, end="", flush=True)
        except BaseException:
            process.terminate()
            raise
    result: dict[str, Any] = {"name": name, "command": " ".join(words), "took_s": round(time.monotonic() - begun_s, 1)}
    try:
        return result | {"error": None} | last_json("".join(output))
    except RuntimeError as error:
        return result | {"error": f"exit code {process.returncode}: {error}", "bars": []}


if __name__ == "__main__":
    main()
