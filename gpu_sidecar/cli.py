"""The command `gpu-sidecar`, or `python3 -m gpu_sidecar`: handles signals, starts and stops everything in order.

Once it listens, it prints `listening on URL` and nothing else to stdout. Warnings go to stderr. It goes on where these
can't be written to.

SIGTERM, SIGINT (Ctrl-C), SIGHUP and SIGQUIT stop it in order, a second one at once. SIGINT, SIGHUP and SIGQUIT don't if
they were ignored when it was started, as by nohup or a script's `&`.
Exit codes: 0 stopped by a signal or the end of its parent, 1 it could not start, 2 bad input or port in use; 1 and 2
with one line on stderr.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Sequence
from functools import partial

from gpu_sidecar.gpu_choice import UnknownGpu
from gpu_sidecar.http_server import SidecarServer, is_loopback
from gpu_sidecar.lasting_thread import LastingThread
from gpu_sidecar.options import TOKEN_VARIABLE, Options, UsageError, parse_options
from gpu_sidecar.recording_format import NotARecording
from gpu_sidecar.service import Service, ServiceConfig
from gpu_sidecar.standard_streams import STDERR, STDOUT, StderrHandler, make_safe, write_line

_PARENT_CHECK_S = 0.5
_SHUTDOWN_CHECK_S = 0.1


def main(argv: Sequence[str] | None = None) -> int:
    make_safe()
    logging.basicConfig(format="gpu_sidecar: %(message)s", level=logging.WARNING, handlers=[StderrHandler()])
    try:
        return _run(parse_options(argv))
    except (UsageError, UnknownGpu) as error:
        write_line(STDERR, f"gpu_sidecar: {error}")
        return 2
    except (RuntimeError, MemoryError, OSError) as error:  # no thread, no memory or no descriptor to be had
        write_line(STDERR, f"gpu_sidecar: it can't start: {error}")
        return 1


def _run(options: Options) -> int:
    stopping = threading.Event()
    _stop_on_signals(stopping)
    with _bind(options.host, options.port, options.token) as server:
        service = _make_service(options.service)
        server.state = service.state
        serve = partial(server.serve_forever, _SHUTDOWN_CHECK_S)
        serving = LastingThread("http", serve, service.state.failures, stopping)
        try:
            service.start()
            service.wait_for_gpus(stopping)
            serving.start()
            write_line(STDOUT, f"listening on {server.url}")
            while not stopping.wait(_PARENT_CHECK_S):
                # Asked for, not signalled: PR_SET_PDEATHSIG would fire at the end of the parent's *thread*.
                if options.parent_pid is not None and os.getppid() != options.parent_pid:
                    break
            server.shutdown()
        finally:
            stopping.set()
            service.stop()
    return 0


def _stop_on_signals(stopping: threading.Event) -> None:
    def stop(*_: object) -> None:
        if stopping.is_set():
            os._exit(0)  # nvidia-smi is killed with us
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if number == signal.SIGTERM or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    # If it was ignored when we were started, children would be collected without their exit status.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


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
