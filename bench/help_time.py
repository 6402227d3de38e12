"""How long `stt-load --help` takes, from the call to its end.

python bench/help_time.py [--repeats 7]
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click
from bars import Bar, print_bars


@click.command()
@click.option("--repeats", default=7)
def main(repeats: int) -> None:
    command = Path(sys.executable).with_name("stt-load")
    if not command.exists():
        sys.exit(f"{command} is missing: install stt-load into this environment")
    times_s = []
    for _ in range(repeats):
        begun_s = time.monotonic()
        subprocess.run([str(command), "--help"], check=True, stdout=subprocess.DEVNULL)
        times_s.append(time.monotonic() - begun_s)
    print_bars([Bar.of("stt-load --help", times_s, "s", 0.3)])


if __name__ == "__main__":
    main()
