"""Rates of a whole corpus, of its mean row, and which rows are the worst."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.metrics.corpus import corpus_figures, worst_first
from stt_load.metrics.normaliser import CHINESE, ENGLISH, Normaliser
from stt_load.metrics.wer import Scores, score

WORDS = st.lists(st.sampled_from(["lamp", "on", "off", "red", "very", "table"]), max_size=6).map(" ".join)
CHARACTERS = st.text(st.sampled_from("今天气很好，"), max_size=6)
ROWS = st.lists(st.tuples(WORDS, WORDS) | st.tuples(CHARACTERS, CHARACTERS), max_size=8)


def scores_of(rows: list[tuple[str, str]], normaliser: Normaliser = ENGLISH) -> list[Scores]:
    return [score(reference, transcript, normaliser) for reference, transcript in rows]


def test_a_long_row_weighs_more_in_the_corpus_and_the_same_in_the_mean() -> None:
    figures = corpus_figures(
        scores_of([("lamp", "tamp"), ("the red lamp is on", "the red lamp is on"), ("go on", "go")])
    )
    assert figures.words.rate == 2 / 8
    assert figures.mean_wer == pytest.approx((1 + 0 + 1 / 2) / 3)
    assert (figures.substitutions, figures.deletions, figures.insertions) == (1, 1, 0)
    assert figures.characters.rate == (1 + 3) / (4 + 18 + 5)


def test_words_where_nothing_was_said_are_errors_of_the_corpus_and_not_of_the_mean() -> None:
    figures = corpus_figures(scores_of([("", "thank you"), ("good morning", "good"), ("", ""), ("lamp", "")]))
    assert figures.words.rate == 4 / 3
    assert figures.mean_wer == (1 / 2 + 1) / 2
    assert (figures.rows, figures.rows_without_reference, figures.rows_without_transcript) == (4, 2, 2)


def test_a_corpus_without_a_reference_has_no_rate() -> None:
    figures = corpus_figures(scores_of([("...", "hello")]))
    assert (figures.words.rate, figures.mean_wer, figures.characters.rate, figures.mean_cer) == (None,) * 4
    assert figures.insertions == 1
    assert corpus_figures([]).words.rate is None


def test_the_worst_come_first_and_the_perfect_not_at_all() -> None:
    rows = [("go on", "go on"), ("go on now", "go"), ("lamp", "tamp"), ("go on", "to in"), ("", "a b c"), ("", "a")]
    assert worst_first(scores_of(rows)) == [4, 3, 2, 5, 1]


@pytest.mark.parametrize("normaliser", [ENGLISH, CHINESE], ids=lambda normaliser: normaliser.name)
@given(rows=ROWS, data=st.data())
def test_the_corpus_is_the_sum_of_its_rows_in_any_order(
    normaliser: Normaliser, rows: list[tuple[str, str]], data: st.DataObject
) -> None:
    scores = scores_of(rows, normaliser)
    figures = corpus_figures(scores)
    assert corpus_figures(data.draw(st.permutations(scores))) == figures
    assert figures.words.errors == figures.substitutions + figures.deletions + figures.insertions
    assert figures.words.length == sum(row.reference_words for row in scores)
    half = len(rows) // 2
    parts = [corpus_figures(scores[:half]), corpus_figures(scores[half:])]
    assert parts[0].words + parts[1].words == figures.words
    assert parts[0].characters + parts[1].characters == figures.characters


@given(rows=st.lists(st.tuples(WORDS.filter(bool), WORDS), min_size=1, max_size=8))
def test_the_corpus_rates_are_those_of_jiwer(rows: list[tuple[str, str]]) -> None:
    references, transcripts = map(list, zip(*rows, strict=True))
    figures = corpus_figures(scores_of(rows))
    assert figures.words.rate == jiwer.wer(references, transcripts)
    assert figures.characters.rate == jiwer.cer(references, transcripts)
