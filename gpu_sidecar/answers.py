"""Requests in, answers out: what each path says, without a socket. `serve.py` puts it on the wire.

    POST /stage      {"run_id", "stage", "users", "phase"}: from now on samples carry this; all null ends it
    GET  /samples    ?after=SEQ (default 0): {"samples": [...], "next": SEQ, "dropped": n, "more": bool}
    GET  /stages     every change of stage with its GPU figures
    GET  /metrics    Prometheus text of the newest sample
    GET  /healthz    which GPU and why, whether dmon runs, samples so far

Every JSON answer, errors too, also has `clock` {"wall", "mono"} in seconds, `boot` (new with each start of the
sidecar: sequence numbers begin again), `host` and `next` (unless it is a page: the newest sample's number).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from gpu_sidecar import __version__
from gpu_sidecar.devices import GpuChoice
from gpu_sidecar.prometheus import render
from gpu_sidecar.timeline import Tag, Timeline

MAX_BODY_BYTES = 64 * 1024
_MAX_WORD_CHARACTERS = 200

_TAG_TYPES: Mapping[str, type] = {"run_id": str, "stage": int, "users": int, "phase": str}


class Clock(NamedTuple):
    """One reading of both clocks, seconds: wall since 1970, monotonic since anything."""

    wall: float
    mono: float


@dataclass(frozen=True)
class SourceStatus:
    """How the reading of samples goes. `complaint` is the last line that was no sample, "" if none."""

    alive: bool
    restarts: int
    complaint: str


@dataclass(frozen=True)
class Sidecar:
    """All that an answer is made of."""

    host: str
    boot: str
    choice: GpuChoice
    timeline: Timeline
    source_status: Callable[[], SourceStatus]


@dataclass(frozen=True)
class Request:
    """`query`: the last value of each name in the query string."""

    query: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    text: str


class BadRequest(Exception):
    """The caller's mistake, in one line."""


def json_answer(sidecar: Sidecar, clock: Clock, status: int = 200, **content: Any) -> Answer:
    envelope: dict[str, Any] = {
        "clock": clock._asdict(),
        "boot": sidecar.boot,
        "host": sidecar.host,
        "next": sidecar.timeline.last_seq,
    }
    envelope.update(content)
    return Answer(status, "application/json", json.dumps(envelope, allow_nan=False) + "\n")


def post_stage(sidecar: Sidecar, clock: Clock, request: Request) -> Answer:
    tag = parse_tag(request.body)
    sidecar.timeline.mark(tag, clock.wall, clock.mono)
    return json_answer(sidecar, clock, stage=asdict(tag))


def get_samples(sidecar: Sidecar, clock: Clock, request: Request) -> Answer:
    after = request.query.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) <= 15):
        raise BadRequest("after must be a whole number, 0 or more")
    page = sidecar.timeline.after(int(after))
    rows = [tagged.as_row() for tagged in page.samples]
    return json_answer(sidecar, clock, samples=rows, next=page.next, dropped=page.dropped, more=page.more)


def get_stages(sidecar: Sidecar, clock: Clock, request: Request) -> Answer:
    return json_answer(sidecar, clock, stages=sidecar.timeline.stages())


def get_metrics(sidecar: Sidecar, clock: Clock, request: Request) -> Answer:
    timeline = sidecar.timeline
    text = render(timeline.last, timeline.last_seq, sidecar.choice, sidecar.source_status().alive, clock.wall)
    return Answer(200, "text/plain; version=0.0.4; charset=utf-8", text)


def get_healthz(sidecar: Sidecar, clock: Clock, request: Request) -> Answer:
    """Always 200: the sidecar is well even where there is no GPU; `gpu` null and `why` say so."""
    timeline, last = sidecar.timeline, sidecar.timeline.last
    return json_answer(
        sidecar,
        clock,
        version=__version__,
        gpu=asdict(sidecar.choice.device) if sidecar.choice.device else None,
        why=sidecar.choice.why,
        dmon=asdict(sidecar.source_status()),
        samples=timeline.last_seq,
        last_sample_age_s=clock.mono - last.mono if last else None,
        stage=asdict(timeline.tag),
    )


ROUTES: Mapping[str, Mapping[str, Callable[[Sidecar, Clock, Request], Answer]]] = {
    "/stage": {"POST": post_stage},
    "/samples": {"GET": get_samples},
    "/stages": {"GET": get_stages},
    "/metrics": {"GET": get_metrics},
    "/healthz": {"GET": get_healthz},
}


def parse_tag(body: bytes) -> Tag:
    """The JSON body of `POST /stage`. All four keys must be there, each of its type or null; others are ignored."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(content, dict):
        raise BadRequest("the body must be a JSON object")
    for key, wanted in _TAG_TYPES.items():
        if key not in content:
            raise BadRequest(f"{key} is missing: send run_id, stage, users and phase, null where there is none")
        value = content[key]
        # type() rather than isinstance: True is an int to Python, not to us.
        if value is not None and (type(value) is not wanted or not _is_bounded(value)):
            kind = "a whole number from 0" if wanted is int else f"text of up to {_MAX_WORD_CHARACTERS} characters"
            raise BadRequest(f"{key} must be {kind}, or null")
    return Tag(**{key: content[key] for key in _TAG_TYPES})


def _is_bounded(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _MAX_WORD_CHARACTERS
    return isinstance(value, int) and 0 <= value < 2**53
