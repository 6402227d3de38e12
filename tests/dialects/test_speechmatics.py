"""What Speechmatics asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json

import pytest
from server_actions import SPOKEN, actions_of, actions_on_segment, events_of

from stt_load.credentials import Credentials
from stt_load.dialects.base import AudioLength, End, Settings
from stt_load.dialects.events import EndOfTurn, Final, Finished, Ignored, Partial, Ready, ServerError
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.speechmatics import Speechmatics
from stt_load.errors import ProtocolError, Refusal
from stt_load.server.dialects.speechmatics import SpeechmaticsServer
from stt_load.server.server_dialect import Close, DiscardAudio, FeedAudio, ServerAction, UpgradeRequest

URL = "ws://localhost:9000/v2"
FRAME = bytes(3_200)


def dialect(*options: str, end: End = "server", key: str | None = None) -> Speechmatics:
    return Speechmatics(Settings(DIALECTS["speechmatics"].parse_options(options), end, Credentials(key)))


def start_of(client: Speechmatics) -> str:
    (start,) = client.connect(URL).first_messages
    assert isinstance(start, str)
    return start


def transcript(kind: str, text: str) -> str:
    return json.dumps({"message": kind, "metadata": {"transcript": text}})


def test_the_first_message_says_everything() -> None:
    assert json.loads(start_of(dialect())) == {
        "message": "StartRecognition",
        "audio_format": {"type": "raw", "encoding": "pcm_s16le", "sample_rate": 16_000},
        "transcription_config": {
            "language": "en",
            "enable_partials": True,
            "max_delay": 1.0,
            "conversation_config": {"end_of_utterance_silence_trigger": 0.5},
        },
    }


def test_options_reach_the_first_message() -> None:
    told = dialect("operating_point=enhanced", "vocabulary=kappa,lambda wave", "sample_rate=8000", end="client")
    start = json.loads(start_of(told))
    assert start["audio_format"]["sample_rate"] == told.capabilities.sample_rate_hz == 8_000
    config = start["transcription_config"]
    assert config["operating_point"] == "enhanced"
    assert config["additional_vocab"] == [{"content": "kappa"}, {"content": "lambda wave"}]


def test_where_the_client_ends_utterances_the_server_is_not_asked_to() -> None:
    assert "conversation_config" not in json.loads(start_of(dialect(end="client")))["transcription_config"]


def test_the_key_is_a_bearer() -> None:
    assert dialect(key="abc").connect(URL).headers == {"Authorization": "Bearer abc"}


def test_the_end_of_the_stream_counts_all_frames_of_the_connection() -> None:
    client = dialect(end="client")
    client.begin(AudioLength(frames=12, samples=19_200))
    assert [json.loads(sent) for sent in client.finalise()] == [{"message": "EndOfStream", "last_seq_no": 12}]


def test_a_forced_end_says_how_much_was_sent_since_the_connection_was_opened() -> None:
    client = dialect("finish=utterance", end="client")
    client.begin(AudioLength(frames=10, samples=16_000))
    client.begin(AudioLength(frames=5, samples=8_000))
    assert [json.loads(sent) for sent in client.finalise()] == [{"message": "ForceEndOfUtterance", "timestamp": 1.5}]


def test_texts_are_put_together_as_they_come() -> None:
    client = dialect()
    finals = [client.on_message(transcript("AddTranscript", text))[0] for text in ("hel", "lo there ", "us")]
    assert client.join([final.text for final in finals if isinstance(final, Final)]) == "hello there us"


def test_punctuation_alone_says_no_new_word() -> None:
    assert dialect().on_message(transcript("AddTranscript", ". ")) == (Final(""),)
    assert dialect().on_message(transcript("AddTranscript", "words. ")) == (Final("words. "),)


def test_a_partial_without_words_is_none() -> None:
    assert dialect().on_message(transcript("AddPartialTranscript", "seven")) == (Partial("seven"),)
    assert isinstance(dialect().on_message(transcript("AddPartialTranscript", ""))[0], Ignored)


def test_the_end_of_an_utterance_ends_it_where_it_was_forced() -> None:
    end = '{"message": "EndOfUtterance"}'
    assert dialect("finish=utterance", end="client").on_message(end) == (EndOfTurn(), Finished())
    assert dialect("finish=stream", end="client").on_message(end) == (EndOfTurn(),)
    assert dialect("finish=utterance", end="server").on_message(end) == (EndOfTurn(),)


def test_only_a_stream_that_is_ended_carries_one_utterance() -> None:
    assert not dialect(end="client").capabilities.many_utterances
    assert dialect("finish=utterance", end="client").capabilities.many_utterances
    assert dialect().capabilities.many_utterances


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        ("not_authorised", Refusal.AUTH),
        ("quota_exceeded", Refusal.CAPACITY),
        ("invalid_model", Refusal.PARAMETERS),
        ("buffer_error", None),
    ],
)
def test_an_error_refuses_by_its_type(kind: str, refusal: Refusal | None) -> None:
    error = {"message": "Error", "type": kind, "reason": "no"}
    assert dialect().on_message(json.dumps(error)) == (ServerError(f"{kind}: no", refusal),)


def test_a_transcript_without_text_is_the_servers_fault() -> None:
    with pytest.raises(ProtocolError, match="a transcript that is not a text"):
        dialect().on_message('{"message": "AddTranscript", "metadata": {}}')


# the server ---------------------------------------------------------------------------------------------------------


def new_server() -> SpeechmaticsServer:
    return SpeechmaticsServer(UpgradeRequest("/v2"))


def begun(client: Speechmatics) -> SpeechmaticsServer:
    server = new_server()
    assert events_of(client, server.on_message(start_of(client))) == [DiscardAudio(), Ready()]
    return server


def protocol_error(actions: list[ServerAction]) -> str:
    error, close = events_of(dialect(), actions)
    assert isinstance(error, ServerError)
    assert isinstance(close, Close)
    return error.message


def test_the_voice_hears_what_the_first_message_announced() -> None:
    server = begun(dialect("sample_rate=8000", "silence_trigger=0.7"))
    assert (server.sample_rate_hz, server.endpoint_s) == (8_000, 0.7)


def test_each_frame_is_acknowledged() -> None:
    server = begun(dialect())
    assert [type(event) for event in events_of(dialect(), actions_of(server, FRAME, FRAME))] == [FeedAudio, Ignored] * 2


def test_silence_ends_an_utterance_with_punctuation_and_a_word_for_it() -> None:
    assert events_of(dialect(), actions_on_segment(begun(dialect()))) == [Final("seven words "), Final(""), EndOfTurn()]


def test_nobody_who_ends_utterances_is_told_of_their_end() -> None:
    assert events_of(dialect(), actions_on_segment(begun(dialect(end="client")))) == [Final("seven words ")]


def test_the_end_of_the_stream_is_answered_by_the_rest_and_a_close() -> None:
    client = dialect(end="client")
    client.begin(AudioLength(frames=1, samples=1_600))
    actions = actions_of(begun(client), FRAME, *client.finalise())
    assert events_of(client, actions[2:]) == [Final("seven words "), Finished(), Close()]


def test_a_forced_end_is_answered_and_the_session_goes_on() -> None:
    client = dialect("finish=utterance", end="client")
    server = begun(client)
    for _ in range(2):
        actions = actions_of(server, *client.finalise(), spoken=SPOKEN)
        assert events_of(client, actions) == [Final("seven words "), EndOfTurn(), Finished()]


def test_a_wrong_number_of_frames_is_told() -> None:
    miscounted = '{"message": "EndOfStream", "last_seq_no": 2}'
    assert protocol_error(actions_of(begun(dialect()), FRAME, miscounted)[2:]) == "protocol_error: 1 frames came in"


@pytest.mark.parametrize("message", [FRAME, '{"message": "EndOfStream", "last_seq_no": 0}', "hello"])
def test_nothing_comes_before_the_first_message(message: bytes | str) -> None:
    assert protocol_error(actions_of(new_server(), message)).startswith("protocol_error: ")


@pytest.mark.parametrize("audio_format", [{"type": "file"}, {"encoding": "pcm_s16le"}, 3])
def test_audio_that_it_does_not_take_is_refused(audio_format: object) -> None:
    start = {"message": "StartRecognition", "audio_format": audio_format, "transcription_config": {}}
    error = events_of(dialect(), new_server().on_message(json.dumps(start)))[0]
    assert isinstance(error, ServerError)
    assert error.refusal is Refusal.PARAMETERS


def test_a_caller_too_many_is_told_so_after_the_upgrade() -> None:
    error, close = events_of(dialect(), new_server().on_full())
    assert isinstance(error, ServerError)
    assert error.refusal is Refusal.CAPACITY
    assert isinstance(close, Close)
    assert close.code == 4_005
