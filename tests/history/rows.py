"""Runs of a history, made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stt_load.history.run_row import RunRow, StageRow
from stt_load.report.model import Verdict

DAY_S = 86_400.0


def stage(users: int = 20, verdict: Verdict = Verdict.PASS, p95_s: float | None = 0.5, **changes: Any) -> StageRow:
    figures = {"wer": 0.05, "error_rate": 0.0, "energy_j": 500.0}
    return StageRow(users=users, verdict=verdict, p95_s=p95_s, **(figures | changes))


def run(at: int = 0, holds: int | None = 20, stages: Sequence[StageRow] | None = None, **changes: Any) -> RunRow:
    facts: dict[str, Any] = {
        "folder": Path(f"run-{at}"),
        "run_id": f"run-{at}",
        "started_at": 1_790_000_000.0 + at * DAY_S,
        "label": "nightly",
        "kind": "stream",
        "server": "parakeet at gpu-box:8000",
        "machine": "1 × NVIDIA H200",
        "version": "0.1.0",
        "verdict": Verdict.FAIL,
        "test": {"dialect": "parakeet", "clips": "abc"},
    }
    return RunRow(holds=holds, stages=tuple(stages or (stage(),)), **(facts | changes))


def runs_with(values: Sequence[float], **figure: str) -> list[RunRow]:
    """A run for each value of one figure of its stage, p95_s unless `name` says another."""
    name = figure.get("name", "p95_s")
    return [run(at, stages=[stage(**{name: value})]) for at, value in enumerate(values)]
