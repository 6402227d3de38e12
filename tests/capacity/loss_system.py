"""A server with so many places that refuses whoever comes when all are taken, played on paper: no clock, no socket."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import takewhile

from stt_load.capacity.arrivals import CallLoad
from stt_load.records import UtteranceRecord

BEGAN_AT = 1_790_000_000.0


def rows_of(load: CallLoad, places: int, until_s: float, utterance_s: float = 1e9) -> Iterator[UtteranceRecord]:
    """The rows that such a server's callers leave until a moment of the stage; a call is spoken in utterances of so
    many seconds."""
    ends: list[float] = []
    for call in takewhile(lambda call: call.at_s < until_s, load.calls()):
        while ends and ends[0] <= call.at_s:
            heapq.heappop(ends)
        if len(ends) >= places:
            yield row(load, call.ordinal, 0, call.at_s, 0.0, outcome="refused", refusal="full")
            continue
        heapq.heappush(ends, call.at_s + call.length_s)
        at_s, n = call.at_s, 0
        while at_s < call.at_s + call.length_s:
            spoken_s = min(utterance_s, call.at_s + call.length_s - at_s)
            yield row(load, call.ordinal, n, at_s, spoken_s, outcome="ok")
            at_s, n = at_s + spoken_s, n + 1


def row(load: CallLoad, call: int, utterance: int, at_s: float, duration_s: float, **more: str) -> UtteranceRecord:
    return UtteranceRecord(
        run_id="made",
        worker=0,
        user=0,
        stage=load.stage,
        phase="hold",
        users=load.users,
        clip_id="clip",
        reference="no light",
        started_at=BEGAN_AT + at_s,
        duration_s=duration_s,
        call=call,
        call_utterance=utterance,
        call_late_s=None if utterance else 0.001,
        **more,
    )
