"""Ports of this machine."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port at which nobody listened a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
