"""A caller who never speaks: a server that says nothing is right, and one that says something is told so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from fakes import FRAME, FakeClock, ScriptedTransport, clip, record_of, run_utterance

from stt_load.audio.silence import is_silent_caller, nobody_silent, silence_for
from stt_load.dialects.base import Capabilities, Dialect, Settings
from stt_load.dialects.events import Event, Final, Finished, Message, SegmentPending
from stt_load.dialects.parakeet import Parakeet
from stt_load.errors import ConnectionLost, Outcome, SttLoadError
from stt_load.metrics.scorer import Scorer
from stt_load.metrics.stage import StageStats
from stt_load.records import UtteranceRecord
from stt_load.session.actions import SessionRules
from stt_load.session.encoded_clip import encode_clip
from stt_load.session.session import Session

TIMEOUT_S = 6.0
SENT_S = 1.0  # ten frames
QUEUED = '{"status":"queued"}'


class Answering(Dialect):
    """A server whose client ends the utterance, and which answers that."""

    capabilities = Capabilities(ends=("client",), answers_end=True)

    def finalise(self) -> Sequence[Message]:
        return ("end",)

    def on_message(self, message: Message) -> Sequence[Event]:
        return {"done": (Finished(),), "cut": (SegmentPending(),)}.get(str(message), (Final(str(message)),))

    @staticmethod
    def recognises(message: Message) -> bool:
        return False


def text(words: str) -> str:
    return json.dumps({"text": words})


def silent(dialect: Dialect, *arrivals: tuple[float, Message | SttLoadError]) -> tuple[UtteranceRecord, float]:
    """The record of an utterance in which nobody speaks, scored, and how long it took."""
    transport = ScriptedTransport(FakeClock(), arrivals)
    audio = encode_clip(silence_for(clip()), FRAME, 0.4, dialect)
    session = Session(dialect, audio, SessionRules(timeout_s=TIMEOUT_S), transport.clock())
    run_utterance(session, transport, dialect)
    record = record_of(*session.measure(transport.clock()), reference="")
    Scorer({}).fill_scores(record)
    assert record.duration_s is not None
    return record, record.duration_s


def test_silence_is_as_long_as_the_clip_and_holds_no_speech() -> None:
    spoken = clip(duration_s=0.7)
    nothing = silence_for(spoken)
    assert (nothing.duration_s, nothing.speech_s, nothing.reference) == (0.7, 0.0, "")
    assert not nothing.samples.any()
    assert nothing.is_silent
    assert not spoken.is_silent


def test_where_a_clip_has_a_room_its_silence_is_that_of_the_room() -> None:
    from dataclasses import replace

    room = np.arange(1, 1_001).astype(np.int16)
    nothing = silence_for(replace(clip(), room=room))
    assert np.array_equal(nothing.samples[:2_000], np.concatenate([room, room]))


def test_a_server_that_says_nothing_is_right_and_no_one_waits_for_the_timeout() -> None:
    record, took_s = silent(Parakeet())
    assert record.outcome == Outcome.OK
    assert record.error is None
    assert took_s == pytest.approx(SENT_S + Parakeet.capabilities.quiet_s, abs=0.01)
    assert record.words_from_nothing == 0
    assert record.understood is None, "a server that had nothing to say has not been misunderstood"


@pytest.mark.parametrize("words", ["you", "thank you for watching"])
def test_words_that_it_says_are_counted_and_are_neither_latency_nor_wer(words: str) -> None:
    record, _ = silent(Parakeet(), (0.5, QUEUED), (0.6, text(words)))
    assert record.outcome == Outcome.OK
    assert record.words_from_nothing == len(words.split())
    assert (record.wer, record.insertions, record.reference_words) == (None, None, None)
    assert (record.eos_latency_s, record.first_partial_s, record.settled_latency_s) == (None, None, None)
    assert record.connect_s is not None
    assert record.speech_s == 0.0


def test_a_segment_that_was_cut_is_waited_for() -> None:
    record, took_s = silent(Parakeet(), (0.5, QUEUED), (4.5, text("you")))
    assert record.words_from_nothing == 1
    assert took_s >= 4.5
    record, _ = silent(Parakeet(), (0.5, QUEUED))
    assert record.outcome == Outcome.TIMED_OUT, "it owes a text, whoever speaks"


def test_an_answer_to_the_end_message_is_waited_for_and_ends_it() -> None:
    record, took_s = silent(Answering(Settings(end="client")), (4.0, "done"))
    assert record.outcome == Outcome.OK
    assert took_s == pytest.approx(4.0, abs=0.01)


def test_an_end_message_that_is_never_answered_is_no_fault_where_nobody_spoke() -> None:
    record, _ = silent(Answering(Settings(end="client")))
    assert record.outcome == Outcome.OK


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [(ConnectionLost("closed", 1000), Outcome.OK), (ConnectionLost("closed", 1011), Outcome.SERVER_ERROR)],
)
def test_a_close_is_judged_as_ever(fault: SttLoadError, outcome: Outcome) -> None:
    assert silent(Answering(Settings(end="client")), (2.0, fault))[0].outcome == outcome


def test_a_server_that_goes_in_the_middle_of_the_silence_has_failed() -> None:
    record, _ = silent(Parakeet(), (0.5, ConnectionLost("lost")))
    assert record.outcome == Outcome.DISCONNECTED


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.57, 0.9])
def test_of_n_callers_that_share_is_silent_rounded_down(share: float) -> None:
    flags = [is_silent_caller(number, share) for number in range(400)]
    for n in range(1, 401):
        assert sum(flags[:n]) == int(round(n * share, 9))


def test_a_run_with_too_few_callers_for_one_to_be_silent_is_told_so() -> None:
    assert nobody_silent(9, 0.0) is None and nobody_silent(10, 0.1) is None
    for n_callers, share, first in ((9, 0.1, 10), (5, 0.001, 1_000), (1, 0.57, 2)):
        line = nobody_silent(n_callers, share)
        assert line and f"of {n_callers} nobody is silent, since the first who never speaks is caller {first}:" in line


def row(reference: str, clip_id: str, **fields: Any) -> UtteranceRecord:
    return UtteranceRecord("run", 0, 0, 0, "hold", 4, clip_id, reference, **fields)


def test_silent_callers_are_in_no_figure_of_speech_and_have_one_of_their_own() -> None:
    spoken = [
        row("good morning dear sir", f"c{n}", outcome="ok", text="good morning dear", eos_latency_s=0.5, audio_s=3.0)
        for n in range(20)
    ]
    said = ["", "you", "", "thank you", "", ""]
    nothing = [row("", f"s{n}", outcome="ok", text=words, audio_s=30.0) for n, words in enumerate(said)]
    failed = [row("", "s9", outcome="disconnected", error="gone", audio_s=30.0)]
    scorer, stats, alone = Scorer({}), StageStats(0, 4), StageStats(0, 4)
    for record in (*spoken, *nothing, *failed):
        scorer.fill_scores(record)
    stats.add([*spoken, *nothing, *failed])
    alone.add(spoken)
    figures, of_speech = stats.close(), alone.close()
    assert figures.words_from_nothing == pytest.approx(3 / 3.5)
    assert figures.silence_s == pytest.approx(210.0)
    assert figures.wer == of_speech.wer == 0.25
    assert (figures.wer_utterances, figures.wer_all) == (20, of_speech.wer_all)
    eos = figures.with_failed(next(f for f in _figures() if f.name == "eos_latency"))
    assert (eos.n, eos.at(0.95)) == (20, 0.5), "a silent caller that was dropped is no late transcript"
    assert figures.error_rate == pytest.approx(1 / 27), "but a caller who was dropped is one"
    assert of_speech.words_from_nothing is None


def test_a_stage_without_a_word_proves_little_until_much_silence_was_sent() -> None:
    def limit(n: int) -> float:
        stats = StageStats(0, 4)
        rows = [row("", f"s{k}", outcome="ok", words_from_nothing=0, audio_s=6.0) for k in range(n)]
        stats.add(rows)
        estimate = stats.close().estimates["words_from_nothing"]
        assert estimate.value == 0.0
        assert estimate.high is not None
        return estimate.high

    assert limit(6) > 1.0
    assert limit(200) < 1.0


def _figures() -> Any:
    from stt_load.metrics.figures import FIGURES

    return FIGURES
