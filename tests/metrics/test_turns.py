"""Ends of turns judged against the bounds of speech, its pauses and the words that were told after them."""

from __future__ import annotations

from typing import Any

import pytest

from stt_load.audio.clip import ClipWord
from stt_load.metrics.figures import FIGURES_BY_NAME
from stt_load.metrics.normaliser import ENGLISH
from stt_load.metrics.scorer import Scorer
from stt_load.metrics.stage import StageFigures, StageStats
from stt_load.metrics.turns import places_of
from stt_load.records import UtteranceRecord

REFERENCE = "please send me the bill by mail"
PLACES = ((0.5, 0.9), (0.9, 1.2), (1.2, 1.4), (2.0, 2.1), (2.1, 2.5), (2.5, 2.7), (2.7, 3.0))  # a pause at 1.4 s
WORDS = {"clip": [ClipWord(text, *place) for text, place in zip(REFERENCE.split(), PLACES, strict=True)]}
SPEECH = (0.5, 3.0)
FIRST = len("please send me")
DELAY = FIGURES_BY_NAME["endpointing_delay"]


class Nobody:
    """Nothing was spoken around an utterance."""

    def was_just_spoken(self, clip_id: str) -> bool:
        return False

    is_of_others = was_own = was_just_spoken


def row(*turn_ends: tuple[float, int], text: str = REFERENCE, **what: Any) -> UtteranceRecord:
    """An utterance whose speech goes from 0.5 to 3.0 s, with these ends of turns; scored."""
    fields: dict[str, Any] = {"outcome": "ok", "speech_s": 2.5, "speech_bounds": SPEECH, "turn_ends": [*turn_ends]}
    reference = what.pop("reference", REFERENCE)
    record = UtteranceRecord("run", 0, 0, 0, "hold", 1, "clip", reference, text=text, **(fields | what))
    Scorer({}, ENGLISH, WORDS).fill_scores(record)
    return record


def closed(*records: UtteranceRecord) -> StageFigures:
    stats = StageStats(0, 1)
    stats.add(records)
    return stats.close()


def test_the_first_end_after_the_speech_is_the_endpointing_delay() -> None:
    record = row((3.4, len(REFERENCE)))
    assert (record.endpointing_delay_s, record.cut_early, record.turns) == (pytest.approx(0.4), False, 1)
    assert record.words_lost_at_cut == 0


def test_an_end_in_a_pause_with_more_speech_behind_it_is_early() -> None:
    record = row((1.7, FIRST), (3.4, len(REFERENCE)))
    assert (record.cut_early, record.turns, record.words_lost_at_cut) == (True, 2, 0)
    assert record.endpointing_delay_s == pytest.approx(0.4)


@pytest.mark.parametrize(("at_s", "is_early"), [(2.95, False), (2.91, False), (2.89, True), (2.0, True)])
def test_an_end_a_little_before_the_bound_is_in_time(at_s: float, is_early: bool) -> None:
    record = row((at_s, len(REFERENCE)))
    assert record.cut_early is is_early
    assert record.endpointing_delay_s == (None if is_early else pytest.approx(at_s - 3.0))


def test_a_server_that_is_done_before_the_last_frame_is_sent_has_ended_the_turn() -> None:
    record = row((2.95, len(REFERENCE)), speech_s=2.4)
    assert (record.cut_early, record.endpointing_delay_s) == (False, pytest.approx(-0.05))


def test_a_server_that_is_behind_tells_after_the_speech_what_it_cut_in_the_middle_of_it() -> None:
    record = row((4.0, FIRST), (4.6, len(REFERENCE)))
    assert (record.cut_early, record.turns, record.endpointing_delay_s) == (True, 2, pytest.approx(1.6))


def test_what_is_heard_in_the_silence_is_a_turn_of_its_own_and_no_cut() -> None:
    record = row((3.4, len(REFERENCE)), (4.6, len(f"{REFERENCE} thank you")), text=f"{REFERENCE} thank you")
    assert (record.cut_early, record.turns, record.endpointing_delay_s) == (False, 2, pytest.approx(0.4))


def test_a_part_that_is_misheard_is_a_part_all_the_same_but_one_word_in_the_silence_is_none() -> None:
    misheard = "please send me a kiln buy sail"
    assert row((4.0, FIRST), (4.6, len(misheard)), text=misheard).cut_early
    thanks = "please send me the bill by thanks"  # "mail" was missed, and something heard after it
    assert not row((3.4, len("please send me the bill by")), (4.6, len(thanks)), text=thanks).cut_early


def test_an_end_before_any_word_of_the_utterance_is_of_an_earlier_one() -> None:
    record = row((0.3, 0), (0.8, 0), (3.4, len(REFERENCE)))
    assert (record.cut_early, record.turns) == (False, 1)


def test_a_server_that_never_ends_the_turn_leaves_it_open() -> None:
    never, for_good = row(), row((1.7, FIRST), text="please send me")
    assert (never.cut_early, never.endpointing_delay_s) == (False, None)
    assert (for_good.cut_early, for_good.turns, for_good.endpointing_delay_s) == (True, 1, None)
    figures = closed(never, for_good, row((3.4, len(REFERENCE))))
    assert figures.turns_left_open == 2
    assert figures.with_failed(DELAY).n == 3
    assert figures.with_failed(DELAY).at(0.5) == float("inf")


def test_a_client_that_ends_the_utterance_has_no_endpointing_delay_but_may_be_cut() -> None:
    record = row((1.7, FIRST), (3.4, len(REFERENCE)), end="client")
    assert (record.endpointing_delay_s, record.cut_early) == (None, True)
    assert closed(record).turns_left_open == 0


@pytest.mark.parametrize(
    "what",
    [
        {"turn_ends": None, "speech_bounds": None},  # its protocol doesn't tell
        {"outcome": "interrupted"},
        {"outcome": "disconnected", "speech_s": 1.0},  # nobody knows where it would have cut
    ],
)
def test_what_can_not_be_known_is_null(what: dict[str, Any]) -> None:
    record = row(**what)
    values = record.endpointing_delay_s, record.cut_early, record.turns, record.words_lost_at_cut
    assert values == (None, None, None, None)
    figures = closed(record)
    assert figures.cut_early_rate is figures.split_rate is figures.words_lost_at_cut is figures.turns_left_open is None
    assert figures.eager_end_rate is figures.resumed is None


def test_a_turn_that_is_never_ended_is_left_open_where_no_text_came_either() -> None:
    silent = row(outcome="timed_out", text="")
    assert (silent.cut_early, silent.words_lost_at_cut, silent.turns, silent.is_left_open) == (None, None, 0, True)
    figures = closed(silent, row((3.4, len(REFERENCE))))
    assert (figures.turns_left_open, figures.cut_early_rate) == (1, 0.0)
    assert figures.estimates["cut_early_rate"].n == 1
    assert figures.with_failed(DELAY).at(0.95) == float("inf")
    assert (closed(silent).turns_left_open, closed(silent).cut_early_rate) == (1, None)


@pytest.mark.parametrize("told", ["pleas send me the bill by mail", "please send me the bill by", REFERENCE])
def test_a_final_that_is_told_twice_is_no_cut(told: str) -> None:
    record = row((3.4, len(told)), (3.6, 2 * len(told) + 1), text=f"{told} {told}")
    assert (record.cut_early, record.turns, record.endpointing_delay_s) == (False, 2, pytest.approx(0.4))


def test_a_long_sentence_that_is_heard_in_the_silence_hides_no_cut_before_it() -> None:
    text = f"{REFERENCE} thank you for watching and see you next week"
    record = row((4.0, FIRST), (4.6, len(REFERENCE)), (6.0, len(text)), text=text)
    assert (record.cut_early, record.endpointing_delay_s) == (True, pytest.approx(1.6))


def test_words_that_are_one_word_of_the_whole_text_go_on_all_the_same() -> None:
    text = "I paid twenty. Five dollars."
    record = row((3.2, 14), (3.6, len(text)), text=text, reference="i paid twenty five dollars")
    assert (record.cut_early, record.endpointing_delay_s) == (True, pytest.approx(0.6))


def test_an_early_end_is_known_whatever_became_of_the_utterance() -> None:
    assert row((1.7, FIRST), outcome="timed_out", text="please send me").cut_early


def test_words_near_a_cut_that_no_final_has_are_lost() -> None:
    record = row((1.7, FIRST), (3.4, 24), text="please send me by mail")
    assert (record.words_lost_at_cut, record.deletions) == (2, 2)  # "the bill" begins 0.3 and 0.4 s after the cut
    record = row((1.7, FIRST), (3.4, 17), text="please send me by")
    assert (record.words_lost_at_cut, record.deletions) == (2, 3)  # "mail" is 1.0 s away


def test_the_pause_that_a_cut_lies_in_does_not_count() -> None:
    words = {"clip": [word if word.end_s <= 1.4 else word.moved(2.0) for word in WORDS["clip"]]}
    record = row((1.7, FIRST), (5.4, 24), text="please send me by mail", speech_s=4.5, speech_bounds=(0.5, 5.0))
    Scorer({}, ENGLISH, words).fill_scores(record)
    assert record.words_lost_at_cut == 2  # "the bill" begins 2.3 s after the cut, and right behind the pause


def test_a_cut_that_is_told_late_lies_between_the_words_on_its_two_sides() -> None:
    record = row((4.0, FIRST), (4.6, 24), text="please send me by mail")
    assert (record.cut_early, record.words_lost_at_cut) == (True, 2)


def test_without_the_places_of_its_words_nothing_is_said_of_lost_ones() -> None:
    record = row((1.7, FIRST), (3.4, len(REFERENCE)))
    record.words_lost_at_cut = None
    Scorer({}, ENGLISH).fill_scores(record)
    assert record.words_lost_at_cut is None
    assert closed(record).words_lost_at_cut is None


def test_the_rates_of_a_stage_are_shares_of_the_utterances_whose_turns_were_told() -> None:
    good, cut = row((3.4, len(REFERENCE))), row((1.7, FIRST), (3.4, len(REFERENCE)))
    untold = row(turn_ends=None, speech_bounds=None)
    figures = closed(good, good, good, cut, untold)
    assert (figures.cut_early_rate, figures.split_rate, figures.words_lost_at_cut) == (0.25, 0.25, 0)
    assert list(figures.distributions["endpointing_delay"].values) == [pytest.approx(0.4)] * 4


def test_eager_ends_are_counted_where_the_protocol_has_them() -> None:
    sure = row((3.4, len(REFERENCE)), eager_turn_ends=[], turns_resumed=0)
    eager = row((3.4, len(REFERENCE)), eager_turn_ends=[1.5, 3.2], turns_resumed=1)
    figures = closed(sure, eager, row((3.4, len(REFERENCE))))
    assert (figures.eager_end_rate, figures.resumed) == (0.5, 1)


def test_a_row_is_filled_in_wholly_or_not_at_all() -> None:
    scorer, record = Scorer({}, ENGLISH, WORDS), row((1.7, FIRST), (3.4, 24), text="please send me by mail")
    record.cut_early = record.turns = record.words_lost_at_cut = record.endpointing_delay_s = None
    assert not scorer.fill_cached(record, Nobody())
    assert (record.cut_early, record.turns) == (None, None)
    scorer.fill(record, Nobody())
    again = row((1.7, FIRST), (3.4, 24), text="please send me by mail")
    again.cut_early = None
    assert scorer.fill_cached(again, Nobody())
    assert again.cut_early


def test_words_of_a_clip_are_found_in_what_the_normaliser_makes_of_its_reference() -> None:
    said = ("It", "does not", "take", "a", "hundred", "and", "five", "seats.")
    words = [ClipWord(text, at, at + 0.9) for at, text in enumerate(said)]
    wanted = ENGLISH.words(" ".join(said))
    places = places_of(" ".join(said), words, ENGLISH)
    found = [(word, place and place.text) for word, place in zip(wanted, places, strict=True)]
    assert found[:4] == [("it", "It"), ("does", "does not"), ("not", "does not"), ("take", "take")]
    assert found[-1] == ("seats", "seats.")
    assert len(found) < 9  # some of the number are one word
