"""More and more client threads against one server with a constant CPU limit: from which number on is it held back?

A client thread sends a whole file, waits for the answer, and sends the next, so the number of threads is the number of
requests that the server works on at once. A server that has cores left answers in the same time. One that has used up
its CPU limit is stopped by the kernel until the next period of the limit, and everything takes longer:

    throttling_detected    mean latency > 2 × the mean latency with the first number of threads

Latency alone doesn't say why: requests that wait for each other take twice as long too. Where a sidecar has read the
server's `cpu.stat`, the share of periods in which it was held back tells the two apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from stt_load.errors import ConfigError, ExitCode
from stt_load.kinds import UPLOAD
from stt_load.metrics.figures import NOTHING
from stt_load.report.model import RunReport, StageReport
from stt_load.report.text_table import TextTable
from stt_load.report.wording import why_not
from stt_load.sizing.document import Document, Section
from stt_load.sizing.identity import machine_lines, machine_of
from stt_load.sizing.replica import Unusable, server_cpu

FACTOR = 2.0
"""How many times as long the mean request must take before it counts as throttled."""

_WORTH_TELLING = 0.05  # of the periods of a limit


class Status(StrEnum):
    """What is said of one number of threads."""

    OK = "ok"
    THROTTLING = "throttling_detected"
    INVALID = "invalid"  # not to be believed, or nothing was completed


@dataclass(frozen=True, slots=True)
class StressRow:
    """One number of client threads. `factor`: mean latency over that of the first row. `failed`: requests that did not
    complete. `held_back`: share of the periods of the server's CPU limit. None: not measured."""

    threads: int
    mean_s: float | None
    factor: float | None
    requests_per_s: float | None
    failed: int
    cpu_cores: float | None
    cpu_limit_cores: float | None
    held_back: float | None
    status: Status
    why: str = ""


def stress_rows(report: RunReport) -> list[StressRow]:
    """A row for each stage, in the order in which they were run. Raises ConfigError for a run of another kind of load,
    Unusable where the first stage is not to be believed."""
    if report.kind is not UPLOAD:
        raise ConfigError(
            f"this is a run of {report.kind.title.partition(',')[0]}: stress is for uploads, give a ladder of those"
        )
    if not report.stages or not _is_believable(report.stages[0]):
        why = why_not(report.stages[0]) if report.stages else "there is none"
        raise Unusable(f"the first number of threads, which the others are held against, can't be believed: {why}")
    first_s = report.stages[0].figures.distributions["total"].mean or 0.0
    return [_row(stage, first_s) for stage in report.stages]


def exit_code_of(rows: Sequence[StressRow]) -> ExitCode:
    """3 where one number of threads is throttled, 4 where one is not to be believed and none is throttled."""
    statuses = {row.status for row in rows}
    if Status.THROTTLING in statuses:
        return ExitCode.SLO_MISSED
    return ExitCode.NOT_BELIEVABLE if Status.INVALID in statuses else ExitCode.FINE


def stress_document(report: RunReport, rows: Sequence[StressRow]) -> Document:
    """Everything for people."""
    table = TextTable(
        ("threads", "avg latency", "x first", "req/s", "failed", "cores", "held back", "status"),
        tuple(_cells(row) for row in rows),
    )
    limit = max((row.cpu_limit_cores for row in rows if row.cpu_limit_cores is not None), default=None)
    sections = (
        Section("Threads", tuple(_explanations(rows)), table),
        Section("Measured on", tuple(machine_lines(machine_of(report.run), limit))),
    )
    return Document(f"Stress, from run {report.run.get('run_id')}", _answer(rows), sections)


def stress_data(report: RunReport, rows: Sequence[StressRow]) -> dict[str, Any]:
    """The same for programs: seconds, shares from 0 to 1."""
    return {
        "schema_version": 1,
        "run_id": report.run.get("run_id"),
        "throttling_detected": any(row.status is Status.THROTTLING for row in rows),
        "factor": FACTOR,
        "sentence": _answer(rows),
        "rows": [asdict(row) for row in rows],
        "machine": machine_of(report.run),
    }


def _row(stage: StageReport, first_s: float) -> StressRow:
    mean_s = stage.figures.distributions["total"].mean
    factor = mean_s / first_s if mean_s is not None and first_s else None
    is_believable = _is_believable(stage) and factor is not None
    cpu = server_cpu(stage)
    status = Status.THROTTLING if factor is not None and factor > FACTOR else Status.OK
    return StressRow(
        threads=stage.users,
        mean_s=mean_s,
        factor=factor,
        requests_per_s=stage.requests_per_s,
        failed=stage.figures.errors,
        cpu_cores=cpu.cores_mean if cpu else None,
        cpu_limit_cores=cpu.limit_cores if cpu else None,
        held_back=cpu.held_back if cpu else None,
        status=status if is_believable else Status.INVALID,
        why="" if is_believable else why_not(stage),
    )


def _is_believable(stage: StageReport) -> bool:
    has_answers = bool(stage.figures.distributions["total"].n)
    return has_answers and stage.verdict.is_believable


def _answer(rows: Sequence[StressRow]) -> str:
    throttled = [row for row in rows if row.status is Status.THROTTLING]
    if throttled:
        row = throttled[0]
        return f"{Status.THROTTLING} from {_threads(row)} on: {row.factor:.1f} times the mean latency of the first."
    if any(row.status is Status.INVALID for row in rows):
        return "No throttling was detected where the run can be believed, and not everywhere it can."
    return f"No throttling was detected up to {max(row.threads for row in rows)} threads."


def _threads(row: StressRow) -> str:
    return f"{row.threads} thread{'' if row.threads == 1 else 's'}"


def _explanations(rows: Sequence[StressRow]) -> Iterator[str]:
    yield f"{Status.THROTTLING}: mean latency more than {FACTOR:g} times that of the first number of threads"
    yield "threads: requests that the client sends at once; each thread sends the next when it has its answer"
    yield from (f"{_threads(row)} can't be judged: {row.why}" for row in rows if row.why)
    known = [row for row in rows if row.held_back is not None]
    if not known:
        yield (
            "held back: not known, since no sidecar was beside the server (--gpu-sidecar), or it has no CPU "
            "limit. Without it, a latency that doubles may also come from requests that wait for each other"
        )
        return
    yield "held back: share of the periods of the server's CPU limit in which the kernel stopped it (cpu.stat)"
    first = rows[0]
    if (first.held_back or 0) >= _WORTH_TELLING:
        yield f"{_threads(first)}: the limit stopped it already, so what the others are held against is slow too"
    for row in known:
        is_stopped = (row.held_back or 0) >= _WORTH_TELLING
        if row.status is Status.THROTTLING and not is_stopped:
            yield f"{_threads(row)}: the limit did not stop it, so requests wait for each other"
        elif row.status is Status.THROTTLING:
            yield f"{_threads(row)}: the limit stopped it; give it more CPU, or fewer threads"


def _cells(row: StressRow) -> tuple[str, ...]:
    return (
        str(row.threads),
        NOTHING if row.mean_s is None else f"{row.mean_s:.3f} s",
        NOTHING if row.factor is None else f"{row.factor:.2f}",
        NOTHING if row.requests_per_s is None else f"{row.requests_per_s:.2f}",
        str(row.failed),
        NOTHING if row.cpu_cores is None else f"{row.cpu_cores:.2f}",
        NOTHING if row.held_back is None else f"{100 * row.held_back:.0f} %",
        str(row.status),
    )
