"""`python3 -m gpu_sidecar`: options, signals, and the order in which things start and stop.

The first line on stdout is `listening on URL`, once it is; nothing else goes there. Warnings go to stderr.
Exit codes: 0 told to stop, 2 bad input or port in use (one line on stderr).
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from gpu_sidecar import __version__
from gpu_sidecar.answers import Sidecar
from gpu_sidecar.devices import GpuChoice, UnknownGpu
from gpu_sidecar.dmon import GpuSample
from gpu_sidecar.nvidia_smi import find_gpu
from gpu_sidecar.serve import SidecarServer, is_loopback
from gpu_sidecar.source import DmonSource, NoSource
from gpu_sidecar.timeline import Timeline

_log = logging.getLogger("gpu_sidecar")

TOKEN_VARIABLE = "GPU_SIDECAR_TOKEN"
_PARENT_CHECK_S = 0.5
_SHUTDOWN_CHECK_S = 0.1


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
    parser = _Parser(prog="gpu_sidecar", description="Serves GPU samples, tagged with the load test's stage.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_whole_number(0, 65535), default=9550, help="0 picks a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--gpu-id", type=_whole_number(0, 9999), help="index of the GPU to watch (default: where python runs)"
    )
    parser.add_argument(
        "--interval", type=_whole_number(1, 3600), default=1, metavar="S", help="whole seconds a sample (default: 1)"
    )
    parser.add_argument(
        "--token-file", type=Path, help=f"file with the token that callers must show (or set {TOKEN_VARIABLE})"
    )
    parser.add_argument(
        "--exit-with-parent",
        nargs="?",
        type=_whole_number(1, 2**22),
        const=-1,
        metavar="PID",
        help="stop when the process that started this one is gone (PID: what it must be)",
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _run(options: argparse.Namespace) -> int:
    parent_pid = os.getppid() if options.exit_with_parent == -1 else options.exit_with_parent
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())

    token = _read_token(options.token_file)
    with _bind(options.host, options.port, token) as server:
        executable, choice = find_gpu(options.gpu_id)
        _warn_of(choice)
        timeline = Timeline()
        source = _make_source(executable, choice, options.interval, timeline)
        server.sidecar = Sidecar(socket.gethostname(), secrets.token_hex(8), choice, timeline, source.status)

        source.start()
        try:
            threading.Thread(target=server.serve_forever, args=(_SHUTDOWN_CHECK_S,), name="http", daemon=True).start()
            print(f"listening on {server.url}", flush=True)
            while not stopping.wait(_PARENT_CHECK_S):
                # Asked for, not signalled: PR_SET_PDEATHSIG would fire at the end of the parent's *thread*.
                if parent_pid is not None and os.getppid() != parent_pid:
                    break
            server.shutdown()
        finally:
            source.stop()
    return 0


def _make_source(
    executable: str | None, choice: GpuChoice, interval_s: int, timeline: Timeline
) -> DmonSource | NoSource:
    if executable is None or choice.device is None:
        return NoSource()

    def on_sample(sample: GpuSample) -> None:
        timeline.add(sample, time.time(), time.monotonic())

    return DmonSource(executable, choice.device.index, interval_s, on_sample)


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


def _warn_of(choice: GpuChoice) -> None:
    if choice.device is None:
        _log.warning("%s: serving without GPU samples", choice.why)
    elif choice.is_guess:
        _log.warning("%s", choice.why)


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    """An option's type: a whole number within bounds, both allowed."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse
