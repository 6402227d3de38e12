"""A whole matrix: real ladders under real conditions, broken off and gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from runs import EASY_SLOS, STT_LOAD, Run, StartSink, rows

pytestmark = pytest.mark.locust

ENDS = (0, 4)  # a machine that is busy with something else is late with its frames, and such a run decides nothing
QUICK = ["--concurrency", "1", "--rounds", "1", "--settle", "0s", *EASY_SLOS]


def test_a_matrix_runs_each_condition_once_and_goes_on_where_it_was_broken_off(
    start_sink: StartSink, tmp_path: Path
) -> None:
    url = start_sink().url
    place = tmp_path / "matrix"
    line = [
        *STT_LOAD,
        "matrix",
        "--stt-url",
        url,
        "--level",
        "none,-30",
        "--codec",
        "mulaw8k",
        "--into",
        str(place),
        *QUICK,
    ]
    with Run(line, tmp_path) as run:
        assert run.wait() in ENDS, run.output
    loud, quiet = (next((place / name).iterdir()) for name in ("01-none-mulaw8k", "02-30-mulaw8k"))
    assert all(row["clip_id"].endswith("+level-30+mulaw8k") for row in rows(quiet / "utterances.jsonl"))
    assert all("+level" not in row["clip_id"] for row in rows(loud / "utterances.jsonl"))
    assert json.loads((quiet / "run.json").read_text())["clips"]["source"].endswith("; -30 dBFS, G.711 µ-law")
    first, second = json.loads((place / "matrix.json").read_text())["conditions"]
    assert (first["condition"]["level"], second["condition"]["level"]) == ("none", "-30")
    assert {first["holds"], second["holds"]} <= {1, None}

    (quiet / "run.json").unlink()  # as if it had been broken off before it began
    with Run(line, tmp_path) as run:
        assert run.wait() in ENDS, run.output
    is_known = first["holds"] is not None
    assert ("measured before, in" in run.output) is is_known
    assert len(list((place / "01-none-mulaw8k").iterdir())) == (1 if is_known else 2)
    assert len(list((place / "02-30-mulaw8k").iterdir())) == 2
