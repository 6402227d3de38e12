"""What the dialects of `/v1/audio/speech/stream` say and understand, by messages of the originals' shape."""

from __future__ import annotations

import json

import pytest

from stt_load.credentials import Credentials
from stt_load.dialects.base import Settings
from stt_load.dialects.events import Finished, Ignored, Ready, ServerError, SpeechAudio, SpeechFormat
from stt_load.errors import ConfigError, ProtocolError, Refusal
from stt_load.tts.apis import TTS_APIS
from stt_load.tts.text_stream import SglangOmniSpeech, TextStreamDialect, VllmOmniSpeech

START = '{"type":"audio.start","sentence_index":0,"format":"pcm","sample_rate":24000,"channels":1}'
BOTH = pytest.mark.parametrize("kind", [VllmOmniSpeech, SglangOmniSpeech])


def made(kind: type[TextStreamDialect], api: str = "tts-vllm-omni", *given: str) -> TextStreamDialect:
    options = TTS_APIS[api].parse_options(given)
    return kind(Settings(options, "client", Credentials("s3cret")))


def test_the_config_asks_for_streamed_samples_and_for_nothing_that_nobody_set() -> None:
    target = made(VllmOmniSpeech, "tts-vllm-omni", "voice=vivian", "tokens_per_message=4").connect("ws://x/y")
    assert json.loads(target.first_messages[0]) == {
        "type": "session.config",
        "response_format": "pcm",
        "stream_audio": True,
        "voice": "vivian",
    }
    assert target.headers == {"Authorization": "Bearer s3cret"}


def test_each_server_has_its_own_granularities() -> None:
    assert TTS_APIS["tts-vllm-omni"].parse_options(["split_granularity=none"])["split_granularity"] == "none"
    with pytest.raises(ConfigError, match="sentence or clause"):
        TTS_APIS["tts-sglang-omni"].parse_options(["split_granularity=none"])


@BOTH
def test_text_goes_out_in_pieces_and_then_its_end(kind: type[TextStreamDialect]) -> None:
    assert json.loads(made(kind).text_message(" wörld")) == {"type": "input.text", "text": " wörld"}
    assert [json.loads(message) for message in made(kind).finalise()] == [{"type": "input.done"}]


@BOTH
def test_a_text_comes_back_as_its_format_its_audio_and_its_end(kind: type[TextStreamDialect]) -> None:
    dialect = made(kind)
    said = ['{"type":"session.configured"}', START, b"\x01\x00" * 3, '{"type":"audio.done","error":false}']
    events = [event for message in said for event in dialect.read(message)]
    assert events == [Ready(), SpeechFormat(24_000, 1), SpeechAudio(b"\x01\x00" * 3), Ignored("audio.done")]
    assert dialect.read('{"type":"session.done","total_sentences":1}') == (Finished(),)


@pytest.mark.parametrize(
    "wrong",
    [
        '"sample_rate":0',
        '"sample_rate":1',
        '"sample_rate":true',
        '"sample_rate":"24000"',
        '"sample_rate":24000,"channels":99',
        '"sample_rate":24000,"format":"mp3"',
    ],
)
def test_a_format_that_can_not_be_is_a_breach_of_the_protocol(wrong: str) -> None:
    with pytest.raises(ProtocolError, match=r"audio\.start"):
        made(VllmOmniSpeech).read(f'{{"type":"audio.start",{wrong}}}')


@pytest.mark.parametrize(
    ("kind", "error", "refusal"),
    [
        (VllmOmniSpeech, {"message": "Invalid session config: 1 validation error"}, Refusal.PARAMETERS),
        (VllmOmniSpeech, {"message": "Generation failed for utterance 0, sentence 0: no"}, None),
        (VllmOmniSpeech, {"message": "Idle timeout: no message received"}, None),
        (SglangOmniSpeech, {"message": "no such voice", "error_type": "BadRequestError"}, Refusal.PARAMETERS),
        (SglangOmniSpeech, {"message": "The request queue is full", "error_type": "server_error"}, Refusal.CAPACITY),
        (SglangOmniSpeech, {"message": "No audio output generated", "error_type": "server_error"}, None),
    ],
)
def test_an_error_before_any_audio_may_be_about_what_was_asked(
    kind: type[TextStreamDialect], error: dict[str, str], refusal: Refusal | None
) -> None:
    message = json.dumps({"type": "error", **error})
    assert made(kind).read(message) == (ServerError(error["message"], refusal),)
    speaking = made(kind)
    speaking.read(START)
    if refusal is not Refusal.CAPACITY:
        assert speaking.read(message) == (ServerError(error["message"], None),)


def test_a_sentence_that_could_not_be_spoken_fails_the_text() -> None:
    assert made(VllmOmniSpeech).read('{"type":"audio.done","error":true}') == (
        ServerError("a sentence could not be spoken"),
    )


@BOTH
def test_its_messages_are_known_for_its_own(kind: type[TextStreamDialect]) -> None:
    assert kind.recognises(START)
    assert not kind.recognises('{"type":"session.created"}')
    assert not kind.recognises(b"\x01\x00")
