"""The table of stages fits a terminal of 100 columns, whatever is played and with whichever options."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from made_calls import made_calls
from made_run import MadeRun, made_run
from msgspec.structs import replace
from rich.console import Console
from test_writers import console_text

from stt_load.kinds import KINDS
from stt_load.metrics.figures import in_table
from stt_load.report.build import build_report
from stt_load.report.console import NARROWEST, main_tables
from stt_load.report.model import RunReport
from stt_load.report.table import columns
from stt_load.report.terminal import full_width

SLOW_S = 12.345
STREAM: Mapping[str, Any] = {"eos_latency_s": SLOW_S, "stream_end_latency_s": SLOW_S}
UPLOAD: Mapping[str, Any] = {"total_s": SLOW_S, "first_text_s": SLOW_S}
SPEECH: Mapping[str, Any] = {"total_s": SLOW_S, "first_audio_s": SLOW_S, "gap_max_s": SLOW_S, "underruns": 30}
FED: Mapping[str, Any] = {**SPEECH, "after_text_s": -SLOW_S}  # --tokens-per-second
TURN: Mapping[str, Any] = {"voice_to_voice_s": SLOW_S, "gap_max_s": SLOW_S, "underruns": 30, "answer_s": 9.0}
BARGE_IN: Mapping[str, Any] = {**TURN, "barge_in_stop_s": SLOW_S, "early_answers": 30}


def report_of(made: MadeRun, kind: str, values: Mapping[str, Any]) -> RunReport:
    made.run |= {"kind": kind, "dialect": "d" * 30, "slos": ["error_rate<1%"]}
    rows = [replace(record, kind=kind, **values) if record.outcome == "ok" else record for record in made.utterances]
    return build_report(made.run, made.transitions, [rows], made.samples)


@pytest.mark.parametrize("width", [80, 110])
@pytest.mark.parametrize(
    ("kind", "values", "is_of_calls"),
    [
        pytest.param("stream", STREAM, False, id="stream"),
        pytest.param("stream", STREAM, True, id="stream --arrivals"),
        pytest.param("upload", UPLOAD, False, id="upload"),
        pytest.param("tts", SPEECH, False, id="tts"),
        pytest.param("tts", FED, False, id="tts --tokens-per-second"),
        pytest.param("conversation", TURN, False, id="conversation"),
        pytest.param("conversation", BARGE_IN, False, id="conversation --barge-in"),
        pytest.param("conversation", BARGE_IN, True, id="conversation --barge-in --arrivals"),
    ],
)
def test_no_line_of_it_is_wider(kind: str, values: Mapping[str, Any], is_of_calls: bool, width: int) -> None:
    report = report_of(made_calls() if is_of_calls else made_run((1, 20), per_stage=20), kind, values)
    console = Console(file=io.StringIO(), width=width)
    tables = main_tables(report, console)
    assert max(full_width(table, console) for table in tables) <= max(width, NARROWEST)
    shown = [str(column.header).replace(" ", "") for table in tables for column in table.columns]
    assert set(shown) == {heading.replace(" ", "") for heading in columns(report)}, "nothing is lost"
    assert len(shown) == len(columns(report)) + len(tables) - 1, "the stages stand before each table"
    assert "…" not in console_text(report, width)


def test_every_kind_and_every_column_is_there_once() -> None:
    """So that a new column is tried above."""
    made = {
        (kind, heading)
        for kind, values in [("stream", STREAM), ("upload", UPLOAD), ("tts", FED), ("conversation", BARGE_IN)]
        for heading in columns(report_of(made_run((1, 20), per_stage=20), kind, values))
    }
    made |= {
        (kind, heading) for kind in ("stream", "conversation") for heading in columns(report_of(made_calls(), kind, {}))
    }
    declared = {(kind.name, column.heading) for kind in KINDS.values() for _, column in in_table(kind)}
    assert declared <= made
