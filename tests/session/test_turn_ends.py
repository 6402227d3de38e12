"""What a server tells of turns, on its way from the messages into the record."""

from __future__ import annotations

import pytest
from fakes import FakeClock, ScriptedTransport, clip, one_second, record_of, run_utterance, speak

from stt_load.dialects.base import Capabilities, Dialect, End, Settings
from stt_load.dialects.events import (
    CumulativeTranscript,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    Final,
    Finished,
    Message,
    SegmentPending,
    TurnResumed,
)
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ConnectionLost, Outcome
from stt_load.records import UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.session import Session

EVENTS: dict[str, Event] = {
    "turn": EndOfTurn(),
    "cut": SegmentPending(),
    "eager": EagerEndOfTurn(),
    "resumed": TurnResumed(),
}


class Teller(Dialect):
    """Says `turn`, `cut`, `eager`, `resumed`, `so WORDS` for all text so far; everything else is a final."""

    capabilities = Capabilities(turn_events=(EndOfTurn, EagerEndOfTurn, TurnResumed))

    def on_message(self, message: Message) -> list[Event]:
        said = str(message)
        if said.startswith("so "):
            return [CumulativeTranscript(said.removeprefix("so "))]
        return [EVENTS[said] if said in EVENTS else Final("" if said == "nothing" else said)]

    @staticmethod
    def recognises(message: Message) -> bool:
        return False


class SegmentTeller(Teller):
    """Tells of segments that it cut, and owes a text for each."""

    capabilities = Capabilities(turn_events=(SegmentPending, Final))


class FinalTeller(Teller):
    """Says a final where its endpointer heard an end, and nowhere else."""

    capabilities = Capabilities(turn_events=(Final,))


class LastTeller(Teller):
    """Says that nothing more comes."""

    def on_message(self, message: Message) -> list[Event]:
        return [Finished()] if message == "over" else super().on_message(message)


class SilentTeller(Teller):
    """Has no endpointer that tells."""

    capabilities = Capabilities()


def told(dialect: Dialect, *arrivals: tuple[float, str]) -> UtteranceRecord:
    """What became of one utterance: speech from 0.1 to 0.6 s after the start of the stream, then 0.4 s of silence."""
    spoken = speak(dialect, SessionRules(timeout_s=5.0), ScriptedTransport(FakeClock(), arrivals))
    return record_of(*spoken.session.measure(spoken.clock()))


def test_each_end_of_a_turn_is_kept_with_the_text_that_was_told_by_then() -> None:
    record = told(Teller(), (0.4, "seven"), (0.45, "turn"), (0.9, "words"), (0.95, "turn"))
    assert (record.outcome, record.text) == (Outcome.OK, "seven words")
    assert record.turn_ends == [(0.45, len("seven")), (0.95, len("seven words"))]
    assert record.speech_bounds == (0.1, 0.6)


def test_a_segment_ends_a_turn_when_it_is_cut_and_its_text_comes_later() -> None:
    record = told(SegmentTeller(), (0.4, "cut"), (0.8, "cut"), (0.9, "seven"), (1.2, "words"))
    assert record.turn_ends == [(0.4, len("seven")), (0.8, len("seven words"))]


def test_a_text_of_a_segment_that_was_never_announced_ends_a_turn_unless_it_is_empty() -> None:
    record = told(SegmentTeller(), (0.4, "seven"), (0.5, "nothing"), (0.8, "cut"), (0.9, "words"))
    assert record.turn_ends == [(0.4, len("seven")), (0.8, len("seven words"))]


def test_of_all_text_so_far_the_part_that_was_there_at_the_end_of_a_turn_is_its_own() -> None:
    record = told(Teller(), (0.4, "so seven"), (0.4, "turn"), (0.9, "so seven words"), (0.9, "turn"))
    assert (record.text, record.turn_ends) == ("seven words", [(0.4, 5), (0.9, 11)])


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_the_characters_until_each_text_are_counted_without_putting_all_of_them_together_each_time(name: str) -> None:
    """A server that sends what the limit of floods allows ends ten thousand turns in eight minutes."""
    dialect = DIALECTS[name].dialect()
    texts = ["", " ", " one", "two ", "", "one two three", " one two three four", " ", "five"]
    assert [*dialect.lengths(texts)] == [len(dialect.join(texts[:n])) for n in range(1, len(texts) + 1)]
    assert [*dialect.lengths(())] == []
    many = [f"word{number} " for number in range(10_000)]
    assert dialect.lengths(many)[-1] == len(dialect.join(many))


def test_ends_that_may_be_taken_back_are_kept_apart() -> None:
    record = told(Teller(), (0.3, "eager"), (0.4, "resumed"), (0.8, "eager"), (0.9, "seven words"), (0.9, "turn"))
    assert (record.eager_turn_ends, record.turns_resumed) == ([0.3, 0.8], 1)
    assert record.turn_ends == [(0.9, 11)]


@pytest.mark.parametrize(
    ("dialect", "ends"),
    [
        (Teller(), [(0.0, "seven words"), (0.0, "turn")]),
        (Teller(), [(-0.3, "seven words"), (0.0, "turn")]),  # the words were locked before
        (Teller(), [(0.0, "turn"), (0.0, "turn"), (0.0, "seven words")]),
        (FinalTeller(), [(0.0, "seven words")]),
        (SegmentTeller(), [(-0.02, "cut"), (0.0, "seven words")]),
        (LastTeller(), [(-0.02, "seven words"), (0.0, "over")]),
    ],
)
def test_a_turn_that_ends_a_little_before_the_bound_of_the_speech_completes_it(
    dialect: Dialect, ends: list[tuple[float, str]]
) -> None:
    """Bounds are no better than a tenth of a second, so nobody waited after the end of speech (0.6 s)."""
    record = told(dialect, *((0.55 + away_s, said) for away_s, said in ends))
    assert (record.outcome, record.text, record.eos_latency_s) == (Outcome.OK, "seven words", 0.0)
    cut = told(dialect, *((0.49 + away_s, said) for away_s, said in ends))
    assert (cut.outcome, cut.eos_latency_s) == (Outcome.TIMED_OUT, None)


def test_words_behind_a_turn_that_ended_a_little_before_the_bound_complete_it_later() -> None:
    record = told(Teller(), (0.54, "seven"), (0.55, "turn"), (1.5, "words"))
    assert (record.outcome, record.text) == (Outcome.OK, "seven words")
    assert record.eos_latency_s == pytest.approx(0.9)


def test_a_text_that_ends_no_turn_completes_nothing_before_the_end_of_speech() -> None:
    record = told(Teller(), (0.3, "seven"), (0.35, "turn"), (0.59, "words"))
    assert (record.outcome, record.eos_latency_s) == (Outcome.TIMED_OUT, None)


def test_a_server_that_hangs_up_behind_a_turn_that_ended_a_little_before_the_bound_has_said_all() -> None:
    arrivals = [(0.5, "seven words"), (0.55, "turn"), (1.2, ConnectionLost("bye", 1000))]
    spoken = speak(Teller(), SessionRules(timeout_s=5.0), ScriptedTransport(FakeClock(), arrivals))
    record = record_of(*spoken.session.measure(spoken.clock()))
    assert (record.outcome, record.eos_latency_s) == (Outcome.OK, 0.0)


@pytest.mark.parametrize(
    ("last_text_s", "outcome", "eos_latency_s"),
    [(3.9, Outcome.OK, -0.1), (2.6, Outcome.OK, -1.4), (2.4, Outcome.TIMED_OUT, None), (0.5, Outcome.TIMED_OUT, None)],
)
def test_a_server_that_falls_silent_long_before_the_end_of_speech_has_not_said_all(
    last_text_s: float, outcome: Outcome, eos_latency_s: float | None
) -> None:
    """Its text is the whole one so far. Speech ends at 4.0 s, and nobody can know a word before it is begun."""
    dialect, clock = Teller(), FakeClock()
    transport = ScriptedTransport(clock, [(0.4, "so seven"), (last_text_s, "so seven words")])
    audio = one_second(dialect, clip(speech_end_s=4.0, duration_s=4.0))
    session = Session(dialect, audio, SessionRules(timeout_s=5.0), clock())
    run_utterance(session, transport, dialect)
    record = record_of(*session.measure(clock()))
    assert (record.outcome, record.text) == (outcome, "seven words")
    assert record.eos_latency_s == (None if eos_latency_s is None else pytest.approx(eos_latency_s))


def test_a_protocol_without_turns_tells_nothing_rather_than_none() -> None:
    record = told(SilentTeller(), (0.4, "turn"), (0.5, "cut"), (0.9, "seven words"), (0.95, "also"))
    assert (record.turn_ends, record.speech_bounds, record.eager_turn_ends, record.turns_resumed) == (None,) * 4
    assert told(SegmentTeller(), (0.9, "nothing")).turn_ends == []


def test_a_server_that_ends_turns_without_end_floods() -> None:
    record = told(Teller(), *((0.4, "turn") for _ in range(300)))
    assert (record.outcome, "floods" in (record.error or "")) == (Outcome.PROTOCOL_ERROR, True)
    assert len(record.turn_ends or ()) < 300


@pytest.mark.parametrize(
    ("dialect", "end", "options", "events"),
    [
        ("parakeet", "server", [], {SegmentPending, Final}),
        ("deepgram", "server", [], {EndOfTurn}),
        ("deepgram", "server", ["endpointing=false"], set()),
        ("deepgram", "server", ["endpointing=false", "utterance_end_ms=1000"], {EndOfTurn}),
        ("assemblyai", "server", [], {Final}),
        ("speechmatics", "server", [], {EndOfTurn}),
        ("speechmatics", "client", [], set()),
        ("openai-realtime", "server", [], {SegmentPending, Final}),
        ("openai-realtime", "client", [], set()),
        ("sglang", "client", [], {SegmentPending}),
        ("sglang", "client", ["turn_detection=none"], set()),
        ("funasr", "client", [], {Final}),
        ("funasr", "client", ["mode=online"], set()),
        ("whisperlive", "server", [], set()),
        ("kyutai", "client", [], set()),
    ],
)
def test_a_dialect_tells_of_turns_where_an_endpointer_of_the_server_is_at_work(
    dialect: str, end: End, options: list[str], events: set[type]
) -> None:
    row = DIALECTS[dialect]
    assert set(row.make(Settings(row.parse_options(options), end)).capabilities.turn_events) == events
