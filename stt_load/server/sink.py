"""The sink: a vosk-server that hears nothing and answers on time, for thousands of callers on one core.

    python -m stt_load.server.sink --port 0 [--delay 0.3] [--text WORDS] [--truth FILE]

For calibration and the bench: what a load test costs is measured against a server that costs as little as it can.
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
from stt_load.server.sink_frames import BrokenFrame, ClientFrames, Heard, Kind, Tally, close_frame, server_frame
from stt_load.server.sink_request import HealthQuestion, Refusal, http_answer, read_request
from stt_load.server.sink_truth import SinkTruth

EOF = b'{"eof" : 1}'
_BACKLOG = 4_096  # a whole stage may dial together
_READ_BYTES = 65_536
_ACCEPTS_AT_ONCE = 64
_PATIENCE_S = 1.0  # for the peer's half of an end
_PAUSE_WHEN_OUT_OF_FILES_S = 0.5
_TRUTH_EVERY_S = 1.0
_LONGEST_ANSWER_BYTES = 4_096  # goes into any socket's buffer whole


class Caller:
    """One connection. `frames` is None until its websocket is open."""

    __slots__ = ("end", "frames", "is_over", "last_frame", "raw", "request")

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.request = b""
        self.frames: ClientFrames | None = None
        self.last_frame: Ancillary | None = None  # stamp of the read that completed it
        self.end: End | None = None  # of the utterance, until it is answered
        self.is_over = False  # our side has said its last: only the peer's end still counts


@dataclass(frozen=True, slots=True)
class End:
    """Of an utterance: when its last frame and its end message came, monotonic seconds."""

    last_frame_s: float | None
    at_s: float


class Sink:
    """All callers, from accept to close."""

    def __init__(
        self, loop: EpollLoop, listener: socket.socket, delay_s: float, text: str, truth: SinkTruth | None = None
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._delay_s = delay_s
        self._text = text
        self._truth = truth
        self._tally = Tally()
        self._connections = 0
        self._utterances = 0
        self._callers: set[Caller] = set()
        self._buffer = bytearray(_READ_BYTES)
        self._buffers = [self._buffer]

    def run(self) -> None:
        """Until the loop is told to stop."""
        self._welcome()
        self._flush_truth()
        announce(url_of(self._listener, "ws", "/"))
        self._loop.run()
        self._listener.close()
        for caller in list(self._callers):
            self._drop(caller)
        if self._truth is not None:
            self._truth.flush()

    def _flush_truth(self) -> None:
        if self._truth is not None:
            self._truth.flush()
            self._loop.at(time.monotonic() + _TRUTH_EVERY_S, self._flush_truth)

    # callers come and go -----------------------------------------------------------------------------------

    def _welcome(self) -> None:
        self._loop.watch(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_AT_ONCE):
            try:
                raw, _ = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError as error:
                print(f"can't accept callers: {error.strerror}; raise the limit of open files", file=sys.stderr)
                self._loop.forget(self._listener.fileno())
                self._loop.at(time.monotonic() + _PAUSE_WHEN_OUT_OF_FILES_S, self._welcome)
                return
            raw.setblocking(False)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ask_for_stamps(raw)
            self._connections += 1
            caller = Caller(raw)
            self._callers.add(caller)
            self._loop.watch(raw.fileno(), partial(self._read, caller))

    def _drop(self, caller: Caller) -> None:
        """May be called again."""
        if caller not in self._callers:
            return
        self._callers.remove(caller)
        self._loop.forget(caller.raw.fileno())
        caller.raw.close()
        if caller.end is not None:
            self._note(caller.end, None, None)

    def _send(self, caller: Caller, data: bytes) -> bool:
        """Whole or not at all: who has left so much unread that these few bytes find no room is no caller any more."""
        try:
            is_sent = caller.raw.send(data) == len(data)
        except OSError:
            is_sent = False
        if not is_sent:
            self._drop(caller)
        return is_sent

    def _send_last(self, caller: Caller, data: bytes) -> None:
        """Nothing comes behind it. The socket stays until the peer has ended too: a close with unread bytes in it would
        be a reset, which takes what was sent along."""
        if self._send(caller, data):
            with contextlib.suppress(OSError):
                caller.raw.shutdown(socket.SHUT_WR)
            self._await_end(caller)

    def _await_end(self, caller: Caller) -> None:
        """Our side is over: the peer has a while for its own."""
        caller.is_over = True
        self._loop.at(time.monotonic() + _PATIENCE_S, partial(self._drop, caller))

    # what they say -----------------------------------------------------------------------------------------

    def _read(self, caller: Caller) -> None:
        try:
            n_bytes, ancillary, _, _ = caller.raw.recvmsg_into(self._buffers, ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError:
            n_bytes = 0
        if not n_bytes:
            self._drop(caller)
        elif caller.frames is not None:
            self._hear(caller, caller.frames, self._buffer, n_bytes, ancillary)
        elif not caller.is_over:
            self._on_request(caller, bytes(self._buffer[:n_bytes]), ancillary)

    def _hear(
        self, caller: Caller, frames: ClientFrames, data: bytes | bytearray, n_bytes: int, ancillary: Ancillary
    ) -> None:
        tally = self._tally
        n_before = tally.frames
        try:
            heard = frames.feed(data, n_bytes)
        except BrokenFrame as error:
            self._close(caller, error.close_code)
            return
        if tally.frames != n_before:
            caller.last_frame = ancillary
        for message in heard:
            self._on_heard(caller, message, ancillary)

    def _on_request(self, caller: Caller, data: bytes, ancillary: Ancillary) -> None:
        caller.request += data
        request = read_request(caller.request)
        if request is None:
            return
        caller.request = b""
        if isinstance(request, HealthQuestion):
            self._send_last(caller, http_answer(200, json.dumps(self.health()), "application/json"))
        elif isinstance(request, Refusal):
            self._send_last(caller, request.answer)
        elif self._send(caller, request.answer):
            caller.frames = ClientFrames(self._tally)
            self._hear(caller, caller.frames, request.rest, len(request.rest), ancillary)

    def _on_heard(self, caller: Caller, heard: Heard, ancillary: Ancillary) -> None:
        kind, payload = heard
        if kind is Kind.CLOSE:
            if not caller.is_over:
                self._send(caller, server_frame(Kind.CLOSE, payload[:2]))
            # TCP ends from here first: the port waits here, and the caller may dial from it again at once.
            self._drop(caller)
        elif caller.is_over:
            return
        elif kind is Kind.PING:
            self._send(caller, server_frame(Kind.PONG, payload))
        elif kind is Kind.TEXT and payload == EOF:
            self._on_end(caller, ancillary)
        elif kind is Kind.TEXT and b"config" not in payload:
            self._close(caller, 1011)

    def _on_end(self, caller: Caller, ancillary: Ancillary) -> None:
        if caller.end is None:
            last_frame = caller.last_frame
            last_frame_s, at_s = received_s(ancillary if last_frame is None else last_frame, ancillary)
            caller.end = End(None if last_frame is None else last_frame_s, at_s)
            self._loop.at(at_s + self._delay_s, partial(self._answer, caller))

    # what they are told ------------------------------------------------------------------------------------

    def _answer(self, caller: Caller) -> None:
        """The text and the closing handshake in one piece, as they would come from a server that has them at hand."""
        if caller.is_over or caller not in self._callers:
            return
        self._utterances += 1
        text = self._text if self._truth is None else f"{self._text} u{self._utterances:06d}".lstrip()
        if self._send(caller, server_frame(Kind.TEXT, json.dumps({"text": text}).encode()) + close_frame(1000)):
            sent_s = time.monotonic()
            assert caller.end is not None
            end, caller.end = caller.end, None
            self._note(end, text, sent_s)
            self._await_end(caller)

    def _close(self, caller: Caller, code: int) -> None:
        """The closing handshake, of a caller who broke the rules."""
        if not caller.is_over and self._send(caller, close_frame(code)):
            self._await_end(caller)

    def _note(self, end: End, text: str | None, text_sent_s: float | None) -> None:
        if self._truth is not None:
            self._truth.add(text, end.last_frame_s, end.at_s, text_sent_s)

    def health(self) -> dict[str, object]:
        """`connections` are open now, this question's own among them; everything else is counted since the start."""
        return {
            "ready": True,
            "connections": len(self._callers),
            "connections_ever": self._connections,
            "utterances": self._utterances,
            "frames": self._tally.frames,
            "bytes": self._tally.payload_bytes,
            "cpu_s": time.process_time(),
            "monotonic_s": time.monotonic(),
        }


def _lift_file_limit() -> None:
    """As many open files as this process may have at all."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--delay", "delay_s", default=0.3, help="Seconds from the end message to the text.")
@click.option("--text", default="some words", help="What everybody is taken to have said.")
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
