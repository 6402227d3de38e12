"""The start of every server: a listening socket, its URL for the starter, bad input in one line.

The first line on standard output is `listening on URL`, printed when the server is ready for clients: whoever starts a
server in a process of its own waits for that line.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable

from stt_load.errors import ConfigError
from stt_load.process.standard_streams import print_in_background

_BACKLOG = 1024
NO_PARENT = "--exit-with-parent needs a pipe on standard input, held open by the parent"


def open_listener(
    host: str, port: int, receive_buffer_bytes: int | None = None, backlog: int = _BACKLOG
) -> socket.socket:
    """Opens a listening socket, non-blocking; port 0 takes a free one. Raises ConfigError, one line, where that can't
    be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if receive_buffer_bytes is not None:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            listener.bind(address)
            listener.listen(backlog)
        except BaseException:
            listener.close()
            raise
    except (OSError, UnicodeError, OverflowError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise ConfigError(
            f"can't listen on {host}:{port}: {why}; choose another --host or --port (0 takes a free port)"
        ) from None
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket, scheme: str, path: str = "") -> str:
    """The URL of `path` on this listener; `scheme`: ws or http."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{path}"


def announce(url: str) -> None:
    """Prints the line that starters wait for."""
    print(f"listening on {url}", flush=True)


def run_command(command: Callable[[], object]) -> None:
    """Runs the command of a module that is run as a server: what ends it is one line, and 2 for bad input."""
    print_in_background()
    try:
        command()
    except ConfigError as error:
        print(f"error: {error.problems[0]}", file=sys.stderr)
        sys.exit(error.exit_code)
