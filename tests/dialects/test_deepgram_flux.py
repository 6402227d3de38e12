"""Deepgram Flux: who ends a turn, and what is asked for so that the end is told."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from stt_load.dialects.base import End, Settings
from stt_load.dialects.deepgram_flux import DeepgramFlux
from stt_load.dialects.events import (
    CumulativeTranscript,
    EagerEndOfTurn,
    EndOfTurn,
    Final,
    Ignored,
    Partial,
    ServerWord,
    TurnResumed,
)
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ProtocolError


def flux(end: End, *options: str) -> DeepgramFlux:
    dialect = DIALECTS["deepgram-flux"].make(Settings(DIALECTS["deepgram-flux"].parse_options(options), end))
    assert isinstance(dialect, DeepgramFlux)
    return dialect


def turn_end(text: str, index: int, trigger: str = "model") -> str:
    body = {"type": "TurnInfo", "event": "EndOfTurn", "transcript": text, "turn_index": index, "trigger": trigger}
    return json.dumps(body)


@pytest.mark.parametrize(
    ("end", "options", "asked", "said", "is_answered"),
    [
        ("server", (), None, None, False),
        ("client", (), "1.0", "ForceEndTurn", True),
        ("client", ("eot_threshold=0.8",), "0.8", "ForceEndTurn", False),  # the model may have ended the turn before
        ("client", ("finish=close",), None, "CloseStream", True),
    ],
)
def test_where_the_client_ends_turns_the_model_is_asked_to_leave_them_to_it(
    end: End, options: tuple[str, ...], asked: str | None, said: str | None, is_answered: bool
) -> None:
    dialect = flux(end, *options)
    query = parse_qs(urlsplit(dialect.connect("wss://host/v2/listen").url).query)
    assert query.get("eot_threshold") == (asked and [asked])
    assert dialect.capabilities.answers_end is is_answered
    if said is not None:
        assert dialect.finalise() == (json.dumps({"type": said}),)


def test_eager_ends_are_told_where_they_are_asked_for() -> None:
    assert flux("server").capabilities.turn_events == (EndOfTurn,)
    eager = flux("server", "eager_eot_threshold=0.4").capabilities.turn_events
    assert eager == (EndOfTurn, EagerEndOfTurn, TurnResumed)
    assert flux("client").capabilities.turn_events == ()


def test_so_much_silence_is_sent_that_the_servers_timeout_passes() -> None:
    assert flux("server").capabilities.trailing_silence_s == 5.5
    assert flux("server", "eot_timeout_ms=800").capabilities.trailing_silence_s == pytest.approx(1.3)


def test_an_end_that_the_client_forced_is_the_last_word() -> None:
    assert flux("client").on_message(turn_end("a", 0, "manual")) == (Final("a", is_last=True), EndOfTurn())
    assert flux("client").on_message(turn_end("a", 0, "timeout")) == (Final("a"), EndOfTurn())
    assert flux("server").on_message(turn_end("a", 0, "manual")) == (Final("a"), EndOfTurn())


def test_words_have_times_where_the_server_tells_them() -> None:
    words = [{"word": "one", "start": 0.5, "end": 0.8}, {"word": "two", "confidence": 0.9}]
    body = {"type": "TurnInfo", "event": "EndOfTurn", "transcript": "one two", "turn_index": 0, "words": words}
    final, _ = flux("server").on_message(json.dumps(body))
    assert final == Final("one two", words=(ServerWord("one", 0.5, 0.8),))
    (partial,) = flux("server").on_message(json.dumps({**body, "event": "Update", "words": words[:1]}))
    assert partial == Partial("one two", (ServerWord("one", 0.5, 0.8),))


def test_turns_add_up_where_the_last_of_them_is_never_ended() -> None:
    dialect = flux("client", "finish=close")
    assert dialect.on_message(turn_end("one", 0)) == (CumulativeTranscript("one"), EndOfTurn())
    update = json.dumps({"type": "TurnInfo", "event": "Update", "transcript": "two", "turn_index": 1})
    assert dialect.on_message(update) == (CumulativeTranscript("one two"),)


def test_an_end_told_twice_counts_once_and_one_without_its_number_is_the_servers_fault() -> None:
    dialect = flux("server")
    dialect.on_message(turn_end("one", 3))
    assert dialect.on_message(turn_end("one", 3)) == (Ignored("the end of a turn, told again"),)
    with pytest.raises(ProtocolError, match="without turn_index"):
        dialect.on_message('{"type":"TurnInfo","event":"EndOfTurn","transcript":"x"}')
