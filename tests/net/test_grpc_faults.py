"""Whole utterances over gRPC to a server whose every byte a test decides about."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest
from fakes import clip, record_of
from hpack import Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from raw_server import DEADLINE_S, Caller, raw_server
from servers.riva_messages import Request, Response

from stt_load.audio.framing import choose_frame
from stt_load.dialects.base import Settings
from stt_load.dialects.riva_grpc import METHOD, RivaGrpc
from stt_load.errors import Outcome, Refusal
from stt_load.net.grpc import GrpcTransport
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.records import UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.grpc_frames import GrpcFrame, MessageReader
from stt_load.session.session import Session

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CLIENT = Settings(end="client")
AUDIO = encode_clip(clip(0.0, 0.1, 0.1), choose_frame(20, 16_000, 1), 0.1, RivaGrpc(CLIENT))
N_FRAMES = len(AUDIO.frames)
OK_HEAD = [(":status", "200"), ("content-type", "application/grpc")]


class GrpcCaller:
    """One caller as the server sees it: frames of `hyperframe` in both directions."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._encoder = Encoder()
        self._messages = MessageReader(1 << 20)
        self.heard: list[bytes] = []
        self.n_answered = 0  # pings and settings that the caller has acknowledged
        assert caller.take(len(PREFACE)) == PREFACE

    def send(self, *frames: Frame) -> None:
        self.send_bytes(b"".join(frame.serialize() for frame in frames))

    def send_bytes(self, data: bytes) -> None:
        self._caller.send(data)

    def begin(self, **settings: int) -> None:
        """SETTINGS, and then the caller's first message is waited for."""
        self.send(SettingsFrame(0, settings={getattr(SettingsFrame, name): value for name, value in settings.items()}))

    def answer(self, text: str, is_final: bool = True) -> None:
        message = Response()
        message.results.add(is_final=is_final).alternatives.add(transcript=text)
        self.send(DataFrame(1, GrpcFrame(message.SerializeToString()).payload))

    def head(self, *fields: tuple[str, str], is_end: bool = False) -> None:
        flags = ["END_HEADERS", *(["END_STREAM"] if is_end else [])]
        self.send(HeadersFrame(1, self._encoder.encode(fields or OK_HEAD), flags=flags))

    def end(self, status: int = 0) -> None:
        self.head(("grpc-status", str(status)), is_end=True)

    def hear(self, n_messages: int) -> None:
        """Returns when so many messages have come in all, the config among them."""
        while len(self.heard) < n_messages:
            self.read_frame()

    def hear_half_close(self) -> None:
        while not (isinstance(frame := self.read_frame(), DataFrame) and "END_STREAM" in frame.flags):
            pass

    def read_frame(self) -> Frame:
        frame, n_bytes = Frame.parse_frame_header(memoryview(self._caller.take(9)))
        frame.parse_body(memoryview(self._caller.take(n_bytes)))
        if isinstance(frame, DataFrame):
            self.heard += self._messages.feed(bytes(frame.data))
        self.n_answered += isinstance(frame, (PingFrame, SettingsFrame)) and "ACK" in frame.flags
        return frame

    def reset_connection(self) -> None:
        self._caller.reset()

    def wait_for_end(self) -> None:
        self._caller.wait_for_end()


Behave = Callable[[GrpcCaller], None]


def speak(
    behave: Behave, timeout_s: float = DEADLINE_S, connect_timeout_s: float = DEADLINE_S, is_raw: bool = False
) -> UtteranceRecord:
    """One utterance. `is_raw`: the server sees the connection, and no HTTP/2 yet."""
    with raw_server(behave if is_raw else lambda caller: behave(GrpcCaller(caller))) as server:  # type: ignore[arg-type]
        dialect = RivaGrpc(CLIENT)
        session = Session(dialect, AUDIO, SessionRules(timeout_s), time.monotonic())
        url = f"grpc://localhost:{server.port}{METHOD}"
        connection = CallerConnection(
            dialect, GrpcTransport(), url, InlineDriver(), connect_timeout_s=connect_timeout_s
        )
        connection.run(session)
        return record_of(*session.measure(time.monotonic()), connection.latest_use)


def recognise(caller: GrpcCaller) -> None:
    caller.hear_half_close()
    caller.head()
    caller.answer("hello there")
    caller.end()
    caller.wait_for_end()


def test_the_audio_is_what_was_sent_however_small_the_servers_window_is() -> None:
    """A window of 100 bytes, granted again as they come: a frame of 20 ms takes seven of them."""
    heard: list[bytes] = []

    def behave(caller: GrpcCaller) -> None:
        caller.begin(INITIAL_WINDOW_SIZE=100)
        while True:
            frame = caller.read_frame()
            if isinstance(frame, DataFrame):
                assert len(frame.data) <= 100
                if "END_STREAM" in frame.flags:
                    break
                caller.send(WindowUpdateFrame(1, window_increment=len(frame.data)))
        heard.extend(caller.heard)
        caller.head()
        caller.answer("hello there")
        caller.end()
        caller.wait_for_end()

    record = speak(behave)
    assert (record.outcome, record.text, record.frames) == (Outcome.OK, "hello there", N_FRAMES)
    config, *audio = map(Request.FromString, heard)
    assert config.HasField("streaming_config")
    assert [each.audio_content for each in audio] == [
        Request.FromString(part.message).audio_content for frame in AUDIO.frames for part in frame
    ]


def test_a_window_that_never_opens_ends_the_utterance_at_its_deadline() -> None:
    def behave(caller: GrpcCaller) -> None:
        caller.begin(INITIAL_WINDOW_SIZE=1_000)
        caller.wait_for_end()

    record = speak(behave, timeout_s=0.3)
    assert (record.outcome, record.error) == (
        Outcome.TIMED_OUT,
        "the server stopped reading: a frame could not be handed over",
    )
    assert record.frames == 1


def test_settings_that_take_the_window_away_in_mid_speech_are_kept_to() -> None:
    def behave(caller: GrpcCaller) -> None:
        caller.begin()
        caller.hear(2)
        caller.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}))
        while caller.n_answered < 2:
            caller.read_frame()
        n_before = len(caller.heard)
        time.sleep(0.1)
        caller.send(WindowUpdateFrame(1, window_increment=65_535))
        caller.hear(n_before + 1)
        recognise(caller)

    record = speak(behave)
    assert (record.outcome, record.text, record.frames) == (Outcome.OK, "hello there", N_FRAMES)


def test_a_server_that_is_about_to_end_finishes_the_call_first() -> None:
    def behave(caller: GrpcCaller) -> None:
        caller.begin()
        caller.hear(3)
        caller.send(GoAwayFrame(0, last_stream_id=2**31 - 1), PingFrame(0, opaque_data=b"12345678"))
        caller.send(GoAwayFrame(0, last_stream_id=1))
        recognise(caller)

    record = speak(behave)
    assert (record.outcome, record.text) == (Outcome.OK, "hello there")


def goes_away(caller: GrpcCaller) -> None:
    caller.begin()
    caller.hear(3)
    caller.send(GoAwayFrame(0, last_stream_id=1, error_code=11, additional_data=b"too_many_pings"))


def does_not_take_it(caller: GrpcCaller) -> None:
    caller.begin()
    caller.hear(1)
    caller.send(GoAwayFrame(0, last_stream_id=0, additional_data=b"max_connection_age"))
    caller.wait_for_end()


def leaves(caller: GrpcCaller) -> None:
    caller.begin()
    caller.hear(3)


def resets_the_stream(caller: GrpcCaller) -> None:
    caller.begin()
    caller.hear(3)
    caller.send(RstStreamFrame(1, error_code=7))
    caller.wait_for_end()


def resets_the_connection(caller: GrpcCaller) -> None:
    caller.begin()
    caller.hear(3)
    caller.reset_connection()


def answers_without_grpc(caller: GrpcCaller) -> None:
    caller.begin()
    caller.hear(1)
    caller.head((":status", "503"), ("content-type", "text/plain"))
    caller.send(DataFrame(1, b"no healthy upstream", flags=["END_STREAM"]))
    caller.wait_for_end()


def answers_without_an_end(caller: GrpcCaller) -> None:
    caller.begin()
    caller.hear(1)
    caller.head((":status", "404"))
    caller.send(DataFrame(1, b"nothing here"))
    caller.wait_for_end()


def breaks_the_protocol(caller: GrpcCaller) -> None:
    caller.begin()
    caller.hear(1)
    caller.send(DataFrame(7, b"whose?"))
    caller.wait_for_end()


GOAWAY = "the server said GOAWAY"


@pytest.mark.parametrize(
    ("behave", "outcome", "refusal", "error"),
    [
        (goes_away, Outcome.DISCONNECTED, None, f"; {GOAWAY} ENHANCE_YOUR_CALM: too_many_pings"),
        (does_not_take_it, Outcome.REFUSED, Refusal.CAPACITY, f"{GOAWAY} NO_ERROR: max_connection_age"),
        (leaves, Outcome.DISCONNECTED, None, "connection lost"),
        (resets_the_stream, Outcome.REFUSED, Refusal.CAPACITY, "with REFUSED_STREAM, which is UNAVAILABLE"),
        (resets_the_connection, Outcome.DISCONNECTED, None, "connection lost"),
        (answers_without_grpc, Outcome.REFUSED, Refusal.CAPACITY, "HTTP 503: no healthy upstream"),
        (answers_without_an_end, Outcome.REFUSED, Refusal.PARAMETERS, "HTTP 404: nothing here"),
        (breaks_the_protocol, Outcome.PROTOCOL_ERROR, None, "a frame of stream 7, which nobody opened"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_however_a_server_breaks_off_the_utterance_says_so_at_once(
    behave: Behave, outcome: Outcome, refusal: Refusal | None, error: str
) -> None:
    record = speak(behave)
    assert (record.outcome, record.refusal) == (outcome, refusal)
    assert error in (record.error or "")
    assert record.close_code in (None, 1006)


def says_nothing(caller: Caller) -> None:
    caller.wait_for_end()


def hangs_up(caller: Caller) -> None:
    caller.take(len(PREFACE))


def speaks_http1(caller: Caller) -> None:
    caller.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    caller.wait_for_end()


@pytest.mark.parametrize(
    ("behave", "outcome", "error"),
    [
        (says_nothing, Outcome.TIMED_OUT, "no HTTP/2 SETTINGS of the server in time"),
        (hangs_up, Outcome.REFUSED, "servers with TLS do so too: write grpcs:// if it has it"),
        (speaks_http1, Outcome.REFUSED, "no HTTP/2 but HTTP/1 (HTTP/1.1 400 Bad Request)"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_no_http2_is_not_open(behave: Callable[[Caller], None], outcome: Outcome, error: str) -> None:
    patience_s = 0.3 if behave is says_nothing else DEADLINE_S
    record = speak(behave, connect_timeout_s=patience_s, is_raw=True)  # type: ignore[arg-type]
    assert (record.outcome, record.connect_s) == (outcome, None)
    assert error in (record.error or "")


def test_a_server_that_comes_byte_by_byte_is_understood() -> None:
    def behave(caller: GrpcCaller) -> None:
        caller.begin()
        caller.hear_half_close()
        message = Response()
        message.results.add(is_final=True).alternatives.add(transcript="hello there")
        head = HeadersFrame(1, Encoder().encode(OK_HEAD), flags=["END_HEADERS"])
        said = head.serialize() + DataFrame(1, GrpcFrame(message.SerializeToString()).payload).serialize()
        for byte in said:
            caller.send_bytes(bytes([byte]))
        caller.end()
        caller.wait_for_end()

    record = speak(behave)
    assert (record.outcome, record.text) == (Outcome.OK, "hello there")


FLOODS = {
    "pings": PingFrame(0, opaque_data=b"12345678").serialize(),
    "settings": SettingsFrame(0).serialize(),
    "room": WindowUpdateFrame(1, window_increment=1).serialize(),
    "nothing": DataFrame(1, b"").serialize(),
    "messages": DataFrame(1, GrpcFrame(b"").payload * 50).serialize(),
}


@pytest.mark.parametrize("what", FLOODS)
def test_a_server_that_floods_breaks_the_protocol(what: str) -> None:
    def behave(caller: GrpcCaller) -> None:
        caller.begin()
        caller.hear(1)
        caller.head()
        with contextlib.suppress(OSError):
            while True:
                caller.send_bytes(FLOODS[what] * 200)

    record = speak(behave)
    assert record.outcome == Outcome.PROTOCOL_ERROR
    assert (record.error or "").startswith("the server floods: more than 500 messages")


def test_a_caller_who_leaves_in_mid_speech_says_so() -> None:
    """RST_STREAM with CANCEL, and GOAWAY: a server may stop at once."""
    said: list[Frame] = []

    def behave(caller: GrpcCaller) -> None:
        caller.begin()
        with contextlib.suppress(EOFError):
            while True:
                said.append(caller.read_frame())

    speak(behave, timeout_s=0.1)
    *_, cancelled, goodbye = said
    assert isinstance(cancelled, RstStreamFrame)
    assert (cancelled.error_code, cancelled.stream_id) == (8, 1)
    assert isinstance(goodbye, GoAwayFrame)
    assert goodbye.error_code == 0
