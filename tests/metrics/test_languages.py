"""Languages by code and by name."""

from __future__ import annotations

import pytest

from stt_load.metrics.languages import LANGUAGES, parse_language
from stt_load.metrics.normaliser import NORMALISERS
from stt_load.metrics.wer import score

SAID = {
    "en": "Good morning, it's twenty-five degrees.",
    "de": "Grüße aus Köln, schöne Straße!",
    "fr": "L'été, c'est fini : où est le cœur ?",
    "tr": "Şimdi İstanbul'a gidiyorum, ılık bir gün.",
    "ru": "Ёлка ещё стоит.",
    "uk": "П'ять хвилин до потяга.",
    "el": "Θα ήθελα να ρωτήσω για την παράδοση, ΛΌΓΟΣ.",
    "ar": "كَتَبَ الوَلَدُ الدَّرْسَ",
    "fa": "می‌خواهم کتاب بخرم",
    "he": "שָׁלוֹם עֲלֵיכֶם",
    "hi": "मैं अपनी नई मेज के बारे में पूछना चाहता हूँ।",
    "ml": "അവന്‍ വന്നു",
    "ko": "새 주방 테이블 배송에 대해 문의하고 싶습니다",
    "vi": "Tôi muốn hỏi về việc giao bàn bếp mới",
    "zh": "今天，天气很好！",
    "yue": "我哋今日去食飯",
    "zh-en": "我用Python写，don't 慌。",
    "ja": "新しいキッチンのテーブルについて、お聞きします。",
    "th": "น้ำในแก้วนี้สะอาดมาก",
    "lo": "ຂ້ອຍຢາກຖາມກ່ຽວກັບນ້ຳ",
    "km": "ខ្ញុំចង់សួរអំពីតុផ្ទះបាយ",
    "my": "ကျွန်တော့်ရဲ့မီးဖိုချောင်စားပွဲ",
    "bo": "ང་རང་གི་ཅོག་ཙེ་གསར་པ",
}


@pytest.mark.parametrize("code", SAID)
def test_a_perfect_transcript_has_no_errors_in_capitals_or_without_punctuation(code: str) -> None:
    said, normaliser = SAID[code], NORMALISERS[LANGUAGES[code].normaliser]
    bare = "".join(sign for sign in said if sign not in ".,!?:。，！、।")
    for heard in (said, bare, f"  {bare} ", f"<|{code}|>{said}", f"“{said}”…"):
        assert score(said, heard, normaliser).word_errors == 0
        assert score(said, heard, normaliser).character_errors == 0


@pytest.mark.parametrize("code", ["lo", "th", "km", "my", "ja", "zh", "yue", "bo"])
def test_blanks_are_nothing_where_a_language_has_none(code: str) -> None:
    said, normaliser = SAID[code], NORMALISERS[LANGUAGES[code].normaliser]
    assert score(said, "\u200b".join(said[n : n + 4] for n in range(0, len(said), 4)), normaliser).word_errors == 0
    assert normaliser.rate == "CER"


@pytest.mark.parametrize("code", SAID)
def test_a_word_or_character_that_is_missing_is_an_error(code: str) -> None:
    said, normaliser = SAID[code], NORMALISERS[LANGUAGES[code].normaliser]
    words = list(normaliser.words(said))
    for n in range(len(words)):
        joint = normaliser.joint or " "
        assert score(said, joint.join([*words[:n], *words[n + 1 :]]), normaliser).deletions >= 1


def test_every_language_names_a_normaliser_and_is_found_by_code_and_name() -> None:
    for code, language in LANGUAGES.items():
        assert language.normaliser in NORMALISERS
        assert parse_language(code) == parse_language(code.upper()) == parse_language(language.name) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [("pt-BR", "pt"), ("zh_CN", "zh"), (" Deutsch", None), ("xx", None), ("", None), ("zh-en", "zh-en")],
)
def test_a_region_is_left_out_and_a_wrong_code_is_told(text: str, code: str | None) -> None:
    if code is None:
        with pytest.raises(ValueError, match="write its code"):
            parse_language(text)
    else:
        assert parse_language(text) == code


@pytest.mark.parametrize(
    ("text", "meant"),
    [("Deutsch", "de for German"), ("dutc", "nl for Dutch"), ("Français", "fr for French")],
)
def test_the_language_that_was_probably_meant_is_named(text: str, meant: str) -> None:
    with pytest.raises(ValueError, match=rf"\({meant}\?\)"):
        parse_language(text)
