"""What the Nemotron Speech server asks and answers, beyond what every dialect owes."""

from __future__ import annotations

import json

import pytest
from server_actions import actions_of, actions_on_segment, events_of

from stt_load.dialects.base import Settings
from stt_load.dialects.events import Final, Partial, Ready, ServerError
from stt_load.dialects.nemotron import Nemotron
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ConfigError
from stt_load.server.dialects.nemotron import NemotronServer
from stt_load.server.server_dialect import Close, FeedAudio, RecognisedSegment, UpgradeRequest

HARD = '{"type": "reset", "finalize": true}'
SOFT = '{"type": "reset", "finalize": false}'


def dialect(*options: str) -> Nemotron:
    return Nemotron(Settings(DIALECTS["nemotron"].parse_options(options), "client"))


def new_server() -> NemotronServer:
    return NemotronServer(UpgradeRequest("/"))


def test_a_turn_is_ended_by_a_hard_reset_unless_somebody_asks_for_a_soft_one() -> None:
    assert dialect().finalise() == (HARD,)
    assert dialect("reset=soft").finalise() == (SOFT,)
    with pytest.raises(ConfigError, match="reset=firm: 'firm' is not known: write hard or soft"):
        dialect("reset=firm")


def test_only_what_a_hard_reset_forgets_leaves_room_for_another_utterance() -> None:
    assert dialect().capabilities.many_utterances
    assert not dialect("reset=soft").capabilities.many_utterances


def test_it_greets() -> None:
    assert events_of(dialect(), new_server().on_open()) == [Ready()]


def test_each_text_has_all_that_was_said_since_the_hard_reset() -> None:
    server = new_server()
    assert events_of(dialect(), actions_on_segment(server)) == [Partial("seven words")]
    assert events_of(dialect(), actions_of(server, HARD)) == [Final("seven words seven words", is_last=True)]
    assert events_of(dialect(), actions_on_segment(server)) == [Partial("seven words")]


def test_a_text_that_is_no_other_is_not_said_again() -> None:
    assert actions_on_segment(new_server(), RecognisedSegment("", 0.1, 0.9, {})) == []


def test_a_soft_reset_forgets_nothing_and_waits_for_nothing() -> None:
    server = new_server()
    actions_on_segment(server)
    assert events_of(dialect(), actions_of(server, SOFT)) == [Final("seven words", is_last=True)]
    assert events_of(dialect(), actions_of(server, HARD, spoken=None)) == [Final("seven words", is_last=True)]


def test_end_is_another_word_for_reset_and_hard_is_the_default() -> None:
    said = actions_of(new_server(), '{"type": "end"}')
    assert events_of(dialect(), said) == [Final("seven words", is_last=True)]


def test_silence_is_answered_by_an_empty_final() -> None:
    assert events_of(dialect(), actions_of(new_server(), HARD, spoken=None)) == [Final("", is_last=True)]


@pytest.mark.parametrize("message", [b"\0", "[]"])
def test_what_its_handler_stumbles_over_ends_the_connection_with_an_error(message: bytes | str) -> None:
    error, close = events_of(dialect(), actions_of(new_server(), message))
    assert isinstance(error, ServerError)
    assert close == Close(1000)


@pytest.mark.parametrize("text", ["reset", json.dumps({"type": "bye"}), json.dumps({"finalize": True})])
def test_other_texts_are_ignored(text: str) -> None:
    assert actions_of(new_server(), text) == []


def test_an_end_message_as_a_binary_one_is_audio() -> None:
    end = HARD.encode() + b" "
    assert actions_of(new_server(), end) == [FeedAudio(end)]
