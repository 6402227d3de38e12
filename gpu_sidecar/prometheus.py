"""The newest sample as Prometheus text (exposition format 0.0.4), from the same table as everything else."""

from __future__ import annotations

from gpu_sidecar.columns import COLUMNS
from gpu_sidecar.devices import GpuChoice
from gpu_sidecar.timeline import TaggedSample


def render(last: TaggedSample | None, n_samples: int, choice: GpuChoice, source_is_alive: bool, wall: float) -> str:
    """Gauges of a GPU only while dmon runs: an old value shown as a current one would be a lie."""
    lines = [
        *_metric("gpu_sidecar_clock_seconds", "gauge", "Wall clock of the sidecar, since 1970", "", wall),
        *_metric("gpu_sidecar_source_up", "gauge", "1 while dmon runs", "", int(source_is_alive)),
        *_metric("gpu_sidecar_samples_total", "counter", "Samples read since the sidecar started", "", n_samples),
    ]
    if last is not None and source_is_alive:
        lines += _gpu_metrics(last, choice)
    return "\n".join(lines) + "\n"


def _gpu_metrics(last: TaggedSample, choice: GpuChoice) -> list[str]:
    labels = _labels(last, choice)
    lines: list[str] = []
    for column in COLUMNS:
        value = last.sample.values.get(column.field)
        if value is not None:
            lines += _metric(column.metric, "gauge", column.help, labels, value * column.metric_scale)
    return lines


def _labels(last: TaggedSample, choice: GpuChoice) -> str:
    device, tag = choice.device, last.mark.tag
    # The chosen device describes the sample only if it is the sample's.
    is_chosen = device is not None and device.index == last.sample.gpu
    pairs = {
        "gpu": last.sample.gpu,
        "uuid": device.uuid if device and is_chosen else "",
        "name": device.name if device and is_chosen else "",
        "stage": "" if tag.stage is None else tag.stage,
        "users": "" if tag.users is None else tag.users,
        "phase": tag.phase or "",
    }
    return "{" + ",".join(f'{name}="{_escape(str(value))}"' for name, value in pairs.items()) + "}"


def _metric(name: str, kind: str, help_text: str, labels: str, value: float) -> list[str]:
    return [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", f"{name}{labels} {value!r}"]


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
