"""What counts as a word under each normaliser."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.metrics.normaliser import (
    ARABIC,
    BASIC,
    CHARACTERS,
    CHINESE,
    ENGLISH,
    MIXED,
    NORMALISERS,
    RUSSIAN,
    TURKISH,
    Normaliser,
    normaliser_titled,
)
from stt_load.metrics.wer import score

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
        (CHARACTERS, "น้ำ", "น ้ ำ"),  # the tone mark is a character; am is one, as typed
        (CHARACTERS, "ｷｯﾁﾝのテーブル、です。", "キ ッ チ ン の テ ー ブ ル で す"),
        (CHINESE, "葛\U000e0100餅", "葛 餅"),  # which shape the ideograph has
    ],
)
def test_words_of_a_text(normaliser: Normaliser, text: str, words: str) -> None:
    assert " ".join(normaliser.words(text)) == words


@pytest.mark.parametrize("normaliser", NORMALISERS.values(), ids=lambda normaliser: normaliser.name)
@pytest.mark.parametrize("text", ["", "  ", "...", "。，！", "☺️", "\u200b"])
def test_signs_alone_are_no_words(normaliser: Normaliser, text: str) -> None:
    assert normaliser.words(text) == ()


def test_blanks_count_as_characters_only_between_words() -> None:
    assert ENGLISH.characters(ENGLISH.words("One, lamp!")) == "one lamp"
    assert CHINESE.characters(CHINESE.words("一盏 灯")) == MIXED.characters(MIXED.words("一盏 灯")) == "一盏灯"


@given(text=st.text(st.sampled_from(string.printable.strip() + " 我们今天去哪里。，！？"), max_size=40))
def test_width_is_nothing_in_chinese(text: str) -> None:
    assert CHINESE.words(text.translate(WIDE)) == CHINESE.words(text)
    assert MIXED.words(text.translate(WIDE)) == MIXED.words(text)


@given(text=st.text(st.sampled_from("我们今天去哪里。，！？ "), max_size=40))
def test_chinese_and_mixed_agree_where_there_is_no_latin_word(text: str) -> None:
    assert CHINESE.words(text) == MIXED.words(text)


def test_every_title_is_another_and_the_borrowed_one_has_its_version() -> None:
    assert len({normaliser.title for normaliser in NORMALISERS.values()}) == len(NORMALISERS)
    name, version, *_ = ENGLISH.title.split()
    assert name == "whisper-normalizer"
    assert version[0].isdigit()


THE_SAME = [
    (BASIC, "Versicherung über", "Ver\u00adsicherung über", "soft hyphen"),
    (BASIC, "می\u200cخواهم", "میخواهم", "zero-width non-joiner"),
    (BASIC, "क्\u200dया हाल है", "क्या हाल है", "zero-width joiner"),
    (BASIC, "guten\u200b morgen\ufeff", "guten morgen", "zero-width space and BOM"),
    (BASIC, "\u200fشكرا", "شكرا", "mark of direction"),
    (BASIC, "п'ять хвилин", "пʼять хвилин", "modifier letter apostrophe"),
    (BASIC, "l'été", "l’été", "curly apostrophe"),
    (BASIC, "oʻzbek", "o'zbek", "turned comma"),
    (BASIC, "שָׁלוֹם", "שלום", "niqqud"),
    (BASIC, "كَتَبَ مـــرحبا", "كتب مرحبا", "harakat and tatweel"),
    (BASIC, "٥ كتب", "5 كتب", "digits of another script"),
    (BASIC, "كتاب علي", "کتاب علی", "Arabic and Persian ye and kaf"),
    (BASIC, "അവന്\u200d", "അവൻ", "chillu before Unicode 5.1"),
    (BASIC, "cœur", "coeur", "oe"),
    (BASIC, "şi ţară", "și țară", "cedilla and comma"),
    (BASIC, "col·lecció", "collecció", "punt volat"),
    (BASIC, "istanbul", "İstanbul", "dotted capital I"),
    (TURKISH, "ısparta'ya gidiyorum", "ISPARTA'YA GİDİYORUM", "dotless capital I"),
    (RUSSIAN, "ёлка", "елка", "yo"),
    (ARABIC, "أحمد إلى آخر", "احمد الى اخر", "alef"),
    (CHARACTERS, "สวัสดีครับผมชื่อสมชาย", "สวัสดีครับ ผมชื่อ สมชาย", "blanks of Thai"),
    (CHARACTERS, "น้ำ", "น้\u0e4dา", "am, typed as two"),
    (CHARACTERS, "ខ្ញុំ\u200bចង់", "ខ្ញុំចង់", "zero-width space of Khmer"),
    (CHARACTERS, "キッチン", "ｷｯﾁﾝ", "half width"),
]


@pytest.mark.parametrize(
    ("normaliser", "one", "other"), [row[:3] for row in THE_SAME], ids=[row[3] for row in THE_SAME]
)
def test_two_ways_to_write_the_same_are_no_error(normaliser: Normaliser, one: str, other: str) -> None:
    assert normaliser.words(one) == normaliser.words(other)
    assert score(one, other, normaliser).character_errors == 0


@pytest.mark.parametrize(
    ("normaliser", "said", "heard"),
    [
        (BASIC, "Wir treffen uns um acht Uhr", "Wir treffen uns acht Uhr"),
        (BASIC, "la vita è bella", "la vita e bella"),
        (BASIC, "o questo o quello", "0 questo 0 quello"),
        (BASIC, "uh ik wil een tafel", "ik wil een tafel"),
        (BASIC, "Maße", "Masse"),
        (BASIC, "हिन्दी", "हिन्द"),
        (TURKISH, "sık", "sik"),
        (ARABIC, "كتاب", "كتب"),
        (CHARACTERS, "น้ำ", "นำ"),
        (CHARACTERS, "มา", "ม้า"),
        (CHARACTERS, "ဝါး", "ဝါ"),
        (CHINESE, "买", "卖"),
        (CHARACTERS, "テーブル", "テブル"),
    ],
)
def test_a_real_error_is_never_hidden(normaliser: Normaliser, said: str, heard: str) -> None:
    assert score(said, heard, normaliser).word_errors > 0


@pytest.mark.parametrize("normaliser", NORMALISERS.values(), ids=lambda normaliser: normaliser.name)
def test_a_title_leads_back_to_its_normaliser(normaliser: Normaliser) -> None:
    assert normaliser_titled(normaliser.title) is normaliser
