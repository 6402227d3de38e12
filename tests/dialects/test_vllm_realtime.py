"""What vLLM's realtime endpoint asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json

from server_actions import SPOKEN, actions_of, actions_on_segment, events_of

from stt_load.dialects.base import AudioLength, Settings
from stt_load.dialects.events import Final, Ignored, Partial, Ready, ServerError
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.vllm_realtime import VllmRealtime
from stt_load.errors import Refusal
from stt_load.server.dialects.vllm_realtime import VllmRealtimeServer
from stt_load.server.server_dialect import FeedAudio, Flush, UpgradeRequest

URL = "ws://localhost:8000/v1/realtime"
BEGIN, END = (f'{{"type": "input_audio_buffer.commit", "final": {final}}}' for final in ("false", "true"))
PCM = bytes(3_200)


def dialect(*options: str) -> VllmRealtime:
    return VllmRealtime(Settings(DIALECTS["vllm-realtime"].parse_options(options), "client"))


def new_server(**query: str) -> VllmRealtimeServer:
    return VllmRealtimeServer(UpgradeRequest("/v1/realtime", query))


def ready() -> VllmRealtimeServer:
    """A server dialect that was told its model."""
    server = new_server()
    assert actions_of(server, *dialect().connect(URL).first_messages) == []
    return server


def appended() -> str:
    (message,) = dialect().encode(PCM)
    return str(message)


def test_the_model_is_told_on_the_top_level_and_the_decoding_begun_before_the_audio() -> None:
    target = dialect("model=mine").connect(URL)
    assert (target.url, target.subprotocols) == (URL, ())
    assert [json.loads(message) for message in target.first_messages] == [{"type": "session.update", "model": "mine"}]
    assert list(dialect().begin(AudioLength(1, 1_600))) == [BEGIN]
    assert list(dialect().finalise()) == [END]


def test_the_greeting_is_the_sign_to_begin_since_nothing_else_is_answered() -> None:
    assert events_of(dialect(), new_server().on_open()) == [Ready()]


def test_a_step_without_text_is_no_first_text() -> None:
    empty, words = events_of(dialect(), [*ready().on_segment(), *ready().on_text(SPOKEN)])
    assert isinstance(empty, Ignored)
    assert words == Partial("seven words", is_delta=True)


def test_the_whole_text_comes_at_the_end_of_the_audio_and_only_then() -> None:
    server = ready()
    begun = events_of(dialect(), [*actions_of(server, BEGIN, appended()), *actions_on_segment(server)])
    ended = events_of(dialect(), actions_of(server, appended(), END))
    assert [event for event in begun if not isinstance(event, Ignored)] == [
        FeedAudio(PCM),
        Partial("seven words", is_delta=True),
    ]
    assert [event for event in ended if not isinstance(event, Ignored)] == [
        FeedAudio(PCM),
        Partial(" seven words", is_delta=True),
        Final("seven words seven words", is_last=True),
    ]


def test_without_the_first_commit_there_is_no_answer_at_all() -> None:
    """The trap: audio and the end of it are taken, and nobody decodes them."""
    assert actions_of(ready(), appended(), END) == []


def test_audio_that_comes_before_the_first_commit_is_decoded_then() -> None:
    assert list(ready().on_message(appended())) == []
    server = ready()
    actions_of(server, appended(), END)
    assert list(server.on_message(BEGIN)) == [FeedAudio(PCM), Flush()]


def test_what_is_appended_after_the_end_is_thrown_away() -> None:
    server = ready()
    assert list(server.on_message(BEGIN)) == []
    assert list(server.on_message(END)) == [Flush()]
    assert list(server.on_message(appended())) == []
    server.on_flushed()
    assert list(server.on_message(BEGIN)) == []


def test_the_next_utterance_wants_a_commit_of_its_own() -> None:
    server = ready()
    actions_of(server, BEGIN, appended(), END)
    assert actions_of(server, appended()) == []
    assert Final("seven words", is_last=True) in events_of(dialect(), actions_of(server, BEGIN, END))


def test_a_second_commit_changes_nothing_while_it_decodes() -> None:
    server = ready()
    assert actions_of(server, BEGIN, BEGIN) == []


def test_a_model_that_is_not_served_refuses_the_caller_twice() -> None:
    server = new_server(model="theirs")
    done = actions_of(server, *dialect("model=mine").connect(URL).first_messages, BEGIN)
    refusals = events_of(dialect(), done)
    assert [said.refusal for said in refusals if isinstance(said, ServerError)] == [Refusal.PARAMETERS] * 2
    assert isinstance(refusals[0], ServerError)
    assert refusals[0].message == "The model `mine` does not exist. (model_not_found)"
