"""The texts of one utterance as they come in, and when nothing more will come.

Protocols with a last message say so themselves (`is_last`, `Finished`). Others are understood from the end of a turn,
from the segments that are pending, from what the clip can give reason for, and from a quiet period.
"""

from __future__ import annotations

import math

from stt_load.audio.clip import Clip
from stt_load.dialects.base import Capabilities, Dialect
from stt_load.dialects.events import EndOfTurn, Final, SegmentPending
from stt_load.errors import ProtocolError
from stt_load.metrics.model_tags import says_something
from stt_load.session.timestamps import Timestamps
from stt_load.session.turns import TurnFigures, Turns

ALL_CAME_EARLY = "every text came before the end of speech"
ENDS_EARLIER = "with all words of the clip, so its speech seems to end earlier than is believed"
_LAST_LETTERS = 8
_LONGEST_WORD_S = 1.5  # a text that is older at the end of speech can't have its last word

# What one utterance may have: servers that cut at every pause send a text a second, and an hour of speech has 60,000
# characters. A server that says more floods, and each of its texts would be kept, written and scored.
TEXTS_AT_ONCE = 200
TEXTS_PER_S = 20
MOST_CHARACTERS = 1 << 20


def ends_as_reference(text: str, reference: str) -> bool:
    """Whether the last letters of the reference are the last of the text: then its last word is there."""
    said, wanted = ("".join(filter(str.isalnum, words.casefold())) for words in (text, reference))
    return bool(wanted) and said.endswith(wanted[-_LAST_LETTERS:])


class Transcript:
    """The texts of one utterance.

    `cut_before_end_s`: how long before its speech ends the server may cut the clip into segments; 0 where it has no
    reason to, so the clip is one segment. `most_segments`: how many it may cut; None where nobody knows. `is_answered`:
    the server will say that the utterance is over, or close, because the client has told it so: then silence means
    nothing. `is_of_silence`: nobody speaks, so a server that says nothing is right.

    `finals`: arrival and text of each final, the empty ones too; of cumulative transcripts the last that said something
    new. `turns`: what the server told of them.
    """

    __slots__ = (
        "_cut_before_end_s",
        "_is_answered",
        "_is_cumulative",
        "_is_of_silence",
        "_is_one_segment",
        "_most_segments",
        "_n_characters",
        "_n_cut",
        "_n_pending",
        "_server",
        "_timestamps",
        "finals",
        "turns",
    )

    def __init__(
        self,
        server: Capabilities,
        timestamps: Timestamps,
        cut_before_end_s: float,
        most_segments: int | None,
        is_answered: bool = False,
        is_of_silence: bool = False,
    ) -> None:
        self.finals: list[tuple[float, str]] = []
        self.turns = Turns(server.turn_events)
        self._server = server
        self._timestamps = timestamps
        self._cut_before_end_s = cut_before_end_s
        self._is_one_segment = cut_before_end_s == 0.0
        self._is_answered = is_answered
        self._is_of_silence = is_of_silence
        self._most_segments = most_segments
        self._n_cut = 0  # segments of which the server has said so
        self._n_pending = 0
        self._n_characters = 0
        self._is_cumulative = False

    def on_segment_pending(self, arrived_s: float) -> None:
        self._n_cut += 1
        self._n_pending += 1
        self._timestamps.last_pending_at_s = arrived_s
        self._note_turn_end(SegmentPending, arrived_s)

    def on_final(self, arrived_s: float, text: str) -> None:
        """A final arrived. Raises ProtocolError where there are more of them than anybody says."""
        # A text too many (said twice, or somebody else's) doesn't answer a segment that is still pending.
        is_answer, self._n_pending = self._n_pending > 0, max(0, self._n_pending - 1)
        self.finals.append((arrived_s, text))
        ends_turn = says_something(text) and (is_answer or Final in self.turns.events)
        self._timestamps.on_final(arrived_s, text, ends_turn=ends_turn)
        self._n_characters += len(text)
        if self._n_characters > MOST_CHARACTERS:
            raise ProtocolError(f"the server floods: texts of more than {MOST_CHARACTERS:,} characters")
        self._check_pace(arrived_s, len(self.finals), "texts")
        if ends_turn and not is_answer:
            self._note_turn_end(Final, arrived_s)

    def on_cumulative(self, arrived_s: float, text: str) -> bool:
        """A cumulative transcript arrived. False where it says nothing new."""
        is_new = not self._is_cumulative or text != self.finals[-1][1]
        self._is_cumulative = True
        if is_new:
            self.finals = [(arrived_s, text)]
        self._timestamps.on_final(arrived_s, text, is_new)
        return is_new

    def on_turn_end(self, arrived_s: float) -> None:
        """The server ended a turn. Raises ProtocolError where it has ended more of them than anybody speaks."""
        self._timestamps.on_turn_end(arrived_s)
        self._note_turn_end(EndOfTurn, arrived_s)

    def on_eager_end(self, arrived_s: float) -> None:
        """The server ended a turn, and may take that back. Raises ProtocolError for too many, too."""
        self.turns.eager_ends.append(arrived_s)
        self._check_pace(arrived_s, len(self.turns.eager_ends), "eager ends of turns")

    def measure_turns(self, dialect: Dialect, stream_start_s: float, clip: Clip) -> TurnFigures:
        """What the server told of its turns, as the record has it."""
        counts = [n_told for _, n_told in self.turns.ends]
        lengths = [0, *dialect.lengths(self.texts)] if counts and not self._is_cumulative else []
        characters = [lengths[min(n, len(lengths) - 1)] for n in counts] if lengths else counts
        return self.turns.measure(stream_start_s, clip, characters)

    def _note_turn_end(self, event: type[EndOfTurn | Final | SegmentPending], arrived_s: float) -> None:
        if event in self.turns.events:
            n_told = len(self.finals[-1][1]) if self._is_cumulative else len(self.finals) + self._n_pending
            self.turns.ends.append((arrived_s, n_told))
            self._check_pace(arrived_s, len(self.turns.ends), "ends of turns")

    def _check_pace(self, now_s: float, n: int, of_what: str) -> None:
        """Raises ProtocolError where `n` texts, or ends of turns, are more than anybody says until `now_s`."""
        if n <= TEXTS_AT_ONCE:
            return
        schedule = self._timestamps.schedule
        spoken_s = 0.0 if schedule is None else now_s - schedule.stream_start_s
        if n > TEXTS_AT_ONCE + TEXTS_PER_S * spoken_s:
            raise ProtocolError(f"the server floods: more than {TEXTS_AT_ONCE} {of_what}, and {TEXTS_PER_S} a second")

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.finals]

    def assemble(self, dialect: Dialect) -> str:
        """The text so far: the last cumulative transcript, or the finals put together."""
        return self.finals[-1][1] if self._is_cumulative else dialect.join(self.texts)

    @property
    def has_words(self) -> bool:
        """Whether there are words. A cumulative transcript that takes all words back leaves none."""
        if self._is_cumulative:
            return says_something(self.finals[-1][1])
        return self._timestamps.last_text_at_s is not None

    @property
    def settled_at_s(self) -> float | None:
        """When the transcript may be taken as complete, all frames being sent; None while a segment is pending or
        nothing came.

        The end of a turn says it where the server had no reason to end one earlier. A server that counts segments says
        it as soon as every pending one has its text, if the last one is known. Where it isn't, as for servers that
        count nothing, only a quiet period says so: not before the last segment could be there, were it as late as the
        first text. No quiet makes a transcript complete while there are no words, or all segments were answered before
        the end of speech; a cumulative one neither, if it last changed so early that it can't have the last word. Where
        nobody speaks, a quiet period always does.
        """
        last_frame_s, last_message_s = self._timestamps.last_frame_at_s, self._timestamps.last_message_at_s
        if self._is_answered or self._n_pending or last_frame_s is None:
            return None
        if self._is_of_silence:
            return max(last_frame_s, last_message_s or last_frame_s) + self._server.quiet_s
        if not self.finals or last_message_s is None:
            return None
        if self._server.counts_segments and self._is_last_segment_known:
            return last_frame_s
        if self._is_one_segment and self._is_turn_over:
            return self._timestamps.turn_ended_at_s
        if not self._timestamps.is_end_answered and not self._may_have_last_word:
            return None
        if not self._server.counts_segments and not self.has_words:  # empty texts come whenever silence does
            return None
        return max(last_frame_s, last_message_s, self._as_late_as_the_first_s) + self._server.quiet_s

    def is_complete_after(self, is_orderly_close: bool) -> bool:
        """Whether nothing more would have come over the connection that was closed or lost, all frames being sent.

        That nothing is pending doesn't say so: the server may not have got to the last words yet. An orderly close
        does, and so does the last segment.
        """
        if self._n_pending:
            return False
        if self._is_of_silence:
            return is_orderly_close
        is_told_by_close = self._is_answered and not self._server.counts_segments
        if self.finals and not is_told_by_close and not self._timestamps.is_end_answered:
            return False
        return is_orderly_close or (self._server.counts_segments and self._is_last_segment_known)

    @property
    def is_rightly_empty(self) -> bool:
        """Whether it is complete without any word, however long the server says nothing: nobody spoke."""
        return self._is_of_silence and not self._n_pending

    @property
    def what_is_missing(self) -> str | None:
        """What an utterance that timed out still waited for, in words; None where that is not known."""
        if self._n_pending:
            return f"{self._n_pending} pending segment(s) never got their text"
        if self.finals and not self._timestamps.is_end_answered:
            return ALL_CAME_EARLY
        if self.finals and self._is_answered:
            hint = self._server.unanswered_end
            return "texts came, but the end message was never answered" + (f" ({hint})" if hint else "")
        if not self.finals and self._timestamps.first_text_at_s is not None:
            return "texts came that may still change, but no last one"
        return None

    @property
    def _as_late_as_the_first_s(self) -> float:
        """When the last words come from a server that is as late with them as it was with the first text: it may have
        cut their segment `cut_before_end_s` before the end. Minus infinity where there was no text."""
        first_s = self._timestamps.first_text_at_s
        return -math.inf if first_s is None else first_s + self._cut_before_end_s

    @property
    def _may_have_last_word(self) -> bool:
        """Whether a server that tells the whole text only where it changes may have said all before the end of
        speech."""
        text_s, end_s = self._timestamps.last_text_at_s, self._timestamps.speech_end_at_s
        return self._is_cumulative and text_s is not None and end_s is not None and text_s > end_s - _LONGEST_WORD_S

    @property
    def _is_turn_over(self) -> bool:
        """Whether the turn that ended holds the last words: it ended after the speech did, and no words came after."""
        timestamps = self._timestamps
        ended_s, text_s = timestamps.turn_ended_at_s, timestamps.last_text_at_s
        speech_end_s = timestamps.speech_end_at_s
        if ended_s is None or text_s is None or speech_end_s is None:
            return False
        return ended_s >= max(speech_end_s, text_s)

    @property
    def _is_last_segment_known(self) -> bool:
        """Whether the last segment is known. It is the one that the server cut while our audio still flowed and after
        the end of speech: one cut earlier is a part of the clip, a server that cuts later is behind. A server that is
        behind may cut a part of the clip late, though, so in a clip with pauses it has to be the last that there can
        be: a server that passed over one of the pauses leaves that open."""
        timestamps = self._timestamps
        pending_s = timestamps.last_pending_at_s
        speech_end_s, stream_end_s = timestamps.speech_end_at_s, timestamps.stream_end_at_s
        if pending_s is None or speech_end_s is None or stream_end_s is None or not self.has_words:
            return False
        if self._most_segments is None or self._n_cut < self._most_segments:
            return False
        return speech_end_s + self._server.min_endpoint_s <= pending_s <= stream_end_s
