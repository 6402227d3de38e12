"""Rates of a whole corpus, of its mean row, and which rows are the worst."""

from __future__ import annotations

from dataclasses import replace

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.metrics.corpus import Corpus, CorpusFigures
from stt_load.metrics.normaliser import CHINESE, ENGLISH, Normaliser
from stt_load.metrics.pairs import Pair
from stt_load.metrics.wer import score

WORDS = st.lists(st.sampled_from(["lamp", "on", "off", "red", "very", "table"]), max_size=6).map(" ".join)
CHARACTERS = st.text(st.sampled_from("今天气很好，"), max_size=6)
ROWS = st.lists(st.tuples(WORDS, WORDS) | st.tuples(CHARACTERS, CHARACTERS), max_size=8)


Rows = list[tuple[str, str]]


def corpus_of(rows: Rows, normaliser: Normaliser = ENGLISH, n_worst: int = 0) -> Corpus:
    corpus = Corpus(n_worst)
    for line, (reference, transcript) in enumerate(rows):
        corpus.add(Pair(line, reference, transcript), score(reference, transcript, normaliser))
    return corpus


def figures_of(rows: Rows, normaliser: Normaliser = ENGLISH) -> CorpusFigures:
    return corpus_of(rows, normaliser).close()


def test_a_long_row_weighs_more_in_the_corpus_and_the_same_in_the_mean() -> None:
    figures = figures_of([("lamp", "tamp"), ("the red lamp is on", "the red lamp is on"), ("go on", "go")])
    assert figures.words.rate == 2 / 8
    assert figures.mean_wer == pytest.approx((1 + 0 + 1 / 2) / 3)
    assert (figures.substitutions, figures.deletions, figures.insertions) == (1, 1, 0)
    assert figures.characters.rate == (1 + 3) / (4 + 18 + 5)


def test_words_where_nothing_was_said_are_errors_of_the_corpus_and_not_of_the_mean() -> None:
    figures = figures_of([("", "thank you"), ("good morning", "good"), ("", ""), ("lamp", "")])
    assert figures.words.rate == 4 / 3
    assert figures.mean_wer == (1 / 2 + 1) / 2
    assert (figures.rows, figures.rows_without_reference, figures.rows_without_transcript) == (4, 2, 2)


def test_a_corpus_without_a_reference_has_no_rate() -> None:
    figures = figures_of([("...", "hello")])
    assert (figures.words.rate, figures.mean_wer, figures.characters.rate, figures.mean_cer) == (None,) * 4
    assert figures.insertions == 1
    assert (figures_of([]).words.rate, figures_of([]).interval) == (None, (None, None))


def test_the_worst_come_first_and_the_perfect_not_at_all() -> None:
    rows = [("go on", "go on"), ("go on now", "go"), ("lamp", "tamp"), ("go on", "to in"), ("", "a b c"), ("", "a")]
    assert [pair.line for pair, _ in corpus_of(rows, n_worst=9).worst] == [4, 3, 2, 5, 1]
    assert [pair.line for pair, _ in corpus_of(rows, n_worst=2).worst] == [4, 3]
    assert corpus_of(rows).worst == []


def test_every_row_keeps_its_line_and_its_counts() -> None:
    rows = list(corpus_of([("go on", "go"), ("", "a")]).rows())
    assert [(row["line"], row["wer"], row["deletions"], row["insertions"]) for row in rows] == [
        (0, 0.5, 1, 0),
        (1, None, 0, 1),
    ]


def test_a_sentence_that_was_heard_often_is_one_piece_of_evidence() -> None:
    def interval(references: int, times: int) -> tuple[float, float]:
        rows = [(f"lamp number {n} is on", f"lamp number {n} is{' on' * (n % 3)}") for n in range(references)] * times
        figures = figures_of(rows)
        low, high = figures.interval
        assert low is not None and high is not None and figures.words.rate is not None
        assert low < figures.words.rate < high
        assert (figures.rows, figures.references) == (references * times, references)
        return low, high

    few, many = interval(20, 30), interval(600, 1)
    assert few[1] - few[0] > 3 * (many[1] - many[0])


def test_too_few_sentences_bound_nothing() -> None:
    assert figures_of([("lamp", "tamp")] * 50).interval == (None, None)


@pytest.mark.parametrize("normaliser", [ENGLISH, CHINESE], ids=lambda normaliser: normaliser.name)
@given(rows=ROWS, data=st.data())
def test_the_corpus_is_the_sum_of_its_rows_in_any_order(
    normaliser: Normaliser, rows: Rows, data: st.DataObject
) -> None:
    figures = figures_of(rows, normaliser)
    turned = figures_of(data.draw(st.permutations(rows)), normaliser)
    assert replace(turned, interval=figures.interval) == figures
    assert figures.words.errors == figures.substitutions + figures.deletions + figures.insertions
    half = len(rows) // 2
    parts = [figures_of(rows[:half], normaliser), figures_of(rows[half:], normaliser)]
    assert parts[0].words + parts[1].words == figures.words
    assert parts[0].characters + parts[1].characters == figures.characters


@given(rows=st.lists(st.tuples(WORDS.filter(bool), WORDS), min_size=1, max_size=8))
def test_the_corpus_rates_are_those_of_jiwer(rows: Rows) -> None:
    references, transcripts = map(list, zip(*rows, strict=True))
    figures = figures_of(rows)
    assert figures.words.rate == jiwer.wer(references, transcripts)
    assert figures.characters.rate == jiwer.cer(references, transcripts)
