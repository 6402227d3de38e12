"""Figures of runs that nobody has run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from made_run import made_run, utterance

from stt_load.kinds import STREAM
from stt_load.report.build import build_report
from stt_load.telemetry.counters import RunCounters
from stt_load.telemetry.exported import LiveFigures


def live_figures(**changes: Any) -> LiveFigures:
    """A stage of ten callers in which one was refused, after one that is judged."""
    counters = RunCounters()
    for eos_latency_s in (0.0005, 0.3, 0.45, 0.46, 2.2, 99.0):
        counters.add(utterance(1, 10, eos_latency_s=eos_latency_s, frames_late=1))
    counters.add(utterance(1, 10, outcome="refused", refusal="full", eos_latency_s=None, text="", frames=0))
    made = made_run((5,), gpu=False)
    ended = build_report(made.run, made.transitions, [made.utterances]).stages
    live = LiveFigures(
        run_id="0123456789ab",
        label="run",
        dialect="parakeet",
        kind=STREAM,
        stage=1,
        phase="hold",
        target=10,
        callers=9,
        states={"speaking": 4, "waiting": 5},
        generator_cpu_pct=25.0,
        counters=counters,
        ended=ended,
    )
    return replace(live, **changes)
