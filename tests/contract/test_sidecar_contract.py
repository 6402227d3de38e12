"""The sidecar sends what docs/files.md promises for the run folder: both sides checked together."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stand_in import RunningSidecar, StandInSmi, dmon_row, eventually, sidecar

from gpu_sidecar.metrics import METRICS
from stt_load.sidecar.client import SidecarClient

FILES = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")

OF_EVERY_ROW = {"t", "seq", "host", "boot", "kind", "gpu", "run_id", "stage", "users", "phase"}
OF_A_GPU = {"host", "index", "uuid", "name", "driver", "memory_total_mib"}
OF_A_SIDECAR = {
    *("url", "host", "why", "is_guess", "warnings", "machine", "server", "sources", "metrics"),
    *("clock_offset_s", "clock_uncertainty_s"),
}
OF_A_SOURCE = {"name", "kind", "period_s", "limit_s", "is_alive", "restarts", "complaint", "note", "output", "gaps"}


@contextmanager
def watching_us(smi: StandInSmi) -> Iterator[RunningSidecar]:
    """A sidecar whose server is this process, said to be on the second GPU."""
    (smi.folder / "apps").write_text(f"{os.getpid()}, python, GPU-bbbb\n")
    with sidecar(smi.environment, "--server-process", f"pid:{os.getpid()}") as running:
        eventually(lambda: running.get("/healthz").json()["gpus"])
        yield running


def rows_of_each_kind(client: SidecarClient) -> dict[str, dict[str, Any]]:
    newest: dict[str, dict[str, Any]] = {}

    def has_all() -> bool:
        newest.update({row["kind"]: row for row in client.pull()})
        return len(newest) == 3

    eventually(has_all)
    return newest


def undocumented(section: str, names: set[str]) -> set[str]:
    text = FILES.partition(f"## {section}")[2].partition("\n## ")[0]
    return {name for name in names if not any(f"{before}{name}" in text for before in ("`", " ", "{", "[{"))}


def test_a_pulled_sample_is_a_line_of_the_run_folder(smi: StandInSmi) -> None:
    with watching_us(smi) as running:
        client = SidecarClient(running.url)
        client.announce("r1", 2, 20, "hold")
        smi.feed(dmon_row(sm=45, fb=1842))
        rows = rows_of_each_kind(client)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    for kind, row in rows.items():
        measured = row.keys() - OF_EVERY_ROW
        assert row.keys() >= OF_EVERY_ROW
        assert measured <= {metric.field for metric in METRICS if metric.kind == kind}
        assert measured
    assert {"sm_pct", "mem_pct", "fb_mib"} <= rows["gpu"].keys()
    assert {rows["host"]["gpu"], rows["process"]["gpu"]} == {None}


def test_a_description_is_what_run_json_promises(smi: StandInSmi) -> None:
    with watching_us(smi) as running:
        client = SidecarClient(running.url)
        client.check()
        entry, (gpu,) = client.describe(), client.describe_gpus()
    assert json.loads(json.dumps([entry, gpu], allow_nan=False)) == [entry, gpu]
    assert (entry.keys(), gpu.keys()) == (OF_A_SIDECAR, OF_A_GPU)
    assert (gpu["index"], gpu["uuid"], gpu["name"], gpu["driver"]) == (1, "GPU-bbbb", "NVIDIA H200", "570.86.15")
    assert entry["host"] == gpu["host"]
    assert entry["why"]
    assert os.getpid() in entry["server"]["pids"]
    assert all(source.keys() >= OF_A_SOURCE for source in entry["sources"])
    assert [metric["field"] for metric in entry["metrics"]] == [metric.field for metric in METRICS]


def test_a_description_has_the_same_keys_without_an_answer(smi: StandInSmi) -> None:
    client = SidecarClient("http://127.0.0.1:9")
    assert client.check() is False
    assert client.describe().keys() == OF_A_SIDECAR
    assert client.describe_gpus() == []


def test_all_of_it_is_documented() -> None:
    assert undocumented("gpu.jsonl", OF_EVERY_ROW) == set()
    assert undocumented("run.json", OF_A_GPU | OF_A_SIDECAR | OF_A_SOURCE) == set()
