from __future__ import annotations

import re

from gpu_sidecar.columns import COLUMNS
from gpu_sidecar.devices import Device, GpuChoice
from gpu_sidecar.dmon import GpuSample
from gpu_sidecar.prometheus import render
from gpu_sidecar.timeline import Mark, Tag, TaggedSample

CHOICE = GpuChoice(Device(1, "GPU-bbbb", 'odd "name"\\', 143771, "570"), "because")
LABELS = 'gpu="1",uuid="GPU-bbbb",name="odd \\"name\\"\\\\",stage="2",users="20",phase="hold"'
LINE = re.compile(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="([^"\\]|\\.)*",?)*\})? -?[0-9.e+-]+')


def newest(values: dict[str, float | None]) -> TaggedSample:
    return TaggedSample(7, 100.0, 1.0, GpuSample(1, values), Mark(Tag("r1", 2, 20, "hold"), 90.0, 0.5))


def test_values_are_in_base_units_with_their_labels() -> None:
    lines = render(newest({"sm_pct": 45, "fb_mib": 2, "gpu_temp_c": None}), 7, CHOICE, True, 100.5).splitlines()
    assert f"gpu_sm_utilization_ratio{{{LABELS}}} 0.45" in lines
    assert f"gpu_memory_used_bytes{{{LABELS}}} 2097152.0" in lines
    assert "gpu_sidecar_samples_total 7" in lines
    assert "gpu_sidecar_clock_seconds 100.5" in lines
    assert not any("celsius" in line for line in lines)


def test_every_line_is_well_formed_for_every_column() -> None:
    text = render(newest({column.field: 12.5 for column in COLUMNS}), 7, CHOICE, True, 100.5)
    assert text.endswith("\n")
    assert [line for line in text.splitlines() if not LINE.fullmatch(line)] == []
    assert all(f"\n{column.metric}{{" in text for column in COLUMNS)


def test_an_old_sample_is_not_shown_as_a_current_one() -> None:
    text = render(newest({"sm_pct": 45}), 7, CHOICE, source_is_alive=False, wall=100.5)
    assert "gpu_sm_utilization_ratio" not in text
    assert "gpu_sidecar_source_up 0\n" in text


def test_no_sample_yet_is_fine() -> None:
    assert "gpu_sidecar_samples_total 0\n" in render(None, 0, CHOICE, True, 100.5)
