"""The command `gpu-sidecar`, or `python3 -m gpu_sidecar`: handles signals, starts and stops everything in order.

Once it listens, it prints `listening on URL` and nothing else to stdout. Warnings go to stderr.
Exit codes: 0 stopped by a signal, 2 bad input or port in use (one line on stderr).
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence

from gpu_sidecar.gpu_choice import UnknownGpu
from gpu_sidecar.http_server import SidecarServer, is_loopback
from gpu_sidecar.options import TOKEN_VARIABLE, Options, UsageError, parse_options
from gpu_sidecar.recording_format import NotARecording
from gpu_sidecar.service import Service, ServiceConfig

_PARENT_CHECK_S = 0.5
_SHUTDOWN_CHECK_S = 0.1


def main(argv: Sequence[str] | None = None) -> int:
    logging.basicConfig(format="gpu_sidecar: %(message)s", level=logging.WARNING)
    try:
        return _run(parse_options(argv))
    except (UsageError, UnknownGpu) as error:
        print(f"gpu_sidecar: {error}", file=sys.stderr)
        return 2


def _run(options: Options) -> int:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())

    with _bind(options.host, options.port, options.token) as server:
        service = _make_service(options.service)
        server.state = service.state
        service.start()
        try:
            service.wait_for_gpus(stopping)
            threading.Thread(target=server.serve_forever, args=(_SHUTDOWN_CHECK_S,), name="http", daemon=True).start()
            print(f"listening on {server.url}", flush=True)
            while not stopping.wait(_PARENT_CHECK_S):
                # Asked for, not signalled: PR_SET_PDEATHSIG would fire at the end of the parent's *thread*.
                if options.parent_pid is not None and os.getppid() != options.parent_pid:
                    break
            server.shutdown()
        finally:
            service.stop()
    return 0


def _make_service(config: ServiceConfig) -> Service:
    try:
        return Service(config)
    except NotARecording as error:
        raise UsageError(f"{config.replay or config.record} was not written by --record: {error}") from None
    except OSError as error:
        raise UsageError(f"can't open the recording {error.filename}: {error.strerror}") from None


def _bind(host: str, port: int, token: str | None) -> SidecarServer:
    try:
        if token is None and not is_loopback(host):
            raise UsageError(
                f"--host {host} needs a token, since other machines can reach it: use --token-file or {TOKEN_VARIABLE}"
            )
        return SidecarServer(host, port, token)
    except socket.gaierror:
        raise UsageError(f"--host {host} has no address: give this machine's name or address") from None
    except OSError as error:
        advice = "choose another with --port (0 picks a free one)"
        raise UsageError(f"can't listen on {host} port {port}: {error.strerror}; {advice}") from None
