"""The sink: a vosk-server that recognises nothing and answers on time, for thousands of callers on one core.

    python -m stt_load.server.sink --port 0 [--delay 0.3] [--text WORDS] [--truth FILE]

For calibration and the bench: the cost of a load test is measured against a server that costs as little as it can.
Whatever is spoken, `--delay` seconds after the end message `{"text": WORDS}` and the closing handshake go out in one
piece. With `--truth` each answer ends with a word of its own and leaves a line, see `sink_truth.py`.
GET /healthz answers with its counters since the start.
"""

from __future__ import annotations

import contextlib
import json
import math
import resource
import socket
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from stt_load.errors import ConfigError
from stt_load.server.epoll_loop import EpollLoop
from stt_load.server.kernel_stamps import ANCILLARY_BYTES, Ancillary, ask_for_stamps, received_s
from stt_load.server.listener import announce, open_listener, run_command, url_of
from stt_load.server.sink_frames import (
    ClientFrames,
    ClientMessage,
    FrameCounts,
    InvalidFrame,
    MessageKind,
    close_frame,
    server_frame,
)
from stt_load.server.sink_request import BadRequest, HealthRequest, http_response, read_request
from stt_load.server.sink_truth import SinkTruth

EOF = b'{"eof" : 1}'
_BACKLOG = 4_096  # a whole stage may dial together
_READ_BYTES = 65_536
_ACCEPTS_AT_ONCE = 64
_PATIENCE_S = 1.0  # for the peer's half of an end
_PAUSE_WHEN_OUT_OF_FILES_S = 0.5
_TRUTH_EVERY_S = 1.0
_LONGEST_ANSWER_BYTES = 4_096  # goes into any socket's buffer whole


class SinkConnection:
    """One TCP connection. `frames` is None until its websocket is open."""

    __slots__ = ("end", "frames", "is_over", "last_frame", "raw", "request")

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.request = b""
        self.frames: ClientFrames | None = None
        self.last_frame: Ancillary | None = None  # the stamp of the read that completed the last frame
        self.end: StreamEnd | None = None  # the end of the utterance, until it is answered
        self.is_over = False  # our side has said its last: only the peer's end still counts


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """When the last frame and the end message of an utterance came, monotonic seconds."""

    last_frame_s: float | None
    at_s: float


class Sink:
    """The server: all connections, from accept to close."""

    def __init__(
        self, loop: EpollLoop, listener: socket.socket, delay_s: float, text: str, truth: SinkTruth | None = None
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._delay_s = delay_s
        self._text = text
        self._truth = truth
        self._counts = FrameCounts()
        self._connections = 0
        self._utterances = 0
        self._open: set[SinkConnection] = set()
        self._buffer = bytearray(_READ_BYTES)
        self._buffers = [self._buffer]

    def run(self) -> None:
        """Serves until the loop is told to stop."""
        self._start_accepting()
        self._flush_truth()
        announce(url_of(self._listener, "ws", "/"))
        self._loop.run()
        self._listener.close()
        for connection in list(self._open):
            self._drop(connection)
        if self._truth is not None:
            self._truth.flush()

    def _flush_truth(self) -> None:
        if self._truth is not None:
            self._truth.flush()
            self._loop.call_at(time.monotonic() + _TRUTH_EVERY_S, self._flush_truth)

    # connections come and go -------------------------------------------------------------------------------

    def _start_accepting(self) -> None:
        self._loop.watch(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                raw, _ = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError as error:
                print(f"can't accept connections: {error.strerror}; raise the limit of open files", file=sys.stderr)
                self._loop.unwatch(self._listener.fileno())
                self._loop.call_at(time.monotonic() + _PAUSE_WHEN_OUT_OF_FILES_S, self._start_accepting)
                return
            raw.setblocking(False)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ask_for_stamps(raw)
            self._connections += 1
            connection = SinkConnection(raw)
            self._open.add(connection)
            self._loop.watch(raw.fileno(), partial(self._read, connection))

    def _drop(self, connection: SinkConnection) -> None:
        """Closes the socket at once. May be called again."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        self._loop.unwatch(connection.raw.fileno())
        connection.raw.close()
        if connection.end is not None:
            self._log_truth(connection.end, None, None)

    def _send(self, connection: SinkConnection, data: bytes) -> bool:
        """Sends all of `data`, or drops the connection: a client that has left so much unread that these few bytes find
        no room is as good as gone."""
        try:
            is_sent = connection.raw.send(data) == len(data)
        except OSError:
            is_sent = False
        if not is_sent:
            self._drop(connection)
        return is_sent

    def _send_last(self, connection: SinkConnection, data: bytes) -> None:
        """Sends the last bytes of our side. The socket stays open until the peer has ended too: closing it with unread
        bytes in it would send a reset, which discards what was sent."""
        if self._send(connection, data):
            with contextlib.suppress(OSError):
                connection.raw.shutdown(socket.SHUT_WR)
            self._await_end(connection)

    def _await_end(self, connection: SinkConnection) -> None:
        """Gives the peer a while to end its side, now that ours is over."""
        connection.is_over = True
        self._loop.call_at(time.monotonic() + _PATIENCE_S, partial(self._drop, connection))

    # what comes in -----------------------------------------------------------------------------------------

    def _read(self, connection: SinkConnection) -> None:
        try:
            n_bytes, ancillary, _, _ = connection.raw.recvmsg_into(self._buffers, ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError:
            n_bytes = 0
        if not n_bytes:
            self._drop(connection)
        elif connection.frames is not None:
            self._feed(connection, connection.frames, self._buffer, n_bytes, ancillary)
        elif not connection.is_over:
            self._on_request(connection, bytes(self._buffer[:n_bytes]), ancillary)

    def _feed(
        self,
        connection: SinkConnection,
        frames: ClientFrames,
        data: bytes | bytearray,
        n_bytes: int,
        ancillary: Ancillary,
    ) -> None:
        counts = self._counts
        n_before = counts.frames
        try:
            messages = frames.feed(data, n_bytes)
        except InvalidFrame as error:
            self._close(connection, error.close_code)
            return
        if counts.frames != n_before:
            connection.last_frame = ancillary
        for message in messages:
            self._on_message(connection, message, ancillary)

    def _on_request(self, connection: SinkConnection, data: bytes, ancillary: Ancillary) -> None:
        connection.request += data
        request = read_request(connection.request)
        if request is None:
            return
        connection.request = b""
        if isinstance(request, HealthRequest):
            self._send_last(connection, http_response(200, json.dumps(self.health()), "application/json"))
        elif isinstance(request, BadRequest):
            self._send_last(connection, request.answer)
        elif self._send(connection, request.answer):
            connection.frames = ClientFrames(self._counts)
            self._feed(connection, connection.frames, request.rest, len(request.rest), ancillary)

    def _on_message(self, connection: SinkConnection, message: ClientMessage, ancillary: Ancillary) -> None:
        kind, payload = message
        if kind is MessageKind.CLOSE:
            if not connection.is_over:
                self._send(connection, server_frame(MessageKind.CLOSE, payload[:2]))
            # We end TCP first: so TIME_WAIT is on this side, and the client may use its port again at once.
            self._drop(connection)
        elif connection.is_over:
            return
        elif kind is MessageKind.PING:
            self._send(connection, server_frame(MessageKind.PONG, payload))
        elif kind is MessageKind.TEXT and payload == EOF:
            self._on_end(connection, ancillary)
        elif kind is MessageKind.TEXT and b"config" not in payload:
            self._close(connection, 1011)

    def _on_end(self, connection: SinkConnection, ancillary: Ancillary) -> None:
        if connection.end is None:
            last_frame = connection.last_frame
            last_frame_s, at_s = received_s(ancillary if last_frame is None else last_frame, ancillary)
            connection.end = StreamEnd(None if last_frame is None else last_frame_s, at_s)
            self._loop.call_at(at_s + self._delay_s, partial(self._answer, connection))

    # what goes out -----------------------------------------------------------------------------------------

    def _answer(self, connection: SinkConnection) -> None:
        """Sends the text and the closing handshake in one piece."""
        if connection.is_over or connection not in self._open:
            return
        self._utterances += 1
        text = self._text if self._truth is None else f"{self._text} u{self._utterances:06d}".lstrip()
        if self._send(
            connection, server_frame(MessageKind.TEXT, json.dumps({"text": text}).encode()) + close_frame(1000)
        ):
            sent_s = time.monotonic()
            assert connection.end is not None
            end, connection.end = connection.end, None
            self._log_truth(end, text, sent_s)
            self._await_end(connection)

    def _close(self, connection: SinkConnection, code: int) -> None:
        """Begins the closing handshake with a client that broke the rules."""
        if not connection.is_over and self._send(connection, close_frame(code)):
            self._await_end(connection)

    def _log_truth(self, end: StreamEnd, text: str | None, text_sent_s: float | None) -> None:
        if self._truth is not None:
            self._truth.add(text, end.last_frame_s, end.at_s, text_sent_s)

    def health(self) -> dict[str, object]:
        """The answer to GET /healthz. `connections`: open now, with that of this request; the rest is counted since the
        start."""
        return {
            "ready": True,
            "connections": len(self._open),
            "connections_ever": self._connections,
            "utterances": self._utterances,
            "frames": self._counts.frames,
            "bytes": self._counts.payload_bytes,
            "cpu_s": time.process_time(),
            "monotonic_s": time.monotonic(),
        }


def _lift_file_limit() -> None:
    """Allows this process as many open files as it may have at all."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--delay", "delay_s", default=0.3, help="Seconds from the end message to the text.")
@click.option("--text", default="some words", help="The text of every answer.")
@click.option("--truth", type=click.Path(path_type=Path), help="File to append a line an utterance to.")
@click.option("--exit-with-parent", is_flag=True, help="Also end when standard input ends.")
def command(host: str, port: int, delay_s: float, text: str, truth: Path | None, exit_with_parent: bool) -> None:
    if not 0.0 <= delay_s < math.inf:
        raise ConfigError(f"--delay {delay_s}: give seconds, 0 or more")
    if len(json.dumps(text)) > _LONGEST_ANSWER_BYTES:
        raise ConfigError(f"--text: at most {_LONGEST_ANSWER_BYTES} bytes")
    log = None if truth is None else SinkTruth(truth)
    _lift_file_limit()
    Sink(EpollLoop(exit_with_parent), open_listener(host, port, backlog=_BACKLOG), delay_s, text, log).run()


if __name__ == "__main__":
    run_command(command)
