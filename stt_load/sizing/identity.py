"""What must be the same in two runs so that one says something about the other, and on which machine each was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from stt_load.text.url_secrets import without_credentials

Identity = dict[str, Any]


def model_of(run: Mapping[str, Any]) -> Identity:
    """What was asked of which model: words for people -> value, from `run.json`. Credentials are not among them."""
    query = urlsplit(without_credentials(str(run.get("stt_url") or "")) or "").query
    return {
        "dialect": run.get("dialect"),
        "dialect options (the model is one)": dict(run.get("dialect_options") or {}),
        "query of the URL": dict(parse_qsl(query)),
        "who ends the utterance (--end)": run.get("end"),
        "clips": (run.get("clips") or {}).get("manifest_sha256"),
        "length of a frame": (run.get("frame") or {}).get("ms"),
        "silence after a clip (--trailing-silence)": run.get("trailing_silence_s"),
        "pause of a caller (--pause)": (run.get("options") or {}).get("pause"),
    }


def differences(one: Identity, other: Identity, places: tuple[str, str]) -> list[str]:
    """A line for each thing that differs. What only one side knows says nothing. `places`: names of the sides."""
    first, second = places
    return [
        f"{name}: {_told(one[name])} in {first}, {_told(other[name])} in {second}"
        for name in one
        if name in other and None not in (one[name], other[name]) and one[name] != other[name]
    ]


def machine_of(run: Mapping[str, Any]) -> Identity:
    """The machine of the server where a sidecar was there, and the one that made the load: from `run.json`."""
    sidecars = [entry for entry in run.get("sidecars") or () if entry.get("host")]
    hosts = run.get("hosts") or ()
    return {
        "server": [{"host": entry["host"], **(entry.get("machine") or {})} for entry in sidecars],
        "gpus": [{key: gpu.get(key) for key in ("name", "memory_total_mib", "driver")} for gpu in run.get("gpu") or ()],
        "load": dict(hosts[0]) if hosts else {},
    }


def machine_lines(machine: Identity, cpu_limit: float | None) -> list[str]:
    """Lines for people. `cpu_limit`: of the server's control group, in cores."""
    limit = "" if cpu_limit is None else f", CPU limit {cpu_limit:g} cores"
    lines = [f"server: {_machine(server)}{limit}" for server in machine["server"]]
    for gpu in machine["gpus"]:
        memory = f", {gpu['memory_total_mib']:.0f} MiB" if gpu.get("memory_total_mib") else ""
        lines.append(f"GPU: {gpu.get('name')}{memory}, driver {gpu.get('driver')}")
    if not lines:
        lines.append("server: its machine is not known, since no sidecar was there (--gpu-sidecar)")
    return [*lines, f"load: {_machine(machine['load'])}"]


def _machine(about: Mapping[str, Any]) -> str:
    cores = f"{about['cores']} cores" if about.get("cores") else None
    own = about.get("container_cpu_limit")
    parts = (about.get("host"), about.get("cpu_model"), about.get("architecture"), cores)
    limit = f", CPU limit {own:g} cores" if own else ""
    return (", ".join(str(part) for part in parts if part) or "not known") + limit


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={item}" for key, item in value.items()) or "none"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"
