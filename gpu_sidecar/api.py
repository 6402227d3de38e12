"""The HTTP API: takes requests and returns responses, without a socket. `http_server.py` puts it on the wire.

    POST /stage      {"run_id", "stage", "users", "phase"}: from now on samples carry this; all null ends it.
                     Optional "after": the number of the newest sample that the caller has from this host. A sidecar
                     that was restarted since, and has shown no sample yet, numbers its own samples from there on
    GET  /samples    ?after=SEQ (default 0): {"samples": [...], "next": SEQ, "dropped": n, "more": bool}
    GET  /stages     every change of stage with the figures of each device
    GET  /metrics    Prometheus text of the newest samples
    GET  /healthz    which GPUs and processes are watched and why, the state of the sources, what the fields mean

Every JSON response, errors too, also has `clock` {"wall", "mono"} in seconds, `boot` (new with each start of the
sidecar), `host` and `next` (the newest sample's number, or in GET /samples where to continue).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from gpu_sidecar import __version__
from gpu_sidecar.failures import FailureLog
from gpu_sidecar.gpu_choice import Gpu, GpuChoice
from gpu_sidecar.metrics import METRICS
from gpu_sidecar.prometheus import Snapshot, render
from gpu_sidecar.server_choice import ServerChoice
from gpu_sidecar.sources.base import SourceStatus
from gpu_sidecar.timeline import StageChange, StageTag, TaggedSample, Timeline

MAX_BODY_BYTES = 64 * 1024
_MAX_TEXT_CHARACTERS = 200
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a pair is JSON, but no UTF-8: no answer could hold it
_MAX_SEQ_DIGITS = 15
_MAX_SEQ = 10**_MAX_SEQ_DIGITS

_GPU_KEYS = ("index", "uuid", "name", "memory_total_mib", "driver")
_METRIC_KEYS = ("field", "kind", "unit", "help")

_TAG_TYPES: Mapping[str, type] = {"run_id": str, "stage": int, "users": int, "phase": str}


class Clock(NamedTuple):
    """One reading of both clocks in seconds: `wall` since 1970, `mono` since any moment."""

    wall: float
    mono: float


@dataclass(frozen=True)
class SidecarState:
    """What every response is made from. The functions are called for each request; `on_stage_change` is called once for
    each change of stage. `machine`: architecture, CPU model and cores of this host."""

    host: str
    boot: str
    timeline: Timeline
    gpu_choice: Callable[[], GpuChoice]
    server_choice: Callable[[], ServerChoice | None]
    sources: Callable[[], Sequence[SourceStatus]]
    failures: FailureLog = field(default_factory=FailureLog)
    warnings: Callable[[], Sequence[str]] = tuple
    machine: Mapping[str, Any] = field(default_factory=dict)
    recording: Callable[[], Mapping[str, Any] | None] = lambda: None
    on_stage_change: Callable[[StageChange], None] = lambda change: None


@dataclass(frozen=True)
class Request:
    """An HTTP request. `query` has the last value of each name in the query string."""

    query: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    status: int
    content_type: str
    text: str


class BadRequest(Exception):
    """The request is wrong; the text says why in one line."""


def json_response(state: SidecarState, clock: Clock, status: int = 200, **content: Any) -> Response:
    envelope: dict[str, Any] = {
        "clock": clock._asdict(),
        "boot": state.boot,
        "host": state.host,
        "next": state.timeline.last_seq,
    }
    envelope.update(content)
    return Response(status, "application/json", json.dumps(envelope, allow_nan=False) + "\n")


def post_stage(state: SidecarState, clock: Clock, request: Request) -> Response:
    tag, after = parse_announcement(request.body)
    state.timeline.count_on_from(after)
    change = state.timeline.change_stage(tag, clock.wall, clock.mono)
    if change is not None:
        state.on_stage_change(change)
    return json_response(state, clock, stage=asdict(tag))


def get_samples(state: SidecarState, clock: Clock, request: Request) -> Response:
    after = request.query.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) <= _MAX_SEQ_DIGITS):
        raise BadRequest("after must be a whole number, 0 or more")
    page = state.timeline.after(int(after))
    rows = [tagged.as_row() for tagged in page.samples]
    return json_response(state, clock, samples=rows, next=page.next, dropped=page.dropped, more=page.more)


def get_stages(state: SidecarState, clock: Clock, request: Request) -> Response:
    return json_response(state, clock, stages=state.timeline.stages())


def get_metrics(state: SidecarState, clock: Clock, request: Request) -> Response:
    snapshot = Snapshot(
        newest=state.timeline.newest(),
        n_taken=state.timeline.n_taken,
        tag=state.timeline.tag,
        gpus=state.gpu_choice().gpus,
        server_name=_server_name(state),
        sources=state.sources(),
        failures=state.failures.all(),
        lost_samples=state.failures.lost_samples,
    )
    return Response(200, "text/plain; version=0.0.4; charset=utf-8", render(snapshot, clock.wall, clock.mono))


def get_healthz(state: SidecarState, clock: Clock, request: Request) -> Response:
    """Always answers 200: without a GPU the sidecar is still healthy; then `gpus` is empty and `why` explains it."""
    timeline, choice, server = state.timeline, state.gpu_choice(), state.server_choice()
    newest = timeline.newest()
    last_mono = max((tagged.mono for tagged in newest), default=None)
    return json_response(
        state,
        clock,
        version=__version__,
        gpus=[gpu_entry(gpu) for gpu in choice.gpus],
        why=choice.why,
        is_guess=choice.is_guess,
        warnings=list(state.warnings()),
        machine=dict(state.machine),
        server=None if server is None else {"pids": list(server.pids), "name": server.name, "why": server.why},
        sources=[_source_entry(status, newest, clock.mono) for status in state.sources()],
        recording=state.recording(),
        metrics=[{key: getattr(metric, key) for key in _METRIC_KEYS} for metric in METRICS],
        samples=timeline.n_taken,
        lost_samples=state.failures.lost_samples,
        failures=[failure._asdict() for failure in state.failures.all()],
        kept=timeline.n_kept,
        max_kept=timeline.max_samples,
        last_sample_age_s=None if last_mono is None else clock.mono - last_mono,
        stage=asdict(timeline.tag),
    )


def _source_entry(status: SourceStatus, newest: Iterable[TaggedSample], mono: float) -> dict[str, Any]:
    """The source's status and the age of the newest sample of its kind, None before the first.

    The age shows a source that gives nothing yet: other sources' samples come all the same, and a tool that is slow to
    start has no gap yet.
    """
    ages = [mono - tagged.mono for tagged in newest if tagged.sample.kind == status.kind]
    return {**asdict(status), "last_sample_age_s": min(ages, default=None)}


def gpu_entry(gpu: Gpu) -> dict[str, Any]:
    """The description of a GPU in `GET /healthz` and in the header of a recording."""
    return {key: getattr(gpu, key) for key in _GPU_KEYS}


def _server_name(state: SidecarState) -> str:
    server = state.server_choice()
    return "" if server is None else server.name


ROUTES: Mapping[str, Mapping[str, Callable[[SidecarState, Clock, Request], Response]]] = {
    "/stage": {"POST": post_stage},
    "/samples": {"GET": get_samples},
    "/stages": {"GET": get_stages},
    "/metrics": {"GET": get_metrics},
    "/healthz": {"GET": get_healthz},
}


def parse_announcement(body: bytes) -> tuple[StageTag, int]:
    """The tag and `after` (0 if it is missing) in the body of `POST /stage`.

    All four keys of the tag must be there, each of its type or null; other keys are ignored. Raises BadRequest.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(content, dict):
        raise BadRequest("the body must be a JSON object")
    for key, expected in _TAG_TYPES.items():
        if key not in content:
            raise BadRequest(f"{key} is missing: send run_id, stage, users and phase, and null for what has no value")
        value = content[key]
        # type() rather than isinstance: True is an int to Python, not to us.
        if value is not None and (type(value) is not expected or not _is_bounded(value)):
            kind = "a whole number from 0" if expected is int else f"text of up to {_MAX_TEXT_CHARACTERS} characters"
            raise BadRequest(f"{key} must be {kind}, or null")
        if isinstance(value, str) and _SURROGATE.search(value):
            raise BadRequest(f"{key} is not UTF-8 text")
    after = content.get("after")
    if after is not None and (type(after) is not int or not 0 <= after < _MAX_SEQ):
        raise BadRequest("after must be a whole number from 0, or null")
    return StageTag(**{key: content[key] for key in _TAG_TYPES}), after or 0


def _is_bounded(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _MAX_TEXT_CHARACTERS
    return isinstance(value, int) and 0 <= value < 2**53
