"""What is remembered is what would be found again."""

from __future__ import annotations

import random
from copy import copy

import pytest
from made_run import TEXTS, utterance

from stt_load.metrics.normaliser import CHINESE, ENGLISH, Normaliser
from stt_load.metrics.scorer import Memory, Scorer
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
def test_memory_changes_no_score(normaliser: Normaliser) -> None:
    remembering = Scorer(REFERENCES, normaliser)
    in_flight = {"clip-0", "clip-3"}
    for record in many():
        fresh, expected = copy(record), scored(record, normaliser)
        Scorer(REFERENCES, normaliser).fill(fresh, in_flight)
        remembering.fill(record, in_flight)
        assert record == fresh
        expected.foreign_text = record.foreign_text
        assert record == expected


def test_it_knows_a_row_whose_texts_were_all_heard_before() -> None:
    scorer = Scorer(REFERENCES)
    scorer.fill(heard(0, TEXTS[0], "and more"), set())
    assert scorer.knows(heard(0, TEXTS[0], "and more"))
    assert not scorer.knows(heard(0, TEXTS[0]))
    assert not scorer.knows(heard(1, TEXTS[0], "and more"))  # said of another clip
    assert scorer.knows(heard(1, kind="tts"))  # there is nothing to score


def test_words_are_foreign_only_while_somebody_speaks_them() -> None:
    scorer = Scorer(REFERENCES)
    for in_flight, foreign in (({"clip-1"}, 1), ({"clip-2"}, 0), (set(), 0), ({"clip-1", "clip-2"}, 1)):
        record = heard(0, TEXTS[0], TEXTS[1])
        scorer.fill(record, in_flight)
        assert record.foreign_text == foreign


def test_what_is_asked_for_again_and_again_is_not_forgotten() -> None:
    memory: Memory[int, str] = Memory(size=10)
    memory.keep(-1, "hot")
    for key in range(1_000):
        memory.keep(key, "cold")
        assert memory.get(-1) == "hot"
    assert memory.get(999) == "cold"
    assert memory.get(0) is None
