"""Whole utterances over bare TCP and TLS, to servers that misbehave: how each of them ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from fakes import clip, record_of
from raw_server import DEADLINE_S, Caller, raw_server

from stt_load.audio.clip import Clip
from stt_load.audio.framing import FrameRule
from stt_load.carriers import TCP
from stt_load.conversation.audiosocket import CALL, AudioSocketConversation, packet
from stt_load.conversation.microphone import MicrophoneFrames
from stt_load.conversation.session import Turn, TurnRules
from stt_load.dialects.base import Capabilities, Connect, Dialect, Settings
from stt_load.dialects.events import Event, Final, Message
from stt_load.errors import Outcome, ProtocolError
from stt_load.net.sockets import MAX_MESSAGE_BYTES
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.records import UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.prepared_message import PlainMessage
from stt_load.session.session import Session

LENGTH_BYTES = 4
FRAME = FrameRule(asked_ms=20, samples=320, sample_rate_hz=16_000)
N_FRAMES = 5


def packed(data: bytes) -> bytes:
    return len(data).to_bytes(LENGTH_BYTES) + data


def packed_length(data: bytes) -> int | None:
    """The length of a message of `packed`; one that begins with a letter is none."""
    if data[0]:
        raise ProtocolError("not a length")
    return LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES]) if len(data) >= LENGTH_BYTES else None


class Packed(Dialect):
    """Audio and texts behind their length; a text is the final one, and an empty packet ends the audio."""

    carrier = TCP
    capabilities = Capabilities(ends=("client",), many_utterances=True)

    def connect(self, url: str) -> Connect:
        return Connect(url, first_messages=(packed(b"hello"),), message_length=packed_length)

    def encode(self, pcm: bytes) -> Sequence[Message]:
        return (packed(pcm[: len(pcm) // 2]), packed(pcm[len(pcm) // 2 :]))

    def finalise(self) -> Sequence[Message]:
        return (packed(b""),)

    def on_message(self, message: Message) -> Sequence[Event]:
        assert isinstance(message, bytes)
        return (Final(message[LENGTH_BYTES:].decode(), is_last=True),)

    @staticmethod
    def recognises(message: Message) -> bool:
        return False


class Conversation:
    """A connection of ours to a server, and what came of its utterances."""

    def __init__(self, url: str, utterances: int = 1, timeout_s: float = DEADLINE_S) -> None:
        self.dialect = Packed(Settings(end="client"))
        transport = self.dialect.carrier.transport_class()(False)
        self.connection = CallerConnection(self.dialect, transport, url, InlineDriver(), utterances)
        self._rules = SessionRules(timeout_s)

    def speak(self) -> UtteranceRecord:
        audio = encode_clip(clip(0.0, 0.1, 0.1), FRAME, 0.0, self.dialect)
        session = Session(self.dialect, audio, self._rules, time.monotonic())
        self.connection.run(session)
        return record_of(*session.measure(time.monotonic()), self.connection.latest_use)


def speak(behave: Callable[[Caller], None], is_tls: bool = False, timeout_s: float = DEADLINE_S) -> UtteranceRecord:
    with raw_server(behave, is_tls) as server:
        return Conversation(f"tcp{'s' if is_tls else ''}://localhost:{server.port}", timeout_s=timeout_s).speak()


def ending(record: UtteranceRecord) -> tuple[str, str | None]:
    return record.outcome, record.error


def read_packet(caller: Caller) -> bytes:
    return caller.take(int.from_bytes(caller.take(LENGTH_BYTES)))


def read_utterance(caller: Caller) -> bytes:
    """The audio up to the packet that ends it."""
    return b"".join(iter(lambda: read_packet(caller), b""))


@pytest.mark.parametrize("is_tls", [False, True])
def test_every_byte_arrives_in_order_and_the_answer_completes_the_utterance(is_tls: bool) -> None:
    heard: list[bytes] = []

    def answer(caller: Caller) -> None:
        heard.extend((read_packet(caller), read_utterance(caller)))
        caller.send(packed(b"some words"))
        caller.wait_for_end()

    record = speak(answer, is_tls)
    assert (*ending(record), record.text, record.frames) == (Outcome.OK, None, "some words", N_FRAMES)
    sent = clip(0.0, 0.1, 0.1).samples.astype("<i2").tobytes()
    assert heard == [b"hello", sent]
    assert record.connect_s is not None
    assert record.stamp == "kernel"


def test_an_answer_in_single_bytes_has_arrived_with_the_last_of_them() -> None:
    def answer(caller: Caller) -> None:
        read_packet(caller)
        read_utterance(caller)
        for byte in packed(b"bit by bit"):
            caller.send(bytes([byte]))
        caller.wait_for_end()

    assert speak(answer).text == "bit by bit"


def test_two_answers_in_one_piece_are_two_messages_and_a_connection_carries_both_utterances() -> None:
    def answer(caller: Caller) -> None:
        read_packet(caller)
        read_utterance(caller)
        caller.send(packed(b"first") + packed(b"left over"))
        read_utterance(caller)
        caller.send(packed(b"second"))
        caller.wait_for_end()

    with raw_server(answer) as server:
        conversation = Conversation(f"tcp://localhost:{server.port}", utterances=2)
        first = conversation.speak()
        assert conversation.connection.prepare_reuse()
        second = conversation.speak()
    assert (first.text, second.text, second.connection_utterance) == ("first", "second", 1)


def hear_and_leave(caller: Caller) -> None:
    read_packet(caller)
    read_utterance(caller)


def leave_within_an_answer(caller: Caller) -> None:
    hear_and_leave(caller)
    caller.send(packed(b"half of it")[:6])


def speak_http(caller: Caller) -> None:
    caller.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    caller.wait_for_end()


def announce_too_much(caller: Caller) -> None:
    caller.send((MAX_MESSAGE_BYTES + 1).to_bytes(LENGTH_BYTES))
    caller.wait_for_end()


@pytest.mark.parametrize(
    ("behave", "outcome", "error"),
    [
        (hear_and_leave, Outcome.DISCONNECTED, "closed by the server"),
        (leave_within_an_answer, Outcome.DISCONNECTED, "closed by the server within a message"),
        (speak_http, Outcome.PROTOCOL_ERROR, "not a length"),
        (announce_too_much, Outcome.PROTOCOL_ERROR, "a message of more than 1,048,576 bytes"),
    ],
)
def test_a_server_that_misbehaves_is_told_in_words(
    behave: Callable[[Caller], None], outcome: Outcome, error: str
) -> None:
    assert ending(speak(behave)) == (outcome, error)


def test_a_server_that_leaves_between_two_messages_has_hung_up_where_that_is_how_calls_end() -> None:
    def answer_and_leave(caller: Caller) -> None:
        """It has heard a UUID and 0.2 s of the caller by then."""
        caller.take(len(packet(CALL, bytes(16))) + 10 * len(packet(0x10, bytes(320))))
        caller.send(packet(0x10, b"\x00\x40" * 160))

    dialect, rule = AudioSocketConversation(), FrameRule(asked_ms=20, samples=160, sample_rate_hz=8_000)
    speech = Clip("c", "words", np.resize(np.array([8_000, -8_000], np.int16), 800), 8_000, 0.0, 0.1)
    audio = encode_clip(speech, rule, 0.0, dialect)
    silence = (PlainMessage(packet(0x10, bytes(320))),)
    with raw_server(answer_and_leave) as server:
        url, transport = f"tcp://localhost:{server.port}", dialect.carrier.transport_class()()
        turn = Turn(dialect, audio, MicrophoneFrames(audio, silence), TurnRules(DEADLINE_S), time.monotonic())
        CallerConnection(dialect, transport, url, InlineDriver()).run(turn)
    record = record_of(*turn.measure(time.monotonic()))
    assert ending(record) == (Outcome.OK, None)
    assert record.answer_s == pytest.approx(0.02)


def test_a_server_that_resets_the_connection_is_a_lost_one() -> None:
    def reset(caller: Caller) -> None:
        read_packet(caller)
        caller.reset()

    outcome, error = ending(speak(reset))
    assert outcome == Outcome.DISCONNECTED
    assert "Connection reset" in (error or "")


def test_a_server_that_never_answers_is_given_up() -> None:
    record = speak(lambda caller: caller.wait_for_end(), timeout_s=0.2)
    assert ending(record) == (Outcome.TIMED_OUT, "no complete transcript within 0.2 s of the last frame")
    assert record.frames == N_FRAMES


def test_where_nobody_listens_the_caller_is_refused() -> None:
    with raw_server(hear_and_leave) as server:
        port = server.port
    outcome, error = ending(Conversation(f"tcp://127.0.0.1:{port}").speak())
    assert outcome == Outcome.REFUSED
    assert f"no TCP connection to 127.0.0.1:{port}: Connection refused" in (error or "")


def test_tls_asked_of_a_server_without_it_is_told_with_what_to_type() -> None:
    with raw_server(speak_http) as server:
        _, error = ending(Conversation(f"tcps://localhost:{server.port}").speak())
    assert (error or "").endswith("without it: write tcp:// instead of tcps://")
