from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_results import tts_json

from stt_load.comparison.compare import compare
from stt_load.comparison.json_form import comparison_json
from stt_load.comparison.results import ALL_TEXTS
from stt_load.comparison.tts_file import read_tts_file


def written(folder: Path, document: dict[str, Any]) -> Path:
    file = folder / "result.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def test_figures_are_in_the_units_of_the_report(tmp_path: Path) -> None:
    document = json.loads(tts_json())
    result = read_tts_file(written(tmp_path, document))
    short, everything = result.loads["short"].observed, result.loads[ALL_TEXTS].observed
    assert short["total:p95"][0].value == pytest.approx(document["results"]["short"]["latency"]["p95_ms"] / 1_000)
    assert short["vram:max"][0].value == pytest.approx(9_000, abs=1)
    assert everything["total:mean"][0].value == pytest.approx(document["summary"]["overall_mean_ms"] / 1_000)
    assert result.hardware == "NVIDIA H200, 140.4 GB"


def test_the_error_of_a_mean_is_its_deviation_over_the_root_of_n(tmp_path: Path) -> None:
    document = json.loads(tts_json())
    for name, text in document["results"].items():
        text["latency"] |= {"std_ms": 10.0 if name == "short" else 30.0, "n": 25}
    result = read_tts_file(written(tmp_path, document))
    errors = [result.loads[name].observed["total:mean"][0].error for name in ("short", ALL_TEXTS)]
    assert [(round(error.value, 6), error.degrees) for error in errors if error] == [
        (0.002, 24),
        (round((25 * 0.01**2 + 25 * 0.03**2) ** 0.5 / 50, 6), 48),
    ]


@pytest.mark.parametrize("value", [None, "x", -1, 10**400, [], {}, {"mean_ms": "x", "n": "x"}, True])
def test_a_value_that_can_be_none_is_not_measured(tmp_path: Path, value: object) -> None:
    whole = read_tts_file(written(tmp_path, json.loads(tts_json())))
    for part in ("metadata", "configuration", "summary", "text"):
        document = json.loads(tts_json())
        changed = document["results"]["short"] if part == "text" else document[part]
        changed |= dict.fromkeys(changed, value)
        comparison = compare([whole, read_tts_file(written(tmp_path, document))])
        assert json.loads(comparison_json(comparison, ()))["lines"]
