"""uvicorn around an ASGI application: how the embedded servers listen, announce themselves and end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from stt_load.server.listener import announce
from stt_load.server.stop_event import stop_event

_MAX_MESSAGE_BYTES = 1 << 20
_SHUTDOWN_S = 1  # for answers under way; uvicorn takes whole seconds
# What uvicorn logs as errors, one of them with a traceback, though it was the client that left or sent rubbish.
_FAULTS_OF_CLIENTS = frozenset(
    {"ASGI callable returned without completing handshake.", "Invalid UTF-8 sequence received from client."}
)


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals to `stop_event`: uvicorn raises them again after its end, which would make an
    orderly end look like a death."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    url: str,
    exit_with_parent: bool = False,
    prepare: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Runs until an ending signal or, with `exit_with_parent`, the end of standard input.

    Clients are accepted from the first moment, so that `/healthz` can say "not ready" while `prepare` runs; `url` is
    announced after it. At the end websockets are closed with 1012, and answers under way have a second left.
    """
    stop = stop_event(exit_with_parent)
    _notice_dead_peers(listener)
    _send_at_once(listener)
    log = logging.getLogger("uvicorn.error")
    log.addFilter(lambda record: record.msg not in _FAULTS_OF_CLIENTS)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=_MAX_MESSAGE_BYTES,
        # Servers under test differ in this, and none that is stood in for pings: so there are no pings of ours.
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    server = _Server(config)

    async def run_until_stopped() -> None:
        await stop.wait()
        # An answer that the end cuts off is no error of the application, as uvicorn would call it.
        log.setLevel(logging.CRITICAL)
        server.should_exit = True

    async def announce_when_ready() -> None:
        if prepare is not None:
            await prepare()
        announce(url)

    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    tasks = {serving, asyncio.ensure_future(run_until_stopped()), asyncio.ensure_future(announce_when_ready())}
    waiting = tasks
    try:
        while not serving.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a task that failed ends the server with its error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _send_at_once(listener: socket.socket) -> None:
    """Has no message wait in the kernel for the client's word that it has the one before, which takes 40 ms. asyncio
    sees to that for sockets that it made itself. On Linux an accepted socket inherits it from its listener."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _notice_dead_peers(listener: socket.socket) -> None:
    """Has the kernel give up clients whose machine vanished without a word after half a minute. On Linux an accepted
    socket inherits this from its listener."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
