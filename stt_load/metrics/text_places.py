"""How far in a clip a text has come, by the words that the WER is counted over: "205" is "two hundred five" there.

clip      room     two     hundred     five     is
so far    room     room 2  room 200    room 205  room 205 is       each beginning through the normaliser
text      "Room 205"                   └ the beginning nearest to it; its last right word was said here
"""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from stt_load.audio.clip import ClipWord
from stt_load.metrics.normaliser import Normaliser, Words

_MOST_BEFORE = 8  # words of the clip that a text may have come less far than it seems
_MOST_BEHIND = 24  # and farther: one word may be a telephone number
_MOST_WORDS = 300  # of a clip that is looked at: each of its beginnings is normalised, in a process that may pace audio


class TextPlaces:
    """The beginnings of one clip, as a normaliser writes them."""

    def __init__(self, timed: Sequence[ClipWord], normaliser: Normaliser) -> None:
        self._said = [word.text for word in timed]
        self._normaliser = normaliser
        self._beginnings: dict[int, Words] = {0: ()}

    def n_said(self, text: str, near: int) -> int | None:
        """How many words of the clip had been said when the last one was that the text has right. None where it has
        none, and for a clip of several minutes. `near`: how many it seems to be."""
        if len(self._said) > _MOST_WORDS:
            return None
        heard = self._normaliser.paired(" ".join(self._said), text)[1]
        nearest = range(
            max(0, min(len(heard), near) - _MOST_BEFORE), min(len(self._said), max(len(heard), near) + _MOST_BEHIND) + 1
        )
        n_words = min(nearest, key=lambda n: Levenshtein.distance(self._beginning(n), heard), default=0)
        reached = self._beginning(n_words)
        n_right = max(
            (code.src_end for code in Levenshtein.opcodes(reached, heard) if code.tag == "equal"),
            default=0,
        )
        if not n_right:
            return None
        # Said with the first word of the clip from which on its beginnings have all of that.
        while n_words and self._beginning(n_words - 1)[:n_right] == reached[:n_right]:
            n_words -= 1
        return n_words

    def _beginning(self, n_words: int) -> Words:
        if n_words not in self._beginnings:
            # Past the cache of the normaliser, which is for texts that come again.
            self._beginnings[n_words] = tuple(self._normaliser.split(" ".join(self._said[:n_words])))
        return self._beginnings[n_words]
