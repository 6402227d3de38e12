"""The sidecars as `run.json` describes them: what they watched and why, how often, how well their clocks were known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from stt_load.report.coverage import Span
from stt_load.report.device import DEVICE_KINDS, Device
from stt_load.report.machines import GPU, in_words
from stt_load.report.sampling_gaps import SamplingGap

JsonObject = Mapping[str, Any]

_MACHINE = ("cpu_model", "architecture", "cores")


class Sidecars:
    """The entries `sidecars` and `gpu` of one `run.json`."""

    def __init__(self, run: JsonObject) -> None:
        self._run = run
        self.entries: tuple[JsonObject, ...] = tuple(run.get("sidecars") or ())
        self.gpus: tuple[JsonObject, ...] = tuple(run.get("gpu") or ())

    @property
    def was_asked(self) -> bool:
        """The run was to be sampled."""
        return (self._run.get("options") or {}).get("gpu-sidecar", "off") not in ("off", None) or bool(self.entries)

    @property
    def watched(self) -> tuple[Device, ...]:
        """The GPUs that were to be sampled; one unknown GPU if no sidecar ever answered."""
        known = [Device(str(row.get("host")), "gpu", row["index"]) for row in self.gpus if row.get("index") is not None]
        has_answered = any(row.get("host") for row in (*self.entries, *self.gpus))
        return tuple(known) if known or has_answered or not self.was_asked else (Device("", "gpu"),)

    def period_s(self, device: Device) -> float | None:
        """The period that the source of its samples was configured with; None if unknown."""
        return self._largest(device, "period_s")

    def limit_s(self, device: Device) -> float | None:
        """How long the source of its samples may be quiet before that is a gap; None if the sidecar didn't say."""
        return self._largest(device, "limit_s")

    def uncertainty_s(self, host: str) -> float:
        """How well the clock of a host is known; 0 if the run doesn't say."""
        return max((float(entry.get("clock_uncertainty_s") or 0.0) for entry in self._of(host)), default=0.0)

    @property
    def gaps(self) -> tuple[SamplingGap, ...]:
        """The gaps that the sidecars recorded, on the master's clock."""
        return tuple(
            SamplingGap(
                str(entry.get("host")),
                _samples(source),
                _on_our_clock(entry, gap),
                str(gap.get("why", "")),
                _device(entry, gap),
            )
            for entry in self.entries
            for source in entry.get("sources") or ()
            for gap in source.get("gaps") or ()
        )

    @property
    def silent(self) -> tuple[str, ...]:
        """One line for each sidecar that gave no samples of its own."""
        silent = [entry for entry in self.entries if not entry.get("host")]
        return tuple(f"no samples from the GPU sidecar {entry.get('url')}: {entry.get('why')}" for entry in silent)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people must know of the figures: GPUs that were guessed, what the tool warned of or can't do."""
        found = []
        for entry in self.entries:
            host = entry.get("host")
            if host and entry.get("is_guess") and any(row.get("host") == host for row in self.gpus):
                found.append(f"which GPUs of {host} the server uses is a guess: {entry.get('why')}")
            found += [f"{host}: {warning}" for warning in entry.get("warnings") or ()]
            found += [f"{host}: {source['note']}" for source in entry.get("sources") or () if source.get("note")]
        return tuple(found)

    @property
    def described(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Each sidecar by its URL, with rows of name and value that describe it."""
        return [(f"{entry.get('url')}", self._facts(entry)) for entry in self.entries]

    def _facts(self, entry: JsonObject) -> list[tuple[str, str]]:
        host = entry.get("host")
        gpus = "; ".join(
            in_words(row, ("index", *GPU, "uuid"))
            for row in self.gpus
            if row.get("host") == host and row.get("index") is not None
        )
        why = " ".join(filter(None, ["a guess:" if entry.get("is_guess") else "", entry.get("why")]))
        machine, server = in_words(entry.get("machine") or {}, _MACHINE), _server_line(entry.get("server"))
        facts = [("host", host), ("machine", machine), ("GPUs", gpus), ("why", why), ("server", server)]
        facts += [(f"source {source.get('name')}", _source_line(source)) for source in entry.get("sources") or ()]
        return [(name, str(value)) for name, value in [*facts, ("clock", _clock_line(entry))] if value]

    def _largest(self, device: Device, key: str) -> float | None:
        """The largest value that the sources of its samples have under a key."""
        values = [
            float(source[key])
            for entry in self._of(device.host)
            for source in entry.get("sources") or ()
            if _samples(source) == DEVICE_KINDS[device.kind].samples and source.get(key)
        ]
        return max(values, default=None)

    def _of(self, host: str) -> list[JsonObject]:
        return [entry for entry in self.entries if str(entry.get("host")) == host]


def _samples(source: JsonObject) -> str:
    kind = DEVICE_KINDS.get(str(source.get("kind")))
    return kind.samples if kind else DEVICE_KINDS["gpu"].samples


def _server_line(server: JsonObject | None) -> str:
    return ": ".join(str(part) for part in (server.get("name"), server.get("why")) if part) if server else ""


def _source_line(source: JsonObject) -> str:
    gaps, restarts = source.get("gaps") or (), source.get("restarts")
    parts = (
        f"every {source['period_s']:g} s" if source.get("period_s") else "",
        f"restarted {_times(restarts)}" if restarts else "",
        f"{'one gap' if len(gaps) == 1 else f'{len(gaps)} gaps, the last'}: {gaps[-1].get('why')}"
        if gaps
        else "no gap",
        "" if source.get("is_alive", True) else "not running at the end",
        str(source.get("note") or ""),
        str(source.get("complaint") or ""),
    )
    return "; ".join(part for part in parts if part)


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _clock_line(entry: JsonObject) -> str:
    offset_s, uncertainty_s = entry.get("clock_offset_s"), entry.get("clock_uncertainty_s")
    if offset_s is None or uncertainty_s is None:
        return ""
    ahead = "ahead of" if offset_s >= 0 else "behind"
    return f"{abs(offset_s):.4f} s {ahead} the master's, ± {uncertainty_s * 1000:.1f} ms"


def _device(entry: JsonObject, gap: JsonObject) -> Device | None:
    """The device that a gap is of; None for a gap of the whole source, as older sidecars have them all."""
    kind, gpu = gap.get("kind"), gap.get("gpu")
    if kind not in DEVICE_KINDS:
        return None
    return Device(str(entry.get("host")), str(kind), gpu if isinstance(gpu, int) else None)


def _on_our_clock(entry: JsonObject, gap: JsonObject) -> Span:
    """The span on the master's clock. `clock_offset_s` is the sidecar's wall clock minus the master's."""
    offset_s = float(entry.get("clock_offset_s") or 0.0)
    ended = gap.get("ended")
    return float(gap["began"]) - offset_s, math.inf if ended is None else float(ended) - offset_s
