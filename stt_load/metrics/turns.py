"""Whether a server ended a caller's turn while the speech went on, and how long after the speech it ended it.

What counts is when the end was told, held against the bounds of the clip's speech, and the words that came after it:

    speech            ├────────────┤  pause  ├──────────────┤ end of speech
    told in a pause                     ▲ early: more speech follows
    told late                                                    ▲ early all the same, if words of the clip are
                                                                   told after it: the server was behind
    told within 0.1 s of the end                            ▲ in time: bounds are no better than that
    the first that is not early                                      ▲ ends the turn: endpointing delay

An end without any words of the utterance before it is of an earlier one, or of a noise, and doesn't count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz.distance import Levenshtein

from stt_load.audio.clip import BOUNDS_PRECISION_S, ClipWord
from stt_load.errors import Outcome
from stt_load.metrics.model_tags import says_something
from stt_load.metrics.normaliser import Normaliser
from stt_load.records import UtteranceRecord

AT_CUT_S = 0.5
"""A word that begins or ends so near to a cut, or to the pause that the cut lies in, may be lost by it."""

_MISHEARD = 2  # words that stand where words of the reference were said; what is heard in silence may stand for one
_LOOKED_AT = 20  # words behind an end, of which some are nearer to the reference, if they are of it
_SENT_S = 0.001  # of its speech may be left where rounding took it


@dataclass(frozen=True, slots=True)
class TranscriptMatch:
    """A transcript held against its reference, as words of the normaliser.

    `of_heard`: for each word of the transcript the place in the reference that it stands for, None where it was
    inserted. `held`: for each word of the reference whether the transcript has it.
    """

    of_heard: tuple[int | None, ...]
    held: tuple[bool, ...]


def match(reference: str, text: str, normaliser: Normaliser) -> TranscriptMatch:
    """Aligns the two as the score counts them."""
    wanted, heard = normaliser.paired(reference, text)
    of_heard: list[int | None] = [None] * len(heard)
    held = [False] * len(wanted)
    for code in Levenshtein.opcodes(wanted, heard):
        if code.tag in ("equal", "replace"):
            for at, place in zip(
                range(code.dest_start, code.dest_end), range(code.src_start, code.src_end), strict=True
            ):
                of_heard[at] = place
                held[place] = code.tag == "equal"
    return TranscriptMatch(tuple(of_heard), tuple(held))


Places = tuple[ClipWord | None, ...]
"""The words of a clip that those of a normalised reference are, or are parts of, in the order of the reference; None
where that isn't known."""


def places_of(reference: str, words: Sequence[ClipWord], normaliser: Normaliser) -> Places:
    """Where in a clip each word of its normalised reference is. A normaliser makes one word of several, or several of
    one: what comes out otherwise than from the whole sentence stands for the word in its place."""
    parts = [(part, word) for word in words for part in normaliser.words(word.text)]
    wanted, found = normaliser.paired(reference, reference)[0], [part for part, _ in parts]
    places: list[ClipWord | None] = [None] * len(wanted)
    for code in Levenshtein.opcodes(wanted, found):
        if code.tag in ("equal", "replace"):
            for at, part in zip(
                range(code.src_start, code.src_end), parts[code.dest_start : code.dest_end], strict=True
            ):
                places[at] = part[1]
    return tuple(places)


class TurnJudge:
    """Judges what servers told of turns. Each text is held against its reference once (`match_of`, which may refuse).

    `words`: clip id → when its words sound. Without them no word of its utterances is found lost.
    """

    def __init__(
        self,
        normaliser: Normaliser,
        match_of: Callable[[str, str], TranscriptMatch],
        words: Mapping[str, Sequence[ClipWord]],
    ) -> None:
        self._normaliser = normaliser
        self._match_of = match_of
        self._words = words
        self._places: dict[str, Places] = {}

    def fill(self, record: UtteranceRecord) -> None:
        """Fills in `endpointing_delay_s`, `cut_early`, `turns` and `words_lost_at_cut`, as far as they can be known."""
        if record.turn_ends is None or record.speech_bounds is None or record.is_silent:
            return
        if record.outcome == Outcome.INTERRUPTED:
            return
        speech_start_s, speech_end_s = record.speech_bounds
        ends = [(at_s, n) for at_s, n in record.turn_ends if at_s > speech_start_s and says_something(record.text[:n])]
        cuts = [(at_s, n) for at_s, n in ends if at_s < speech_end_s - BOUNDS_PRECISION_S or self._goes_on(record, n)]
        # A server that is sure may be done before the frame is sent that the last sound ends in.
        was_heard = record.is_ok or record.speech_s >= speech_end_s - speech_start_s - _SENT_S
        if not cuts and not was_heard:
            return  # it broke off, and its turn with it
        lost = len(self._lost(record, cuts)) if self._words.get(record.clip_id) else None
        turns = self._n_turns(record, [n for _, n in ends])
        # All was asked for that may be refused: nothing is filled in by halves.
        record.turns = turns
        if ends or record.is_ok:  # of one that failed without any end nobody knows where it would have been cut
            record.cut_early, record.words_lost_at_cut = bool(cuts), lost
        in_time = [at_s for at_s, n in ends if (at_s, n) not in cuts]
        if in_time and record.end == "server":
            record.endpointing_delay_s = round(in_time[0] - speech_end_s, 6)

    def _goes_on(self, record: UtteranceRecord, n_characters: int) -> bool:
        """Whether words of the reference were told behind so many characters of the transcript: one as it is, or more
        misheard ones than chance puts there. What was told already, and is told once more, is none of them: with it the
        text is farther from the reference than without."""
        if not says_something(record.text[n_characters:]):
            return False
        found = self._match_of(record.reference, record.text)
        wanted, heard = self._normaliser.paired(record.reference, record.text)
        # Counted from the end: "twenty" and "five" told apart are one word of the whole text, and that goes on.
        n_later = len(self._normaliser.paired(record.reference, record.text[n_characters:])[1])
        n_before = max(0, len(heard) - n_later)
        later = [at for at in found.of_heard[n_before:] if at is not None]
        if len(later) < _MISHEARD and not any(found.held[at] for at in later):
            return False
        errors = [Levenshtein.distance(wanted, heard[:n]) for n in range(n_before, n_before + _LOOKED_AT + 1)]
        return min(errors[1:]) <= errors[0]

    def _n_turns(self, record: UtteranceRecord, ends: Sequence[int]) -> int:
        """Into how many pieces with words the ends of turns cut the transcript."""
        edges = [0, *sorted(min(n, len(record.text)) for n in ends), len(record.text)]
        return sum(says_something(record.text[first:after]) for first, after in pairwise(edges))

    def _n_heard(self, record: UtteranceRecord, n_characters: int) -> int:
        """How many words of the transcript so many of its characters are."""
        return len(self._normaliser.paired(record.reference, record.text[:n_characters])[1])

    def _places_of(self, record: UtteranceRecord) -> Places:
        if record.clip_id not in self._places:
            words = self._words[record.clip_id]
            self._places[record.clip_id] = places_of(record.reference, words, self._normaliser)
        return self._places[record.clip_id]

    def _lost(self, record: UtteranceRecord, cuts: Sequence[tuple[float, int]]) -> set[int]:
        """The places in the reference of words that no final holds, near a cut. A cut lies where it was told, or, if
        the server was behind, between the words that it told on either side of it."""
        lost: set[int] = set()
        for at_s, n_characters in cuts:
            found, places = self._match_of(record.reference, record.text), self._places_of(record)
            n_heard = self._n_heard(record, n_characters)
            before = [places[at] for at in found.of_heard[:n_heard] if at is not None]
            after = [places[at] for at in found.of_heard[n_heard:] if at is not None]
            at_s = max([at_s, *(word.end_s for word in before[-1:] if word)])
            at_s = min([at_s, *(word.start_s for word in after[:1] if word)])
            # The pause that it lies in may be long, and a server that starts anew loses the first word behind it.
            ended_s = max((word.end_s for word in places if word and word.end_s <= at_s), default=at_s)
            begins_s = min((word.start_s for word in places if word and word.start_s >= at_s), default=at_s)
            lost |= {
                at
                for at, (is_held, word) in enumerate(zip(found.held, places, strict=True))
                if not is_held and word and word.start_s <= begins_s + AT_CUT_S and word.end_s >= ended_s - AT_CUT_S
            }
        return lost
