"""What SGLang-Omni's realtime transcription asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from talks import answers, cut, understood

from stt_load.dialects.base import End, Settings
from stt_load.dialects.events import Final, Finished, Ignored, Partial, Ready, SegmentPending, ServerError
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.sglang import SglangOmni
from stt_load.errors import ProtocolError
from stt_load.server.dialects.sglang import SglangOmniServer
from stt_load.server.server_dialect import Forget, Hear, Say, UpgradeRequest

URL = "ws://localhost:8000/v1/realtime"
COMMIT, DONE = '{"type": "input_audio_buffer.commit"}', '{"type": "transcription.done"}'


def dialect(*options: str, end: End = "client") -> SglangOmni:
    return SglangOmni(Settings(DIALECTS["sglang"].parse_options(options), end))


def session_of(asking: SglangOmni) -> dict[str, Any]:
    (first,) = asking.connect(URL).first_messages
    body = json.loads(first)
    assert body["type"] == "session.update"
    return dict(body["session"])


def test_its_own_vad_cuts_unless_somebody_turns_it_off() -> None:
    assert dialect().connect(URL).url == f"{URL}?intent=transcription"
    assert session_of(dialect()) == {"turn_detection": {"type": "server_vad"}}
    assert session_of(dialect("turn_detection=none", "language=en")) == {"turn_detection": None, "language": "en"}


def test_where_the_server_ends_the_utterance_its_vad_is_on() -> None:
    assert session_of(dialect("turn_detection=none", end="server")) == {"turn_detection": {"type": "server_vad"}}


@pytest.mark.parametrize(("silence_ms", "padding_ms"), [(800, 300), (200, 168), (20, 0)])
def test_the_padding_fits_into_the_silence(silence_ms: int, padding_ms: int) -> None:
    asked = dialect(f"silence_ms={silence_ms}", end="server")
    vad = {"type": "server_vad", "silence_duration_ms": silence_ms, "prefix_padding_ms": padding_ms}
    assert session_of(asked) == {"turn_detection": vad}
    assert asked.capabilities.min_endpoint_s < silence_ms / 1000 < asked.capabilities.min_trailing_silence_s


def segment(index: int, text: str, is_final: bool = True) -> str:
    return json.dumps({"type": "transcription.segment", "event_index": index, "text": text, "is_final": is_final})


def test_a_growing_segment_is_a_partial_until_it_is_final() -> None:
    listening = dialect()
    assert listening.on_message(segment(3, "seven", is_final=False)) == (Partial("seven"),)
    assert listening.on_message(segment(4, "seven words")) == (Final("seven words"),)


def test_a_gap_in_the_events_means_lost_texts() -> None:
    listening = dialect()
    listening.on_message(segment(3, "seven"))
    with pytest.raises(ProtocolError, match="event_index 6 after 3: events were lost"):
        listening.on_message(segment(6, "words"))


def test_an_event_that_comes_again_changes_nothing() -> None:
    listening = dialect()
    listening.on_message(segment(3, "seven"))
    listening.on_message(segment(4, "words"))
    assert isinstance(listening.on_message(segment(3, "seven"))[0], Ignored)
    assert listening.on_message(segment(5, "that")) == (Final("that"),)


def test_an_error_is_counted_among_the_events() -> None:
    listening = dialect()
    listening.on_message(segment(3, "seven"))
    listening.on_message('{"type": "error", "event_index": 4, "error": {"message": "no"}}')
    assert listening.on_message(segment(5, "words")) == (Final("words"),)


# the voice ---------------------------------------------------------------------------------------------------------


def voice(asking: SglangOmni | None = None) -> SglangOmniServer:
    listening = SglangOmniServer(UpgradeRequest("/v1/realtime"))
    if asking is not None:
        answers(listening, *asking.connect(URL).first_messages)
    return listening


def test_the_session_is_set_and_confirmed() -> None:
    listening = voice()
    greeting = understood(dialect(), listening.on_open())
    done = understood(dialect(), answers(listening, *dialect("turn_detection=none").connect(URL).first_messages))
    assert isinstance(greeting[0], Ignored)
    assert done == [Forget(), Ready()]
    assert listening.endpoint_s is None
    assert voice(dialect("silence_ms=200", end="server")).endpoint_s == 0.2


def test_a_session_with_anything_else_in_it_is_refused_whole() -> None:
    listening = voice()
    asked = '{"type": "session.update", "session": {"turn_detection": null, "temperature": 0.8}}'
    (said,) = understood(dialect(), answers(listening, asked))
    assert isinstance(said, ServerError)
    assert "temperature" in said.message
    assert listening.endpoint_s == 0.5


def test_a_padding_longer_than_the_silence_is_refused() -> None:
    vad = {"type": "server_vad", "silence_duration_ms": 300}
    asked = json.dumps({"type": "session.update", "session": {"turn_detection": vad}})
    (said,) = understood(dialect(), answers(voice(), asked))
    assert isinstance(said, ServerError)


def test_done_is_answered_by_what_is_left_and_by_the_text_of_all() -> None:
    listening, client = voice(), dialect()
    early = understood(client, cut(listening))
    late = understood(client, answers(listening, DONE))
    assert early == late[:2] == [SegmentPending(), Final("seven words")]
    assert late[2:] == [Finished()]


def test_a_commit_ends_a_segment_and_not_the_audio() -> None:
    listening, client = voice(dialect("turn_detection=none")), dialect()
    frame = str(client.encode(bytes(3_200))[0])
    done = understood(client, answers(listening, frame, COMMIT, frame))
    assert done == [Hear(bytes(3_200)), SegmentPending(), Final("seven words"), Hear(bytes(3_200))]


def test_nothing_is_taken_after_done() -> None:
    """The trap: a connection carries one utterance."""
    listening = voice()
    answers(listening, DONE)
    (said,) = answers(listening, str(dialect().encode(bytes(3_200))[0]))
    assert isinstance(said, Say)
    assert json.loads(said.message)["error"]["code"] == "input_already_done"


def test_every_event_is_counted() -> None:
    listening = voice()
    said = [*listening.on_open(), *answers(listening, *dialect().connect(URL).first_messages, "[]", DONE)]
    indexes = [json.loads(doing.message)["event_index"] for doing in said if isinstance(doing, Say)]
    assert indexes == list(range(1, len(indexes) + 1))
