"""Renders the newest samples as Prometheus text (exposition format 0.0.4), from the table in `metrics.py`.

https://prometheus.io/docs/instrumenting/exposition_formats/: HELP and TYPE once a metric, all its rows together;
names and base units by https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gpu_sidecar.gpu_choice import Gpu
from gpu_sidecar.metrics import BYTES_PER_MIB, GPU, METRICS, PROCESS
from gpu_sidecar.sources.base import SourceStatus
from gpu_sidecar.timeline import TaggedSample

# A sample is shown until it is this many periods old; an older one must not pass for the current value.
CURRENT_PERIODS = 3


@dataclass(frozen=True)
class Snapshot:
    """What is rendered at one moment. `newest` has one sample per device, `n_taken` counts all samples so far."""

    newest: Sequence[TaggedSample]
    n_taken: int
    gpus: Sequence[Gpu]
    server_name: str
    sources: Sequence[SourceStatus]


def render(snapshot: Snapshot, wall: float, mono: float) -> str:
    """`wall` and `mono`: the sidecar's clocks now, seconds."""
    lines = [
        *_metric("gpu_sidecar_clock_seconds", "gauge", "Wall clock of the sidecar, since 1970", [({}, wall)]),
        *_metric("gpu_sidecar_samples_total", "counter", "Samples since the sidecar started", [({}, snapshot.n_taken)]),
        *_source_metrics(snapshot.sources),
        *_memory_total(snapshot.gpus),
        *_sample_metrics(snapshot, mono),
    ]
    return "\n".join(lines) + "\n"


def _source_metrics(sources: Sequence[SourceStatus]) -> Iterable[str]:
    for name, kind, help_text, value_of in _SOURCE_METRICS:
        yield from _metric(name, kind, help_text, [({"source": status.name}, value_of(status)) for status in sources])


_SOURCE_METRICS: tuple[tuple[str, str, str, Callable[[SourceStatus], float]], ...] = (
    ("gpu_sidecar_source_up", "gauge", "1 while the source runs", lambda status: int(status.is_alive)),
    (
        "gpu_sidecar_source_restarts_total",
        "counter",
        "Restarts of the source",
        lambda status: status.restarts,
    ),
    ("gpu_sidecar_source_gaps", "gauge", "Gaps between samples that are on record", lambda status: len(status.gaps)),
)


def _memory_total(gpus: Sequence[Gpu]) -> Iterable[str]:
    known = [(gpu, gpu.memory_total_mib) for gpu in gpus if gpu.memory_total_mib is not None]
    rows = [(_gpu_labels(gpu.index, gpu), mib * BYTES_PER_MIB) for gpu, mib in known]
    return _metric("gpu_memory_total_bytes", "gauge", "Frame buffer memory of the GPU", rows)


def _sample_metrics(snapshot: Snapshot, mono: float) -> Iterable[str]:
    current = [newest for newest in snapshot.newest if _is_current(newest, snapshot.sources, mono)]
    for metric in METRICS:
        rows = []
        for newest in current:
            value = newest.sample.values.get(metric.field)
            if newest.sample.kind == metric.kind and value is not None:
                rows.append((_labels(newest, snapshot), value * metric.scale))
        kind = "counter" if metric.exported.endswith("_total") else "gauge"
        yield from _metric(metric.exported, kind, metric.help, rows)


def _is_current(newest: TaggedSample, sources: Sequence[SourceStatus], mono: float) -> bool:
    """True if the sample is younger than CURRENT_PERIODS of its source.

    The server's and a recording's samples have no source of their kind; for them the longest period counts.
    """
    periods = [status.period_s for status in sources]
    own = [status.period_s for status in sources if status.kind == newest.sample.kind]
    return mono - newest.mono < CURRENT_PERIODS * max(own or periods, default=0.0)


def _labels(newest: TaggedSample, snapshot: Snapshot) -> Mapping[str, object]:
    sample, tag = newest.sample, newest.change.tag
    labels: dict[str, object] = {}
    if sample.kind == GPU:
        gpu = next((gpu for gpu in snapshot.gpus if gpu.index == sample.gpu), None)
        labels.update(_gpu_labels(sample.gpu, gpu))
        if sample.mig is not None:
            labels["mig"] = sample.mig
    elif sample.kind == PROCESS:
        labels["name"] = snapshot.server_name
    return {**labels, "stage": tag.stage, "users": tag.users, "phase": tag.phase}


def _gpu_labels(index: int | None, gpu: Gpu | None) -> Mapping[str, object]:
    return {"gpu": index, "uuid": gpu and gpu.uuid, "name": gpu and gpu.name}


def _metric(name: str, kind: str, help_text: str, rows: Sequence[tuple[Mapping[str, object], float]]) -> list[str]:
    """The lines of one metric; none without rows."""
    if not rows:
        return []
    head = [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
    return [*head, *(f"{name}{_in_braces(labels)} {value!r}" for labels, value in rows)]


def _in_braces(labels: Mapping[str, object]) -> str:
    """The labels in braces. An unknown one is there and empty, so that a series keeps its labels."""
    if not labels:
        return ""
    pairs = (f'{name}="{"" if value is None else _escape(str(value))}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
