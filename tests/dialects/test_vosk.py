"""What vosk-server is told and answers, beyond what every dialect owes."""

from __future__ import annotations

import json

import pytest
from server_actions import SPOKEN, actions_of, events_of, untimed

from stt_load.dialects.base import AudioLength, End, Settings
from stt_load.dialects.events import EndOfTurn, Final, Ignored, Partial
from stt_load.dialects.registry import DIALECTS
from stt_load.dialects.vosk import Vosk
from stt_load.errors import ConfigError
from stt_load.server.dialects.vosk import VoskServer
from stt_load.server.server_dialect import Close, DiscardAudio, FeedAudio, SendMessage, UpgradeRequest

FRAME = bytes(3_200)
PARTIAL = SendMessage('{\n  "partial": ""\n}')
EOF = '{"eof" : 1}'


def dialect(*options: str, end: End = "client") -> Vosk:
    return Vosk(Settings(DIALECTS["vosk"].parse_options(options), end))


def new_server() -> VoskServer:
    return VoskServer(UpgradeRequest("/"))


def config_of(client: Vosk) -> object:
    (message,) = client.connect("ws://server").first_messages
    return json.loads(message)


def test_the_config_comes_first_and_always_names_the_rate() -> None:
    assert config_of(dialect()) == {"config": {"sample_rate": 16_000}}


def test_options_reach_the_config() -> None:
    client = dialect("sample_rate=8000", "words=false", "max_alternatives=3", "phrase_list=one two,three")
    assert config_of(client) == {
        "config": {
            "sample_rate": 8_000,
            "words": False,
            "max_alternatives": 3,
            "phrase_list": ["one two", "three"],
        }
    }
    assert client.capabilities.sample_rate_hz == 8_000


def test_a_rate_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="sample_rate=wide: 'wide' is not a whole number"):
        dialect("sample_rate=wide")


def test_the_end_message_has_its_blanks() -> None:
    assert dialect().finalise() == (EOF,)


def test_a_connection_carries_several_utterances_where_nobody_says_eof() -> None:
    assert not dialect().capabilities.many_utterances
    assert dialect(end="server").capabilities.many_utterances


def test_a_partial_is_told_once() -> None:
    client, hello = dialect(), '{"partial" : "hello"}'
    once, again = client.on_message(hello), client.on_message(hello)
    assert once == (Partial("hello"),)
    assert isinstance(again[0], Ignored)
    client.begin(AudioLength(1, 1_600))
    assert client.on_message(hello) == once


def test_a_text_ends_a_turn_and_no_text_ends_none() -> None:
    assert dialect().on_message('{"text" : "hello"}') == (Final("hello"), EndOfTurn())
    assert dialect().on_message('{"text" : ""}') == (Final(""),)


def test_of_several_guesses_the_first_is_taken() -> None:
    guesses = '{"alternatives" : [{"text" : " likely"}, {"text" : " less so"}]}'
    assert dialect().on_message(guesses) == (Final("likely"), EndOfTurn())
    assert dialect().on_message('{"alternatives" : []}') == (Final(""),)


def test_audio_is_taken_for_8_khz_until_a_config_says_otherwise() -> None:
    server = new_server()
    assert server.sample_rate_hz == 8_000
    assert actions_of(server, '{"config" : {"sample_rate" : 16000}}') == [DiscardAudio()]
    assert server.sample_rate_hz == 16_000


def test_a_config_behind_the_first_audio_changes_nothing() -> None:
    server = new_server()
    assert actions_of(server, FRAME, '{"config" : {"sample_rate" : 16000}}') == [FeedAudio(FRAME), PARTIAL]
    assert server.sample_rate_hz == 8_000


def test_each_frame_has_one_answer_and_a_text_is_one() -> None:
    server = new_server()
    assert actions_of(server, FRAME) == [FeedAudio(FRAME), PARTIAL]
    actions = server.on_message(FRAME)
    heard = next(iter(actions))
    server.on_segment()
    assert [heard, *actions] == [FeedAudio(FRAME)]
    assert actions_of(server, FRAME, FRAME) == [FeedAudio(FRAME)] * 2  # they wait for what was cut before them
    text, *partials = server.on_text(SPOKEN)
    assert untimed(events_of(dialect(), [text])) == [Final("seven words"), EndOfTurn()]
    assert partials == [PARTIAL] * 2


def test_eof_is_answered_with_the_rest_and_a_close() -> None:
    actions = actions_of(new_server(), FRAME, EOF)[2:]
    assert untimed(events_of(dialect(), actions)) == [Final("seven words"), EndOfTurn(), Close(1000)]


def test_behind_an_endpoint_the_answer_to_eof_has_no_words() -> None:
    assert events_of(dialect(), actions_of(new_server(), FRAME, EOF, spoken=None)[2:]) == [Final(""), Close(1000)]


def test_reset_is_answered_like_eof_and_the_connection_stays() -> None:
    actions = actions_of(new_server(), FRAME, '{"reset" : 1}', FRAME)[2:]
    assert untimed(events_of(dialect(), actions))[:2] == [Final("seven words"), EndOfTurn()]
    assert actions[1:] == [FeedAudio(FRAME), PARTIAL]


@pytest.mark.parametrize("eof", ['{"eof":1}', '{"eof": 1}', "eof", '{"config'])
def test_another_text_is_an_internal_error(eof: str) -> None:
    assert actions_of(new_server(), FRAME, eof)[2:] == [Close(1011, "internal error")]


def test_eof_in_a_binary_frame_is_audio() -> None:
    assert actions_of(new_server(), EOF.encode())[1:] == [PARTIAL]


def test_words_and_guesses_are_told_as_the_config_asks() -> None:
    with_words = json.loads(actions_of(new_server(), EOF)[0].message)  # type: ignore[union-attr]
    assert [word["word"] for word in with_words["result"]] == ["seven", "words"]
    plain = actions_of(new_server(), '{"config" : {"words" : 0}}', EOF)[1]
    assert json.loads(plain.message) == {"text": "seven words"}  # type: ignore[union-attr]
    guesses = actions_of(new_server(), '{"config" : {"max_alternatives" : 2}}', EOF)[1]
    assert events_of(dialect(), [guesses]) == [Final("seven words"), EndOfTurn()]
