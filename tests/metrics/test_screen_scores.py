from __future__ import annotations

import pytest

from stt_load.audio.clip import ClipWord
from stt_load.metrics.normaliser import CHARACTERS, ENGLISH, Normaliser
from stt_load.metrics.scorer import Scorer
from stt_load.metrics.screen_scores import SpokenWords, drift, errors_of_beginning, score_screen, words_of
from stt_load.metrics.wer import score
from stt_load.records import OnScreen, ScreenChange, UtteranceRecord


def spoken(*words: str) -> SpokenWords:
    """A word begins each half second, and lasts 0.4 s."""
    return SpokenWords.of([ClipWord(word, place / 2, place / 2 + 0.4) for place, word in enumerate(words)])


def scored(texts: list[tuple[float, str]], of: SpokenWords) -> OnScreen:
    """A screen that shows one whole text after the other."""
    changes: list[ScreenChange] = [(round(1_000 * at_s), 0, text, 0) for at_s, text in texts]
    screen = OnScreen(changes)
    score_screen(screen, of)
    return screen


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Who’s there — it's 5,000?", ["whos", "there", "its", "5", "000"]),
        ("forty-five Grüße", ["forty", "five", "grüsse"]),
        ("今天 很好,ok", ["今", "天", "很", "好", "ok"]),
        ("… ' —", []),
        ("हिन्दी में", ["हिन्दी", "में"]),  # vowel signs are parts of their words
        ("สวัสดี ครับ", ["สวัสดี", "ครับ"]),
        ("cafe\u0301", ["caf\u00e9"]),
        ("ですね", ["で", "す", "ね"]),
    ],
)
def test_words_are_compared_as_they_are_read(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("before", "after", "taken_back"),
    [
        ("one", "one two", 0),
        ("One two", "one, two.", 0),
        ("one thr", "one three", 0),  # a last word grows
        ("for two", "four two", 1),
        ("one two three", "one", 2),
        ("or", "order or", 0),  # a word that begins alike was put before it
        ("one for or", "one order or", 1),
        ("one three", "one two three", 0),  # put in between: nothing is gone
        ("one to three", "one two three for", 1),
        ("twenty five", "25", 2),
        ("one two", "", 2),
    ],
)
def test_words_that_are_deleted_or_replaced_are_taken_back(before: str, after: str, taken_back: int) -> None:
    assert scored([(1.0, before), (2.0, after)], spoken("one")).words_taken_back == taken_back


def test_the_age_is_that_of_the_last_new_word_that_is_right() -> None:
    screen = scored(
        [(0.7, "one"), (0.8, "one"), (1.4, "one too"), (1.5, "one two"), (1.9, "one two 3"), (2.6, "one two 3 four")],
        spoken("one", "two", "three", "four"),
    )
    assert (screen.audio_age_s, screen.audio_age_max_s) == (pytest.approx(0.6), pytest.approx(0.7))


def test_a_word_that_was_shown_before_is_not_new_when_it_comes_again() -> None:
    of = spoken("one", "two", "three")
    once, again = scored([(1.2, "one two")], of), scored([(1.2, "one two"), (1.3, "one"), (5.0, "one two")], of)
    assert once.audio_age_max_s == again.audio_age_max_s == pytest.approx(0.3)


def test_of_words_that_are_there_twice_the_one_in_its_place_is_meant() -> None:
    of = spoken("the", "cat", "and", "the", "dog")
    ages = scored([(0.5, "the"), (1.0, "the cat"), (1.5, "the cat and"), (2.0, "the cat and the")], of)
    assert ages.audio_age_max_s == pytest.approx(0.1)


def test_of_words_that_are_timed_as_one_only_the_last_has_an_end() -> None:
    of = SpokenWords.of([ClipWord("does not", 0.0, 0.5), ClipWord("work", 0.5, 1.0)])
    assert scored([(0.4, "does")], of).audio_age_s is None
    assert scored([(0.7, "does not")], of).audio_age_s == pytest.approx(0.2)


def test_an_hour_of_text_that_grows_is_scored_word_by_word() -> None:
    words = [f"w{number}" for number in range(1_000)]
    changes: list[ScreenChange] = []
    length = 0
    for place, word in enumerate(words):
        changes.append((500 * place + 700, length, f" {word}", 0))
        length += len(word) + 1
    screen = OnScreen(changes)
    score_screen(screen, spoken(*words))
    assert (screen.words_taken_back, screen.audio_age_s, screen.audio_age_max_s) == (0, 0.3, 0.3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0, 0)),
        ("one two", (0, 2)),
        ("one too", (1, 2)),
        ("one three", (1, 3)),  # as good with two words: the most count
        ("one two three four five", (1, 4)),
        ("x", (1, 1)),
    ],
)
def test_a_text_of_the_beginning_is_held_against_as_many_first_words_as_fit_it(
    text: str, expected: tuple[int, int]
) -> None:
    assert errors_of_beginning(("one", "two", "three", "four"), tuple(text.split())) == expected


def test_drift_is_how_much_grows_from_the_first_to_the_last_whatever_one_of_them_does() -> None:
    steady = [(float(x), 0.2) for x in range(10)]
    growing = [(float(x), 0.1 * x) for x in range(10)]
    assert drift(steady) == 0.0
    assert drift(growing) == pytest.approx(0.9)
    assert drift([*growing[:9], (9.0, 50.0)]) == pytest.approx(0.9)
    assert drift(growing[:3]) is None
    assert drift([(1.0, 0.1), (1.0, 0.2), (1.0, 0.3), (1.0, 0.4)]) is None


def timed(*words: str) -> list[ClipWord]:
    """A word begins each half second, and lasts 0.4 s."""
    return [ClipWord(word, place / 2, place / 2 + 0.4) for place, word in enumerate(words)]


def scored_row(words: list[ClipWord], texts: list[str], normaliser: Normaliser, joint: str = " ") -> UtteranceRecord:
    """One text after the other is shown, each a second after the last; the last one is final."""
    changes: list[ScreenChange] = [(1_000 * at, 0, text, 0) for at, text in enumerate(texts, 10)]
    record = UtteranceRecord(
        "run",
        0,
        0,
        0,
        "hold",
        1,
        "clip",
        joint.join(word.text for word in words),
        screen=OnScreen(changes),
        speech_s=2.0,
    )
    record.messages = [(9.0 + len(texts), texts[-1])]
    Scorer({}, normaliser, {"clip": words}).fill_screen(record)
    return record


@pytest.mark.parametrize(
    ("said", "text", "last"),
    [
        ("in room two hundred five", "In room 205.", "five"),
        ("in room two hundred five", "in room two hundred", "hundred"),
        ("in room two hundred five", "in room 209", "room"),
        ("that is forty five dollars", "That is $45", "dollars"),
        ("call one two three four five six seven now", "call 1234567", "seven"),
        ("call one two three four five six seven now", "Call 1234567 now.", "now"),
        ("room 205 is free", "room two hundred five", "205"),
        ("room 205 is free", "room two hundred five is", "is"),
        ("twenty five", "25", "five"),
    ],
)
def test_a_text_that_ends_in_digits_is_as_old_as_the_last_word_that_they_stand_for(
    said: str, text: str, last: str
) -> None:
    words = timed(*said.split())
    record = scored_row(words, [text], ENGLISH)
    ended_s = words[said.split().index(last)].end_s
    assert record.first_final_age_s == record.first_partial_age_s == pytest.approx(10.0 - ended_s)
    assert record.audio_age_s == pytest.approx(10.0 - ended_s)


def test_of_a_clip_of_several_minutes_no_beginning_is_normalised() -> None:
    words = timed(*["and"] * 300, "two", "hundred", "five")
    record = scored_row(words, [f"{'and ' * 300}205"], ENGLISH)
    assert record.first_final_age_s == pytest.approx(10.0 - words[299].end_s)


def test_a_wrong_number_at_the_end_has_no_age_of_its_own() -> None:
    record = scored_row(timed("in", "room", "two"), ["42"], ENGLISH)
    assert (record.audio_age_s, record.first_partial_age_s) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "สวัสดีครับ คุณ!",
        "ສະບາຍດີ ທ່ານ",
        "សួស្តី លោក។",
        "မင်္ဂလာပါ ခင်ဗျာ။",
        "今天 很好, ok",
        "こんにちは",
        "น้ำ",
        "か\u3099っこう",
        "๑๒",
    ],
)
def test_where_the_scorer_counts_characters_the_screen_has_the_same(text: str) -> None:
    assert tuple(words_of(text, is_by_character=True)) == CHARACTERS.words(text)


def test_a_letter_that_is_two_beside_an_apostrophe_that_is_none_is_not_taken_back_by_what_follows() -> None:
    """There are as many letters as characters, and not each in the place of its own."""
    screen = OnScreen([(1_000, 0, "½’", 0), (2_000, 2, " ok", 0)])
    score_screen(screen, None, is_by_character=True)
    assert screen.words_taken_back == 0


@pytest.mark.parametrize(
    ("words", "before", "after"),
    [
        (["สวัสดี", "ครับ"], "สวัสดีค่ะ", "สวัสดีครับ"),
        (["ສະບາຍດີ", "ທ່ານ"], "ສະບາຍດີທາ", "ສະບາຍດີທ່ານ"),
        (["សួស្តី", "លោក"], "សួស្តីលា", "សួស្តីលោក"),
        (["မင်္ဂလာပါ", "ခင်ဗျာ"], "မင်္ဂလာပါခဗ", "မင်္ဂလာပါခင်ဗျာ"),
    ],
)
def test_languages_without_blanks_flicker_and_age_by_the_character(words: list[str], before: str, after: str) -> None:
    record = scored_row(timed(*words), [words[0], before, after], CHARACTERS, "")
    errors = score(before, after, CHARACTERS)
    assert record.screen is not None
    assert record.screen.words_taken_back == errors.substitutions + errors.deletions
    assert record.screen.audio_age_max_s == pytest.approx(12.0 - 0.9)
    assert record.first_partial_age_s == pytest.approx(10.0 - 0.4)
    assert record.screen.first_partial_words == len(CHARACTERS.words(words[0]))
