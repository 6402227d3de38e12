"""Riva over gRPC: what is told to the server, and what its results mean. What it sends stands in the conversations."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import FakeClock, ScriptedTransport, record_of, speak
from servers.riva_messages import Request, Response

from stt_load.credentials import Credentials
from stt_load.dialects.base import AudioLength, Settings
from stt_load.dialects.events import (
    HALF_CLOSE,
    EagerEndOfTurn,
    EndOfTurn,
    Final,
    Ignored,
    Partial,
    ServerWord,
    TurnResumed,
)
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.riva_grpc import METHOD, RivaGrpc
from stt_load.errors import ConfigError, Outcome
from stt_load.session.actions import SessionRules

ROW = DIALECTS["riva-grpc"]


def dialect(*options: str, **settings: Any) -> RivaGrpc:
    return RivaGrpc(Settings(ROW.parse_options(options), **settings))


def config(*options: str) -> Any:
    (first,) = dialect(*options).connect(ROW.default_url).first_messages
    assert isinstance(first, bytes)
    return Request.FromString(first).streaming_config


def response(*results: tuple[str, bool]) -> bytes:
    message = Response()
    for text, is_final in results:
        message.results.add(is_final=is_final).alternatives.add(transcript=text)
    data: bytes = message.SerializeToString()
    return data


def test_the_first_message_says_what_was_asked_for_and_leaves_the_rest_to_the_server() -> None:
    told = config()
    assert told.interim_results
    assert (told.config.encoding, told.config.sample_rate_hertz, told.config.audio_channel_count) == (1, 16_000, 1)
    assert (told.config.language_code, told.config.model, told.config.max_alternatives) == ("en-US", "", 1)
    assert not told.config.HasField("endpointing_config")
    assert not told.config.speech_contexts


def test_every_option_is_told() -> None:
    told = config(
        *("language=de-DE", "model=parakeet", "sample_rate=8000", "interim=false", "punctuation=true"),
        *("verbatim=true", "words=Grüezi, NIM", "boost=40", "stop_history_ms=0", "custom=a:1, b.c:true"),
        *("stop_history_eou_ms=240", "word_times=true"),
    )
    asked = told.config
    assert not told.interim_results
    assert (asked.language_code, asked.model, asked.sample_rate_hertz) == ("de-DE", "parakeet", 8_000)
    assert (asked.enable_automatic_punctuation, asked.verbatim_transcripts) == (True, True)
    assert [(list(each.phrases), each.boost) for each in asked.speech_contexts] == [(["Grüezi", "NIM"], 40.0)]
    assert asked.endpointing_config.HasField("stop_history")  # 0 is said, too
    assert asked.endpointing_config.stop_history_eou == 240
    assert asked.enable_word_time_offsets
    assert {each.key: each.value for each in asked.custom_configuration} == {"a": "1", "b.c": "true"}


def test_the_silence_after_a_clip_is_longer_than_the_one_that_ends_an_utterance() -> None:
    assert dialect("stop_history_ms=2000").capabilities.min_trailing_silence_s > 2.0


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no value for a name"):
        ROW.parse_options(["custom=enable_vad_endpointing"])


def test_a_frame_is_audio_and_nothing_else() -> None:
    (message,) = dialect().encode(b"\x01\x02" * 1_600)
    assert isinstance(message, bytes)
    assert Request.FromString(message) == Request(audio_content=b"\x01\x02" * 1_600)


def test_the_half_close_ends_the_audio() -> None:
    assert list(dialect().finalise()) == [HALF_CLOSE]


def test_the_key_is_a_bearer_and_the_path_is_the_method() -> None:
    target = dialect(credentials=Credentials("secret")).connect(ROW.default_url)
    assert target.headers == {"authorization": "Bearer secret"}
    assert target.url == f"grpc://localhost:50051{METHOD}"
    assert not dialect().connect(ROW.default_url).headers


def test_results_of_one_response_are_told_in_their_order() -> None:
    said = response(("hello there ", True), ("gene", False), ("ral", False))
    assert dialect().on_message(said) == [Final("hello there"), EndOfTurn(), Partial("gene ral")]


def test_a_response_without_a_text_says_nothing() -> None:
    empty = Response()
    empty.results.add(audio_processed=1.0)
    assert dialect().on_message(empty.SerializeToString()) == (Ignored("a response without a text"),)
    assert dialect().on_message(response(("", False))) == (Ignored("a response without a text"),)


def test_what_was_said_last_is_said_for_good_when_the_call_ends_well() -> None:
    speaking = dialect()
    speaking.on_message(response(("hello", False)))
    assert speaking.on_end() == (Final("hello"),)
    speaking.on_message(response(("hello there", True)))
    assert speaking.on_end() == ()
    speaking.on_message(response(("gen", False)))
    speaking.begin(AudioLength(10, 16_000))
    assert speaking.on_end() == ()


def test_a_result_behind_the_half_close_is_no_end_of_a_turn() -> None:
    speaking = dialect()
    speaking.finalise()
    assert speaking.on_message(response(("hello there", True))) == [Final("hello there")]


def test_a_call_whose_end_never_comes_is_given_up_though_its_text_is_there() -> None:
    """Only the end of the call says that no other result follows."""
    transport = ScriptedTransport(FakeClock(), [(1.2, response(("hello there", True)))])
    spoken = speak(dialect(end="client"), SessionRules(timeout_s=10.0), transport)
    record = record_of(*spoken.session.measure(spoken.clock()))
    assert (record.outcome, record.text) == (Outcome.TIMED_OUT, "hello there")
    assert (record.error or "").endswith("; texts came, but the end message was never answered")


def test_words_have_their_times_in_seconds() -> None:
    message = Response()
    guess = message.results.add(is_final=True).alternatives.add(transcript="hello there")
    guess.words.add(word="hello", start_time=0, end_time=240)
    guess.words.add(word="there", start_time=300, end_time=540)
    said = dialect("word_times=true").on_message(message.SerializeToString())
    words = (ServerWord("hello", 0.0, 0.24), ServerWord("there", 0.3, 0.54))
    assert said == [Final("hello there", words=words), EndOfTurn()]


def sure(text: str, stability: float) -> bytes:
    message = Response()
    message.results.add(stability=stability).alternatives.add(transcript=text)
    data: bytes = message.SerializeToString()
    return data


def test_a_stability_of_one_is_an_early_end_which_a_lower_one_takes_back_where_it_was_asked_for() -> None:
    eager, plain = dialect("stop_history_eou_ms=240"), dialect()
    said = [sure("hello", 0.5), sure("hello", 1.0), sure("hello", 1.0), sure("hello th", 0.5), sure("hello there", 1.0)]
    kinds = [[type(event) for event in eager.on_message(message)] for message in said]
    assert kinds == [[Partial], [Partial, EagerEndOfTurn], [Partial], [Partial, TurnResumed], [Partial, EagerEndOfTurn]]
    assert eager.on_message(response(("hello there", True))) == [Final("hello there"), EndOfTurn()]
    assert eager.on_message(sure("gen", 0.5)) == [Partial("gen")]
    assert [plain.on_message(message) for message in said[:2]] == [[Partial("hello")]] * 2
    assert plain.capabilities.turn_events == (EndOfTurn,)
    assert eager.capabilities.turn_events == (EndOfTurn, EagerEndOfTurn, TurnResumed)
