"""The frames that were due in a hold, whoever sent them: also those of utterances that began before it.

An utterance that began in the ramp makes no figure, but what the load generator owes it in the hold is part of the load
under which the counted ones are measured. A generator that stood still in the first seconds of a hold may have made
only such frames late.

    ramp       │ hold                 │ grace
    ───speech──┿──speech─── answer    │           not counted; its frames of the hold are judged
               │        ───speech─────┿─── answer counted, so that all its frames are judged
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from stt_load.records import UtteranceRecord

_COLUMNS = tuple(map(attrgetter, ("started_at", "frames", "frames_missed")))
_ROUNDING = 1e-6  # of a frame: a frame that is due at the very beginning of the hold is in it


@dataclass(frozen=True, slots=True)
class DueFrames:
    """How many frames were due in the hold and sent, late or in time, or missed; and how many of these were not in
    time."""

    frames: int = 0
    late: int = 0


@dataclass(slots=True)
class HoldFrames:
    """The frames of one hold in the making. `hold_start_s`, `hold_end_s`: wall clock.

    Rows of versions that did not write down which frames were late are left out where some were.
    """

    hold_start_s: float
    hold_end_s: float
    frames: int = 0
    late: int = 0

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        """Adds utterances of the stage, counted ones and others."""
        known = [each for each in records if each.frames and _sent_s(each) and _says_which_were_late(each)]
        if not known:
            return
        started_at, frames, missed = (np.fromiter(map(read, known), float, len(known)) for read in _COLUMNS)
        sent_s = np.fromiter(map(_sent_s, known), float, len(known))
        first, end = (
            np.clip(_frames_due_before(edge_s - started_at, sent_s / frames), 0, frames + missed)
            for edge_s in (self.hold_start_s, self.hold_end_s)
        )
        self.frames += int(np.sum(np.maximum(end - first, 0)))
        self.late += int(np.sum(np.maximum(end - np.maximum(first, frames), 0)))
        for place in [place for place, record in enumerate(known) if record.late_runs]:
            lowest, behind = int(first[place]), int(end[place])
            for number, length in known[place].late_runs or ():
                self.late += max(0, min(number + length, behind) - max(number, lowest))

    def close(self) -> DueFrames:
        return DueFrames(self.frames, self.late)


def _sent_s(record: UtteranceRecord) -> float:
    """How long the frames took that were sent: of audio, or of text where that was fed piece by piece."""
    return record.audio_s if record.text_s is None else record.text_s


def _says_which_were_late(record: UtteranceRecord) -> bool:
    return record.late_runs is not None or not record.frames_late


def _frames_due_before(passed_s: npt.NDArray[np.float64], frame_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How many frames are due before so many seconds of a stream have passed: frame k is due at its end."""
    due: npt.NDArray[np.float64] = np.ceil(passed_s / frame_s - _ROUNDING) - 1
    return due
