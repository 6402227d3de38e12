"""The language of a set of references, guessed from their letters and their commonest words.

The script decides first: of letters and Latin words, what most are. A script that one language has mostly (Thai, Greek,
Hangul) names it; Cyrillic, Arabic and Devanagari are told apart by letters that only one of their languages has. In
Latin script the commonest words (the, of, to; der, die, und) decide. A word that several languages have counts less.

English has to be shown: its rules drop "um" and take "o" for a zero, which hides errors in any other language. Texts in
which nothing speaks for English are scored as `OTHER`, whose rules change no words. Only a handful of words that no
table has (a list of names, "hello") are taken for English.

Measured on 564 sentences in 61 languages (the examples of spaCy 3.8): see docs/design.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from stt_load.metrics.language_signs import LANGUAGE_OF_SCRIPT, LANGUAGES_WITH, LETTERS_OF, WITHOUT_BLANKS
from stt_load.metrics.languages import LANGUAGES, OTHER, Language
from stt_load.metrics.letters import folded, script_of
from stt_load.metrics.model_tags import without_model_tags
from stt_load.metrics.normaliser import NORMALISERS, Normaliser

SAMPLE = 2_000
"""How many references are looked at, and how many characters of each: a guess costs less than a tenth of a second."""
_SAMPLE_CHARACTERS = 200
_FEW_WORDS = 4
"""Fewer words than this, none of them in any table, say nothing about the language."""
_SHOWN_FROM = 0.05
"""Share of words that must be common ones of a language for it to be named, those of several languages counted in part.
Texts have 15 to 60 %, lists of names 0."""

_KANA = frozenset({"HIRAGANA", "KATAKANA"})
_KANA_FROM = 0.05  # of characters: Japanese has half, Chinese quotes a word now and then
_LETTERS_FROM = 0.004  # of the letters of the script

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class LanguageChoice:
    """The language that transcripts are scored in, and why: `as you asked`, or `guessed: …` with what was seen."""

    language: Language
    why: str

    @property
    def normaliser(self) -> Normaliser:
        return NORMALISERS[self.language.normaliser]

    @property
    def told(self) -> str:
        code = "" if self.language is OTHER else f" ({self.language.code})"
        return f"{self.language.name}{code}, {self.why}"

    def as_data(self) -> dict[str, str]:
        """What `run.json` and `score --json` say of it."""
        return {"code": self.language.code, "name": self.language.name, "why": self.why, "told": self.told}


def choose_language(asked: str | None, references: Iterable[str]) -> LanguageChoice:
    """The language with the code that was asked for, else a guess."""
    return LanguageChoice(LANGUAGES[asked], "as you asked") if asked else guess_language(references)


def guess_language(references: Iterable[str]) -> LanguageChoice:
    """Guesses from the first `SAMPLE` references; give it a fair sample of more."""
    texts = [
        without_model_tags(reference[:_SAMPLE_CHARACTERS]).replace("’", "'") for reference in islice(references, SAMPLE)
    ]
    scripts, letters = _tokens(texts)
    total = scripts.total()
    if not total:
        return LanguageChoice(LANGUAGES["en"], "since the references have no words to guess from")
    kana = sum(scripts[script] for script in _KANA)
    scripts["CJK"] += kana
    script, n = max(((script, n) for script, n in scripts.items() if script not in _KANA), key=lambda found: found[1])
    if script == "LATIN":
        lines = (unicodedata.normalize("NFC", text.lower().replace("i\u0307", "i")) for text in texts)
        return _latin([word for line in lines for word in _WORD.findall(line)], letters)
    is_japanese = script == "CJK" and kana >= _KANA_FROM * n
    code = "ja" if is_japanese else _by_letters(script, letters) or LANGUAGE_OF_SCRIPT.get(script, OTHER.code)
    unit = "characters and words" if script in WITHOUT_BLANKS else "words"
    name = {"CJK": "Chinese or Japanese"}.get(script, script.capitalize())
    return _guessed(LANGUAGES.get(code, OTHER), f"{n / total:.0%} of the references' {unit} are {name} ones")


def _tokens(texts: Sequence[str]) -> tuple[Counter[str], Counter[str]]:
    """How many words are in each script (characters where it has no blanks), and how many there are of each letter."""
    scripts: Counter[str] = Counter()
    letters: Counter[str] = Counter()
    for text in texts:
        for word in folded(text).split():
            seen = Counter(script_of(sign) for sign in word if sign.isalpha())
            letters.update(word)
            for script, n in seen.items():
                if script in WITHOUT_BLANKS or script in _KANA:
                    scripts[script] += n
            if spaced := {script: n for script, n in seen.items() if script not in WITHOUT_BLANKS | _KANA}:
                scripts[max(spaced, key=lambda script: spaced[script])] += 1
    return scripts, letters


def _by_letters(script: str, letters: Counter[str]) -> str:
    rows = LETTERS_OF.get(script, {})
    total = sum(n for letter, n in letters.items() if script_of(letter) == script)
    least = max(1.0, _LETTERS_FROM * total)
    return next((code for code, own in rows.items() if sum(letters[sign] for sign in own) >= least), "")


def _latin(words: Sequence[str], letters: Counter[str]) -> LanguageChoice:
    shares = dict.fromkeys(LANGUAGES, 0.0)
    for word in words:
        codes = LANGUAGES_WITH.get(word, ())
        for code in codes:
            shares[code] += 1 / len(codes) / len(words)
    best = max(shares, key=lambda code: (shares[code], code == "en"))
    if shares[best] >= _SHOWN_FROM:
        common = sum(best in LANGUAGES_WITH.get(word, ()) for word in words) / len(words)
        language = LANGUAGES[best]
        return _guessed(language, f"{common:.0%} of the references' words are among the commonest of {language.name}")
    if code := _by_letters("LATIN", letters):
        return _guessed(LANGUAGES[code], f"the references have letters of {LANGUAGES[code].name}")
    if len(words) < _FEW_WORDS and all(map(str.isascii, words)):
        return _guessed(LANGUAGES["en"], "no word of the references says which language it is")
    return _guessed(OTHER, "hardly any of the references' words are among the commonest of English")


def _guessed(language: Language, why: str) -> LanguageChoice:
    return LanguageChoice(language, f"guessed: {why}; --language names another")
