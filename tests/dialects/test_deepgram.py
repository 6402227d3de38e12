"""What Deepgram asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from server_actions import actions_of, actions_on_segment, events_of

from stt_load.credentials import Credentials
from stt_load.dialects.base import End, Settings
from stt_load.dialects.deepgram import Deepgram
from stt_load.dialects.events import EndOfTurn, Final, Finished, Ignored, Partial, ServerError
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ConfigError, Refusal
from stt_load.server.dialects.deepgram import DeepgramServer
from stt_load.server.server_dialect import Close, FeedAudio, UpgradeRequest

URL = "wss://api.deepgram.com/v1/listen"


def dialect(*options: str, end: End = "server", key: str | None = None) -> Deepgram:
    return Deepgram(Settings(DIALECTS["deepgram"].parse_options(options), end, Credentials(key)))


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def test_everything_is_asked_for_in_the_query() -> None:
    assert dialect().connect(URL).url == (
        f"{URL}?encoding=linear16&channels=1&model=nova-3&language=en&sample_rate=16000&interim_results=true"
        "&smart_format=false&endpointing=300"
    )


def test_options_reach_the_query_and_the_users_own_query_wins() -> None:
    client = dialect("model=nova-2", "endpointing=false", "utterance_end_ms=1000", "keyterms=kappa,lambda wave")
    query = query_of(client.connect(f"{URL}?model=base&tag=load").url)
    assert (query["model"], query["tag"]) == (["base"], ["load"])
    assert (query["endpointing"], query["utterance_end_ms"]) == (["false"], ["1000"])
    assert query["keyterm"] == ["kappa", "lambda wave"]


def test_the_sample_rate_is_what_the_user_says() -> None:
    assert dialect("sample_rate=8000").capabilities.sample_rate_hz == 8_000


def test_a_threshold_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"endpointing=soon: 'soon' is not a time: .*, or false"):
        dialect("endpointing=soon")


def test_the_key_is_a_token() -> None:
    assert dialect(key="abc").connect(URL).headers == {"Authorization": "Token abc"}


@pytest.mark.parametrize(("finish", "message"), [("close", "CloseStream"), ("finalize", "Finalize")])
def test_the_end_message_is_chosen(finish: str, message: str) -> None:
    assert [json.loads(sent) for sent in dialect(f"finish={finish}").finalise()] == [{"type": message}]


def test_only_a_connection_that_is_closed_at_the_end_carries_one_utterance() -> None:
    assert not dialect(end="client").capabilities.many_utterances
    assert dialect("finish=finalize", end="client").capabilities.many_utterances
    assert dialect(end="server").capabilities.many_utterances


def test_only_close_stream_is_sure_of_its_answer() -> None:
    assert dialect().capabilities.answers_end
    assert not dialect("finish=finalize").capabilities.answers_end


def test_a_clip_with_pauses_as_long_as_the_endpointers_may_be_cut_there() -> None:
    assert dialect("endpointing=150").capabilities.min_endpoint_s == 0.15
    assert dialect("endpointing=false", "utterance_end_ms=1500").capabilities.min_endpoint_s == 1.5
    assert dialect("endpointing=false").capabilities.min_endpoint_s == float("inf")


def results(text: str, **said: bool) -> str:
    return json.dumps({"type": "Results", "channel": {"alternatives": [{"transcript": text}]}, **said})


def test_interim_results_are_replaced_and_final_ones_add_up() -> None:
    client = dialect()
    assert client.on_message(results("seven")) == (Partial("seven"),)
    assert client.on_message(results("seven words", is_final=True)) == (Final("seven words"),)
    assert client.on_message(results(" that", is_final=True, speech_final=True)) == (Final("that"), EndOfTurn())


def test_utterance_end_counts_where_the_endpointer_did_not_end_the_turn() -> None:
    client = dialect("utterance_end_ms=1000")
    client.on_message(results("seven", is_final=True))
    assert client.on_message('{"type": "UtteranceEnd"}') == (EndOfTurn(),)
    client.on_message(results("words", is_final=True, speech_final=True))
    client.on_message(results("", is_final=True))
    assert isinstance(client.on_message('{"type": "UtteranceEnd"}')[0], Ignored)
    client.on_message(results("that", is_final=True))
    assert client.on_message('{"type": "UtteranceEnd"}') == (EndOfTurn(),)


def test_an_answer_to_finalize_is_the_last_text() -> None:
    assert dialect().on_message(results("words", is_final=True, from_finalize=True)) == (Final("words", is_last=True),)


def test_an_error_refuses_parameters_only_before_anything_else() -> None:
    refused, failed = dialect(), dialect()
    failed.on_message('{"type": "Metadata", "duration": 0.0}')
    error = '{"type": "Error", "description": "no"}'
    assert refused.on_message(error) == (ServerError("no", Refusal.PARAMETERS),)
    assert failed.on_message(error) == (ServerError("no"),)


# the server ---------------------------------------------------------------------------------------------------------


def new_server(**query: str) -> DeepgramServer:
    return DeepgramServer(UpgradeRequest("/v1/listen", query))


def test_the_voice_ends_a_turn_after_as_much_silence_as_it_was_asked_to() -> None:
    assert new_server(endpointing="300").endpoint_s == 0.3
    assert new_server(endpointing="false").endpoint_s is None
    assert new_server().endpoint_s == 0.01  # the trap: its own default cuts in mid-sentence


def test_a_cut_by_the_endpointer_is_speech_final() -> None:
    assert events_of(dialect(), actions_on_segment(new_server())) == [Final("seven words"), EndOfTurn()]


def test_close_stream_is_answered_by_text_metadata_and_a_close() -> None:
    actions = actions_of(new_server(), bytes(3_200), '{"type":"CloseStream"}')
    assert events_of(dialect(), actions) == [FeedAudio(bytes(3_200)), Final("seven words"), Finished(), Close()]


def test_finalize_marks_its_answer_and_keeps_the_connection() -> None:
    actions = actions_of(new_server(), '{"type":"Finalize"}')
    assert events_of(dialect(), actions) == [Final("seven words", is_last=True)]


def test_finalize_with_nothing_left_is_not_answered() -> None:
    assert actions_of(new_server(), bytes(3_200), '{"type":"Finalize"}', spoken=None) == [FeedAudio(bytes(3_200))]


def test_what_is_cut_after_finalize_is_the_endpointers_again() -> None:
    server = new_server()
    actions_of(server, '{"type":"Finalize"}', bytes(3_200))
    assert events_of(dialect(), actions_on_segment(server)) == [Final("seven words"), EndOfTurn()]


@pytest.mark.parametrize("text", ['{"type":"KeepAlive"}', "hello", "[]"])
def test_other_texts_change_nothing(text: str) -> None:
    assert actions_of(new_server(), text) == []


def test_another_encoding_is_refused() -> None:
    refusal = new_server(encoding="opus").refuse()
    assert refusal is not None
    assert refusal.status == 400
