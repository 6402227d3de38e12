"""Words of an English text, by the rules of Whisper's normaliser and a few that it lacks.

`EnglishTextNormalizer` tries some sixty patterns on every text and asks for the category of every character: 0.1 ms a
text, which is most of the cost of a score. `WhisperEnglish` takes the same steps, and leaves out those that can change
nothing: a text without any word of a table of replacements, without a word or sign of a number, in ASCII. The words are
the same, in a fifth of the time (tests hold the two against each other).

What Whisper lacks, done before it:

    okay, ok, O.K.              are one word
    cannot, can not             are the same; so are alright and all right, e-mail and email, wi-fi and wifi
    o'clock, oclock             are one word (Whisper makes "ten o'clock" 100 clock), and 10:00 is ten o'clock
    it’s, itʼs, it`s, it´s      have the same apostrophe
    soft hyphens, joiners, BOM  are no letters
    5 < 7                       is no bracket
    N A T O, N.A.T.O.           end with a letter (Whisper takes a single o for a zero)

and one after it, in `spelled_alike`: an acronym is taken as its reference spells it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from whisper_normalizer.english import EnglishTextNormalizer

from stt_load.metrics.letters import without_joiners

_APOSTROPHES = re.compile("[’＇]|(?<=\\w)[‘‛ʼʻ`´′](?=\\w)")
_LESS_THAN = re.compile(r"<(?=[\s\d])")
_SPELLINGS = {
    re.compile(r"\b(?:o\.\s?k\b\.?|(?<!\b\w )o k\b(?! \w\b)|ok\b)"): "okay",
    re.compile(r"\bcannot\b"): "can not",
    re.compile(r"\balright\b"): "all right",
    re.compile(r"\be[- ]mail"): "email",
    re.compile(r"\bwi[- ]fi\b"): "wifi",
    re.compile(r"\bo['\s]\s?clock\b"): "oclock",
    re.compile(r"\b(\d{1,2}):00\b"): r"\1 oclock",
}
_SINGLE_O = re.compile(r"\bo\b")
_LETTERS = re.compile(r"(?<![\w'])[a-z](?:(?:\.\s?|[ -])[a-z])+(?![\w'])")
_LETTER_O = "zozoz"  # stands for the o of NATO, which Whisper takes for a zero
_MAY_NEED_SPELLING = ("ok", "o.", "o k", "cannot", "alright", "mail", "wi", "clock", ":00")
_NUMERIC = re.compile("[0-9$%.]")
_PARTS = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()})


class WhisperEnglish:
    """Whisper's normaliser, with every step left out that can't change the text."""

    def __init__(self) -> None:
        self._whisper = EnglishTextNormalizer()
        self._fillers = frozenset(re.findall("[a-z]{2,}", self._whisper.ignore_patterns))
        # Each pattern is a word between word boundaries, or has an apostrophe.
        self._replaced = frozenset(
            word for pattern in self._whisper.replacers for word in re.findall(r"^\\b([a-z]+)\\b$", pattern)
        )
        # What it does to numbers needs a digit, a sign, or one of its words; "and" alone changes nothing.
        self._number_words = frozenset(self._whisper.standardize_numbers.words - {"and"} | {"half"})
        blanked = r"""!"#&'()*+,-/:;<=>?@[\]^_`{|}~"""
        self._blanks = str.maketrans(blanked, " " * len(blanked))
        self._spellings: dict[str, str] = self._whisper.standardize_spellings.mapping

    def words(self, text: str) -> list[str]:
        """The words of a text in lower case."""
        if not text.isascii():
            return str(self._whisper(text)).split()
        if "<" in text or "[" in text:
            text = re.sub(r"[<\[][^>\]]*[>\]]", "", text)
        if "(" in text:
            text = re.sub(r"\(([^)]+?)\)", "", text)
        parts = text.translate(_PARTS).split()
        if not self._fillers.isdisjoint(parts):
            text = re.sub(self._whisper.ignore_patterns, "", text)
        if "'" in text:
            text = re.sub(r"\s+'", "'", text)
        if "'" in text or not self._replaced.isdisjoint(parts):
            for pattern, replacement in self._whisper.replacers.items():
                text = re.sub(pattern, replacement, text)
            parts = text.translate(_PARTS).split()
        if "," in text:
            text = re.sub(r"(\d),(\d)", r"\1\2", text)
        if "." in text:
            text = re.sub(r"\.([^0-9]|$)", r" \1", text)
        text = text.translate(self._blanks)
        has_number = _NUMERIC.search(text) is not None or not self._number_words.isdisjoint(parts)
        if has_number:
            text = self._whisper.standardize_numbers(text)
        spellings = self._spellings
        words = [spellings.get(word, word) for word in text.split()]
        if not has_number:
            return words
        text = re.sub(r"[.$¢€£]([^0-9])", r" \1", " ".join(words))
        return re.sub(r"([^0-9])%", r"\1 ", text).split()


_whisper_english = WhisperEnglish()


def english_words(text: str) -> list[str]:
    """The words of a text. Lone symbols are none: "well ..." leaves a full stop that nobody said."""
    if not text.isascii() or "`" in text:
        text = _APOSTROPHES.sub("'", without_joiners(text))
    text = text.lower()
    if "<" in text:
        text = _LESS_THAN.sub(" ", text)
    if any(sign in text for sign in _MAY_NEED_SPELLING):
        for pattern, spelling in _SPELLINGS.items():
            text = pattern.sub(spelling, text)
    has_letter_o = _SINGLE_O.search(text) is not None
    if has_letter_o:
        text = _LETTERS.sub(lambda run: _SINGLE_O.sub(_LETTER_O, run[0]), text)
    words = [word for word in _whisper_english.words(text) if word.isalnum() or any(map(str.isalnum, word))]
    return ["o" if word == _LETTER_O else word for word in words] if has_letter_o else words


def spelled_alike(wanted: Sequence[str], heard: Sequence[str]) -> tuple[str, ...]:
    """The words that were heard, with each acronym as the wanted ones have it: N A S A, or NASA.

    A word is taken apart where its letters are wanted one by one, and letters are joined where they spell a wanted
    word. The wanted words stay as they are, so that rates keep their denominator; no letter is changed.
    """
    spelled = _single_letters(wanted)
    if _has_run(spelled):
        kept = frozenset(wanted)
        heard = [part for word in heard for part in (word if word in spelled and word not in kept else (word,))]
    letters = _single_letters(heard)
    if _has_run(letters):
        missing = frozenset(wanted).difference(heard)
        for word in sorted(filter(str.isalpha, missing), key=lambda word: (-len(word), word)):
            while len(word) > 1 and (place := letters.find(word)) >= 0:
                heard = [*heard[:place], word, *heard[place + len(word) :]]
                letters = _single_letters(heard)
    return tuple(heard)


def _single_letters(words: Sequence[str]) -> str:
    """One character a word: the letter where the word is one, else a blank."""
    return "".join([word if len(word) == 1 and word.isalpha() else " " for word in words])


def _has_run(letters: str) -> bool:
    return any(len(run) > 1 for run in letters.split())
