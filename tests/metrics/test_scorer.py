"""Scores from the cache are those that would be computed again."""

from __future__ import annotations

import random
from collections.abc import Collection
from copy import copy
from dataclasses import dataclass

import pytest
from made_run import TEXTS, utterance

from stt_load.metrics.normaliser import CHINESE, ENGLISH, Normaliser
from stt_load.metrics.scorer import Scorer
from stt_load.metrics.wer import scored
from stt_load.records import UtteranceRecord

REFERENCES = {f"clip-{n}": text for n, text in enumerate(TEXTS)}


def heard(index: int, *messages: str, **what: object) -> UtteranceRecord:
    record = utterance(0, 4, index, text=" ".join(messages), turn_ends=None, **what)
    record.messages = [(1.0 + n, message) for n, message in enumerate(messages)]
    record.foreign_text = record.late_text = record.reference_words = record.wer = record.normaliser = None
    return record


@dataclass(frozen=True)
class Around:
    """Who spoke which clips around an utterance."""

    others: Collection[str] = ()
    own: Collection[str] = ()
    just_spoken: Collection[str] = ()

    def was_just_spoken(self, clip_id: str) -> bool:
        return clip_id in self.just_spoken

    def is_of_others(self, clip_id: str) -> bool:
        return clip_id in self.others

    def was_own(self, clip_id: str) -> bool:
        return clip_id in self.own


NOBODY = Around()


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
    around = Around({"clip-0", "clip-3"}, {"clip-1"}, {"clip-2"})
    for record in many():
        fresh, expected = copy(record), scored(record, normaliser)
        Scorer(REFERENCES, normaliser).fill(fresh, around)
        caching.fill(record, around)
        assert record == fresh
        expected.foreign_text, expected.late_text = record.foreign_text, record.late_text
        assert record == expected


def test_what_was_heard_before_is_filled_in_at_once_and_what_is_new_changes_nothing() -> None:
    scorer = Scorer(REFERENCES)
    scorer.fill(heard(0, TEXTS[0], "and more"), NOBODY)
    for record, is_cached in (
        (heard(0, TEXTS[0], "and more"), True),
        (heard(0, TEXTS[0]), False),
        (heard(1, TEXTS[0], "and more"), False),  # the same texts, but another clip
        (heard(1, kind="tts"), True),  # there is nothing to score
    ):
        before = copy(record)
        assert scorer.fill_cached(record, NOBODY) is is_cached
        if not is_cached:
            assert record == before
        scorer.fill(before, NOBODY)
        if is_cached:
            assert record == before


def test_a_new_message_leaves_a_record_unscored_although_its_transcript_was_heard_before() -> None:
    scorer = Scorer(REFERENCES)
    scorer.fill(heard(0, TEXTS[0]), NOBODY)
    record = heard(0, TEXTS[0])
    record.messages = [(1.0, "a piece of it")]
    assert not scorer.fill_cached(record, NOBODY)
    assert record.reference_words is record.foreign_text is None


@pytest.mark.parametrize(
    ("around", "foreign", "late"),
    [
        (Around({"clip-1"}), 1, 0),
        (Around({"clip-2"}), 0, 0),
        (NOBODY, 0, 0),
        (Around({"clip-1", "clip-2"}), 1, 0),
        (Around(own={"clip-1"}), 0, 1),
        (Around({"clip-1"}, own={"clip-1"}), 1, 0),  # with few clips everybody has spoken each of them before
        (Around({"clip-1"}, just_spoken={"clip-1"}), 0, 1),  # but the utterances just before are more likely
    ],
)
def test_words_belong_to_those_who_speak_them_or_spoke_them_before(around: Around, foreign: int, late: int) -> None:
    record = heard(0, TEXTS[0], TEXTS[1])
    Scorer(REFERENCES).fill(record, around)
    assert (record.foreign_text, record.late_text) == (foreign, late)
