"""What the sidecar says is what the run folder promises: both sides looked at together (docs/files.md)."""

from __future__ import annotations

import json
from pathlib import Path

from stand_in import StandInSmi, dmon_row, sidecar

from gpu_sidecar.columns import COLUMNS
from stt_load.sidecar_client import SidecarClient

FILES = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")


def test_a_pulled_sample_is_a_line_of_gpu_jsonl(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        client = SidecarClient(running.url)
        client.announce("r1", 2, 20, "hold")
        smi.feed(dmon_row(sm=45, fb=1842))
        running.wait_for_samples(1)
        (row,) = client.pull()
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    promised = {"t", "seq", "host", "gpu", "sm_pct", "mem_pct", "fb_mib", "run_id", "stage", "users", "phase"}
    assert promised <= row.keys()
    assert row.keys() - promised <= {column.field for column in COLUMNS}
    section = FILES.partition("## gpu.jsonl")[2]
    assert all(f"`{name}" in section or f" {name}" in section for name in promised)


def test_a_description_is_an_entry_of_run_json(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        entry = SidecarClient(running.url).describe()
    assert "gpu [{host, index, uuid, name, driver, why}]" in FILES
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry
    assert (entry["index"], entry["uuid"], entry["name"], entry["driver"]) == (
        1,
        "GPU-bbbb",
        "NVIDIA H200",
        "570.86.15",
    )
    assert entry["host"]
    assert entry["why"]


def test_a_description_has_the_same_keys_with_and_without_an_answer(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        with_answer = SidecarClient(running.url).describe()
    without_answer = SidecarClient(running.url).describe()
    assert with_answer.keys() == without_answer.keys()
    assert without_answer["index"] is None
