"""Several utterances over one connection, under a fake clock."""

from __future__ import annotations

import json

import pytest
from fakes import START_S, FakeClock, FakeDriver, ScriptedTransport, one_second, record_of

from stt_load.dialects.base import Dialect, Settings
from stt_load.dialects.events import Message
from stt_load.dialects.parakeet import Parakeet
from stt_load.dialects.whisperlive import WhisperLive
from stt_load.errors import ConnectionLost, Outcome, SttLoadError
from stt_load.pacing.caller_connection import CallerConnection
from stt_load.records import UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.session import Session

QUEUED = '{"status":"queued"}'


def answer(at_s: float, words: str) -> list[tuple[float, Message | SttLoadError]]:
    return [(at_s, QUEUED), (at_s + 0.01, f'{{"text":"{words}"}}')]


class Caller:
    """A caller who speaks the one-second clip over a connection, as often as asked."""

    def __init__(
        self, arrivals: list[tuple[float, Message | SttLoadError]], utterances: int, kind: type[Dialect] = Parakeet
    ) -> None:
        self.clock = FakeClock()
        self.transport = ScriptedTransport(self.clock, arrivals, connect_takes_s=0.2)
        self.connection = CallerConnection(
            kind(Settings()), self.transport, "ws://server/ws", FakeDriver(self.clock), utterances
        )

    def speak(self) -> UtteranceRecord:
        session = Session(self.connection.dialect, one_second(self.connection.dialect), SessionRules(3.0), self.clock())
        self.connection.run(session)
        return record_of(*session.measure(self.clock()), self.connection.latest_use)


def test_the_second_utterance_neither_dials_nor_gets_what_came_in_between() -> None:
    caller = Caller([*answer(1.1, "one"), (1.4, '{"text":"late"}'), *answer(2.6, "two")], 2)
    first = caller.speak()
    assert not caller.transport.is_closed
    caller.clock.move_to(START_S + 1.5)
    assert caller.connection.prepare_reuse()
    second = caller.speak()
    assert [(r.outcome, r.text) for r in (first, second)] == [(Outcome.OK, "one"), (Outcome.OK, "two")]
    assert (first.connect_s, second.connect_s) == (pytest.approx(0.2), None)
    assert (first.connection_utterance, second.connection_utterance) == (0, 1)
    assert (first.connection_age_s, second.connection_age_s) == (pytest.approx(0.0), pytest.approx(1.3))
    assert caller.transport.is_closed


def test_a_connection_that_was_closed_in_between_is_dialled_anew() -> None:
    caller = Caller([*answer(1.1, "one"), (1.3, ConnectionLost("closed by the server with 1000", 1000))], 2)
    caller.speak()
    caller.clock.move_to(START_S + 1.5)
    assert not caller.connection.prepare_reuse()
    assert caller.transport.is_closed


def test_an_utterance_that_failed_ends_the_connection() -> None:
    caller = Caller([(1.1, '{"error":"oops"}')], 2)
    assert caller.speak().outcome == Outcome.SERVER_ERROR
    assert caller.transport.is_closed
    assert not caller.connection.prepare_reuse()


def test_an_error_that_belongs_to_no_utterance_ends_the_connection() -> None:
    caller = Caller([*answer(1.1, "one"), (1.3, '{"error":"the decoder died"}')], 2)
    assert caller.speak().outcome == Outcome.OK
    caller.clock.move_to(START_S + 1.5)
    assert not caller.connection.prepare_reuse()
    assert caller.transport.is_closed


def test_a_connection_that_has_ever_more_to_say_is_dialled_anew() -> None:
    chatter = [(1.3, '{"status":"queued"}')] * 3_000
    caller = Caller([*answer(1.1, "one"), *chatter], 2)
    assert caller.speak().outcome == Outcome.OK
    caller.clock.move_to(START_S + 1.5)
    assert not caller.connection.prepare_reuse()
    assert caller.transport.is_closed


def test_what_is_told_in_between_and_once_more_later_belongs_to_no_utterance() -> None:
    """WhisperLive tells the latest segments again and again, those of earlier utterances too."""

    def segments(*told: tuple[str, str, str]) -> str:
        bodies = [{"start": start, "end": end, "text": text, "completed": True} for start, end, text in told]
        return json.dumps({"uid": "stt-load", "segments": bodies})

    one, noise, two = ("0.1", "0.6", "one"), ("0.7", "1.9", "thank you"), ("2.1", "2.6", "two")
    ready = (0.2, '{"uid":"stt-load","message":"SERVER_READY"}')
    caller = Caller(
        [ready, (1.3, segments(one)), (1.4, segments(one, noise)), (3.0, segments(one, noise, two))], 2, WhisperLive
    )
    first = caller.speak()
    caller.clock.move_to(START_S + 1.5)
    assert caller.connection.prepare_reuse()
    assert (first.text, caller.speak().text) == ("one", "two")
