"""What a server of uploads or of text to speech may do wrong on one connection, and what a request says of it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from raw_server import Caller

from servers.bad_vosk import TIMEOUT_S, Behave, Fault, be_silent, drip, flood, forget, leave
from stt_load.errors import Outcome

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
_LATE = f"no whole answer within {TIMEOUT_S} s"
_INTERIM = "more than 100 interim answers, the last one HTTP 100"


def hear(caller: Caller) -> None:
    """Reads the whole request."""
    head = caller.read_request().lower()
    length = int(head.partition("content-length: ")[2].split("\r\n")[0])
    caller.read_body(length)


def after_request(said: bytes = b"", then: Behave = Caller.wait_for_end) -> Behave:
    def behave(caller: Caller) -> None:
        hear(caller)
        caller.send(said)
        then(caller)

    return behave


def good(content_type: bytes, body: bytes) -> Behave:
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    return after_request(_HEAD % content_type + length + body)


def refuse_early(caller: Caller) -> None:
    caller.read_request()
    caller.send(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno")
    be_silent(caller)


def interim_answers(caller: Caller) -> None:
    hear(caller)
    for _ in itertools.count():
        caller.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.1)


def forget_after_request(caller: Caller) -> None:
    hear(caller)
    forget(caller)


_HEAD_OF_ANY = _HEAD % b"application/octet-stream"
_CHUNKED = _HEAD_OF_ANY + b"Transfer-Encoding: chunked\r\n\r\n"

_LENGTH_500 = _HEAD_OF_ANY + b"Content-Length: 500\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CHUNK = b"400\r\n" + b"x" * 1_024 + b"\r\n"

FAULTS: Sequence[Fault] = (
    Fault("it accepts, and never reads", be_silent, Outcome.TIMED_OUT, _LATE),
    Fault("it never answers", after_request(), Outcome.TIMED_OUT, _LATE),
    Fault("its answer drips", after_request(_LENGTH_500, drip(b"")), Outcome.TIMED_OUT, _LATE),
    Fault("its head drips", after_request(then=drip(b"HTTP/1.1 200 OK\r\nX: ")), Outcome.TIMED_OUT, _LATE),
    Fault("its interim answers drip", interim_answers, Outcome.TIMED_OUT, _LATE),
    Fault("endless 100 Continue", after_request(then=flood(_CONTINUE)), Outcome.PROTOCOL_ERROR, _INTERIM),
    Fault(
        "an endless head", after_request(_HEAD_OF_ANY, flood(b"X: y\r\n")), Outcome.PROTOCOL_ERROR, "no HTTP answer:"
    ),
    Fault("endless chunks", after_request(_CHUNKED, flood(_CHUNK)), Outcome.PROTOCOL_ERROR, "an answer of more than"),
    Fault("no chunk", after_request(_CHUNKED + b"ZZZ\r\nhello"), Outcome.PROTOCOL_ERROR, "a chunk without its size"),
    Fault("no HTTP", after_request(b"SSH-2.0-OpenSSH_9.9\r\n"), Outcome.REFUSED, "no HTTP answer but 'SSH"),
    Fault(
        "a body cut off", after_request(_LENGTH_500 + b"half", leave), Outcome.DISCONNECTED, "the answer was cut off"
    ),
    Fault("FIN before its answer", after_request(then=leave), Outcome.DISCONNECTED, "connection lost: it was closed"),
    Fault(
        "RST before its answer", after_request(then=Caller.reset), Outcome.DISCONNECTED, "connection lost: [Errno 104]"
    ),
    Fault("401 before it has heard all", refuse_early, Outcome.REFUSED, "HTTP 401: no"),
)

HALF_OPEN: Sequence[Fault] = (Fault("its host restarts while we wait", forget_after_request, Outcome.TIMED_OUT, _LATE),)
