"""The texts of one utterance as they come in, and when nothing more will come.

Protocols with a last message say so themselves (`is_last`, `Finished`). Others are understood from the end of a turn,
from what is owed, from what the clip can give reason for, and from a quiet period.
"""

from __future__ import annotations

import math

from stt_load.dialects.base import Capabilities, Dialect
from stt_load.session.outcomes import ORDERLY_CLOSES
from stt_load.session.timestamps import Timestamps


class Transcript:
    """`may_be_cut_s`: so long before its speech ends may the server cut the clip; 0 where it has no reason to: then the
    clip is one piece. `is_answered`: the server will say that the utterance is over, or close, because the client has
    told it so: then silence means nothing.

    `finals`: (arrival, text) of each final, the empty ones too; of snapshots the last that said something new.
    """

    __slots__ = (
        "_has_snapshots",
        "_is_answered",
        "_is_one_piece",
        "_may_be_cut_s",
        "_n_owed",
        "_server",
        "_timestamps",
        "finals",
    )

    def __init__(
        self, server: Capabilities, timestamps: Timestamps, may_be_cut_s: float, is_answered: bool = False
    ) -> None:
        self.finals: list[tuple[float, str]] = []
        self._server = server
        self._timestamps = timestamps
        self._may_be_cut_s = may_be_cut_s
        self._is_one_piece = may_be_cut_s == 0.0
        self._is_answered = is_answered
        self._n_owed = 0
        self._has_snapshots = False

    def on_segment_pending(self, arrived_s: float) -> None:
        self._n_owed += 1
        self._timestamps.last_queued_at_s = arrived_s

    def on_final(self, arrived_s: float, text: str) -> None:
        # A text too many (said twice, or somebody else's) doesn't pay for a piece that is still to come.
        self._n_owed = max(0, self._n_owed - 1)
        self.finals.append((arrived_s, text))
        self._timestamps.on_final(arrived_s, text)

    def on_snapshot(self, arrived_s: float, text: str) -> bool:
        """False where it says nothing new."""
        is_new = not self._has_snapshots or text != self.finals[-1][1]
        self._has_snapshots = True
        if is_new:
            self.finals = [(arrived_s, text)]
        self._timestamps.on_final(arrived_s, text, is_new)
        return is_new

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.finals]

    def assemble(self, dialect: Dialect) -> str:
        """The text so far: the last snapshot, or the finals put together."""
        return self.finals[-1][1] if self._has_snapshots else dialect.join(self.texts)

    @property
    def has_words(self) -> bool:
        """A snapshot that takes all words back leaves none."""
        if self._has_snapshots:
            return bool(self.finals[-1][1])
        return self._timestamps.last_text_at_s is not None

    @property
    def settled_at_s(self) -> float | None:
        """When it may be taken as complete, all frames being sent; None while something is owed or nothing came.

        The end of a turn says it where the server had no reason to end one earlier. With counted pieces that is as
        soon as every queued piece has its text, if the last piece is known. Where it isn't, as for servers that count
        nothing, only a quiet period says so: not before the last piece could be there, were it as late as the first
        text. No quiet makes a transcript complete while there are no words, or all pieces were answered before the end
        of speech.
        """
        last_frame_s, last_message_s = self._timestamps.last_frame_at_s, self._timestamps.last_message_at_s
        if self._is_answered or self._n_owed or not self.finals or last_frame_s is None or last_message_s is None:
            return None
        if self._server.counts_segments and self._is_last_piece_known:
            return last_frame_s
        if self._is_one_piece and self._is_turn_over:
            return self._timestamps.turn_ended_at_s
        if not self._has_snapshots and not self._timestamps.is_end_answered:
            return None
        if not self._server.counts_segments and not self.has_words:  # empty texts come whenever silence does
            return None
        return max(last_frame_s, last_message_s, self._as_late_as_the_first_s) + self._server.quiet_s

    def is_complete_without(self, close_code: int) -> bool:
        """Nothing more would have come over the connection that was lost, all frames being sent. That nothing is owed
        doesn't say so: the server may not have got to the last words yet. An orderly close does, and so does the
        last piece."""
        if self._n_owed:
            return False
        is_told_by_close = self._is_answered and not self._server.counts_segments
        if self.finals and not is_told_by_close and not self._timestamps.is_end_answered:
            return False
        return close_code in ORDERLY_CLOSES or (self._server.counts_segments and self._is_last_piece_known)

    @property
    def what_is_missing(self) -> str | None:
        """For the error of an utterance that timed out; None where nothing is known to be missing."""
        if self._n_owed:
            return f"{self._n_owed} queued piece(s) never got their text"
        if self.finals and not self._timestamps.is_end_answered:
            return "every text came before the end of speech"
        if self.finals and self._is_answered:
            return "texts came, but the end message was never answered"
        return None

    @property
    def _as_late_as_the_first_s(self) -> float:
        """When a server tells the last words that is as late with them as it was with the first text, of which it may
        have cut the piece so long before the end."""
        first_s = self._timestamps.first_text_at_s
        return -math.inf if first_s is None else first_s + self._may_be_cut_s

    @property
    def _is_turn_over(self) -> bool:
        """The turn that ended holds the last words: it ended after the speech did, and no words came after it."""
        timestamps = self._timestamps
        ended_s, text_s = timestamps.turn_ended_at_s, timestamps.last_text_at_s
        speech_end_s = timestamps.speech_end_at_s
        if ended_s is None or text_s is None or speech_end_s is None:
            return False
        return ended_s >= max(speech_end_s, text_s)

    @property
    def _is_last_piece_known(self) -> bool:
        """It is the piece that was queued while our audio still flowed and after the end of speech: one queued
        earlier is a part of the clip, a server that queues later is behind. A server that is behind may queue a part
        of the clip late, though, so this says nothing of a clip that the server may cut before its end."""
        timestamps = self._timestamps
        queued_s = timestamps.last_queued_at_s
        speech_end_s, stream_end_s = timestamps.speech_end_at_s, timestamps.stream_end_at_s
        if queued_s is None or speech_end_s is None or stream_end_s is None or not self.has_words:
            return False
        return self._is_one_piece and speech_end_s + self._server.min_endpoint_s <= queued_s <= stream_end_s
