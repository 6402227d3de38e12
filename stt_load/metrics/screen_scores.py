"""What the changes of a text on the caller's screen are worth: how old each new word is, and how much is taken back.

    spoken      one   two   three                     when each word of the clip ends
    on screen       one     one too      one two three
    audio_age     └─────┘        (no right word is new)  └──┘ three
    taken back                                           "too", once

Words are compared as they are read: without case, punctuation and apostrophes, and not through the normaliser of the
WER, since a text that changes thirty times in an utterance would be normalised thirty times. Only where the last word
of a text is none of the clip, and one of them has digits, the normaliser is asked how far the text has come: "25" is
"twenty-five" (`text_places.py`). Where the WER is counted over characters, as for Thai, each is a word here, too.

A new word of the screen is a word of the reference if the same word stands near the place that the words before it
lead to. Where several do, the nearest is taken.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from statistics import median

from rapidfuzz.distance import Levenshtein

from stt_load.audio.clip import ClipWord
from stt_load.metrics.letters import folded
from stt_load.metrics.normaliser import CJK, Words
from stt_load.records import OnScreen, ScreenChange, TimedWord

# Words of letters and digits.
_ASCII_WORD = re.compile(r"(?:[^\W_]|')+")
_APOSTROPHES = str.maketrans("", "", "'’")
_LAST_WITH_MARKS = 0x1FFFF
_NEAR = tuple(sorted(range(-4, 5), key=abs))  # words away from the place where one is looked for, the nearest first
_MOST_APART = 8  # words by which a text may be longer or shorter than what it is of
_FEWEST_FOR_DRIFT = 4


@dataclass(frozen=True)
class SpokenWords:
    """The words of a clip as they are compared, and when they begin and end; None where nobody knows.

    `is_by_character`: each character is a word. `lasts`: for each word of the clip as it is timed, the place of its
    last one among `words`. `n_said` finds how far a text has come where its last word is none of them: its arguments
    and what it gives are those of `TextPlaces.n_said`; None where nobody is to be asked.
    """

    words: tuple[str, ...]
    starts_s: tuple[float | None, ...]
    ends_s: tuple[float | None, ...]
    is_by_character: bool = False
    lasts: tuple[int, ...] = ()
    n_said: Callable[[str, int], int | None] | None = None

    @classmethod
    def of(
        cls,
        timed: Sequence[ClipWord],
        is_by_character: bool = False,
        n_said: Callable[[str, int], int | None] | None = None,
    ) -> SpokenWords:
        """The words of a clip. Of several that are timed as one, the first has its start and the last its end."""
        words: list[str] = []
        starts_s: list[float | None] = []
        ends_s: list[float | None] = []
        lasts: list[int] = []
        for one in timed:
            found = words_of(one.text, is_by_character)
            words += found
            starts_s += [one.start_s, *[None] * (len(found) - 1)] if found else []
            ends_s += [*[None] * (len(found) - 1), one.end_s] if found else []
            lasts.append(len(words) - 1)
        return cls(tuple(words), tuple(starts_s), tuple(ends_s), is_by_character, tuple(lasts), n_said)

    @cached_property
    def has_digits(self) -> bool:
        return _has_digit("".join(self.words))

    def place_of_last(self, text: str, expected: int) -> int | None:
        """Where in the clip the last right word of a text is, by the normaliser. `expected`: where it seems to be."""
        n_words = self.n_said(text, expected + 1) if self.n_said else None
        return self.lasts[n_words - 1] if n_words else None


def words_of(text: str, is_by_character: bool = False) -> list[str]:
    """The words of a text as they are compared."""
    return [word for word, _, _ in _placed_words(text, 0, is_by_character)]


def _placed_words(text: str, start: int, is_by_character: bool) -> Iterator[tuple[str, int, int]]:
    """The words of a text from `start` on, and where in it each begins and ends."""
    # The pattern of ASCII words is four times as quick.
    pattern = _ASCII_WORD if text.isascii() else _word_of_any_script(is_by_character)
    for match in pattern.finditer(text, start):
        word = "".join(folded(match[0]).split()) if is_by_character else _as_compared(match[0])
        if not is_by_character:
            if word:
                yield word, match.start(), match.end()
        elif len(word) == len(match[0]) and word == match[0].casefold():
            yield from ((letter, at, at + 1) for at, letter in enumerate(word, match.start()))
        else:  # one letter became two, or an apostrophe nothing, or one the former and another the latter
            yield from ((letter, match.start(), match.end()) for letter in word)


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


@cache
def _word_of_any_script(is_by_character: bool) -> re.Pattern[str]:
    """Each ideograph and kana is a word; of runs that are taken character by character they are parts, so that those in
    several pieces can be composed. Vowel signs and other marks, which `\\w` leaves out, are parts of their words."""
    marks = "".join(c for c in map(chr, range(0x80, _LAST_WITH_MARKS)) if unicodedata.category(c).startswith("M"))
    if is_by_character:
        return re.compile(rf"(?:[^\W_]|['’{marks}])+")
    return re.compile(rf"[{CJK}]|(?:[^\W_{CJK}]|['’{marks}])+")


def _as_compared(word: str) -> str:
    if word.isascii():
        return word.casefold().replace("'", "")
    return unicodedata.normalize("NFKC", word.casefold()).translate(_APOSTROPHES)


def score_screen(screen: OnScreen, spoken: SpokenWords | None, is_by_character: bool = False) -> None:
    """Fills in how old the new words of each change are, how many were taken back, and how the server's times of words
    differ from the clip's. `spoken`: the clip's words; of a clip without any, the server's own times give the ages.
    None: nobody can say now whether it has some, so that there are no ages. `is_by_character`: as in `SpokenWords`."""
    is_known = spoken is not None
    spoken = spoken or SpokenWords((), (), (), is_by_character)
    follower = _Follower(spoken)
    taken_back, heard_ms = 0, 0
    ages_s: list[float] = []
    for change in screen.changes:
        at_ms, _, _, change_heard_ms = change
        taken_back += follower.apply(change)
        if spoken.words:
            end_s = follower.newest_end_s
            if end_s is not None:
                ages_s.append(round(at_ms / 1_000 - end_s, 3))
        elif is_known and change_heard_ms > heard_ms:
            ages_s.append((at_ms - change_heard_ms) / 1_000)
        heard_ms = max(heard_ms, change_heard_ms)
    screen.words_taken_back = taken_back
    if ages_s:
        screen.audio_age_s, screen.audio_age_max_s = round(median(ages_s), 3), max(ages_s)
    _score_times(screen, spoken)


def first_text(screen: OnScreen) -> tuple[float, str] | None:
    """When the first text with words was on the screen, in seconds after the start of the stream, and the text."""
    for (at_ms, _, _, _), text in zip(screen.changes, screen.texts(), strict=True):
        if words_of(text):
            return at_ms / 1_000, text
    return None


def end_of_text(text: str, spoken: SpokenWords | None) -> float | None:
    """When the last word that a text has of the clip ends in it; None where that isn't known."""
    if spoken is None:
        return None
    follower = _Follower(spoken, asks_always=True)
    follower.apply((0, 0, text, 0))
    return follower.furthest_end_s


def errors_of_beginning(reference: Words, text: Words) -> tuple[int, int]:
    """The errors of a text that may hold the first part alone, against as many first words of the reference as fit it
    best, and how many these are; of equally good ones, the most. Both normalised."""
    if text == reference[: len(text)]:
        return 0, len(text)
    nearest = range(max(0, len(text) - _MOST_APART), min(len(reference), len(text) + _MOST_APART) + 1)
    return min(
        ((Levenshtein.distance(reference[:length], text), length) for length in nearest),
        key=lambda found: (found[0], -found[1]),
        default=(len(text), len(reference)),
    )


class _Follower:
    """The words on a screen and the words of a clip that they are, as the text changes.

    `newest_end_s`: when the last new word of the latest change ended in the clip; None where the change has none, or
    that isn't known. `furthest_end_s`: the same of all changes. `asks_always`: the normaliser is asked where the last
    word is none of the clip, and not only where digits may stand for words.
    """

    def __init__(self, spoken: SpokenWords, asks_always: bool = False) -> None:
        self._spoken = spoken
        self._asks_always = asks_always or spoken.has_digits
        self._text = ""
        self._words: list[str] = []
        self._begins: list[int] = []  # where each word begins in the text
        self._ends: list[int] = []
        self._places: list[int | None] = []  # in the clip, of each word
        self._furthest = -1
        self.newest_end_s: float | None = None
        self.furthest_end_s: float | None = None

    def apply(self, change: ScreenChange) -> int:
        """Takes a change. Gives how many words were taken back, or changed; a last word that grows is neither."""
        _, kept, new, _ = change
        n_same = len(self._words)
        while n_same and self._ends[n_same - 1] >= kept:
            n_same -= 1
        start = min(kept, self._begins[n_same] if n_same < len(self._words) else kept)
        self._text = self._text[:kept] + new
        before = self._words[n_same:]
        for each in (self._words, self._begins, self._ends, self._places):
            del each[n_same:]
        for word, begin, end in _placed_words(self._text, start, self._spoken.is_by_character):
            self._words.append(word)
            self._begins.append(begin)
            self._ends.append(end)
        self._find_places()
        return _taken_back(before, self._words[n_same:])

    def _find_places(self) -> None:
        """Looks for the words without a place, and how far in the clip the text has come with them."""
        reference, places = self._spoken.words, self._places
        self.newest_end_s = None
        if not reference:
            return
        last, expected = next(
            (
                (place, place + len(places) - at)
                for at in range(len(places) - 1, -1, -1)
                if (place := places[at]) is not None
            ),
            (-1, len(places)),
        )
        for word in self._words[len(places) :]:
            found = next(
                (
                    place
                    for away in _NEAR
                    if last < (place := expected + away) < len(reference) and reference[place] == word
                ),
                None,
            )
            places.append(found)
            expected = (expected if found is None else found) + 1
            if found is not None:
                last = found
        if places and places[-1] is None and (self._asks_always or self._is_any_digit_unplaced):
            found = self._spoken.place_of_last(self._text, expected)
            if found is not None and found > last:
                places[-1] = last = found
        if last > self._furthest:
            self._furthest = last
            self.newest_end_s = self._spoken.ends_s[last]
            self.furthest_end_s = self.newest_end_s

    @property
    def _is_any_digit_unplaced(self) -> bool:
        """Whether one of the words behind the last one with a place has digits, which may stand for several words."""
        n_unplaced = next((n for n, place in enumerate(reversed(self._places)) if place is not None), len(self._places))
        return any(map(_has_digit, self._words[len(self._words) - n_unplaced :]))


def _taken_back(before: Sequence[str], after: Sequence[str]) -> int:
    """How many words were deleted or replaced; one at the end that only grew is not among them."""
    if not before or list(after[: len(before)]) == list(before):
        return 0
    gone = _gone(before, after)
    at = len(before) - 1
    if gone and len(after) > at and after[at].startswith(before[-1]):
        return min(gone, _gone([*before[:-1], after[at]], after))
    return gone


def _gone(before: Sequence[str], after: Sequence[str]) -> int:
    """How many words one has to delete or replace to make one text of another."""
    return sum(edit.tag != "insert" for edit in Levenshtein.editops(before, after))


def _score_times(screen: OnScreen, spoken: SpokenWords) -> None:
    """Compares the server's times of words with the clip's, word by word where both have the same."""
    if not screen.server_words or not spoken.words:
        return
    words, starts_ms = _listed(screen.server_words, spoken.is_by_character)
    pairs = [
        (true_s, start_ms / 1_000 - true_s)
        for block in Levenshtein.opcodes(spoken.words, words)
        if block.tag == "equal"
        for place, heard in zip(
            range(block.src_start, block.src_end), range(block.dest_start, block.dest_end), strict=True
        )
        if (true_s := spoken.starts_s[place]) is not None and (start_ms := starts_ms[heard]) is not None
    ]
    if pairs:
        errors_s = [abs(off_s) for _, off_s in pairs]
        screen.word_time_off_s = round(median(off_s for _, off_s in pairs), 4)
        screen.word_time_error_s = round(median(errors_s), 4)
        screen.word_time_error_max_s = round(max(errors_s), 4)
        screen.word_time_drift_s = drift(pairs)


def _listed(timed: Sequence[TimedWord], is_by_character: bool) -> tuple[list[str], list[int | None]]:
    """The words and their starts; None for those behind the first of several that are timed as one."""
    words: list[str] = []
    starts_ms: list[int | None] = []
    for text, start_ms, _ in timed:
        found = words_of(text, is_by_character)
        words += found
        starts_ms += [start_ms, *[None] * (len(found) - 1)] if found else []
    return words, starts_ms


def drift(pairs: Sequence[tuple[float, float]]) -> float | None:
    """How much the second number of pairs grows while the first goes from its smallest to its largest, by the medians
    of both halves: one that is far off changes little. None for fewer than four, or where the first doesn't grow."""
    if len(pairs) < _FEWEST_FOR_DRIFT:
        return None
    ascending = sorted(pairs)
    half = len(ascending) // 2
    early, late = ascending[:half], ascending[-half:]
    apart = median(x for x, _ in late) - median(x for x, _ in early)
    if apart <= 0:
        return None
    grown = median(y for _, y in late) - median(y for _, y in early)
    return round(grown / apart * (ascending[-1][0] - ascending[0][0]), 4)
