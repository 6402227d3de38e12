"""What NVIDIA's speech NIM asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from server_actions import SPOKEN, actions_of, actions_on_segment, events_of

from stt_load.credentials import Credentials
from stt_load.dialects.base import End, Settings
from stt_load.dialects.events import EndOfTurn, Event, Final, Ignored, Ready, ServerError
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.riva import Riva
from stt_load.server.dialects.riva import RivaServer
from stt_load.server.server_dialect import Close, DiscardAudio, FeedAudio, ServerAction, UpgradeRequest

URL = "ws://localhost:9000/v1/realtime"
DONE = '{"type": "input_audio_buffer.done"}'
PCM = bytes(3_200)


def dialect(*options: str, end: End = "client", key: str | None = None) -> Riva:
    return Riva(Settings(DIALECTS["riva"].parse_options(options), end, Credentials(key)))


def session_of(client: Riva) -> dict[str, Any]:
    (first,) = client.connect(URL).first_messages
    body = json.loads(first)
    assert body["type"] == "transcription_session.update"
    return dict(body["session"])


def test_only_what_is_known_is_told_of_the_session() -> None:
    assert dialect().connect(URL).url == f"{URL}?intent=transcription"
    assert session_of(dialect()) == {
        "modalities": ["text"],
        "input_audio_format": "pcm16",
        "input_audio_params": {"sample_rate_hz": 16_000, "num_channels": 1},
        "input_audio_transcription": {"language": "en-US"},
        "recognition_config": {},
    }


def test_options_reach_the_session() -> None:
    client = dialect(
        *("language=de-DE", "model=conformer", "sample_rate=8000", "punctuation=true", "verbatim=false"),
        *("words=kappa,lambda wave", "boost=2", "stop_history_ms=400"),
    )
    session = session_of(client)
    assert session["input_audio_params"]["sample_rate_hz"] == client.capabilities.sample_rate_hz == 8_000
    assert session["input_audio_transcription"] == {"language": "de-DE", "model": "conformer"}
    assert session["recognition_config"] == {"enable_automatic_punctuation": True, "enable_verbatim_transcripts": False}
    assert session["word_boosting"] == {
        "enable_word_boosting": True,
        "word_boosting_list": [{"phrases": ["kappa", "lambda wave"], "boost": 2}],
    }
    assert session["endpointing_config"] == {"stop_history": 400}
    assert client.capabilities.min_endpoint_s < 0.4 < client.capabilities.min_trailing_silence_s


def test_every_frame_is_followed_by_its_commit() -> None:
    kinds = [json.loads(message)["type"] for message in dialect().encode(PCM)]
    assert kinds == ["input_audio_buffer.append", "input_audio_buffer.commit"]


def test_a_minted_secret_travels_as_a_subprotocol_and_nowhere_else() -> None:
    target = dialect("key=secret", key="abc").connect(URL)
    assert (target.headers, list(target.subprotocols)) == ({}, ["realtime", "realtime-token.abc"])
    assert dialect("key=secret").connect(URL).subprotocols == ()


def completed(text: str, is_last: bool) -> str:
    kind = "conversation.item.input_audio_transcription.completed"
    return json.dumps({"type": kind, "transcript": text, "is_last_result": is_last})


def test_only_the_result_that_says_so_is_the_last() -> None:
    assert dialect().on_message(completed("seven ", False)) == (Final("seven"), EndOfTurn())
    assert dialect().on_message(completed("words", True)) == (Final("words", is_last=True),)


def test_silence_that_is_told_as_an_empty_text_ends_no_turn() -> None:
    assert dialect().on_message(completed("", False)) == (Final(""),)


@pytest.mark.parametrize(
    ("finals", "whole"),
    [
        (["seven words", "that"], "seven words that"),  # what was left
        (["seven words", "that no", "seven words that no clip"], "seven words that no clip"),  # the text of all
        (["seven", "words", "words"], "seven words"),  # the last one once more
        (["seven words", ""], "seven words"),  # nothing was left
        (["seven", "words", "seven words"], "seven words"),
        (["seven", "seventy"], "seven seventy"),  # begins with it, but not with its words
        (["no", "no", "clip"], "no no clip"),  # only the last result repeats what was told
        (["words"], "words"),
        (["", ""], ""),
    ],
)
def test_whatever_the_last_result_holds_words_are_told_once(finals: list[str], whole: str) -> None:
    client = dialect()
    for number, text in enumerate(finals):
        client.on_message(completed(text, is_last=number == len(finals) - 1))
    assert client.join(finals) == whole


def test_without_a_last_result_texts_add_up() -> None:
    client = dialect(end="server")
    client.on_message(completed("no", is_last=False))
    assert client.join(["no", "no"]) == "no no"
    assert client.join([]) == ""


# the server ---------------------------------------------------------------------------------------------------------


def new_server(**query: str) -> RivaServer:
    return RivaServer(UpgradeRequest("/v1/realtime", {"intent": "transcription", **query}))


def texts(actions: list[ServerAction]) -> list[Event | ServerAction]:
    return [event for event in events_of(dialect(), actions) if not isinstance(event, (FeedAudio, Ignored))]


def test_without_its_intent_a_caller_is_sent_away() -> None:
    (done,) = RivaServer(UpgradeRequest("/v1/realtime")).on_open()
    assert isinstance(done, Close)
    assert done.code == 1008


def test_the_session_is_set_and_confirmed() -> None:
    server = new_server()
    done = actions_of(server, *dialect("sample_rate=8000", "stop_history_ms=400").connect(URL).first_messages)
    assert events_of(dialect(), done) == [DiscardAudio(), Ready()]
    assert (server.sample_rate_hz, server.endpoint_s) == (8_000, 0.4)


def test_audio_is_heard_when_it_is_committed() -> None:
    server = new_server()
    append, commit = (str(message) for message in dialect().encode(PCM))
    assert actions_of(server, append, append) == []
    assert actions_of(server, commit)[-1] == FeedAudio(2 * PCM)


def test_audio_that_is_never_committed_is_never_heard() -> None:
    """The trap: the end of the audio doesn't commit it."""
    append, _ = (str(message) for message in dialect().encode(PCM))
    assert texts(actions_of(new_server(), append, DONE, spoken=None)) == [Final("", is_last=True)]


def test_what_is_left_at_the_end_is_the_last_result() -> None:
    server = new_server()
    assert texts(actions_on_segment(server)) == [Final("seven words"), EndOfTurn()]
    assert texts(actions_of(server, DONE)) == [Final("seven words", is_last=True)]


def test_a_text_that_is_still_owed_at_the_end_is_a_result_of_its_own() -> None:
    server = new_server()
    server.on_segment()
    server.on_message(DONE)
    assert texts(list(server.on_text(SPOKEN))) == [Final("seven words"), EndOfTurn()]
    assert texts(list(server.on_flushed())) == [Final("", is_last=True)]


def test_the_last_result_may_be_all_that_was_said() -> None:
    server = new_server(cumulative="1")
    actions_on_segment(server)
    assert texts(actions_of(server, DONE)) == [Final("seven words seven words", is_last=True)]


def test_nothing_is_taken_after_done() -> None:
    server = new_server()
    actions_of(server, DONE)
    (said,) = texts(actions_of(server, str(dialect().encode(PCM)[0])))
    assert isinstance(said, ServerError)


def test_a_text_that_never_comes_is_told_as_failed() -> None:
    (said,) = texts(list(new_server().on_failed()))
    assert said == ServerError("transcription failed: the decoder of this utterance died")
