"""The command line's options, and what is wrong with them in one line."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

from gpu_sidecar import __version__
from gpu_sidecar.gpu_choice import parse_gpu_selector
from gpu_sidecar.server_choice import parse_server_selector
from gpu_sidecar.service import ServiceConfig
from gpu_sidecar.sources.known_sources import SOURCES, SourceEntry

T = TypeVar("T")

TOKEN_VARIABLE = "GPU_SIDECAR_TOKEN"
_REPLAY = "replay"
_LIVE_SOURCES = {name: entry for name, entry in SOURCES.items() if name != _REPLAY}
_LONGEST_INTERVAL_S = 3600.0

_DESCRIPTION = """\
Sample the GPUs, the CPU and the memory of this machine and of the server under test, tag the samples with the stage of
the load test, and serve them over HTTP: as JSON for stt-load, as text for Prometheus. It needs Python 3.8 or newer and,
for GPUs, nvidia-smi. Nothing has to be installed.
"""
_EXAMPLES = """\
examples:
  python3 -m gpu_sidecar                              for a load test that runs on this machine
  python3 -m gpu_sidecar --server-process port:8000   watch the server on that port: its CPU, its memory, its GPUs
  python3 -m gpu_sidecar --host 10.0.0.7 --token-file token.txt    for a load test that runs on another machine
  python3 -m gpu_sidecar --record gpu.jsonl           also write all samples to a file
  python3 -m gpu_sidecar --replay gpu.jsonl           play that file again
  curl http://127.0.0.1:9550/healthz                  show what is watched, why, and whether samples arrive

It serves GET /samples, /stages, /metrics (Prometheus) and /healthz, and POST /stage.
"""


@dataclass(frozen=True)
class Options:
    """The checked options. `token` None: clients need none. `parent_pid`: the sidecar ends when its parent is another
    process than this one."""

    service: ServiceConfig
    host: str
    port: int
    token: str | None
    parent_pid: int | None


class UsageError(Exception):
    """An option is wrong; the text says why in one line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raises UsageError, where argparse would print its usage and exit."""
        raise UsageError(f"{message} (--help lists the options)")


def parse_options(argv: Sequence[str] | None) -> Options:
    """Reads the command line. Raises UsageError; ends the process for --help and --version."""
    given = _parser().parse_args(argv)
    return Options(
        service=_service_config(given),
        host=given.host,
        port=given.port,
        token=_read_token(given.token_file),
        parent_pid=os.getppid() if given.exit_with_parent == -1 else given.exit_with_parent,
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gpu_sidecar",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_target_options(parser.add_argument_group("what to watch"))
    _add_access_options(parser.add_argument_group("where to listen"))
    parser.add_argument(
        "--exit-with-parent",
        nargs="?",
        type=_typed(_whole_number(1, 2**22)),
        const=-1,
        metavar="PID",
        help="stop when the process that started this one ends (PID: its id, to be sure)",
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _add_target_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--gpu-id",
        type=_typed(parse_gpu_selector),
        default="",
        metavar="ID",
        help="the GPUs to sample: indexes or UUIDs with commas between them, `all` or `none` (default: those that the "
        "server uses, or else those that a python process uses)",
    )
    group.add_argument(
        "--server-process",
        type=_typed(parse_server_selector),
        metavar="WHICH",
        help="the server under test, whose CPU, memory and GPUs are sampled: pid:N, port:N (the port it listens on) or "
        "name:PATTERN (a regular expression for its command line) (default: the python processes on the GPUs)",
    )
    group.add_argument(
        "--source",
        choices=list(_LIVE_SOURCES),
        help="; ".join(f"{name}: {entry.summary}" for name, entry in _LIVE_SOURCES.items())
        + " (default: the first that this machine has)",
    )
    group.add_argument(
        "--interval", type=_typed(_seconds), default=1.0, metavar="S", help="seconds between samples (default: 1)"
    )
    group.add_argument("--no-host", action="store_true", help="don't sample CPU and memory of the host and the server")
    group.add_argument(
        "--record", type=Path, metavar="FILE", help="append every sample to this file, as one line of JSON each"
    )
    group.add_argument(
        "--replay",
        type=Path,
        metavar="FILE",
        help="serve the samples of a file that --record wrote, instead of this machine's",
    )


def _add_access_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    group.add_argument(
        "--port",
        type=_typed(_whole_number(0, 65535)),
        default=9550,
        help="the port to listen on; 0 picks a free one (default: %(default)s)",
    )
    group.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"a file with the token that clients must send; needed if other machines can reach --host (or set "
        f"{TOKEN_VARIABLE})",
    )


def _service_config(given: argparse.Namespace) -> ServiceConfig:
    if given.replay is None:
        entry = _source_entry(given.source)
        _check_interval(entry, given.interval)
    else:
        _check_replay(given)
        entry = SOURCES[_REPLAY]
    return ServiceConfig(
        gpu=given.gpu_id,
        server=given.server_process,
        source=entry,
        period_s=given.interval,
        has_host=not given.no_host,
        record=given.record,
        replay=given.replay,
    )


def _source_entry(name: str | None) -> SourceEntry:
    """The source asked for, else the first whose tool is installed, else the first."""
    entries = list(_LIVE_SOURCES.values())
    return _LIVE_SOURCES[name] if name else next((entry for entry in entries if entry.is_there()), entries[0])


def _check_interval(entry: SourceEntry, interval_s: float) -> None:
    if _can_keep(entry, interval_s):
        return
    kind = "a whole number of seconds" if entry.in_whole_seconds else "seconds"
    others = [f", or --source {other.name}" for other in _LIVE_SOURCES.values() if _can_keep(other, interval_s)]
    bounds = f"{kind} from {entry.shortest_period_s:g} to {_LONGEST_INTERVAL_S:g}{''.join(others)}"
    raise UsageError(f"--interval {interval_s:g} is not possible with --source {entry.name}: give {bounds}")


def _can_keep(entry: SourceEntry, interval_s: float) -> bool:
    return interval_s >= entry.shortest_period_s and (interval_s == int(interval_s) or not entry.in_whole_seconds)


def _check_replay(given: argparse.Namespace) -> None:
    live_only = {
        "--gpu-id": not given.gpu_id.is_by_process,
        "--server-process": given.server_process,
        "--source": given.source,
    }
    for name, value in live_only.items():
        if value:
            raise UsageError(f"--replay plays everything that was recorded: leave out {name}")
    are_there = given.record is not None and given.record.exists() and given.replay.exists()
    if are_there and given.record.samefile(given.replay):
        raise UsageError("--record and --replay are the same file, which would never end: give two")


def _read_token(path: Path | None) -> str | None:
    """The token of the file, else of the environment; None without either. An empty variable counts as unset."""
    if path is None:
        return os.environ.get(TOKEN_VARIABLE, "").strip() or None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"can't read the token file {path}: {why}") from None
    if not token:
        raise UsageError(f"the token file {path} is empty")
    return token


def _typed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Makes an option's type of a parser that raises ValueError with a line for people, which argparse would drop."""

    def typed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    """Makes a parser for whole numbers from `low` to `high`, both allowed."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
            raise ValueError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_INTERVAL_S:
        raise ValueError(f"{text!r} is not a number of seconds above 0, up to {_LONGEST_INTERVAL_S:g}")
    return seconds
