"""Scores from the cache are those that would be computed again."""

from __future__ import annotations

import random
from copy import copy

import pytest
from made_run import TEXTS, utterance

from stt_load.metrics.normaliser import CHINESE, ENGLISH, Normaliser
from stt_load.metrics.scorer import Scorer
from stt_load.metrics.wer import scored
from stt_load.records import UtteranceRecord

REFERENCES = {f"clip-{n}": text for n, text in enumerate(TEXTS)}


def heard(index: int, *messages: str, **what: object) -> UtteranceRecord:
    record = utterance(0, 4, index, text=" ".join(messages), **what)
    record.messages = [[1.0 + n, message] for n, message in enumerate(messages)]
    record.foreign_text = record.reference_words = record.wer = record.normaliser = None
    return record


def many() -> list[UtteranceRecord]:
    """Right, wrong and foreign texts, each of them several times."""
    rng = random.Random(5)
    records = []
    for index in range(60):
        words = TEXTS[index % len(TEXTS)].split()
        text = " ".join(word for word in words if rng.random() > 0.1 * (index % 3))
        records += [heard(index, text, TEXTS[rng.randrange(len(TEXTS))]) for _ in range(rng.randrange(1, 4))]
    rng.shuffle(records)
    return records


@pytest.mark.parametrize("normaliser", [ENGLISH, CHINESE])
def test_the_cache_changes_no_score(normaliser: Normaliser) -> None:
    caching = Scorer(REFERENCES, normaliser)
    in_flight = {"clip-0", "clip-3"}
    for record in many():
        fresh, expected = copy(record), scored(record, normaliser)
        Scorer(REFERENCES, normaliser).fill(fresh, in_flight)
        caching.fill(record, in_flight)
        assert record == fresh
        expected.foreign_text = record.foreign_text
        assert record == expected


def test_what_was_heard_before_is_filled_in_at_once_and_what_is_new_changes_nothing() -> None:
    scorer = Scorer(REFERENCES)
    scorer.fill(heard(0, TEXTS[0], "and more"), set())
    for record, is_cached in (
        (heard(0, TEXTS[0], "and more"), True),
        (heard(0, TEXTS[0]), False),
        (heard(1, TEXTS[0], "and more"), False),  # the same texts, but another clip
        (heard(1, kind="tts"), True),  # there is nothing to score
    ):
        before = copy(record)
        assert scorer.fill_cached(record, set()) is is_cached
        if not is_cached:
            assert record == before
        scorer.fill(before, set())
        if is_cached:
            assert record == before


def test_a_new_message_leaves_a_record_unscored_although_its_transcript_was_heard_before() -> None:
    scorer = Scorer(REFERENCES)
    scorer.fill(heard(0, TEXTS[0]), set())
    record = heard(0, TEXTS[0])
    record.messages = [[1.0, "a piece of it"]]
    assert not scorer.fill_cached(record, set())
    assert record.reference_words is record.foreign_text is None


def test_words_are_foreign_only_while_somebody_speaks_them() -> None:
    scorer = Scorer(REFERENCES)
    for in_flight, foreign in (({"clip-1"}, 1), ({"clip-2"}, 0), (set(), 0), ({"clip-1", "clip-2"}, 1)):
        record = heard(0, TEXTS[0], TEXTS[1])
        scorer.fill(record, in_flight)
        assert record.foreign_text == foreign
