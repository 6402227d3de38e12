"""Normalisers: what counts as a word of a text. Both sides of a comparison go through the same one.

    name      a word is       for
    english   a word          English, with Whisper's rules: "forty-five dollars" is "$45", "colour" is "color"
    basic     a word          languages that are written with blanks and have no normaliser of their own
    chinese   a character     Chinese: WER over characters is CER. Letters and digits of Latin words are characters too
    mixed     a character of  Chinese with English in it: the mixed error rate (MER). "用 Python 写" has three words
              Chinese, or a
              Latin word

`mixed` counts as WeNet's AISHELL recipes do (wenet-e2e/wenet, tools/compute-wer.py with --char=1, as of 0e1042b): each
ideograph is a token, each run of Latin letters is one. On Chinese without Latin words it agrees with `chinese`.

`basic` differs from Whisper's BasicTextNormalizer in two ways: combining marks stay (without them it takes Hindi and
Thai words apart), and so does what stands in brackets. All but `english` leave numbers alone ("5" and "五" differ), and
traditional characters too.

Figures under different normalisers must not be compared, so each one's title, version included, rides in every record.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

from whisper_normalizer.english import EnglishTextNormalizer

# Scripts written without blanks between words: ideographs (with 々 and 〇) and kana.
_CJK = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CJK_OR_WORD = re.compile(rf"[{_CJK}]|[^{_CJK}\s]+")
_IS_CJK = re.compile(rf"[{_CJK}]")
_APOSTROPHES = re.compile("['’＇]")

CJK_FROM = 0.5
"""Share of Chinese characters among characters and Latin words from which references are taken for Chinese."""
BEYOND_ENGLISH_FROM = 0.03
"""Share of words with letters beyond a to z from which references are not taken for English: German has about 10 %,
Italian 5 %, English (café) well below 1 %. Dutch and the like can't be told from English in this way."""


@dataclass(frozen=True, eq=False, slots=True)
class Normaliser:
    """One way to split a text into words. `title` says what it does; records and reports carry it.

    `rate`: what errors over words are called under it. `unit`: what a word is, in the plural. `joint`: what stands
    between two words where characters are counted.
    """

    name: str
    title: str
    rate: str
    unit: str
    split: Callable[[str], Iterable[str]]
    joint: str

    def words(self, text: str) -> tuple[str, ...]:
        """The words of a text, from a cache: a load test hears few sentences, and English takes 0.1 ms a text."""
        return _words(self, text)

    def characters(self, text: str) -> str:
        """The characters that CER is counted over."""
        return self.joint.join(self.words(text))


@lru_cache(maxsize=16_384)
def _words(normaliser: Normaliser, text: str) -> tuple[str, ...]:
    return tuple(normaliser.split(text))


_english = EnglishTextNormalizer()


def _english_words(text: str) -> list[str]:
    # It knows "it's" and takes "it’s" apart; it leaves "well ..." as "well .": a full stop is no word that was said.
    return _spoken(str(_english(_APOSTROPHES.sub("'", text))))


def _basic_words(text: str) -> list[str]:
    return _spoken(_folded(text, lambda sign: unicodedata.category(sign).startswith("M")))


def _chinese_characters(text: str) -> str:
    return _folded(text).replace(" ", "")


def _mixed_words(text: str) -> list[str]:
    # "don't" is one word, with whichever apostrophe.
    return _CJK_OR_WORD.findall(_folded(_APOSTROPHES.sub("", text)))


def _folded(text: str, stays: Callable[[str], bool] = lambda _: False) -> str:
    """The text in half width (NFKC) and lower case. Other characters than letters and digits become blanks."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return "".join(sign if sign.isalnum() or stays(sign) else " " for sign in folded)


def _spoken(text: str) -> list[str]:
    return [word for word in text.split() if any(map(str.isalnum, word))]


ENGLISH = Normaliser(
    name="english",
    title=f"whisper-normalizer {version('whisper-normalizer')} EnglishTextNormalizer, apostrophes alike, "
    "lone symbols dropped",
    rate="WER",
    unit="words",
    split=_english_words,
    joint=" ",
)
_FOLDED = "width folded (NFKC), lower case, punctuation and symbols dropped"
BASIC = Normaliser("basic", f"basic: {_FOLDED}", "WER", "words", _basic_words, " ")
CHINESE = Normaliser(
    name="chinese",
    title=f"chinese: {_FOLDED}, blanks too; each character is a word, those of Latin words too, so WER is CER",
    rate="CER",
    unit="characters",
    split=_chinese_characters,
    joint="",
)
MIXED = Normaliser(
    name="mixed",
    title=f"mixed: {_FOLDED}; each Chinese character and each Latin word is a word, so WER is MER",
    rate="MER",
    unit="characters and Latin words",
    split=_mixed_words,
    joint="",
)
NORMALISERS = {normaliser.name: normaliser for normaliser in (ENGLISH, BASIC, CHINESE, MIXED)}


def normaliser_titled(title: str) -> Normaliser:
    """The normaliser with this title, whatever its version; English if there is none."""
    return next((normaliser for normaliser in NORMALISERS.values() if title.startswith(f"{normaliser.name}:")), ENGLISH)


@dataclass(frozen=True, slots=True)
class Guess:
    """A normaliser that was chosen by the letters of the references, and the reason."""

    normaliser: Normaliser
    why: str

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the report: none if the references are English."""
        return () if self.normaliser is ENGLISH else (f"normaliser {self.normaliser.name}, guessed: {self.why}",)


def guess_normaliser(references: Iterable[str]) -> Guess:
    """Chooses `chinese`, `basic` or `english` by the letters that the references are written in.

    Japanese is taken for Chinese: it has no blanks between words either, and characters are what can be counted.
    `mixed` is never guessed: how English inside Chinese is to be counted is for the reader to say.
    """
    words = [word for reference in references for word in _mixed_words(reference)]
    cjk = _share(words, lambda word: _IS_CJK.match(word) is not None)
    beyond = _share(words, lambda word: not word.isascii()) - cjk
    normaliser = CHINESE if cjk >= CJK_FROM else BASIC if beyond >= BEYOND_ENGLISH_FROM else ENGLISH
    why = f"of the references' words {cjk:.0%} are Chinese characters, {beyond:.0%} have letters beyond a to z"
    return Guess(normaliser, why)


def _share(words: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, words)) / len(words) if words else 0.0
