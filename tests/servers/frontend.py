"""The accept loop of the scripted recogniser: one port for websocket and HTTP, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from servers.connection import App, Connection
from stt_load.server.listener import announce, url_of
from stt_load.server.stop_event import stop_event


async def serve(listener: socket.socket, app: App, exit_with_parent: bool = False) -> None:
    """Runs until SIGTERM, SIGINT or, with `exit_with_parent`, the end of standard input."""
    stop = stop_event(exit_with_parent)
    connections: set[Connection] = set()
    accepting = asyncio.ensure_future(_accept(listener, app, connections))
    stopped = asyncio.ensure_future(stop.wait())
    announce(url_of(listener, "ws", app.path))
    try:
        await asyncio.wait({accepting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if accepting.done():
            accepting.result()
    finally:
        accepting.cancel()
        stopped.cancel()
        await asyncio.gather(accepting, stopped, return_exceptions=True)
        listener.close()
        for connection in list(connections):
            connection.drop()


async def _accept(listener: socket.socket, app: App, connections: set[Connection]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        raw, _ = await loop.sock_accept(listener)
        try:
            connections.add(Connection(raw, app, on_gone=connections.discard))
        except OSError:  # gone before it was looked at
            with contextlib.suppress(OSError):
                raw.close()
