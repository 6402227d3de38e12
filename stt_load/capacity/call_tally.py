"""The calls of one stage of an open loop, added up from the rows of their utterances and held against the schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from stt_load.capacity.arrivals import CallLoad, PlannedCall
from stt_load.capacity.erlang import erlang_b
from stt_load.errors import Outcome, Refusal
from stt_load.metrics.clip_errors import ClipErrors, error_rate
from stt_load.metrics.estimates import Resampled
from stt_load.records import UtteranceRecord

_BLOCK_CALLS = 2.0
"""Refusals come in clusters: while all places are taken, several calls are refused. What happens two call lengths later
is nearly independent of it, so the limits of the refused share are drawn from blocks of that length."""

_MOST_CALLS = 5_000_000  # of a schedule that is made again: a file that says more is damaged
_POINTS = 300


@dataclass(frozen=True, slots=True)
class CallFigures:
    """The calls of one stage. Those *due* were to begin in the hold by the schedule."""

    due: int
    not_started: int  # of these; no row of theirs has come
    refused: int  # of these; the server said that it was full
    refused_rate: Resampled | None  # over those that began
    erlangs: float  # offered: calls that began per second × seconds that one lasted
    call_s: float | None  # the mean length of a call that was taken; None where none ended in the hold
    on_line_mean: float  # callers on the line, over the hold
    on_line_max: int
    met: tuple[int, ...]  # callers on the line whenever a call of the stage was refused, in ascending order
    on_line: tuple[tuple[float, float], ...]  # moments and callers on the line then, over the whole stage

    @property
    def places(self) -> int | None:
        """How many callers the server takes, as its refusals show: the median of those that were on the line then. None
        where it refused nobody."""
        return self.met[(len(self.met) - 1) // 2] if self.met else None

    def erlang_b(self, places: int | None) -> float | None:
        """The share that Erlang's formula has such a server refuse."""
        return None if places is None else erlang_b(self.erlangs, places)


@dataclass(slots=True)
class _Call:
    """One call as its rows tell it; wall clock."""

    began: float
    ended: float
    is_refused: bool


@dataclass(slots=True)
class CallTally:
    """The calls of one stage in the making. `began_at`: when its calls began. `hold`: its hold; both wall clock."""

    load: CallLoad
    began_at: float
    hold: tuple[float, float]
    _calls: dict[int, _Call] = field(default_factory=dict)

    def add(self, records: Sequence[UtteranceRecord]) -> None:
        """Adds every utterance of the stage, in whatever phase it began."""
        for record in records:
            if record.call is not None:
                self._add(record.call, record)

    def _add(self, ordinal: int, record: UtteranceRecord) -> None:
        began = record.started_at - (record.connect_s or 0.0) - (record.ready_s or 0.0)
        ended = record.started_at + (record.duration_s or 0.0)
        is_refused = record.outcome == Outcome.REFUSED and record.refusal == Refusal.CAPACITY
        call = self._calls.get(ordinal)
        if call is None:
            self._calls[ordinal] = _Call(began, ended, is_refused and record.call_utterance == 0)
        else:
            call.began, call.ended = min(call.began, began), max(call.ended, ended)
            call.is_refused |= is_refused and record.call_utterance == 0

    def close(self) -> CallFigures:
        start, end = self.hold
        taken = [call for call in self._calls.values() if not call.is_refused]
        line = _Line.of(taken)
        due = self._due()
        begun = [call for call in due if call.ordinal in self._calls]
        refused = [call for call in begun if self._calls[call.ordinal].is_refused]
        ended = sum(start <= call.ended < end for call in taken)
        busy_s = line.busy_s(start, end)
        call_s = busy_s / ended if ended else None
        hold_s = max(end - start, 1e-9)
        return CallFigures(
            due=len(due),
            not_started=len(due) - len(begun),
            refused=len(refused),
            refused_rate=self._refused_rate(begun),
            erlangs=len(begun) / hold_s * (self.load.mean_call_s if call_s is None else call_s),
            call_s=call_s,
            on_line_mean=busy_s / hold_s,
            on_line_max=line.most(start, end),
            met=tuple(sorted(line.at([call.began for call in self._calls.values() if call.is_refused]))),
            on_line=line.sampled(self.began_at),
        )

    def _due(self) -> list[PlannedCall]:
        """The calls that the schedule has in the hold, whatever has become of them."""
        first_s, last_s = (moment - self.began_at for moment in self.hold)
        if last_s * self.load.per_s > _MOST_CALLS:
            return []
        return [call for call in takewhile(lambda call: call.at_s < last_s, self.load.calls()) if call.at_s >= first_s]

    def _refused_rate(self, begun: Sequence[PlannedCall]) -> Resampled | None:
        blocks, length_s = ClipErrors(), _BLOCK_CALLS * self.load.mean_call_s
        for call in begun:
            blocks.add(str(call.at_s // length_s), int(self._calls[call.ordinal].is_refused), 1)
        return error_rate(blocks.close())


@dataclass(frozen=True, slots=True)
class _Line:
    """Callers on the line over time: when calls began, and when they ended, each in ascending order."""

    began: NDArray[np.float64]
    ended: NDArray[np.float64]

    @classmethod
    def of(cls, calls: Sequence[_Call]) -> _Line:
        began, ended = ([call.began for call in calls], [call.ended for call in calls])
        return cls(np.sort(np.array(began, np.float64)), np.sort(np.array(ended, np.float64)))

    def at(self, moments: Sequence[float]) -> list[int]:
        """How many were on the line at each moment."""
        n = np.searchsorted(self.began, moments, "right") - np.searchsorted(self.ended, moments, "right")
        return [int(each) for each in n]

    def busy_s(self, start: float, end: float) -> float:
        """The seconds that all callers together were on the line between two moments."""
        began, ended = (np.clip(moments, start, end).sum() for moments in (self.began, self.ended))
        return float(ended - began)

    def most(self, start: float, end: float) -> int:
        """The most at once: somebody has come last then."""
        came = self.began[(self.began >= start) & (self.began < end)]
        return max(self.at([start, *came.tolist()]))

    def sampled(self, start: float) -> tuple[tuple[float, float], ...]:
        """Moments from `start` to the end of the last call, and how many were on the line then."""
        if not len(self.ended):
            return ()
        moments = np.linspace(start, self.ended[-1], _POINTS).tolist()
        return tuple(zip(moments, map(float, self.at(moments)), strict=True))
