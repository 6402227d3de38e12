from __future__ import annotations

import pytest
from made_run import utterance

from stt_load.errors import Outcome, Refusal
from stt_load.records import UtteranceRecord
from stt_load.session.outcomes import CLOSE_OUTCOMES
from stt_load.telemetry.counters import OWN_FAULT, UNKNOWN, RunCounters, reason_of


def failed(outcome: str = "disconnected", **changes: object) -> UtteranceRecord:
    return utterance(0, 5, outcome=outcome, eos_latency_s=None, text="", **changes)


@pytest.mark.parametrize(
    ("sentence", "record", "reason"),
    [
        ("a refusal says why", failed("refused", refusal="full", error="room 4711 is full"), "full"),
        ("a close code that means something is named", failed(close_code=1011, error="oops 12345"), "close_1011"),
        ("any other close code is not", failed(close_code=4711), UNKNOWN),
        ("a sentence of a server is no reason", failed("server_error", error="request 0815 failed"), UNKNOWN),
        ("our own fault is ours", failed("interrupted", is_own_fault=True, error="no port is left"), OWN_FAULT),
    ],
)
def test_the_reason_of_a_failure_is_one_of_a_few_words(sentence: str, record: UtteranceRecord, reason: str) -> None:
    assert reason_of(record) == reason
    words = {*Refusal, *(f"close_{code}" for code in CLOSE_OUTCOMES), OWN_FAULT, UNKNOWN}
    assert reason in words


def test_what_began_in_a_hold_counts_and_nothing_else() -> None:
    counters = RunCounters()
    for phase in ("ramp", "hold", "grace"):
        counters.add(utterance(0, 5, phase=phase, frames_late=2))
    assert (counters.outcomes["ok"], counters.frames, counters.frames_late, counters.audio_s) == (1, 52, 2, 5.0)
    assert counters.headline.n == 1


def test_an_utterance_that_the_end_of_the_run_cut_off_is_no_failure() -> None:
    counters = RunCounters()
    counters.add(failed("interrupted"))
    assert counters.outcomes[Outcome.INTERRUPTED] == 1
    assert not counters.failures


def test_words_are_counted_where_they_were_scored() -> None:
    counters = RunCounters()
    counters.add(utterance(0, 5, text="please send me a copy"))
    counters.add(failed("timed_out"))
    assert (counters.word_errors, counters.reference_words) == (7, 12)
