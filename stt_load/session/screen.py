"""What a caller sees of the transcript while it speaks: every change of the text, and the server's times of its words.

    0.9 s   one two            (900, 0, "one two", 0)
    1.3 s   one two three      (1300, 7, " three", 0)        the first 7 characters stay
    1.8 s   one to three, for  (1800, 5, "o three, for", 0)

A change is kept as what is new of it, so that a text that grows word by word costs some 20 bytes a word, however long
it is. What final texts say is on the screen too, with the interim text behind them. Of an interim text that a final one
makes the beginning of final, the rest stays until the next text: that commonly tells it again, a moment later.
"""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.dialects.events import ServerWord
from stt_load.records import Figures, OnScreen

# What one utterance may have. A server that changes its text at every frame of 100 ms is followed for a minute and a
# half; what it says after that is in the transcript, and makes no figure of the screen.
MOST_CHANGES = 1_000
MOST_CHARACTERS = 20_000
MOST_WORDS = 1_000
_MOST_MS = 10**9  # what a row holds: a server may tell the wall clock, or what is no number


class ScreenFigures(Figures, frozen=True, gc=False):
    """The field of `UtteranceRecord` that tells what was on the screen, and when."""

    screen: OnScreen | None


class Screen:
    """The text that the caller sees, as it changes. Seconds are monotonic, words are of the connection's audio."""

    __slots__ = ("_changes", "_final", "_final_at_s", "_interim", "_is_full", "_n_characters", "_text", "_words")

    def __init__(self) -> None:
        self._changes: list[tuple[float, int, str, float | None]] = []
        self._words: list[ServerWord] = []
        self._text = ""
        self._final = ""  # all final texts
        self._interim = ""
        self._final_at_s: float | None = None  # of a final text behind which a rest of the interim one stays
        self._n_characters = 0
        self._is_full = False

    def on_partial(self, arrived_s: float, text: str, words: Sequence[ServerWord], is_delta: bool) -> None:
        """The interim text behind the final ones changed."""
        if self._is_full:
            return
        if self._final_at_s is not None and is_delta:
            self._interim = ""
        self._final_at_s = None
        self._interim = interim = self._interim + text if is_delta else text
        final = self._final
        self._show(arrived_s, f"{final} {interim}" if final else interim, words)

    def on_final(self, arrived_s: float, text: str, words: Sequence[ServerWord]) -> None:
        """A final text took the place of the interim one, or of its beginning."""
        if len(self._words) < MOST_WORDS:
            self._words.extend(words)
        if self._is_full:
            return
        self._interim = _behind(text, self._interim) if text else ""
        self._final_at_s = arrived_s if self._interim else None
        if text:
            self._final = f"{self._final} {text}" if self._final else text
        self._show(arrived_s, f"{self._final} {self._interim}" if self._interim else self._final, words)

    def on_cumulative(self, arrived_s: float, text: str, words: Sequence[ServerWord]) -> None:
        """The whole text changed."""
        if words:
            self._words = list(words[:MOST_WORDS])
        if not self._is_full:
            self._final, self._interim = text, ""
            self._show(arrived_s, text, words)

    def _show(self, arrived_s: float, text: str, words: Sequence[ServerWord]) -> None:
        before = self._text
        if text == before:
            return
        kept = len(before) if text.startswith(before) else _common(before, text)
        self._n_characters += len(text) - kept
        if self._n_characters > MOST_CHARACTERS or len(self._changes) >= MOST_CHANGES:
            self._is_full = True
            return
        heard_s = None
        if words:
            last = words[-1]
            heard_s = last.start_s if last.end_s is None else last.end_s
        self._changes.append((arrived_s, kept, text[kept:], heard_s))
        self._text = text

    def measure(self, stream_start_s: float, audio_before_s: float) -> ScreenFigures:
        """The changes and the words by the time of this utterance. `audio_before_s`: of the connection, before it."""
        if self._final_at_s is not None and not self._is_full:  # nothing has told the rest again
            self._show(self._final_at_s, self._final, ())
            self._interim, self._final_at_s = "", None
        if not self._changes:
            return ScreenFigures(None)
        changes = [
            (max(0, _ms(at_s, stream_start_s) or 0), kept, text, max(0, _ms(heard_s, audio_before_s) or 0))
            for at_s, kept, text, heard_s in self._changes
        ]
        words = [
            (word.text, start_ms, _ms(word.end_s, audio_before_s))
            for word in self._words[:MOST_WORDS]
            if (start_ms := _ms(word.start_s, audio_before_s)) is not None
        ]
        return ScreenFigures(OnScreen(changes, words))


def _behind(final: str, interim: str) -> str:
    """What an interim text has behind as many words as are final; without blanks, behind the same characters."""
    if " " in interim:
        return " ".join(interim.split()[len(final.split()) :])
    return interim[len(final) :] if interim.startswith(final) else ""


def _ms(at_s: float | None, after_s: float) -> int | None:
    """Whole milliseconds from one moment to another; None where nobody tells the other, and for one that no audio
    has: its row could not be read again."""
    if at_s is None:
        return None
    ms = 1_000 * (at_s - after_s)
    return round(ms) if -_MOST_MS < ms < _MOST_MS else None


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with in common, by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
