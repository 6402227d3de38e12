"""`python3 -m gpu_sidecar`: options, signals, and the order in which things start and stop.

The first line on stdout is `listening on URL`, once it is; nothing else goes there. Warnings go to stderr.
Exit codes: 0 told to stop, 2 bad input or port in use (one line on stderr).
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from gpu_sidecar import __version__
from gpu_sidecar.devices import UnknownGpu, parse_gpu_wanted
from gpu_sidecar.recording import NoRecording
from gpu_sidecar.serve import SidecarServer, is_loopback
from gpu_sidecar.server_process import parse_server_wanted
from gpu_sidecar.sources.registry import SOURCES, SourceRow
from gpu_sidecar.station import Station, Wanted

T = TypeVar("T")

TOKEN_VARIABLE = "GPU_SIDECAR_TOKEN"
_REPLAY = "replay"
_LIVE_SOURCES = {name: row for name, row in SOURCES.items() if name != _REPLAY}
_LONGEST_INTERVAL_S = 3600.0
_PARENT_CHECK_S = 0.5
_SHUTDOWN_CHECK_S = 0.1

_DESCRIPTION = """\
Samples the GPUs, the host and the server of this machine, tagged with the stage of the load test, and serves them
over HTTP: JSON for stt-load, text for Prometheus. Needs Python 3.8 and, for GPUs, nvidia-smi; nothing is installed.
"""
_EXAMPLES = """\
examples:
  python3 -m gpu_sidecar                                for a load test on this machine
  python3 -m gpu_sidecar --server-process port:8000     what the server on that port takes: its GPUs, its CPU
  python3 -m gpu_sidecar --host 10.0.0.7 --token-file token.txt     for a load test on another machine
  python3 -m gpu_sidecar --record gpu.jsonl             with a file of all samples; --replay gpu.jsonl plays it
  curl http://127.0.0.1:9550/healthz                    what is watched and why, and how it goes

It answers GET /samples, /stages, /metrics (Prometheus) and /healthz, and POST /stage.
"""


class UsageError(Exception):
    """Bad input, in one line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """argparse would print its usage first and exit by itself."""
        raise UsageError(f"{message} (--help lists the options)")


def main(argv: Sequence[str] | None = None) -> int:
    logging.basicConfig(format="gpu_sidecar: %(message)s", level=logging.WARNING)
    try:
        return _run(_parser().parse_args(argv))
    except (UsageError, UnknownGpu) as error:
        print(f"gpu_sidecar: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gpu_sidecar",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_what_is_watched(parser.add_argument_group("what is watched"))
    _add_the_door(parser.add_argument_group("who may ask"))
    parser.add_argument(
        "--exit-with-parent",
        nargs="?",
        type=_typed(_whole_number(1, 2**22)),
        const=-1,
        metavar="PID",
        help="stop when the process that started this one is gone (PID: what it must be)",
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _add_what_is_watched(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--gpu-id",
        type=_typed(parse_gpu_wanted),
        default="",
        metavar="ID",
        help="GPUs by index or UUID, several with commas, `all` or `none` (default: those that the server uses, or "
        "else those that a python process uses)",
    )
    group.add_argument(
        "--server-process",
        type=_typed(parse_server_wanted),
        metavar="WHICH",
        help="the server under test: pid:N, port:N (it listens there) or name:PATTERN (in its command line); its "
        "CPU and memory are sampled, and its GPUs (default: the python processes on the GPUs)",
    )
    group.add_argument(
        "--source",
        choices=list(_LIVE_SOURCES),
        help="; ".join(f"{name}: {row.summary}" for name, row in _LIVE_SOURCES.items()) + " (default: what is there)",
    )
    group.add_argument(
        "--interval", type=_typed(_seconds), default=1.0, metavar="S", help="seconds from sample to sample (default: 1)"
    )
    group.add_argument("--no-host", action="store_true", help="no CPU and memory of the host and the server")
    group.add_argument(
        "--record", type=Path, metavar="FILE", help="append every sample to this file, one JSON line each"
    )
    group.add_argument(
        "--replay", type=Path, metavar="FILE", help="play a file of --record instead of watching this machine"
    )


def _add_the_door(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    group.add_argument(
        "--port", type=_typed(_whole_number(0, 65535)), default=9550, help="0 picks a free one (default: %(default)s)"
    )
    group.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"holds the token that callers must show; needed beyond loopback (or set {TOKEN_VARIABLE})",
    )


def _run(options: argparse.Namespace) -> int:
    parent_pid = os.getppid() if options.exit_with_parent == -1 else options.exit_with_parent
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())

    wanted = _wanted(options)
    token = _read_token(options.token_file)
    with _bind(options.host, options.port, token) as server:
        station = _make_station(wanted)
        server.sidecar = station.sidecar
        station.start()
        try:
            station.wait_for_gpus(stopping.is_set)
            threading.Thread(target=server.serve_forever, args=(_SHUTDOWN_CHECK_S,), name="http", daemon=True).start()
            print(f"listening on {server.url}", flush=True)
            while not stopping.wait(_PARENT_CHECK_S):
                # Asked for, not signalled: PR_SET_PDEATHSIG would fire at the end of the parent's *thread*.
                if parent_pid is not None and os.getppid() != parent_pid:
                    break
            server.shutdown()
        finally:
            station.stop()
    return 0


def _wanted(options: argparse.Namespace) -> Wanted:
    if options.replay is None:
        row = _row(options.source)
        _check_interval(row, options.interval)
    else:
        _check_replay(options)
        row = SOURCES[_REPLAY]
    return Wanted(
        gpu=options.gpu_id,
        server=options.server_process,
        row=row,
        period_s=options.interval,
        has_host=not options.no_host,
        record=options.record,
        replay=options.replay,
    )


def _row(name: str | None) -> SourceRow:
    """The one asked for, else the first whose tool is here, else the first."""
    rows = list(_LIVE_SOURCES.values())
    return _LIVE_SOURCES[name] if name else next((row for row in rows if row.is_there()), rows[0])


def _check_interval(row: SourceRow, interval_s: float) -> None:
    kind = "a whole number of seconds" if row.in_whole_seconds else "seconds"
    if interval_s < row.shortest_period_s or (row.in_whole_seconds and interval_s != int(interval_s)):
        bounds = f"from {row.shortest_period_s:g} to {_LONGEST_INTERVAL_S:g}"
        raise UsageError(f"--interval {interval_s:g} doesn't go with --source {row.name}: give {kind} {bounds}")


def _check_replay(options: argparse.Namespace) -> None:
    given = {
        "--gpu-id": not options.gpu_id.is_by_process,
        "--server-process": options.server_process,
        "--source": options.source,
    }
    for name, value in given.items():
        if value:
            raise UsageError(f"--replay plays all that was recorded: {name} doesn't go with it")
    are_there = options.record is not None and options.record.exists() and options.replay.exists()
    if are_there and options.record.samefile(options.replay):
        raise UsageError("--record and --replay are the same file: it would never end")


def _make_station(wanted: Wanted) -> Station:
    try:
        return Station(wanted)
    except NoRecording as error:
        raise UsageError(f"{wanted.replay or wanted.record} is no recording of --record: {error}") from None
    except OSError as error:
        raise UsageError(f"can't open the recording {error.filename}: {error.strerror}") from None


def _bind(host: str, port: int, token: str | None) -> SidecarServer:
    try:
        if token is None and not is_loopback(host):
            raise UsageError(f"beyond loopback ({host}) a token is needed: --token-file FILE or {TOKEN_VARIABLE}")
        return SidecarServer(host, port, token)
    except socket.gaierror:
        raise UsageError(f"--host {host} stands for no address: give this machine's name or address") from None
    except OSError as error:
        advice = "choose another with --port (0 picks a free one)"
        raise UsageError(f"can't listen on {host} port {port}: {error.strerror}; {advice}") from None


def _read_token(path: Path | None) -> str | None:
    """From the file, else the environment. None where neither is given; a variable may be there and empty."""
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
    """A parser that raises ValueError with a line for people, as an option's type: argparse would drop the line."""

    def typed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    """Within bounds, both allowed."""

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
