"""What counts as a word under each normaliser, and which one a set of references asks for."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.audio.texts import english_set, standard_set
from stt_load.metrics.normaliser import BASIC, CHINESE, ENGLISH, MIXED, NORMALISERS, Normaliser, guess_normaliser

# A sign of half width -> the same of full width: "!" to "~" stand in one block, the blank elsewhere.
WIDE = {ord(sign): ord(sign) + 0xFEE0 for sign in map(chr, range(0x21, 0x7F))} | {0x20: 0x3000}


@pytest.mark.parametrize(
    ("normaliser", "text", "words"),
    [
        (ENGLISH, "Well... it's grey, Mr. Brown!", "well it is gray mister brown"),
        (BASIC, "„Grüße“ aus Köln – schön!", "grüße aus köln schön"),
        (BASIC, "L'été, c'est fini.", "l été c est fini"),
        (BASIC, "हिन्दी में।", "हिन्दी में"),  # vowel signs are no punctuation
        (BASIC, "Привет, мир", "привет мир"),
        (CHINESE, "今天，天气很好！", "今 天 天 气 很 好"),
        (CHINESE, "「這 是，繁體…」", "這 是 繁 體"),
        (CHINESE, "ＵＳＢ 3.0（新）", "u s b 3 0 新"),
        (CHINESE, "二〇二六", "二 〇 二 六"),
        (MIXED, "我用Python写，don't 慌。", "我 用 python 写 dont 慌"),
        (MIXED, "ＭａｃＢｏｏｋ　Ｐｒｏ好", "macbook pro 好"),
        (MIXED, "カタカナと漢字", "カ タ カ ナ と 漢 字"),
    ],
)
def test_words_of_a_text(normaliser: Normaliser, text: str, words: str) -> None:
    assert " ".join(normaliser.words(text)) == words


@pytest.mark.parametrize("normaliser", NORMALISERS.values(), ids=lambda normaliser: normaliser.name)
@pytest.mark.parametrize("text", ["", "  ", "...", "。，！", "☺️", "\u200b"])
def test_signs_alone_are_no_words(normaliser: Normaliser, text: str) -> None:
    assert normaliser.words(text) == ()
    assert normaliser.characters(text) == ""


def test_blanks_count_as_characters_only_between_words() -> None:
    assert ENGLISH.characters("One, lamp!") == "one lamp"
    assert CHINESE.characters("一盏 灯") == MIXED.characters("一盏 灯") == "一盏灯"


@given(text=st.text(st.sampled_from(string.printable.strip() + " 我们今天去哪里。，！？"), max_size=40))
def test_width_is_nothing_in_chinese(text: str) -> None:
    assert CHINESE.words(text.translate(WIDE)) == CHINESE.words(text)
    assert MIXED.words(text.translate(WIDE)) == MIXED.words(text)


@given(text=st.text(st.sampled_from("我们今天去哪里。，！？ "), max_size=40))
def test_chinese_and_mixed_agree_where_there_is_no_latin_word(text: str) -> None:
    assert CHINESE.words(text) == MIXED.words(text)


@pytest.mark.parametrize(
    ("references", "normaliser"),
    [
        ([], ENGLISH),
        (["", "..."], ENGLISH),
        (["turn left", "stop"], ENGLISH),
        ([*english_set().values()], ENGLISH),
        ([*standard_set().values()], ENGLISH),
        (["My name is 王小明 and I live in 北京."], ENGLISH),
        (["Je voudrais un café, s'il vous plaît.", "Où est la gare ?"], BASIC),
        (["Где вокзал?"], BASIC),
        (["역이 어디예요?"], BASIC),
        (["今天天气很好。", "我要退货！"], CHINESE),
        (["请帮我 book 一个 meeting room"], CHINESE),
        (["駅はどこですか"], CHINESE),  # no blanks between words there either
    ],
)
def test_the_letters_of_the_references_choose(references: list[str], normaliser: Normaliser) -> None:
    assert guess_normaliser(references).normaliser is normaliser


def test_a_guess_says_what_was_seen_and_a_run_only_what_is_not_english() -> None:
    guess = guess_normaliser(["我们 book 吧"])
    assert "75% are Chinese characters" in guess.why
    assert guess.notes == (f"normaliser chinese, guessed: {guess.why}",)
    assert guess_normaliser(["good morning"]).notes == ()


def test_every_title_is_another_and_the_borrowed_one_has_its_version() -> None:
    assert len({normaliser.title for normaliser in NORMALISERS.values()}) == len(NORMALISERS)
    name, version, *_ = ENGLISH.title.split()
    assert name == "whisper-normalizer"
    assert version[0].isdigit()
