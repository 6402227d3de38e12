"""Whole utterances over real sockets, to servers that misbehave: how each of them ends."""

from __future__ import annotations

import json
import select
import selectors
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import clip, first_arrival, open_websocket, record_of
from raw_server import (
    BINARY,
    CLOSE,
    CONT,
    DEADLINE_S,
    PING,
    PONG,
    SELF_SIGNED,
    TEXT,
    Caller,
    close_frame,
    frame,
    raw_server,
)
from servers.script import Fault, Script
from servers.start import start_scripted_server

from stt_load.audio.framing import choose_frame
from stt_load.credentials import Credentials
from stt_load.dialects.base import Settings
from stt_load.dialects.parakeet import Parakeet
from stt_load.dialects.whisperlive import WhisperLive
from stt_load.errors import ConnectionLost, DeadlineExceeded, Outcome, Refusal
from stt_load.net import tcp
from stt_load.net.websocket import WebSocketTransport
from stt_load.pacing import pacer
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.records import UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import EncodedClip, encode_clip
from stt_load.session.session import Session
from stt_load.session.websocket_frames import ClientFrame

RULES = SessionRules(timeout_s=0.5)
PATIENT = SessionRules(timeout_s=DEADLINE_S)  # where the server's answer ends it, however slow the machine
AUDIO = encode_clip(clip(0.0, 0.1, 0.1), choose_frame(100, 16_000, 1_024), 0.4, Parakeet())
N_FRAMES = len(AUDIO.frames)
QUEUED = frame(TEXT, b'{"status":"queued"}')


def text_of(words: str) -> bytes:
    return json.dumps({"text": words}).encode()


def speak(
    url: str, rules: SessionRules = RULES, audio: EncodedClip = AUDIO, connect_timeout_s: float = DEADLINE_S
) -> UtteranceRecord:
    dialect = Parakeet(Settings(credentials=Credentials("secret")))
    session = Session(dialect, audio, rules, time.monotonic())
    transport = WebSocketTransport()
    connection = CallerConnection(dialect, transport, url, InlineDriver(), connect_timeout_s=connect_timeout_s)
    connection.run(session)
    return record_of(*session.measure(time.monotonic()), connection.latest_use)


def ending(record: UtteranceRecord) -> tuple[str, str | None, int | None]:
    """Outcome, error and close code of the utterance. Checks that only a completed one has latencies."""
    latencies = (record.eos_latency_s, record.stream_end_latency_s)
    assert all((value is None) == (record.outcome != Outcome.OK) for value in latencies)
    return record.outcome, record.error, record.close_code


def answer(caller: Caller, words: str = "hello", **upgrade: Any) -> None:
    """Upgrades, reads nearly all of the audio, and answers as the original server does."""
    caller.upgrade(**upgrade)
    caller.read_audio(N_FRAMES - 1)
    caller.send(QUEUED)
    caller.read_audio(1)
    caller.send(frame(TEXT, text_of(words)))
    caller.wait_for_end()


def test_a_server_that_answers_gives_a_record_with_every_figure() -> None:
    with raw_server(answer) as server:
        record = speak(server.url, PATIENT)
    assert ending(record) == (Outcome.OK, None, None)
    assert (record.text, record.stamp, record.frames) == ("hello", "kernel", N_FRAMES)
    assert record.audio_s == pytest.approx(0.576)
    for name in ("eos_latency_s", "first_partial_s", "connect_s", "ready_s", "pacing_lag_p99_s", "duration_s"):
        assert getattr(record, name) >= 0, name
    assert record.eos_latency_s is not None
    assert record.stream_end_latency_s is not None
    assert record.eos_latency_s > record.stream_end_latency_s


def test_the_request_carries_the_key_and_offers_no_compression() -> None:
    with raw_server(answer) as server:
        speak(server.url, PATIENT)
        (caller,) = server.callers
    lines = caller.request.lower().split("\r\n")
    assert lines[0] == "get /ws http/1.1"
    assert "x-api-key: secret" in lines
    assert not [line for line in lines if line.startswith("sec-websocket-extensions")]


# The upgrade ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_a_refused_upgrade_names_the_status_and_the_servers_words(status: int) -> None:
    with start_scripted_server(Script(fault=Fault.REFUSE, status=status)) as server:
        record = speak(server.url)
    assert ending(record) == (
        Outcome.REFUSED,
        f"HTTP {status} at the upgrade: refused by the script",
        None,
    )
    assert record.frames == 0


def test_nobody_listens() -> None:
    with raw_server(answer) as server:
        port = server.port
    outcome, error, _ = ending(speak(f"ws://localhost:{port}/ws"))
    assert (outcome, error) == (Outcome.REFUSED, f"no TCP connection to localhost:{port}: Connection refused")


def test_a_server_that_accepts_and_never_answers_is_given_up() -> None:
    with raw_server(Caller.wait_for_end) as server:
        record = speak(server.url, connect_timeout_s=0.3)
    assert ending(record) == (Outcome.TIMED_OUT, "no answer to the websocket upgrade in time", None)


def test_a_server_that_trickles_its_answer_is_given_up_at_the_same_deadline() -> None:
    def trickle(caller: Caller) -> None:
        caller.read_request()
        while True:
            caller.send(b"x")
            threading.Event().wait(0.01)

    with raw_server(trickle) as server:
        record = speak(server.url, connect_timeout_s=0.3)
    assert ending(record) == (Outcome.TIMED_OUT, "no answer to the websocket upgrade in time", None)


def leave(caller: Caller) -> None:
    caller.read_request()


def reset(caller: Caller) -> None:
    caller.read_request()
    caller.reset()


def answers_with(answer: bytes) -> Callable[[Caller], None]:
    def behave(caller: Caller) -> None:
        caller.read_request()
        caller.send(answer)

    return behave


UPGRADES: dict[str, tuple[Callable[[Caller], None], str]] = {
    "the connection ends before a status line": (
        leave,
        "the connection ended during the upgrade: it was closed by the server; servers with TLS do so too: write wss://",
    ),
    "the connection is reset before a status line": (
        reset,
        "the connection ended during the upgrade: [Errno 104] Connection reset by peer",
    ),
    "no HTTP": (
        answers_with(b"SSH-2.0-OpenSSH_9.9\r\n"),
        "no HTTP answer but 'SSH-2.0-OpenSSH_9.9'",
    ),
    "a web page": (answers_with(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"), "HTTP 200 at the upgrade: hi"),
    "a refusal without a body": (answers_with(b"HTTP/1.1 503 Busy\r\n\r\n"), "HTTP 503 at the upgrade"),
    "a redirect": (
        answers_with(b"HTTP/1.1 302 Found\r\nlocation: ws://localhost:1/elsewhere?token=abc\r\n\r\n"),
        "HTTP 302 at the upgrade: redirected to ws://localhost:1/elsewhere?token=***; use that URL",
    ),
    "somebody else's key": (
        lambda caller: caller.upgrade(accept="c29tZWJvZHkgZWxzZQ=="),
        "no websocket upgrade: Sec-WebSocket-Accept is not an answer to this request's key",
    ),
}


@pytest.mark.parametrize("name", UPGRADES)
def test_no_upgrade_is_a_refusal_and_nobody_is_asked_twice(name: str) -> None:
    behave, expected = UPGRADES[name]
    with raw_server(behave) as server:
        outcome, error, _ = ending(speak(server.url))
        assert len(server.callers) == 1
    assert outcome == Outcome.REFUSED
    assert error is not None
    assert error.startswith(expected)


def test_a_reason_that_comes_after_the_status_is_waited_for() -> None:
    def refuse(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"9\r\nmodel ", b"no", b"t\r\n6\r\n there\r\n", b"0\r\n\r\n"):
            caller.send(piece)
        caller.wait_for_end()

    with raw_server(refuse) as server:
        outcome, error, _ = ending(speak(server.url))
    assert (outcome, error) == (Outcome.REFUSED, "HTTP 400 at the upgrade: model not there")


def test_a_refusal_whose_reason_has_no_end_is_told_at_the_deadline() -> None:
    def refuse(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 401 No\r\nContent-Length: 99\r\n\r\nno such key")
        caller.wait_for_end()

    with raw_server(refuse) as server:
        record = speak(server.url, connect_timeout_s=0.3)
    assert ending(record) == (Outcome.REFUSED, "HTTP 401 at the upgrade: no such key", None)


@pytest.mark.parametrize(
    "upgrade",
    [
        {"before": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"},
        {"connection": ("keep-alive", "Upgrade")},
        {"connection": ("Upgrade", "keep-alive")},
        {"connection": ("upgrade , x", "close")},
    ],
    ids=str,
)
def test_a_proxy_may_add_answers_and_headers_of_its_own(upgrade: dict[str, Any]) -> None:
    with raw_server(lambda caller: answer(caller, **upgrade)) as server:
        assert ending(speak(server.url, PATIENT)) == (Outcome.OK, None, None)


def test_a_head_without_end_is_cut_off() -> None:
    def babble(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 101 ")
        while True:
            caller.send(b"x" * 65_536)

    with raw_server(babble) as server:
        record = speak(server.url)
    assert ending(record) == (
        Outcome.PROTOCOL_ERROR,
        "no HTTP answer: its head has more than 65536 bytes",
        None,
    )


def test_a_certificate_that_nobody_signed_is_refused() -> None:
    with raw_server(answer, is_tls=True) as server:
        outcome, error, _ = ending(speak(server.url))
    assert outcome == Outcome.REFUSED
    assert error is not None
    assert "self-signed certificate; set SSL_CERT_FILE" in error


def test_a_server_that_wants_tls_is_said_to() -> None:
    with raw_server(answer, is_tls=True) as server:
        outcome, error, _ = ending(speak(server.url.replace("wss://", "ws://")))
    assert outcome == Outcome.REFUSED
    assert error is not None
    assert error.startswith("the connection ended during the upgrade: ")
    assert error.endswith("; servers with TLS do so too: write wss:// if it has it")


def test_a_trusted_certificate_is_spoken_through_and_arrivals_are_stamped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "tls_context", lambda *_: ssl.create_default_context(cafile=str(SELF_SIGNED)))
    with raw_server(answer, is_tls=True) as server:
        record = speak(server.url, PATIENT)
    assert ending(record) == (Outcome.OK, None, None)
    assert record.stamp == "kernel"


def test_a_server_that_never_finishes_the_tls_handshake_is_given_up() -> None:
    with raw_server(Caller.wait_for_end) as server:
        record = speak(server.url.replace("ws://", "wss://"), connect_timeout_s=0.3)
    assert ending(record) == (
        Outcome.TIMED_OUT,
        f"no TLS handshake with localhost:{server.port} in time",
        None,
    )


# While audio flows --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(1000, Outcome.DISCONNECTED), (1001, Outcome.DISCONNECTED), (1011, Outcome.SERVER_ERROR)],
)
def test_a_close_in_the_middle_of_a_message(code: int, outcome: Outcome) -> None:
    with start_scripted_server(Script(fault=Fault.CLOSE_MID_MESSAGE, close_code=code, fault_after_s=0.2)) as server:
        record = speak(server.url)
    assert ending(record) == (outcome, f"closed by the server with {code}", code)


def test_a_close_tells_its_reason() -> None:
    def close(caller: Caller) -> None:
        caller.upgrade()
        caller.read_audio(2)
        caller.send(close_frame(1013, "all slots taken"))
        caller.wait_for_end()

    with raw_server(close) as server:
        record = speak(server.url)
    assert ending(record) == (Outcome.REFUSED, "closed by the server with 1013: all slots taken", 1013)


def test_plain_words_and_a_close_are_told_together_and_the_close_decides() -> None:
    def close(caller: Caller) -> None:
        caller.upgrade()
        caller.read_audio(2)
        caller.send(frame(TEXT, b"") + frame(TEXT, b"Unauthorized") + close_frame(1008, "bad key"))
        caller.wait_for_end()

    with raw_server(close) as server:
        record = speak(server.url)
    why = "closed by the server with 1008: bad key; the server said before: 'Unauthorized'"
    assert ending(record) == (Outcome.REFUSED, why, 1008)
    assert record.refusal == Refusal.AUTH


def test_plain_words_in_mid_stream_cost_no_utterance() -> None:
    def chat(caller: Caller) -> None:
        caller.upgrade()
        caller.read_audio(N_FRAMES - 1)
        caller.send(frame(TEXT, b"pong") + frame(TEXT, b"\n") + QUEUED)
        caller.read_audio(1)
        caller.send(frame(TEXT, text_of("hello")))
        caller.wait_for_end()

    with raw_server(chat) as server:
        record = speak(server.url, PATIENT)
    assert ending(record) == (Outcome.OK, None, None)
    assert record.text == "hello"


@pytest.mark.parametrize("is_amid_fragments", [False, True])
@pytest.mark.parametrize("code", [1006, 1015, 2000])
def test_a_close_with_a_code_that_is_not_allowed_tells_code_and_reason(code: int, is_amid_fragments: bool) -> None:
    def close(caller: Caller) -> None:
        caller.upgrade()
        caller.read_audio(2)
        if is_amid_fragments:
            caller.send(frame(TEXT, b"half of a", fin=False))
        caller.send(close_frame(code, "model crashed"))
        caller.wait_for_end()

    with raw_server(close) as server:
        record = speak(server.url)
    assert ending(record) == (Outcome.SERVER_ERROR, f"closed by the server with {code}: model crashed", code)


def test_the_close_code_of_a_server_that_has_left_is_still_read() -> None:
    """It says 1011 and is gone, and our next frames are answered with resets: sending fails, even the courtesy of
    answering its close frame. What it said lies in our kernel."""
    left = threading.Event()

    def close(caller: Caller) -> None:
        caller.upgrade()
        caller.send(frame(TEXT, text_of("last words")) + close_frame(1011, "out of memory"))
        caller.socket.close()
        left.set()

    with raw_server(close) as server:
        transport = open_websocket(server.url)
        assert left.wait(DEADLINE_S)
        deadline_s = time.monotonic() + DEADLINE_S
        with pytest.raises(ConnectionLost):
            while time.monotonic() < deadline_s:
                transport.send(b"\0" * 1_024)
        arrival = first_arrival(transport, DEADLINE_S)
        assert arrival.message == text_of("last words").decode()
        with pytest.raises(ConnectionLost) as caught:
            transport.receive()
        transport.close()
    assert (caught.value.close_code, str(caught.value)) == (1011, "closed by the server with 1011: out of memory")


def test_a_reset_in_mid_stream() -> None:
    with start_scripted_server(Script(fault=Fault.RESET, fault_after_s=0.2)) as server:
        outcome, error, code = ending(speak(server.url))
    assert (outcome, code) == (Outcome.DISCONNECTED, 1006)
    assert error is not None
    assert error.startswith("connection lost")


def test_half_a_frame_and_then_nothing() -> None:
    with start_scripted_server(Script(fault=Fault.CUT_FRAME, fault_after_s=0.2)) as server:
        record = speak(server.url)
    assert ending(record) == (
        Outcome.DISCONNECTED,
        "connection lost: Connection to remote host was lost.",
        1006,
    )


def test_a_server_that_stops_reading_is_given_up_at_the_deadline() -> None:
    """More audio than two kernels keep for a reader who doesn't come."""
    huge = replace(AUDIO, frames=[(ClientFrame(bytes(16 << 20)),)] * 2)
    hold = threading.Event()

    def ignore(caller: Caller) -> None:
        caller.upgrade()
        hold.wait(DEADLINE_S)

    with raw_server(ignore) as server:
        record = speak(server.url, audio=huge)
        hold.set()
    assert ending(record) == (
        Outcome.TIMED_OUT,
        "the server stopped reading: a frame could not be handed over",
        None,
    )


BREACHES = {
    "a reserved bit": frame(TEXT, b"{}", rsv=4),
    "an unknown kind of frame": frame(0x3, b"{}"),
    "a continuation of nothing": frame(CONT, b"{}"),
    "a text inside a fragmented text": frame(TEXT, b'{"te', fin=False) + frame(TEXT, b"{}"),
    "a masked text": b"\x81\x82" + bytes(4) + b"{}",
    "an endless ping": frame(PING, b"x" * 126),
    "a close frame with half a code": frame(0x8, b"\x03"),
    "a text that is no UTF-8": frame(TEXT, b'{"text":"\xff"}'),
    "no JSON": frame(TEXT, b"{hello"),
    "a JSON list": frame(TEXT, b"[]"),
    "bytes that are not a text": frame(BINARY, b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_of_protocol_is_blamed_on_the_server(name: str) -> None:
    def breach(caller: Caller) -> None:
        caller.upgrade()
        caller.send(BREACHES[name])
        caller.wait_for_end()

    with raw_server(breach) as server:
        record = speak(server.url)
    assert record.error
    assert "\n" not in record.error
    assert ending(record) == (Outcome.PROTOCOL_ERROR, record.error, None)


def test_fragments_without_end_are_cut_off() -> None:
    def babble(caller: Caller) -> None:
        caller.upgrade()
        caller.send(frame(TEXT, b"x" * 50_000, fin=False))
        while True:
            caller.send(frame(CONT, b"x" * 50_000, fin=False))

    with raw_server(babble) as server:
        record = speak(server.url)
    assert ending(record) == (Outcome.PROTOCOL_ERROR, "a message of more than 1,048,576 bytes", None)


def test_a_text_in_fragments_with_a_ping_between_is_one_text_and_the_ping_is_answered() -> None:
    pongs = []

    def fragment(caller: Caller) -> None:
        caller.upgrade()
        words = text_of("hello there")
        caller.read_audio(N_FRAMES - 1)
        caller.send(QUEUED + frame(TEXT, words[:5], fin=False) + frame(PING, b"are you there"))
        while (received := caller.read_frame())[0] != PONG:
            pass
        pongs.append(received[1])
        caller.send(frame(CONT, words[5:9], fin=False) + frame(CONT, words[9:]))
        caller.wait_for_end()

    with raw_server(fragment) as server:
        record = speak(server.url, PATIENT)
    assert ending(record) == (Outcome.OK, None, None)
    assert record.text == "hello there"
    assert pongs == [b"are you there"]


# When the text is due -------------------------------------------------------------------------------------------


def test_a_server_that_stalls_is_given_up_at_the_deadline() -> None:
    with start_scripted_server(Script(fault=Fault.STALL)) as server:
        record = speak(server.url)
    assert ending(record) == (
        Outcome.TIMED_OUT,
        "no complete transcript within 0.5 s of the last frame",
        None,
    )
    assert record.frames == N_FRAMES


def test_a_server_that_never_gets_ready_is_given_up() -> None:
    def load(caller: Caller) -> None:
        caller.upgrade()
        caller.wait_for_end()

    dialect = WhisperLive()
    session = Session(dialect, AUDIO, SessionRules(timeout_s=0.5, ready_timeout_s=0.3), time.monotonic())
    with raw_server(load) as server:
        connection = CallerConnection(dialect, WebSocketTransport(), server.url, InlineDriver())
        connection.run(session)
    outcome, error, _ = ending(record_of(*session.measure(time.monotonic())))
    assert outcome == Outcome.TIMED_OUT
    assert str(error).startswith("no ready message within 0.3 s of the upgrade")


def test_a_server_that_answers_after_the_deadline_has_not_answered() -> None:
    with start_scripted_server(Script(delay_s=DEADLINE_S)) as server:
        record = speak(server.url)
    assert ending(record) == (
        Outcome.TIMED_OUT,
        "no complete transcript within 0.5 s of the last frame; 1 pending segment(s) never got their text",
        None,
    )
    assert record.text == ""


def test_half_a_json_object() -> None:
    with start_scripted_server(Script(fault=Fault.WRONG_JSON)) as server:
        record = speak(server.url, PATIENT)
    assert ending(record) == (Outcome.PROTOCOL_ERROR, """not JSON: '{"text": "an object without an en'""", None)


def test_a_text_of_64_mib_is_cut_off() -> None:
    with start_scripted_server(Script(fault=Fault.HUGE_TEXT)) as server:
        record = speak(server.url, PATIENT)
    error = "a frame of 67,108,864 bytes, where 1,048,576 are the most"
    assert ending(record) == (Outcome.PROTOCOL_ERROR, error, None)
    assert record.text == ""


@pytest.mark.parametrize("length", [(1 << 20) + 1, 1 << 62, (1 << 63) + 5])
def test_a_frame_that_says_to_be_too_long_is_not_waited_for(length: int) -> None:
    def promise(caller: Caller) -> None:
        caller.upgrade()
        caller.send(b"\x81\x7f" + struct.pack("!Q", length))
        caller.wait_for_end()

    with raw_server(promise) as server:
        record = speak(server.url, PATIENT)
    error = f"a frame of {length:,} bytes, where 1,048,576 are the most"
    assert ending(record) == (Outcome.PROTOCOL_ERROR, error, None)


@pytest.mark.parametrize(
    ("first", "said", "more_than"),
    [
        (b"", frame(TEXT, text_of("hello")), "200 texts, and 20 a second"),
        (b"", frame(TEXT, text_of("hello" * 20_000)), "1,048,576 characters"),
        (b"", QUEUED, "200 ends of turns, and 20 a second"),
        (b"", frame(TEXT, b"{}"), "500 messages"),
        (b"", frame(PING), "500 messages"),
        (b"", frame(PONG, bytes(125)), "500 messages"),
        (frame(TEXT, b"{", fin=False), frame(CONT, b"", fin=False), "500 messages"),
        (b"", frame(TEXT, b'{"filler": "' + bytes(b"x" * 1_000_000) + b'"}'), "4,194,304 bytes a second"),
    ],
    ids=["finals", "long finals", "segments", "empty", "pings", "pongs", "fragments", "bytes"],
)
def test_a_server_that_floods_breaks_the_protocol(first: bytes, said: bytes, more_than: str) -> None:
    def flood(caller: Caller) -> None:
        caller.upgrade()
        caller.send(first)
        at_once = said * max(1, 60_000 // len(said))
        while True:
            caller.send(at_once)  # until the caller has left

    with raw_server(flood) as server:
        record = speak(server.url, PATIENT)
    assert record.outcome == Outcome.PROTOCOL_ERROR
    assert "the server floods" in str(record.error) and more_than in str(record.error)


def test_the_reason_of_a_refusal_that_never_ends_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacer, "REASON_TIMEOUT_S", 0.1)

    def refuse(caller: Caller) -> None:
        caller.read_request()
        caller.send(b"HTTP/1.1 401 No\r\nContent-Length: 60000\r\n\r\nno such")
        caller.send(b" key")
        caller.wait_for_end()

    with raw_server(refuse) as server:
        record = speak(server.url, PATIENT)
    assert ending(record) == (Outcome.REFUSED, "HTTP 401 at the upgrade: no such key", None)
    assert record.duration_s is not None and record.duration_s < DEADLINE_S / 2


def test_a_second_answer_does_not_change_the_first() -> None:
    with start_scripted_server(Script(text="hello", fault=Fault.TWICE)) as server:
        record = speak(server.url, PATIENT)
    assert ending(record) == (Outcome.OK, None, None)
    assert record.text == "hello"


def test_an_empty_piece_before_the_words_is_waited_out() -> None:
    with start_scripted_server(Script(text="hello", fault=Fault.EMPTY_FIRST)) as server:
        record = speak(server.url, PATIENT)
    assert ending(record) == (Outcome.OK, None, None)
    assert [words for _, words in record.messages] == ["", "hello"]


def test_every_piece_is_waited_for() -> None:
    with start_scripted_server(Script(text="one two three", pieces=3)) as server:
        record = speak(server.url, PATIENT)
    assert ending(record) == (Outcome.OK, None, None)
    assert record.text == "one two three"
    assert len(record.messages) == 3


# Nothing between us and the server ------------------------------------------------------------------------------


def test_a_cookie_is_not_sent_on_by_the_next_connection() -> None:
    def bake(caller: Caller) -> None:
        caller.upgrade("Set-Cookie: backend=7; Domain=localhost; Path=/")

    with raw_server(bake) as server:
        for _ in range(2):
            speak(server.url)
        requests = [caller.request.lower() for caller in server.callers]
    assert len(requests) == 2
    assert not any("cookie" in request for request in requests)


def test_a_proxy_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(Caller.wait_for_end) as proxy, raw_server(answer) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://localhost:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        record = speak(server.url, PATIENT)
        assert proxy.callers == []
    assert record.outcome == Outcome.OK


def test_an_arrival_is_stamped_by_the_kernel_however_late_it_is_read() -> None:
    sent: list[float] = []
    is_open, is_sent = threading.Event(), threading.Event()

    def say(caller: Caller) -> None:
        caller.upgrade()
        is_open.wait(DEADLINE_S)  # what comes along with the upgrade is read with it
        sent.append(time.monotonic())
        caller.send(frame(TEXT, b"{}"))
        sent.append(time.monotonic())
        is_sent.set()
        caller.wait_for_end()

    with raw_server(say) as server:
        transport = open_websocket(server.url)
        is_open.set()
        assert is_sent.wait(DEADLINE_S)
        while time.monotonic() < sent[1] + 0.2:
            pass
        arrival = first_arrival(transport, DEADLINE_S)
        transport.close()
    assert arrival.stamp == "kernel"
    assert sent[0] - 0.05 < arrival.at_s < sent[1] + 0.1


@pytest.mark.parametrize(
    ("opcode", "payload"),
    [(TEXT, b'{"text":"in two halves"}'), (BINARY, b"looks: " + frame(TEXT, b"like a frame"))],
    ids=["a text", "whose rest looks like a frame"],
)
def test_half_a_message_is_none_and_is_kept_until_the_rest_of_it_comes(opcode: int, payload: bytes) -> None:
    is_open, go_on = threading.Event(), threading.Event()
    message = frame(opcode, payload)

    def say(caller: Caller) -> None:
        caller.upgrade()
        is_open.wait(DEADLINE_S)  # what comes along with the upgrade is nothing that a selector sees
        caller.send(message[:9])
        go_on.wait(DEADLINE_S)
        caller.send(message[9:])
        caller.wait_for_end()

    with raw_server(say) as server:
        transport = open_websocket(server.url)
        assert transport.receive() is None
        is_open.set()
        with selectors.DefaultSelector() as selector:
            selector.register(transport, selectors.EVENT_READ)
            assert selector.select(DEADLINE_S)
        assert transport.receive() is None
        assert not select.select([transport], [], [], 0)[0], "the first half was not read"
        go_on.set()
        arrival = first_arrival(transport, DEADLINE_S)
        transport.close()
    assert arrival.message == (payload if opcode == BINARY else payload.decode())


def test_long_messages_count_each_for_itself() -> None:
    """Together they are more than one message may have."""

    def say(caller: Caller) -> None:
        caller.upgrade()
        for _ in range(20):
            caller.send(frame(TEXT, b"x" * 70_000))
        caller.wait_for_end()

    with raw_server(say) as server:
        transport = open_websocket(server.url)
        lengths = [len(first_arrival(transport, DEADLINE_S).message) for _ in range(20)]
        transport.close()
    assert lengths == [70_000] * 20


def test_a_close_frame_is_answered_once() -> None:
    received = []

    def close(caller: Caller) -> None:
        caller.upgrade()
        caller.send(close_frame(1000))
        while True:
            received.append(caller.read_frame())

    with raw_server(close) as server:
        transport = open_websocket(server.url)
        with pytest.raises(ConnectionLost):
            first_arrival(transport, DEADLINE_S)
        transport.close()
    assert received == [(CLOSE, (1000).to_bytes(2))]


def test_closing_waits_for_nobody() -> None:
    """Neither for a server that doesn't answer the close frame, nor before or after a connection."""
    transport = WebSocketTransport()
    transport.close()
    hold = threading.Event()

    def ignore(caller: Caller) -> None:
        caller.upgrade()
        hold.wait(DEADLINE_S)

    with raw_server(ignore) as server:
        transport = open_websocket(server.url)
        transport.close()
        assert not hold.is_set()
        hold.set()
    transport.close()
    with pytest.raises(ConnectionLost, match="not connected"):
        transport.receive()


def test_an_address_that_drops_packets_is_given_up() -> None:
    """A listener whose queue is full answers no more, as a firewall doesn't."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = []
        try:
            for _ in range(4):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
                waiting.append(one)
            with pytest.raises(DeadlineExceeded, match=f"no TCP connection to 127.0.0.1:{port} in time"):
                open_websocket(f"ws://127.0.0.1:{port}/ws", timeout_s=0.3)
        finally:
            for one in waiting:
                one.close()


_NO_DESCRIPTOR = """\
import resource, sys
from stt_load.errors import GeneratorFailure
from stt_load.net.tcp import TcpConnect
from stt_load.net.resolver import resolve

resolve(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
try:
    TcpConnect(sys.argv[1])
except GeneratorFailure as failure:
    print(failure)
"""


def test_a_process_without_a_descriptor_left_has_failed_itself_and_says_so() -> None:
    """Calibration knows its limit by these words."""
    done = subprocess.run(
        [sys.executable, "-c", _NO_DESCRIPTOR, "ws://127.0.0.1:1/"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    why = "no TCP connection to 127.0.0.1:1: Too many open files: this process may have 3 file descriptors, and each"
    assert done.stdout.startswith(why)


_THREE_CALLERS = """\
from gevent import monkey; monkey.patch_all()
import sys, time
sys.path.append(sys.argv[1])
import gevent
from fakes import clip
from stt_load.audio.framing import choose_frame
from stt_load.dialects.parakeet import Parakeet
from stt_load.pacing.greenlet_driver import greenlet_driver, plain_socket
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import encode_clip
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.session.session import Session
from stt_load.net.websocket import WebSocketTransport
from stt_load.pacing import pacer

audio = encode_clip(clip(0.0, 0.1, 0.1), choose_frame(100, 16_000, 1_024), 0.4, Parakeet())

def speak(url):
    session = Session(Parakeet(), audio, SessionRules(timeout_s=300), time.monotonic())
    transport = WebSocketTransport(False, plain_socket)
    CallerConnection(session.dialect, transport, url, greenlet_driver(), connect_timeout_s=300).run(session)
    return str(session.next_action(time.monotonic()).outcome)

mute, stalled, fine = (gevent.spawn(speak, url) for url in sys.argv[2:])
print(fine.get(timeout=30), mute.dead, stalled.dead)
gevent.killall([mute, stalled])
"""


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "TLS"])
def test_a_hung_server_never_blocks_another_caller(is_tls: bool) -> None:
    """Three callers of one process: one is never let in, one is never answered, and the third doesn't notice."""

    def stall(caller: Caller) -> None:
        caller.upgrade()
        caller.wait_for_end()

    with (
        raw_server(Caller.wait_for_end, is_tls) as mute,
        raw_server(stall, is_tls) as stalled,
        raw_server(answer, is_tls) as fine,
    ):
        tests = str(Path(__file__).parents[1])
        done = subprocess.run(
            [sys.executable, "-c", _THREE_CALLERS, tests, mute.url, stalled.url, fine.url],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert done.stdout == "ok False False\n"
