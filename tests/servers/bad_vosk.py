"""What a vosk server may do wrong on one connection, over real sockets, and what a caller says of each fault.

`raw_server` gives each connection its `Caller`. With TLS a behaviour makes its own handshake, or doesn't.
"""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from raw_server import (
    BINARY,
    CONT,
    PING,
    PONG,
    SELF_SIGNED,
    TEXT,
    Caller,
    RawServer,
    close_frame,
    frame,
    raw_server,
)

from stt_load.errors import Outcome

Behave = Callable[[Caller], None]

TIMEOUT_S = 3
# Options of a run in which every caller speaks once, all of them at the same time.
_ROUND = ("--ramp-rate", "200", "--rounds", "1", "--settle", "0s")
ALL_AT_ONCE = (*_ROUND, "--timeout", str(TIMEOUT_S), "--gpu-sidecar", "off", "--slo", "error_rate<1%")
WORDS = "some words"
_SILENT_S = 15.0  # a caller has left long before
_ESTABLISHED = 1  # linux/tcp_states.h
_TCP_REPAIR = 19  # linux/tcp.h: a socket that is closed in this state says nothing to its peer
_NO_TRANSCRIPT = f"no complete transcript within {TIMEOUT_S} s of the last frame"
_NO_UPGRADE = "no answer to the websocket upgrade in time"
_FIN = "connection lost: Connection to remote host was lost."
_LOST = "connection lost"  # whether a send or a read meets a reset first is chance
_MANY_MESSAGES = "the server floods: more than 500 messages, pings, pongs and fragments a second"


def say(words: str, key: str = "text") -> bytes:
    return frame(TEXT, json.dumps({key: words}).encode())


ANSWER = say(WORDS) + close_frame(1000)


def hear(caller: Caller) -> None:
    """Upgrades, and returns when all audio and the end message have come."""
    caller.upgrade()
    hear_on(caller)


def hear_on(caller: Caller) -> None:
    while True:
        opcode, payload = caller.read_frame()
        if opcode == TEXT and b"eof" in payload:
            return


def answer(caller: Caller) -> None:
    hear(caller)
    caller.send(ANSWER)
    caller.wait_for_end()


def be_silent(caller: Caller) -> None:
    """Keeps the connection, without reading from it, until the caller has left. With a full receive buffer nobody hears
    of that."""
    until_s = time.monotonic() + _SILENT_S
    while time.monotonic() < until_s and _is_there(caller.socket):
        time.sleep(0.1)


def _is_there(connection: socket.socket) -> bool:
    """Whether the caller has not closed, also where what it sent before was not read: tcp(7), the state."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED


def before_upgrade(answer: bytes = b"", then: Behave = Caller.wait_for_end) -> Behave:
    def behave(caller: Caller) -> None:
        caller.read_request()
        caller.send(answer)
        then(caller)

    return behave


def at_upgrade(said: bytes, then: Behave = Caller.wait_for_end) -> Behave:
    def behave(caller: Caller) -> None:
        caller.upgrade()
        caller.send(said)
        then(caller)

    return behave


def in_mid_speech(said: bytes, then: Behave = Caller.wait_for_end) -> Behave:
    def behave(caller: Caller) -> None:
        caller.upgrade()
        caller.read_audio(5)
        caller.send(said)
        then(caller)

    return behave


def at_end(said: bytes, then: Behave = Caller.wait_for_end) -> Behave:
    def behave(caller: Caller) -> None:
        hear(caller)
        caller.send(said)
        then(caller)

    return behave


def leave(caller: Caller) -> None:
    """FIN, without a close frame."""
    caller.socket.shutdown(socket.SHUT_WR)
    caller.wait_for_end()


def forget(caller: Caller) -> None:
    """Closes as a host does that was restarted: without a word, and what comes after is answered with a reset."""
    caller.socket.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
    caller.socket.close()


def drip(data: bytes, pause_s: float = 0.2) -> Behave:
    def behave(caller: Caller) -> None:
        for byte in itertools.chain(data, itertools.repeat(0x20)):
            caller.send(bytes([byte]))
            time.sleep(pause_s)

    return behave


def flood(said: bytes) -> Behave:
    """Sends it again and again, until the caller has left."""
    at_once = said * max(1, 60_000 // len(said))

    def behave(caller: Caller) -> None:
        while True:
            caller.send(at_once)

    return behave


def partials(per_s: int) -> Behave:
    def behave(caller: Caller) -> None:
        begun_s = time.monotonic()
        for number in itertools.count():
            caller.send(b"".join(say(f"word {k}", "partial") for k in range(100)))
            time.sleep(max(0.0, begun_s + (number + 1) * 100 / per_s - time.monotonic()))

    return behave


def can_forget() -> bool:
    """Whether this process may close a connection without a word."""
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
        except OSError:
            return False
    return True


@dataclass(frozen=True)
class Fault:
    """`error`: what the error of its row begins with; empty where the utterance is complete all the same."""

    sentence: str
    behave: Behave
    outcome: Outcome
    error: str = ""


FAULTS: Sequence[Fault] = (
    # it stalls
    Fault("it accepts, and says nothing", Caller.wait_for_end, Outcome.TIMED_OUT, _NO_UPGRADE),
    Fault(
        "it answers the upgrade byte by byte",
        before_upgrade(then=drip(b"HTTP/1.1 101 Switching Protocols\r\nX: ")),
        Outcome.TIMED_OUT,
        _NO_UPGRADE,
    ),
    Fault(
        "it stalls after partials",
        in_mid_speech(say("some", "partial")),
        Outcome.TIMED_OUT,
        f"{_NO_TRANSCRIPT}; texts came that may still change, but no last one",
    ),
    Fault("it never answers", at_end(b""), Outcome.TIMED_OUT, _NO_TRANSCRIPT),
    Fault(
        "it answers and never closes",
        at_end(say(WORDS)),
        Outcome.TIMED_OUT,
        f"{_NO_TRANSCRIPT}; texts came, but the end message was never answered",
    ),
    Fault("it answers byte by byte", at_end(ANSWER[:8], drip(ANSWER[8:])), Outcome.TIMED_OUT, _NO_TRANSCRIPT),
    Fault("it closes and keeps the connection", at_end(ANSWER, be_silent), Outcome.OK),
    Fault("it never reads", at_upgrade(b"", be_silent), Outcome.TIMED_OUT, _NO_TRANSCRIPT),
    # it floods
    Fault("an endless head", before_upgrade(b"HTTP/1.1 101 ", flood(b"x")), Outcome.PROTOCOL_ERROR, "no HTTP answer"),
    Fault(
        "endless 100 Continue",
        before_upgrade(then=flood(b"HTTP/1.1 100 Continue\r\n\r\n")),
        Outcome.PROTOCOL_ERROR,
        "more than 100 interim answers",
    ),
    Fault("10,000 partials a second", in_mid_speech(b"", partials(10_000)), Outcome.PROTOCOL_ERROR, _MANY_MESSAGES),
    Fault("small messages", in_mid_speech(b"", flood(frame(TEXT, b"{}"))), Outcome.PROTOCOL_ERROR, _MANY_MESSAGES),
    Fault("pings", in_mid_speech(b"", flood(frame(PING))), Outcome.PROTOCOL_ERROR, _MANY_MESSAGES),
    Fault("pongs", in_mid_speech(b"", flood(frame(PONG))), Outcome.PROTOCOL_ERROR, _MANY_MESSAGES),
    Fault(
        "a text of 100 MB",
        in_mid_speech(b"\x81\x7f" + (100_000_000).to_bytes(8), flood(b"x")),
        Outcome.PROTOCOL_ERROR,
        "a frame of 100,000,000 bytes, where 1,048,576 are the most",
    ),
    Fault(
        "fragments",
        in_mid_speech(frame(TEXT, b"{", fin=False), flood(frame(CONT, b"", fin=False))),
        Outcome.PROTOCOL_ERROR,
        _MANY_MESSAGES,
    ),
    # it leaves
    Fault("FIN before the upgrade", before_upgrade(then=leave), Outcome.REFUSED, "the connection ended during"),
    Fault("RST before the upgrade", before_upgrade(then=Caller.reset), Outcome.REFUSED, "the connection ended during"),
    Fault("FIN at the upgrade", at_upgrade(b"", leave), Outcome.DISCONNECTED, _FIN),
    Fault("FIN in mid speech", in_mid_speech(say("some", "partial"), leave), Outcome.DISCONNECTED, _FIN),
    Fault("RST in mid speech", in_mid_speech(b"", Caller.reset), Outcome.DISCONNECTED, _LOST),
    Fault("FIN in a frame", in_mid_speech(ANSWER[:8], leave), Outcome.DISCONNECTED, _FIN),
    Fault(
        "a close in mid speech", in_mid_speech(close_frame(1011, "died")), Outcome.SERVER_ERROR, "closed by the server"
    ),
    Fault("FIN behind the text, no close", at_end(say(WORDS), leave), Outcome.DISCONNECTED, _FIN),
    # it breaks the protocol
    Fault(
        "a masked frame",
        in_mid_speech(b"\x81\x82abcd" + b"{}"),
        Outcome.PROTOCOL_ERROR,
        "not a websocket frame: it is masked",
    ),
    Fault("bytes", in_mid_speech(frame(BINARY, b"\xff\xfe\x00")), Outcome.PROTOCOL_ERROR, "not JSON"),
)

HALF_OPEN: Sequence[Fault] = (
    Fault("its host restarts in mid speech", in_mid_speech(b"", forget), Outcome.DISCONNECTED, _LOST),
    Fault("its host restarts while we wait", at_end(b"", forget), Outcome.TIMED_OUT, _NO_TRANSCRIPT),
)


def over_tls(behave: Behave) -> Behave:
    """The same behind a TLS handshake."""

    def behave_over_tls(caller: Caller) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(SELF_SIGNED)
        with context.wrap_socket(caller.socket, server_side=True) as wrapped:
            caller.socket = wrapped
            behave(caller)

    return behave_over_tls


def below_tls(caller: Caller) -> socket.socket:
    """The same connection, past TLS."""
    return socket.socket(fileno=socket.dup(caller.socket.fileno()))


def end_without_notify(caller: Caller) -> None:
    """FIN of TCP, without the alert that ends TLS."""
    with below_tls(caller) as raw:
        raw.shutdown(socket.SHUT_WR)
        caller.wait_for_end()


def half_a_record(caller: Caller) -> None:
    """The beginning of a record of TLS, and no more."""
    with below_tls(caller) as raw:
        raw.sendall(b"\x17\x03\x03\x40\x00" + bytes(100))
        caller.wait_for_end()


TLS_FAULTS: Sequence[Fault] = (
    Fault("no TLS handshake", Caller.wait_for_end, Outcome.TIMED_OUT, "no TLS handshake with"),
    Fault("FIN in the handshake", leave, Outcome.REFUSED, "no TLS with"),
    Fault("RST in the handshake", Caller.reset, Outcome.REFUSED, "no TLS with"),
    Fault("no TLS", lambda caller: caller.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Outcome.REFUSED, "no TLS with"),
    Fault("it stalls in mid speech", over_tls(in_mid_speech(b"")), Outcome.TIMED_OUT, _NO_TRANSCRIPT),
    Fault("it stalls in a record", over_tls(in_mid_speech(b"", half_a_record)), Outcome.TIMED_OUT, _NO_TRANSCRIPT),
    Fault(
        "no notify in mid speech",
        over_tls(in_mid_speech(b"", end_without_notify)),
        Outcome.DISCONNECTED,
        _LOST,
    ),
    Fault("no notify behind its close", over_tls(at_end(ANSWER, end_without_notify)), Outcome.OK),
    Fault("it floods", over_tls(in_mid_speech(b"", flood(frame(TEXT, b"{}")))), Outcome.PROTOCOL_ERROR, _MANY_MESSAGES),
)


def unexplained(
    faults: Sequence[Fault], rows: Iterable[Mapping[str, Any]]
) -> tuple[list[Fault], list[tuple[str, str]]]:
    """The faults that no row tells, and the failed rows (outcome and error) that are of no fault."""
    left = [(row["outcome"], row["error"]) for row in rows if row["outcome"] != Outcome.OK]
    untold = []
    for fault in sorted(faults, key=lambda fault: len(fault.error), reverse=True):  # the most telling words first
        told = [row for row in left if row[0] == fault.outcome and row[1].startswith(fault.error)]
        if told:
            left.remove(told[0])
        elif fault.outcome != Outcome.OK:
            untold.append(fault)
    return untold, left


@contextmanager
def bad_server(faults: Sequence[Fault], good: Behave = answer) -> Iterator[RawServer]:
    """Its first connections meet one fault each, in turn with good ones; all later ones are good."""
    behaviours = iter([behave for fault in faults for behave in (fault.behave, good)])
    lock = threading.Lock()

    def behave(caller: Caller) -> None:
        if not caller.socket.recv(1, socket.MSG_PEEK):
            return  # it only looks whether somebody is there
        with lock:
            mine = next(behaviours, good)
        mine(caller)

    with raw_server(behave) as server:
        yield server
