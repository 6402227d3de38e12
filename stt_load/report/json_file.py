"""`summary.json`: the run as data. Seconds, ratios (0 to 1), counts; fields of samples in the unit of their name.

Keys are added freely; a change that an older reader would misread raises `model.SCHEMA_VERSION`. The last key is a seal
(`sealed_lines.py`): a history reads this file and no raw one, so it has to know that no digit has changed.
"""

from __future__ import annotations

import math
from dataclasses import asdict, fields, replace
from typing import Any

from stt_load.capacity.answer import CapacityAnswer
from stt_load.capacity.call_tally import CallFigures
from stt_load.kinds import LoadKind
from stt_load.metrics.connection_age import AgeFigures
from stt_load.metrics.drift import Drift
from stt_load.metrics.figures import Figure, Source, in_json
from stt_load.metrics.pauses import PauseFigures
from stt_load.metrics.quantiles import REPORTED, Distribution
from stt_load.metrics.recovery import WINDOW, Recovery
from stt_load.metrics.slo import SloResult, SloVerdict
from stt_load.metrics.validity import Finding
from stt_load.report.capacity_wording import headline
from stt_load.report.device import DeviceFigures
from stt_load.report.given_back import GivenBack, given_back
from stt_load.report.knee import exit_code
from stt_load.report.model import SCHEMA_VERSION, RunReport, StageReport
from stt_load.sealed_lines import sealed_file
from stt_load.server_metrics.figures import ServerFigure
from stt_load.text.json_text import json_text


def summary_json(report: RunReport) -> str:
    """Writes the whole file as text."""
    knee = report.knee
    summary = {
        "schema_version": SCHEMA_VERSION,
        "run": report.run,
        "kind": report.kind.name,
        "verdict": report.verdict,
        "exit_code": int(exit_code(report)),
        "knee": {
            "holds": knee.holds.users if knee.holds else None,
            "breaks": knee.breaks.users if knee.breaks else None,
            "tried": knee.tried,
            "ended_early": knee.ended_at is not None,
            "sentence": headline(report),
        },
        **({"capacity": _capacity(report.capacity)} if report.capacity else {}),
        **({"recovery": _recovery(report.recovery)} if report.recovery else {}),
        **({"given_back": [_given_back(each) for each in back]} if (back := given_back(report)) else {}),
        **({"drift": [_drift(drift) for drift in report.drifts]} if report.drifts else {}),
        "notes": report.notes,
        "stages": [_stage(stage, report.kind) for stage in report.stages],
    }
    return sealed_file(json_text(summary).encode()).decode()


def _capacity(answer: CapacityAnswer) -> dict[str, Any]:
    """The answer of a search. Intervals have callers, both ends included; `high` is null where nothing bounds it."""
    curves = [
        {**{each.name: getattr(curve, each.name) for each in fields(curve)}, "slo": curve.slo.text}
        for curve in answer.curves
    ]
    return {**asdict(replace(answer, curves=())), "curves": curves}


def _recovery(recovery: Recovery) -> dict[str, Any]:
    return {
        "recovery_s": recovery.recovery_s,
        "watched_s": recovery.watched_s,
        "objectives": recovery.objectives,
        "window": WINDOW,
        "n_after": recovery.n_after,
        "waiting": recovery.waiting,
        "last_word_s": recovery.last_word_s,
        "in_spike": recovery.in_spike,
        "spike_errors": recovery.spike_errors,
    }


def _drift(drift: Drift) -> dict[str, Any]:
    change = drift.change
    return {
        "name": drift.name,
        "age_of": str(drift.axis),
        "unit": str(drift.unit),
        "level": drift.level,
        "per_hour": drift.per_hour,
        "ci95_per_hour": [drift.low, drift.high],
        "length_s": drift.length_s,
        "change": change[0] if change else None,
        "bound": drift.bound,
        "verdict": str(drift.verdict),
        "points": drift.points,
    }


def _given_back(each: GivenBack) -> dict[str, Any]:
    values = {name: _finite(getattr(each, name)) for name in ("before", "most", "after", "share")}
    return {"name": each.name, "unit": str(each.unit), **values}


def _stage(stage: StageReport, kind: LoadKind) -> dict[str, Any]:
    figures = stage.figures
    return {
        "stage": figures.stage,
        "users": figures.users,
        "verdict": stage.verdict,
        "few_samples": stage.is_few,
        "ended_early": stage.breach,
        "outcomes": figures.outcomes,
        "failures": [asdict(failure) for failure in figures.failures],
        **{figure.field: _figure(stage, figure, kind) for figure in in_json()},
        "pacing_lag_s": {"p99": figures.pacing_lag_p99_s, "max": figures.pacing_lag_max_s},
        "kernel_stamped": figures.kernel_stamped,
        "server_ms": {name: distribution(values) for name, values in figures.server_ms.items()},
        "by_connection_age": [_age(figures) for figures in stage.ages],
        "by_pause": [_pause(figures) for figures in stage.by_pause],
        "devices": [_device(figures) for figures in stage.devices],
        "server_metrics": [_server(figure) for figure in stage.server],
        **({"calls": _calls(stage, stage.calls)} if stage.calls else {}),
        "slos": [_slo(result) for result in stage.slos],
        "validity": [_finding(finding) for finding in stage.findings],
    }


def _calls(stage: StageReport, calls: CallFigures) -> dict[str, Any]:
    """The calls of an open loop. `refused_ci90`: both one-sided limits at 95 %, null where the hold is too short."""
    refused = calls.refused_rate
    return {
        "rate": stage.rate,
        "due": calls.due,
        "not_started": calls.not_started,
        "late_s": distribution(stage.figures.distributions["call_late"]),
        "call_s": calls.call_s,
        "erlangs": calls.erlangs,
        "on_line_mean": calls.on_line_mean,
        "on_line_max": calls.on_line_max,
        "refused": calls.refused,
        "refused_rate": refused.value if refused else None,
        "refused_ci90": [refused.low, refused.high] if refused else [None, None],
        "places": stage.places,
        "erlang_b": stage.erlang_b,
    }


def _figure(stage: StageReport, figure: Figure, kind: LoadKind) -> Any:
    measured = stage.measured(figure)
    if not isinstance(measured, Distribution):
        return measured if kind in figure.kinds else None  # nobody has counted what 0 would say
    told = distribution(measured)
    return told | {"with_failed": _with_failed(stage, figure)} if figure.source is Source.COMPLETED else told


def _with_failed(stage: StageReport, figure: Figure) -> dict[str, Any]:
    """The percentiles that objectives are judged by; null where one falls on a failed utterance."""
    values = stage.figures.with_failed(figure)
    return {"n": values.n, **{name: _finite(values.at(p)) for name, p in REPORTED.items()}}


def distribution(values: Distribution) -> dict[str, Any]:
    """A distribution as data. `ci95`: both ends of the 95 % interval of each percentile, null if n does not bound it.

    `too_few` names the percentiles that n does not support.
    """
    return {
        **{name: values.at(p) for name, p in REPORTED.items()},
        "mean": values.mean,
        "min": values.min,
        "max": values.max,
        "n": values.n,
        "ci95": {name: values.ci95(p) for name, p in REPORTED.items()},
        "too_few": [name for name, p in REPORTED.items() if not values.supports(p)],
    }


def _age(figures: AgeFigures) -> dict[str, Any]:
    return {
        "carried": figures.carried,
        "connection_age_s_mean": figures.age_s_mean,
        "eos_latency_s": distribution(figures.eos_latency),
    }


def _pause(figures: PauseFigures) -> dict[str, Any]:
    return {
        "pause_s": figures.pause_s,
        "n": figures.judged,
        "cut_early_rate": figures.cut_early_rate,
        "endpointing_delay_s": {name: _finite(figures.delay.at(p)) for name, p in REPORTED.items()},
    }


def _device(figures: DeviceFigures) -> dict[str, Any]:
    device = figures.device
    return {
        "host": device.host,
        "device": device.name,
        "kind": device.kind,
        "gpu": device.gpu,
        "mig": device.mig,
        "coverage": figures.coverage,
        "fields": {
            name: {
                "mean": values.mean,
                "p95": values.at(0.95),
                "peak": values.max,
                "n": values.n,
                "coverage": figures.coverage_of(name),
            }
            for name, values in figures.fields.items()
        },
        "throttled": figures.throttled,
        "energy_j": figures.energy_j,
        "energy_per_audio_minute_j": figures.energy_per_audio_minute_j,
        "memory_growth_mib_per_min": figures.memory_growth_mib_per_min,
    }


def _server(figure: ServerFigure) -> dict[str, Any]:
    return {
        "metric": figure.metric.name,
        "reading": figure.metric.reading,
        "mean": figure.mean,
        "max": figure.max,
        "looks": figure.looks,
    }


def _slo(result: SloResult) -> dict[str, Any]:
    return {
        "slo": result.slo.text,
        "verdict": result.verdict,
        "value": _finite(result.value),
        "bound": result.slo.bound,
        "n": result.n,
        "low": _finite(result.low),
        "high": _finite(result.high),
        "n_needed": result.n_needed,
        "few_samples": result.verdict is SloVerdict.UNDECIDED,
    }


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: a percentile that falls on failed utterances has no value, only a verdict."""
    return None if value is None or math.isinf(value) else value


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "condition": finding.condition,
        "is_met": finding.is_met,
        "detail": finding.detail,
        "advice": finding.advice,
    }
