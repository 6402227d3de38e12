"""Wyoming against the real package: what its server reads of us, and what we make of what it writes."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from fakes import clip, record_of
from servers.wyoming_server import Answer, Heard, one_transcript, wyoming_server
from wyoming.asr import Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.error import Error
from wyoming.event import Event, async_write_event

from stt_load.audio.framing import choose_frame
from stt_load.dialects.base import AudioLength, Settings
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.wyoming import Wyoming, event, message_length, read_event
from stt_load.errors import Outcome, ProtocolError
from stt_load.net.byte_stream import ByteStreamTransport
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.pacing.inline_driver import InlineDriver
from stt_load.records import UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.session import Session

PATIENCE_S = 30.0
SPEECH = clip(0.1, 0.3, 0.3)


def written(said: Event) -> bytes:
    """The bytes that the package writes for an event."""

    class Writer:
        data = b""

        def write(self, data: bytes) -> None:
            self.data += data

        def writelines(self, lines: tuple[bytes, ...]) -> None:
            self.data += b"".join(lines)

        async def drain(self) -> None: ...

    writer = Writer()
    asyncio.run(async_write_event(said, writer))  # type: ignore[arg-type]
    return writer.data


def speak(answer: Answer, *options: str) -> tuple[UtteranceRecord, list[Heard]]:
    dialect = Wyoming(Settings(DIALECTS["wyoming"].parse_options(options), "client"))
    rule = choose_frame(20, 16_000, dialect.capabilities.frame_multiple_bytes)
    session = Session(dialect, encode_clip(SPEECH, rule, 0.1, dialect), SessionRules(PATIENCE_S), time.monotonic())
    with wyoming_server(answer) as server:
        CallerConnection(dialect, ByteStreamTransport(), server.url, InlineDriver()).run(session)
    return record_of(*session.measure(time.monotonic())), server.heard


def test_the_packages_server_hears_every_sample_and_its_transcript_completes_the_utterance() -> None:
    record, (heard,) = speak(one_transcript(" turn on the light "))
    assert (record.outcome, record.error, record.text) == (Outcome.OK, None, "turn on the light")
    assert heard.kinds == ["transcribe", "audio-start", *["audio-chunk"] * record.frames, "audio-stop"]
    assert (heard.language, heard.rates_hz) == ("en", {16_000})
    assert heard.audio == SPEECH.samples.tobytes() + bytes(2 * 1_600)
    assert record.settled_latency_s is not None


def test_without_a_language_the_server_is_left_to_its_own() -> None:
    _, (heard,) = speak(one_transcript("yes"), "language=")
    assert heard.language is None


def test_a_transcript_that_is_streamed_is_seen_part_by_part() -> None:
    def stream(heard: Heard) -> list[Event]:
        parts = [TranscriptChunk(text=part).event() for part in ("turn", " on", " the light")]
        return [TranscriptStart().event(), *parts, Transcript("turn on the light").event(), TranscriptStop().event()]

    record, _ = speak(stream)
    assert (record.outcome, record.text) == (Outcome.OK, "turn on the light")
    assert record.first_partial_s is not None


@pytest.mark.parametrize(
    ("answer", "outcome", "error"),
    [
        (one_transcript(""), Outcome.NO_FINAL, "the server ended the utterance without any text"),
        (lambda heard: [Error("no model", "ModelError").event()], Outcome.SERVER_ERROR, "no model (ModelError)"),
        (lambda heard: [], Outcome.DISCONNECTED, "closed by the server"),
    ],
)
def test_what_is_no_transcript_has_an_outcome_of_its_own(answer: Answer, outcome: Outcome, error: str) -> None:
    record, _ = speak(answer)
    assert (record.outcome, record.error) == (outcome, error)


@pytest.mark.parametrize("said", [Transcript("käse"), TranscriptChunk("a"), TranscriptStart("en"), TranscriptStop()])
def test_what_the_package_writes_is_cut_and_read_whole(said: Transcript) -> None:
    data = written(said.event())
    assert message_length(data + b"the next one") == len(data)
    assert read_event(data) == (said.event().type, said.event().data)
    line_length = data.index(b"\n") + 1
    assert [message_length(data[:n]) for n in range(line_length)] == [None] * line_length


def test_we_write_what_the_package_writes() -> None:
    """But for its version, which is its own."""
    dialect = Wyoming(Settings(end="client"))
    ours = [*dialect.begin(AudioLength(1, 1)), *dialect.encode(b"\1\2" * 8), *dialect.finalise()]
    for message in ours:
        assert isinstance(message, bytes)
        line, _, rest = message.partition(b"\n")
        kind, data = read_event(message)
        payload_length = json.loads(line).get("payload_length", 0)
        payload = rest[-payload_length:] if payload_length else None
        head, _, body = written(Event(str(kind), data, payload)).partition(b"\n")
        theirs = json.loads(head)
        assert theirs.pop("version")
        assert (json.loads(line), rest) == (theirs, body)


@pytest.mark.parametrize(
    "head", [b'{"type":"x","data_length":"5"}', b'{"type":"x","payload_length":-1}', b"HTTP/1.1 400", b"\xff"]
)
def test_a_line_that_announces_nonsense_is_the_servers_fault(head: bytes) -> None:
    with pytest.raises(ProtocolError):
        message_length(head + b"\n")


def test_data_on_both_places_are_put_together() -> None:
    body = b'{"text": "b"}'
    head = json.dumps({"type": "transcript", "data": {"text": "a", "language": "en"}, "data_length": len(body)})
    assert read_event(head.encode() + b"\n" + body) == ("transcript", {"text": "b", "language": "en"})
    assert read_event(event("transcript", {})) == ("transcript", {})
