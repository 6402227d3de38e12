"""What the dialects of a conversation say and understand, by messages of the shape in OpenAI's documents."""

from __future__ import annotations

import base64
import json

import pytest

from stt_load.conversation.realtime import RealtimeConversation, SpeachesConversation
from stt_load.conversation.registry import CONVERSATIONS
from stt_load.credentials import Credentials
from stt_load.dialects.base import AudioLength, End, Settings
from stt_load.dialects.events import (
    AnswerBegins,
    AnswerEnded,
    CallerHeard,
    Ignored,
    Ready,
    Remark,
    ServerError,
    SpeechAudio,
    SpeechFormat,
)
from stt_load.errors import ProtocolError, Refusal

PCM = b"\x01\x00" * 4
DELTA = base64.b64encode(PCM).decode()


def made(end: End = "server", *given: str, name: str = "conversation-openai") -> RealtimeConversation:
    row = CONVERSATIONS[name]
    return row.dialect(Settings(row.parse_options(given), end, Credentials("s3cret")))


def update_of(dialect: RealtimeConversation) -> dict[str, object]:
    return json.loads(dialect.connect("ws://x/v1/realtime").first_messages[0])["session"]


def test_the_ga_protocol_is_asked_for_in_its_own_shape() -> None:
    dialect = made("server", "voice=marin", "silence_ms=300")
    target = dialect.connect("wss://x/v1/realtime")
    assert target.url == "wss://x/v1/realtime?model=gpt-realtime"
    assert target.headers == {"Authorization": "Bearer s3cret"}
    assert update_of(dialect) == {
        "type": "realtime",
        "model": "gpt-realtime",
        "output_modalities": ["audio"],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24_000},
                "turn_detection": {"type": "server_vad", "silence_duration_ms": 300, "create_response": True},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24_000}, "voice": "marin"},
        },
    }


def test_the_beta_protocol_is_asked_for_by_a_header_and_in_its_own_shape() -> None:
    dialect = made("client", "protocol=beta", "instructions=Be brief.")
    assert dialect.connect("ws://x").headers["OpenAI-Beta"] == "realtime=v1"
    assert update_of(dialect) == {
        "modalities": ["audio", "text"],
        "turn_detection": None,
        "instructions": "Be brief.",
    }


def test_speaches_is_asked_for_nothing_that_it_objects_to() -> None:
    dialect = made("server", "model=llama", name="conversation-speaches")
    assert isinstance(dialect, SpeachesConversation)
    assert update_of(dialect) == {"modalities": ["audio", "text"]}
    assert dialect.connect("ws://x/v1/realtime").url.endswith("?model=llama")
    assert dialect.capabilities.ends == ("server",)


def test_a_client_ends_its_turn_and_breaks_in_by_messages_of_its_own() -> None:
    dialect = made("client")
    assert [json.loads(message)["type"] for message in dialect.begin(AudioLength(1, 1))] == ["input_audio_buffer.clear"]
    assert [json.loads(message)["type"] for message in dialect.finalise()] == [
        "input_audio_buffer.commit",
        "response.create",
    ]
    assert json.loads(dialect.cancel()) == {"type": "response.cancel"}
    assert dialect.interrupts
    assert not made("server").interrupts
    assert made("server", "interrupted_by=client").interrupts
    assert made("server").begin(AudioLength(1, 1)) == ()


@pytest.mark.parametrize("kind", ["response.output_audio", "response.audio"])
def test_an_answer_is_understood_in_either_protocol(kind: str) -> None:
    said = [
        {"type": "session.updated", "session": {}},
        {"type": "input_audio_buffer.speech_started"},
        {"type": "response.created", "response": {"id": "r1"}},
        {"type": f"{kind}.delta", "response_id": "r1", "delta": DELTA},
        {"type": f"{kind}.done", "response_id": "r1"},
        {"type": "response.done", "response": {"id": "r1", "status": "cancelled"}},
    ]
    dialect = made()
    assert [event for body in said for event in dialect.read(json.dumps(body))] == [
        Ready(),
        CallerHeard(),
        AnswerBegins("r1"),
        SpeechAudio(PCM, "r1"),
        Ignored(f"{kind}.done"),
        AnswerEnded("r1"),
    ]


def test_a_server_that_names_no_answers_ends_one_with_its_audio() -> None:
    """Older versions of vLLM-Omni do so; their audio is under another name, with its rate beside it."""
    dialect = made()
    body = json.dumps({"type": "response.output_audio.delta", "audio": DELTA, "sample_rate_hz": 16_000})
    assert dialect.read(body) == (SpeechFormat(16_000), SpeechAudio(PCM, ""))
    assert dialect.read('{"type":"response.output_audio.done"}') == (AnswerEnded(""),)


def test_audio_and_an_end_without_a_name_belong_to_the_answer_that_was_begun_last() -> None:
    dialect = made()
    dialect.read('{"type":"response.created","response":{"id":"r1"}}')
    delta = json.dumps({"type": "response.audio.delta", "delta": DELTA})
    assert dialect.read(delta) == (SpeechAudio(PCM, "r1"),)
    assert dialect.read('{"type":"response.done","response":{"id":null}}') == (AnswerEnded("r1"),)
    # A beginning without a name names nothing: the audio does.
    assert dialect.read('{"type":"response.created"}') == (Ignored("response.created"),)
    named = json.dumps({"type": "response.audio.delta", "response_id": "r2", "delta": DELTA})
    assert dialect.read(named) == (SpeechAudio(PCM, "r2"),)


def test_a_server_whose_session_has_another_sample_rate_speaks_at_that_one() -> None:
    dialect = made()
    assert dialect.answer_rate_hz == 24_000
    audio = {"output": {"format": {"type": "audio/pcm", "rate": 16_000}}}
    body = {"type": "session.updated", "session": {"audio": audio}}
    assert dialect.read(json.dumps(body)) == (SpeechFormat(16_000), Ready())
    assert dialect.answer_rate_hz == 16_000


@pytest.mark.parametrize(
    "said",
    [
        {"type": "session.updated", "session": {"output_audio_format": "g711_ulaw"}},
        {"type": "session.updated", "session": {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}},
        {"type": "session.updated", "session": {"audio": {"output": {"format": {"rate": "24000"}}}}},
        {"type": "response.audio.delta", "delta": DELTA, "sample_rate_hz": 1},
        {"type": "response.audio.delta", "delta": DELTA, "sample_rate_hz": True},
    ],
)
def test_speech_in_another_format_than_was_asked_for_is_a_breach_of_the_protocol(said: dict[str, object]) -> None:
    with pytest.raises(ProtocolError, match="the server speaks"):
        made().read(json.dumps(said))


def test_an_answer_that_failed_says_why() -> None:
    details = {"type": "failed", "error": {"code": "rate_limit_exceeded", "message": "too fast"}}
    body = {"type": "response.done", "response": {"id": "r1", "status": "failed", "status_details": details}}
    assert made().read(json.dumps(body)) == (AnswerEnded("r1", "the answer failed: too fast"),)


def test_audio_that_is_no_base64_is_a_breach_of_the_protocol() -> None:
    with pytest.raises(ProtocolError, match="no base64"):
        made().read('{"type":"response.audio.delta","delta":"?"}')


def test_errors_about_what_was_asked_refuse_and_later_ones_are_got_over_unless_the_server_failed() -> None:
    dialect = made()
    error = {"type": "invalid_request_error", "code": "response_cancel_not_active", "message": "no"}
    assert dialect.read(json.dumps({"type": "error", "error": error})) == (
        ServerError("no (response_cancel_not_active)", Refusal.PARAMETERS),
    )
    dialect.read('{"type":"session.updated"}')
    assert dialect.read(json.dumps({"type": "error", "error": error})) == (Remark("no (response_cancel_not_active)"),)
    failed = {"type": "server_error", "message": "oh"}
    assert dialect.read(json.dumps({"type": "error", "error": failed})) == (ServerError("oh"),)


def test_answers_may_have_a_rate_of_their_own_that_the_server_does_not_tell() -> None:
    """SGLang-Omni hears 16,000 Hz and speaks 24,000."""
    dialect = made("server", "protocol=beta", "sample_rate=16000", "answer_rate=24000")
    dialect.read('{"type":"session.updated","session":{"output_audio_format":"pcm16"}}')
    assert (dialect.capabilities.sample_rate_hz, dialect.answer_rate_hz) == (16_000, 24_000)
    assert made("server", "sample_rate=16000").answer_rate_hz == 16_000


def test_who_is_denied_an_answer_does_not_wait_for_one() -> None:
    dialect = made("client")
    dialect.read('{"type":"session.updated"}')
    _, create = map(json.loads, dialect.finalise())
    error = {"type": "invalid_request_error", "message": "an answer is under way", "event_id": create["event_id"]}
    assert dialect.read(json.dumps({"type": "error", "error": error})) == (ServerError("an answer is under way"),)


def test_speaches_is_told_a_model_since_it_lets_nobody_in_without() -> None:
    assert "model=" in made(name="conversation-speaches").connect("ws://x/v1/realtime").url


def test_its_messages_are_known_for_its_own() -> None:
    assert RealtimeConversation.recognises('{"type":"response.audio.delta","delta":""}')
    assert not RealtimeConversation.recognises('{"type":"session.created"}')
    assert not RealtimeConversation.recognises(b"\x00")
