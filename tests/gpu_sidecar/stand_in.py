"""A stand-in `nvidia-smi` for PATH, and whole sidecars as processes. Everything here ends with its `with` block."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

T = TypeVar("T")

CHECKOUT = Path(__file__).parents[2]
OF_THE_CHECKOUT = (sys.executable, "-m", "gpu_sidecar")
DEADLINE_S = 30.0  # of every wait; nothing takes a tenth of it

TWO_GPUS = """\
0, GPU-aaaa, NVIDIA L4, 23034 MiB, 570.86.15
1, GPU-bbbb, NVIDIA H200, 143771 MiB, 570.86.15
"""
PYTHON_ON_THE_SECOND = "4242, /usr/bin/python3, GPU-bbbb\n"

DMON_HEADER = """\
# gpu     sm    mem    enc    dec    jpg    ofa     fb   bar1   ccpm
# Idx      %      %      %      %      %      %     MB     MB     MB
"""


def dmon_row(sm: int, fb: int, gpu: int = 1) -> str:
    return f"    {gpu}     {sm}     30      0      0      -      -   {fb}      5      0\n"


# It answers the two queries from files. As dmon it says the header, then what is fed through the FIFO; as a query that
# goes on (-lms) the names it was asked for, then the same. What the file `refused` names (one word of the command line,
# or one property, a line) it doesn't know: it says what the file `words` has, and exits with the number in `status`.
# A query exits with the number in `gpus.status` or `apps.status`. exec keeps the process id; when the FIFO is gone, or
# it is told to fail, it ends by itself.
_SCRIPT = """\
#!/bin/sh
here=${0%/*}
if [ -f "$here/refused" ]; then
  while read -r word; do
    case " $* " in
      *" $word "*) cat "$here/words"; exit "$(cat "$here/status")" ;;
      *[=,]"$word"[,\\ ]*) echo "Field \\"$word\\" is not a valid field to query."; exit 2 ;;
    esac
  done < "$here/refused"
fi
case "$*" in
  *" -lms "*)
    echo "$*" >> "$here/calls"; echo $$ >> "$here/pids"
    asked=${1#--query-gpu=}; echo "$asked" | sed 's/,/, /g'; exec cat "$here/rows" ;;
  *--query-gpu=*) cat "$here/gpus"; exit "$(cat "$here/gpus.status")" ;;
  *--query-compute-apps=*) cat "$here/apps"; exit "$(cat "$here/apps.status")" ;;
  dmon*) echo "$*" >> "$here/calls"; echo $$ >> "$here/pids"; exec cat "$here/header" "$here/rows" ;;
esac
echo "stand-in nvidia-smi: not expected: $*" >&2
exit 1
"""


class StandInSmi:
    """A stand-in `nvidia-smi` in `folder`. Processes started with `environment` find it."""

    def __init__(self, folder: Path, gpus: str = TWO_GPUS, apps: str = PYTHON_ON_THE_SECOND) -> None:
        self.folder = folder
        script = folder / "nvidia-smi"
        script.write_text(_SCRIPT)
        script.chmod(0o755)
        self.list_gpus(gpus)
        self.list_apps(apps)
        (folder / "header").write_text(DMON_HEADER)
        os.mkfifo(folder / "rows")
        # Held open for reading too: so opening doesn't wait, and dmon sees no end when a writer closes.
        self._rows = os.open(folder / "rows", os.O_RDWR | os.O_NONBLOCK)

    @property
    def environment(self) -> dict[str, str]:
        return environment_with_path(f"{self.folder}:/usr/bin:/bin")

    def feed(self, *rows: str) -> None:
        os.write(self._rows, "".join(rows).encode())

    def list_gpus(self, text: str, status: int = 0) -> None:
        """Sets what is printed when GPUs are asked for."""
        (self.folder / "gpus").write_text(text)
        (self.folder / "gpus.status").write_text(f"{status}\n")

    def list_apps(self, text: str, status: int = 0) -> None:
        (self.folder / "apps").write_text(text)
        (self.folder / "apps.status").write_text(f"{status}\n")

    def refuse(self, *words: str, saying: str = "Failed to process command line\n", status: int = 2) -> None:
        """Makes it refuse command lines with one of these words, or properties of these names; none: nothing."""
        (self.folder / "words").write_text(saying)
        (self.folder / "status").write_text(f"{status}\n")
        (self.folder / "refused").write_text("".join(f"{word}\n" for word in words))

    def calls(self) -> list[str]:
        """Command lines of every dmon and every repeated query, oldest first, without refused ones."""
        return _lines(self.folder / "calls")

    def dmon_pids(self) -> list[int]:
        """Process ids of every dmon or repeated query started so far, oldest first."""
        return [int(line) for line in _lines(self.folder / "pids")]

    def wait_for_dmon(self, n: int = 1) -> int:
        """Process id of the nth dmon."""
        return eventually(lambda: self.dmon_pids()[n - 1 : n])[0]

    def close(self) -> None:
        os.close(self._rows)


def environment_with_path(path: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "GPU_SIDECAR_TOKEN"}
    return {**inherited, "PATH": path, "PYTHONPATH": str(CHECKOUT)}


_CLOCK_AHEAD = """\
import sys, time
from gpu_sidecar.cli import main
wall, mono, ahead_s = time.time, time.monotonic, float(sys.argv[1])
time.time = lambda: wall() + ahead_s
time.monotonic = lambda: mono() + 2 * ahead_s
sys.exit(main(sys.argv[2:]))
"""


@dataclass
class RunningSidecar:
    url: str
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.process.pid

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=DEADLINE_S, **options)

    def post_stage(self, **content: Any) -> requests.Response:
        return requests.post(f"{self.url}/stage", json=content, timeout=DEADLINE_S)

    def samples(self, kind: str = "gpu") -> list[dict[str, Any]]:
        return [row for row in self.get("/samples").json()["samples"] if row["kind"] == kind]

    def wait_for_samples(self, n: int, kind: str = "gpu") -> list[dict[str, Any]]:
        """The first n samples of that kind or more."""
        return eventually(lambda: _at_least(n, self.samples(kind)))


@contextmanager
def sidecar(
    environment: dict[str, str],
    *options: str,
    port: int = 0,
    clock_ahead_s: float = 0.0,
    program: Sequence[str] = OF_THE_CHECKOUT,
) -> Iterator[RunningSidecar]:
    """A sidecar on a free port or a given one, stopped at the end. Its clocks may be ahead of the real ones."""
    process = start_sidecar(environment, "--port", str(port), *options, clock_ahead_s=clock_ahead_s, program=program)
    try:
        line = read_line(process)
        assert line.startswith("listening on http://"), line
        yield RunningSidecar(line.removeprefix("listening on "), process)
    finally:
        process.terminate()
        try:
            process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()


def start_sidecar(
    environment: dict[str, str],
    *options: str,
    clock_ahead_s: float = 0.0,
    program: Sequence[str] = OF_THE_CHECKOUT,
) -> subprocess.Popen[bytes]:
    if clock_ahead_s:
        program = [sys.executable, "-c", _CLOCK_AHEAD, str(clock_ahead_s)]
    command = [*program, *options]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def refusal(
    environment: dict[str, str], *options: str, program: Sequence[str] = OF_THE_CHECKOUT
) -> tuple[int, list[str]]:
    """Exit code and stderr lines of a sidecar that is expected not to start."""
    command = [*program, *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


def read_line(process: subprocess.Popen[bytes]) -> str:
    """One line of its stdout. Fails at the deadline, or when the process ended without one."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], DEADLINE_S)[0], "nothing on stdout before the deadline"
    return process.stdout.readline().decode().strip()


def eventually(look: Callable[[], T]) -> T:
    """Calls `look` until its result is true, and returns that; fails at the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen before the deadline"
        time.sleep(0.01)
    return found


def is_running(pid: int) -> bool:
    """True if the process runs. False for a zombie too: whatever process inherited it may never collect it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _at_least(n: int, found: list[Any]) -> list[Any]:
    return found if len(found) >= n else []


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
