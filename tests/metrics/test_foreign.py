"""Whose words are these? Judged message by message."""

import random
from collections.abc import Sequence

import pytest
from made_run import TEXTS

from stt_load.metrics.foreign import clips_fitted
from stt_load.metrics.languages import LANGUAGES
from stt_load.metrics.normaliser import ENGLISH, NORMALISERS

OWN, *OTHERS = TEXTS


def foreign_messages(messages: Sequence[str], own: str, others: Sequence[str]) -> int:
    """How many of them have the words of one of `others`, all of whom are in flight."""
    spoken = {f"clip-{n}": ENGLISH.words(text) for n, text in enumerate(others)}
    return sum(bool(clips_fitted(message, own, spoken)) for message in messages)


def with_errors(text: str, rate: float, rng: random.Random) -> str:
    """`text` with a share of its words replaced, dropped or doubled, as a recogniser does."""
    words = text.split()
    for place in rng.sample(range(len(words)), round(rate * len(words))):
        words[place] = rng.choice(("hum", "", f"{words[place]} {words[place]}"))
    return " ".join(" ".join(words).split())


def test_own_words_are_never_foreign() -> None:
    assert foreign_messages([OWN], OWN, OTHERS) == 0


@pytest.mark.parametrize("other", OTHERS)
def test_another_callers_sentence_is_foreign(other: str) -> None:
    assert foreign_messages([other], OWN, OTHERS) == 1


def test_a_caller_who_gets_its_own_words_among_others_has_the_others_counted() -> None:
    """The trap of judging a joined transcript: this caller's own words are all in it."""
    assert foreign_messages([OTHERS[0], OWN, OTHERS[1]], OWN, OTHERS) == 2


def test_pieces_of_the_own_clip_are_own() -> None:
    words = OWN.split()
    assert foreign_messages([" ".join(words[:4]), " ".join(words[4:])], OWN, OTHERS) == 0


def test_a_piece_of_another_clip_is_foreign() -> None:
    assert foreign_messages([" ".join(OTHERS[0].split()[2:7])], OWN, OTHERS) == 1


def test_sentences_that_differ_in_a_word_are_not_told_apart() -> None:
    own, other = "move ten pounds to my savings account today", "move ten pounds to my checking account today"
    assert foreign_messages([other], own, [other]) == 0


def test_a_message_that_fits_another_clip_only_a_little_better_is_a_bad_transcript() -> None:
    """It shares 5 of its 10 words with its own clip and 7 with the other: a margin of 0.2."""
    own, other = "red orange yellow green blue seven eight nine", "red orange yellow green blue pear plum fig"
    assert foreign_messages(["red orange yellow green blue pear plum noise hum hiss"], own, [other]) == 0


def test_a_message_that_fits_another_clip_much_better_is_foreign_although_it_shares_words_with_its_own() -> None:
    own, other = "red orange seven eight nine ten", "red orange yellow green blue pear plum fig"
    assert foreign_messages(["red orange yellow green blue pear plum noise hum hiss"], own, [other]) == 1


def test_case_punctuation_and_spelling_do_not_hide_whose_words_they_are() -> None:
    assert foreign_messages([OTHERS[0].upper() + "!"], OWN, OTHERS) == 1


@pytest.mark.parametrize(
    "message", ["", "thank you", "the", "could you explain", "to my account the bills are not by platform"]
)
def test_short_or_unknown_texts_are_left_to_wer(message: str) -> None:
    assert foreign_messages([message], OWN, OTHERS) == 0


@pytest.mark.parametrize("rate", [0.2, 0.3])
@pytest.mark.parametrize("own", TEXTS)
def test_recognition_errors_are_not_called_foreign(own: str, rate: float) -> None:
    rng = random.Random(own)
    others = [text for text in TEXTS if text != own]
    messages = [with_errors(own, rate, rng) for _ in range(50)]
    assert foreign_messages(messages, own, others) == 0


@pytest.mark.parametrize("own", TEXTS)
def test_foreign_text_is_found_through_recognition_errors(own: str) -> None:
    rng = random.Random(own)
    others = [text for text in TEXTS if text != own]
    messages = [with_errors(other, 0.2, rng) for other in others]
    assert foreign_messages(messages, own, others) == len(others)


def test_a_caller_speaking_the_same_clip_makes_nothing_foreign() -> None:
    assert foreign_messages([OWN], OWN, [OWN, *OTHERS]) == 0


def test_with_nobody_else_in_flight_nothing_is_foreign() -> None:
    assert foreign_messages([OTHERS[0]], OWN, []) == 0


SPOKEN = {
    "zh": [
        "请问明天早上八点去北京的火车还有票吗",
        "我想换一张靠窗户的桌子，今天晚上六个人吃饭",
        "你们公司的退货地址能再说一遍吗",
    ],
    "th": ["ฉันต้องการสอบถามเกี่ยวกับการจัดส่งโต๊ะ", "พรุ่งนี้เช้ามีรถไฟไปเชียงใหม่กี่โมง", "ขอเปลี่ยนที่นั่งเป็นริมหน้าต่างได้ไหม"],
    "ja": [
        "明日の朝、東京行きの電車は何時に出ますか",
        "窓際の席に変えていただけませんか",
        "返品の送り先をもう一度教えてください",
    ],
}


@pytest.mark.parametrize("code", SPOKEN)
def test_in_languages_without_blanks_characters_tell_whose_words_they_are(code: str) -> None:
    normaliser = NORMALISERS[LANGUAGES[code].normaliser]
    own, *others = SPOKEN[code]
    spoken = {f"clip-{n}": normaliser.words(text) for n, text in enumerate(others)}
    assert clips_fitted(own, own, spoken, normaliser) == frozenset()
    assert clips_fitted(own[2:12], own, spoken, normaliser) == frozenset()
    assert clips_fitted(others[0], own, spoken, normaliser) == {"clip-0"}
    assert clips_fitted(others[1][:12], own, spoken, normaliser) == {"clip-1"}
    assert clips_fitted(others[1][:4], own, spoken, normaliser) == frozenset()  # chance
