"""A run of calls against a loss system, as the load side writes it: rates climb, the server has a fixed number of
places."""

from __future__ import annotations

import msgspec
from loss_system import rows_of
from made_run import START_S, MadeRun, made_run, utterance

from stt_load.capacity.arrivals import CallLoad
from stt_load.records import UtteranceRecord

PLACES = 4
CALL_S = 30.0
RATES = {"4/min": 4 / 60, "8/min": 8 / 60, "16/min": 16 / 60}
WARM_UP_S, HOLD_S, UTTERANCE_S = 30.0, 900.0, 6.0


def made_calls(slo: str = "refused<17%") -> MadeRun:
    """Two erlangs, four and eight offered to four places, with an objective on the calls that are refused."""
    made = made_run(ladder=tuple(range(1, len(RATES) + 1)), per_stage=0, gpu=False)
    made.run |= {"options": {"arrivals": ",".join(RATES), "call": "30s"}, "slos": [slo]}
    templates = made.transitions[:5]
    made.transitions, made.utterances = [], []
    t = START_S
    for stage, (rate, per_s) in enumerate(RATES.items()):
        load = CallLoad(rate, per_s, CALL_S, 10.0, 7, stage)
        hold_at = 1.0 + load.opening_s + WARM_UP_S
        phases = [("ramp", 0.0), ("ramp", 1.0), ("hold", hold_at), ("grace", hold_at + HOLD_S)]
        phases += [("settle", hold_at + HOLD_S + UTTERANCE_S)]
        rows = [
            _heard(row, load, t + 1.0, (t + hold_at, t + hold_at + HOLD_S))
            for row in rows_of(load, PLACES, hold_at + HOLD_S, UTTERANCE_S)
        ]
        counted = [row for row in rows if row.phase == "hold"]
        for n, (phase, at_s) in enumerate(phases):
            n_counted = len(counted) if n > 2 else 0
            more = {"begun": n_counted, "ended": n_counted, "load": msgspec.to_builtins(load), "is_open": n > 0}
            line = {**templates[0], "t": t + at_s, "stage": stage, "phase": phase, "users": load.users, **more}
            made.transitions.append({**line, "seq": len(made.transitions), "reached": 2})
        made.utterances += rows
        t += hold_at + HOLD_S + UTTERANCE_S + 3.0
    delivery = {"rows": len(made.utterances), "totals": {"one": len(made.utterances)}, "missing_seq": 0}
    last = made.transitions[-1]
    made.transitions.append({**last, "t": t, "phase": "done", "workers": 0, "aborted": False, "delivery": delivery})
    return made


def _heard(row: UtteranceRecord, load: CallLoad, opened_at: float, hold: tuple[float, float]) -> UtteranceRecord:
    """A row of the loss system as an utterance that was heard, or a caller who was refused."""
    began = opened_at + row.started_at - START_S
    phase = "ramp" if began < hold[0] else "hold" if began < hold[1] else "grace"
    place = {"phase": phase, "started_at": began, "duration_s": row.duration_s}
    call = {"call": row.call, "call_utterance": row.call_utterance, "call_late_s": row.call_late_s}
    index = (row.call or 0) + (row.call_utterance or 0)
    if row.outcome == "ok":
        return utterance(load.stage, load.users, index, connect_s=None, ready_s=None, **place, **call)
    nothing = dict.fromkeys(("eos_latency_s", "stream_end_latency_s", "first_partial_s", "connect_s", "ready_s"))
    refused = {"outcome": "refused", "refusal": "full", "error": "HTTP 503 at the upgrade: every place is taken"}
    silent = {"text": "", "frames": 0, "audio_s": 0.0, "speech_s": 0.0, "pacing_lag_counts": None}
    return utterance(load.stage, load.users, index, **nothing, **refused, **silent, **place, **call)
