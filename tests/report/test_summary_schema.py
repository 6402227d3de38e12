"""The JSON Schema of summary.json: what is shipped, and that every summary is as it says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from made_calls import made_calls
from made_run import MadeRun, made_run, made_speech, made_uploads
from made_search import made_search

import stt_load.report
from stt_load.report.build import build_report
from stt_load.report.json_file import summary_json
from stt_load.report.summary_schema import SCHEMA_FILE, summary_schema_json

SHIPPED = Path(stt_load.report.__file__).parent / SCHEMA_FILE
SCHEMA = json.loads(summary_schema_json())


def closed(schema: Any) -> Any:
    """The schema with no room for keys that it does not name: what is shipped takes those of later versions."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: closed(value) for key, value in schema.items()}
    return kept | {"additionalProperties": False} if "properties" in schema and "required" in schema else kept


def refused_callers() -> MadeRun:
    made = made_run((1, 10), 20, host=True)
    for record in made.utterances[5:30]:
        record.outcome, record.error, record.eos_latency_s = "refused", "HTTP 503", None
    return made


def nothing_counted() -> MadeRun:
    made = made_run((1,), 0, gpu=False)
    made.transitions[-1]["aborted"] = True
    return made


MADE = {
    "streams with a GPU": made_run,
    "refused callers": refused_callers,
    "nothing counted": nothing_counted,
    "uploads": lambda: made_uploads(streams=True),
    "text to speech": made_speech,
    "calls": made_calls,
    "a search": made_search,
    "a search that was cut off": lambda: made_search(trials=2),
}


def test_the_shipped_schema_is_that_of_today() -> None:
    if os.environ.get("STT_LOAD_REWRITE_GOLDEN"):
        SHIPPED.write_text(summary_schema_json(), encoding="utf-8")
    assert SHIPPED.read_text(encoding="utf-8") == summary_schema_json()
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", MADE)
def test_every_summary_has_the_keys_of_the_schema_and_no_others(name: str) -> None:
    made = MADE[name]()
    summary = json.loads(summary_json(build_report(made.run, made.transitions, [made.utterances], made.samples)))
    problems = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(closed(SCHEMA)).iter_errors(summary)
    ]
    assert problems == []
    assert ("capacity" in summary) is name.startswith("a search")


DAMAGE = [
    ("a missing key", lambda summary: summary.pop("knee")),
    ("a figure that is a text", lambda summary: summary["stages"][0].update(wer="low")),
    ("a verdict that there is not", lambda summary: summary.update(verdict="fine")),
    ("a percentile that is missing", lambda summary: summary["stages"][0]["eos_latency_s"].pop("p95")),
]


@pytest.mark.parametrize(("what", "damage"), DAMAGE, ids=[row[0] for row in DAMAGE])
def test_the_schema_takes_keys_of_later_versions_and_nothing_wrong(what: str, damage: Any) -> None:
    made = made_run((1,), 5)
    summary = json.loads(summary_json(build_report(made.run, made.transitions, [made.utterances], made.samples)))
    later = summary | {"something": 1}
    later["stages"][0]["another"] = "x"
    assert Draft202012Validator(SCHEMA).is_valid(later)
    damage(summary)
    assert not Draft202012Validator(SCHEMA).is_valid(summary)
