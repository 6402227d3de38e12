"""What OpenAI Realtime asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from server_actions import actions_of, actions_on_segment, events_of

from stt_load.credentials import Credentials
from stt_load.dialects.base import AudioLength, End, Settings
from stt_load.dialects.events import Event, Final, Ignored, Partial, Ready, Remark, SegmentPending, ServerError
from stt_load.dialects.openai_realtime import OpenAiRealtime
from stt_load.dialects.registry import DIALECTS
from stt_load.server.dialects.openai_realtime import OpenAiRealtimeServer
from stt_load.server.server_dialect import DiscardAudio, FeedAudio, Flush, SendMessage, UpgradeRequest

URL = "wss://api.openai.com/v1/realtime"
LENGTH = AudioLength(10, 24_000)
COMMIT = '{"type": "input_audio_buffer.commit"}'


def dialect(*options: str, end: End = "client", key: str | None = None) -> OpenAiRealtime:
    return OpenAiRealtime(Settings(DIALECTS["openai-realtime"].parse_options(options), end, Credentials(key)))


def input_of(client: OpenAiRealtime) -> dict[str, Any]:
    """The audio part of the session that the first message asks for."""
    (first,) = client.connect(URL).first_messages
    body = json.loads(first)
    assert (body["type"], body["session"]["type"]) == ("session.update", "transcription")
    return dict(body["session"]["audio"]["input"])


def test_the_session_is_a_transcription_without_turn_detection_where_the_client_ends_the_turn() -> None:
    assert dialect().connect(URL).url == f"{URL}?intent=transcription"
    assert input_of(dialect()) == {
        "format": {"type": "audio/pcm", "rate": 24_000},
        "transcription": {"model": "gpt-4o-transcribe"},
        "turn_detection": None,
    }


def test_options_reach_the_session() -> None:
    client = dialect(
        "model=whisper-1", "language=de", "prompt=Kappa", "noise_reduction=near_field", "sample_rate=16000"
    )
    assert input_of(client) == {
        "format": {"type": "audio/pcm", "rate": 16_000},
        "transcription": {"model": "whisper-1", "language": "de", "prompt": "Kappa"},
        "turn_detection": None,
        "noise_reduction": {"type": "near_field"},
    }
    assert client.capabilities.sample_rate_hz == 16_000


def test_without_a_model_none_is_named() -> None:
    assert input_of(dialect("model="))["transcription"] == {}


def test_where_the_server_ends_the_turn_its_vad_waits_as_long_as_it_was_asked_to() -> None:
    client = dialect("silence_ms=900", end="server")
    assert input_of(client)["turn_detection"] == {"type": "server_vad", "silence_duration_ms": 900}
    able = client.capabilities
    assert able.min_endpoint_s < 0.9 < able.min_trailing_silence_s < able.trailing_silence_s


def completed(item: str | None, text: str) -> str:
    named = {} if item is None else {"item_id": item}
    return json.dumps({"type": "conversation.item.input_audio_transcription.completed", "transcript": text, **named})


def committed(item: str) -> str:
    return json.dumps({"type": "input_audio_buffer.committed", "item_id": item})


def hear(client: OpenAiRealtime, *messages: str) -> list[Event]:
    return [event for message in messages for event in client.on_message(message)]


def test_the_answer_to_the_clients_commit_is_the_last_text() -> None:
    client = dialect()
    client.begin(LENGTH)
    assert hear(client, committed("a"), completed("a", "too early")) == [SegmentPending(), Final("too early")]
    client.finalise()
    assert hear(client, committed("b"), completed("b", "words")) == [SegmentPending(), Final("words", is_last=True)]
    client.begin(LENGTH)
    assert hear(client, completed("c", "of the next utterance")) == [Final("of the next utterance")]


def test_a_text_that_was_committed_before_the_last_one_is_not_the_last() -> None:
    client = dialect()
    client.begin(LENGTH)
    client.finalise()
    texts = hear(client, committed("a"), committed("b"), completed("a", "seven"), completed("b", "words"))[2:]
    assert texts == [Final("seven"), Final("words", is_last=True)]


def test_a_server_that_tells_no_commits_is_understood() -> None:
    client = dialect()
    client.finalise()
    assert hear(client, completed(None, "words")) == [Final("words", is_last=True)]


def test_texts_stand_in_the_order_of_their_commits_whichever_comes_first() -> None:
    client = dialect(end="server")
    client.begin(LENGTH)
    hear(client, committed("a"), committed("b"), completed("b", "words"), completed("a", "seven"))
    assert client.join(["words", "seven"]) == "seven words"


def test_an_item_that_is_told_twice_counts_once() -> None:
    client = dialect(end="server")
    first, again = hear(client, completed("a", "seven"), completed("a", "seven"))
    assert first == Final("seven")
    assert isinstance(again, Ignored)


def test_texts_that_came_before_the_utterance_began_do_not_disturb_its_order() -> None:
    client = dialect(end="server")
    hear(client, completed("a", "before"))
    client.begin(LENGTH)
    assert client.join(["before"]) == "before"


# the server ---------------------------------------------------------------------------------------------------------


def new_server(client: OpenAiRealtime | None = None) -> OpenAiRealtimeServer:
    """A server dialect that has received the first message of `client`."""
    server = OpenAiRealtimeServer(UpgradeRequest("/v1/realtime"))
    if client is not None:
        actions_of(server, *client.connect(URL).first_messages)
    return server


def appended(client: OpenAiRealtime, pcm: bytes) -> str:
    (message,) = client.encode(pcm)
    return str(message)


def test_the_session_is_set_anew_and_confirmed() -> None:
    server = new_server()
    done = actions_of(server, *dialect("sample_rate=16000", "silence_ms=900", end="server").connect(URL).first_messages)
    assert events_of(dialect(), done) == [DiscardAudio(), Ready()]
    assert (server.sample_rate_hz, server.endpoint_s) == (16_000, 0.9)
    assert new_server(dialect()).endpoint_s is None


def test_a_turn_is_one_item_however_long_it_is() -> None:
    """Segments that the recogniser takes at once show as deltas."""
    client = dialect()
    server = new_server(client)
    client.finalise()
    early = events_of(client, actions_on_segment(server))
    done = events_of(client, actions_of(server, appended(client, bytes(4_800)), COMMIT))
    assert early == [Partial("seven words", is_delta=True)]
    assert [event for event in done if not isinstance(event, (FeedAudio, Ignored))] == [
        SegmentPending(),
        Partial(" seven words", is_delta=True),
        Final("seven words seven words", is_last=True),
    ]


def test_with_server_vad_every_pause_is_an_item() -> None:
    client = dialect(end="server")
    server = new_server(client)
    done = events_of(client, [*actions_on_segment(server), *actions_on_segment(server)])
    assert [event for event in done if not isinstance(event, Ignored)] == [
        SegmentPending(),
        Final("seven words"),
        SegmentPending(),
        Final("seven words"),
    ]


def test_a_commit_of_next_to_nothing_is_an_error() -> None:
    client = dialect()
    server = new_server(client)
    (said,) = events_of(client, actions_of(server, *client.finalise()))
    assert isinstance(said, ServerError)
    assert "input_audio_buffer_commit_empty" in said.message


def error(kind: str, code: str, event_id: str | None = None) -> str:
    return json.dumps({"type": "error", "error": {"type": kind, "code": code, "message": "no", "event_id": event_id}})


def test_an_error_about_one_event_of_ours_is_a_remark_unless_it_is_the_commit() -> None:
    client = dialect()
    client.on_message('{"type": "session.updated", "session": {}}')
    commit_id = json.loads(str(client.finalise()[0]))["event_id"]
    client.begin(None)  # type: ignore[arg-type]
    unnamed, about_commit = error("invalid_request_error", "invalid_value"), error("x", "invalid_value", commit_id)
    empty = error("invalid_request_error", "input_audio_buffer_commit_empty")
    assert client.on_message(unnamed) == (Remark("no (invalid_value)"),)
    assert client.on_message(empty) == (Remark("no (input_audio_buffer_commit_empty)"),)
    client.finalise()
    assert client.on_message(unnamed) == (Remark("no (invalid_value)"),)
    assert client.on_message(empty) == (ServerError("no (input_audio_buffer_commit_empty)"),)
    assert client.on_message(about_commit) == (ServerError("no (invalid_value)"),)


@pytest.mark.parametrize(("kind", "code"), [("server_error", "died"), ("invalid_request_error", "session_expired")])
def test_an_error_behind_which_nothing_comes_ends_the_utterance(kind: str, code: str) -> None:
    client = dialect()
    client.on_message('{"type": "session.updated", "session": {}}')
    assert client.on_message(error(kind, code)) == (ServerError(f"no ({code})"),)


def test_a_commit_where_the_vad_has_left_nothing_is_answered_by_nothing() -> None:
    client = dialect(end="server")
    server = new_server(client)
    assert list(server.on_message(appended(client, bytes(48_000)))) == [FeedAudio(bytes(48_000))]
    assert list(server.on_message(COMMIT)) == [Flush()]
    assert list(server.on_flushed()) == []


def test_audio_is_heard_at_the_rate_that_was_told_not_at_its_own() -> None:
    """The trap: 16 kHz audio in a session of 24 kHz is two thirds as long, and a commit of 0.1 s too short."""
    client = dialect()
    done = actions_of(new_server(client), appended(client, bytes(3_200)), *client.finalise())
    assert isinstance(events_of(client, done[-1:])[0], ServerError)


def test_a_text_that_never_comes_is_told_as_failed() -> None:
    (said,) = events_of(dialect(), new_server().on_failed())
    assert said == ServerError("transcription failed: Transcription failed")


@pytest.mark.parametrize("session", ['"x"', '{"audio": 1}', '{"audio": {"input": {"format": []}}}'])
def test_a_session_of_another_shape_is_refused(session: str) -> None:
    (said,) = actions_of(new_server(), f'{{"type": "session.update", "session": {session}}}')
    assert isinstance(said, SendMessage)
    assert isinstance(dialect().on_message(said.message)[0], ServerError)
