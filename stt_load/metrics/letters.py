"""Letters of a text as they are compared: one way to write what is read, and spoken, in the same way.

    step          what happens                                        why
    joiners       ZWJ, ZWNJ, soft hyphen, word joiner, BOM, marks     they only say how letters are drawn, or where a
                  of direction and variation are dropped              line may break
    width         NFKC: half width, composed, ligatures apart         the same letter has several codes
    case          lower; i for İ without a dot of its own             typography
    vowel marks   harakat and tatweel of Arabic, niqqud of Hebrew     most texts, and most recognisers, don't write them
    spellings     digits of every script as 0 to 9; œ oe; ş ș;        the same letter, typed on another keyboard or in
                  Persian and Arabic ye and kaf; Malayalam chillu     an older standard
    the rest      what is no letter, digit or combining mark is a     punctuation isn't spoken
                  blank, apostrophes of every kind too

Vowel signs of Indic scripts and tone marks are letters of their words and stay.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable

_ZERO_WIDTH_SPACE = "\u200b"  # where words end in scripts without blanks
_JOINERS: dict[int, str | None] = {
    **dict.fromkeys([0x00AD, 0x034F, 0x061C, 0x180E, 0x200C, 0x200D, 0x200E, 0x200F, 0xFEFF]),
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]),
    ord(_ZERO_WIDTH_SPACE): " ",
}
_CHILLU = {
    "\u0d23\u0d4d\u200d": "\u0d7a",
    "\u0d28\u0d4d\u200d": "\u0d7b",
    "\u0d30\u0d4d\u200d": "\u0d7c",
    "\u0d32\u0d4d\u200d": "\u0d7d",
    "\u0d33\u0d4d\u200d": "\u0d7e",
    "\u0d15\u0d4d\u200d": "\u0d7f",
    "\u09a4\u09cd\u200d": "\u09ce",  # Bengali khanda ta
}
"""Letters that were written with a joiner before Unicode 5.1 had them."""
_VOWEL_MARKS = frozenset(
    map(
        chr,
        [
            *range(0x0591, 0x05BE),
            *(0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7),
            *range(0x0610, 0x061B),
            *(0x0640, 0x0670),
            *range(0x064B, 0x0660),
            *range(0x06D6, 0x06DD),
            *range(0x06DF, 0x06E5),
            *(0x06E7, 0x06E8),
            *range(0x06EA, 0x06EE),
            *range(0x08D3, 0x0900),
        ],
    )
)
_SPELLINGS = {"œ": "oe", "ș": "ş", "ț": "ţ", "ي": "ی", "ك": "ک"}
_APOSTROPHES = frozenset("ʹʻʼˈˊˋ")  # letters by their category
_RECOMPOSED = {"\u0e4d\u0e32": "\u0e33", "\u0ecd\u0eb2": "\u0eb3"}
"""Thai and Lao am, which NFKC takes apart: one character, as every published CER counts it."""


class _Folding(dict[int, str | None]):
    """What becomes of each character, found out when it comes first: `str.translate` asks, and keeps the answer."""

    def __missing__(self, code: int) -> str | None:
        self[code] = folded = _fold(chr(code))
        return folded


def _fold(sign: str) -> str | None:
    if sign in _VOWEL_MARKS:
        return None
    if sign in _APOSTROPHES:
        return " "
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    if sign.isalnum() or unicodedata.category(sign).startswith("M"):
        return _SPELLINGS.get(sign, sign)
    return " "


_FOLDING = _Folding()


def without_joiners(text: str) -> str:
    """The text without characters that are never drawn; the zero-width space, which parts words, is a blank."""
    return text if text.isascii() else text.translate(_JOINERS)


def folded(text: str, lower: Callable[[str], str] = str.lower) -> str:
    """The text after all steps of the table above: letters, digits, combining marks and blanks.

    `lower`: makes it lower case, which Turkish does in its own way.
    """
    if text.isascii():
        return lower(text).translate(_FOLDING)
    if "\u200d" in text:
        for old, new in _CHILLU.items():
            text = text.replace(old, new)
    text = unicodedata.normalize("NFKC", text.translate(_JOINERS))
    # Lower case takes the dot off İ and keeps it as a mark; it may also leave what can be composed.
    text = unicodedata.normalize("NFC", lower(text).replace("i\u0307", "i")).replace("l·l", "ll")
    text = text.translate(_FOLDING)
    for apart, composed in _RECOMPOSED.items():
        text = text.replace(apart, composed)
    return text


def lower_turkish(text: str) -> str:
    """Lower case as Turkish and Azerbaijani have it: I without a dot stays without."""
    return text.replace("I", "ı").replace("İ", "i").lower()


@functools.cache
def script_of(letter: str) -> str:
    """The script of a letter, by the first word of its Unicode name: LATIN, CYRILLIC, HANGUL, CJK."""
    return unicodedata.name(letter, "UNKNOWN").partition(" ")[0]
