"""The text is read with prometheus_client's own parser, as a Prometheus server would."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gpu_sidecar.gpu_choice import Gpu
from gpu_sidecar.metrics import GPU, HOST, METRICS, PROCESS, Metric
from gpu_sidecar.prometheus import Snapshot, render
from gpu_sidecar.sample import Sample
from gpu_sidecar.sources.base import SampleGap, SourceStatus
from gpu_sidecar.timeline import StageChange, StageTag, TaggedSample

GPUS = (Gpu(0, "GPU-aaaa", "NVIDIA L4", 23034, "570"), Gpu(1, "GPU-bbbb", 'odd "name"\\', None, "570"))
SOURCES = (
    SourceStatus("dmon", GPU, 1.0, is_alive=True, restarts=2, gaps=(SampleGap(1.0, 2.0, "dmon died"),)),
    SourceStatus("proc", HOST, 5.0, is_alive=False),
)
NOW = 1000.0
OF_STAGE = {"stage": "2", "users": "20", "phase": "hold"}


def newest(sample: Sample, age_s: float = 0.5, tag: StageTag = StageTag("r1", 2, 20, "hold")) -> TaggedSample:  # noqa: B008
    return TaggedSample(7, 100.0, NOW - age_s, sample, StageChange(tag, 90.0, 0.5))


def text_of(*found: TaggedSample, sources: Sequence[SourceStatus] = SOURCES) -> str:
    return render(Snapshot(found, 7, GPUS, "uvicorn", sources), wall=1e9 + 0.25, mono=NOW)


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
        GPU: {"gpu": "0", "uuid": "GPU-aaaa", "name": "NVIDIA L4", **OF_STAGE},
        HOST: OF_STAGE,
        PROCESS: {"name": "uvicorn", **OF_STAGE},
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
    found = parsed(text_of(newest(Sample(GPU, {"sm_pct": 45}, 1), tag=StageTag("r1", 2, 20, odd))))
    ((labels, _),) = found["gpu_sm_utilization_ratio"]
    assert (labels["name"], labels["phase"]) == ('odd "name"\\', odd)


def test_a_gpu_that_nobody_described_and_no_stage_leave_their_labels_empty() -> None:
    ((labels, _),) = parsed(text_of(newest(Sample(GPU, {"sm_pct": 45}, 9), tag=StageTag())))["gpu_sm_utilization_ratio"]
    assert labels == {"gpu": "9", "uuid": "", "name": "", "stage": "", "users": "", "phase": ""}


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
def test_a_sample_older_than_three_periods_is_not_shown_as_a_current_one(
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
    assert sorted(found) == ["gpu_memory_total_bytes", "gpu_sidecar_clock_seconds", "gpu_sidecar_samples_total"]


UNITS = ("_ratio", "_bytes", "_celsius", "_watts", "_hertz", "_bytes_per_second", "_cores", "_total")
COUNTED = ("_violation", "_reasons", "_errors", "_processes")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.field)
def test_an_exported_name_ends_in_its_base_unit_or_says_what_is_counted(metric: Metric) -> None:
    name = metric.exported
    assert re.fullmatch(r"(gpu|host|server)_[a-z0-9_]+", name)
    assert name.endswith(UNITS) or name.endswith(COUNTED)
