"""The door of both recognisers: one port for websocket and HTTP, signals, and the end of the process.

The first line on standard output is `listening on ws://HOST:PORT/PATH`, printed when callers are welcome: who
starts a server in a process of its own waits for that line.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

from stt_load.errors import ConfigError
from stt_load.server.connection import App, Connection
from stt_load.server.posts import Posts, answer_post, is_post

_BACKLOG = 1024
_PAUSE_WHEN_OUT_OF_FILES_S = 0.5


def open_listener(host: str, port: int, receive_buffer_bytes: int | None = None) -> socket.socket:
    """A listening socket; port 0 takes a free one. ConfigError, one line, where that can't be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if receive_buffer_bytes is not None:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            listener.bind(address)
            listener.listen(_BACKLOG)
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


def url_of(listener: socket.socket, path: str) -> str:
    host, port = listener.getsockname()[:2]
    return f"ws://[{host}]:{port}{path}" if ":" in host else f"ws://{host}:{port}{path}"


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
        _announce(listener, app.path)
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


def _announce(listener: socket.socket, path: str) -> None:
    # A starter that has gone away is no reason to fail.
    with contextlib.suppress(BrokenPipeError):
        print(f"listening on {url_of(listener, path)}", flush=True)


async def _announce_after(preparation: Awaitable[None], listener: socket.socket, path: str) -> None:
    await preparation
    _announce(listener, path)


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


def run_command(command: Callable[[], object]) -> None:
    """A server's command line, as a module that is run: bad input is one line and exit code 2."""
    try:
        command()
    except ConfigError as error:
        print(f"error: {error.problems[0]}", file=sys.stderr)
        sys.exit(2)


def _on_end_of_stdin(loop: asyncio.AbstractEventLoop, then: Callable[[], None]) -> None:
    """The starter holds the other end of our standard input: its end is the starter's, even after `kill -9`."""

    def read() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            then()

    try:
        loop.add_reader(0, read)
    except OSError:
        raise ConfigError("--exit-with-parent needs a pipe on standard input, held open by the parent") from None
