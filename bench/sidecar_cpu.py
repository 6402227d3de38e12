"""What the GPU sidecar costs its host: CPU and memory with 8 GPUs at 1 Hz, a server's process tree, and a load test
that pulls every second. `nvidia-smi` is a stand-in that prints one line per GPU and second; its own CPU isn't counted.

    python bench/sidecar_cpu.py [--seconds 60] [--python python3.8]
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import click
import psutil

from stt_load.calibration.host_probe import process_cpu_s

CHECKOUT = Path(__file__).resolve().parents[1]
N_GPUS = 8

_HEADER = (
    "# gpu    pwr  gtemp  mtemp     sm    mem    enc    dec    jpg    ofa   mclk   pclk  pviol  tviol     fb   bar1\n"
    "# Idx      W      C      C      %      %      %      %      %      %    MHz    MHz      %   bool     MB     MB\n"
)
_ROW = (
    "  {gpu}    310     55     61     87     40      0      0      0      0   2619   1980      0      0  61234     12\n"
)

_SMI = """\
#!/bin/sh
here=${0%/*}
case "$*" in
  *--query-gpu=*) exec cat "$here/gpus" ;;
  *--query-compute-apps=*) exec true ;;
  dmon*) cat "$here/header"; while cat "$here/rows" && sleep 1; do :; done ;;
esac
"""


def _make_smi(folder: Path) -> None:
    gpus = range(N_GPUS)
    (folder / "gpus").write_text("".join(f"{n}, GPU-{n:04d}, NVIDIA H200, 143771 MiB, 570.86.15\n" for n in gpus))
    (folder / "header").write_text(_HEADER)
    (folder / "rows").write_text("".join(_ROW.format(gpu=n) for n in gpus))
    script = folder / "nvidia-smi"
    script.write_text(_SMI)
    script.chmod(0o755)


@click.command()
@click.option("--seconds", default=60, help="How long is measured, after two seconds of start-up.")
@click.option("--python", default=sys.executable, help="Which Python runs the sidecar.")
def main(seconds: int, python: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_smi(folder)
        line = [python, "-m", "gpu_sidecar", "--port", "0", "--server-process", f"pid:{os.getpid()}", "--gpu-id", "all"]
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(CHECKOUT)}
        sidecar = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert sidecar.stdout is not None
            url = sidecar.stdout.readline().split()[-1]
            time.sleep(2)
            before_s, began_s, after, kinds = process_cpu_s(sidecar.pid), time.monotonic(), 0, {}
            while time.monotonic() < began_s + seconds:
                with urllib.request.urlopen(f"{url}/samples?after={after}", timeout=5) as answer:
                    page = json.load(answer)
                after = page["next"]
                for sample in page["samples"]:
                    kinds[sample["kind"]] = kinds.get(sample["kind"], 0) + 1
                time.sleep(1)
            memory_mib = psutil.Process(sidecar.pid).memory_info().rss / 2**20
            took_s, cpu_s = time.monotonic() - began_s, process_cpu_s(sidecar.pid) - before_s
            click.echo(f"samples in {took_s:.1f} s: {kinds}")
            click.echo(f"CPU {cpu_s:.2f} s = {100 * cpu_s / took_s:.2f} % of a core, {memory_mib:.0f} MiB")
        finally:
            sidecar.send_signal(signal.SIGTERM)
            sidecar.wait(10)


if __name__ == "__main__":
    main()
