"""A comparison as data. Seconds, ratios (0 to 1), counts and MiB; keys are added freely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from stt_load.comparison.compare import Cell, Comparison, FailOn, Line, Status
from stt_load.comparison.wording import in_words
from stt_load.text.json_text import json_text

SCHEMA_VERSION = 1


def comparison_json(comparison: Comparison, fail_on: Sequence[FailOn]) -> str:
    """Writes the whole text."""
    told = in_words(comparison, fail_on)
    document = {
        "schema_version": SCHEMA_VERSION,
        "exit_code": int(comparison.exit_code(fail_on)),
        "verdict": told.verdict,
        "results": [
            {
                "label": name,
                "paths": result.paths,
                "what": result.what,
                "started_at": result.started_at,
                "hardware": result.hardware,
                "holds": result.holds,
                "not_believed": result.doubts,
                "left_out": result.left_out,
                "targets": _targets(comparison.statuses(at)),
            }
            for at, (name, result) in enumerate(zip(comparison.names, comparison.results, strict=True))
        ],
        "differences": [
            {"name": difference.name, "values": difference.values, "is_void": difference.is_void}
            for difference in comparison.differences
        ],
        "load": comparison.reference,
        "changes_judged": comparison.n_judged,
        "lines": [_line(line) for line in comparison.lines],
        "changes": [cell.text for cell in told.changes],
        "not_valid": told.doubts,
        "notes": told.notes,
    }
    return json_text(document)


def _targets(statuses: Sequence[Status]) -> dict[str, int]:
    return {"passing": sum(status is not Status.MISS for status in statuses), "judged": len(statuses)}


def _line(line: Line) -> dict[str, Any]:
    target = line.target
    return {
        "load": line.load,
        "metric": line.measure.key,
        "heading": line.measure.heading,
        "unit": line.measure.figure.unit,
        "target": target.target.text if target else None,
        "stretch": target.stretch.text if target and target.stretch else None,
        "cells": [_cell(cell, line.cells[0].value) for cell in line.cells],
    }


def _cell(cell: Cell, before: float | None) -> dict[str, Any]:
    """`change_pct`, `noise_pct`: percent of the value of the first result. A percentile that falls on a failed
    utterance is null, and `is_failed` true."""
    return {
        "value": _finite(cell.value),
        "is_failed": cell.value is not None and math.isinf(cell.value),
        "too_few": cell.is_few,
        "interval": cell.interval,
        "change": _finite(cell.change),
        "change_pct": _pct(cell.change, before),
        "noise": cell.noise,
        "noise_pct": _pct(cell.noise, before),
        "noise_from": cell.basis,
        "word": cell.word or None,
        "is_regression": cell.is_regression,
        "status": cell.status,
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _pct(part: float | None, whole: float | None) -> float | None:
    return None if part is None or not whole or not math.isfinite(part / whole) else 100 * part / whole
