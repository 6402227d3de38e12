"""The format of a recording: one JSON line per sample, with headers and changes of stage between them.

    {"recording": 1, "host": "gpu7", "boot": "5f…", "t": 1700000000.0, "gpus": [{"index": 0, …}], "sources": [{…}]}
    {"t": 1700000001.2, "mono": 8123.4, "kind": "gpu", "gpu": 0, "sm_pct": 45, …}
    {"t": 1700000001.9, "mono": 8124.1, "mark": {"run_id": "r1", "stage": 2, "users": 20, "phase": "hold"}}

A header comes first, and again for each start of the sidecar and each change of the GPUs. `t` is the wall clock and
`mono` the monotonic clock of the host, seconds, when the sample was read; `mono` may begin again where `boot` changes.
The fields are those of `metrics.py`; null means that the device doesn't say. `mig` is only there for a MIG device.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gpu_sidecar.metrics import BY_FIELD
from gpu_sidecar.sample import Sample
from gpu_sidecar.timeline import StageChange

FORMAT = 1
SOURCE_KEYS = ("name", "kind", "period_s")
_HEADER_BEGINNING = '{"recording"'


class NotARecording(ValueError):
    """The file is not a recording, or has another version of the format; the text says which in one line."""


@dataclass(frozen=True)
class RecordingHeader:
    """Where the samples after it come from: `gpus` as in `GET /healthz`, and the SOURCE_KEYS of each source."""

    host: str
    boot: str
    t: float
    gpus: tuple[Mapping[str, Any], ...] = ()
    sources: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class RecordedSample:
    """A sample of a recording. `wall` and `mono`: when it was read, on the clocks of the host that recorded it."""

    sample: Sample
    wall: float
    mono: float


def header_line(header: RecordingHeader) -> str:
    return _as_line({"recording": FORMAT, **asdict(header)})


def sample_line(sample: Sample, wall: float, mono: float) -> str:
    row: dict[str, Any] = {"t": wall, "mono": mono, "kind": sample.kind, "gpu": sample.gpu}
    if sample.mig is not None:
        row["mig"] = sample.mig
    return _as_line({**row, **sample.values})


def stage_change_line(change: StageChange) -> str:
    return _as_line({"t": change.wall, "mono": change.mono, "mark": asdict(change.tag)})


def check_first_line(line: str) -> None:
    """Raises NotARecording unless the line is a header of our format, complete or cut off when a sidecar was killed."""
    if not line.startswith(_HEADER_BEGINNING):
        raise NotARecording("its first line is not a header")
    content = _parse(line)
    if content is not None and content["recording"] != FORMAT:
        raise NotARecording(f"its format is {content['recording']!r}, and this version reads {FORMAT}")


def read_headers(lines: Iterable[str]) -> list[RecordingHeader]:
    """All headers in order, at least one. Raises NotARecording."""
    # Found by how they begin, since a recording of hours has hundreds of thousands of other lines.
    numbered = (
        (number, line) for number, line in enumerate(lines) if number == 0 or line.startswith(_HEADER_BEGINNING)
    )
    headers: list[RecordingHeader] = []
    for number, line in numbered:
        if number == 0:
            check_first_line(line)
        headers += [found for found in read_lines([line]) if isinstance(found, RecordingHeader)]
    if not headers:
        raise NotARecording("it has no complete header")
    return headers


def read_lines(lines: Iterable[str]) -> Iterator[RecordingHeader | RecordedSample]:
    """Headers and samples, in order. Changes of stage, and lines cut off when a sidecar was killed, are left out."""
    for line in lines:
        content = _parse(line)
        if content is not None:
            found = _as_header(content) if content.get("recording") == FORMAT else _as_sample(content)
            if found is not None:
                yield found


def with_due_times(found: Iterable[RecordingHeader | RecordedSample]) -> Iterator[tuple[float, Sample]]:
    """Each sample with the seconds after the first one at which it is due, which never fall.

    They follow the monotonic clock, and from one start of the sidecar to the next the wall clock, since the host may
    have been rebooted in between.
    """
    due_s, boot = 0.0, ""
    first: RecordedSample | None = None  # the first sample of this start of the sidecar
    first_due_s = 0.0
    last_wall = 0.0
    for item in found:
        if isinstance(item, RecordingHeader):
            first, boot = (first if item.boot == boot else None), item.boot
            continue
        if first is None:
            first_due_s = due_s = due_s + (max(0.0, item.wall - last_wall) if last_wall else 0.0)
            first = item
        due_s = max(due_s, first_due_s + item.mono - first.mono)
        last_wall = item.wall
        yield due_s, item.sample


def period_of(headers: Iterable[RecordingHeader]) -> float:
    """The longest period of the recorded sources, in seconds; 1 where none is known."""
    periods: list[Any] = [source.get("period_s") for header in headers for source in header.sources]
    return max((float(period) for period in periods if _is_number(period)), default=1.0)


def _as_line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(", ", ": ")) + "\n"


def _parse(line: str) -> dict[str, Any] | None:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _as_header(content: Mapping[str, Any]) -> RecordingHeader | None:
    gpus, sources = content.get("gpus", []), content.get("sources", [])
    if not (_is_number(content.get("t")) and _are_objects(gpus) and _are_objects(sources)):
        return None
    return RecordingHeader(
        str(content.get("host")), str(content.get("boot")), content["t"], tuple(gpus), tuple(sources)
    )


def _as_sample(content: Mapping[str, Any]) -> RecordedSample | None:
    if not (_is_number(content.get("t")) and _is_number(content.get("mono")) and isinstance(content.get("kind"), str)):
        return None
    gpu, mig = content.get("gpu"), content.get("mig")
    if not (_is_index(gpu) and _is_index(mig)):
        return None
    values = {field: value if _is_number(value) else None for field, value in content.items() if field in BY_FIELD}
    return RecordedSample(Sample(content["kind"], values, gpu, mig), float(content["t"]), float(content["mono"]))


def _is_number(value: Any) -> bool:
    # Bounded: an integer of any length is JSON, and fits no float. NaN fails the comparison.
    return type(value) in (int, float) and -1e15 < value < 1e15


def _is_index(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value < 10_000)


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
