"""The signs of languages: a table that names languages which exist."""

from __future__ import annotations

from stt_load.metrics.language_signs import LANGUAGE_OF_SCRIPT, LANGUAGES_WITH, LETTERS_OF, WORDS_OF
from stt_load.metrics.languages import LANGUAGES
from stt_load.metrics.letters import folded


def test_every_sign_names_a_language() -> None:
    named = {*LANGUAGE_OF_SCRIPT.values(), *WORDS_OF, *(code for rows in LETTERS_OF.values() for code in rows)}
    assert named <= set(LANGUAGES)


def test_words_are_lower_case_and_letters_survive_folding() -> None:
    assert all(word == word.lower() for word in LANGUAGES_WITH)
    for rows in LETTERS_OF.values():
        for letters in rows.values():
            assert any(sign in folded(letters) for sign in letters)


def test_a_word_of_several_languages_names_them_all() -> None:
    assert set(LANGUAGES_WITH["die"]) == {"de", "nl", "af"}
