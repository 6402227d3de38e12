"""Renders the newest samples as Prometheus text (exposition format 0.0.4), from the table in `metrics.py`.

https://prometheus.io/docs/instrumenting/exposition_formats/: HELP and TYPE once a metric, all its rows together;
names and base units by https://prometheus.io/docs/practices/naming/.

The stage of the load test is a metric of its own, `gpu_sidecar_stage_info`, and no label of the others: their series go
on when the stage changes, and a query joins the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from gpu_sidecar.failures import Failure
from gpu_sidecar.gpu_choice import Gpu
from gpu_sidecar.metrics import BYTES_PER_MIB, GPU, METRICS, PROCESS
from gpu_sidecar.sources.base import SourceStatus
from gpu_sidecar.timeline import StageTag, TaggedSample


@dataclass(frozen=True)
class Snapshot:
    """What is rendered at one moment. `newest` has one sample per device, `n_taken` counts all samples so far, `tag` is
    the stage that was announced last."""

    newest: Sequence[TaggedSample]
    n_taken: int
    tag: StageTag
    gpus: Sequence[Gpu]
    server_name: str
    sources: Sequence[SourceStatus]
    failures: Sequence[Failure] = ()
    lost_samples: int = 0


def render(snapshot: Snapshot, wall: float, mono: float) -> str:
    """`wall` and `mono`: the sidecar's clocks now, seconds."""
    lines = [
        *_metric("gpu_sidecar_clock_seconds", "gauge", "Wall clock of the sidecar, since 1970", [({}, wall)]),
        *_metric("gpu_sidecar_samples_total", "counter", "Samples since the sidecar started", [({}, snapshot.n_taken)]),
        *_metric(
            "gpu_sidecar_lost_samples_total",
            "counter",
            "Samples that were taken and could not be kept",
            [({}, snapshot.lost_samples)],
        ),
        *_metric(
            "gpu_sidecar_failures_total",
            "counter",
            "Exceptions in a part of the sidecar, which went on",
            [({"where": failure.where}, failure.times) for failure in snapshot.failures],
        ),
        *_stage_info(snapshot.tag),
        *_source_metrics(snapshot.sources),
        *_memory_total(snapshot.gpus),
        *_sample_metrics(snapshot, mono),
    ]
    return "\n".join(lines) + "\n"


def _stage_info(tag: StageTag) -> Iterable[str]:
    """One row with the value 1 while a load test is running."""
    rows = [] if tag == StageTag() else [(asdict(tag), 1)]
    return _metric("gpu_sidecar_stage_info", "gauge", "The stage of the load test, as labels; always 1", rows)


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
    yield from _memory_used_ratio(current, snapshot)
    for metric in METRICS:
        rows = []
        for newest in current:
            value = newest.sample.values.get(metric.field)
            if newest.sample.kind == metric.kind and value is not None:
                rows.append((_labels(newest, snapshot), value * metric.scale))
        kind = "counter" if metric.exported.endswith("_total") else "gauge"
        yield from _metric(metric.exported, kind, metric.help, rows)


def _memory_used_ratio(current: Iterable[TaggedSample], snapshot: Snapshot) -> Iterable[str]:
    """Memory in use over the memory of the GPU. A MIG device has a part of that, which isn't known."""
    total_mib = {gpu.index: gpu.memory_total_mib for gpu in snapshot.gpus if gpu.memory_total_mib}
    rows = []
    for newest in current:
        sample = newest.sample
        used_mib = sample.values.get("fb_mib")
        if sample.kind == GPU and sample.mig is None and used_mib is not None and sample.gpu in total_mib:
            rows.append((_labels(newest, snapshot), used_mib / total_mib[sample.gpu]))
    return _metric("gpu_memory_used_ratio", "gauge", "Share of the frame buffer memory that is in use", rows)


def _is_current(newest: TaggedSample, sources: Sequence[SourceStatus], mono: float) -> bool:
    """True if the sample is younger than the limit of its source: an older one must not pass for the current value.

    The server's and a recording's samples have no source of their kind; for them the longest limit counts.
    """
    limits_s = [status.limit_s for status in sources]
    own_s = [status.limit_s for status in sources if status.kind == newest.sample.kind]
    return mono - newest.mono < max(own_s or limits_s, default=0.0)


def _labels(newest: TaggedSample, snapshot: Snapshot) -> Mapping[str, object]:
    sample = newest.sample
    labels: dict[str, object] = {}
    if sample.kind == GPU:
        gpu = next((gpu for gpu in snapshot.gpus if gpu.index == sample.gpu), None)
        labels.update(_gpu_labels(sample.gpu, gpu))
        if sample.mig is not None:
            labels["mig"] = sample.mig
    elif sample.kind == PROCESS:
        labels["name"] = snapshot.server_name
    return labels


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
    """The text as the format wants it. Other control characters, which a process's name may hold, become blanks:
    somebody may look at it in a terminal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return "".join(character if character.isprintable() else " " for character in escaped)
