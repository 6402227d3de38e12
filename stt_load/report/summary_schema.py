"""The JSON Schema of `summary.json`, made from the declarations of what stands in it. `summary.schema.json` beside this
file is what it gives, for programs that read summaries.

Objects take keys that are not named here, because a later version may add some. Keys that are named are always there,
but for `capacity`, which only a search has, and what only a spike, a way down or a soak has. https://json-schema.org/draft/2020-12/schema
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stt_load.capacity.answer import Limit, Shape
from stt_load.errors import ExitCode, Outcome
from stt_load.kinds import KINDS
from stt_load.metrics.drift import Axis, DriftVerdict
from stt_load.metrics.figures import Figure, Source, Unit, in_json
from stt_load.metrics.quantiles import REPORTED
from stt_load.metrics.slo import SloVerdict
from stt_load.report.device import DEVICE_KINDS
from stt_load.report.model import SCHEMA_VERSION, Verdict
from stt_load.server_metrics.choice import Reading
from stt_load.text.json_text import json_text

SCHEMA_FILE = "summary.schema.json"

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TRUTH: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}


def summary_schema_json() -> str:
    """Writes the whole file as text."""
    return json_text(_summary())


def _summary() -> Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "summary.json of stt-load",
        **_object(
            {
                "schema_version": {"const": SCHEMA_VERSION},
                "run": {"type": "object", "description": "run.json as it was written"},
                "kind": {"enum": list(KINDS)},
                "verdict": {"enum": [str(verdict) for verdict in Verdict]},
                "exit_code": {"enum": [int(code) for code in ExitCode]},
                "knee": _object(
                    {
                        "holds": _or_null(_COUNT),
                        "breaks": _or_null(_COUNT),
                        "tried": _or_null(_COUNT),
                        "ended_early": _TRUTH,
                        "sentence": _TEXT,
                    }
                ),
                "capacity": _capacity(),
                "recovery": _recovery(),
                "given_back": _list(_given_back()),
                "drift": _list(_drift()),
                "notes": _list(_TEXT),
                "stages": _list(_stage()),
                "crc32": {
                    "type": "string",
                    "pattern": "^[0-9a-f]{8}$",
                    "description": "of all bytes before this key",
                },
            },
            optional=["capacity", "recovery", "given_back", "drift", "crc32"],
        ),
        "$defs": {"latency": _distribution(), "latency_of_completed": _distribution(_with_failed())},
    }


def _stage() -> Schema:
    return _object(
        {
            "stage": _COUNT,
            "users": _COUNT,
            "verdict": {"enum": [str(verdict) for verdict in Verdict]},
            "few_samples": _TRUTH,
            "ended_early": _or_null(_TEXT),
            "outcomes": {**_map(_COUNT), "propertyNames": {"enum": [str(outcome) for outcome in Outcome]}},
            "failures": _list(_object({"outcome": _TEXT, "message": _TEXT, "n": _COUNT, "advice": _or_null(_TEXT)})),
            **{figure.field: _figure(figure) for figure in in_json()},
            "pacing_lag_s": _object({"p99": _or_null(_NUMBER), "max": _or_null(_NUMBER)}),
            "kernel_stamped": _COUNT,
            "server_ms": _map({"$ref": "#/$defs/latency"}),
            "by_connection_age": _list(
                _object(
                    {"carried": _COUNT, "connection_age_s_mean": _NUMBER, "eos_latency_s": {"$ref": "#/$defs/latency"}}
                )
            ),
            "by_pause": _list(
                _object(
                    {
                        "pause_s": _or_null(_NUMBER),
                        "n": _COUNT,
                        "cut_early_rate": _NUMBER,
                        "endpointing_delay_s": _object(_percentiles(_or_null(_NUMBER))),
                    }
                )
            ),
            "devices": _list(_device()),
            "server_metrics": _list(_server_metric()),
            "calls": _calls(),
            "slos": _list(_slo()),
            "validity": _list(_object({"condition": _TEXT, "is_met": _TRUTH, "detail": _TEXT, "advice": _TEXT})),
        },
        optional=["calls"],
    )


def _calls() -> Schema:
    counts = dict.fromkeys(("due", "not_started", "on_line_max", "refused"), _COUNT)
    numbers = {name: _or_null(_NUMBER) for name in ("call_s", "refused_rate", "erlang_b")}
    limits = {"type": "array", "items": _or_null(_NUMBER), "minItems": 2, "maxItems": 2}
    return _object(
        {
            "rate": _TEXT,
            **counts,
            **numbers,
            "late_s": {"$ref": "#/$defs/latency"},
            "erlangs": _NUMBER,
            "on_line_mean": _NUMBER,
            "refused_ci90": limits,
            "places": _or_null(_COUNT),
        }
    )


def _figure(figure: Figure) -> Schema:
    unit = figure.unit if figure.unit is not Unit.RATIO else "ratio, 0 to 1"
    described = {"description": f"{figure.meaning} ({unit})"}
    if figure.source is Source.COMPLETED:
        return {"$ref": "#/$defs/latency_of_completed", **described}
    if figure.is_distribution or figure.name == "rtfx":
        return {"$ref": "#/$defs/latency", **described}
    return {**_or_null(_NUMBER), **described}


def _distribution(more: Mapping[str, Schema] | None = None) -> Schema:
    percentiles = _percentiles(_or_null(_NUMBER))
    interval = {"type": "array", "items": _or_null(_NUMBER), "minItems": 2, "maxItems": 2}
    return _object(
        {
            **percentiles,
            **{name: _or_null(_NUMBER) for name in ("mean", "min", "max")},
            "n": _COUNT,
            "ci95": _object(_percentiles(interval)),
            "too_few": _list({"enum": list(percentiles)}),
            **(more or {}),
        }
    )


def _with_failed() -> Mapping[str, Schema]:
    return {"with_failed": _object({"n": _COUNT, **_percentiles(_or_null(_NUMBER))})}


def _percentiles(schema: Schema) -> dict[str, Schema]:
    return dict.fromkeys(REPORTED, schema)


def _device() -> Schema:
    field = {name: _or_null(_NUMBER) for name in ("mean", "p95", "peak")}
    return _object(
        {
            "host": _TEXT,
            "device": _TEXT,
            "kind": {"enum": list(DEVICE_KINDS)},
            "gpu": _or_null(_COUNT),
            "mig": _or_null(_COUNT),
            "coverage": _or_null(_NUMBER),
            "fields": _map(_object({**field, "n": _COUNT, "coverage": _or_null(_NUMBER)})),
            **{
                name: _or_null(_NUMBER)
                for name in ("throttled", "energy_j", "energy_per_audio_minute_j", "memory_growth_mib_per_min")
            },
        }
    )


def _server_metric() -> Schema:
    reading = {"enum": [str(reading) for reading in Reading]}
    figures = {"mean": _or_null(_NUMBER), "max": _or_null(_NUMBER), "looks": _COUNT}
    return _object({"metric": _TEXT, "reading": reading, **figures})


def _slo() -> Schema:
    return _object(
        {
            "slo": _TEXT,
            "verdict": {"enum": [str(verdict) for verdict in SloVerdict]},
            "value": _or_null(_NUMBER),
            "bound": _NUMBER,
            "n": _or_null(_COUNT),
            "low": _or_null(_NUMBER),
            "high": _or_null(_NUMBER),
            "n_needed": _or_null(_COUNT),
            "few_samples": _TRUTH,
        }
    )


def _recovery() -> Schema:
    """From a spike. Times from the moment at which its last audio had been sent."""
    counts = dict.fromkeys(("window", "n_after", "waiting", "in_spike", "spike_errors"), _COUNT)
    times = {"recovery_s": _or_null(_NUMBER), "watched_s": _NUMBER, "last_word_s": _NUMBER}
    return _object({**times, "objectives": _list(_TEXT), **counts})


def _given_back() -> Schema:
    values = dict.fromkeys(("before", "most", "after", "share"), _or_null(_NUMBER))
    return _object({"name": _TEXT, "unit": _TEXT, **values})


def _drift() -> Schema:
    """A figure of a soak against an age: its slope an hour, and what it is judged by over the whole time."""
    pair = {"type": "array", "items": _or_null(_NUMBER), "minItems": 2, "maxItems": 2}
    return _object(
        {
            "name": _TEXT,
            "age_of": {"enum": [str(axis) for axis in Axis]},
            "unit": _TEXT,
            **{name: _or_null(_NUMBER) for name in ("level", "per_hour")},
            "ci95_per_hour": pair,
            "length_s": _NUMBER,
            **{name: _or_null(_NUMBER) for name in ("change", "bound")},
            "verdict": {"enum": [str(verdict) for verdict in DriftVerdict]},
            "points": _list(pair),
        }
    )


def _capacity() -> Schema:
    interval = _or_null(_object({"low": _COUNT, "high": _or_null(_COUNT)}))
    side = _or_null(_object({"users": _COUNT, "passed": _COUNT, "n": _COUNT}))
    return _object(
        {
            "holds": _COUNT,
            "interval": interval,
            "binomial": interval,
            "held": side,
            "broke": side,
            "limited_by": _list({"enum": [str(limit) for limit in Limit]}),
            "missed": _list(_TEXT),
            "turn": _or_null(
                _object(
                    {"shape": {"enum": [str(shape) for shape in Shape]}, "fine": _COUNT, "collapsed": _or_null(_COUNT)}
                )
            ),
            "curves": _list(
                _object(
                    {
                        "slo": _TEXT,
                        "allowed_share": _NUMBER,
                        **{name: _list(_NUMBER) for name in ("users", "shares", "fitted")},
                    }
                )
            ),
            "why_over": _or_null(_TEXT),
            "invalid_at": _or_null(_COUNT),
            "trials": _COUNT,
        }
    )


def _object(properties: Mapping[str, Schema], optional: list[str] | None = None) -> Schema:
    required = [name for name in properties if name not in (optional or [])]
    return {"type": "object", "properties": dict(properties), "required": required}


def _map(values: Schema) -> Schema:
    """An object with any keys and values of one sort."""
    return {"type": "object", "additionalProperties": values}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {"type": [schema["type"], "null"], **{key: value for key, value in schema.items() if key != "type"}}
