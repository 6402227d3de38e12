"""What a server tells of turns while one utterance goes on: where it ended them, and where it took that back.

Only what arrived is kept here. Which of the ends came too early is judged at the master, in `metrics/turns.py`.
"""

from __future__ import annotations

import msgspec

from stt_load.audio.clip import Clip
from stt_load.dialects.events import EagerEndOfTurn
from stt_load.records import Figures


class TurnFigures(Figures, frozen=True, gc=False):
    """What the server told of its turns: fields of `UtteranceRecord`. None where its protocol doesn't tell."""

    turn_ends: list[tuple[float, int]] | None = None
    eager_turn_ends: list[float] | None = None
    turns_resumed: int | None = None
    speech_bounds: tuple[float, float] | None = None


class Turns:
    """The turns of one utterance.

    `events`: `turn_events` of the server's capabilities. `ends`: arrival of each end of a turn, and how much of the
    transcript was told by then or is owed for it: a number of finals, or of characters where the transcript is
    cumulative. `eager_ends`: arrival of each end that may be taken back, `n_resumed`: how many were.
    """

    __slots__ = ("eager_ends", "ends", "events", "n_resumed")

    def __init__(self, events: tuple[type[msgspec.Struct], ...]) -> None:
        self.events = events
        self.ends: list[tuple[float, int]] = []
        self.eager_ends: list[float] = []
        self.n_resumed = 0

    def measure(self, stream_start_s: float, clip: Clip, characters: list[int]) -> TurnFigures:
        """The fields of the record. `characters`: how many of the transcript belong to the turns up to each end."""
        if not self.events:
            return TurnFigures()
        moments = [round(at_s - stream_start_s, 6) for at_s, _ in self.ends]
        is_eager = EagerEndOfTurn in self.events
        return TurnFigures(
            turn_ends=list(zip(moments, characters, strict=True)),
            eager_turn_ends=[round(at_s - stream_start_s, 6) for at_s in self.eager_ends] if is_eager else None,
            turns_resumed=self.n_resumed if is_eager else None,
            speech_bounds=(clip.speech_start_s, clip.speech_end_s),
        )
