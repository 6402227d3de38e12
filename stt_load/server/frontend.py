"""The door of both recognisers: one port for websocket and HTTP, signals, and the end of the process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

from stt_load.errors import ConfigError
from stt_load.server.connection import App, Connection
from stt_load.server.listener import NO_PARENT, announce
from stt_load.server.posts import Posts, answer_post, is_post

_PAUSE_WHEN_OUT_OF_FILES_S = 0.5


async def serve(
    listener: socket.socket,
    app: App,
    prepare: Callable[[], Awaitable[None]] | None = None,
    exit_with_parent: bool = False,
    posts: Posts | None = None,
) -> None:
    """Until SIGTERM, SIGINT or, with `exit_with_parent`, the end of standard input. `posts`: who answers POST.

    Connections are accepted from the first moment, so that `/healthz` can say "not ready" while `prepare` runs.
    """
    loop, stop = asyncio.get_running_loop(), told_to_stop(exit_with_parent)
    connections: set[Connection] = set()
    answering: set[asyncio.Task[None]] = set()
    tasks = [loop.create_task(_accept(listener, app, connections, posts, answering))]
    if prepare is not None:
        tasks.append(loop.create_task(_announce_after(prepare(), listener, app.path)))
    else:
        announce(listener, app.path)
    stopped = loop.create_task(stop.wait())
    try:
        waiting = {stopped, *tasks}
        while not stopped.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a task that failed ends the server with its error
    finally:
        ending = (stopped, *tasks, *answering)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        listener.close()
        for connection in list(connections):
            connection.drop()


async def _announce_after(preparation: Awaitable[None], listener: socket.socket, path: str) -> None:
    await preparation
    announce(listener, path)


async def _accept(
    listener: socket.socket,
    app: App,
    connections: set[Connection],
    posts: Posts | None,
    answering: set[asyncio.Task[None]],
) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            raw, _ = await loop.sock_accept(listener)
        except OSError as error:
            print(f"can't accept callers: {error.strerror}; raise the limit of open files", file=sys.stderr)
            await asyncio.sleep(_PAUSE_WHEN_OUT_OF_FILES_S)
            continue
        if posts is None:
            _connect(raw, app, connections)
        else:
            task = loop.create_task(_tell_apart(raw, app, connections, posts))
            answering.add(task)
            task.add_done_callback(answering.discard)


def _connect(raw: socket.socket, app: App, connections: set[Connection]) -> None:
    try:
        connections.add(Connection(raw, app, on_gone=connections.discard))
    except OSError:  # gone before it was looked at
        raw.close()


async def _tell_apart(raw: socket.socket, app: App, connections: set[Connection], posts: Posts) -> None:
    """By the first byte: a websocket's request is a GET, and its sans-IO library reads no bodies."""
    try:
        is_upload = await is_post(raw)
    except BaseException:
        raw.close()
        raise
    if is_upload:
        await answer_post(raw, posts)
    else:
        _connect(raw, app, connections)


def told_to_stop(exit_with_parent: bool) -> asyncio.Event:
    """Set by SIGTERM, SIGINT or, with `exit_with_parent`, by the end of standard input. For the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if exit_with_parent:
        _on_end_of_stdin(loop, stop.set)
    return stop


def _on_end_of_stdin(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    """The starter holds the other end of our standard input: its end is the starter's, even after `kill -9`."""

    def read() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            then()

    try:
        loop.add_reader(0, read)
    except OSError:
        raise ConfigError(NO_PARENT) from None
