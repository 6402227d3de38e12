"""Letters as they are compared."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.metrics.letters import folded, lower_turkish, script_of, without_joiners

MARKED = "ก้าวน้ำ क्ष हिन्दी مَرْحَبًا שָׁלוֹם é ñ İıI'ʼ’ﬁ½ｶﾞ​‌‍­œ5٥"


@given(text=st.text(st.sampled_from(MARKED) | st.characters(), max_size=30))
def test_folding_again_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(text=st.text(st.sampled_from(MARKED) | st.characters(), max_size=30))
def test_nothing_but_letters_digits_marks_and_blanks_is_left(text: str) -> None:
    assert all(sign.isalnum() or sign == " " or unicodedata.category(sign)[0] == "M" for sign in folded(text))


@given(text=st.text(st.sampled_from("éñöüกำन्दีがảđ") | st.characters(categories=["L", "M"]), max_size=20))
def test_composed_and_decomposed_are_the_same(text: str) -> None:
    assert folded(unicodedata.normalize("NFD", text)) == folded(unicodedata.normalize("NFC", text))


@given(text=st.text(st.characters(categories=["Ll", "Lo", "Nd"], max_codepoint=0x24F), max_size=20))
def test_letters_of_latin_words_stay_as_they_are(text: str) -> None:
    """Normalisation may not make two words of one text the same: only what the table of steps names is changed."""
    kept = "".join(sign for sign in text if unicodedata.normalize("NFKC", sign) == sign and sign not in "œșț")
    assert folded(kept) == kept


@pytest.mark.parametrize(("text", "lower"), [("IŞIK", "ışık"), ("İZMİR", "izmir"), ("ılık", "ılık")])
def test_turkish_has_two_letters_i(text: str, lower: str) -> None:
    assert folded(text, lower_turkish) == lower


def test_joiners_are_dropped_and_a_zero_width_space_parts_words() -> None:
    assert without_joiners("a\u00adb\u200cc\u200dd\u2060e\ufefff\u200bg") == "abcdef g"


@pytest.mark.parametrize(
    ("letter", "script"),
    [("a", "LATIN"), ("é", "LATIN"), ("ж", "CYRILLIC"), ("한", "HANGUL"), ("字", "CJK"), ("\ue000", "UNKNOWN")],
)
def test_a_letter_has_the_script_of_its_name(letter: str, script: str) -> None:
    assert script_of(letter) == script
