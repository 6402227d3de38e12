"""Counts of word and character errors under the named normaliser."""

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.metrics.normaliser import CHINESE, ENGLISH, NORMALISERS, Normaliser
from stt_load.metrics.wer import align, score, scored
from stt_load.records import UtteranceRecord

# Words that meet, in both scripts, and anything else that can stand in a file.
TEXTS = st.lists(
    st.sampled_from(["the", "lamp", "Lamp,", "$5", "灯", "很亮", "。", "น้ำ", "<|en|>", "usa", "u", "s", "a"])
    | st.text(max_size=4),
    max_size=8,
).map(" ".join)


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


def test_a_scored_record_carries_every_count_and_keeps_the_rest() -> None:
    raw = UtteranceRecord(
        run_id="r", worker=0, user=1, stage=2, phase="hold", users=3, clip_id="c", reference="good morning", text="good"
    )
    record = scored(raw)
    assert (record.wer, record.deletions, record.reference_words) == (0.5, 1, 2)
    assert (record.normaliser, record.user, record.foreign_text) == (ENGLISH.title, 1, None)
    assert raw.wer is None


def test_in_chinese_a_word_is_a_character() -> None:
    scores = score("今天天气很好。", "今天天氣 好", CHINESE)
    assert (scores.substitutions, scores.deletions, scores.insertions) == (1, 1, 0)
    assert scores.wer == scores.cer == 2 / 6


def test_words_stand_beside_what_became_of_them() -> None:
    pairs = [("the", "the"), (None, "red"), ("lamp", "lamps"), ("is", "is"), ("on", None)]
    assert list(align("The lamp is on.", "the red lamps is", ENGLISH)) == pairs
    assert list(align("", "hello", ENGLISH)) == [(None, "hello")]
    assert list(align("hello", "", ENGLISH)) == [("hello", None)]
    assert list(align("", "", ENGLISH)) == []


@pytest.mark.parametrize("normaliser", NORMALISERS.values(), ids=lambda normaliser: normaliser.name)
@given(text=TEXTS)
def test_a_text_has_no_errors_against_itself(normaliser: Normaliser, text: str) -> None:
    scores = score(text, text, normaliser)
    assert (scores.word_errors, scores.character_errors) == (0, 0)


@pytest.mark.parametrize("normaliser", NORMALISERS.values(), ids=lambda normaliser: normaliser.name)
@given(reference=TEXTS, text=TEXTS)
def test_the_counts_are_those_of_the_alignment(normaliser: Normaliser, reference: str, text: str) -> None:
    scores, pairs = score(reference, text, normaliser), list(align(reference, text, normaliser))
    wanted_words, heard_words = normaliser.paired(reference, text)
    assert tuple(wanted for wanted, _ in pairs if wanted) == wanted_words == normaliser.words(reference)
    assert tuple(heard for _, heard in pairs if heard) == heard_words
    compared = jiwer.process_words(" ".join(wanted_words), " ".join(heard_words))
    assert (scores.substitutions, scores.deletions, scores.insertions) == (
        compared.substitutions,
        compared.deletions,
        compared.insertions,
    )
    assert scores.word_errors == sum(wanted != heard for wanted, heard in pairs)
    assert scores.deletions == sum(heard is None for _, heard in pairs)
    assert scores.insertions == sum(wanted is None for wanted, _ in pairs)


def test_a_curly_apostrophe_is_an_apostrophe() -> None:
    counted = score("It’s what we’ve said", "it's what we've said")
    assert (counted.wer, counted.cer) == (0.0, 0.0)
