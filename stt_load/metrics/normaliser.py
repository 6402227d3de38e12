"""Normalisers: what counts as a word of a text. Both sides of a comparison go through the same one.

    name        a word is        for
    english     a word           English, with Whisper's rules: "forty-five dollars" is "$45", "colour" is "color"
    basic       a word           languages that are written with blanks and have no normaliser of their own
    turkish     a word           Turkish, Azerbaijani: İ is i, I is ı
    russian     a word           Russian: ё is е, as most texts write it
    arabic      a word           Arabic: every alef is an alef
    chinese     a character      Chinese: WER over characters is CER. Letters and digits of Latin words count one by one
    characters  a character      Japanese, Thai, Lao, Khmer, Burmese, Tibetan: the same
    mixed       a character of   Chinese with English in it: the mixed error rate (MER). "用 Python 写" has three words
                Chinese, or a
                Latin word

A character is a code point after NFKC, combining vowels and tone marks too: what `jiwer.cer`, and with it most
published figures, count. (Whisper counts grapheme clusters after it has dropped the marks, which hides every wrong tone
of Thai.)

`mixed` counts as WeNet's AISHELL recipes do (wenet-e2e/wenet, tools/compute-wer.py with --char=1, as of 0e1042b): each
ideograph is a token, each run of Latin letters is one. On Chinese without Latin words it agrees with `chinese`.

`basic` differs from Whisper's BasicTextNormalizer in two ways: combining marks stay (without them it takes Hindi
words apart), and so does what stands in brackets. All but `english` leave number words alone ("5" and "五" differ), and
traditional characters too. `letters.py` has the steps that they share, `model_tags.py` the one before all of them.

Figures under different normalisers must not be compared, so each one's title, version included, rides in every record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

from stt_load.metrics.english import english_words, spelled_alike
from stt_load.metrics.letters import folded, lower_turkish
from stt_load.metrics.model_tags import without_model_tags

# Scripts written without blanks between words: ideographs (with 々 and 〇) and kana.
CJK = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CJK_OR_WORD = re.compile(rf"[{CJK}]|[^{CJK}\s]+")
_APOSTROPHES_INSIDE = re.compile(r"['’＇]|(?<=\w)[‘ʼ`｀´′](?=\w)")

Words = tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Normaliser:
    """One way to split a text into words. `title` says what it does; records and reports carry it.

    `rate`: what errors over words are called under it. `unit`: what a word is, in the plural. `joint`: what stands
    between two words where characters are counted. `alike`: the words of a transcript, spelled as the reference's are
    where both spellings are the same to a listener; None where there is no such spelling.
    """

    name: str
    title: str
    rate: str
    unit: str
    split: Callable[[str], Iterable[str]]
    joint: str
    alike: Callable[[Sequence[str], Sequence[str]], Words] | None = None

    @property
    def is_by_character(self) -> bool:
        """Each character is a word, those of Latin words too."""
        return self.unit == "characters"

    def words(self, text: str) -> Words:
        """The words of a text, from a cache: a load test hears few sentences. Tags of the model are no words."""
        return _words(self, text)

    def paired(self, reference: str, text: str) -> tuple[Words, Words]:
        """The words of a reference and those of a transcript, as they are to be compared."""
        wanted, heard = self.words(reference), self.words(text)
        return wanted, heard if self.alike is None or wanted == heard else self.alike(wanted, heard)

    def characters(self, words: Words) -> str:
        """The characters that CER is counted over."""
        return self.joint.join(words)


@lru_cache(maxsize=16_384)
def _words(normaliser: Normaliser, text: str) -> Words:
    return tuple(normaliser.split(without_model_tags(text)))


def _spoken(text: str) -> list[str]:
    return [word for word in text.split() if word.isalnum() or any(map(str.isalnum, word))]


def _basic_words(text: str) -> list[str]:
    return _spoken(folded(text))


def _turkish_words(text: str) -> list[str]:
    return _spoken(folded(text, lower_turkish))


def _russian_words(text: str) -> list[str]:
    return _spoken(folded(text).replace("ё", "е"))


_ALEF = str.maketrans(dict.fromkeys("أإآٱ", "ا"))


def _arabic_words(text: str) -> list[str]:
    return _spoken(folded(text).translate(_ALEF))


def _characters(text: str) -> str:
    return "".join(_spoken(folded(text)))


def _mixed_words(text: str) -> list[str]:
    # "don't" is one word, with whichever apostrophe.
    return _CJK_OR_WORD.findall(" ".join(_spoken(folded(_APOSTROPHES_INSIDE.sub("", text)))))


_TAGS = "model tags and joiners dropped"
_FOLDED = f"{_TAGS}, width folded (NFKC), lower case, vowel marks of Arabic and Hebrew, punctuation and symbols dropped"
_EACH_CHARACTER = "blanks too; each character is a word, those of Latin words too, so WER is CER"

ENGLISH = Normaliser(
    name="english",
    title=f"whisper-normalizer {version('whisper-normalizer')} EnglishTextNormalizer, {_TAGS}, apostrophes, okay/ok, "
    "cannot/can not, all right/alright and acronyms alike, lone symbols dropped",
    rate="WER",
    unit="words",
    split=english_words,
    joint=" ",
    alike=spelled_alike,
)
BASIC = Normaliser("basic", f"basic: {_FOLDED}", "WER", "words", _basic_words, " ")
TURKISH = Normaliser("turkish", f"turkish: {_FOLDED}; İ is i, I is ı", "WER", "words", _turkish_words, " ")
RUSSIAN = Normaliser("russian", f"russian: {_FOLDED}; ё is е", "WER", "words", _russian_words, " ")
ARABIC = Normaliser("arabic", f"arabic: {_FOLDED}; أ, إ, آ and ٱ are ا", "WER", "words", _arabic_words, " ")
CHINESE = Normaliser("chinese", f"chinese: {_FOLDED}, {_EACH_CHARACTER}", "CER", "characters", _characters, "")
CHARACTERS = Normaliser("characters", f"characters: {_FOLDED}, {_EACH_CHARACTER}", "CER", "characters", _characters, "")
MIXED = Normaliser(
    name="mixed",
    title=f"mixed: {_FOLDED}; each Chinese character and each Latin word is a word, so WER is MER",
    rate="MER",
    unit="characters and Latin words",
    split=_mixed_words,
    joint="",
)
NORMALISERS = {
    normaliser.name: normaliser for normaliser in (ENGLISH, BASIC, TURKISH, RUSSIAN, ARABIC, CHINESE, CHARACTERS, MIXED)
}


def normaliser_titled(title: str) -> Normaliser:
    """The normaliser with this title, whatever its version; English if there is none."""
    return next((normaliser for normaliser in NORMALISERS.values() if title.startswith(f"{normaliser.name}:")), ENGLISH)
