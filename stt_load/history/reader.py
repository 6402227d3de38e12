"""Reads the runs of a folder: each from its `summary.json`, or, where that is missing, damaged or older than this
version, from its raw files.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from stt_load.errors import ConfigError
from stt_load.history.run_row import RunRow, StageRow
from stt_load.kinds import KINDS, LoadKind
from stt_load.plausible import Count, Moment, Ratio, Seconds, objection
from stt_load.report.json_file import summary_json
from stt_load.report.machines import HARDWARE, gpus, in_words, load_machines, server_machines
from stt_load.report.model import SCHEMA_VERSION, Verdict
from stt_load.report.raw_files import RAW_FILES
from stt_load.report.raw_lines import unreadable
from stt_load.report.raw_rows import checked_run
from stt_load.report.report_files import SUMMARY, read_report, refuse_later_version
from stt_load.report.run_facts import what_was_measured
from stt_load.sealed_lines import is_as_written
from stt_load.text.url_secrets import without_credentials

_EPHEMERAL_PORT = 32_768  # from here on Linux chooses by itself: another one each time


class WithFailed(msgspec.Struct):
    """Percentiles over all utterances that were not interrupted; null where one falls on a failed utterance."""

    n: Count
    p95: Seconds | None


class Latency(msgspec.Struct):
    with_failed: WithFailed


class DeviceSummary(msgspec.Struct):
    kind: str
    energy_per_audio_minute_j: Annotated[float, Meta(ge=0, le=1e12)] | None = None


class StageSummary(msgspec.Struct):
    """The keys of a stage in `summary.json` that a history reads."""

    users: Count
    verdict: Verdict
    eos_latency_s: Latency
    total_s: Latency
    wer: Ratio | None
    error_rate: Ratio | None
    devices: list[DeviceSummary]
    voice_to_voice_s: Latency | None = None  # earlier versions have none


class KneeSummary(msgspec.Struct):
    holds: Count | None
    breaks: Count | None


class CapacitySummary(msgspec.Struct):
    holds: Count | None = None


class Summary(msgspec.Struct):
    """The keys of `summary.json` that a history reads."""

    schema_version: int
    run: dict[str, Any]
    kind: str
    verdict: Verdict
    knee: KneeSummary
    stages: list[StageSummary]
    capacity: CapacitySummary | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The runs of a folder, oldest first, and one line for each folder that is left out."""

    runs: tuple[RunRow, ...]
    left_out: tuple[str, ...]


class AnySummary(msgspec.Struct):
    """What `summary.json` of every version has."""

    schema_version: int


_DECODER = msgspec.json.Decoder(Summary)
_VERSION_DECODER = msgspec.json.Decoder(AnySummary)


def read_history(results: Path) -> History:
    """Reads every run folder in `results`. Raises ConfigError where that is no folder, or is one run itself."""
    if not results.is_dir():
        raise ConfigError(
            f"{results} is not a folder: give the folder that --results named, with a folder for each run"
        )
    try:
        is_run, folders = _is_run(results), _folders(results)
    except PermissionError as error:
        raise unreadable(results, error) from error
    if is_run:
        raise ConfigError(f"{results} is the folder of one run: give the folder around it")
    runs: list[RunRow] = []
    left_out = []
    for folder in folders:
        try:
            if _is_run(folder):
                run = _row(folder, _read_summary(folder))
                original = _original_of(run, runs)
                if original is None:
                    runs.append(run)
                else:
                    left_out.append(f"{folder.name}: a copy of {original.folder.name}")
        except ConfigError as error:
            left_out += [f"{folder.name}: {line}" for line in error.problems]
        except OSError as error:  # nobody may look into it
            left_out.append(f"{folder.name}: {error.strerror}")
    runs.sort(key=lambda run: (run.started_at or 0.0, run.folder.name))
    return History(tuple(runs), tuple(left_out))


def _original_of(run: RunRow, others: list[RunRow]) -> RunRow | None:
    """The run that this one has been copied from: a copy would count twice in what is usual."""
    like = (other for other in others if (other.run_id, other.started_at) == (run.run_id, run.started_at))
    return next((other for other in like if replace(other, folder=run.folder) == run), None)


def _folders(results: Path) -> list[Path]:
    """Each folder once: a link to another one in `results`, such as `latest`, is no run of its own."""
    folders = sorted(path for path in results.iterdir() if path.is_dir())
    real = {path.resolve() for path in folders if not path.is_symlink()}
    return [path for path in folders if not (path.is_symlink() and path.resolve() in real)]


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in (*RAW_FILES, SUMMARY))


def _read_summary(folder: Path) -> Summary:
    """Raises ConfigError where neither the summary nor the raw files can be read, and for those of a later version."""
    try:
        text = (folder / SUMMARY).read_bytes()
        if is_as_written(text):
            refuse_later_version(folder / SUMMARY, _VERSION_DECODER.decode(text).schema_version, SCHEMA_VERSION)
            summary = _DECODER.decode(text)
            if summary.schema_version == SCHEMA_VERSION and summary.kind in KINDS:
                return summary
    except (OSError, ValueError, RecursionError):
        pass
    return _DECODER.decode(summary_json(read_report(folder)))


def _row(folder: Path, summary: Summary) -> RunRow:
    run, _ = checked_run(summary.run)
    kind = KINDS[summary.kind]
    return RunRow(
        folder=folder,
        run_id=str(run.get("run_id") or folder.name),
        started_at=_moment(run.get("started_at")),
        label=str(run.get("label") or ""),
        kind=kind.name,
        server=_server(run),
        machine=_machine(run),
        version=str((run.get("versions") or {}).get("stt-load") or ""),
        verdict=summary.verdict,
        holds=_holds(summary),
        stages=tuple(_stage(stage, kind) for stage in summary.stages),
        test={"dialect": run.get("dialect"), **what_was_measured(run)},
    )


def _holds(summary: Summary) -> int | None:
    if (summary.run.get("options") or {}).get("arrivals"):  # it holds a rate of calls
        return None
    found = summary.capacity.holds if summary.capacity is not None else summary.knee.holds
    # A search that was broken off has not found that nobody is held.
    return found or (0 if summary.verdict is Verdict.FAIL else None)


def _stage(stage: StageSummary, kind: LoadKind) -> StageRow:
    latency = getattr(stage, kind.headline).with_failed
    energies = [device.energy_per_audio_minute_j for device in stage.devices if device.kind == "gpu"]
    known = [energy for energy in energies if energy is not None]
    return StageRow(
        users=stage.users,
        verdict=stage.verdict,
        p95_s=math.inf if latency.n and latency.p95 is None else latency.p95,
        wer=stage.wer,
        error_rate=stage.error_rate,
        energy_j=sum(known) if known and len(known) == len(energies) else None,
    )


def _server(run: Mapping[str, Any]) -> str:
    """What was spoken to, and where: `parakeet at gpu-box:8000`. A port of this machine that the system chose is left
    out, so that a server which is started for each run is the same one."""
    dialect = str(run.get("dialect") or "unknown")
    try:
        url = urlsplit(without_credentials(str(run.get("stt_url") or "")) or "")
        host, port = url.hostname or "", url.port
    except ValueError:
        return dialect
    if _is_loopback(host) and (port or 0) >= _EPHEMERAL_PORT:
        port = None
    return f"{dialect} at {host}{f':{port}' if port else ''}" if host else dialect


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _machine(run: Mapping[str, Any]) -> str:
    """The hardware in words, without names of hosts, which a container has anew each time: `2 × NVIDIA H200`, or `AMD
    EPYC 7763, 4 cores`."""
    names = [str(gpu["name"]) for gpu in gpus(run) if gpu.get("name")]
    if names:
        return ", ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names))
    machines = [machine for machine in server_machines(run) if machine.get("cpu_model")] or load_machines(run)[:1]
    return ", ".join(dict.fromkeys(in_words(machine, HARDWARE) for machine in machines)) or "unknown"


def _moment(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not objection(value, Moment) else None
