"""The text is read with prometheus_client's own parser, as a Prometheus server would."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence

import pytest
from prometheus_client.parser import text_string_to_metric_families
from stand_in import DEADLINE_S

from gpu_sidecar.gpu_choice import Gpu
from gpu_sidecar.metrics import GPU, HOST, METRICS, PROCESS, Metric
from gpu_sidecar.prometheus import Snapshot, render
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import SampleGap, SourceStatus
from gpu_sidecar.timeline import StageChange, StageTag, TaggedSample

GPUS = (Gpu(0, "GPU-aaaa", "NVIDIA L4", 23034, "570"), Gpu(1, "GPU-bbbb", 'odd "name"\\', None, "570"))
SOURCES = (
    SourceStatus("dmon", GPU, 1.0, 3.0, is_alive=True, restarts=2, gaps=(SampleGap(1.0, 2.0, "dmon died"),)),
    SourceStatus("proc", HOST, 5.0, 15.0, is_alive=False),
)
NOW = 1000.0
HOLD = StageTag("r1", 2, 20, "hold")


def newest(sample: Sample, age_s: float = 0.5) -> TaggedSample:
    return TaggedSample(7, 100.0, NOW - age_s, sample, StageChange(HOLD, 90.0, 0.5))


def text_of(*found: TaggedSample, sources: Sequence[SourceStatus] = SOURCES, tag: StageTag = HOLD) -> str:
    return render(Snapshot(found, 7, tag, GPUS, "uvicorn", sources), wall=1e9 + 0.25, mono=NOW)


def parsed(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Name -> its rows, labels and value. A family must not come twice."""
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in families:
        assert family.documentation
        assert family.type in ("gauge", "counter")
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_every_metric_of_the_table_is_exported_in_base_units_with_its_labels() -> None:
    values = {metric.field: 12.5 for metric in METRICS}
    found = parsed(
        text_of(*(newest(Sample(kind, values, 0 if kind == GPU else None)) for kind in (GPU, HOST, PROCESS)))
    )
    labels = {
        GPU: {"gpu": "0", "uuid": "GPU-aaaa", "name": "NVIDIA L4"},
        HOST: {},
        PROCESS: {"name": "uvicorn"},
    }
    for metric in METRICS:
        assert found[metric.exported] == [(labels[metric.kind], 12.5 * metric.scale)]


def test_all_devices_are_shown_at_once_each_metric_in_one_group() -> None:
    text = text_of(newest(Sample(GPU, {"sm_pct": 45, "fb_mib": 2}, 0)), newest(Sample(GPU, {"sm_pct": 90}, 1)))
    found = parsed(text)
    assert [(labels["gpu"], value) for labels, value in found["gpu_sm_utilization_ratio"]] == [("0", 0.45), ("1", 0.9)]
    assert [(labels["gpu"], value) for labels, value in found["gpu_memory_used_bytes"]] == [("0", 2097152.0)]
    assert text.count("# HELP gpu_sm_utilization_ratio ") == text.count("# TYPE gpu_sm_utilization_ratio gauge\n") == 1
    assert text.endswith("\n")


def test_labels_survive_quotes_backslashes_and_newlines() -> None:
    odd = 'a"b\\c\nd'
    found = parsed(text_of(newest(Sample(GPU, {"sm_pct": 45}, 1)), tag=StageTag("r1", 2, 20, odd)))
    ((labels, _),), ((stage, _),) = found["gpu_sm_utilization_ratio"], found["gpu_sidecar_stage_info"]
    assert (labels["name"], stage["phase"]) == ('odd "name"\\', odd)


def test_a_gpu_that_nobody_described_leaves_its_labels_empty() -> None:
    ((labels, _),) = parsed(text_of(newest(Sample(GPU, {"sm_pct": 45}, 9))))["gpu_sm_utilization_ratio"]
    assert labels == {"gpu": "9", "uuid": "", "name": ""}


def test_the_stage_is_a_metric_of_its_own_and_starts_no_other_series() -> None:
    samples = [newest(Sample(GPU, {"sm_pct": 45, "fb_mib": 9}, 0)), newest(Sample(PROCESS, {"cpu_cores": 1}))]
    before, after = parsed(text_of(*samples)), parsed(text_of(*samples, tag=StageTag("r1", 3, 40, "ramp")))
    assert before.pop("gpu_sidecar_stage_info") == [({"run_id": "r1", "stage": "2", "users": "20", "phase": "hold"}, 1)]
    assert after.pop("gpu_sidecar_stage_info") == [({"run_id": "r1", "stage": "3", "users": "40", "phase": "ramp"}, 1)]
    assert before == after
    assert "gpu_sidecar_stage_info" not in parsed(text_of(*samples, tag=StageTag()))


def test_memory_is_also_shown_as_a_share_of_the_gpus() -> None:
    """Not of a MIG device, whose own memory isn't known, nor of a GPU that doesn't say how much it has."""
    used = {"fb_mib": 11517}
    shown = [newest(Sample(GPU, used, 0)), newest(Sample(GPU, used, 0, mig=1)), newest(Sample(GPU, used, 1))]
    assert parsed(text_of(*shown))["gpu_memory_used_ratio"] == [
        ({"gpu": "0", "uuid": "GPU-aaaa", "name": "NVIDIA L4"}, 0.5)
    ]
    assert "gpu_memory_used_ratio" not in text_of(newest(Sample(GPU, {"fb_mib": None}, 0)))


def test_promtool_finds_nothing_to_mend() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH (Debian: prometheus)")
    values = {metric.field: 12.5 for metric in METRICS}
    text = text_of(*(newest(Sample(kind, values, 0 if kind == GPU else None)) for kind in (GPU, HOST, PROCESS)))
    command = [promtool, "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_mig_device_is_a_row_of_its_own() -> None:
    found = parsed(text_of(newest(Sample(GPU, {"sm_pct": 45}, 0)), newest(Sample(GPU, {"sm_pct": 5}, 0, mig=3))))
    assert [labels.get("mig") for labels, _ in found["gpu_sm_utilization_ratio"]] == [None, "3"]


@pytest.mark.parametrize(
    ("sample", "age_s", "is_shown"),
    [
        (Sample(GPU, {"sm_pct": 45}, 0), 2.9, True),
        (Sample(GPU, {"sm_pct": 45}, 0), 3.1, False),
        (Sample(HOST, {"cpu_pct": 45}), 14.9, True),
        (Sample(HOST, {"cpu_pct": 45}), 15.1, False),
        (Sample(PROCESS, {"cpu_cores": 1}), 14.9, True),
        (Sample(PROCESS, {"cpu_cores": 1}), 15.1, False),
    ],
)
def test_a_sample_older_than_its_sources_limit_is_not_shown_as_a_current_one(
    sample: Sample, age_s: float, is_shown: bool
) -> None:
    found = parsed(text_of(newest(sample, age_s)))
    exported = {metric.exported for metric in METRICS}
    assert bool(exported & found.keys()) == is_shown


def test_what_is_not_known_is_not_exported() -> None:
    assert "celsius" not in text_of(newest(Sample(GPU, {"sm_pct": 45, "gpu_temp_c": None}, 0)))


def test_the_sources_are_shown_by_name() -> None:
    found = parsed(text_of())
    assert found["gpu_sidecar_source_up"] == [({"source": "dmon"}, 1), ({"source": "proc"}, 0)]
    assert found["gpu_sidecar_source_restarts_total"] == [({"source": "dmon"}, 2), ({"source": "proc"}, 0)]
    assert found["gpu_sidecar_source_gaps"] == [({"source": "dmon"}, 1), ({"source": "proc"}, 0)]


def test_the_sidecar_itself_is_shown_and_memory_of_gpus_that_say_it() -> None:
    found = parsed(text_of())
    assert found["gpu_sidecar_samples_total"] == [({}, 7)]
    assert found["gpu_sidecar_clock_seconds"] == [({}, 1e9 + 0.25)]
    labels = {"gpu": "0", "uuid": "GPU-aaaa", "name": "NVIDIA L4"}
    assert found["gpu_memory_total_bytes"] == [(labels, 23034 * 1024 * 1024)]


def test_a_sidecar_without_sources_still_has_valid_text() -> None:
    found = parsed(text_of(newest(Sample(HOST, {"cpu_pct": 1})), sources=()))
    assert sorted(found) == [
        "gpu_memory_total_bytes",
        "gpu_sidecar_clock_seconds",
        "gpu_sidecar_lost_samples_total",
        "gpu_sidecar_samples_total",
        "gpu_sidecar_stage_info",
    ]


UNITS = ("_ratio", "_bytes", "_celsius", "_watts", "_hertz", "_bytes_per_second", "_cores", "_total")
COUNTED = ("_violation", "_reasons", "_errors", "_processes")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.field)
def test_an_exported_name_ends_in_its_base_unit_or_says_what_is_counted(metric: Metric) -> None:
    name = metric.exported
    assert re.fullmatch(r"(gpu|host|server)_[a-z0-9_]+", name)
    assert name.endswith(UNITS) or name.endswith(COUNTED)
