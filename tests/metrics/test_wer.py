"""Counts of word and character errors under the named normaliser."""

import pytest

from stt_load.metrics.wer import NORMALISER, score, scored
from stt_load.records import UtteranceRecord


@pytest.mark.parametrize(
    ("reference", "text", "counts"),
    [
        ("one lamp is on", "one lamp is on", (0, 0, 0)),
        ("the lamp is on", "the lamp was on", (1, 0, 0)),
        ("the lamp is on", "the lamp on", (0, 1, 0)),
        ("the lamp is on", "the red lamp is on", (0, 0, 1)),
        ("the lamp is on", "", (0, 4, 0)),
        ("Hello, Mr. Brown!", "hello mister brown", (0, 0, 0)),
        ("My colour is grey.", "my color is gray", (0, 0, 0)),
        ("Well, good morning.", "well ... good morning ...", (0, 0, 0)),
        ("It costs forty-five dollars.", "it costs $45", (0, 0, 0)),
    ],
)
def test_errors_are_counted_after_normalising(reference: str, text: str, counts: tuple[int, int, int]) -> None:
    scores = score(reference, text)
    assert (scores.substitutions, scores.deletions, scores.insertions) == counts
    assert scores.wer == sum(counts) / scores.reference_words


def test_characters_are_counted_apart_from_words() -> None:
    scores = score("the lamp is on", "the lamps is on")
    assert scores.wer == 1 / 4
    assert (scores.character_errors, scores.reference_characters) == (1, 14)
    assert scores.cer == 1 / 14


@pytest.mark.parametrize("reference", ["", "Um.", "..."])
def test_a_reference_without_words_has_no_rate_but_its_insertions_count(reference: str) -> None:
    scores = score(reference, "hello there")
    assert (scores.wer, scores.cer, scores.insertions) == (None, None, 2)


def test_the_normaliser_is_named_with_its_version() -> None:
    name, version, *_ = NORMALISER.split()
    assert name == "whisper-normalizer"
    assert version[0].isdigit()


def test_a_scored_record_carries_every_count_and_keeps_the_rest() -> None:
    raw = UtteranceRecord(
        run_id="r", worker=0, user=1, stage=2, phase="hold", users=3, clip_id="c", reference="good morning", text="good"
    )
    record = scored(raw)
    assert (record.wer, record.deletions, record.reference_words) == (0.5, 1, 2)
    assert (record.normaliser, record.user, record.foreign_text) == (NORMALISER, 1, None)
    assert raw.wer is None
