"""A sink for gRPC: it reads every call, grants what it reads at once, and answers each half-close with two words.

    python bench/grpc_sink.py --port 0 [--quiet]

As grpcio's servers do, it grants each DATA frame by two WINDOW_UPDATEs, of the stream and of the connection, and sends
a PING for every second one; so a caller has as much to read as from a real one, and the sink costs little beside it.
"""

from __future__ import annotations

import socket

import click

from stt_load.dialects.protobuf import encode
from stt_load.dialects.riva_grpc import RESPONSE
from stt_load.server.epoll_loop import EpollLoop
from stt_load.server.listener import announce, open_listener, run_command, url_of
from stt_load.session.grpc_frames import GrpcFrame
from stt_load.session.http2_frames import (
    PREFACE,
    STREAM,
    Flag,
    FrameType,
    Setting,
    make_frame,
    make_headers,
    make_settings,
    read_frame,
    window_update,
)

_WINDOW = 4 << 20
_OPENING = make_settings([(Setting.INITIAL_WINDOW_SIZE, _WINDOW)]) + window_update(_WINDOW, 0)
_SETTINGS_ACK = make_frame(FrameType.SETTINGS, flags=Flag.ACK)
_PING = make_frame(FrameType.PING, bytes(8))
_TEXT = {"results": [{"alternatives": [{"transcript": "two words"}], "is_final": True}]}
_TRAILERS = bytearray(make_headers([("grpc-status", "0")]))
_TRAILERS[4] |= Flag.END_STREAM
_ANSWER = (
    make_headers([(":status", "200"), ("content-type", "application/grpc")])
    + GrpcFrame(encode(_TEXT, RESPONSE)).data
    + bytes(_TRAILERS)
)


class _Call:
    def __init__(self, loop: EpollLoop, connection: socket.socket, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._loop = loop
        self._connection = connection
        self._rest = b""
        self._has_begun = False
        self._n_frames = 0
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_OPENING)
        loop.watch(connection.fileno(), self._read)

    def _read(self) -> None:
        try:
            data = self._connection.recv(65_536)
            if data:
                self._feed(data)
                return
        except OSError:
            pass
        self._loop.unwatch(self._connection.fileno())
        self._connection.close()

    def _feed(self, data: bytes) -> None:
        data, at = self._rest + data, 0
        if not self._has_begun:
            at, self._has_begun = len(PREFACE), True
        said = b""
        while (frame := read_frame(data, at)) is not None:
            at = frame.end
            if frame.type == FrameType.SETTINGS and not frame.flags & Flag.ACK:
                said += _SETTINGS_ACK
            elif frame.type == FrameType.DATA:
                said += self._answer(frame.flags, len(frame.payload))
        self._rest = data[at:]
        if said:
            self._connection.sendall(said)

    def _answer(self, flags: int, n_bytes: int) -> bytes:
        if flags & Flag.END_STREAM:
            return _ANSWER
        if self._is_quiet:
            return b""
        self._n_frames += 1
        return window_update(n_bytes, STREAM) + window_update(n_bytes, 0) + (_PING if self._n_frames % 2 else b"")


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0)
@click.option("--quiet", "is_quiet", is_flag=True, help="Grants nothing beyond the first window.")
@click.option("--exit-with-parent", is_flag=True)
def command(host: str, port: int, is_quiet: bool, exit_with_parent: bool) -> None:
    loop, listener = EpollLoop(exit_with_parent), open_listener(host, port)
    loop.watch(listener.fileno(), lambda: _accept(loop, listener, is_quiet))
    announce(url_of(listener, "grpc", "/"))
    loop.run()


def _accept(loop: EpollLoop, listener: socket.socket, is_quiet: bool) -> None:
    _Call(loop, listener.accept()[0], is_quiet)


if __name__ == "__main__":
    run_command(command)
