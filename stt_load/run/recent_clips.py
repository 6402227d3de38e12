"""Which clips were spoken lately, and by whom: what a message may say that doesn't fit its utterance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stt_load.metrics.foreign import OWN_LAST
from stt_load.records import CallerKey, UtteranceRecord
from stt_load.run.worker_state import WorkerState


class RecentClips:
    """Who spoke which clip when: as far as it can matter for what a message says that doesn't fit its utterance.

    Of each clip the newest row is kept, and the newest of another caller; of each caller the last few clips.
    """

    def __init__(self) -> None:
        self._newest: dict[str, tuple[tuple[CallerKey, float], ...]] = {}
        self._last: dict[CallerKey, tuple[str, ...]] = {}

    def note(self, record: UtteranceRecord, now_s: float) -> None:
        """A row has come."""
        caller = record.caller
        known = self._newest.get(record.clip_id, ())
        if known:
            known = known[1:] if known[0][0] == caller else known[:1]
        self._newest[record.clip_id] = ((caller, now_s), *known)

    def end(self, record: UtteranceRecord) -> None:
        """The row was judged: its clip is one of those before the caller's next."""
        caller = record.caller
        self._last[caller] = (*self._last.get(caller, ())[1 - OWN_LAST :], record.clip_id)

    def last(self, caller: CallerKey) -> tuple[str, ...]:
        return self._last.get(caller, ())

    def spoken_by(self, clip_id: str, from_s: float) -> list[CallerKey]:
        """Those of whom a row of this clip has come since then: two at most."""
        return [caller for caller, row_s in self._newest.get(clip_id, ()) if row_s >= from_s]


@dataclass(slots=True)
class ClipsInFlight:
    """What could have reached the caller of a row that has just come: `metrics.foreign.ClipsAround`. Looked up for the
    few messages that don't fit; nothing is gathered."""

    record: UtteranceRecord
    recent: RecentClips
    recent_from_s: float
    workers: Mapping[str, WorkerState]

    def was_just_spoken(self, clip_id: str) -> bool:
        return clip_id in self.recent.last(self.record.caller)

    def is_of_others(self, clip_id: str) -> bool:
        if any(caller != self.record.caller for caller in self.recent.spoken_by(clip_id, self.recent_from_s)):
            return True
        # Workers don't say whose clips are in flight. Of a single caller they are its own.
        return self.record.users > 1 and any(clip_id in worker.newest.clips for worker in self.workers.values())

    def was_own(self, clip_id: str) -> bool:
        return self.record.caller in self.recent.spoken_by(clip_id, self.recent_from_s)
