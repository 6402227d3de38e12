"""The answer of `stt-load size` as a document and as data."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from stt_load.metrics.quantiles import REPORTED, smallest_n
from stt_load.report.wording import DOUBT, callers
from stt_load.sizing import manifests
from stt_load.sizing.deployment import Deployment, Speed
from stt_load.sizing.document import Document, Section
from stt_load.sizing.identity import machine_lines
from stt_load.sizing.replica import Replica, latency_clause

SCHEMA_VERSION = 1

_LATENCY_WORDS = {
    "eos_latency": "end of speech to complete transcript",
    "total": "request to complete answer",
    "first_audio": "request to first audio",
}
_UNDEFINED_FOR_REQUESTS = (
    "Not defined for whole files and texts: end-of-speech latency and the duty cycle of a caller. One that sends audio "
    "while it speaks needs a run of streams."
)


def size_document(replica: Replica, deployment: Deployment, speed: Speed | None, caveats: tuple[str, ...]) -> Document:
    """Everything for people. `caveats`: lines of a ratio, which stand beside those of the run."""
    advice = manifests.advice(deployment, replica, is_other_machine=speed is not None)
    sections = [
        Section("How that comes about", deployment.steps, is_numbered=True),
        Section("What it gives", tuple(_figures(replica, deployment, speed))),
        Section("How sure that is", (*_doubts(replica, deployment), *caveats)),
        Section("Kubernetes", tuple(advice), codes=_codes(replica, deployment, speed)),
        Section("Measured on", tuple(_machines(replica, speed))),
    ]
    title = f"Size of a deployment, from run {replica.run_id} of {replica.model['dialect'] or 'a server'}"
    return Document(title, answer_sentence(deployment), tuple(section for section in sections if section.lines))


def answer_sentence(deployment: Deployment) -> str:
    """The decision: `14 replicas for 300 callers, 21.6 callers planned for each.`"""
    replicas = f"{deployment.replicas} replica{'' if deployment.replicas == 1 else 's'}"
    gpus = f" ({deployment.gpus} GPU{'' if deployment.gpus == 1 else 's'})" if deployment.gpus else ""
    has_ends = deployment.fewest is not None and deployment.most is not None
    around = f", {deployment.fewest} to {deployment.most} over the ratio's interval" if has_ends else ""
    unit = deployment.unit
    return f"{replicas}{gpus}{around}, for {deployment.wanted:g} {unit}: {deployment.planned:.4g} planned for each."


def size_data(
    replica: Replica, deployment: Deployment, speed: Speed | None, caveats: tuple[str, ...]
) -> dict[str, Any]:
    """The same for programs. Seconds, shares from 0 to 1; a percentile that falls on a failed utterance is null."""
    data = {
        "schema_version": SCHEMA_VERSION,
        "run_id": replica.run_id,
        "kind": replica.kind.name,
        "sentence": answer_sentence(deployment),
        "replica": {key: value for key, value in asdict(replica).items() if key not in ("kind", "run_id")},
        "deployment": asdict(deployment),
        "ratio": asdict(speed) if speed else None,
        "notes": [*_doubts(replica, deployment), *caveats],
        "manifests": dict(_codes(replica, deployment, speed)),
    }
    finite: dict[str, Any] = _finite(data)
    return finite


def _figures(replica: Replica, deployment: Deployment, speed: Speed | None) -> list[str]:
    at = callers(replica.at_users, replica.kind)
    whose = ", on the machine of the run" if speed else ""
    lines = [
        f"{_LATENCY_WORDS[name]}: {latency_clause(values, replica.n)} with {at} on a replica (n = {replica.n}){whose}"
        for name, values in replica.latency.items()
    ]
    if speed:
        lines += [f"by the ratio, on the other machine: {clause}" for clause in _scaled_latencies(replica, speed)]
    if replica.gpus and not speed:
        held, planned = (users / replica.gpus for users in (replica.holds, deployment.planned_at_once))
        lines.append(f"{replica.kind.callers} for each GPU: {held:g} held in the test, {planned:.4g} planned")
    if deployment.audio_hours_per_h is not None:
        lines.append(f"audio at that load: {deployment.audio_hours_per_h:.4g} hours of it in an hour")
    if deployment.cost_per_h is not None and deployment.demand.price is not None:
        price = deployment.demand.price
        lines.append(f"cost: {price.told(deployment.cost_per_h)} an hour for all replicas")
        if deployment.cost_per_audio_h is not None:
            each = price.told(deployment.cost_per_audio_h)
            lines.append(f"cost of an audio hour: {each}, while all that load is there")
    if replica.joules_per_audio_min is not None and not speed:
        lines.append(
            f"energy of the GPUs: {replica.joules_per_audio_min:.0f} J for a minute of audio, with {at}; more where "
            "fewer share a GPU"
        )
    spare = deployment.left_without_one
    verdict = "enough" if spare >= deployment.wanted else "not enough"
    lines.append(f"while one replica is away the others hold {spare:.4g} {deployment.unit} at full load: {verdict}")
    return lines


def _scaled_latencies(replica: Replica, speed: Speed) -> list[str]:
    """The latencies times their ratios; those of percentiles without a ratio are left out."""
    clauses = []
    for name, values in replica.latency.items():
        scaled = {
            statistic: value * speed.latency[statistic]
            for statistic, value in values.items()
            if value is not None and statistic in speed.latency
        }
        if scaled and name != "first_audio":  # whose ratio was not measured
            clauses.append(f"{_LATENCY_WORDS[name]} {latency_clause(scaled, replica.n)}")
    return clauses


def _doubts(replica: Replica, deployment: Deployment) -> list[str]:
    lines = [f"K: {replica.proof}"]
    if few := [name for name, p in REPORTED.items() if replica.n < smallest_n(p)]:
        needed = ", ".join(f"{name.upper()} needs {smallest_n(REPORTED[name])}" for name in few)
        lines.append(f"{DOUBT} behind a percentile: too few utterances for it ({needed})")
    if replica.is_open_above:
        lines.append("nothing above K was tried: a replica may hold more, and fewer replicas may do")
    if replica.is_paced and deployment.full > replica.holds:
        lines.append(
            f"{deployment.full:g} callers on one replica were not tried, only the streams that they make: so many "
            "connections at once may have a limit of their own"
        )
    if replica.cpu and replica.cpu.held_back:
        lines.append(
            f"the server's CPU limit held it back in {100 * replica.cpu.held_back:.0f} % of the limit's periods: with "
            "a higher one a replica may hold more"
        )
    if not replica.is_paced:
        lines.append(_UNDEFINED_FOR_REQUESTS)
    return lines


def _codes(replica: Replica, deployment: Deployment, speed: Speed | None) -> tuple[tuple[str, str], ...]:
    codes = {
        "HPA by active streams": manifests.autoscaler_by_streams(deployment),
        "KEDA by active streams": manifests.keda_by_streams(deployment),
        # The other machine has other cores and other memory, which nothing has measured.
        "HPA by CPU": None if speed else manifests.autoscaler_by_cpu(deployment, replica),
        "Requests and limits of the container": None if speed else manifests.resources(replica),
    }
    return tuple((name, code) for name, code in codes.items() if code is not None)


def _machines(replica: Replica, speed: Speed | None) -> list[str]:
    lines = machine_lines(replica.machine, replica.cpu.limit_cores if replica.cpu else None)
    return [*lines, "and sized for the other machine of the ratio"] if speed else lines


def _finite(value: Any) -> Any:
    """JSON has no infinity."""
    if isinstance(value, float):
        return None if math.isinf(value) else value
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
