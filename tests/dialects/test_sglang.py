"""What SGLang-Omni's realtime transcription asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from server_actions import actions_of, actions_on_segment, events_of

from stt_load.dialects.base import End, Settings
from stt_load.dialects.events import Final, Finished, Ignored, Partial, Ready, SegmentPending, ServerError
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.sglang import SglangOmni
from stt_load.errors import ProtocolError
from stt_load.server.dialects.sglang import SglangOmniServer
from stt_load.server.server_dialect import DiscardAudio, FeedAudio, SendMessage, UpgradeRequest

URL = "ws://localhost:8000/v1/realtime"
COMMIT, DONE = '{"type": "input_audio_buffer.commit"}', '{"type": "transcription.done"}'


def dialect(*options: str, end: End = "client") -> SglangOmni:
    return SglangOmni(Settings(DIALECTS["sglang"].parse_options(options), end))


def session_of(client: SglangOmni) -> dict[str, Any]:
    (first,) = client.connect(URL).first_messages
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
    client = dialect(f"silence_ms={silence_ms}", end="server")
    vad = {"type": "server_vad", "silence_duration_ms": silence_ms, "prefix_padding_ms": padding_ms}
    assert session_of(client) == {"turn_detection": vad}
    assert client.capabilities.min_endpoint_s < silence_ms / 1000 < client.capabilities.min_trailing_silence_s


def segment(index: int, text: str, is_final: bool = True) -> str:
    return json.dumps({"type": "transcription.segment", "event_index": index, "text": text, "is_final": is_final})


def test_a_growing_segment_is_a_partial_until_it_is_final() -> None:
    client = dialect()
    assert client.on_message(segment(3, "seven", is_final=False)) == (Partial("seven"),)
    assert client.on_message(segment(4, "seven words")) == (Final("seven words"),)


def test_a_gap_in_the_events_means_lost_texts() -> None:
    client = dialect()
    client.on_message(segment(3, "seven"))
    with pytest.raises(ProtocolError, match="event_index 6 after 3: events were lost"):
        client.on_message(segment(6, "words"))


def test_an_event_that_comes_again_changes_nothing() -> None:
    client = dialect()
    client.on_message(segment(3, "seven"))
    client.on_message(segment(4, "words"))
    assert isinstance(client.on_message(segment(3, "seven"))[0], Ignored)
    assert client.on_message(segment(5, "that")) == (Final("that"),)


def test_an_error_is_counted_among_the_events() -> None:
    client = dialect()
    client.on_message(segment(3, "seven"))
    client.on_message('{"type": "error", "event_index": 4, "error": {"message": "no"}}')
    assert client.on_message(segment(5, "words")) == (Final("words"),)


# the server ---------------------------------------------------------------------------------------------------------


def new_server(client: SglangOmni | None = None) -> SglangOmniServer:
    server = SglangOmniServer(UpgradeRequest("/v1/realtime"))
    if client is not None:
        actions_of(server, *client.connect(URL).first_messages)
    return server


def test_the_session_is_set_and_confirmed() -> None:
    server = new_server()
    greeting = events_of(dialect(), server.on_open())
    done = events_of(dialect(), actions_of(server, *dialect("turn_detection=none").connect(URL).first_messages))
    assert isinstance(greeting[0], Ignored)
    assert done == [DiscardAudio(), Ready()]
    assert server.endpoint_s is None
    assert new_server(dialect("silence_ms=200", end="server")).endpoint_s == 0.2


def test_a_session_with_anything_else_in_it_is_refused_whole() -> None:
    server = new_server()
    update = '{"type": "session.update", "session": {"turn_detection": null, "temperature": 0.8}}'
    (said,) = events_of(dialect(), actions_of(server, update))
    assert isinstance(said, ServerError)
    assert "temperature" in said.message
    assert server.endpoint_s == 0.5


def test_a_padding_longer_than_the_silence_is_refused() -> None:
    vad = {"type": "server_vad", "silence_duration_ms": 300}
    update = json.dumps({"type": "session.update", "session": {"turn_detection": vad}})
    (said,) = events_of(dialect(), actions_of(new_server(), update))
    assert isinstance(said, ServerError)


def test_done_is_answered_by_what_is_left_and_by_the_text_of_all() -> None:
    server, client = new_server(), dialect()
    early = events_of(client, actions_on_segment(server))
    late = events_of(client, actions_of(server, DONE))
    assert early == late[:2] == [SegmentPending(), Final("seven words")]
    assert late[2:] == [Finished()]


def test_a_commit_ends_a_segment_and_not_the_audio() -> None:
    server, client = new_server(dialect("turn_detection=none")), dialect()
    frame = str(client.encode(bytes(3_200))[0])
    done = events_of(client, actions_of(server, frame, COMMIT, frame))
    assert done == [FeedAudio(bytes(3_200)), SegmentPending(), Final("seven words"), FeedAudio(bytes(3_200))]


def test_nothing_is_taken_after_done() -> None:
    """The trap: a connection carries one utterance."""
    server = new_server()
    actions_of(server, DONE)
    (said,) = actions_of(server, str(dialect().encode(bytes(3_200))[0]))
    assert isinstance(said, SendMessage)
    assert json.loads(said.message)["error"]["code"] == "input_already_done"


def test_every_event_is_counted() -> None:
    server = new_server()
    said = [*server.on_open(), *actions_of(server, *dialect().connect(URL).first_messages, "[]", DONE)]
    indexes = [json.loads(action.message)["event_index"] for action in said if isinstance(action, SendMessage)]
    assert indexes == list(range(1, len(indexes) + 1))
