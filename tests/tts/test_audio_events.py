from __future__ import annotations

import base64
import json

import pytest

from stt_load.errors import ProtocolError
from stt_load.session.http_status import FailureReported
from stt_load.tts.audio_events import AudioEvents


def event(**fields: object) -> bytes:
    return f"event: x\r\ndata: {json.dumps(fields)}\r\n\r\n".encode()


def delta(audio: bytes, key: str = "audio") -> bytes:
    return event(type="speech.audio.delta", **{key: base64.b64encode(audio).decode()})


def test_audio_comes_out_of_events_however_they_are_cut() -> None:
    stream = delta(b"abcd") + b": keep alive\n\n" + delta(b"efgh", "delta") + event(type="speech.audio.done", usage={})
    events = AudioEvents()
    assert b"".join(events.feed(stream[i : i + 3]) for i in range(0, len(stream), 3)) == b"abcdefgh"
    assert events.is_done


def test_a_stream_that_is_cut_is_not_done() -> None:
    events = AudioEvents()
    assert events.feed(delta(b"abcd") + delta(b"ef")[:-3]) == b"abcd"
    assert not events.is_done


def test_clones_say_done_in_their_own_way() -> None:
    events = AudioEvents()
    events.feed(b"data: [DONE]\n\n")
    assert events.is_done


def test_an_event_that_lacks_its_blank_line_is_heard_at_the_end() -> None:
    events = AudioEvents()
    assert events.feed(delta(b"abcd").removesuffix(b"\r\n")) == b""
    assert events.close() == b"abcd"
    events.feed(b"data: [DONE]")
    assert events.close() == b""
    assert events.is_done


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"data: {\n\n", ProtocolError, "no JSON"),
        (event(type="speech.audio.delta", audio="???"), ProtocolError, "no base64"),
        (event(type="speech.audio.delta", audio=7), ProtocolError, "no base64"),
        (event(type="error", error={"message": "out of memory"}), FailureReported, "out of memory"),
        (event(error="busy"), FailureReported, "busy"),
    ],
)
def test_events_that_are_no_audio_say_whose_fault_it_is(data: bytes, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind, match=reason):
        AudioEvents().feed(data)
